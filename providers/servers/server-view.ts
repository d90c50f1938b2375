import { z } from "zod";
import { bytesPerGib } from "../core/bytes.ts";
import { formatNetmask, parseCidr } from "../core/cidr.ts";
import { StackyardError } from "../core/errors.ts";
import { brandId, deriveId, nameDevice, type CloudId, type ResourceId } from "../core/ids.ts";
import type { JsonObject, JsonValue } from "../core/json.ts";
import type {
  ComputeHost,
  ConfigDrive,
  DomainSpec,
  NetworkSpec,
  PortSpec,
  ReadinessRequest,
} from "../core/ports.ts";
import { requireEntry, type World, type WorldEntry } from "../core/resource.ts";
import type { VolumeRef } from "../core/volume-backend.ts";
import { readImageNeeds } from "../images/image.ts";
import { toNetworkSpec } from "../networks/network-fields.ts";
import { portInputs } from "../networks/port.ts";
import { subnetInputs, type SubnetInputs } from "../networks/subnet-fields.ts";
import { listAttachedVolumes } from "../volumes/attached-volume.ts";
import { placeOfPool } from "../volumes/pool-place.ts";
import { findBootImage, placeBootVolume } from "./boot-source.ts";
import { listComputeHosts, toComputeHost } from "./host.ts";
import { serverInputs, type ServerInputs, type ServerOutputs } from "./server-fields.ts";

/** One interface of a server with everything known. */
export type ServerInterface = ServerOutputs["interfaces"][number];

const flavorAmounts = z.object({
  vcpus: z.int(),
  ramMib: z.int(),
  diskGib: z.int(),
  extraSpecs: z.record(z.string(), z.string()),
  storagePool: z.string().optional(),
});
const keypairOutputs = z.object({ publicKey: z.string() });

/** What the flavor gives: cores, MiB, GiB. Raises `unknown-reference`. */
export function readFlavor(id: string, world: World): z.infer<typeof flavorAmounts> {
  return flavorAmounts.parse(requireEntry("flavor", id, world).inputs);
}

/** The same; `undefined` for a flavor that is not there. */
export function findFlavor(id: string, world: World): z.infer<typeof flavorAmounts> | undefined {
  const entry = world.find("flavor", id);
  return entry === undefined ? undefined : flavorAmounts.parse(entry.inputs);
}

const groupInputs = z.object({ policy: z.string(), maxServersPerHost: z.int().default(1) });

/** How many servers of the group one host may have; `undefined` without a group, or where its policy does not forbid any. */
function readMaxServersPerHost(groupId: string | undefined, world: World): number | undefined {
  if (groupId === undefined) return undefined;
  const { policy, maxServersPerHost } = groupInputs.parse(
    requireEntry("server-group", groupId, world).inputs,
  );
  return policy === "anti-affinity" ? maxServersPerHost : undefined;
}

/** Raises `host-unsuitable` when the server's host has as many servers of its group as one host may have. */
export function refuseGroup(
  id: ResourceId,
  { serverGroup }: Pick<ServerInputs, "serverGroup">,
  { hostId, host }: Pick<Partial<ServerOutputs>, "hostId" | "host">,
  world: World,
): void {
  const allowed = readMaxServersPerHost(serverGroup, world);
  if (allowed === undefined) return;
  const members = world
    .all("server")
    .filter((entry) => entry.id !== id && entry.inputs["serverGroup"] === serverGroup);
  const here = members.filter((entry) => entry.outputs["hostId"] === hostId).length;
  if (here < allowed) return;
  throw new StackyardError("host-unsuitable", {
    message: `host ${host ?? ""} already has ${String(here)} servers of the anti-affinity group`,
    field: "serverGroup",
  });
}

/** The server's interfaces: ports it takes, and ports of its own. */
export function listInterfaces(
  inputs: ServerInputs,
  serverId: ResourceId,
  world: World,
): readonly ServerInterface[] {
  return listPlaces(inputs, world).map(({ port, ...place }) => ({
    port: port ?? ownPortId(serverId, place.mac),
    ...place,
  }));
}

/** An interface's place on its network. Without a port it is one of the server's own. */
interface InterfacePlace extends Omit<ServerInterface, "port"> {
  readonly port: string | undefined;
}

/** The interfaces without the ids of the server's own ports, which take time to derive. */
function listPlaces(inputs: ServerInputs, world: World): readonly InterfacePlace[] {
  return inputs.networks.map((entry, index) => {
    const place =
      entry.port === undefined ? entry : portInputs.parse(requireEntry("port", entry.port, world).inputs);
    const { network, subnet, address, mac } = place;
    if (network === undefined || subnet === undefined || address === undefined || mac === undefined) {
      throw new StackyardError("internal", {
        message: "a server was stored with an incomplete interface",
        field: `networks.${String(index)}`,
      });
    }
    return { port: entry.port, network, subnet, address, mac };
  });
}

