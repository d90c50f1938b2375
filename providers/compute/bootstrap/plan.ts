import type {
  BootstrapHost,
  BootstrapPlan,
  BootstrapRemoval,
  BootstrapRequest,
} from "../../core/ceph-bootstrap.ts";
import { StackyardError } from "../../core/errors.ts";
import { countMonitors, daemonsOf, type Deployment } from "./deployment.ts";
import { cephPackages, type CephHostFacts } from "./host-facts.ts";

/** Memory that the daemons of each kind want at rest and under small loads. */
const ramMib = { monitor: 256, manager: 512, osd: 1024 } as const;
/** What a file system keeps free beside the OSD's file: logs and the monitor's store. */
const spareDiskGib = 1;
/** BlueStore takes no less for its own log and database and still holds anything. */
export const leastOsdGib = 2;
/** Room of an OSD's file where nobody says. */
const usualOsdGib = 10;
/** Copies beyond three protect a small cluster from nothing more. */
const usualSize = 3;

const namePattern = /^[a-z][a-z0-9-]{0,31}$/;
const devicePattern = /^\/dev\/[A-Za-z0-9._:+/-]{1,200}$/;

interface Looked {
  readonly wanted: BootstrapHost;
  readonly facts: CephHostFacts;
}

/** Judges what can be judged without a host. Raises `invalid-input`. */
export function checkRequest({ name, hosts, osdSizeGib, size }: BootstrapRequest): void {
  checkHosts({ name, hosts });
  if (osdSizeGib !== undefined && (!Number.isInteger(osdSizeGib) || osdSizeGib < leastOsdGib))
    throw new StackyardError("invalid-input", {
      message: `an OSD needs at least ${String(leastOsdGib)} GiB`,
      field: "--osd-size-gib",
      value: osdSizeGib,
      remedy: `Give a whole number from ${String(leastOsdGib)} on.`,
    });
  if (size !== undefined && (!Number.isInteger(size) || size < 1 || size > hosts.length))
    throw new StackyardError("invalid-input", {
      message: `there cannot be ${String(size)} copies on ${String(hosts.length)} OSDs`,
      field: "--size",
      value: size,
      remedy: `Give a whole number from 1 to ${String(hosts.length)}, or more hosts.`,
    });
  for (const { address, device } of hosts) {
    if (device !== undefined && (!devicePattern.test(device) || device.includes("..")))
      throw new StackyardError("invalid-input", {
        message: `host ${address.name}: this is not the path of a device`,
        field: "--device",
        value: device,
        remedy: "Give a path below /dev, best of all one of /dev/disk/by-id: it stays the same after a boot.",
      });
  }
}

/** The part of {@link checkRequest} that a removal needs too. */
export function checkHosts({ name, hosts }: Pick<BootstrapRequest, "name" | "hosts">): void {
  if (!namePattern.test(name))
    throw new StackyardError("invalid-input", {
      message: "this is not a cluster's name",
      field: "--name",
      value: name,
      remedy: "Use up to 32 of a-z, 0-9 and -, beginning with a letter.",
    });
  const names = hosts.map(({ address }) => address.name);
  const twice = names.find((host, index) => names.indexOf(host) !== index);
  if (twice !== undefined)
    throw new StackyardError("invalid-input", {
      message: "a host is named twice",
      field: "HOST",
      value: twice,
      remedy: "Name each host once.",
    });
}

/**
 * What will be done on hosts that were looked at. `newFsid` is taken where no earlier run has begun. All that is wrong on any host is in one error.
 * Raises `host-unsuitable`, `not-ours`, `in-use`, `conflict`, `invalid-input`.
 */
