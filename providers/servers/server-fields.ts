import { z } from "zod";
import { addressSchema } from "../core/cidr.ts";
import { idSchema, nameField, nameSchema, printableSchema, projectField } from "../core/common-fields.ts";
import { field, type ChangeRule } from "../core/fields.ts";
import { isJsonObject } from "../core/json.ts";
import { readinessRungs } from "../core/ports.ts";
import { maxVolumeGib } from "../core/volume-backend.ts";

/** Most interfaces that a server may have. */
const maxNetworks = 16;

/** Most user data in bytes (nova: 65535 characters of base64). */
const maxUserDataBytes = 49_151;

const seconds = (fallback: number, doc: string) =>
  field(z.int().min(1).max(86_400).default(fallback), {
    doc: `${doc} In seconds, default ${String(fallback)}.`,
  });

const networkSchema = z.strictObject({
  port: field(idSchema().optional(), {
    doc: "A port to take. Without it the server has a port of its own here.",
    references: "port",
  }),
  network: field(idSchema().optional(), {
    doc: "Network for a port of its own. Default: the subnet's.",
    references: "network",
    computed: "plan",
  }),
  subnet: field(idSchema().optional(), {
    doc: "Subnet for a port of its own. Default: the network's only one.",
    references: "subnet",
    computed: "plan",
  }),
  address: field(addressSchema().optional(), {
    doc: "Fixed address of a port of its own. Default: a free one, shown in the preview.",
    computed: "plan",
    chosen: true,
  }),
  mac: field(
    z
      .string()
      .regex(/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/, "must be a unicast MAC address in lower case")
      .optional(),
    { doc: "MAC address of a port of its own. Default: derived from the server's id.", computed: "plan" },
  ),
});

/**
 * A block device of the source `volume`, or of the source `image` with the destination `volume` (nova: `block_device_mapping_v2`). Exactly one of
 * `volume` and `volumeType` is set.
 */
const bootVolumeSchema = z.strictObject({
  volume: field(idSchema().optional(), {
    doc: "Volume that is there, of this server alone. It outlives the server.",
    references: "volume",
  }),
  volumeType: field(idSchema().optional(), {
    doc: "Type of a volume that the server makes for itself of its image: in the type's pool, or in a file on the server's host. Without `volume`.",
    references: "volume-type",
  }),
  sizeGib: field(z.int().min(1).max(maxVolumeGib).optional(), {
    doc: "Size in GiB of the volume that it makes, at least what the image needs. It grows while the server runs, and never shrinks. Default: the flavor's disk, or what the image needs, whichever is more; kept when the flavor changes.",
    computed: "plan",
  }),
  deleteOnTermination: field(z.boolean().optional(), {
    doc: "Whether the volume that it makes goes with the server, be that removed or replaced. With false it stays as a volume of the project, which keeps its type and its image in use until it is removed or imported. A stack that refers to the volume, as a snapshot does, declares it and names it in `volume`. Default true.",
  }),
});

/** What a server's inputs say of the volume that it boots. */
export type BootVolume = z.infer<typeof bootVolumeSchema>;

/** Whether the volume that a server has made goes with it. Nova's default is false, but there a user sees what stays. */
export function goesWithServer({ deleteOnTermination = true }: BootVolume): boolean {
  return deleteOnTermination;
}

/** Another volume is another server. What the one in its place held is lost, unless it is a volume that stays. */
const bootVolumeChange: ChangeRule = {
  says: "`live` for `sizeGib` and `deleteOnTermination`; else `replace`, or `data-loss` where the root disk goes with the server",
  isIdentity: (value) => {
    if (!isJsonObject(value)) return value;
    const { volume, volumeType } = value;
    return { volume, volumeType };
  },
  label: (from, to) => {
    const [before, after] = [from, to].map((value) => bootVolumeSchema.safeParse(value).data);
    if (before === undefined) return "data-loss";
    const isMade = before.volume === undefined;
    if (isMade && after?.volume === undefined && before.volumeType === after?.volumeType) return "live";
    return isMade && goesWithServer(before) ? "data-loss" : "replace";
  },
};

