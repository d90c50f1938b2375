import { firstHostOffset, overlaps, parseRange } from "./addresses.ts";
import type { AddressRange } from "./addresses.ts";
import type { Topology } from "./topology.ts";

/** A field of a topology that does not go with the others, and the way out. */
export interface Contradiction {
  readonly path: (string | number)[];
  readonly message: string;
  readonly remedy: string;
}

type Rule = (topology: Topology) => Iterable<Contradiction>;

/** The least memory that the daemons of a Ceph start with. */
const leastCephMib = 2560;

/** What of a topology contradicts itself, though each field is as it may be. */
export function findContradictions(topology: Topology): Contradiction[] {
  return rules.flatMap((rule) => [...rule(topology)]);
}

/** The hosts of a role, each with its place in the list. */
function hostsOf({ hosts }: Topology, role: Topology["hosts"][number]["roles"][number]) {
  return hosts.flatMap((host, index) => (host.roles.includes(role) ? [{ host, index }] : []));
}

function* findEqualHosts({ hosts }: Topology): Iterable<Contradiction> {
  for (const [index, { name, roles }] of hosts.entries()) {
    if (hosts.findIndex((other) => other.name === name) !== index) {
      yield {
        path: ["hosts", index, "name"],
        message: "is the name of two hosts",
        remedy: "Give each host a name of its own.",
      };
    }
    if (new Set(roles).size !== roles.length) {
      yield {
        path: ["hosts", index, "roles"],
        message: "names a role twice",
        remedy: "Name each role once.",
      };
    }
  }
}

/** Ceph of namespaces: one host, which runs nothing else. */
function* checkCephOfNamespaces(topology: Topology): Iterable<Contradiction> {
  if (topology.driver !== "namespace") return;
  const hosts = hostsOf(topology, "ceph");
  const [, second] = hosts;
  if (second !== undefined) {
    yield {
      path: ["hosts", second.index, "roles"],
      message: "is the role ceph of a second host",
      remedy: "Give one host the role ceph: a lab of namespaces has one cluster, of one host.",
    };
  }
  for (const { host, index } of hosts) {
    if (host.roles.length === 1) continue;
    yield {
      path: ["hosts", index, "roles"],
      message: "has another role beside ceph",
      remedy: "Give Ceph a host of its own: one that runs nothing else costs about 60 MiB.",
    };
  }
}

/** Ceph of virtual machines: what `stackyard ceph bootstrap` makes, an OSD of a file a host, whatever `objectStore` says. */
function* checkCephOfMachines(topology: Topology): Iterable<Contradiction> {
  const { driver, ceph } = topology;
  if (driver !== "nested") return;
  const hosts = hostsOf(topology, "ceph");
  for (const { host, index } of hosts) {
    if (host.ramMib >= leastCephMib) continue;
    yield {
      path: ["hosts", index, "ramMib"],
      message: `is less than the ${String(leastCephMib)} MiB that the daemons of Ceph need in a virtual machine`,
      remedy: "Give it more, or leave it out.",
    };
  }
  if (ceph?.osds !== undefined && ceph.osds !== hosts.length) {
    yield {
      path: ["ceph", "osds"],
      message: `is not the number of hosts with the role ceph, ${String(hosts.length)}`,
      remedy: "Leave it out: each virtual machine with the role ceph has one OSD.",
    };
  }
}

function* requireCephHost(topology: Topology): Iterable<Contradiction> {
  if (topology.ceph === undefined || hostsOf(topology, "ceph").length > 0) return;
  yield {
    path: ["ceph"],
    message: "has no host",
    remedy: "Give a host the role ceph, or leave the settings of Ceph out.",
  };
}

function* checkGateways(topology: Topology): Iterable<Contradiction> {
  const [first, ...others] = hostsOf(topology, "gateway");
  if (first !== undefined && topology.driver === "namespace") {
    yield {
      path: ["hosts", first.index, "roles"],
      message: "is the role gateway, which hosts of namespaces have no use for: none of them has a way out",
      remedy: "Make the lab of virtual machines (driver: nested, or --driver nested), or leave the role out.",
    };
  }
  for (const { index } of others) {
    yield {
      path: ["hosts", index, "roles"],
      message: "is the role gateway of a second host",
      remedy: "Give one host the role gateway: the other hosts' way out leads over it.",
    };
  }
}

const networkNames = ["management", "data", "storage"] as const;

function* checkBridges(topology: Topology): Iterable<Contradiction> {
  const { driver, networks } = topology;
  for (const kind of networkNames) {
    if (networks[kind]?.bridge === undefined) continue;
    if (driver === "namespace") {
      yield {
        path: ["networks", kind, "bridge"],
        message: "is a bridge for hosts of namespaces, which come with bridges of their own",
        remedy:
          "Make the lab of virtual machines (driver: nested, or --driver nested), or leave the bridge out.",
      };
    } else if (networks[kind].cidr === undefined) {
      yield {
        path: ["networks", kind, "cidr"],
        message: "is missing beside a bridge",
        remedy: "Give the range of the network behind the bridge: hosts take its addresses from the 11th on.",
      };
    } else if (kind === "management" && hostsOf(topology, "gateway").length > 0) {
      yield {
        path: ["networks", kind, "bridge"],
        message: "leads out of the lab past its gateway",
        remedy: "Leave out the bridge, or the role gateway.",
      };
    }
  }
}

function* checkRanges({ hosts, networks }: Topology): Iterable<Contradiction> {
  const seen: [string, AddressRange][] = [];
  for (const kind of networkNames) {
    const range = parseRange(networks[kind]?.cidr ?? "");
    if (range === undefined) continue;
    const path = ["networks", kind, "cidr"];
    if (addressCapacity(range) < hosts.length) {
      yield {
        path,
        message: `has addresses for ${String(addressCapacity(range))} hosts, not for ${String(hosts.length)}`,
        remedy: "Use a larger range, or fewer hosts.",
      };
    }
    const [other] = seen.find(([, earlier]) => overlaps(earlier, range)) ?? [];
    if (other !== undefined) {
      yield {
        path,
        message: `overlaps the ${other} network`,
        remedy: "Use ranges that do not overlap.",
      };
    }
    seen.push([kind, range]);
  }
}

/** Hosts that fit a range: its addresses from {@link firstHostOffset} on, less the broadcast address. */
function addressCapacity(range: AddressRange): number {
  return range.last - range.first - firstHostOffset;
}

const rules: readonly Rule[] = [
  findEqualHosts,
  checkCephOfNamespaces,
  checkCephOfMachines,
  requireCephHost,
  checkGateways,
  checkBridges,
  checkRanges,
];
