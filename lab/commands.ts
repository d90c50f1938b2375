import type { Command } from "commander";
import { startProgress } from "../providers/engines/cli/progress.ts";
import { formatTable } from "../providers/engines/cli/table.ts";
import { escapeLines, formatJson } from "../providers/core/escape.ts";
import { buildGuest } from "./guest/build.ts";
import { registerCephCommands } from "./ceph-commands.ts";
import { bringUp, describeLab, listLabs, openShell, readLogs, runOnHost, tearDown } from "./lab.ts";
import type { LabDescription } from "./lab.ts";
import { loadTopology, parseTopology } from "./topology.ts";
import type { Topology } from "./topology.ts";

interface LabFlags {
  readonly topology?: string;
  readonly name?: string;
  readonly json?: boolean;
}

/** The topology that the flags name, the default lab without any; `--name` wins over the file's. */
function topologyOf(flags: LabFlags): Topology {
  const topology = flags.topology === undefined ? parseTopology({}) : loadTopology(flags.topology);
  return flags.name === undefined ? topology : parseTopology({ ...topology, name: flags.name });
}

function write(text: string): void {
  process.stdout.write(text);
}

/**
 * Runs a verb with its progress on standard output, or on standard error beside JSON. Ctrl-C ends the waiting, not the
 * process, so that the error can say how to go on.
 */
async function runVerb<Result>(
  title: string,
  flags: LabFlags,
  action: (options: { onProgress: (message: string) => void; signal: AbortSignal }) => Promise<Result>,
): Promise<Result> {
  const progress = startProgress(flags.json === true ? process.stderr : process.stdout, title);
  const abort = new AbortController();
  const onSignal = (): void => abort.abort();
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    return await action({ onProgress: (message) => progress.step(message), signal: abort.signal });
  } finally {
    progress.stop();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}

const hostColumns = ["HOST", "STATE", "ADDRESS", "TUNNEL", "MANAGEMENT LINK", "DATA LINK", "PID"];

function formatLab(lab: LabDescription): string {
  const { management, data } = lab.networks;
  const rows = lab.hosts.map((host) => [
    host.name,
    host.state,
    host.address,
    host.tunnelAddress,
    host.links.management,
    host.links.data,
    host.pid === null ? "-" : String(host.pid),
  ]);
  return [
    `lab ${lab.name} (${lab.driver}): ${lab.state}\n`,
    `management ${management.cidr} on ${management.bridge}, this machine is ${management.gateway}\n`,
    `data ${data.cidr} on ${data.bridge}, MTU ${String(data.mtuBytes)} bytes\n`,
    `inventory ${lab.inventoryFile}\n\n`,
    formatTable(
      hostColumns.map((title) => ({ title })),
      rows,
    ),
  ].join("");
}

const examples = `
Examples:
  stackyard lab up                                   three hosts h1 to h3, on free address ranges
  stackyard lab up --topology lab.yaml --name ci-1   the lab of a file, under another name
  stackyard lab status --json
  stackyard lab exec h1 -- virsh list --all
  stackyard lab logs h2
  stackyard lab ceph status                          the small Ceph of a lab with a host of the role ceph
  stackyard lab down`;

