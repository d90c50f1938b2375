import { StackyardError } from "../core/errors.ts";
import { brandId, isUuid } from "../core/ids.ts";
import type { ComputeHost, LeftoversPort, MarkedThing, Ports } from "../core/ports.ts";
import type { MarkedVolume, RbdPlace, VolumeRef, VolumesPort } from "../core/volume-backend.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import type { HostConnection } from "../hosts/connection.ts";
import { listBridges, parseBridges } from "../hosts/ovs.ts";
import type { OvsPort } from "../hosts/ovs.ts";
import type { HostPool } from "../hosts/pool.ts";
import { listDomains, parseDomainList } from "../hosts/virsh.ts";
import { listClients } from "./ceph-client.ts";
import { cloudFile } from "./layout.ts";
import { domainNamespace, ovsKeys } from "./marks.ts";
import { releasePorts, removeNetwork, removeTunnel } from "./network-scripts.ts";
import { listVolumeSecrets } from "./volumes/volume-secret.ts";

export function openLeftovers(
  pool: HostPool,
  { domains, images, ceph, volumes }: Pick<Ports, "domains" | "images" | "ceph" | "volumes">,
): LeftoversPort {
  return {
    async list(host, signal) {
      const connection = await pool.get(host.address, signal);
      const found = await Promise.all([
        listServers(connection, host, signal),
        listOthers(connection, host, signal),
        listCephClients(connection, host, signal),
        listSecrets(connection, host, signal),
      ]);
      return found.flat().sort((a, b) => (a.description < b.description ? -1 : 1));
    },
    async listPool(host, place, signal) {
      const found = await volumes.listVolumes(host, place, signal);
      return found.map((image) => describeRbdImage(place, image));
    },
    async remove(host, thing, signal) {
      const { kind, id, description } = thing;
      const connection = await pool.get(host.address, signal);
      const options = { attempting: `remove ${description}`, signal };
      const [networkId = "", otherId = ""] = id.split("/");
      switch (kind) {
        case "server":
          return domains.remove(host, brandId(id), signal);
        case "image":
          return images.removeCached(host, brandId(id), signal);
        case "network":
          await connection.run(removeNetwork(host, id), options);
          return;
        case "port":
          await connection.run(releasePorts(host, networkId, [otherId]), options);
          return;
        case "tunnel":
          await connection.run(removeTunnel(networkId, otherId), options);
          return;
        case "volume":
        case "rbd-image":
          return removeVolume(volumes, host, thing, signal);
        case "volume-secret":
          return volumes.detachEncryptor(host, brandId(id), signal);
        case "ceph-client":
          return ceph.removeClient(host, { id: brandId(id), name: id, cloudId: host.cloudId }, signal);
      }
    },
  };
}

/** An RBD image, by what a look into its pool told. What is half-made may be beside a whole one of the same name. */
export function describeRbdImage(place: RbdPlace, { id, name = id, isWhole }: MarkedVolume): MarkedThing {
  const path = `${place.pool}/${name}`;
  return {
    kind: "rbd-image",
    id: `${place.clusterId}/${path}${isWhole ? "" : ".part"}`,
    ownerIds: [id],
    description: `${isWhole ? "" : "half-made "}RBD image ${path} of Ceph cluster ${place.clusterId}`,
    isHalfMade: !isWhole,
    image: { place, id, name },
  };
}

/** Removes a volume in a file, or an RBD image: one that is named as its resource is an image, and volumes were cloned from it. */
async function removeVolume(
  volumes: VolumesPort,
  host: ComputeHost,
  { id, image, isHalfMade = false }: MarkedThing,
  signal: AbortSignal,
): Promise<void> {
  const volume: VolumeRef = image ?? { place: { backend: "file" }, id: brandId(id) };
  const { place, name } = volume;
  if (isHalfMade) await volumes.removeHalfMade(host, volume, signal);
  else if (place.backend === "rbd" && name === volume.id)
    await volumes.removeImage(host, place, { id: volume.id, name }, signal);
  else await volumes.removeVolume(host, volume, signal);
}

/** Files are whose the folder is: without its mark, or with another cloud's, none is ours. */
function isFolderOurs({ folder, cloudId }: ComputeHost): Shell {
  return sh`grep -qsF ${`"cloudId":${JSON.stringify(cloudId)}`} ${cloudFile(folder)}`;
}

