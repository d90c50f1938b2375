import type { Command } from "commander";
import { z } from "zod";
import { StackyardError } from "../providers/core/errors.ts";
import { escapeLine, formatJson } from "../providers/core/escape.ts";
import { openShell, requireCephHost, runOnHost } from "./lab.ts";

/** Seconds after which a cluster that does not answer is given up. */
const connectSeconds = "5";

/** What `ceph status` answers, as far as it is read here (ceph: `mon/Monitor.cc`, get_cluster_status). */
const statusSchema = z.looseObject({
  fsid: z.string(),
  health: z.looseObject({ status: z.string() }),
  quorum_names: z.array(z.string()),
  osdmap: z.looseObject({ num_osds: z.int(), num_up_osds: z.int() }),
  pgmap: z.looseObject({ num_pools: z.int(), num_objects: z.int() }),
});

/** The lab's Ceph as its monitors know it. */
export interface CephStatus {
  readonly host: string;
  readonly fsid: string;
  readonly health: string;
  /** Monitors in quorum. */
  readonly monitors: readonly string[];
  readonly osds: { readonly up: number; readonly all: number };
  readonly pools: number;
  readonly objects: number;
}

/**
 * Asks the lab's Ceph how it is.
 * @throws StackyardError `not-found` for a lab without Ceph, `ceph-unreachable` when its monitor does not answer.
 */
export async function describeCeph(name: string): Promise<CephStatus> {
  const host = requireCephHost(name);
  const words = ["ceph", "--connect-timeout", connectSeconds, "--format", "json", "status"];
  const { exitCode, stdout, stderr } = await runOnHost(name, host, words);
  if (exitCode !== 0) {
    throw new StackyardError("ceph-unreachable", {
      message: `the Ceph of lab "${name}" does not answer`,
      remedy: `Bring back what is missing of it: stackyard lab up --name ${name}`,
      notes: [stderr.trim().slice(-500)],
    });
  }
  return { host, ...parseStatus(name, stdout) };
}

/** Reads the answer of `ceph status`. Raises `ceph-unreachable` for one that is none: a host may say anything. */
export function parseStatus(name: string, text: string): Omit<CephStatus, "host"> {
  let status: z.infer<typeof statusSchema>;
  try {
    status = statusSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new StackyardError("ceph-unreachable", {
      message: `the Ceph of lab "${name}" answers what is no status`,
      remedy: `See what it says: stackyard lab ceph shell --name ${name}, then ceph status.`,
      notes: [text.trim().slice(0, 500)],
      cause,
    });
  }
  const { fsid, health, quorum_names, osdmap, pgmap } = status;
  return {
    fsid,
    health: health.status,
    monitors: quorum_names,
    osds: { up: osdmap.num_up_osds, all: osdmap.num_osds },
    pools: pgmap.num_pools,
    objects: pgmap.num_objects,
  };
}

/** The status for a person, safe on a terminal. */
export function formatCeph({ host, fsid, health, monitors, osds, pools, objects }: CephStatus): string {
  return [
    `${health} on ${host}`,
    `fsid      ${fsid}`,
    `monitors  ${monitors.join(", ")}`,
    `osds      ${String(osds.up)} of ${String(osds.all)} up`,
    `pools     ${String(pools)} with ${String(objects)} objects`,
    "",
  ]
    .map(escapeLine)
    .join("\n");
}

const examples = `
Examples:
  stackyard lab ceph status           health, monitors and object storage daemons
  stackyard lab ceph shell            a shell where ceph and rbd know the cluster`;

interface CephFlags {
  readonly topology?: string;
  readonly name?: string;
  readonly json?: boolean;
}

/** Adds `lab ceph status` and `lab ceph shell`. `nameOf` tells the lab that the flags name. */
export function registerCephCommands(lab: Command, nameOf: (flags: CephFlags) => string): void {
  const ceph = lab
    .command("ceph")
    .description("Looks at the Ceph of a lab that has a host for it.")
    .addHelpText("after", examples);
  const verb = (usage: string, description: string, example: string): Command =>
    ceph
      .command(usage)
      .description(description)
      .option("--topology <file>", "YAML file that describes the lab")
      .option("--name <name>", 'name of the lab; the file\'s, or "lab"')
      .addHelpText("after", `\nExample:\n  stackyard lab ceph ${example}`);

  verb("status", "Shows health, monitors and object storage daemons.", "status --json")
    .option("--json", "write the result as JSON")
    .action(async (flags: CephFlags) => {
      const status = await describeCeph(nameOf(flags));
      process.stdout.write(flags.json === true ? `${formatJson(status)}\n` : formatCeph(status));
    });

  verb("shell", "Opens a shell where ceph and rbd know the cluster and its admin's key.", "shell").action(
    async (flags: CephFlags) => {
      const name = nameOf(flags);
      process.exitCode = await openShell(name, requireCephHost(name));
    },
  );
}
