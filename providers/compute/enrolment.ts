import { StackyardError } from "../core/errors.ts";
import type { EnrolRequest, HostsPort } from "../core/ports.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import type { HostConnection } from "../hosts/connection.ts";
import type { HostPool } from "../hosts/pool.ts";
import { listDomains, parseDomainList } from "../hosts/virsh.ts";
import { installBoot, removeBoot } from "./host-boot.ts";
import { cloudFile, networksFolder, serversFolder, volumesFolder } from "./layout.ts";
import { domainNamespace, ovsKeys, underlayBridge } from "./marks.ts";
import { scanWiring } from "./scan.ts";
import { installPackages } from "./packages.ts";
import { describeWiring, isBare, lookAtWiring, ownFolders, parseWiring, toInventory } from "./wiring.ts";
import type { BareHost, EnrolmentRecord, Wiring, WiringPlan, WiringScan } from "./wiring.ts";

/** Hosts of the cloud: checked, wired and marked, and given back as they were. */
export function openHosts(pool: HostPool): HostsPort {
  /** A host that lacks packages or services is marked first: whatever happens then, it is known whose it is. */
  async function prepare(
    request: EnrolRequest,
    progress: (line: string) => void,
    signal: AbortSignal,
  ): Promise<WiringScan> {
    const { address, folder, packages } = request;
    const scan = await scanWiring(pool, request, signal);
    if (!isBare(scan) || packages === undefined) return requireWhole(scan);
    const connection = await pool.get(address, signal);
    await connection.run(script(writeRecord(folder, scan.record)), { attempting: "mark the host", signal });
    await installPackages(connection, folder, scan.lacks, packages, progress, signal);
    return requireWhole(await scanWiring(pool, request, signal));
  }

  return {
    async enrol(request, progress, signal) {
      const connection = await pool.get(request.address, signal);
      const { facts, plan } = await prepare(request, progress, signal);
      await connection.run(wireHost(request, plan), { attempting: "wire the host", signal });
      return toInventory(facts, plan);
    },
    async observe(request, signal) {
      return describeWiring(await scanWiring(pool, request, signal));
    },
    async release(request, signal) {
      const connection = await pool.get(request.address, signal);
      const { stdout } = await connection.run(script(lookAtWiring(request)), {
        attempting: "look at how the host is wired",
        signal,
      });
      const found = parseWiring(stdout);
      const record = found.record ?? describeLostRecord(found);
      // An enrolment that was refused made nothing here, and nothing of it is to be taken back.
      if (record?.cloudId !== request.cloudId || record.hostId !== request.id) return;
      await requireUnused(connection, request, signal);
      await connection.run(unwireHost(request, record, found), {
        attempting: "release the host",
        signal,
      });
    },
  };
}

/** What Open vSwitch tells of a host that lost its `cloud.json`: whose it is, and not what was there before. */
function describeLostRecord({ cloudId, hostId }: Wiring): EnrolmentRecord | undefined {
  if (cloudId === undefined || hostId === undefined) return undefined;
  return { cloudId, hostId, madeFolder: false, tunnel: null };
}

/** Raises `host-unsuitable` for a host that still lacks something after all that could be done. */
function requireWhole(scan: WiringScan | BareHost): WiringScan {
  if (!isBare(scan)) return scan;
  throw new StackyardError("host-unsuitable", {
    message: `Host ${scan.request.address.name} cannot run servers: ${scan.lacks.problems.join("; ")}`,
    remedy: "On the host: systemctl status libvirtd openvswitch-switch",
  });
}

/** The mark of the cloud, with what release is to give back. */
function writeRecord(folder: string, record: EnrolmentRecord): Shell {
  const file = cloudFile(folder);
  return sh`umask 022
mkdir -p -- ${folder}
printf '%s\n' ${JSON.stringify(record)} > ${`${file}.part`}
mv -- ${`${file}.part`} ${file}`;
}

