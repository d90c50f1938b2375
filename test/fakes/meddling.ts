import { stopDomain } from "./domain.ts";
import type { FakeDefinition, FakeDomain, FakeHost } from "./host.ts";

/** What somebody does on a host behind the cloud's back, and to whose id it is done. */
export type Meddling =
  /** To a server. */
  | "stop"
  | "pause"
  | "undefine"
  | "forget its definition"
  | "take a processor"
  | "take memory"
  | "grow the disk"
  | "replace the disk"
  | "remove the disk"
  | "detach an interface"
  | "retag its ports"
  | "remove its ports"
  | "hold its volumes"
  /** To a device of a server that is on, `SERVER/DEVICE`: what is kept of it for its next start stays. */
  | "detach the volume"
  /** To a server that is not there: a domain of somebody else takes its uuid. */
  | "define a foreign domain"
  /** To a domain of somebody else. */
  | "start the foreign domain"
  | "stop the foreign domain"
  | "undefine the foreign domain"
  /** To a network. */
  | "kill its DHCP server"
  /** To the port of a network, `NETWORK/PORT`. */
  | "remove its DHCP entry"
  /** To a network and the host at its other end, `NETWORK/HOST`. */
  | "remove the tunnel"
  /** To an image. */
  | "alter its files"
  /** To a volume that is not there. */
  | "leave it half-made"
  /** To the host: its folder tells no more whose it is. */
  | "remove its mark"
  | "hide a tool"
  | "give the tool back";

const bytesPerGib = 1024 ** 3;

/** Does it. What it is done to must be there. */
export function meddleWith(machine: FakeHost, id: string, how: Meddling): void {
  const [networkId = "", other = ""] = id.split("/");
  switch (how) {
    case "stop":
      stopDomain(machine, id, take(machine.domains, id));
      return;
    case "pause":
      take(machine.domains, id).state = "paused";
      return;
    case "undefine":
      stopDomain(machine, id, take(machine.domains, id));
      Reflect.deleteProperty(machine.domains, id);
      return;
    case "forget its definition":
      take(machine.domains, id).isPersistent = false;
      return;
    case "take a processor":
      change(machine, id, (was) => ({ ...was, vcpus: was.vcpus - 1 }));
      return;
    case "take memory":
      change(machine, id, (was) => ({ ...was, ramMib: was.ramMib - 1 }));
      return;
    case "detach an interface":
      change(machine, id, (was) => ({ ...was, interfaces: was.interfaces.slice(0, -1) }));
      return;
    case "grow the disk":
    case "replace the disk":
    case "remove the disk":
      meddleWithDisk(machine, id, how);
      return;
    case "hold its volumes":
      take(machine.domains, id).holdsVolumes = true;
      return;
    case "detach the volume":
      change(machine, networkId, (was) => ({
        ...was,
        volumes: was.volumes.filter(({ device }) => device !== other),
      }));
      return;
    case "retag its ports":
      for (const port of listPorts(machine, id)) machine.tags[port] = 4000;
      return;
    case "remove its ports":
      for (const port of listPorts(machine, id)) Reflect.deleteProperty(machine.tags, port);
      return;
    case "define a foreign domain":
      machine.domains[id] = makeForeignDomain();
      return;
    case "start the foreign domain":
      machine.foreign[id] = { ...take(machine.foreign, id), state: "running" };
      return;
    case "stop the foreign domain":
      machine.foreign[id] = { ...take(machine.foreign, id), state: "shut-off" };
      return;
    case "undefine the foreign domain":
      for (const { source } of take(machine.foreign, id).disks) Reflect.deleteProperty(machine.files, source);
      Reflect.deleteProperty(machine.foreign, id);
      return;
    case "kill its DHCP server":
      take(machine.networks, id).isServing = false;
      return;
    case "remove its DHCP entry":
      take(take(machine.networks, networkId).entries, other);
      Reflect.deleteProperty(take(machine.networks, networkId).entries, other);
      return;
    case "remove the tunnel":
      take(machine.tunnels, id);
      Reflect.deleteProperty(machine.tunnels, id);
      return;
    case "alter its files":
      for (const file of take(machine.images, id).files) {
        file.isSound = false;
        file.checksum = `sha256:${"f".repeat(64)}`;
      }
      return;
    case "leave it half-made":
      if (machine.volumes[id] !== undefined) throw new Error(`there is a volume ${id}`);
      machine.volumes[id] = {};
      return;
    case "hide a tool":
      machine.lacks.push("genisoimage");
      return;
    case "give the tool back":
      machine.lacks.length = 0;
      return;
    case "remove its mark":
      if (machine.enrolment === undefined) throw new Error(`host ${id} has no mark`);
      machine.enrolment.hasMark = false;
      return;
  }
}

function meddleWithDisk(
  machine: FakeHost,
  id: string,
  how: "grow the disk" | "replace the disk" | "remove the disk",
): void {
  const folder = take(machine.folders, id);
  const { disk } = folder;
  if (disk === undefined) throw new Error(`server ${id} has no disk`);
  switch (how) {
    case "grow the disk":
      disk.sizeBytes += bytesPerGib;
      return;
    case "replace the disk":
      folder.disk = { ...disk, imagePath: "/elsewhere" };
      return;
    case "remove the disk":
      folder.disk = undefined;
      return;
  }
}

/** Changes what the guest has now; its definition stays while it runs. */
function change(machine: FakeHost, id: string, make: (was: FakeDefinition) => FakeDefinition): void {
  const domain = take(machine.domains, id);
  if (domain.live === undefined) domain.defined = make(domain.defined);
  else domain.live = make(domain.live);
}

function listPorts(machine: FakeHost, id: string): readonly string[] {
  return (take(machine.domains, id).live?.interfaces ?? []).map(({ portId }) => portId);
}

function take<T>(held: Readonly<Record<string, T>>, key: string): T {
  const found = held[key];
  if (found === undefined) throw new Error(`there is no ${key}`);
  return found;
}

function makeForeignDomain(): FakeDomain {
  return {
    cloudId: "someone else",
    name: "foreign",
    defined: {
      vcpus: 1,
      ramMib: 64,
      disks: "none",
      volumes: [],
      interfaces: [],
      bootFiles: [],
      hostname: "",
    },
    autostart: false,
    isPersistent: true,
    state: "shut-off",
    boots: 0,
    configDrive: "",
  };
}