/** Adds `stackyard lab …` to the command line. Errors are left to the program. */
export function registerLabCommands(program: Command): void {
  const lab = program
    .command("lab")
    .summary("hosts for trying and testing")
    .description("Makes KVM hosts on this machine, each with its own sshd, libvirtd, Open vSwitch and disks.")
    .addHelpText("after", examples);

  const verb = (usage: string, description: string, example: string): Command =>
    lab
      .command(usage)
      .description(description)
      .option("--topology <file>", "YAML file that describes the lab")
      .option("--name <name>", 'name of the lab; the file\'s, or "lab"')
      .option("--json", "write the result as JSON")
      .addHelpText("after", `\nExample:\n  stackyard lab ${example}`);

  verb(
    "up",
    "Brings the lab up, or what is missing of it. Nothing to do when all hosts are up.",
    "up --topology lab.yaml",
  ).action(async (flags: LabFlags) => {
    const topology = topologyOf(flags);
    const result = await runVerb(`lab ${topology.name} up`, flags, (options) => bringUp(topology, options));
    write(flags.json === true ? `${formatJson(result)}\n` : formatLab(result));
  });

  verb("status", "Shows the lab's hosts and networks as they are now.", "status --json").action(
    async (flags: LabFlags) => {
      const result = await describeLab(topologyOf(flags).name);
      write(flags.json === true ? `${formatJson(result)}\n` : formatLab(result));
    },
  );

  verb("ssh <host>", "Opens a shell on a host.", "ssh h1").action(async (host: string, flags: LabFlags) => {
    process.exitCode = await openShell(topologyOf(flags).name, host);
  });

  verb(
    "exec <host> <command...>",
    "Runs a command on a host, each word as it is given; ends with its exit code.",
    "exec h1 -- virsh list --all",
  ).action(async (host: string, words: string[], flags: LabFlags) => {
    const { name } = topologyOf(flags);
    if (flags.json !== true) {
      process.exitCode = await openShell(name, host, words);
      return;
    }
    const result = await runOnHost(name, host, words);
    write(`${formatJson(result)}\n`);
    process.exitCode = result.exitCode;
  });

  verb("logs [host]", "Prints what a host, or each host, has logged.", "logs h2").action(
    async (host: string | undefined, flags: LabFlags) => {
      const { name, hosts } = await describeLab(topologyOf(flags).name);
      const names = host === undefined ? hosts.map((each) => each.name) : [host];
      const logs = await Promise.all(names.map(async (each) => [each, await readLogs(name, each)] as const));
      write(
        flags.json === true
          ? `${formatJson(Object.fromEntries(logs))}\n`
          : escapeLines(logs.map(([, text]) => text).join("")),
      );
    },
  );

  verb(
    "down",
    "Takes the lab away: processes, links, mounts and files, disks too.",
    "down --name ci-1",
  ).action(async (flags: LabFlags) => {
    const { name } = topologyOf(flags);
    const removed = await runVerb(`lab ${name} down`, flags, (options) => tearDown(name, options));
    if (flags.json === true) write(`${formatJson({ name, removed })}\n`);
    else write(removed ? `lab ${name} is gone\n` : `there is no lab ${name}: nothing to do\n`);
  });

  registerCephCommands(lab, (flags: LabFlags) => topologyOf(flags).name);

  lab
    .command("list")
    .description("Lists the labs of this user.")
    .option("--json", "write the result as JSON")
    .addHelpText("after", "\nExample:\n  stackyard lab list")
    .action(async (flags: LabFlags) => {
      const labs = await listLabs();
      const rows = labs.map((each) => [
        each.name,
        each.driver,
        each.state,
        String(each.hosts.length),
        each.folder,
      ]);
      const titles = ["NAME", "DRIVER", "STATE", "HOSTS", "FOLDER"].map((title) => ({ title }));
      write(flags.json === true ? `${formatJson(labs)}\n` : formatTable(titles, rows));
    });

  lab
    .command("guest")
    .description("Builds the tiny test guest: kernel, initrd, guest.raw and guest.qcow2.")
    .requiredOption("--out <folder>", "folder to write the four files to")
    .option("--json", "write the result as JSON")
    .addHelpText("after", "\nExample:\n  stackyard lab guest --out ./guest")
    .action(async (flags: LabFlags & { readonly out: string }) => {
      const files = await runVerb("lab guest", flags, ({ onProgress }) =>
        buildGuest({ outDir: flags.out, onProgress }),
      );
      write(
        flags.json === true
          ? `${formatJson(files)}\n`
          : Object.values(files)
              .map((path) => `${path}\n`)
              .join(""),
      );
    });
}
