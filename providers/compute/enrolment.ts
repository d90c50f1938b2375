import { z } from "zod";
import { StackyardError } from "../core/errors.ts";
import type { EnrolRequest, HostInventory, HostsPort } from "../core/ports.ts";
import type { Drift } from "../core/resource.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import type { HostConnection } from "../hosts/connection.ts";
import { listBridges, parseBridges } from "../hosts/ovs.ts";
import type { OvsBridge } from "../hosts/ovs.ts";
import type { HostPool } from "../hosts/pool.ts";
import { probeHost, requireSuitable } from "../hosts/probe.ts";
import type { HostFacts } from "../hosts/probe.ts";
import { listDomains, parseDomainList } from "../hosts/virsh.ts";
import { cloudFile, networksFolder } from "./layout.ts";
import { domainNamespace, integrationBridge, ovsKeys, underlayBridge } from "./marks.ts";
import { renderText, renderTransaction } from "./render.ts";

/** Hosts of the cloud: checked, wired and marked, and given back as they were. */
export function openHosts(pool: HostPool): HostsPort {
  return {
    async enrol(request, signal) {
      const connection = await pool.get(request.address, signal);
      const { facts, plan } = await survey(connection, request, signal);
      await connection.run(wireHost(request, plan), { attempting: "wire the host", signal });
      return toInventory(facts, plan);
    },
    async observe(request, signal) {
      const connection = await pool.get(request.address, signal);
      const { facts, found, plan } = await survey(connection, request, signal);
      return { inventory: toInventory(facts, plan), drift: compareWiring(request, plan, facts, found) };
    },
    async release(request, signal) {
      const connection = await pool.get(request.address, signal);
      const found = await observeWiring(connection, request, signal);
      // An enrolment that was refused made nothing here, and nothing of it is to be taken back.
      if (found.record?.cloudId !== request.cloudId || found.record.hostId !== request.id) return;
      await requireUnused(connection, request, signal);
      await connection.run(unwireHost(request, found.record, found), {
        attempting: "release the host",
        signal,
      });
    },
  };
}

/** What a host is, how it is wired, and how it is to be. Writes nothing. Raises what makes a host unfit. */
async function survey(
  connection: HostConnection,
  request: EnrolRequest,
  signal: AbortSignal,
): Promise<{ readonly facts: HostFacts; readonly found: Wiring; readonly plan: WiringPlan }> {
  const facts = await probeHost(connection, request.folder);
  requireSuitable(request.address.name, facts);
  const found = await observeWiring(connection, request, signal);
  requireOurs(request, found);
  return { facts, found, plan: planWiring(request, facts, found) };
}

/** What enrolment leaves in `cloud.json`: whose the host is, and what was there before. */
const recordSchema = z.object({
  cloudId: z.string(),
  hostId: z.string(),
  /** Whether the folder was made by us. */
  madeFolder: z.boolean(),
  /** Interface that tunnels go through, and what it held before it went into a bridge. */
  tunnel: z
    .object({
      interface: z.string(),
      addresses: z.array(z.string()),
      routes: z.array(z.object({ to: z.string(), via: z.string() })),
    })
    .nullable(),
});
type EnrolmentRecord = z.infer<typeof recordSchema>;

/** What the cloud makes in the folder of a host; release takes all of it away. */
const ownFolders = ["images", "jobs", "locks", "networks", "servers"];

/** What a host has of what enrolment makes. */
interface Wiring {
  /** `cloud.json`; absent on a host that belongs to no cloud. */
  readonly record: EnrolmentRecord | undefined;
  readonly hasFolder: boolean;
  /** Of {@link ownFolders} those that are in the folder. */
  readonly occupied: readonly string[];
  /** Cloud and host that Open vSwitch is marked with. */
  readonly cloudId: string | undefined;
  readonly hostId: string | undefined;
  readonly bridges: readonly OvsBridge[];
  readonly hasNormalFlow: boolean;
  /** The tunnel interface; absent where there is none of that name. */
  readonly device: { readonly mac: string; readonly mtuBytes: number } | undefined;
  readonly routes: readonly { readonly to: string; readonly via: string }[];
  /** Address at which we are connected to the host. */
  readonly managementAddress: string | undefined;
}

