import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { StackyardError } from "../core/errors.ts";
import type { CloudId, ResourceId } from "../core/ids.ts";
import { requireEntry, type StepContext, type World, type WorldEntry } from "../core/resource.ts";
import type { AttachedVolume } from "../core/volume-backend.ts";
import { placeVolume } from "./volume-place.ts";

const attachmentInputs = z.object({
  server: z.string(),
  volume: z.string(),
  device: z.string(),
  readOnly: z.boolean(),
  shared: z.boolean(),
});

/** Key of the turns in which a server's disks are changed: what reads which it has, and what changes that, come one after the other. */
export function disksKey(serverId: string): string {
  return `disks of server ${serverId}`;
}

/** How often a server is looked at that moves, and how long, in milliseconds. */
const moveLookMs = 250;
const moveLimitMs = 600_000;

/**
 * Changes the disks of a server, in turn with whoever else does, and not while it moves: its guest may be on another host than its record says. Gives
 * what `change` gives, which has the server as it is then; `undefined`: it is gone. Raises `wrong-state` for a move that does not end in ten minutes.
 */
export async function changeDisks<T>(
  {
    world,
    exclusive,
    progress,
    signal,
  }: Pick<StepContext<unknown, unknown>, "world" | "exclusive" | "progress" | "signal">,
  serverId: string,
  change: (server: WorldEntry | undefined) => Promise<T>,
): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += moveLookMs) {
    const changed = await exclusive(disksKey(serverId), async () => {
      const server = world.find("server", serverId);
      return server?.outputs["migration"] === undefined ? { value: await change(server) } : undefined;
    });
    if (changed !== undefined) return changed.value;
    if (waitedMs === 0) progress("waiting until the server has moved");
    if (waitedMs >= moveLimitMs)
      throw new StackyardError("wrong-state", {
        message: `server ${serverId} is on its way to another host, and its disks cannot be changed`,
        remedy: "Wait until the move has ended, or apply the server: that finishes one that was broken off.",
      });
    await sleep(moveLookMs, undefined, { signal });
  }
}

/** Names on the virtio bus beside the root disk's, in order. */
const devices = Array.from(
  { length: 25 },
  (_, index) => `vd${String.fromCharCode("b".charCodeAt(0) + index)}`,
);

/** Devices that no other attachment of the server has, in order. */
export function listFreeDevices(serverId: string, attachmentId: string, world: World): readonly string[] {
  const taken = new Set(
    listRecords(serverId, world)
      .filter(({ id }) => id !== attachmentId)
      .map(({ inputs }) => inputs["device"]),
  );
  return devices.filter((device) => !taken.has(device));
}

function listRecords(serverId: string, world: World): readonly WorldEntry[] {
  return world.all("volume-attachment").filter(({ inputs }) => inputs["server"] === serverId);
}

/** An attachment as the server's host carries it out. Raises `unknown-reference`. */
export function describeAttachedVolume(
  { inputs }: { readonly inputs: unknown },
  world: World,
  cloudId: CloudId,
): AttachedVolume {
  const { volume, device, readOnly, shared } = attachmentInputs.parse(inputs);
  const entry = requireEntry("volume", volume, world, "volume");
  const { ref, qos } = placeVolume(entry, world, cloudId);
  return { volume: ref, device, isReadOnly: readOnly, isShared: shared, qos };
}

/**
 * The volumes that a server has, by device. One that is about to be attached counts, so that a definition that is made meanwhile does not lack it; one
 * that is being taken away, or whose attachment failed, does not.
 */
export function listAttachedVolumes(
  serverId: ResourceId,
  world: World,
  cloudId: CloudId,
): readonly AttachedVolume[] {
  return listRecords(serverId, world)
    .filter(({ status, outputs }) =>
      status === "error" ? outputs["guestPath"] !== undefined : status !== undefined && status !== "deleting",
    )
    .map((entry) => describeAttachedVolume(entry, world, cloudId))
    .toSorted((a, b) => (a.device < b.device ? -1 : 1));
}