/** Interfaces of `known` that are not wanted any more. */
export function listLeaving(
  known: readonly ServerInterface[],
  wanted: readonly ServerInterface[],
): readonly ServerInterface[] {
  return known.filter(
    (nic) => !wanted.some((other) => other.port === nic.port && other.network === nic.network),
  );
}

/** Id of a port that a server has of its own: follows from server and MAC. Hosts name devices by its begin, so that must differ too. */
export function ownPortId(serverId: ResourceId, mac: string): string {
  return deriveId("port", serverId, mac);
}

/** Inputs of stored servers as read: a scan of many servers reads all of them for each. Stored objects do not change. */
const readInputs = new WeakMap<JsonObject, ServerInputs>();

function readServerInputs(stored: JsonObject): ServerInputs {
  const known = readInputs.get(stored);
  if (known !== undefined) return known;
  const inputs = serverInputs.parse(stored);
  readInputs.set(stored, inputs);
  return inputs;
}

/** Servers that are on a host, or have been placed there, and are to stay. */
function listPlacedServers(
  world: World,
): readonly { readonly entry: WorldEntry; readonly inputs: ServerInputs; readonly hostId: string }[] {
  return world
    .all("server")
    .flatMap((entry) =>
      entry.status === "deleting"
        ? []
        : listHostIds(entry).map((hostId) => ({ entry, inputs: readServerInputs(entry.inputs), hostId })),
    );
}

const placeOutputs = z.object({
  hostId: z.string().optional(),
  migration: z
    .object({ kind: z.string(), fromHostId: z.string(), toHostId: z.string() })
    .optional()
    .catch(undefined),
});

/** Ids of the hosts that a server has something on: its own, and while it moves the other, unless that one is lost. */
export function listHostIds({ outputs }: Pick<WorldEntry, "outputs">): readonly string[] {
  const { hostId, migration } = placeOutputs.parse(outputs);
  if (hostId === undefined) return [];
  if (migration?.kind !== "live") return [hostId];
  return [...new Set([hostId, migration.fromHostId, migration.toHostId])];
}

/** A world in which a server is on this host and on no other. */
export function placeServer(world: World, serverId: string, hostId: string): World {
  const place = (entry: WorldEntry): WorldEntry => {
    if (entry.type !== "server" || entry.id !== serverId) return entry;
    const rest = Object.entries(entry.outputs).filter(([key]) => key !== "migration");
    return { ...entry, outputs: { ...Object.fromEntries(rest), hostId } };
  };
  return {
    find: (type, id) => {
      const entry = world.find(type, id);
      return entry === undefined ? undefined : place(entry);
    },
    all: (type) => (type === "server" ? world.all(type).map(place) : world.all(type)),
    holder: (kind, scope, value) => world.holder(kind, scope, value),
  };
}

/** How one network looks from one host: the other hosts that carry it, and the ports here. */
export interface NetworkMembership {
  readonly network: NetworkSpec;
  readonly peers: readonly ComputeHost[];
  readonly ports: readonly PortSpec[];
}

/** Membership of each network that `networkIds` names, seen from `host`, of the servers that count; default: of all. */
export function listMemberships(
  host: ComputeHost,
  networkIds: readonly string[],
  world: World,
  cloudId: CloudId,
  counts: (server: WorldEntry) => boolean = () => true,
): readonly NetworkMembership[] {
  const placed = listPlacedServers(world)
    .filter(({ entry }) => counts(entry))
    .flatMap(({ entry, inputs, hostId }) =>
      listPlaces(inputs, world).map((place) => ({
        place,
        hostId,
        serverId: entry.id,
        hostname: readHostname(entry, inputs),
      })),
    );
  const hosts = listComputeHosts(world, cloudId);
  return [...new Set(networkIds)].map((networkId) => {
    const here = placed.filter(({ place }) => place.network === networkId);
    const carriers = new Set(here.map(({ hostId }) => hostId));
    return {
      network: toNetworkSpec(requireEntry("network", networkId, world), world),
      peers: hosts.filter((candidate) => candidate.id !== host.id && carriers.has(candidate.id)),
      ports: here
        .filter(({ hostId }) => hostId === host.id)
        .map(({ place, serverId, hostname }) => ({
          id: brandId(place.port ?? ownPortId(serverId, place.mac)),
          serverId,
          mac: place.mac,
          networkId: brandId(place.network),
          addresses: [{ subnetId: brandId(place.subnet), address: place.address }],
          hostname,
        })),
    };
  });
}

