import { z } from "zod";
import { describeForeign, isForeign } from "../core/drift.ts";
import { reserveDevice, reserveName } from "../core/common-fields.ts";
import { cephCodes, hostCodes, imageCodes, StackyardError } from "../core/errors.ts";
import { field } from "../core/fields.ts";
import type { DomainObservation } from "../core/ports.ts";
import { countOne } from "../core/quota.ts";
import { defineResource, type Drift, type Observation, type StepContext } from "../core/resource.ts";
import { readImageNeeds } from "../images/image.ts";
import { completeAttachment, rejectAttachment, reserveAttachment } from "../networks/attachment.ts";
import { findBootImage } from "./boot-source.ts";
import { bootVolumeRules, completeBootVolume, keepsBootVolume, observeBootVolume } from "./boot-volume.ts";
import { evacuate } from "./evacuation.ts";
import { liveMigrate } from "./migration.ts";
import { observeRootDisk } from "./root-disk.ts";
import { serverInputs, serverOutputs, type ServerInputs, type ServerOutputs } from "./server-fields.ts";
import { reconcileServer, removeServer } from "./server.flow.ts";
import {
  findFlavor,
  listMemberships,
  ownPortId,
  readFlavor,
  rejectHardware,
  requireHost,
  toDomainSpec,
  toReadinessRequest,
} from "./server-view.ts";
import { giveKeys } from "./volume-keys.ts";

type Context = StepContext<ServerInputs, ServerOutputs>;

/** Most lines of the console that one call returns. */
const maxConsoleLines = 10_000;

