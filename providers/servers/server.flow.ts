import type { CachedImage, ComputeHost, DomainObservation, DomainSpec, ImageSpec } from "../core/ports.ts";
import { requireEntry, type Drift, type Step, type StepContext } from "../core/resource.ts";
import { toImageSpec } from "../images/image.ts";
import { ensureImageInPool } from "../images/rbd-image.ts";
import { giveBackAdopted, isBeingAdopted } from "./adoption.ts";
import { findBootImage } from "./boot-source.ts";
import { ensureBootVolume, removeBootVolume, undoBootVolume } from "./boot-volume.ts";
import { chooseRootPool, ensureRootDisk, removeRootDisk } from "./root-disk.ts";
import type { BootVolume, ServerInputs, ServerOutputs } from "./server-fields.ts";
import { settleMigration } from "./migration.ts";
import { ensureNetwork, releaseInterfaces } from "./server-networks.ts";
import {
  listInterfaces,
  listLeaving,
  readBootNeeds,
  readFlavor,
  refuseGroup,
  requireHost,
  toDomainSpec,
  toReadinessRequest,
  type ServerInterface,
} from "./server-view.ts";
import { giveKeys, takeKeys } from "./volume-keys.ts";
import { disksKey } from "../volumes/attached-volume.ts";

type Context = StepContext<ServerInputs, ServerOutputs>;
type ServerStep = Step<ServerInputs, ServerOutputs>;

/**
 * A move to another host that was broken off comes to one of its ends. Then: chooses a host and claims it, or keeps the claim and changes its amounts. Writes down which interfaces will be wired there, beside those that
 * still are: whatever happens then, it is known what to take back. Steps 8 to 11 are traced where they happen.
 */
const placement: ServerStep = {
  name: "placement",
  reschedulesHere: true,
  run: async (context) => {
    const { ports, inputs, outputs, record, world, taskId, progress } = context;
    const settled = await settleMigration(context);
    progress("choosing a host");
    const hostId = await ports.placement.claim(taskId, record.id);
    const wanted = listInterfaces(inputs, record.id, world);
    return {
      ...settled,
      status: "BUILD",
      hostId,
      host: world.find("host", hostId)?.name ?? hostId,
      interfaces: [...wanted, ...listLeaving(outputs.interfaces ?? [], wanted)],
    };
  },
  // A domain that was being adopted is given back wherever the flow broke off: its disk must never be left to `gc`.
  undo: async (context) => {
    await giveBackAdopted(context);
    await context.ports.placement.release(context.record.id);
  },
};

/**
 * The group's policy still holds here: another build may have been placed meanwhile (nova: _validate_instance_group_policy). That is not the
 * host's fault (nova: build_results.RESCHEDULED_BY_POLICY), and no matter of servers that are built.
 */
const lateCheck: ServerStep = {
  name: "late-check",
  on: "compute",
  sparesHost: true,
  run: async ({ inputs, outputs, record, world, trace }) => {
    await trace(18, () => {
      if (record.applied === undefined) refuseGroup(record.id, inputs, outputs, world);
    });
    return undefined;
  },
};

/** The image is where the root disk is made of it, on the host or in a pool, whoever brought it there. */
const image: ServerStep = {
  name: "image",
  on: "compute",
  run: async (context) => {
    const { inputs, outputs, world, cloudId, trace } = context;
    const host = requireHost(outputs, world, cloudId);
    const spec = await trace(19, () => {
      const entry = findBootImage(inputs, world);
      return entry === undefined ? undefined : toImageSpec(entry);
    });
    await trace(20, context.validateToken);
    const brought = spec === undefined ? {} : await trace(21, () => bringImage(context, spec, host));
    return { cachedImage: brought };
  },
};

const noFiles: CachedImage = { diskPath: undefined, kernelPath: undefined, initrdPath: undefined };

/** Its files in the host's cache; where the root disk is in a pool, the disk image is there instead; a volume needs none any more. */
async function bringImage(
  context: Context,
  spec: ImageSpec,
  host: ComputeHost,
): Promise<ServerOutputs["cachedImage"]> {
  const { inputs, ports: services, signal, progress } = context;
  const poolId = spec.disk === undefined ? undefined : chooseRootPool(context);
  const isElsewhere = poolId !== undefined || inputs.bootVolume !== undefined;
  const files = isElsewhere ? { ...spec, disk: undefined } : spec;
  const isEmpty = files.disk === undefined && files.kernel === undefined && files.initrd === undefined;
  const [cached, parent] = await Promise.all([
    isEmpty ? noFiles : services.images.ensureCached(host, files, progress, signal),
    poolId === undefined ? undefined : ensureImageInPool(context, spec, host, poolId),
  ]);
  const { diskPath, kernelPath, initrdPath } = cached;
  return {
    ...(diskPath === undefined ? {} : { diskPath }),
    ...(kernelPath === undefined ? {} : { kernelPath }),
    ...(initrdPath === undefined ? {} : { initrdPath }),
    ...(parent === undefined ? {} : { parent }),
  };
}

