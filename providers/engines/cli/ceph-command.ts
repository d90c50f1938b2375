import { createInterface } from "node:readline/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import type {
  BootstrapHost,
  BootstrapPlan,
  BootstrapRemoval,
  BootstrappedCeph,
  CephBootstrap,
} from "../../core/ceph-bootstrap.ts";
import { StackyardError } from "../../core/errors.ts";
import { escapeLine } from "../../core/escape.ts";
import type { HostAddress } from "../../core/host.ts";
import { addJsonOption, describeCommand, wantsJson } from "./command-help.ts";
import type { CommandContext } from "./context.ts";
import { countThings } from "./text.ts";

interface BootstrapFlags {
  readonly name: string;
  readonly osdSizeGib?: string;
  readonly size?: string;
  readonly device?: readonly string[];
  readonly clusterAddress?: readonly string[];
  readonly out?: string;
  readonly identity?: string;
  readonly knownHosts?: string;
  readonly proxyJump?: string;
  readonly sshConfig?: string;
  readonly remove?: true;
  readonly yes?: true;
}

const purpose = "This is for labs and evaluation: no upgrades, no repair, keep nothing in it that you need.";

/** Adds `ceph bootstrap`. It needs no cloud: `openBootstrap` reaches the hosts alone. */
export function registerCephCommand(
  program: Command,
  context: CommandContext,
  openBootstrap: () => Promise<CephBootstrap>,
): void {
  const group = program.command("ceph");
  describeCommand(group, "make a small Ceph for labs and evaluation", ["ceph bootstrap h1 --name lab"]);
  const command = group
    .command("bootstrap")
    .argument("<host...>", "[USER@]ADDRESS[:PORT], as ssh takes it; root where ssh_config says no user")
    .requiredOption("--name <name>", "name of the cluster; a second run finds by it what is there")
    .option("--osd-size-gib <n>", "room of each OSD that is a file, in GiB; default: 10")
    .option("--size <n>", "copies of each object; default: one on each host, at most 3")
    .option(
      "--device <host=path>",
      "an empty block device for a host's OSD, repeated; default: a file",
      collect,
    )
    .option(
      "--cluster-address <host=address>",
      "IPv4 address by which the other hosts reach this one, repeated; default: the one that ssh came in by",
      collect,
    )
    .option("--out <folder>", "folder here for the admin's keyring; default: ./ceph-NAME")
    .option("--identity <path>", "private key; default: the agent, then ssh_config's")
    .option("--known-hosts <path>", "file of trusted host keys; default: ~/.ssh/known_hosts")
    .option("--proxy-jump <hosts>", "jump hosts, as ssh's ProxyJump")
    .option("--ssh-config <path>", "file to read instead of ~/.ssh/config")
    .option("--remove", "take the cluster back from the hosts, with all that is in it")
    .option("--yes", "do it without asking; with --json nothing is done without it")
    .action(async (words: readonly string[], flags: BootstrapFlags) => {
      const hosts = parseHosts(words, flags);
      const folder = resolve(flags.out ?? `ceph-${flags.name}`);
      const bootstrap = await openBootstrap();
      const session: Session = { bootstrap, context, asJson: wantsJson(command), isSure: flags.yes === true };
      try {
        if (flags.remove === true) await remove(session, { name: flags.name, hosts, folder });
        else
          await make(session, {
            name: flags.name,
            hosts,
            folder,
            ...(flags.osdSizeGib === undefined
              ? {}
              : { osdSizeGib: parseCount(flags.osdSizeGib, "--osd-size-gib") }),
            ...(flags.size === undefined ? {} : { size: parseCount(flags.size, "--size") }),
          });
      } finally {
        await bootstrap.close();
      }
    });
  addJsonOption(command);
  describeCommand(
    command,
    `make a small Ceph on bare hosts over SSH: monitor, manager and OSDs. Run again, it brings back what is down. ${purpose}`,
    [
      "ceph bootstrap h1 --name lab",
      "ceph bootstrap root@10.0.0.1 root@10.0.0.2 root@10.0.0.3 --name lab --osd-size-gib 20 --out ceph",
      "ceph bootstrap h1 --name lab --device h1=/dev/disk/by-id/ata-EMPTY --yes --json",
      "ceph bootstrap --remove h1 --name lab",
    ],
  );
}

interface Session {
  readonly bootstrap: CephBootstrap;
  readonly context: CommandContext;
  readonly asJson: boolean;
  readonly isSure: boolean;
}