interface WiringPlan {
  readonly datapath: "system" | "netdev";
  readonly virtType: "kvm" | "qemu";
  readonly record: EnrolmentRecord;
  /** Device that must hold the tunnel address. */
  readonly endpoint: string;
  /** Of the underlay bridge; absent on the kernel's datapath. */
  readonly underlay:
    { readonly interface: string; readonly mac: string; readonly mtuBytes: number } | undefined;
}

const separator = "<>";

async function observeWiring(
  connection: HostConnection,
  { folder, tunnelInterface }: EnrolRequest,
  signal: AbortSignal,
): Promise<Wiring> {
  const file = cloudFile(folder);
  const device = tunnelInterface ?? "";
  const look = sh`[ ! -e ${file} ] || cat -- ${file}
echo '<>'
[ ! -d ${folder} ] || echo folder
for name in ${ownFolders}; do [ ! -e ${folder}/"$name" ] || echo "$name"; done
echo '<>'
ovs-vsctl --timeout=10 --format=json --columns=external_ids list Open_vSwitch
echo '<>'
${listBridges()}
echo '<>'
ovs-ofctl dump-flows --no-stats ${integrationBridge} 2> /dev/null | grep 'priority=0 actions=NORMAL' || true
echo '<>'
[ ! -e ${`/sys/class/net/${device}/address`} ] || ip -json link show dev ${device}
echo '<>'
[ ! -e ${`/sys/class/net/${device}/address`} ] || ip -json route show dev ${device}
echo '<>'
set -- $SSH_CONNECTION
echo "$3"`;
  const { stdout } = await connection.run(
    script(sh`SSH_CONNECTION=$(printenv SSH_CONNECTION || echo - - -)`, look),
    {
      attempting: "look at how the host is wired",
      signal,
    },
  );
  return parseWiring(stdout);
}

const marksSchema = z.object({
  data: z.tuple([z.tuple([z.tuple([z.literal("map"), z.array(z.tuple([z.string(), z.string()]))])])]),
});
const linksSchema = z.tuple([z.looseObject({ address: z.string(), mtu: z.int() })]);
const routesSchema = z.array(z.looseObject({ dst: z.string(), gateway: z.string().optional() }));

function parseWiring(output: string): Wiring {
  const parts = output.split(`${separator}\n`).map((part) => part.trim());
  const [record = "", folder = "", marks = "", bridges = "", flow, link = "", routes = "", management = "-"] =
    parts;
  try {
    const ids = new Map(marksSchema.parse(JSON.parse(marks)).data[0][0][1]);
    const device = link === "" ? undefined : linksSchema.parse(JSON.parse(link))[0];
    return {
      record: record === "" ? undefined : recordSchema.parse(JSON.parse(record)),
      hasFolder: folder !== "",
      occupied: folder.split("\n").filter((line) => ownFolders.includes(line)),
      cloudId: ids.get(ovsKeys.cloud),
      hostId: ids.get(ovsKeys.host),
      bridges: parseBridges(bridges),
      hasNormalFlow: flow !== "",
      device: device === undefined ? undefined : { mac: device.address, mtuBytes: device.mtu },
      routes:
        routes === ""
          ? []
          : routesSchema
              .parse(JSON.parse(routes))
              .flatMap(({ dst, gateway }) => (gateway === undefined ? [] : [{ to: dst, via: gateway }])),
      managementAddress: management === "-" ? undefined : management,
    };
  } catch (cause) {
    if (cause instanceof StackyardError) throw cause;
    throw new StackyardError("command-failed", {
      message: "A host described its wiring in words that cannot be read",
      cause,
    });
  }
}