/** Networks are wired on the host and the ports' addresses are served. */
const ports: ServerStep = {
  name: "ports",
  on: "compute",
  run: async (context) => {
    const { inputs, outputs, record, world, cloudId, progress, trace } = context;
    const host = requireHost(outputs, world, cloudId);
    const interfaces = await trace(22, () => listInterfaces(inputs, record.id, world));
    await trace(23, context.validateToken);
    progress(`wiring ${String(interfaces.length)} ports`);
    await trace(24, () =>
      Promise.all(
        [...new Set(interfaces.map((nic) => nic.network))].map((id) => ensureNetwork(context, id, host)),
      ),
    );
    return { address: interfaces[0]?.address };
  },
  undo: releaseNetworks,
};

/** Takes back what is wired, or was about to be. */
function releaseNetworks(context: Context): Promise<void> {
  return releaseHere(context, context.outputs.interfaces ?? []);
}

async function releaseHere(context: Context, interfaces: readonly ServerInterface[]): Promise<void> {
  const { outputs, world, cloudId } = context;
  if (outputs.hostId === undefined || interfaces.length === 0) return;
  await releaseInterfaces(context, requireHost(outputs, world, cloudId), interfaces, world);
}

/**
 * Which disks the server has. A root disk in a pool is made here, and a volume of the server's own; one on the host by `spawn`. The disk of a domain that is being adopted is brought here, before one is made:
 * `spawn` keeps what it finds.
 */
const blockDevices: ServerStep = {
  name: "block-devices",
  on: "compute",
  run: async (context) => {
    const { inputs, outputs, record, world, cloudId, ports: services, signal, progress, trace } = context;
    const flavor = await trace(25, () => readFlavor(inputs.flavor, world));
    await trace(26, context.validateToken);
    return trace(27, async () => {
      if (isBeingAdopted(record, outputs)) {
        const { adoptedFrom } = outputs;
        progress(`taking over domain ${adoptedFrom.domain}`);
        const host = requireHost(outputs, world, cloudId);
        await services.domains.takeOver(host, record.id, adoptedFrom, progress, signal);
      }
      const { bootVolume } = inputs;
      if (bootVolume !== undefined) return { blockDevices: [await bringBootVolume(context, bootVolume)] };
      const source = chooseSource(context);
      const root = { device: "vda", source, sizeGib: flavor.diskGib };
      const poolId = chooseRootPool(context);
      const imageBytes = readBootNeeds(inputs, world).virtualSizeBytes ?? 0;
      if (poolId === undefined || flavor.diskGib + imageBytes === 0)
        return { blockDevices: [{ ...root, destination: "local" } as const] };
      const sizeBytes = await ensureRootDisk(context, poolId, imageBytes);
      return {
        blockDevices: [{ ...root, destination: "pool", storagePool: poolId, sizeBytes } as const],
      };
    });
  },
  undo: async (context) => {
    await undoBootVolume(context);
    await removeRootDisk(context);
  },
};

/** The volume that the server boots: one that is there, or one that is made here. */
async function bringBootVolume(
  context: Context,
  { volume, volumeType, sizeGib = 0 }: BootVolume,
): Promise<ServerOutputs["blockDevices"][number]> {
  const device = { device: "vda", destination: "volume" } as const;
  if (volumeType !== undefined)
    return { ...device, source: "image", volume: await ensureBootVolume(context, volumeType), sizeGib };
  const { id, outputs } = requireEntry("volume", volume ?? "", context.world, "bootVolume.volume");
  const known = outputs["sizeGib"];
  return { ...device, source: "volume", volume: id, sizeGib: typeof known === "number" ? known : 0 };
}

/** What the root disk is made of. An adopted one stays that until it is lost. */
function chooseSource({ record, outputs }: Context): "image" | "blank" | "adopted" {
  if (isBeingAdopted(record, outputs) || outputs.blockDevices?.[0]?.source === "adopted") return "adopted";
  return sourceOfNew(outputs);
}

function sourceOfNew({ cachedImage }: Partial<ServerOutputs>): "image" | "blank" {
  return cachedImage?.diskPath === undefined && cachedImage?.parent === undefined ? "blank" : "image";
}