export function planBootstrap(
  request: BootstrapRequest,
  looked: readonly CephHostFacts[],
  newFsid: string,
): BootstrapPlan {
  checkRequest(request);
  const hosts = request.hosts.map((wanted, index): Looked => {
    const facts = looked[index];
    if (facts === undefined) throw new StackyardError("internal", { message: "a host was not looked at" });
    return { wanted, facts };
  });
  const begun = findBegun(request.name, hosts);
  const osdSizeGib = request.osdSizeGib ?? begun?.osdSizeGib ?? usualOsdGib;
  const { problems, addresses } = judgeHosts(osdSizeGib, hosts);
  const [first, ...others] = problems;
  if (first !== undefined)
    throw others.length === 0
      ? first
      : new StackyardError(first.code, {
          message: first.message,
          remedy: first.remedy,
          notes: others.map(({ message, remedy }) => `${message}. ${remedy}`),
          ...(first.field === undefined ? {} : { field: first.field }),
          value: first.value,
        });
  const deployment: Deployment = {
    name: request.name,
    fsid: begun?.fsid ?? newFsid,
    size: request.size ?? begun?.size ?? Math.min(hosts.length, usualSize),
    osdSizeGib,
    hosts: hosts.map(({ wanted }, index) => ({
      name: wanted.address.name,
      clusterAddress: addresses[index] ?? "",
      device: wanted.device ?? null,
    })),
  };
  if (begun !== undefined) refuseOther(begun, deployment);
  return {
    name: deployment.name,
    fsid: deployment.fsid,
    size: deployment.size,
    osdSizeGib: deployment.osdSizeGib,
    folder: request.folder,
    hosts: hosts.map(({ wanted, facts }, index) => ({
      host: wanted.address,
      clusterAddress: addresses[index] ?? "",
      ...daemonsOf(deployment, index),
      device: wanted.device,
      hasSystemd: facts.hasSystemd,
      isBegun: facts.deployment !== undefined,
    })),
  };
}

/** The deployment that hosts of a plan keep. */
export function toDeployment({ name, fsid, size, osdSizeGib, hosts }: BootstrapPlan): Deployment {
  return {
    name,
    fsid,
    size,
    osdSizeGib,
    hosts: hosts.map(({ host, clusterAddress, device }) => ({
      name: host.name,
      clusterAddress,
      device: device ?? null,
    })),
  };
}

/** What an earlier run has begun on any of the hosts. Raises `not-ours` where it is another cluster. */
function findBegun(name: string, hosts: readonly Looked[]): Deployment | undefined {
  const marked = hosts.flatMap(({ wanted, facts }) =>
    facts.deployment === undefined ? [] : [{ host: wanted.address.name, deployment: facts.deployment }],
  );
  const begun = marked.find(({ deployment }) => deployment.name === name)?.deployment;
  for (const { host, deployment } of marked) {
    if (deployment.name === name && deployment.fsid === begun?.fsid) continue;
    throw new StackyardError("not-ours", {
      message: `host ${host} has the cluster ${deployment.name} with the fsid ${deployment.fsid}, not ${name}${begun === undefined ? "" : ` with ${begun.fsid}`}`,
      field: "--name",
      value: name,
      remedy: `Take that cluster back first: stackyard ceph bootstrap --remove ${host} --name ${deployment.name}`,
    });
  }
  return begun;
}

/** A cluster that was begun is finished as it was begun. Raises `conflict`. */
function refuseOther(begun: Deployment, wanted: Deployment): void {
  if (JSON.stringify(begun) === JSON.stringify(wanted)) return;
  const tell = ({ size, osdSizeGib, hosts }: Deployment): string =>
    [
      ...hosts.map(
        ({ name, clusterAddress, device }) => `${name} at ${clusterAddress}, ${device ?? "a file"}`,
      ),
      `${String(size)} copies`,
      `${String(osdSizeGib)} GiB`,
    ].join("; ");
  throw new StackyardError("conflict", {
    message: `cluster ${begun.name} was begun otherwise`,
    field: "--name",
    value: begun.name,
    notes: [`begun: ${tell(begun)}`, `asked for: ${tell(wanted)}`],
    remedy: "Give the hosts and options that it was begun with, or take it back first by --remove.",
  });
}

interface Judgement {
  readonly problems: readonly StackyardError[];
  readonly addresses: readonly (string | undefined)[];
}

