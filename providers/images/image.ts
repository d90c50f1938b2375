import { z } from "zod";
import { nameField, printableSchema, projectField, reserveName } from "../core/common-fields.ts";
import { cephCodes, hasCode, hostCodes, imageCodes, StackyardError } from "../core/errors.ts";
import { field } from "../core/fields.ts";
import type { CloudId, ResourceId } from "../core/ids.ts";
import type { ComputeHost, ImageSpec } from "../core/ports.ts";
import { defineResource, type World, type WorldEntry } from "../core/resource.ts";
import { listComputeHosts } from "../servers/host.ts";
import { findVia } from "../volumes/ceph-cluster.ts";
import { listImagePlaces } from "../volumes/pool-place.ts";

const gibibyte = 2 ** 30;
/** QEMU rounds the size of a disk up to it. */
const sectorBytes = 512;

const checksumSchema = z
  .string()
  .regex(
    /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/,
    "must be sha256:<64 hex digits> or sha512:<128 hex digits>",
  );

const locationSchema = printableSchema(4096)
  .regex(/^(https?:\/\/[^\s]+|\/[^\0\n\r]*)$/, "must be an absolute path, or an http or https URL")
  .refine(
    (location) => !/^https?:\/\/[^/?#]*@/.test(location),
    "must not hold a user or password: hosts are given it as an argument, and plans show it",
  );

/** A file by path or URL. */
function fileFields(what: string) {
  return {
    location: field(locationSchema, {
      doc: `Absolute path on the machine that runs the stack, or http(s) URL, of the ${what}.`,
      change: "replace",
    }),
    checksum: field(checksumSchema.optional(), {
      doc: `Expected checksum, \`sha256:…\` or \`sha512:…\`. Required for a URL.`,
      change: "replace",
    }),
  };
}

const inputs = z.object({
  name: nameField({ doc: "Name, unique among the project's images." }),
  project: projectField(),
  disk: field(
    z
      .strictObject({
        ...fileFields("disk image"),
        format: field(z.enum(["qcow2", "raw"]).optional(), {
          doc: "Format. It is detected in any case; a wrong statement is an error.",
          change: "replace",
        }),
      })
      .optional(),
    {
      doc: "Disk image, qcow2 or raw. Optional when a kernel is given: servers then start with an empty disk.",
      change: "replace",
    },
  ),
  kernel: field(z.strictObject(fileFields("kernel")).optional(), {
    doc: "Kernel for direct boot, without a boot loader.",
    change: "replace",
  }),
  initrd: field(z.strictObject(fileFields("initial RAM disk")).optional(), {
    doc: "Initial RAM disk for direct boot.",
    change: "replace",
  }),
  kernelArguments: field(printableSchema(2048).default("console=ttyS0"), {
    doc: "Kernel command line for direct boot. Default `console=ttyS0`.",
    change: "replace",
  }),
  minDiskGib: field(z.int().min(0).max(65536).default(0), {
    doc: "Smallest root disk in GiB that a flavor must have.",
  }),
  minRamMib: field(z.int().min(0).max(16777216).default(0), {
    doc: "Smallest memory in MiB that a flavor must have.",
  }),
  properties: field(z.record(printableSchema(255), printableSchema(255)).default({}), {
    doc: "Image properties of Nova that filters and the domain read: `hw_machine_type`, `hw_disk_bus`, `hw_vif_model`, `hw_qemu_guest_agent`, `hw_architecture`, …",
  }),
});

const checksumField = () => field(z.string(), { doc: "Checksum of its bytes, `sha256:…`." });
const sizeField = () => field(z.int(), { doc: "Size of the file, bytes." });

const factsSchema = z.object({
  format: field(z.enum(["qcow2", "raw"]), { doc: "Format that its bytes show." }),
  sizeBytes: sizeField(),
  virtualSizeBytes: field(z.int(), { doc: "Size of the disk that a guest sees, bytes." }),
  checksum: checksumField(),
});

const fileFactsSchema = z.object({ checksum: checksumField(), sizeBytes: sizeField() });

const outputs = z.object({
  diskFacts: field(factsSchema.optional(), {
    doc: "Format, sizes in bytes and checksum of the disk image, as found.",
    follows: ["disk"],
  }),
  kernelFacts: field(fileFactsSchema.optional(), {
    doc: "Size in bytes and checksum of the kernel.",
    follows: ["kernel"],
  }),
  initrdFacts: field(fileFactsSchema.optional(), {
    doc: "Size in bytes and checksum of the initial RAM disk.",
    follows: ["initrd"],
  }),
});

export type ImageInputs = z.infer<typeof inputs>;

/** What servers boot. */
export const image = defineResource({
  type: "image",
  plural: "images",
  service: "image",
  summary:
    "What servers boot: a qcow2 or raw disk, or a kernel with initial RAM disk. Hosts fetch it when the first server needs it, and keep it.",
  scope: "project",
  inputs,
  outputs,
  rules: [
    {
      field: "disk",
      says: "There is a disk or a kernel.",
      reads: ["disk", "kernel"],
      violated: ({ disk, kernel }) =>
        disk === undefined && kernel === undefined
          ? "is missing: an image has a disk or a kernel"
          : undefined,
    },
    {
      field: "initrd",
      says: "An initial RAM disk needs a kernel.",
      reads: ["initrd", "kernel"],
      violated: ({ initrd, kernel }) =>
        initrd !== undefined && kernel === undefined ? "needs a kernel" : undefined,
    },
    ...(["disk", "kernel", "initrd"] as const).map((part) => ({
      field: part,
      says: "A URL comes with a checksum.",
      reads: [part],
      remedy: 'Add checksum: "sha256:…" as the publisher states it.',
      violated: (desired: ImageInputs) => {
        const file = desired[part];
        return file !== undefined && file.location.startsWith("http") && file.checksum === undefined
          ? "is a URL without a checksum"
          : undefined;
      },
    })),
  ],
  reservations: (desired) => reserveName("image", desired.project, desired.name),
  raises: [...imageCodes, ...hostCodes, ...cephCodes, "host-disk-full", "in-use"],
  reconcile: [
    {
      name: "inspect",
      run: async ({ inputs: { disk, kernel, initrd }, ports, signal, progress }) => {
        progress("reading the image");
        const [diskFacts, kernelFacts, initrdFacts] = await Promise.all([
          disk === undefined
            ? undefined
            : ports.images.inspectDisk(
                { location: disk.location, checksum: disk.checksum },
                { format: disk.format, field: "disk" },
                signal,
              ),
          kernel === undefined
            ? undefined
            : ports.images.inspectFile(
                { location: kernel.location, checksum: kernel.checksum },
                "kernel",
                signal,
              ),
          initrd === undefined
            ? undefined
            : ports.images.inspectFile(
                { location: initrd.location, checksum: initrd.checksum },
                "initrd",
                signal,
              ),
        ]);
        return {
          ...(diskFacts === undefined ? {} : { diskFacts }),
          ...(kernelFacts === undefined ? {} : { kernelFacts }),
          ...(initrdFacts === undefined ? {} : { initrdFacts }),
        };
      },
    },
    {
      // Only caches that servers use: another host brings the image right when it needs it.
      name: "caches",
      run: async ({ record, outputs: known, world, ports, signal, progress, cloudId }) => {
        const users = listUsers(record.id, world, cloudId);
        if (users.length === 0) return undefined;
        const spec = toImageSpec({ ...record, outputs: known });
        await Promise.all(
          users.map(({ host, takeParts }) =>
            ports.images.ensureCached(host, takeParts(spec), progress, signal),
          ),
        );
        return undefined;
      },
    },
  ],
  observe: async ({ record, world, ports, signal, cloudId }) => {
    const users = listUsers(record.id, world, cloudId);
    if (users.length === 0) return { drift: [] };
    const spec = toImageSpec(record);
    const drift = await Promise.all(
      users.map(async ({ host, takeParts }) =>
        (await ports.images.observeCached(host, takeParts(spec), signal)).map((found) => ({
          ...found,
          host: host.name,
        })),
      ),
    );
    return { drift: drift.flat() };
  },
  remove: [
    {
      name: "pools",
      run: async ({ record, world, ports, signal, cloudId }) => {
        const copy = { id: record.id, name: record.id };
        await Promise.all(
          listImagePlaces(world, cloudId).map(async ({ place, isInWork }) => {
            const via = findVia(place.clusterId, world, cloudId);
            try {
              await ports.volumes.removeImage(via, place, copy, signal);
            } catch (error) {
              // A pool that has gone, or is only being made, has no copy.
              const isWithout = hasCode(error, "not-found") || (isInWork && hasCode(error, "ceph-refused"));
              if (!isWithout) throw error;
            }
          }),
        );
        return undefined;
      },
    },
    {
      name: "caches",
      run: async ({ record, world, ports, signal, cloudId }) => {
        await Promise.all(
          listComputeHosts(world, cloudId).map((host) => ports.images.removeCached(host, record.id, signal)),
        );
        return undefined;
      },
    },
  ],
});

/** A host that has the image in its cache for its servers. */
interface ImageUser {
  readonly host: ComputeHost;
  /** The image without what none of them takes from the cache. */
  readonly takeParts: (spec: ImageSpec) => ImageSpec;
}

const builtServer = z.object({
  hostId: z.string(),
  launchedAt: z.string(),
  cachedImage: z.object({ diskPath: z.string().optional() }),
});

/** Hosts with servers that were built of the image. One whose root disk is in a pool, or a volume, takes no disk from the cache. */
function listUsers(imageId: ResourceId, world: World, cloudId: CloudId): readonly ImageUser[] {
  const built = world
    .all("server")
    .filter(({ inputs: { image: id } }) => id === imageId)
    .flatMap(({ outputs: known }) => builtServer.safeParse(known).data ?? []);
  const byHost = Map.groupBy(built, ({ hostId }) => hostId);
  return listComputeHosts(world, cloudId).flatMap((host) => {
    const servers = byHost.get(host.id);
    if (servers === undefined) return [];
    const needsDisk = servers.some(({ cachedImage: { diskPath } }) => diskPath !== undefined);
    return [{ host, takeParts: (spec) => (needsDisk ? spec : { ...spec, disk: undefined }) }];
  });
}

/** The image as compute hosts fetch it. Raises `wrong-state` while it is not inspected. */
export function toImageSpec(entry: Pick<WorldEntry, "id" | "name" | "inputs" | "outputs">): ImageSpec {
  const desired = inputs.parse(entry.inputs);
  const known = outputs.parse(entry.outputs);
  return {
    id: entry.id,
    name: entry.name,
    disk: withFacts(desired.disk, known.diskFacts, entry.name, (file, facts) => ({
      source: { location: file.location, checksum: file.checksum },
      facts,
    })),
    kernel: withFacts(desired.kernel, known.kernelFacts, entry.name, (file, facts) => ({
      source: { location: file.location, checksum: file.checksum },
      ...facts,
    })),
    initrd: withFacts(desired.initrd, known.initrdFacts, entry.name, (file, facts) => ({
      source: { location: file.location, checksum: file.checksum },
      ...facts,
    })),
  };
}

function withFacts<File, Facts, Spec>(
  file: File | undefined,
  facts: Facts | undefined,
  name: string,
  join: (file: File, facts: Facts) => Spec,
): Spec | undefined {
  if (file === undefined) return undefined;
  if (facts === undefined)
    throw new StackyardError("wrong-state", { message: `image ${JSON.stringify(name)} is not active yet` });
  return join(file, facts);
}

/** What of an image a server must respect; sizes in GiB and MiB. Facts are absent in a preview of a new image. */
export function readImageNeeds(entry: WorldEntry): {
  readonly minDiskGib: number;
  readonly minRamMib: number;
  readonly properties: Readonly<Record<string, string>>;
  readonly diskFormat: "qcow2" | "raw" | undefined;
  /** Size of a disk that is made of it. */
  readonly virtualSizeBytes: number | undefined;
  readonly kernelArguments: string;
} {
  const desired = inputs.parse(entry.inputs);
  const facts = outputs.partial().parse(entry.outputs).diskFacts;
  return {
    minDiskGib: Math.max(
      desired.minDiskGib,
      facts === undefined ? 0 : Math.ceil(facts.virtualSizeBytes / gibibyte),
    ),
    minRamMib: desired.minRamMib,
    properties: desired.properties,
    diskFormat: facts?.format,
    virtualSizeBytes:
      facts === undefined ? undefined : Math.ceil(facts.virtualSizeBytes / sectorBytes) * sectorBytes,
    kernelArguments: desired.kernelArguments,
  };
}
