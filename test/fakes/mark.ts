import { StackyardError } from "../../providers/core/errors.ts";
import { brandId } from "../../providers/core/ids.ts";
import type {
  ComputeHost,
  EnrolRequest,
  HostInventory,
  HostObservation,
  MarkedThing,
} from "../../providers/core/ports.ts";
import { removeClient } from "./ceph-client.ts";
import type { PoolReach } from "./rbd.ts";
import { removeDomain } from "./domain.ts";
import type { FakeHost } from "./host.ts";
import { removeImage } from "./image.ts";
import { releasePorts, removeNetwork } from "./network.ts";
import { removeMarkedVolume } from "./volume.ts";

function requireOurs(request: EnrolRequest, { enrolment }: FakeHost): void {
  const { name, address } = request.address;
  if (enrolment !== undefined && enrolment.cloudId !== request.cloudId)
    throw new StackyardError("foreign-cloud", {
      message: `Host ${name} belongs to cloud ${enrolment.cloudId}, not to ${request.cloudId}`,
      field: "address",
      value: address,
    });
  if (enrolment !== undefined && enrolment.hostId !== request.id)
    throw new StackyardError("conflict", {
      message: `Host ${name} is enrolled in this cloud already, as ${enrolment.hostId}`,
      field: "address",
      value: address,
    });
}

/** A userspace datapath takes an interface into a bridge; the kernel's is there or not. */
function requireWirable(request: EnrolRequest, { inventory, interfaces }: FakeHost): void {
  const { name } = request.address;
  const datapath = request.datapath ?? inventory.datapath;
  if (datapath === "system" && inventory.datapath !== "system")
    throw new StackyardError("host-unsuitable", {
      message: `Open vSwitch on host ${name} has no system datapath`,
      field: "datapath",
      value: datapath,
    });
  if (datapath === "system") return;
  if (request.tunnelInterface === undefined)
    throw new StackyardError("invalid-input", {
      message: `Host ${name} needs an interface for tunnels`,
      field: "tunnelInterface",
    });
  if (!interfaces.includes(request.tunnelInterface))
    throw new StackyardError("host-unsuitable", {
      message: `Host ${name} has no interface ${request.tunnelInterface}`,
      field: "tunnelInterface",
      value: request.tunnelInterface,
    });
}

/** Installs what is missing where the request lets it, and wires the host. */
export function enrolHost(
  machine: FakeHost,
  request: EnrolRequest,
  progress: (line: string) => void,
): HostInventory {
  const before = observeHost(machine, request);
  const { cloudId, id: hostId } = request;
  if (before.inventory === undefined) {
    // Marked before anything is installed.
    machine.enrolment = { cloudId, hostId, hasMark: true };
    progress(`host ${request.address.name} installs ${machine.lacks.join(" ")}`);
    machine.installed.push(...machine.lacks.splice(0));
  }
  const { inventory } = observeHost(machine, request);
  if (inventory === undefined) throw new Error("a host that was given packages lacks some");
  machine.enrolment = { cloudId, hostId, hasMark: true };
  return inventory;
}

/** What the host is, and what of its enrolment is not as asked for. */
export function observeHost(machine: FakeHost, request: EnrolRequest): HostObservation {
  requireOurs(request, machine);
  const packages = machine.lacks.join(" ");
  if (packages !== "" && request.packages === undefined)
    throw new StackyardError("host-unsuitable", {
      message: `Host ${request.address.name} cannot run servers: ${packages} missing`,
    });
  if (packages !== "") {
    const repair = `installs ${packages}, then wires the host`;
    const found = `${packages} is missing`;
    return { drift: [{ field: "packages", expected: "installed", found, repair, label: "live" }] };
  }
  requireWirable(request, machine);
  const { datapath = machine.inventory.datapath, virtType = machine.inventory.virtType } = request;
  const mark = { field: "mark", expected: request.cloudId, found: "missing" };
  return {
    inventory: { ...machine.inventory, datapath, virtType },
    drift:
      machine.enrolment?.hasMark === true ? [] : [{ ...mark, repair: "wires the host anew", label: "live" }],
  };
}

