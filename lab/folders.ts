import { homedir } from "node:os";
import { join } from "node:path";
import { findPackageRoot } from "../providers/core/package-root.ts";
import { parseLabName } from "./topology.ts";
import type { Topology } from "./topology.ts";

/** Reads a folder setting of the XDG base directory specification; a relative value is ignored, as it demands. */
function baseFolder(variable: string, fallback: string): string {
  const value = process.env[variable];
  return value?.startsWith("/") === true ? value : join(homedir(), fallback);
}

/** Where all labs keep their state: `$XDG_STATE_HOME/stackyard/labs`, else below `~/.local/state`. */
export function labsFolder(): string {
  return join(baseFolder("XDG_STATE_HOME", ".local/state"), "stackyard", "labs");
}

/** The folder of one lab. */
export function labFolder(name: string): string {
  return join(labsFolder(), parseLabName(name));
}

/** What can be made again at any time: `$XDG_CACHE_HOME/stackyard`, else below `~/.cache`. */
export function cacheFolder(): string {
  return join(baseFolder("XDG_CACHE_HOME", ".cache"), "stackyard");
}

/** A file of the lab that is no code: a script, an example. */
export function labAsset(...path: readonly string[]): string {
  return join(findPackageRoot(), "lab", ...path);
}

/** The files of one lab's folder. */
export function labFiles(folder: string) {
  return {
    state: join(folder, "lab.json"),
    inventory: join(folder, "inventory.json"),
    identity: join(folder, "id_ed25519"),
    knownHosts: join(folder, "known_hosts"),
    hostsTable: join(folder, "hosts-table"),
    /** A tmpfs: the changed files of every host's root, which outlive a host's processes. */
    roots: join(folder, "roots"),
    /** Settings of the lab's Ceph, and the key of its admin. */
    ceph: {
      conf: join(folder, "ceph", "ceph.conf"),
      keyring: join(folder, "ceph", "ceph.client.admin.keyring"),
    },
    host: (name: string) => ({
      folder: join(folder, "hosts", name),
      hostKey: join(folder, "hosts", name, "ssh_host_ed25519_key"),
      /** Lines the host writes while it starts: its process, each step, `ready`. */
      progress: join(folder, "hosts", name, "progress"),
      log: join(folder, "hosts", name, "console.log"),
    }),
  };
}

/** Where a host's disks are: in the lab's own folder, or below the one that the topology names. */
export function diskFolderOf(topology: Topology, folder: string, host: string): string {
  return topology.diskFolder === undefined
    ? join(folder, "disks", host)
    : join(topology.diskFolder, topology.name, host);
}