/** Raises `foreign-cloud`, `conflict` and `not-ours`, before anything is written. */
function requireOurs(request: EnrolRequest, found: Wiring): void {
  const { name } = request.address;
  const cloudId = found.record?.cloudId ?? found.cloudId;
  const hostId = found.record?.hostId ?? found.hostId;
  if (cloudId !== undefined && cloudId !== request.cloudId) {
    throw new StackyardError("foreign-cloud", {
      message: `Host ${name} belongs to cloud ${cloudId}, not to ${request.cloudId}`,
      field: "address",
      value: request.address.address,
    });
  }
  if (hostId !== undefined && hostId !== request.id) {
    throw new StackyardError("conflict", {
      message: `Host ${name} is enrolled in this cloud already, as ${hostId}`,
      field: "address",
      value: request.address.address,
      remedy: "Remove the other host resource first, or keep only one of the two.",
    });
  }
  if (cloudId === undefined && found.occupied.length > 0) {
    throw new StackyardError("not-ours", {
      message: `The folder ${request.folder} of host ${name} holds ${found.occupied.join(", ")} that are not of this cloud, and would go with it`,
      field: "folder",
      value: request.folder,
      remedy: "Name a folder of its own, such as the default: /var/lib/libvirt/images/stackyard.",
    });
  }
  for (const bridge of found.bridges) {
    const isNamedAsOurs = bridge.name === integrationBridge || bridge.name === underlayBridge;
    if (isNamedAsOurs && bridge.externalIds[ovsKeys.cloud] !== request.cloudId) {
      throw new StackyardError("not-ours", {
        message: `Host ${name} has a bridge ${bridge.name} that is not of this cloud`,
        remedy: `If nothing needs it, remove it on the host: ovs-vsctl del-br ${bridge.name}`,
      });
    }
    if (
      bridge.name !== underlayBridge &&
      bridge.ports.some((port) => port.name === request.tunnelInterface)
    ) {
      throw new StackyardError("not-ours", {
        message: `Interface ${String(request.tunnelInterface)} of host ${name} is in bridge ${bridge.name}, which is not of this cloud`,
        field: "tunnelInterface",
        value: request.tunnelInterface,
        remedy: "Name another interface for tunnels.",
      });
    }
  }
}

/** What the host is to become. Raises `host-unsuitable` and `invalid-input` where the request cannot be had. */
function planWiring(request: EnrolRequest, facts: HostFacts, found: Wiring): WiringPlan {
  const { name } = request.address;
  const datapath = request.datapath ?? facts.datapaths[0] ?? "system";
  const tunnelIp = addressOf(request);
  if (!facts.datapaths.includes(datapath)) {
    throw new StackyardError("host-unsuitable", {
      message: `Open vSwitch on host ${name} has no ${datapath} datapath`,
      field: "datapath",
      value: datapath,
      remedy: "Load the kernel module openvswitch, or set datapath to netdev.",
    });
  }
  const base = { datapath, virtType: request.virtType ?? facts.virtType };
  const before = found.record ?? {
    cloudId: request.cloudId,
    hostId: request.id,
    madeFolder: !found.hasFolder,
    tunnel: null,
  };
  const holder = facts.addresses.find(({ address }) => address === tunnelIp)?.interface;
  if (datapath === "system" && holder !== undefined && holder !== request.tunnelInterface) {
    return { ...base, record: before, endpoint: holder, underlay: undefined };
  }
  const device = request.tunnelInterface;
  if (device === undefined) {
    throw new StackyardError("invalid-input", {
      message: `Host ${name} needs an interface for tunnels: ${datapath === "netdev" ? "a userspace datapath takes it into a bridge" : `none has the address ${tunnelIp}`}`,
      field: "tunnelInterface",
      remedy: "Name the interface that leads to the other hosts.",
    });
  }
  if (found.device === undefined) {
    throw new StackyardError("host-unsuitable", {
      message: `Host ${name} has no interface ${device}`,
      field: "tunnelInterface",
      value: device,
      remedy: `Its interfaces with addresses: ${[...new Set(facts.addresses.map((entry) => entry.interface))].join(", ")}`,
    });
  }
  const addresses = facts.addresses
    .filter((entry) => entry.interface === device && !entry.address.includes(":"))
    .map(({ address, prefix }) => `${address}/${String(prefix)}`);
  if (datapath === "system") {
    const tunnel = before.tunnel ?? { interface: device, addresses, routes: [] };
    return {
      ...base,
      record: { ...before, tunnel },
      endpoint: device,
      underlay: undefined,
    };
  }
  if (addresses.some((address) => address.split("/")[0] === found.managementAddress)) {
    throw new StackyardError("host-unsuitable", {
      message: `Interface ${device} of host ${name} is the one that we are connected through; moving it into a bridge would cut the host off`,
      field: "tunnelInterface",
      value: device,
      remedy: "Name an interface of its own for tunnels.",
    });
  }
  // What a boot of the host gave the interface again is moved again; what was there first is what release gives back.
  const tunnel = before.tunnel ?? { interface: device, addresses, routes: [...found.routes] };
  return {
    ...base,
    record: { ...before, tunnel },
    endpoint: underlayBridge,
    underlay: { interface: device, ...found.device },
  };
}