/** The host that a server is on. Raises `wrong-state` when its record names none. */
export function requireHost(
  outputs: { readonly hostId?: string | undefined },
  world: World,
  cloudId: CloudId,
): ComputeHost {
  const entry = outputs.hostId === undefined ? undefined : world.find("host", outputs.hostId);
  const host = entry === undefined ? undefined : toComputeHost(entry, cloudId);
  if (host === undefined) throw new StackyardError("wrong-state", { message: "the server has no host yet" });
  return host;
}

/** The domain that the server's host is to have. */
export function toDomainSpec(
  server: { readonly id: ResourceId; readonly name: string; readonly projectId: ResourceId | null },
  inputs: ServerInputs,
  outputs: Partial<ServerOutputs>,
  world: World,
  cloudId: CloudId,
): DomainSpec {
  const flavor = readFlavor(inputs.flavor, world);
  const image = readBootNeeds(inputs, world);
  const bootVolume = placeBootVolume(inputs, outputs, world, cloudId);
  const interfaces = listInterfaces(inputs, server.id, world);
  const [root] = outputs.blockDevices ?? [];
  const networks = new Map(
    interfaces.map(
      (nic) => [nic.network, toNetworkSpec(requireEntry("network", nic.network, world), world)] as const,
    ),
  );
  return {
    id: server.id,
    name: server.name,
    cloudId,
    projectId: server.projectId ?? server.id,
    vcpus: flavor.vcpus,
    ramMib: flavor.ramMib,
    diskGib: flavor.diskGib,
    diskBytes: root?.sizeBytes ?? declaredBytes(flavor.diskGib, image.virtualSizeBytes),
    isDiskAdopted: root?.source === "adopted",
    ...(root?.storagePool === undefined
      ? {}
      : { rootVolume: nameRootDisk(server.id, root.storagePool, world, cloudId) }),
    ...(bootVolume === undefined ? {} : { rootVolume: bootVolume.ref, rootQos: bootVolume.qos }),
    volumes: listAttachedVolumes(server.id, world, cloudId),
    autostart: inputs.running,
    image: {
      diskPath: outputs.cachedImage?.diskPath,
      kernelPath: outputs.cachedImage?.kernelPath,
      initrdPath: outputs.cachedImage?.initrdPath,
      diskFormat: image.diskFormat,
      kernelArguments: image.kernelArguments,
    },
    interfaces: interfaces.flatMap((nic) => {
      const network = networks.get(nic.network);
      return network === undefined
        ? []
        : [
            {
              portId: brandId<"resource">(nic.port),
              mac: nic.mac,
              localVlan: network.localVlan,
              mtuBytes: network.mtuBytes,
            },
          ];
    }),
    hostname: readHostname(server, inputs),
    configDrive: toConfigDrive(server, inputs, outputs, interfaces, world, networks),
    hardware: {
      machine: image.properties["hw_machine_type"],
      diskBus: diskBusSchema.parse(image.properties["hw_disk_bus"]),
      nicModel: nicModelSchema.parse(image.properties["hw_vif_model"]),
      guestAgent: readSwitch(image.properties["hw_qemu_guest_agent"], false),
      rng: readSwitch(flavor.extraSpecs["hw_rng:allowed"], true),
    },
  };
}

/** What a server must respect of the image that it boots. Raises `unknown-reference`. */
export function readBootNeeds(inputs: ServerInputs, world: World): ReturnType<typeof readImageNeeds> {
  const entry =
    inputs.image === undefined ? findBootImage(inputs, world) : requireEntry("image", inputs.image, world);
  return entry === undefined ? noNeeds : readImageNeeds(entry);
}

/** Those of a volume that was made of no image. */
const noNeeds: ReturnType<typeof readImageNeeds> = {
  minDiskGib: 0,
  minRamMib: 0,
  properties: {},
  diskFormat: undefined,
  virtualSizeBytes: undefined,
  kernelArguments: "",
};

/** The root disk of a server in a pool (nova: `virt/libvirt/imagebackend.py`, Rbd: `UUID_disk`). Raises `unknown-reference`. */
export function nameRootDisk(id: ResourceId, poolId: string, world: World, cloudId: CloudId): VolumeRef {
  return { place: placeOfPool(poolId, world, cloudId), id, name: `${id}_disk` };
}

/** Size of a new root disk: the flavor's, or with 0 the image's. `undefined` without either. */
export function declaredBytes(diskGib: number, imageBytes: number | undefined): number | undefined {
  return diskGib > 0 ? diskGib * bytesPerGib : imageBytes;
}

const diskBusSchema = z.enum(["virtio", "scsi", "sata", "ide"]).default("virtio");
/** Nova's for QEMU (nova: `virt/libvirt/vif.py`, is_vif_model_valid_for_virt): libvirt would hand any name on as that of a device. */
const nicModelSchema = z
  .enum(["virtio", "e1000", "e1000e", "ne2k_pci", "pcnet", "rtl8139", "vmxnet3"])
  .default("virtio");

