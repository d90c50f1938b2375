import { Argument, InvalidArgumentError, Option, type Command } from "commander";
import { formatTable } from "../providers/engines/cli/table.ts";
import { StackyardError } from "../providers/core/errors.ts";
import { escapeLines, formatJson } from "../providers/core/escape.ts";
import { checkLab } from "./check.ts";
import { buildGuest } from "./guest/build.ts";
import { registerCephCommands } from "./ceph-commands.ts";
import { labNetworks, powerActions } from "./driver.ts";
import type { LabNetwork, LinkChange, PowerAction } from "./driver.ts";
import {
  bringUp,
  canSnapshot,
  changePower,
  cutLink,
  describeLab,
  explainSshFailure,
  listLabs,
  listLabSnapshots,
  mendLink,
  openConsole,
  openShell,
  readLogs,
  removeLabSnapshot,
  restoreLab,
  runOnHost,
  snapshotLab,
  spoilLink,
  tearDown,
} from "./lab.ts";
import { registerImageCommands } from "./nested/image/commands.ts";
import { registerMatrixCommand } from "./matrix/command.ts";
import { findState } from "./state.ts";
import { describeAbsence, formatCable, formatFindings, formatLab, formatSnapshots } from "./tables.ts";
import { cloneLab, exportLab, importLab } from "./transfer.ts";
import { drivers, parseLabName, parseTopology } from "./topology.ts";
import { loadTopology } from "./topology-file.ts";
import type { Topology } from "./topology.ts";
import { runVerb } from "./verb.ts";

interface LabFlags {
  readonly topology?: string;
  readonly name?: string;
  readonly driver?: string;
  readonly json?: boolean;
}

/** The topology that the flags name, the default lab without any; `--name` and `--driver` win over the file's. */
function topologyOf({ topology: file, name, driver }: LabFlags): Topology {
  const given = {
    ...(name === undefined ? {} : { name: parseLabName(name) }),
    ...(driver === undefined ? {} : { driver }),
  };
  return file === undefined ? parseTopology(given) : loadTopology(file, given);
}

/** What `up` and `check` are for: a lab on record where flags say nothing of how it is made. */
function topologyToBringUp(flags: LabFlags): Topology {
  const given = topologyOf(flags);
  const known =
    flags.topology === undefined && flags.driver === undefined ? findState(given.name) : undefined;
  return known === undefined ? given : parseTopology(known.topology);
}

function write(text: string): void {
  process.stdout.write(text);
}

const driverOption = new Option(
  "--driver <driver>",
  "how hosts are made: of this machine's namespaces, or as virtual machines with KVM inside",
).choices(drivers);

const netActions = ["cut", "mend", "spoil"] as const;

type NetAction = (typeof netActions)[number];

interface NetFlags {
  readonly network: LabNetwork;
  readonly delay?: number;
  readonly loss?: number;
}

/** What is to become of a cable that is spoilt. Raises `invalid-input` where that is nothing, or the cable is not. */
function qualityOf(host: string, action: NetAction, { delay, loss }: NetFlags): Omit<LinkChange, "cut"> {
  const [given] = Object.entries({ delay, loss }).filter(([, value]) => value !== undefined);
  if (action === "spoil" && given === undefined) {
    throw new StackyardError("invalid-input", {
      message: "a cable is spoilt by --delay, --loss or both, and neither is given",
      field: "action",
      value: action,
      remedy: `Say how bad it is to be: stackyard lab net ${host} spoil --delay 50 --loss 1`,
    });
  }
  if (action !== "spoil" && given !== undefined) {
    const [flag, value] = given;
    throw new StackyardError("invalid-input", {
      message: `a cable that is to be ${action === "cut" ? "cut" : "mended"} has no --${flag}`,
      field: `--${flag}`,
      value,
      remedy: `Leave --${flag} out, or make the cable slow or lossy: stackyard lab net ${host} spoil --${flag} ${String(value)}`,
    });
  }
  return {
    ...(delay === undefined ? {} : { delayMs: delay }),
    ...(loss === undefined ? {} : { lossPercent: loss }),
  };
}

/** Reads a flag that is a number from 0 on. */
function parseNumber(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= 0 && value <= most) return value;
    throw new InvalidArgumentError(`Use a number from 0 to ${String(most)}.`);
  };
}

const examples = `
Examples:
  stackyard lab up                                   three hosts h1 to h3, on free address ranges
  stackyard lab up --topology lab.yaml --name ci-1   the lab of a file, under another name
  stackyard lab up --driver nested                   three virtual machines with KVM inside, without root
  stackyard lab status --json
  stackyard lab exec h1 -- virsh list --all
  stackyard lab logs h2
  stackyard lab snapshot ready                       all virtual machines as they are, memory too
  stackyard lab restore ready                        back to that moment
  stackyard lab matrix matrix.yaml                   a command over topologies and versions
  stackyard lab ceph status                          the small Ceph of a lab with a host of the role ceph
  stackyard lab down`;