/** Without its prefix length. */
function addressOf(request: EnrolRequest): string {
  return request.tunnelAddress.replace(/\/.*/, "");
}

/** One script; the record of what was there before comes first, so that a broken attempt can be taken back. */
function wireHost(request: EnrolRequest, plan: WiringPlan): Shell {
  const { folder } = request;
  const file = cloudFile(folder);
  const { underlay } = plan;
  const bridges = [
    ...renderTransaction("ovs/integration-bridge", {
      bridge: integrationBridge,
      datapath: plan.datapath,
      cloudId: request.cloudId,
      hostId: request.id,
    }),
    ...(underlay === undefined
      ? []
      : renderTransaction("ovs/underlay-bridge", {
          bridge: underlayBridge,
          cloudId: request.cloudId,
          interface: underlay.interface,
          mac: underlay.mac,
        })),
  ];
  const moved = plan.record.tunnel?.addresses ?? [];
  return script(
    sh`umask 022
mkdir -p -- ${folder}
printf '%s\n' ${JSON.stringify(plan.record)} > ${`${file}.part`}
mv -- ${`${file}.part`} ${file}
ovs-vsctl --timeout=30 ${bridges}
printf '%s' ${renderText("ovs/integration-flows", {})} | ovs-ofctl add-flows ${integrationBridge} -`,
    ...(underlay === undefined
      ? [sh`ip address replace ${request.tunnelAddress} dev ${plan.endpoint}`]
      : [
          ...moved.map(
            (address) => sh`ip address delete ${address} dev ${underlay.interface} 2> /dev/null || true`,
          ),
          sh`ip link set ${underlay.interface} up
ip link set ${underlayBridge} mtu ${underlay.mtuBytes} up`,
          ...[...new Set([...moved, request.tunnelAddress])].map(
            (address) => sh`ip address replace ${address} dev ${underlayBridge}`,
          ),
          ...(plan.record.tunnel?.routes ?? []).map(
            ({ to, via }) => sh`ip route replace ${to} via ${via} dev ${underlayBridge}`,
          ),
        ]),
  );
}