/** A virtual machine. */
export const server = defineResource({
  type: "server",
  plural: "servers",
  service: "compute",
  summary: "A virtual machine, placed by the scheduler on one of the cloud's hosts.",
  scope: "project",
  inputs: serverInputs,
  outputs: serverOutputs,
  rules: [
    {
      field: "networks",
      says: "Each interface names a port, or a network or subnet with room.",
      reads: ["networks"],
      violated: ({ networks }, { world }) => {
        for (const [index, entry] of networks.entries()) {
          const own = entry.network ?? entry.subnet ?? entry.address ?? entry.mac;
          const at = `networks.${String(index)}`;
          if (entry.port !== undefined && own !== undefined)
            return { field: at, problem: "names a port and more; a port brings its own place" };
          const wrong = entry.port === undefined ? rejectAttachment(entry, world) : undefined;
          if (wrong !== undefined) return { field: `${at}.${wrong.field}`, problem: wrong.problem };
        }
        return undefined;
      },
    },
    ...bootVolumeRules,
    {
      field: "flavor",
      says: "The flavor's disk and memory are at least what the image needs.",
      reads: ["flavor", "image", "bootVolume"],
      remedy: "Choose a larger flavor, or a smaller image.",
      violated: ({ flavor, image, bootVolume }, { world }) => {
        const size = readFlavor(flavor, world);
        const entry = findBootImage({ image, bootVolume }, world);
        if (entry === undefined) return undefined;
        const needs = readImageNeeds(entry);
        if (bootVolume === undefined && size.diskGib > 0 && size.diskGib < needs.minDiskGib) {
          return `has ${String(size.diskGib)} GiB of disk; the image needs ${String(needs.minDiskGib)} GiB`;
        }
        if (size.ramMib < needs.minRamMib)
          return `has ${String(size.ramMib)} MiB of memory; the image needs ${String(needs.minRamMib)} MiB`;
        return undefined;
      },
    },
    {
      field: "image",
      says: "The image's hw_disk_bus is virtio, scsi, sata or ide, and its hw_vif_model one that QEMU has.",
      reads: ["image", "bootVolume"],
      violated: ({ image, bootVolume }, { world }) => {
        const entry = findBootImage({ image, bootVolume }, world);
        return entry === undefined ? undefined : rejectHardware(readImageNeeds(entry).properties);
      },
    },
    {
      field: "waitFor",
      says: "Waiting for more than `running` needs a network.",
      reads: ["waitFor", "networks"],
      violated: ({ waitFor, networks }) =>
        (waitFor === "address" || waitFor === "ssh") && networks.length === 0
          ? `is ${waitFor}, but the server has no network`
          : undefined,
    },
  ],
  complete: (draft, context) => ({
    ...draft,
    ...(draft.hostname === undefined && draft.name !== undefined
      ? { hostname: sanitizeHostname(draft.name, context.id) }
      : {}),
    ...(draft.bootVolume === undefined ? {} : { bootVolume: completeBootVolume(draft, context) }),
    ...(draft.networks === undefined
      ? {}
      : {
          networks: draft.networks.reduce<ServerInputs["networks"]>(
            (done, entry, index, all) => [
              ...done,
              entry.port === undefined
                ? completeAttachment(entry, seedOf(context.id, all, index), context, [
                    ...done,
                    ...all.slice(index + 1),
                  ])
                : entry,
            ],
            [],
          ),
        }),
  }),
  reservations: (inputs, id) => [
    ...(inputs.bootVolume?.volume === undefined
      ? []
      : [
          {
            kind: "volume-use",
            scope: "cloud",
            value: inputs.bootVolume.volume,
            field: "bootVolume.volume",
          },
        ]),
    ...reserveName("server", inputs.project, inputs.name),
    ...inputs.networks.flatMap((entry, index) =>
      entry.port === undefined
        ? [
            ...reserveAttachment(entry, `networks.${String(index)}`),
            ...(entry.mac === undefined
              ? []
              : [reserveDevice(ownPortId(id, entry.mac), `networks.${String(index)}.mac`)]),
          ]
        : [{ kind: "port", scope: "cloud", value: entry.port, field: `networks.${String(index)}.port` }],
    ),
  ],
  quotas: {
    instances: countOne,
    cores: { amount: ({ flavor }, world) => findFlavor(flavor, world)?.vcpus ?? 0 },
    ramMib: { amount: ({ flavor }, world) => findFlavor(flavor, world)?.ramMib ?? 0 },
    serverGroupMembers: { ...countOne, within: ({ serverGroup }) => serverGroup },
    ports: { amount: ({ networks }) => networks.filter(({ port }) => port === undefined).length },
    volumes: { amount: ({ bootVolume }) => (bootVolume?.volumeType === undefined ? 0 : 1) },
    gigabytes: { amount: ({ bootVolume }) => bootVolume?.sizeGib ?? 0 },
  },
  raises: [
    "no-valid-host",
    "retries-exhausted",
    ...hostCodes,
    "host-unsuitable",
    "not-ours",
    ...imageCodes,
    "host-disk-full",
    ...cephCodes,
    "in-use",
    "not-ready",
  ],
  reconcile: reconcileServer,
  remove: removeServer,
  keepsOwned: keepsBootVolume,
  observe: observeServer,
  actions: {
    start: {
      doc: "Starts a stopped server and waits as far as `waitFor` says. The declaration stays: one with `running: false` then shows drift.",
      input: z.strictObject({}),
      run: async (context) => {
        await giveKeys(context, hostOf(context));
        context.progress("starting the domain");
        await context.ports.domains.start(hostOf(context), context.record.id, context.signal);
        await waitUntilReady(context);
        return {};
      },
    },
    stop: {
      doc: "Shuts a server down, and powers it off when it has not gone by itself within `timeouts.shutdown`. The declaration stays: one with `running: true` then shows drift.",
      input: z.strictObject({}),
      run: async ({ ports, record, inputs, outputs, world, cloudId, signal, progress }) => {
        const host = requireHost(outputs, world, cloudId);
        progress("waiting for the guest to shut down");
        await ports.domains.stop(host, record.id, inputs.timeouts.shutdown * 1000, signal);
        return {};
      },
    },
    reboot: {
      doc: "Restarts the guest: `soft` asks it to (same process), `hard` power-cycles it (nova: reboot).",
      input: z.strictObject({
        kind: field(z.enum(["soft", "hard"]).default("soft"), { doc: "`soft` or `hard`. Default `soft`." }),
      }),
      run: async (context, input) => {
        const kind = input["kind"] === "hard" ? "hard" : "soft";
        await giveKeys(context, hostOf(context));
        context.progress("rebooting the guest");
        await context.ports.domains.reboot(hostOf(context), context.record.id, kind, context.signal);
        await waitUntilReady(context);
        return {};
      },
    },
    "live-migrate": liveMigrate,
    evacuate,
    "console-log": {
      doc: "The last lines of the serial console.",
      role: "reader",
      input: z.strictObject({
        lines: field(z.int().min(1).max(maxConsoleLines).default(100), {
          doc: "How many lines. Default 100.",
        }),
      }),
      run: async (context, input) => {
        const lines = typeof input["lines"] === "number" ? input["lines"] : 100;
        return {
          text: await context.ports.domains.readConsole(
            hostOf(context),
            context.record.id,
            lines,
            context.signal,
          ),
        };
      },
    },
  },
});

function hostOf({ outputs, world, cloudId }: Context) {
  return requireHost(outputs, world, cloudId);
}