export function requireEnrolled(host: ComputeHost, { enrolment }: FakeHost): void {
  if (enrolment?.cloudId !== host.cloudId || enrolment.hostId !== host.id)
    throw new Error(`host ${host.name} is not enrolled as ${host.id} of ${host.cloudId}`);
}

export function listServers(machine: FakeHost, cloudId: string): readonly string[] {
  return Object.keys(machine.domains).filter((id) => machine.domains[id]?.cloudId === cloudId);
}

/** Servers that have files, and no domain any more. */
export function listBareFolders(machine: FakeHost): readonly string[] {
  return Object.keys(machine.folders).filter((id) => machine.domains[id] === undefined);
}

/** Raises `in-use` with what is on a host that is to be given back. */
export function requireUnused(machine: FakeHost, { address, cloudId }: EnrolRequest): void {
  const left = {
    servers: [...listServers(machine, cloudId), ...listBareFolders(machine)],
    volumes: Object.keys(machine.volumes),
  };
  for (const [what, ids] of Object.entries(left))
    if (ids.length > 0)
      throw new StackyardError("in-use", {
        message: `Host ${address.name} still has ${what}: ${ids.join(", ")}`,
      });
}

/** Domains and what is on the switch have marks of their own; files are whose the folder is. */
export function listMarked(machine: FakeHost, cloudId: string): readonly MarkedThing[] {
  const { enrolment } = machine;
  const isOurs = enrolment?.cloudId === cloudId;
  const networks = isOurs ? Object.entries(machine.networks) : [];
  const isFolderOurs = isOurs && enrolment.hasMark;
  return [
    ...listServers(machine, cloudId).map((id) => describeThing("server", id, [id])),
    ...(isFolderOurs ? listBareFolders(machine) : []).map((id) => describeThing("server", id, [id])),
    ...(isFolderOurs ? Object.keys(machine.images) : []).map((id) => describeThing("image", id, [id])),
    ...networks.map(([id]) => describeThing("network", id, [id])),
    ...(isFolderOurs ? networks : []).flatMap(([id, { entries }]) =>
      Object.keys(entries).map((port) => describeThing("port", `${id}/${port}`, [id, port])),
    ),
    ...(isOurs ? Object.keys(machine.tunnels) : []).map((id) => describeThing("tunnel", id, id.split("/"))),
    ...(isFolderOurs ? Object.entries(machine.volumes) : []).map(([id, { disk }]) => ({
      ...describeThing("volume", id, [id]),
      isHalfMade: disk === undefined,
    })),
    ...Object.entries(machine.volumeSecrets).flatMap(([id, secret]) =>
      secret.cloudId === cloudId ? [describeThing("volume-secret", id, [id])] : [],
    ),
    ...Object.entries(machine.cephClients).flatMap(([id, client]) =>
      client.cloudId === cloudId ? [describeThing("ceph-client", id, [id])] : [],
    ),
  ];
}

function describeThing(kind: MarkedThing["kind"], id: string, ownerIds: readonly string[]): MarkedThing {
  return { kind, id, ownerIds, description: `${kind} ${id}` };
}

export function removeMarked(
  machine: FakeHost,
  host: ComputeHost,
  thing: MarkedThing,
  reach: Pick<PoolReach, "cephs" | "hosts">,
): void {
  const { kind, id } = thing;
  const [networkId = "", other = ""] = id.split("/");
  switch (kind) {
    case "server":
      removeDomain(machine, host, id);
      return;
    case "image":
      removeImage(machine, host, id);
      return;
    case "network":
      removeNetwork(machine, id);
      return;
    case "port":
      releasePorts(machine, networkId, [other]);
      return;
    case "tunnel":
      Reflect.deleteProperty(machine.tunnels, id);
      return;
    case "volume":
    case "rbd-image":
      removeMarkedVolume(machine, host, thing, reach);
      return;
    case "volume-secret":
      Reflect.deleteProperty(machine.volumeSecrets, id);
      return;
    case "ceph-client":
      removeClient(machine, host, { id: brandId(id), name: id, cloudId: host.cloudId });
      return;
  }
}
