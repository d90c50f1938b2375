import type { Adoption, ForeignDomain } from "../../providers/core/adoption.ts";
import { StackyardError } from "../../providers/core/errors.ts";
import { brandId } from "../../providers/core/ids.ts";
import type { ComputeHost } from "../../providers/core/ports.ts";
import { removeDomain } from "./domain.ts";
import type { FakeHost } from "./host.ts";

export function lookAtForeign(
  machine: FakeHost,
  host: ComputeHost,
  nameOrId: string,
): ForeignDomain | undefined {
  const found =
    machine.foreign[nameOrId] ?? Object.values(machine.foreign).find(({ name }) => name === nameOrId);
  if (found !== undefined) return { ...found, serverDiskPath: `${host.folder}/servers/${found.id}/disk` };
  const ours = machine.domains[nameOrId];
  if (ours === undefined) return undefined;
  return {
    ...emptyForeign,
    id: brandId(nameOrId),
    name: ours.name,
    state: ours.state,
    owner: { cloudId: ours.cloudId },
    serverDiskPath: `${host.folder}/servers/${nameOrId}/disk`,
  };
}

const emptyForeign: Omit<ForeignDomain, "id" | "name" | "state" | "serverDiskPath"> = {
  vcpus: 1,
  ramMib: 64,
  machine: "pc",
  disks: [],
  interfaces: [],
  devices: [],
  isAutostarted: false,
  isPersistent: true,
  hasSavedMemory: false,
  ties: [],
  fingerprint: "",
  freeBytes: 0,
};

/** The definition is kept before the domain goes, and the disk comes last. */
export function takeOver(machine: FakeHost, host: ComputeHost, id: string, adoption: Adoption): void {
  const foreign = machine.foreign[id];
  const folder = machine.folders[id];
  if (foreign !== undefined) {
    if (folder?.disk !== undefined && folder.adopted === undefined)
      throw new StackyardError("not-ours", { message: `there is a disk in the folder of server ${id}` });
    if (foreign.state !== "shut-off")
      throw new StackyardError("wrong-state", { message: `domain ${foreign.name} is ${foreign.state}` });
    if (foreign.fingerprint !== adoption.fingerprint)
      throw new StackyardError("wrong-state", { message: `domain ${foreign.name} has changed` });
    machine.folders[id] = { console: [], ...folder, adopted: foreign };
    Reflect.deleteProperty(machine.foreign, id);
  }
  const taken = machine.folders[id];
  if (taken?.adopted === undefined)
    throw new StackyardError("not-found", {
      message: `libvirt on host ${host.name} has no domain ${adoption.domain}`,
    });
  if (taken.disk !== undefined) return;
  const file = machine.files[adoption.diskPath];
  if (file === undefined) throw new Error(`there is no file ${adoption.diskPath}`);
  taken.disk = file;
  if (adoption.transfer === "move") Reflect.deleteProperty(machine.files, adoption.diskPath);
}

export function giveBack(machine: FakeHost, host: ComputeHost, id: string, adoption: Adoption): void {
  const folder = machine.folders[id];
  if (folder === undefined) return;
  if (folder.adopted === undefined) {
    if (folder.disk !== undefined)
      throw new StackyardError("wrong-state", { message: `what was kept of ${adoption.domain} is gone` });
    Reflect.deleteProperty(machine.folders, id);
    return;
  }
  const { disk, adopted } = folder;
  if (adoption.transfer === "move" && disk !== undefined) {
    if (machine.files[adoption.diskPath] !== undefined)
      throw new StackyardError("conflict", { message: `there is another file at ${adoption.diskPath}` });
    const sizeBytes = folder.console.length === 0 ? adoption.diskBytes : disk.sizeBytes;
    machine.files[adoption.diskPath] = { ...disk, sizeBytes };
  }
  removeDomain(machine, host, id);
  machine.foreign[id] = adopted;
}