/** Disk, config drive and domain are there; the domain runs if it should, and its guest was told what it is told at boot. */
const spawn: ServerStep = {
  name: "spawn",
  on: "compute",
  run: async (context) => {
    const {
      inputs,
      outputs,
      record,
      world,
      cloudId,
      ports: { domains },
      signal,
      exclusive,
      progress,
      trace,
    } = context;
    const host = requireHost(outputs, world, cloudId);
    return trace(28, () =>
      exclusive(disksKey(record.id), async () => {
        const spec = toDomainSpec(record, inputs, outputs, world, cloudId);
        const found = record.applied === undefined ? undefined : await domains.observe(host, spec, signal);
        const mustStop =
          found !== undefined &&
          found.state !== "shut-off" &&
          (!inputs.running || !goesOn(found.state) || found.drift.some(needsStop));
        if (mustStop) {
          progress("shutting down");
          await domains.stop(host, record.id, inputs.timeouts.shutdown * 1000, signal);
        }
        await giveKeys(context, host);
        progress(inputs.running ? "starting the domain" : "defining the domain");
        await domains.spawn(host, spec, inputs.running, signal);
        // A power cycle is a boot too. Of a guest that was told already nothing is due, so that this may be broken off and repeated.
        if (!mustStop && found?.drift.some(needsReboot) === true) {
          progress("rebooting the guest");
          await domains.reboot(host, record.id, "soft", signal);
        }
        return {
          status: inputs.running ? ("ACTIVE" as const) : ("SHUTOFF" as const),
          launchedAt: outputs.launchedAt ?? new Date().toISOString(),
          ...noteDiskSize(outputs, spec, found),
        };
      }),
    );
  },
  undo: removeOrGiveBack,
};

/** Takes the domain away with all that it has; the disk of one that was being adopted is another's, and is given back. */
async function removeOrGiveBack(context: Context): Promise<void> {
  const { outputs, record, world, cloudId, ports: services, signal } = context;
  if (outputs.hostId === undefined) return;
  const host = requireHost(outputs, world, cloudId);
  if (isBeingAdopted(record, outputs)) await giveBackAdopted(context);
  else await services.domains.remove(host, record.id, signal);
  await takeKeys(context, host);
}

/** Whether a domain in this state runs without a new start: a paused guest is let go on. */
function goesOn(state: DomainObservation["state"]): boolean {
  return state === "running" || state === "paused";
}

/** Whether a repair takes a power cycle. */
function needsStop({ label }: Drift): boolean {
  return label !== undefined && label !== "live" && label !== "reboot";
}

/** Whether the guest has to boot again, in the process that it has. */
function needsReboot({ label }: Drift): boolean {
  return label === "reboot";
}

/** The root disk with the size that it has now, unless that is a volume's: as declared, or larger where it was grown before. One that was lost was made anew. */
function noteDiskSize(
  outputs: Partial<ServerOutputs>,
  spec: DomainSpec,
  found: DomainObservation | undefined,
): Partial<ServerOutputs> {
  const [root, ...others] = outputs.blockDevices ?? [];
  if (root === undefined || root.destination === "volume") return {};
  const isNew = found?.drift.some(({ label }) => label === "data-loss") === true;
  const source = isNew ? sourceOfNew(outputs) : root.source;
  const sizeBytes = Math.max(found?.diskBytes ?? 0, spec.diskBytes ?? 0);
  return { blockDevices: [{ ...root, source, ...(sizeBytes === 0 ? {} : { sizeBytes }) }, ...others] };
}

/** Interfaces that the domain had before, and has no more, are taken from the host. */
const oldPorts: ServerStep = {
  name: "old-ports",
  on: "compute",
  run: async (context) => {
    const { inputs, outputs, record, world, progress } = context;
    const wanted = listInterfaces(inputs, record.id, world);
    const leaving = listLeaving(outputs.interfaces ?? [], wanted);
    if (leaving.length === 0) return undefined;
    progress(`taking ${String(leaving.length)} ports back`);
    await releaseHere(context, leaving);
    return { interfaces: [...wanted] };
  },
};

/** The server is as far as `waitFor` says. What is built stays when it is not. */
const ready: ServerStep = {
  name: "ready",
  on: "compute",
  keepOnFailure: true,
  run: async ({ inputs, outputs, record, world, cloudId, ports: { domains }, signal, progress, trace }) => {
    if (!inputs.running) return undefined;
    const host = requireHost(outputs, world, cloudId);
    const request = toReadinessRequest(inputs, outputs.interfaces ?? []);
    await trace(29, () => domains.waitReady(host, record.id, request, progress, signal));
    return undefined;
  },
};

/** How a server is built, changed and repaired. */
export const reconcileServer: readonly ServerStep[] = [
  placement,
  lateCheck,
  image,
  ports,
  blockDevices,
  spawn,
  oldPorts,
  ready,
];

/** How a server is taken away. */
export const removeServer: readonly ServerStep[] = [
  {
    name: "domain",
    run: async (context) => {
      const settled = await settleMigration(context);
      const outputs = { ...context.outputs, ...settled };
      if (outputs.hostId !== undefined) context.progress("removing the domain");
      await removeOrGiveBack({ ...context, outputs });
      return settled;
    },
  },
  { name: "boot-volume", run: (context) => removeBootVolume(context).then(() => undefined) },
  { name: "root-disk", run: (context) => removeRootDisk(context).then(() => undefined) },
  { name: "ports", run: (context) => releaseNetworks(context).then(() => undefined) },
  {
    name: "placement",
    run: ({ ports: { placement: claims }, record }) => claims.release(record.id).then(() => undefined),
  },
];