function judgeHosts(osdSizeGib: number, hosts: readonly Looked[]): Judgement {
  const monitors = countMonitors(hosts.length);
  const judged = hosts.map((looked, index) => {
    const { wanted, facts } = looked;
    const address = chooseAddress(looked);
    const roles = { isMonitor: index < monitors, isManager: index === 0 };
    return {
      address,
      problems: [
        ...judgePrograms(looked, roles),
        ...(facts.deployment === undefined ? judgeRoom(osdSizeGib, looked, roles) : []),
        ...judgeDevice(looked),
        ...(address === undefined ? [refuseAddress(wanted, facts)] : []),
      ],
    };
  });
  const addresses = judged.map(({ address }) => address);
  const shared = addresses.find(
    (address, index) => address !== undefined && addresses.indexOf(address) !== index,
  );
  return {
    addresses,
    problems: [
      ...judged.flatMap(({ problems }) => problems),
      ...(shared === undefined
        ? []
        : [
            new StackyardError("invalid-input", {
              message: "two of the hosts have the same address: they are one",
              field: "HOST",
              value: shared,
              remedy: "Name each host once.",
            }),
          ]),
    ],
  };
}

interface Roles {
  readonly isMonitor: boolean;
  readonly isManager: boolean;
}

function judgePrograms({ wanted, facts }: Looked, { isMonitor, isManager }: Roles): StackyardError[] {
  const { name } = wanted.address;
  if (!facts.isRoot)
    return [
      new StackyardError("host-unsuitable", {
        message: `the login to host ${name} is not root's`,
        remedy: `Log in as root: root@${wanted.address.address}`,
      }),
    ];
  const needless = [...(isMonitor ? [] : ["ceph-mon", "monmaptool"]), ...(isManager ? [] : ["ceph-mgr"])];
  const missing = facts.missing.filter((program) => !needless.includes(program));
  if (missing.length === 0) return [];
  const packages = [...new Set(missing.map((program) => cephPackages[program] ?? program))].sort();
  return [
    new StackyardError("host-unsuitable", {
      message: `host ${name} lacks ${packages.join(", ")}`,
      remedy: `On the host: apt-get install -y --no-install-recommends ${packages.join(" ")}`,
    }),
  ];
}

/** What a host that nothing was begun on must have free. */
function judgeRoom(
  osdSizeGib: number,
  { wanted, facts }: Looked,
  { isMonitor, isManager }: Roles,
): StackyardError[] {
  const { device } = wanted;
  const { name } = wanted.address;
  const problems: StackyardError[] = [];
  const refuse = (code: StackyardError["code"], message: string, remedy: string): void => {
    problems.push(new StackyardError(code, { message: `host ${name} ${message}`, remedy }));
  };
  if (facts.cephFiles.length > 0)
    refuse(
      "not-ours",
      `has a Ceph that was not made here${facts.fsid === undefined ? "" : `, with the fsid ${facts.fsid}`}: ${facts.cephFiles.slice(0, 3).join(", ")}`,
      "Choose another host. If nothing of it is needed, move /etc/ceph and /var/lib/ceph away yourself.",
    );
  else if (isMonitor && facts.takenPorts.length > 0)
    refuse(
      "in-use",
      `has something that listens on port ${facts.takenPorts.join(" and ")}, which its monitor needs`,
      "Find it by: ss -ltnp. Stop it, or choose another host.",
    );
  const ram = ramMib.osd + (isMonitor ? ramMib.monitor : 0) + (isManager ? ramMib.manager : 0);
  if (facts.freeRamMib < ram)
    refuse(
      "host-unsuitable",
      `has ${String(facts.freeRamMib)} MiB of memory free; its daemons need ${String(ram)} MiB`,
      "Give it more memory, or choose another host.",
    );
  const disk = (device === undefined ? osdSizeGib : 0) + spareDiskGib;
  if (facts.freeDiskGib < disk)
    refuse(
      "host-unsuitable",
      `has ${String(facts.freeDiskGib)} GiB free for /var/lib/ceph; ${String(disk)} GiB are needed`,
      "Free disk, or ask for less by --osd-size-gib.",
    );
  return problems;
}