async function make(session: Session, request: Parameters<CephBootstrap["plan"]>[0]): Promise<void> {
  const { bootstrap, context, asJson } = session;
  const plan = await bootstrap.plan(request, context.signal);
  if (!(await isWanted(session, describePlan(plan), { plan: toJsonPlan(plan) }))) return;
  const cluster = await context.withProgress("ceph bootstrap", (onProgress) =>
    bootstrap.apply(plan, onProgress, context.signal),
  );
  if (asJson) context.writeJson({ plan: toJsonPlan(plan), cluster: toJsonCluster(cluster) });
  else context.writeText(describeCluster(cluster));
  const unkept = plan.hosts.filter(({ hasSystemd }) => !hasSystemd).map(({ host }) => host.name);
  if (unkept.length > 0)
    context.note(
      `no systemd on ${unkept.join(", ")}: nothing starts the daemons when the host boots; run this command again then`,
    );
}

async function remove(session: Session, request: Parameters<CephBootstrap["planRemoval"]>[0]): Promise<void> {
  const { bootstrap, context, asJson } = session;
  const removal = await bootstrap.planRemoval(request, context.signal);
  const shown = toJsonRemoval(removal);
  if (removal.hosts.length > 0) {
    if (!(await isWanted(session, describeRemoval(removal), { removal: shown }))) return;
    await context.withProgress("ceph bootstrap --remove", (onProgress) =>
      bootstrap.remove(removal, onProgress, context.signal),
    );
  }
  if (asJson) context.writeJson({ removal: shown, removed: removal.hosts.map(({ host }) => host.name) });
  else
    context.writeText(
      removal.hosts.length === 0
        ? `no host has anything of cluster ${escapeLine(removal.name)}`
        : `cluster ${escapeLine(removal.name)} is gone from ${countThings(removal.hosts.length, "host")}`,
    );
  if (removal.left.length > 0)
    context.note(
      `not named, and left as they are: ${removal.left.join(", ")}; name all hosts to remove them, and the keyring here`,
    );
}

/** Shows what is going to be done, and whether it is to be. Whoever reads JSON is not asked, and gets the plan alone without `--yes`. */
async function isWanted(
  { context, asJson, isSure }: Session,
  lines: readonly string[],
  json: object,
): Promise<boolean> {
  if (asJson) {
    if (!isSure) context.writeJson({ ...json, done: false });
    return isSure;
  }
  for (const line of lines) context.note(line);
  if (isSure) return true;
  const { stdin, stderr } = context.surroundings;
  stderr.write("go on? [y/N] ");
  const answer = await readAnswer(stdin, context.signal);
  if (/^y(es)?$/i.test(answer.trim())) return true;
  context.note("nothing was done");
  return false;
}

/** The next line; empty where the input has ended. */
async function readAnswer(input: NodeJS.ReadableStream, signal: AbortSignal): Promise<string> {
  const lines = createInterface({ input, signal });
  try {
    for await (const line of lines) return line;
    return "";
  } finally {
    lines.close();
  }
}

function describePlan({ name, fsid, size, osdSizeGib, hosts, folder }: BootstrapPlan): readonly string[] {
  return [
    `cluster ${name}, fsid ${fsid}, ${countThings(size, "copy").replace(/copys$/, "copies")} of each object`,
    ...hosts.map(({ host, clusterAddress, monitor, manager, osd, device, isBegun }) => {
      const daemons = [
        ...(monitor === undefined ? [] : [`mon.${monitor}`]),
        ...(manager === undefined ? [] : [`mgr.${manager}`]),
        `osd.${String(osd)} ${device === undefined ? `in a file of ${String(osdSizeGib)} GiB` : `on ${device}, which is overwritten`}`,
      ];
      return `  ${host.name} (${clusterAddress}): ${daemons.join(", ")}${isBegun ? "; begun before: what is missing or down comes back" : ""}`;
    }),
    `the admin's keyring goes to ${folder}`,
    purpose,
  ];
}

function describeRemoval({ name, fsid, hosts, left, folder }: BootstrapRemoval): readonly string[] {
  return [
    `removing cluster ${name}, fsid ${fsid ?? ""}, with ALL DATA in it:`,
    ...hosts.map(
      ({ host, osd, device }) =>
        `  ${host.name}: daemons, settings and osd.${String(osd)}${device === undefined ? "" : ` on ${device}, which is emptied`}`,
    ),
    ...(left.length === 0 ? [`and the admin's keyring in ${folder}, if it is this cluster's`] : []),
  ];
}

