import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readInventory } from "../../lab/inventory.ts";
import { bringUp, runOnHost } from "../../lab/lab.ts";
import { expectProcess } from "../../lab/process.ts";
import { parseTopology } from "../../lab/topology.ts";
import { openCompute, type Compute } from "../../providers/compute/compute.ts";
import type { CephCluster } from "../../providers/core/ceph.ts";
import { deriveId } from "../../providers/core/ids.ts";
import type { ComputeHost } from "../../providers/core/ports.ts";
import { openHostPool } from "../../providers/hosts/pool.ts";
import { cloudId } from "./compute-specimens.ts";
import { openLabFolder } from "./lab-folder.ts";
import { watchCommands } from "./watched-pool.ts";

/** A compute host and a Ceph cluster on another host of a lab of its own. */
export interface CephLab {
  readonly compute: Compute;
  readonly host: ComputeHost;
  readonly cluster: CephCluster;
  /** On this machine, and gone with the lab. */
  readonly folder: string;
  /** Texts of all commands that compute has run. */
  readonly commands: readonly string[];
  /** Runs a command on the compute host and gives its output. Raises when it fails. */
  readonly run: (command: string) => Promise<string>;
  /** Runs `ceph` or `rbd` as the cluster's user, from this machine. Raises when it fails. */
  readonly administer: (tool: "ceph" | "rbd", ...words: readonly string[]) => Promise<string>;
  close(): Promise<void>;
}

/** Brings a lab of this name up in a folder of its own. */
export async function openCephLab(labName: string): Promise<CephLab> {
  const labs = openLabFolder("ceph-test");
  await bringUp(
    parseTopology({
      name: labName,
      hosts: ["h1", { name: "ceph", roles: ["ceph"] }],
      diskFolder: join(labs.path, "disks"),
    }),
  );
  const { hosts, ceph } = readInventory(labName);
  const address = hosts.find(({ name }) => name === "h1");
  if (address === undefined || ceph === undefined) throw new Error("the lab has no h1 and no Ceph cluster");
  const host: ComputeHost = {
    id: deriveId<"host">("h1"),
    name: "h1",
    cloudId,
    address: { transport: "ssh", ...address },
    datapath: "netdev",
    virtType: "qemu",
    tunnelAddress: address.tunnelAddress.replace(/\/.*/, ""),
    folder: "/var/lib/libvirt/images/stackyard",
  };
  const cluster = { id: deriveId<"resource">("cluster"), name: "store", cloudId, ...ceph };
  const commands: string[] = [];
  const pool = openHostPool({ ssh: { environment: { home: labs.path, user: "root" } } });
  return {
    compute: openCompute({ pool: watchCommands(pool, ({ text }) => void commands.push(text)) }),
    host,
    cluster,
    folder: labs.path,
    commands,
    run: async (command) => (await runOnHost(labName, "h1", ["sh", "-c", command])).stdout,
    administer: (tool, ...words) =>
      expectProcess(`${tool} ${words.join(" ")}`, tool, [
        ...["--conf", "/dev/null", "--mon-host", ceph.monitors.join(",")],
        ...["--name", `client.${ceph.user}`, "--keyring", ceph.keyringFile],
        ...words,
      ]),
    async close() {
      await pool.closeAll();
      await labs.close();
    },
  };
}

/** The key in a keyring that has one. */
export function readKey(path: string): string {
  return /key\s*=\s*(\S+)/.exec(readFileSync(path, "utf8"))?.[1] ?? "";
}