/** What is on the device of a host that was begun on is looked at too: somebody may have come between. */
function judgeDevice({ wanted, facts }: Looked): StackyardError[] {
  const { device, address } = wanted;
  if (device === undefined) return [];
  const { isBlock, sizeGib, contents } = facts.device;
  const others = contents.filter(
    (content) => facts.deployment === undefined || !content.includes("ceph_bluestore"),
  );
  const refuse = (code: StackyardError["code"], problem: string, remedy: string): StackyardError[] => [
    new StackyardError(code, {
      message: `host ${address.name} ${problem}`,
      field: "--device",
      value: device,
      remedy,
    }),
  ];
  if (!isBlock) return refuse("invalid-input", `has no block device ${device}`, "See what it has by: lsblk");
  if (others.length > 0)
    return refuse(
      "in-use",
      `has something on ${device}: ${others.join("; ")}`,
      `Name another device. If nothing on it is needed, empty it yourself: wipefs -a ${device}`,
    );
  if (sizeGib >= leastOsdGib) return [];
  return refuse(
    "host-unsuitable",
    `has ${String(sizeGib)} GiB on ${device}; an OSD needs ${String(leastOsdGib)} GiB`,
    "Name a larger device.",
  );
}

/** An address that others may reach: the one given, else the one that SSH came in by. */
function chooseAddress({ wanted, facts }: Looked): string | undefined {
  const address = wanted.clusterAddress ?? facts.reachedBy;
  return address !== undefined && facts.addresses.includes(address) ? address : undefined;
}

function refuseAddress({ address, clusterAddress }: BootstrapHost, facts: CephHostFacts): StackyardError {
  const asked = clusterAddress ?? facts.reachedBy;
  return new StackyardError("invalid-input", {
    message: `host ${address.name}: the address by which the others reach it is not known${asked === undefined ? "" : `; ${asked} is none of its IPv4 addresses for others`}`,
    field: "--cluster-address",
    value: asked,
    remedy: `Give one of its own: --cluster-address ${address.name}=${facts.addresses[0] ?? "ADDRESS"}`,
    notes: [`it has ${facts.addresses.length === 0 ? "none" : facts.addresses.join(", ")}`],
  });
}

/** What is to be taken back. Raises `not-ours` where a host has another cluster of ours. What others made is not looked at. */
export function planBootstrapRemoval(
  { name, hosts, folder }: Pick<BootstrapRequest, "name" | "hosts" | "folder">,
  looked: readonly CephHostFacts[],
): BootstrapRemoval {
  checkHosts({ name, hosts });
  const all = hosts.flatMap((wanted, index): Looked[] => {
    const facts = looked[index];
    return facts === undefined ? [] : [{ wanted, facts }];
  });
  const begun = findBegun(name, all);
  if (begun === undefined) return { name, fsid: undefined, hosts: [], left: [], folder };
  const removed = all.flatMap(({ wanted, facts }) => {
    if (facts.deployment === undefined) return [];
    const address = facts.addresses;
    const index = begun.hosts.findIndex(({ clusterAddress }) => address.includes(clusterAddress));
    const planned = begun.hosts[index];
    if (planned === undefined) throw refuseStranger(wanted.address.name, begun);
    return [
      {
        index,
        entry: {
          host: wanted.address,
          ...daemonsOf(begun, index),
          device: planned.device ?? undefined,
        },
      },
    ];
  });
  const taken = new Set(removed.map(({ index }) => index));
  return {
    name,
    fsid: begun.fsid,
    hosts: removed.map(({ entry }) => entry),
    // A host that was named and has no mark was never begun on, or is done with.
    left: begun.hosts
      .filter(
        ({ clusterAddress }, index) =>
          !taken.has(index) && !all.some(({ facts }) => facts.addresses.includes(clusterAddress)),
      )
      .map((host) => host.name),
    folder,
  };
}

function refuseStranger(host: string, { name, hosts }: Deployment): StackyardError {
  return new StackyardError("wrong-state", {
    message: `host ${host} has a part of cluster ${name}, and none of the addresses of its hosts`,
    remedy: `Give it back its address: ${hosts.map((known) => known.clusterAddress).join(", ")}`,
  });
}
