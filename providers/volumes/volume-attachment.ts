import { z } from "zod";
import { idSchema, projectField } from "../core/common-fields.ts";
import { cephCodes, hostCodes, StackyardError } from "../core/errors.ts";
import { field } from "../core/fields.ts";
import { brandId } from "../core/ids.ts";
import { textOf } from "../core/json.ts";
import type { ComputeHost } from "../core/ports.ts";
import { defineResource, requireEntry, type StepContext, type WorldEntry } from "../core/resource.ts";
import { requireHost } from "../servers/server-view.ts";
import { changeDisks, describeAttachedVolume, listFreeDevices } from "./attached-volume.ts";
import { isEncrypted, isMultiattach, rejectReach } from "./volume-place.ts";
import { describeOwner } from "./volume-use.ts";

const inputs = z.strictObject({
  project: projectField(),
  server: field(idSchema(), { doc: "Server that has the volume.", references: "server", change: "replace" }),
  volume: field(idSchema(), {
    doc: "Volume. The file of a volume lies on one host: the server must be there.",
    references: "volume",
    change: "replace",
  }),
  device: field(
    z
      .string()
      .regex(/^vd[b-z]$/, "must be vdb to vdz; vda is the root disk")
      .optional(),
    {
      doc: "Device name in the guest. Default: the first that no other attachment of the server has, shown in the preview.",
      computed: "plan",
      chosen: true,
      change: "replace",
    },
  ),
  readOnly: field(z.boolean().default(false), {
    doc: "Whether the guest may only read. Default false.",
    change: "replace",
  }),
  shared: field(z.boolean().optional(), {
    doc: "Whether other servers may have the volume at the same time: only where its type has `multiattach`. Default: as its type says.",
    computed: "plan",
    change: "replace",
  }),
  timeouts: field(
    z
      .strictObject({
        detach: field(z.int().min(1).max(3600).default(60), {
          doc: "Limit in seconds until the guest has let go. Default 60.",
        }),
      })
      .prefault({}),
    { doc: "Limits, in seconds." },
  ),
});

const outputs = z.strictObject({
  hostId: field(z.string(), {
    doc: "Id of the host that the server is on.",
    references: "host",
    follows: [],
  }),
  guestPath: field(z.string(), {
    doc: "Where a guest with udev finds the disk, whatever its device is called there: by the first 20 characters of the volume's id.",
    follows: ["volume"],
  }),
});

export type AttachmentInputs = z.infer<typeof inputs>;
type AttachmentOutputs = z.infer<typeof outputs>;
type Context = StepContext<AttachmentInputs, AttachmentOutputs>;

