import { z } from "zod";
import { StackyardError } from "../core/errors.ts";
import type { CloudId } from "../core/ids.ts";
import type { ComputeHost } from "../core/ports.ts";
import type { World, WorldEntry } from "../core/resource.ts";
import type { VolumePlace, VolumeQos, VolumeRef } from "../core/volume-backend.ts";
import { toComputeHost } from "../servers/host.ts";
import { findVia } from "./ceph-cluster.ts";
import { listPoolClients, placeOfPool } from "./pool-place.ts";

/** What a volume's record says of where it lies. */
const volumeInputs = z.object({ volumeType: z.string(), host: z.string().optional() });

const limit = z.int().optional();
/** What of a volume type concerns its volumes. */
const typeInputs = z.object({
  storagePool: z.string().optional(),
  multiattach: z.boolean(),
  encryption: z.object({ keyFile: z.string() }).optional(),
  qos: z
    .object({
      totalBytesSec: limit,
      readBytesSec: limit,
      writeBytesSec: limit,
      totalIopsSec: limit,
      readIopsSec: limit,
      writeIopsSec: limit,
    })
    .optional(),
});
type VolumeTypeInputs = z.infer<typeof typeInputs>;

/** Which host works on a volume, and how it names it there. */
export interface PlacedVolume {
  /** The host with the file; of a pool the first client of its cluster. */
  readonly host: ComputeHost;
  readonly ref: VolumeRef;
  readonly qos: VolumeQos;
}

/** Where a volume lies, by its type. Raises `unknown-reference`, and `wrong-state` while its host is not enrolled. */
export function placeVolume(
  entry: Pick<WorldEntry, "id" | "inputs">,
  world: World,
  cloudId: CloudId,
): PlacedVolume {
  const { host: hostId } = volumeInputs.parse(entry.inputs);
  const { storagePool, qos = {}, encryption } = requireType(entry, world);
  const own = { id: entry.id, ...(encryption === undefined ? {} : { encryption }) };
  if (storagePool !== undefined) {
    const place = placeOfPool(storagePool, world, cloudId);
    return { host: findVia(place.clusterId, world, cloudId), ref: { place, ...own }, qos };
  }
  const place: VolumePlace = { backend: "file" };
  const machine = hostId === undefined ? undefined : world.find("host", hostId);
  const host = machine === undefined ? undefined : toComputeHost(machine, cloudId);
  if (host === undefined)
    throw new StackyardError("wrong-state", {
      message: `host ${machine?.name ?? hostId ?? "(none)"} is not enrolled yet`,
      field: "host",
      value: hostId ?? null,
    });
  return { host, ref: { place, ...own }, qos };
}

/** Whether several servers may have the volume at the same time. */
export function isMultiattach(entry: Pick<WorldEntry, "inputs">, world: World): boolean {
  return findType(entry, world)?.multiattach ?? false;
}

/** Whether what lies of the volume is ciphertext. */
export function isEncrypted(entry: Pick<WorldEntry, "inputs">, world: World): boolean {
  return findType(entry, world)?.encryption !== undefined;
}

/** Why a volume of a type cannot be made of another: its ciphertext is opened with one key. `undefined` when it can. */
export function rejectKey(
  entry: Pick<WorldEntry, "inputs">,
  source: WorldEntry,
  world: World,
): string | undefined {
  const [own, other] = [findType(entry, world), findType(source, world)];
  if (own === undefined || other === undefined) return undefined;
  if (own.encryption?.keyFile === other.encryption?.keyFile) return undefined;
  const describe = ({ encryption }: VolumeTypeInputs): string =>
    encryption === undefined ? "not encrypted" : `encrypted with the key in ${encryption.keyFile}`;
  return `is ${describe(other)}, and this one ${describe(own)}: volume ${JSON.stringify(source.name)}`;
}

/** The hosts whose servers can have the volume; none while its type is not there. */
export function listReach(entry: Pick<WorldEntry, "inputs">, world: World): readonly WorldEntry[] {
  const type = findType(entry, world);
  if (type === undefined) return [];
  if (type.storagePool !== undefined) return listPoolClients(type.storagePool, world);
  const { host } = volumeInputs.parse(entry.inputs);
  return host === undefined ? [] : [world.find("host", host) ?? []].flat();
}

/** Why servers of a host cannot have the volume; `undefined` when they can. */
export function rejectReach(
  entry: Pick<WorldEntry, "inputs">,
  hostId: string,
  world: World,
): string | undefined {
  const type = findType(entry, world);
  if (type === undefined || listReach(entry, world).some(({ id }) => id === hostId)) return undefined;
  const name = (id: string): string => world.find("host", id)?.name ?? id;
  if (type.storagePool !== undefined)
    return `lies in a pool, and the server's host ${name(hostId)} is no client of its cluster`;
  const { host } = volumeInputs.parse(entry.inputs);
  return `lies in a file on ${host === undefined ? "no host" : name(host)}, and the server is on ${name(hostId)}`;
}

function findType({ inputs }: Pick<WorldEntry, "inputs">, world: World): VolumeTypeInputs | undefined {
  const { volumeType } = volumeInputs.parse(inputs);
  const entry = world.find("volume-type", volumeType);
  return entry === undefined ? undefined : typeInputs.parse(entry.inputs);
}

function requireType(entry: Pick<WorldEntry, "inputs">, world: World): VolumeTypeInputs {
  const type = findType(entry, world);
  if (type !== undefined) return type;
  throw new StackyardError("unknown-reference", {
    message: "the volume's type does not exist any more",
    field: "volumeType",
  });
}
