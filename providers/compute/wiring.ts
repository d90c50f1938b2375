import { z } from "zod";
import { StackyardError } from "../core/errors.ts";
import type { EnrolRequest, HostInventory, HostObservation } from "../core/ports.ts";
import type { Drift } from "../core/resource.ts";
import { sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import { listBridges, parseBridges } from "../hosts/ovs.ts";
import type { OvsBridge } from "../hosts/ovs.ts";
import { canInstall, describeHost, listLacks, parseHostFacts, requireSuitable } from "../hosts/probe.ts";
import type { HostFacts, HostLacks } from "../hosts/probe.ts";
import { digestBoot, lookAtBoot, planBoot } from "./host-boot.ts";
import type { HostBoot } from "./host-boot.ts";
import { cloudFile } from "./layout.ts";
import { integrationBridge, ovsKeys, underlayBridge } from "./marks.ts";

/** A host that has to be given packages or services before it can tell how it is wired. */
export interface BareHost {
  readonly request: EnrolRequest;
  readonly lacks: HostLacks;
  readonly record: EnrolmentRecord;
}

/** What a host is, how it is wired, and how a request wants it. */
export interface WiringScan {
  readonly request: EnrolRequest;
  readonly facts: HostFacts;
  readonly found: Wiring;
  readonly plan: WiringPlan;
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
export type EnrolmentRecord = z.infer<typeof recordSchema>;

/** What the cloud makes in the folder of a host; release takes all of it away. */
export const ownFolders = ["boot", "images", "jobs", "locks", "networks", "packages", "servers", "volumes"];

/** What a host has of what enrolment makes. */
export interface Wiring {
  /** `cloud.json`; absent on a host that belongs to no cloud. */
  readonly record: EnrolmentRecord | undefined;
  readonly hasFolder: boolean;
  /** Of {@link ownFolders} those that are in the folder. */
  readonly occupied: readonly string[];
  /** Of what is kept for the host's boots; absent where nothing is. */
  readonly bootDigest: string | undefined;
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

export interface WiringPlan {
  readonly datapath: "system" | "netdev";
  readonly virtType: "kvm" | "qemu";
  readonly record: EnrolmentRecord;
  /** What is kept on the host for its boots. */
  readonly boot: HostBoot;
  /** Device that must hold the tunnel address. */
  readonly endpoint: string;
  /** Of the underlay bridge; absent on the kernel's datapath. */
  readonly underlay:
    { readonly interface: string; readonly mac: string; readonly mtuBytes: number } | undefined;
}

const separator = "<>";
/** Between what the host is and how it is wired. */
const halves = "<<wiring>>\n";

/** Looks at what a host is and how it is wired. Read by {@link readWiring}. */
export function observeWiring(request: EnrolRequest): Shell {
  return sh`${describeHost(request.folder)}
printf ${halves}
${lookAtFolder(request)}
if ovs-vsctl --timeout=10 get Open_vSwitch . datapath_types > /dev/null 2>&1; then
${lookAtSwitch(request)}
fi`;
}

/**
 * Reads the answer of {@link observeWiring}: a {@link BareHost} where packages are missing and may be installed. Raises what makes a host unfit, and
 * `foreign-cloud`, `conflict`, `not-ours`.
 */
export function readWiring(request: EnrolRequest, output: string): WiringScan | BareHost {
  const [description = "", wiring = ""] = output.split(halves);
  const facts = parseHostFacts(description);
  const lacks = listLacks(facts);
  if (lacks.problems.length > 0 && request.packages !== undefined && canInstall(facts, lacks)) {
    const found = parseWiring(wiring);
    requireOurs(request, found);
    return { request, lacks, record: found.record ?? beginRecord(request, found) };
  }
  requireSuitable(request.address.name, facts);
  const found = parseWiring(wiring);
  requireOurs(request, found);
  return { request, facts, found, plan: planWiring(request, facts, found) };
}

/** Whether packages or services have to come first. */
export function isBare(scan: WiringScan | BareHost): scan is BareHost {
  return "lacks" in scan;
}

/** How a host is wired, whatever it is otherwise; one that was never given Open vSwitch is not. Read by {@link parseWiring}. */
export function lookAtWiring(request: EnrolRequest): Shell {
  return sh`${lookAtFolder(request)}
if command -v ovs-vsctl > /dev/null; then
${lookAtSwitch(request)}
fi`;
}

function lookAtFolder({ folder }: EnrolRequest): Shell {
  const file = cloudFile(folder);
  return sh`SSH_CONNECTION=$(printenv SSH_CONNECTION || echo - - -)
[ ! -e ${file} ] || cat -- ${file}
echo '<>'
[ ! -d ${folder} ] || echo folder
for name in ${ownFolders}; do [ ! -e ${folder}/"$name" ] || echo "$name"; done
${lookAtBoot(folder)}`;
}

function lookAtSwitch({ tunnelInterface }: EnrolRequest): Shell {
  const device = tunnelInterface ?? "";
  return sh`echo '<>'
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
}

const marksSchema = z.object({
  data: z.tuple([z.tuple([z.tuple([z.literal("map"), z.array(z.tuple([z.string(), z.string()]))])])]),
});
const linksSchema = z.tuple([z.looseObject({ address: z.string(), mtu: z.int() })]);
const routesSchema = z.array(z.looseObject({ dst: z.string(), gateway: z.string().optional() }));

/** Reads the answer of {@link lookAtWiring}. */
export function parseWiring(output: string): Wiring {
  const parts = output.split(`${separator}\n`).map((part) => part.trim());
  const [record = "", folder = "", marks = "", bridges = "", flow, link = "", routes = "", management = "-"] =
    parts;
  try {
    const ids = new Map(marks === "" ? [] : marksSchema.parse(JSON.parse(marks)).data[0][0][1]);
    const device = link === "" ? undefined : linksSchema.parse(JSON.parse(link))[0];
    return {
      record: record === "" ? undefined : recordSchema.parse(JSON.parse(record)),
      hasFolder: folder !== "",
      occupied: folder.split("\n").filter((line) => ownFolders.includes(line)),
      bootDigest: /^boot-digest (\w+)$/m.exec(folder)?.[1],
      cloudId: ids.get(ovsKeys.cloud),
      hostId: ids.get(ovsKeys.host),
      bridges: marks === "" ? [] : parseBridges(bridges),
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

/** The record of a host of which nothing has been changed. */
function beginRecord({ cloudId, id }: EnrolRequest, { hasFolder }: Wiring): EnrolmentRecord {
  return { cloudId, hostId: id, madeFolder: !hasFolder, tunnel: null };
}

function planWiring(request: EnrolRequest, facts: HostFacts, found: Wiring): WiringPlan {
  const plan = chooseWiring(request, facts, found);
  return { ...plan, boot: planBoot(request, plan, facts.hasSystemd) };
}

/** What the host is to become. Raises `host-unsuitable` and `invalid-input` where the request cannot be had. */
function chooseWiring(request: EnrolRequest, facts: HostFacts, found: Wiring): Omit<WiringPlan, "boot"> {
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
  const before = found.record ?? beginRecord(request, found);
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
    ["boot", "current", describeBoot(plan.boot, found.bootDigest)],
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
    .filter(([, expected, actual]) => expected !== actual)
    .map(([field, expected, actual]) => ({
      field,
      expected,
      found: actual,
      repair: "wires the host anew",
      label: "live",
    }));
}

function describeBoot(boot: HostBoot, found: string | undefined): string {
  if (found === undefined) return "missing";
  return found === digestBoot(boot) ? "current" : "other";
}

function describeHolder(request: EnrolRequest, facts: HostFacts): string {
  const holder = facts.addresses.find(({ address }) => address === addressOf(request));
  return holder === undefined ? "missing" : `${addressOf(request)} on ${holder.interface}`;
}

/** What the host is, and what of its wiring is not as requested. */
export function describeWiring(scan: WiringScan | BareHost): HostObservation {
  if (isBare(scan)) return { drift: describeLacks(scan) };
  const { request, facts, found, plan } = scan;
  return { inventory: toInventory(facts, plan), drift: compareWiring(request, plan, facts, found) };
}

function describeLacks({ lacks }: BareHost): readonly Drift[] {
  const { packages, services, problems } = lacks;
  const what = packages.length === 0 ? `starts ${services.join(" and ")}` : `installs ${packages.join(" ")}`;
  const repair = `${what}, then wires the host`;
  return [{ field: "packages", expected: "installed", found: problems.join("; "), repair, label: "live" }];
}

/** What the host offers. */
export function toInventory(facts: HostFacts, plan: WiringPlan): HostInventory {
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