function compareWiring(
  request: EnrolRequest,
  plan: WiringPlan,
  facts: HostFacts,
  found: Wiring,
): readonly Drift[] {
  const bridge = found.bridges.find(({ name }) => name === integrationBridge);
  const underlay = found.bridges.find(({ name }) => name === underlayBridge);
  const has = (isThere: boolean): string => (isThere ? "present" : "missing");
  const expectations: readonly (readonly [string, string, string])[] = [
    ["mark", request.cloudId, found.record?.cloudId ?? "missing"],
    ["openvswitch.mark", request.cloudId, found.cloudId ?? "missing"],
    [integrationBridge, plan.datapath, bridge?.datapathType ?? "missing"],
    [`${integrationBridge}.flows`, "present", has(found.hasNormalFlow)],
    ...(plan.underlay === undefined
      ? []
      : [
          [
            underlayBridge,
            plan.underlay.interface,
            underlay?.ports.find(({ name }) => name === plan.underlay?.interface)?.name ?? "missing",
          ] as const,
        ]),
    [`tunnelAddress`, `${addressOf(request)} on ${plan.endpoint}`, describeHolder(request, facts)],
  ];
  return expectations
    .map(([field, expected, actual]) => ({ field, expected, found: actual }))
    .filter((drift) => drift.expected !== drift.found);
}

function describeHolder(request: EnrolRequest, facts: HostFacts): string {
  const holder = facts.addresses.find(({ address }) => address === addressOf(request));
  return holder === undefined ? "missing" : `${addressOf(request)} on ${holder.interface}`;
}

/** Raises `in-use` while servers of the cloud are on the host, be it only their disks. */
async function requireUnused(
  connection: HostConnection,
  request: EnrolRequest,
  signal: AbortSignal,
): Promise<void> {
  const folder = `${request.folder}/servers`;
  const { stdout } = await connection.run(script(listDomains()), {
    attempting: "list the host's servers",
    signal,
  });
  const domains = parseDomainList(stdout)
    .map(({ domain }) => domain)
    .filter(({ metadata }) =>
      metadata.some(
        ({ namespace, attributes }) =>
          namespace === domainNamespace && attributes["cloud"] === request.cloudId,
      ),
    )
    .map(({ name, title }) => title ?? name);
  const folders = await connection.run(sh`[ ! -d ${folder} ] || ls -A -- ${folder}`, {
    attempting: "list the host's disks",
    signal,
  });
  const left = domains.length > 0 ? domains : folders.stdout.split("\n").filter((line) => line !== "");
  if (left.length === 0) return;
  throw new StackyardError("in-use", {
    message: `Host ${request.address.name} still has servers: ${left.join(", ")}`,
    remedy: "Remove these servers first; what no record owns, by stackyard gc.",
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
    sh`for network in ${networks}/*/; do
  [ -d "$network" ] || continue
  ns="qdhcp-$(basename "$network")"
  if [ -e "$network/pid" ] && grep -qsF "$network" "/proc/$(cat "$network/pid")/cmdline"; then kill "$(cat "$network/pid")"; fi
  [ ! -e "/run/netns/$ns" ] || ip netns delete "$ns"
done
ovs-vsctl --timeout=30 ${ours} -- remove Open_vSwitch . external_ids ${ovsKeys.cloud} ${ovsKeys.host}`,
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
    sh`cd -- ${request.folder}
rm -rf -- ${ownFolders}
rm -f -- cloud.json
cd /`,
    record.madeFolder ? sh`rmdir --ignore-fail-on-non-empty -- ${request.folder}` : sh`:`,
  );
}

function toInventory(facts: HostFacts, plan: WiringPlan): HostInventory {
  const [major = 0, minor = 0, patch = 0] = (facts.qemuVersion ?? "").split(".").map(Number);
  return {
    datapath: plan.datapath,
    virtType: plan.virtType,
    architecture: facts.arch,
    vcpus: facts.cpus,
    ramMib: facts.ramMib,
    diskGib: facts.diskGib,
    hypervisorVersion: major * 1_000_000 + minor * 1_000 + patch,
    libvirtVersion: facts.libvirtVersion ?? "",
    openvswitchVersion: facts.ovsVersion ?? "",
  };
}