export const serverInputs = z.object({
  name: nameField({ doc: "Name, unique among the project's servers." }),
  project: projectField("data-loss"),
  hostname: field(
    z
      .string()
      .regex(
        /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
        "must be a host name: lower-case letters, digits, hyphens, at most 63",
      )
      .optional(),
    {
      doc: "Host name that the guest is told at every boot. cloud-init takes it, unless `preserve_hostname` is set or somebody changed it in the guest. Default: made of the name (nova: utils.sanitize_hostname), and kept when that changes.",
      change: {
        says: "`reboot` while the server runs, `live` while it does not",
        label: (_from, _to, before, after) =>
          before["running"] === false || after["running"] === false ? "live" : "reboot",
      },
      computed: "plan",
    },
  ),
  flavor: field(idSchema(), {
    doc: "Size. A change keeps host and disk, grows the disk, and power-cycles the server (nova: resize).",
    references: "flavor",
    change: "restart",
  }),
  image: field(idSchema().optional(), {
    doc: "What it boots. The root disk is made of it, or the volume that it boots. Needed unless it boots a volume that is there.",
    references: "image",
    change: "data-loss",
  }),
  bootVolume: field(bootVolumeSchema.optional(), {
    doc: "Volume that is its root disk: one that is there, in place of an image, or one that the server makes of its image. Kernel and properties come from the image that the volume was made of.",
    change: bootVolumeChange,
  }),
  keypair: field(idSchema().optional(), {
    doc: "Key that may log in. Guests take it at their first boot only.",
    references: "keypair",
    change: "data-loss",
  }),
  networks: field(z.array(networkSchema).max(maxNetworks).default([]), {
    doc: "Interfaces, in order. Default none.",
    change: "restart",
    computed: "plan",
  }),
  serverGroup: field(idSchema().optional(), {
    doc: "Group whose policy places it together with, or apart from, its members.",
    references: "server-group",
    change: "data-loss",
  }),
  availabilityZone: field(nameSchema().optional(), {
    doc: "Zone whose hosts may take it. Default any.",
    change: "data-loss",
  }),
  schedulerHints: field(z.record(printableSchema(255), printableSchema(255)).default({}), {
    doc: "Hints for filters, as Nova's: `same_host`, `different_host`, `query`, … Used when it is placed.",
    change: "data-loss",
  }),
  userData: field(
    z
      .string()
      .refine(
        (text) => Buffer.byteLength(text) <= maxUserDataBytes,
        `must be at most ${String(maxUserDataBytes)} bytes`,
      )
      .optional(),
    {
      doc: `Script or cloud-config for the first boot and no other, at most ${String(maxUserDataBytes)} bytes. The guest and the cloud's store keep it readable: put no secret here.`,
      change: "data-loss",
    },
  ),
  running: field(z.boolean().default(true), {
    doc: "Whether it runs, and comes back when its host boots. Default true.",
    change: {
      says: "`restart` when it stops, `live` when it starts",
      label: (_from, to) => (to === false ? "restart" : "live"),
    },
  }),
  waitFor: field(z.enum(readinessRungs).default("running"), {
    doc: "How far it must be before it counts as made: `running`, `address` (its lease or ARP is seen), `ssh` (a banner), `cloud-init` (done). Default `running`.",
  }),
  timeouts: field(
    z
      .strictObject({
        running: seconds(60, "Limit until it runs."),
        address: seconds(300, "Limit from there until its address is seen."),
        ssh: seconds(300, "Limit from there until SSH answers."),
        cloudInit: seconds(600, "Limit from there until cloud-init is done."),
        shutdown: seconds(60, "Limit for a clean shutdown before power off (nova: shutdown_timeout)."),
      })
      .prefault({}),
    { doc: "Limits of each rung, in seconds." },
  ),
});

export type ServerInputs = z.infer<typeof serverInputs>;