async function waitUntilReady(context: Context): Promise<void> {
  const { inputs, outputs, record, ports, progress, signal } = context;
  const request = toReadinessRequest(inputs, outputs.interfaces ?? []);
  await ports.domains.waitReady(hostOf(context), record.id, request, progress, signal);
}

/** Identity of an interface: its subnet or network, and which of several it is. */
function seedOf(id: string, networks: ServerInputs["networks"], index: number): string {
  const key = (entry: ServerInputs["networks"][number] | undefined): string =>
    entry?.subnet ?? entry?.network ?? "";
  const own = key(networks[index]);
  const before = networks
    .slice(0, index)
    .filter((entry) => entry.port === undefined && key(entry) === own).length;
  return `${id}/${own}/${String(before)}`;
}

/** A host name made of a display name (nova: utils.sanitize_hostname). */
function sanitizeHostname(name: string, id: string): string {
  const text = name
    .replaceAll(/[ _.]/g, "-")
    .replaceAll(/[^A-Za-z0-9-]/g, "")
    .toLowerCase()
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, "");
  return text === "" ? `server-${id}` : text;
}

async function observeServer(
  context: Context,
): Promise<Observation<ServerInputs, ServerOutputs> | undefined> {
  const { inputs, outputs, record, world, cloudId, ports, signal } = context;
  if (outputs.hostId === undefined) {
    const drift = { field: "host", expected: "a host", found: "not placed yet" };
    return { drift: [{ ...drift, repair: "places it and makes it", label: "live" }] };
  }
  const host = hostOf(context);
  const spec = toDomainSpec(record, inputs, outputs, world, cloudId);
  // What is being built elsewhere need not have its tunnel yet, and a neighbour's ports are the neighbour's to tell of.
  const memberships = listMemberships(
    host,
    (outputs.interfaces ?? []).map((nic) => nic.network),
    world,
    cloudId,
    ({ id, status }) => id === record.id || status !== "building",
  );
  const [domain, ...rest] = await Promise.all([
    ports.domains.observe(host, spec, signal).catch((error: unknown) => {
      if (isForeign(error)) return error;
      throw error;
    }),
    observeRootDisk(context, host),
    observeBootVolume(context, host),
    ...memberships.map(({ network, peers, ports: here }) =>
      ports.switching.observeNetwork(
        host,
        network,
        peers,
        here.filter(({ serverId }) => serverId === record.id),
        signal,
      ),
    ),
  ]);
  const here = (drift: Drift): Drift => ({ ...drift, host: host.name });
  if (domain === undefined || domain instanceof StackyardError) {
    const absent = domain === undefined ? absentDomain(inputs.running) : describeForeign("domain", domain);
    return {
      inputs: { running: false },
      outputs: { status: "ERROR" },
      drift: [absent, ...rest.flat()].map(here),
    };
  }
  const running = domain.state === "running";
  return {
    ...(running === inputs.running ? {} : { inputs: { running } }),
    outputs: { status: toStatus(domain.state) },
    drift: [...compareState(domain.state, inputs.running), ...domain.drift, ...rest.flat()].map(here),
  };
}

function absentDomain(running: boolean): Drift {
  return {
    field: "domain",
    expected: "defined",
    found: "undefined",
    repair: `defines ${running ? "and starts " : ""}it anew, on its disk if that is left`,
    label: "live",
  };
}

/** Whether it runs, and what apply does about it: a stop of what runs is a change that interrupts, a start is none. */
function compareState(found: DomainObservation["state"], running: boolean): readonly Drift[] {
  const expected = running ? "running" : "shut-off";
  if (found === expected) return [];
  const repair = ((): Pick<Drift, "repair" | "label"> => {
    if (!running) return { repair: "shuts it down", label: "restart" };
    if (found === "shut-off") return { repair: "starts it", label: "live" };
    return found === "paused"
      ? { repair: "lets it go on", label: "live" }
      : { repair: "power-cycles it", label: "restart" };
  })();
  return [{ field: "running", expected, found, ...repair }];
}

/** Power state as OpenStack's status (nova: compute/power_state.py, api/openstack/common.py). */
function toStatus(state: DomainObservation["state"]): ServerOutputs["status"] {
  switch (state) {
    case "running":
      return "ACTIVE";
    case "shut-off":
      return "SHUTOFF";
    case "paused":
      return "PAUSED";
    case "suspended":
      return "SUSPENDED";
    case "crashed":
    case "other":
      return "ERROR";
    default:
      throw new StackyardError("internal", {
        message: `unknown domain state ${String(state satisfies never)}`,
      });
  }
}