/** A volume that a server has beside its root disk. */
export const volumeAttachment = defineResource({
  type: "volume-attachment",
  plural: "volume-attachments",
  service: "block-storage",
  summary:
    "A volume that a server has as a further disk: plugged in and out while it runs, under a device name that stays.",
  scope: "project",
  inputs,
  outputs,
  rules: [
    {
      field: "shared",
      says: "A volume is shared only where its type has multiattach, and then by all who have it.",
      reads: ["volume", "shared"],
      remedy: "Give the volume a type with multiattach, or leave shared out.",
      violated: ({ volume, shared }, { id, world }) => {
        const entry = world.find("volume", volume);
        if (entry === undefined) return undefined;
        if (shared === true && !isMultiattach(entry, world))
          return "is true, but the volume's type has no multiattach";
        const other = world
          .all("volume-attachment")
          .find((one) => one.id !== id && one.inputs["volume"] === volume);
        return shared === true && other !== undefined && other.inputs["shared"] !== true
          ? "is true, but another server has the volume to itself"
          : undefined;
      },
    },
    {
      field: "volume",
      says: "A volume that a server has made for itself is that server's alone.",
      reads: ["volume"],
      remedy: "Name another volume, or make one of a snapshot of it.",
      violated: ({ volume }, { world }) => {
        const owner = describeOwner(volume, world);
        return owner === undefined
          ? undefined
          : `is the boot volume of ${owner}, which has made it for itself`;
      },
    },
    {
      field: "volume",
      says: "The server's host reaches the volume.",
      reads: ["server", "volume"],
      violated: ({ server, volume }, { world }) => {
        const hostId = world.find("server", server)?.outputs["hostId"];
        const entry = world.find("volume", volume);
        return entry === undefined || typeof hostId !== "string"
          ? undefined
          : rejectReach(entry, hostId, world);
      },
    },
    {
      field: "device",
      says: "A server has at most 25 volumes beside its root disk.",
      reads: ["server", "device"],
      violated: ({ device }) =>
        device === undefined ? "cannot be chosen: all of vdb to vdz are taken" : undefined,
    },
  ],
  complete: (draft, { id, world }) => {
    const { server, volume } = draft;
    const entry = volume === undefined ? undefined : world.find("volume", volume);
    const device = draft.device ?? (server === undefined ? undefined : listFreeDevices(server, id, world)[0]);
    const shared = draft.shared ?? (entry === undefined ? undefined : isMultiattach(entry, world));
    return {
      ...draft,
      ...(device === undefined ? {} : { device }),
      ...(shared === undefined ? {} : { shared }),
    };
  },
  reservations: ({ server, volume, device, shared }) => [
    { kind: "volume-use", scope: shared === true ? server : "cloud", value: volume, field: "volume" },
    ...(device === undefined ? [] : [{ kind: "disk-device", scope: server, value: device, field: "device" }]),
  ],
  raises: [...hostCodes, ...cephCodes, "not-found", "not-ours", "conflict", "in-use", "wrong-state"],
  reconcile: [
    {
      name: "attach",
      run: async (context) => {
        const { record, inputs: desired, world, cloudId, ports, signal, progress } = context;
        const attached = describeAttachedVolume(record, world, cloudId);
        requireReach(desired, requireEntry("server", desired.server, world, "server"), context);
        progress(`plugging the volume in as ${attached.device}`);
        const host = await changeDisks(context, desired.server, async () => {
          // It may have moved since.
          const server = requireEntry("server", desired.server, world, "server");
          const place = requireReach(desired, server, context);
          if (attached.volume.encryption !== undefined)
            await ports.volumes.attachEncryptor(place, attached.volume, signal);
          await ports.domains.attachVolume(place, server.id, attached, signal);
          return place;
        });
        return {
          hostId: host.id,
          guestPath: `/dev/disk/by-id/virtio-${attached.volume.id.slice(0, 20)}`,
        };
      },
      undo: detach,
    },
  ],
  remove: [{ name: "detach", run: (context) => detach(context).then(() => undefined) }],
});

/** Unplugs the volume. A server that is gone has none. */
async function detach(context: Context): Promise<void> {
  const { inputs: desired, world, cloudId, ports, signal, progress } = context;
  if (world.find("server", desired.server)?.outputs["hostId"] === undefined) return;
  progress("waiting for the guest to let go of the volume");
  const volumeId = brandId<"resource">(desired.volume);
  const limitMs = desired.timeouts.detach * 1000;
  await changeDisks(context, desired.server, async (server) => {
    if (server === undefined) return;
    const host = requireHost({ hostId: textOf(server.outputs, "hostId") }, world, cloudId);
    await ports.domains.detachVolume(host, server.id, volumeId, limitMs, signal);
    const entry = world.find("volume", desired.volume);
    if (entry !== undefined && isEncrypted(entry, world))
      await ports.volumes.detachEncryptor(host, volumeId, signal);
  });
}

/** The server's host. Raises `wrong-state` when it does not reach the volume: the server may have been placed after the plan. */
function requireReach(
  { volume }: AttachmentInputs,
  server: WorldEntry,
  { world, cloudId }: Context,
): ComputeHost {
  const host = requireHost({ hostId: textOf(server.outputs, "hostId") }, world, cloudId);
  const entry = world.find("volume", volume);
  const problem = entry === undefined ? "does not exist any more" : rejectReach(entry, host.id, world);
  if (problem === undefined) return host;
  throw new StackyardError("wrong-state", {
    message: `the volume cannot be given to server ${JSON.stringify(server.name)}: it ${problem}`,
    field: "volume",
    value: volume,
    remedy:
      "Place the server where the volume is, such as by an availability zone, or keep the volume in a pool.",
  });
}