function describeCluster(cluster: BootstrappedCeph): string {
  const { name, fsid, monitors, keyringFile, confFile, health, reasons, osds } = cluster;
  const list = monitors.map((monitor) => JSON.stringify(monitor)).join(", ");
  return [
    `cluster ${name}: ${health}, ${String(osds.up)} of ${String(osds.all)} OSDs up`,
    ...reasons.map((reason) => `  ${reason}`),
    "",
    "In a stack:",
    `  new CephCluster(${JSON.stringify(name)}, {`,
    `    fsid: ${JSON.stringify(fsid)},`,
    `    monitors: [${list}],`,
    `    keyringFile: ${JSON.stringify(keyringFile)},`,
    "    hosts: [/* hosts of the cloud that are to be its clients */],",
    "  });",
    "",
    `By hand: ceph --conf ${confFile} status`,
  ]
    .map(escapeLine)
    .join("\n");
}

/** A plan as `--json` prints it. Keys and their order are part of the interface. */
function toJsonPlan({ name, fsid, size, osdSizeGib, folder, hosts }: BootstrapPlan): object {
  return {
    name,
    fsid,
    size,
    osdSizeGib,
    folder,
    hosts: hosts.map(({ host, clusterAddress, monitor, manager, osd, device, hasSystemd, isBegun }) => ({
      host: host.name,
      clusterAddress,
      monitor: monitor ?? null,
      manager: manager ?? null,
      osd,
      device: device ?? null,
      systemd: hasSystemd,
      begun: isBegun,
    })),
  };
}

function toJsonCluster(cluster: BootstrappedCeph): object {
  const { name, fsid, monitors, user, keyringFile, confFile, health, reasons, osds } = cluster;
  return { name, fsid, monitors, user, keyringFile, confFile, health, reasons, osds };
}

function toJsonRemoval({ name, fsid, hosts, left, folder }: BootstrapRemoval): object {
  return {
    name,
    fsid: fsid ?? null,
    hosts: hosts.map(({ host, monitor, manager, osd, device }) => ({
      host: host.name,
      monitor: monitor ?? null,
      manager: manager ?? null,
      osd,
      device: device ?? null,
    })),
    left,
    folder,
  };
}

/** An option that is given repeatedly; one that took several words would take the hosts after it too. */
function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function parseCount(text: string, option: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new StackyardError("invalid-input", {
    message: "this is not a whole number",
    field: option,
    value: text,
  });
}

function parseHosts(words: readonly string[], flags: BootstrapFlags): readonly BootstrapHost[] {
  const devices = parsePairs(flags.device ?? [], "--device", words);
  const addresses = parsePairs(flags.clusterAddress ?? [], "--cluster-address", words);
  return words.map((word) => ({
    address: parseTarget(word, flags),
    device: devices.get(word),
    clusterAddress: addresses.get(word),
  }));
}

/** `[user@]address[:port]`; an IPv6 address with a port is in brackets. */
const targetPattern =
  /^(?:(?<user>[a-z_][a-z0-9_.-]{0,31})@)?(?:\[(?<bracketed>[0-9a-f:.%]+)\]|(?<address>[A-Za-z0-9_][A-Za-z0-9_.%-]{0,254}|[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:.]*))(?::(?<port>\d{1,5}))?$/i;

/** Raises `invalid-input`. */
export function parseTarget(
  word: string,
  { identity, knownHosts, proxyJump, sshConfig }: Partial<BootstrapFlags>,
): HostAddress {
  const { user, bracketed, address = bracketed, port } = targetPattern.exec(word)?.groups ?? {};
  if (address === undefined || Number(port ?? 22) > 65535 || Number(port ?? 22) < 1)
    throw new StackyardError("invalid-input", {
      message: "this is no host that ssh could reach",
      field: "HOST",
      value: word,
      remedy: "Write [USER@]ADDRESS[:PORT].",
    });
  return {
    name: word,
    transport: "ssh",
    address,
    user,
    port: port === undefined ? undefined : Number(port),
    identityFile: identity,
    knownHostsFile: knownHosts,
    proxyJump,
    configFile: sshConfig,
  };
}

/** `HOST=VALUE` of options, each host one that was named. Raises `invalid-input`. */
function parsePairs(
  pairs: readonly string[],
  option: string,
  hosts: readonly string[],
): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const pair of pairs) {
    const sign = pair.indexOf("=");
    const [host, value] = [pair.slice(0, sign), pair.slice(sign + 1)];
    if (sign < 1 || value === "" || !hosts.includes(host) || values.has(host))
      throw new StackyardError("invalid-input", {
        message: "this does not give one of the hosts one value",
        field: option,
        value: pair,
        remedy: `Write HOST=VALUE, with a HOST as it is named before: ${hosts.join(", ")}.`,
      });
    values.set(host, value);
  }
  return values;
}