function formatExamples(lines: readonly string[]): string {
  const title = lines.length === 1 ? "Example" : "Examples";
  return [`\n${title}:`, ...lines.map((line) => `  stackyard lab ${line}`)].join("\n");
}

/** Help that is asked of a command that is none would be that of its group, as if all were well. */
function refuseUnknown(group: Command): void {
  group.addHelpText("beforeAll", ({ command }) => {
    const [word = "-"] = command === group ? group.args : [];
    if (!word.startsWith("-"))
      group.error(`error: unknown command '${word}'`, { code: "commander.unknownCommand" });
    return "";
  });
}

/** Adds `stackyard lab …` to the command line. Errors are left to the program. */
export function registerLabCommands(program: Command): void {
  const lab = program
    .command("lab")
    .summary("hosts for trying and testing")
    .description(
      "Makes KVM hosts on this machine, as sets of namespaces or as virtual machines, each with its own sshd, libvirtd, Open vSwitch and disks.",
    )
    .addHelpText("after", examples);

  const verb = (usage: string, description: string, ...lines: readonly string[]): Command =>
    lab
      .command(usage)
      .description(description)
      .option("--topology <file>", "YAML file that describes the lab")
      .option("--name <name>", 'name of the lab; the file\'s, or "lab"')
      .option("--json", "write the result as JSON")
      .addHelpText("after", formatExamples(lines));

  verb(
    "up",
    "Brings the lab up, or what is missing of it: one that was made of a file is known by its name. Nothing to do when all hosts are up.",
    "up --topology lab.yaml --driver nested",
  )
    .addOption(driverOption)
    .action(async (flags: LabFlags) => {
      const topology = topologyToBringUp(flags);
      const result = await runVerb(`lab ${topology.name} up`, (options) => bringUp(topology, options));
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
  )
    .showHelpAfterError("(options of the command itself come after --: stackyard lab exec h1 -- ls -l)")
    .action(async (host: string, words: string[], flags: LabFlags) => {
      const { name } = topologyOf(flags);
      if (flags.json !== true) {
        process.exitCode = await openShell(name, host, words);
        return;
      }
      const result = await runOnHost(name, host, words);
      await explainSshFailure(name, host, result.exitCode);
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
    "power",
    "Switches a host: on, off by its power button, reset, or cut, which is power loss. Its disks stay.",
    "power h2 cut",
  )
    .argument("<host>")
    .addArgument(new Argument("<action>", "what to do").choices(powerActions))
    .action(async (host: string, action: PowerAction, flags: LabFlags) => {
      const { name } = topologyOf(flags);
      await runVerb(`lab ${name} power ${host} ${action}`, (options) =>
        changePower(name, host, action, options),
      );
      if (flags.json === true) write(`${formatJson(await describeLab(name))}\n`);
    });

  verb(
    "net",
    "Pulls a host's cable out of a network (cut), puts it back (mend), or makes it slow or lossy (spoil); of delay and loss, what is left out stays.",
    "net h2 spoil --delay 50 --loss 1",
  )
    .argument("<host>")
    .addArgument(new Argument("<action>", "what to do").choices(netActions))
    .addOption(new Option("--network <network>", "which cable").choices(labNetworks).default("data"))
    .addOption(new Option("--delay <ms>", "milliseconds more for each frame").argParser(parseNumber(60_000)))
    .addOption(new Option("--loss <percent>", "frames of 100 that are lost").argParser(parseNumber(100)))
    .action(async (host: string, action: NetAction, flags: LabFlags & NetFlags) => {
      const { name } = topologyOf(flags);
      const { network } = flags;
      const quality = qualityOf(host, action, flags);
      const cable =
        action === "spoil"
          ? await spoilLink(name, host, network, quality)
          : await (action === "cut" ? cutLink : mendLink)(name, host, network);
      if (flags.json === true)
        write(`${formatJson({ ...(await describeLab(name)), cable: { host, network, ...cable } })}\n`);
      else write(`${host} ${network}: ${formatCable(cable)}\n`);
    });

  verb("console <host>", "Connects to a host's serial console; Ctrl-] leaves.", "console h1").action(
    async (host: string, flags: LabFlags) => {
      await openConsole(topologyOf(flags).name, host);
    },
  );

  verb(
    "check",
    "Checks what a lab, be it one on record, needs of this machine, with the fix of what is missing; exit code 1 when something is.",
    "check --driver nested",
  )
    .addOption(driverOption)
    .action(async (flags: LabFlags) => {
      const findings = await checkLab(topologyToBringUp(flags));
      write(flags.json === true ? `${formatJson(findings)}\n` : formatFindings(findings));
      if (findings.some(({ state }) => state === "missing")) process.exitCode = 1;
    });

  verb(
    "snapshot <snapshot>",
    "Keeps memory and disks of all hosts as they are at one moment, running servers too.",
    "snapshot ready",
    "snapshot ready --remove",
  )
    .option("--remove", "remove the snapshot of that name")
    .action(async (snapshot: string, flags: LabFlags & { readonly remove?: true }) => {
      const { name } = topologyOf(flags);
      if (flags.remove === true) {
        await removeLabSnapshot(name, snapshot);
        write(flags.json === true ? `${formatJson({ name, removed: snapshot })}\n` : "");
        return;
      }
      const taken = await runVerb(`lab ${name} snapshot ${snapshot}`, (options) =>
        snapshotLab(name, snapshot, options),
      );
      write(flags.json === true ? `${formatJson(taken)}\n` : formatSnapshots([taken]));
    });

  verb("snapshots", "Lists the snapshots of the lab.", "snapshots --json").action((flags: LabFlags) => {
    const snapshots = listLabSnapshots(topologyOf(flags).name);
    write(flags.json === true ? `${formatJson(snapshots)}\n` : formatSnapshots(snapshots));
  });

  verb(
    "restore <snapshot>",
    "Brings the lab back to a snapshot. What its hosts did since is lost.",
    "restore ready",
  ).action(async (snapshot: string, flags: LabFlags) => {
    const { name } = topologyOf(flags);
    const result = await runVerb(`lab ${name} restore ${snapshot}`, (options) =>
      restoreLab(name, snapshot, options),
    );
    write(flags.json === true ? `${formatJson(result)}\n` : formatLab(result));
  });

  verb(
    "clone <new>",
    "Makes a second lab of this one as it is, or as a snapshot has it, servers that run too. Both run side by side.",
    "clone second --snapshot ready",
  )
    .option("--snapshot <snapshot>", "the moment to copy; without it, now")
    .action(async (newName: string, flags: LabFlags & { readonly snapshot?: string }) => {
      const { name } = topologyOf(flags);
      const result = await runVerb(`lab ${name} clone ${newName}`, (options) =>
        cloneLab(name, newName, { ...options, snapshot: flags.snapshot }),
      );
      write(flags.json === true ? `${formatJson(result)}\n` : formatLab(result));
    });

  verb(
    "export <file>",
    "Writes the lab with memory, disks, images and keys into one file, for a colleague or a later day.",
    "export lab.tar.zst",
  )
    .option("--snapshot <snapshot>", "the moment to copy; without it, now")
    .action(async (file: string, flags: LabFlags & { readonly snapshot?: string }) => {
      const { name } = topologyOf(flags);
      await runVerb(`lab ${name} export`, (options) =>
        exportLab(name, file, { ...options, snapshot: flags.snapshot }),
      );
      write(flags.json === true ? `${formatJson({ name, file })}\n` : `${file}\n`);
    });

  lab
    .command("import <file>")
    .description("Makes a lab of a file that export has written: its hosts go on where they were.")
    .option("--name <name>", "name of the lab; without it, the one that it had")
    .option("--json", "write the result as JSON")
    .addHelpText("after", "\nExample:\n  stackyard lab import lab.tar.zst --name theirs")
    .action(async (file: string, flags: LabFlags) => {
      const result = await runVerb("lab import", (options) => importLab(file, flags.name, options));
      write(flags.json === true ? `${formatJson(result)}\n` : formatLab(result));
    });

  verb(
    "down",
    "Takes the lab away: processes, links, mounts and files, disks too.",
    "down --name ci-1",
  ).action(async (flags: LabFlags) => {
    const { name } = topologyOf(flags);
    const removed = await runVerb(`lab ${name} down`, (options) => tearDown(name, options));
    if (flags.json === true) write(`${formatJson({ name, removed })}\n`);
    else write(removed ? `lab ${name} is gone\n` : describeAbsence(name));
  });

  registerCephCommands(lab, (flags: LabFlags) => topologyOf(flags).name);
  registerImageCommands(lab, runVerb);

  registerMatrixCommand(lab, {
    exists: (name) => findState(name) !== undefined,
    check: checkLab,
    bringUp,
    tearDown,
    canSnapshot,
    takeSnapshot: snapshotLab,
    restoreSnapshot: restoreLab,
  });

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
      const files = await runVerb("lab guest", ({ onProgress }) =>
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

  for (const group of [lab, ...lab.commands.filter(({ commands }) => commands.length > 0)])
    refuseUnknown(group);
}