/** One script; the record of what was there before comes first, so that a broken attempt can be taken back. */
function wireHost({ folder }: EnrolRequest, { record, boot }: WiringPlan): Shell {
  return script(writeRecord(folder, record), installBoot(folder, boot));
}

/** Raises `in-use` while servers of the cloud are on the host, be it only their disks, or volumes that are files. */
async function requireUnused(
  connection: HostConnection,
  request: EnrolRequest,
  signal: AbortSignal,
): Promise<void> {
  const { stdout } = await connection.run(
    script(sh`if command -v virsh > /dev/null; then
${listDomains()}
fi`),
    { attempting: "list the host's servers", signal },
  );
  const domains = parseDomainList(stdout)
    .map(({ domain }) => domain)
    .filter(({ metadata }) =>
      metadata.some(
        ({ namespace, attributes }) =>
          namespace === domainNamespace && attributes["cloud"] === request.cloudId,
      ),
    )
    .map(({ name, title }) => title ?? name);
  const [servers, volumes] = [serversFolder(request.folder), volumesFolder(request.folder)];
  const { stdout: folders } = await connection.run(
    sh`[ ! -d ${servers} ] || ls -A -- ${servers}
echo '<>'
[ ! -d ${volumes} ] || ls -A -- ${volumes}`,
    { attempting: "list the host's disks", signal },
  );
  const [disks = [], files = []] = folders
    .split("<>\n")
    .map((list) => list.split("\n").filter((line) => line !== ""));
  requireNone(request, "servers", domains.length > 0 ? domains : disks);
  requireNone(request, "volumes", files);
}

function requireNone({ address }: EnrolRequest, what: "servers" | "volumes", left: readonly string[]): void {
  if (left.length === 0) return;
  throw new StackyardError("in-use", {
    message: `Host ${address.name} still has ${what}: ${left.join(", ")}`,
    remedy: `Remove these ${what} first; what no record owns, by stackyard gc.`,
  });
}

/** Takes back what enrolment made, with the networks that no server needs any more. */
function unwireHost(request: EnrolRequest, record: EnrolmentRecord, found: Wiring): Shell {
  const networks = networksFolder(request.folder);
  const ours = found.bridges
    .filter(({ externalIds }) => externalIds[ovsKeys.cloud] === request.cloudId)
    .flatMap(({ name }) => ["--", "--if-exists", "del-br", name]);
  const isMoved = found.bridges.some(({ name }) => name === underlayBridge);
  const { tunnel } = record;
  const hadAddress = tunnel?.addresses.includes(request.tunnelAddress) ?? true;
  return script(
    removeBoot(),
    sh`for network in ${networks}/*/; do
  [ -d "$network" ] || continue
  ns="qdhcp-$(basename "$network")"
  if [ -e "$network/pid" ] && grep -qsF "$network" "/proc/$(cat "$network/pid")/cmdline"; then kill "$(cat "$network/pid")"; fi
  [ ! -e "/run/netns/$ns" ] || ip netns delete "$ns"
done
if command -v ovs-vsctl > /dev/null; then
  ovs-vsctl --timeout=30 ${ours} -- remove Open_vSwitch . external_ids ${ovsKeys.cloud} ${ovsKeys.host}
fi`,
    ...(tunnel === null || isMoved || hadAddress
      ? []
      : [sh`ip address delete ${request.tunnelAddress} dev ${tunnel.interface} 2> /dev/null || true`]),
    ...(tunnel === null || !isMoved
      ? []
      : [
          ...tunnel.addresses.map((address) => sh`ip address replace ${address} dev ${tunnel.interface}`),
          ...tunnel.routes.map(
            ({ to, via }) => sh`ip route replace ${to} via ${via} dev ${tunnel.interface}`,
          ),
        ]),
    sh`rm -rf -- ${[cloudFile(request.folder), ...ownFolders.map((name) => `${request.folder}/${name}`)]}`,
    record.madeFolder ? sh`rmdir --ignore-fail-on-non-empty -- ${request.folder}` : sh`:`,
  );
}
