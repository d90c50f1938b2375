import { z } from "zod";
import { bytesPerGib } from "../core/bytes.ts";
import { StackyardError } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { World, WorldEntry } from "../core/resource.ts";
import { findBootImage, listStorageHosts, type BootInputs } from "../servers/boot-source.ts";
import { requestSpecFrom, type RequestSpec } from "../scheduler/request.ts";

const flavorInputs = z.object({
  vcpus: z.int(),
  ramMib: z.int(),
  diskGib: z.int(),
  extraSpecs: z.record(z.string(), z.string()),
  storagePool: z.string().optional(),
});
const imageInputs = z.object({ properties: z.record(z.string(), z.string()) });
const imageOutputs = z.object({ diskFacts: z.object({ virtualSizeBytes: z.int() }).optional() });
const groupInputs = z.object({
  policy: z.enum(["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]),
  maxServersPerHost: z.int().optional(),
});

/** The part of a server's inputs that decides where it goes. */
export interface PlacementInputs {
  readonly flavor: string;
  readonly image?: string | undefined;
  readonly bootVolume?: (BootInputs["bootVolume"] & { readonly sizeGib?: number | undefined }) | undefined;
  readonly serverGroup?: string | undefined;
  readonly availabilityZone?: string | undefined;
  readonly schedulerHints?: Readonly<Record<string, string>> | undefined;
}

/** The same of a record's inputs. */
const placementInputs = z.object({
  flavor: z.string(),
  image: z.string().optional(),
  bootVolume: z
    .object({
      volume: z.string().optional(),
      volumeType: z.string().optional(),
      sizeGib: z.int().optional(),
    })
    .optional(),
  serverGroup: z.string().optional(),
  availabilityZone: z.string().optional(),
  schedulerHints: z.record(z.string(), z.string()),
});

/** What is asked of the scheduler for the server of a record, by hosts' names without some of them. Raises `unknown-reference`. */
export function requestOfServer(
  { id, inputs, projectId }: Pick<ResourceRecord, "id" | "inputs" | "projectId">,
  world: World,
  ignoreHosts: readonly string[] = [],
): RequestSpec {
  const servers = { ids: [id], projectId: projectId ?? "" };
  return toRequestSpec(placementInputs.parse(inputs), servers, world, ignoreHosts);
}

/** What is asked of the scheduler for these servers. Raises `unknown-reference`. */
export function toRequestSpec(
  inputs: PlacementInputs,
  servers: { readonly ids: readonly string[]; readonly projectId: string },
  world: World,
  ignoreHosts: readonly string[] = [],
): RequestSpec {
  const image = findBootImage(inputs, world);
  const flavor = inputsOf(world, "flavor", inputs.flavor);
  const amounts = flavorInputs.parse(flavor.inputs);
  const storageHosts = listStorageHosts(inputs, amounts.storagePool, world);
  return requestSpecFrom({
    projectId: servers.projectId,
    instanceIds: servers.ids,
    flavor: {
      id: inputs.flavor,
      name: flavor.name,
      vcpus: amounts.vcpus,
      ramMib: amounts.ramMib,
      // Without a size of its own the disk has the image's, which must count: else whoever brings the image fills a host past its claims.
      rootGib: inputs.bootVolume?.sizeGib ?? (amounts.diskGib === 0 ? readImageGib(image) : amounts.diskGib),
      extraSpecs: amounts.extraSpecs,
    },
    bootFromVolume: storageHosts !== null,
    storageHosts,
    image:
      image === undefined ? null : { id: image.id, properties: imageInputs.parse(image.inputs).properties },
    availabilityZone: inputs.availabilityZone ?? null,
    hints: inputs.schedulerHints ?? {},
    group: inputs.serverGroup === undefined ? null : toGroup(inputs.serverGroup, servers.ids, world),
    ignoreHosts,
  });
}

/** Size of the disk that an image makes, GiB; 0 without a disk, or while it is not inspected. */
function readImageGib(image: WorldEntry | undefined): number {
  const { diskFacts } = imageOutputs.parse(image?.outputs ?? {});
  return diskFacts === undefined ? 0 : Math.ceil(diskFacts.virtualSizeBytes / bytesPerGib);
}

function toGroup(id: string, placing: readonly string[], world: World): RequestSpec["group"] {
  const { policy, maxServersPerHost } = groupInputs.parse(inputsOf(world, "server-group", id).inputs);
  const members = world.all("server").filter((server) => server.inputs["serverGroup"] === id);
  const hosts = members
    .filter((server) => !placing.includes(server.id))
    .map((server) => server.outputs["host"]);
  return {
    id,
    policy,
    maxServerPerHost: maxServersPerHost ?? 1,
    members: [...new Set([...members.map((server) => server.id), ...placing])],
    hosts: [...new Set(hosts.filter((host) => typeof host === "string"))],
  };
}

function inputsOf(
  world: World,
  type: string,
  id: string,
): { readonly name: string; readonly inputs: JsonObject } {
  const entry = world.find(type, id);
  if (entry === undefined)
    throw new StackyardError("unknown-reference", { message: `${type} ${id} does not exist`, value: id });
  return entry;
}