/** Domains by their metadata, and folders of servers that have no domain any more. */
async function listServers(
  connection: HostConnection,
  host: ComputeHost,
  signal: AbortSignal,
): Promise<readonly MarkedThing[]> {
  const [domains, folders] = await Promise.all([
    connection.run(script(listDomains()), { attempting: "list domains", signal }),
    connection.run(sh`! ${isFolderOurs(host)} || ls -A -- ${`${host.folder}/servers`} 2> /dev/null || :`, {
      attempting: "list servers' folders",
      signal,
    }),
  ]);
  const withDomain = parseDomainList(domains.stdout).flatMap(({ domain, state }) => {
    const mark = domain.metadata.find(({ namespace }) => namespace === domainNamespace)?.attributes;
    return mark?.["cloud"] === host.cloudId && mark["id"] === domain.uuid
      ? [describe("server", domain.uuid, `server ${domain.title ?? domain.name} (${state})`)]
      : [];
  });
  const known = new Set(withDomain.map(({ id }) => id));
  const without = folders.stdout
    .split("\n")
    .filter((name) => isUuid(name) && !known.has(name))
    .map((id) => describe("server", id, `disks of server ${id}, which has no domain`));
  return [...withDomain, ...without];
}

async function listOthers(
  connection: HostConnection,
  host: ComputeHost,
  signal: AbortSignal,
): Promise<readonly MarkedThing[]> {
  const look = sh`${listBridges()}
echo '<>'
${isFolderOurs(host)} || exit 0
cd -- ${host.folder}
for path in images/* networks/* networks/*/ports/* volumes/* volumes/*/disk; do [ ! -e "$path" ] || echo "$path"; done`;
  const { stdout } = await connection.run(script(look), { attempting: "list what is on the host", signal });
  const [bridges, paths] = stdout.split("<>\n");
  if (bridges === undefined || paths === undefined) {
    throw new StackyardError("command-failed", { message: `Host ${host.name} did not say what is on it` });
  }
  const ports = parseBridges(bridges)
    .flatMap((bridge) => bridge.ports)
    .filter((port) => port.externalIds[ovsKeys.cloud] === host.cloudId);
  const files = paths.split("\n");
  const found = [...ports.flatMap(fromPort), ...files.flatMap(fromPath), ...findVolumes(files)];
  // A network shows in Open vSwitch and in its folder.
  return [...new Map(found.map((thing) => [thing.description, thing])).values()];
}

async function listCephClients(
  connection: HostConnection,
  { cloudId }: ComputeHost,
  signal: AbortSignal,
): Promise<readonly MarkedThing[]> {
  const options = { attempting: "list clients of Ceph", signal };
  const { stdout } = await connection.run(script(listClients(cloudId)), options);
  const ids = new Set(stdout.split("\n").filter((id) => isUuid(id)));
  return [...ids].map((id) => describe("ceph-client", id, `client of Ceph cluster ${id}`));
}

async function listSecrets(
  connection: HostConnection,
  { cloudId }: ComputeHost,
  signal: AbortSignal,
): Promise<readonly MarkedThing[]> {
  const options = { attempting: "list keys of volumes", signal };
  const { stdout } = await connection.run(script(listVolumeSecrets(cloudId)), options);
  const ids = stdout.split("\n").filter((id) => isUuid(id));
  return ids.map((id) => describe("volume-secret", id, `key of volume ${id} in libvirt`));
}

function findVolumes(paths: readonly string[]): readonly MarkedThing[] {
  return paths.flatMap((path) => {
    const [top, id, file] = path.split("/");
    if (top !== "volumes" || id === undefined || !isUuid(id) || file !== undefined) return [];
    const isHalfMade = !paths.includes(`${path}/disk`);
    return [{ ...describe("volume", id, `${isHalfMade ? "half-made " : ""}volume ${id}`), isHalfMade }];
  });
}

function describe(
  kind: "server" | "image" | "network" | "volume" | "ceph-client" | "volume-secret",
  id: string,
  description: string,
): MarkedThing {
  return { kind, id, ownerIds: [id], description };
}

function fromPort(port: OvsPort): readonly MarkedThing[] {
  const networkId = port.externalIds[ovsKeys.network];
  const peerId = port.externalIds[ovsKeys.peer];
  if (networkId === undefined || !isUuid(networkId)) return [];
  if (peerId === undefined) return [describe("network", networkId, `network ${networkId}`)];
  if (!isUuid(peerId)) return [];
  const description = `tunnel of network ${networkId} to host ${peerId}`;
  return [{ kind: "tunnel", id: `${networkId}/${peerId}`, ownerIds: [networkId, peerId], description }];
}

function fromPath(path: string): readonly MarkedThing[] {
  const [top, id, , portId] = path.split("/");
  if (id === undefined || !isUuid(id) || top === "volumes") return [];
  if (top === "images") return [describe("image", id, `image ${id}`)];
  if (portId === undefined) return [describe("network", id, `network ${id}`)];
  if (!isUuid(portId)) return [];
  return [
    {
      kind: "port",
      id: `${id}/${portId}`,
      ownerIds: [id, portId],
      description: `DHCP entry of port ${portId}`,
    },
  ];
}