/** Properties of images that must be ones of a list. */
const hardwareSchemas = { hw_disk_bus: diskBusSchema, hw_vif_model: nicModelSchema };

/** A switch of an image or a flavor, in any of its spellings (oslo.utils: strutils.bool_from_string). */
function readSwitch(text: string | undefined, preset: boolean): boolean {
  const word = text?.trim().toLowerCase() ?? "";
  if (["1", "t", "true", "on", "y", "yes"].includes(word)) return true;
  return ["0", "f", "false", "off", "n", "no"].includes(word) ? false : preset;
}

/** What is wrong with the properties of an image that shape the domain; `undefined` when nothing is. */
export function rejectHardware(properties: Readonly<Record<string, string>>): string | undefined {
  return Object.entries(hardwareSchemas)
    .filter(([key, schema]) => !schema.safeParse(properties[key]).success)
    .map(
      ([key, schema]) =>
        `has the property ${key} ${String(properties[key])}: not one of ${schema.unwrap().options.join(", ")}`,
    )[0];
}

/** meta_data.json, network_data.json and user_data (nova: api/metadata/base.py, virt/netutils.py). */
function toConfigDrive(
  server: { readonly id: ResourceId; readonly name: string; readonly projectId: ResourceId | null },
  inputs: ServerInputs,
  outputs: Partial<ServerOutputs>,
  interfaces: readonly ServerInterface[],
  world: World,
  networks: ReadonlyMap<string, NetworkSpec>,
): ConfigDrive {
  const keypair = inputs.keypair === undefined ? undefined : requireEntry("keypair", inputs.keypair, world);
  const publicKey = keypair === undefined ? undefined : keypairOutputs.parse(keypair.outputs).publicKey;
  const metaData: JsonObject = {
    uuid: server.id,
    name: server.name,
    hostname: readHostname(server, inputs),
    project_id: server.projectId,
    availability_zone: readZone(outputs.hostId, world),
    launch_index: 0,
    ...(keypair === undefined || publicKey === undefined
      ? {}
      : {
          public_keys: { [keypair.name]: publicKey },
          keys: [{ name: keypair.name, type: "ssh", data: publicKey }],
        }),
  };
  const subnets = interfaces.map((nic) =>
    subnetInputs.parse(requireEntry("subnet", nic.subnet, world).inputs),
  );
  const networkData: JsonObject = {
    links: interfaces.map((nic) => ({
      id: nameDevice(nic.port),
      vif_id: nic.port,
      type: "ovs",
      mtu: networks.get(nic.network)?.mtuBytes ?? null,
      ethernet_mac_address: nic.mac,
    })),
    networks: interfaces.map((nic, index) => ({
      id: `network${String(index)}`,
      network_id: nic.network,
      link: nameDevice(nic.port),
      ...describeAddress(nic.address, subnets[index]),
    })),
    services: [...new Set(subnets.flatMap(({ dnsServers }) => dnsServers))].map((address) => ({
      type: "dns",
      address,
    })),
  };
  return { metaData, networkData, userData: inputs.userData };
}

/** The plan fills it in. */
function readHostname({ name }: { readonly name: string }, { hostname = name }: ServerInputs): string {
  return hostname;
}

/** Where the server is, which is where it may be when it asked for no zone (nova: instance.availability_zone). */
function readZone(hostId: string | undefined, world: World): JsonValue {
  const entry = hostId === undefined ? undefined : world.find("host", hostId);
  return entry?.inputs["availabilityZone"] ?? null;
}

/** How a guest gets its address: what DHCP does not tell it stands here (nova: virt/netutils.py _get_nets). */
function describeAddress(address: string, subnet: SubnetInputs | undefined): JsonObject {
  if (subnet === undefined || subnet.enableDhcp) return { type: "ipv4_dhcp" };
  const routes =
    subnet.gateway === undefined ? [] : [{ network: "0.0.0.0", netmask: "0.0.0.0", gateway: subnet.gateway }];
  return { type: "ipv4", ip_address: address, netmask: formatNetmask(parseCidr(subnet.cidr)), routes };
}

/** The ladder that the server must climb. */
export function toReadinessRequest(
  inputs: ServerInputs,
  interfaces: readonly ServerInterface[],
): ReadinessRequest {
  const [first] = interfaces;
  const { running, address, ssh, cloudInit } = inputs.timeouts;
  return {
    until: inputs.waitFor,
    limitsMs: {
      running: running * 1000,
      address: address * 1000,
      ssh: ssh * 1000,
      "cloud-init": cloudInit * 1000,
    },
    address: first === undefined ? undefined : { networkId: brandId(first.network), address: first.address },
  };
}