export const serverOutputs = z.object({
  status: field(z.enum(["BUILD", "ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED", "ERROR"]), {
    doc: "Status as OpenStack shows it.",
    follows: ["running"],
  }),
  hostId: field(z.string(), { doc: "Id of the host it is on.", references: "host", follows: ["flavor"] }),
  host: field(z.string(), { doc: "Name of the host it is on.", follows: ["flavor"] }),
  address: field(z.string().optional(), { doc: "First address.", follows: ["networks"] }),
  interfaces: field(
    z.array(
      z.object({
        port: field(z.string(), { doc: "Id of the port." }),
        network: field(z.string(), { doc: "Id of the network." }),
        subnet: field(z.string(), { doc: "Id of the subnet." }),
        address: field(z.string(), { doc: "Address." }),
        mac: field(z.string(), { doc: "MAC address." }),
      }),
    ),
    { doc: "Interfaces with their addresses, in order.", follows: ["networks"] },
  ),
  cachedImage: field(
    z.object({
      diskPath: field(z.string().optional(), { doc: "Disk image on the host." }),
      kernelPath: field(z.string().optional(), { doc: "Kernel on the host." }),
      initrdPath: field(z.string().optional(), { doc: "Initial RAM disk on the host." }),
      parent: field(
        z
          .object({
            pool: field(z.string(), { doc: "Pool of the Ceph cluster." }),
            image: field(z.string(), { doc: "RBD image." }),
            snapshot: field(z.string(), { doc: "Snapshot that root disks are cloned from." }),
          })
          .optional(),
        { doc: "Disk image in a Ceph cluster." },
      ),
    }),
    { doc: "Files of the image in the host's cache, and where it is in a Ceph cluster.", follows: ["image"] },
  ),
  blockDevices: field(
    z.array(
      z.object({
        device: field(z.string(), { doc: "Device name in the guest." }),
        source: field(z.enum(["image", "blank", "adopted", "volume"]), {
          doc: "What it was made of: the image, nothing, or the disk of the domain that was adopted; or `volume`, for one that is declared.",
        }),
        destination: field(z.enum(["local", "pool", "volume"]), {
          doc: "Where it lives: `local`, on the host, `pool`, in a Ceph cluster, or `volume`, wherever that lies.",
        }),
        storagePool: field(z.string().optional(), {
          doc: "Id of the pool that it is in.",
          references: "storage-pool",
        }),
        volume: field(z.string().optional(), {
          doc: "Id of the volume that it is.",
          references: "volume",
          follows: [],
        }),
        sizeGib: field(z.int(), { doc: "Size, GiB." }),
        sizeBytes: field(z.int().optional(), {
          doc: "Size that the last apply left it with, bytes. A disk that was grown by hand keeps its size.",
        }),
      }),
    ),
    { doc: "Disks, in order.", follows: ["flavor", "bootVolume"] },
  ),
  launchedAt: field(z.string(), { doc: "When it first ran, ISO 8601.", follows: [] }),
  migration: field(
    z
      .object({
        kind: field(z.enum(["live", "evacuation"]), {
          doc: "`live`: it runs all the time; `evacuation`: its host is lost.",
        }),
        fromHostId: field(z.string(), { doc: "Id of the host that it leaves." }),
        toHostId: field(z.string(), { doc: "Id of the host that it moves to." }),
        limitSeconds: field(z.int().optional(), { doc: "How long a `live` move may take." }),
        isFencing: field(z.boolean().optional(), {
          doc: "Whether the host that is lost is being shut out: from then on there is no way back.",
        }),
      })
      .optional(),
    { doc: "The move between hosts that it is in. Absent for a server that stays.", follows: [] },
  ),
  adoptedFrom: field(
    z
      .object({
        hostId: field(z.string(), { doc: "Id of the host that it was on." }),
        domain: field(z.string(), { doc: "Name that it had there. Its uuid is the server's id." }),
        fingerprint: field(z.string(), { doc: "SHA-256 of its definition without secrets." }),
        diskPath: field(z.string(), { doc: "Where its disk was." }),
        diskFormat: field(z.string(), { doc: "Format that its disk had." }),
        transfer: field(z.enum(["move", "copy"]), {
          doc: "How its disk came here: moved, or copied; then the original is where it was.",
        }),
        diskBytes: field(z.int(), { doc: "Size that its disk had, bytes." }),
      })
      .optional(),
    {
      doc: "The domain that it was before `stackyard server adopt`. Absent for one that was made here.",
      follows: [],
    },
  ),
});

export type ServerOutputs = z.infer<typeof serverOutputs>;
