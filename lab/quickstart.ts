import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { describeError, StackyardError, toStackyardError } from "../providers/core/errors.ts";
import { findPackageRoot } from "../providers/core/package-root.ts";
import { formatTable } from "../providers/engines/cli/table.ts";
import { labsFolder } from "./folders.ts";
import { buildGuest } from "./guest/build.ts";
import { bringUp, tearDown } from "./lab.ts";
import { installPackedProject, packPackage, pulumiEnvironment } from "./packed-project.ts";
import { requireProgram, runProgram, type ProgramResult } from "./setup/program.ts";
import { saying, withPulse, type Say } from "./setup/progress.ts";
import { toolPath } from "./setup/requirements.ts";
import { parseTopology } from "./topology.ts";

/** Name of the lab, the stack's project and the cloud. */
const labName = "quickstart";
const stackName = "dev";

/** Longest wait for one Pulumi command, in milliseconds: a slow machine boots three guests by emulation. */
const pulumiTimeoutMs = 15 * 60_000;

/** The folders of a quickstart. All of it is removed by `--destroy`. */
interface Folders {
  readonly all: string;
  /** The user's project: the stack and its dependencies. */
  readonly project: string;
  readonly environment: NodeJS.ProcessEnv;
}

const serverRow = z.object({ name: z.string(), host: z.string(), address: z.string(), status: z.string() });
const stackOutputs = z.object({ table: z.array(serverRow).min(2), privateKey: z.string() });
const traceOutput = z.object({
  steps: z.array(
    z.object({
      number: z.number(),
      startedAt: z.iso.datetime().nullable(),
      durationMs: z.number().nullable(),
    }),
  ),
});

/** Carries out `npm run quickstart [-- --destroy]`. Gives the exit code. */
export async function runQuickstart(args: readonly string[]): Promise<number> {
  const unknown = args.find((argument) => argument !== "--destroy");
  if (unknown !== undefined) {
    throw new StackyardError("invalid-input", {
      message: "the quickstart does not know this argument",
      field: "argument",
      value: unknown,
      remedy: "Run it without arguments, or with --destroy.",
    });
  }
  const say = saying("quickstart");
  const folders = await openFolders();
  await untilInterrupted(say, (signal) =>
    args.includes("--destroy") ? destroy(folders, say, signal) : deploy(folders, say, signal),
  );
  return 0;
}

/** Lets what runs end in order at the first Ctrl-C: Pulumi gives its lock back. The second one ends us at once. */
async function untilInterrupted(say: Say, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(128 + constants.signals.SIGINT);
    say("interrupted: waiting for what runs to end; Ctrl-C again ends at once");
    controller.abort();
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    await work(controller.signal);
  } catch (cause) {
    if (!controller.signal.aborted) throw cause;
    throw new StackyardError("interrupted", {
      message: "the quickstart was interrupted",
      remedy: "Go on: npm run quickstart. Or take everything down: npm run quickstart -- --destroy",
    });
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

async function openFolders(): Promise<Folders> {
  const all = join(dirname(labsFolder()), "quickstart");
  return {
    all,
    project: join(all, "project"),
    environment: {
      ...process.env,
      PATH: await toolPath(),
      STACKYARD_HOME: join(all, "clouds"),
      STACKYARD_CLOUD: labName,
      ...pulumiEnvironment(all),
    },
  };
}

async function deploy(folders: Folders, say: Say, signal: AbortSignal): Promise<void> {
  await withPulse(say, "bringing up a lab of three KVM hosts", (waitFor) =>
    bringUp(parseTopology({ name: labName }), { onProgress: waitFor, signal }),
  );
  const guest = await withPulse(say, "building the guest that the servers boot", (waitFor) =>
    buildGuest({ onProgress: waitFor }),
  );
  await withPulse(say, "installing the packed package into a project of its own", () =>
    installProject(folders),
  );
  await withPulse(say, "configuring the stack", () => configureStack(folders, join(guest.kernel, "..")));
  signal.throwIfAborted();
  await releaseDeadLock(folders);
  await withPulse(say, "pulumi up", (waitFor) =>
    runPulumi(folders, ["up", "--yes", "--skip-preview"], waitFor),
  );
  const outputs = await readOutputs(folders);
  await withPulse(say, "checking that every server is reached from another", (waitFor) =>
    proveServers(folders, outputs, waitFor),
  );
  await withPulse(say, "pulumi preview --expect-no-changes", (waitFor) =>
    runPulumi(folders, ["preview", "--expect-no-changes"], waitFor),
  );
  await showResult(folders, outputs);
}

/** What is proven here is what users get. */
async function installProject({ all, project, environment }: Folders): Promise<void> {
  await mkdir(join(all, "state"), { recursive: true, mode: 0o700 });
  const stack = join(findPackageRoot(), "stacks", "quickstart");
  const tarball = await packPackage(all, environment);
  await installPackedProject({ stack, project, tarball, environment });
}

async function configureStack(folders: Folders, guestFolder: string): Promise<void> {
  const passphrase = join(folders.all, "passphrase");
  if (!existsSync(passphrase))
    await writeFile(passphrase, randomBytes(24).toString("base64url"), { mode: 0o600 });
  await runPulumi(folders, ["stack", "select", "--create", stackName]);
  await runPulumi(folders, ["config", "set", "guestFolder", guestFolder]);
  const known = await runTool(folders, "pulumi", ["config", "get", "operatorPassword"]);
  if (known.exitCode === 0) return;
  // The value goes by standard input: arguments are visible to everybody on the machine.
  const secret = randomBytes(18).toString("base64url");
  await mustRun(
    "pulumi",
    ["config", "set", "--secret", "operatorPassword"],
    folders.project,
    folders.environment,
    secret,
  );
}

const lockFile = z.object({ pid: z.int().positive() });

/** A Pulumi that was killed leaves its lock, and every later one would refuse to begin. A lock of a living process stays. */
async function releaseDeadLock(folders: Folders): Promise<void> {
  const locks = join(folders.all, "state", ".pulumi", "locks");
  if (!existsSync(locks)) return;
  const names = (await readdir(locks, { recursive: true })).filter((name) => name.endsWith(".json"));
  const holders = await Promise.all(
    names.map(async (name) => lockFile.parse(JSON.parse(await readFile(join(locks, name), "utf8"))).pid),
  );
  if (holders.length > 0 && !holders.some((pid) => existsSync(`/proc/${String(pid)}`)))
    await runPulumi(folders, ["cancel", "--yes"]);
}

async function readOutputs(folders: Folders): Promise<z.infer<typeof stackOutputs>> {
  const { stdout } = await runPulumi(folders, ["stack", "output", "--json", "--show-secrets"]);
  return stackOutputs.parse(JSON.parse(stdout));
}

/** Logs in to each server over SSH, and pings the next one from there. */
async function proveServers(
  folders: Folders,
  { table, privateKey }: z.infer<typeof stackOutputs>,
  waitFor: Say,
): Promise<void> {
  const hosts = new Set(table.map(({ host }) => host));
  if (hosts.size !== table.length) {
    throw new StackyardError("internal", {
      message: `the servers are not on a host each: ${table.map(({ name, host }) => `${name} on ${host}`).join(", ")}`,
    });
  }
  const key = join(folders.all, "id_login");
  await writeFile(key, privateKey, { mode: 0o600 });
  for (const [index, server] of table.entries()) {
    const other = table[(index + 1) % table.length];
    if (other === undefined) continue;
    waitFor(`${server.name} on ${server.host} pings ${other.name} on ${other.host}`);
    await runStackyard(folders, [
      "server",
      "ssh",
      server.name,
      "--identity",
      key,
      "--",
      "ping",
      "-c",
      "3",
      "-W",
      "5",
      other.address,
    ]);
  }
}

async function showResult(folders: Folders, { table }: z.infer<typeof stackOutputs>): Promise<void> {
  const rows = await Promise.all(
    table.map(async (server) => [
      server.name,
      server.host,
      server.address,
      server.status,
      await readBuildSeconds(folders, server.name),
    ]),
  );
  const columns = ["SERVER", "HOST", "ADDRESS", "STATE", "SECONDS"].map((title) => ({ title }));
  process.stdout.write(`\n${formatTable(columns, rows)}\n`);
  const settings = ["STACKYARD_HOME", "STACKYARD_CLOUD"]
    .map((name) => `${name}=${folders.environment[name] ?? ""}`)
    .join(" ");
  process.stdout.write(
    [
      "Each server was logged in to over SSH and pinged another one. The lab stays up. Next:",
      "",
      `  export ${settings}`,
      "  npm run stackyard -- server list",
      "  npm run stackyard -- trace web1                 # the 29 steps of its creation",
      "  npm run stackyard -- schedule --flavor tiny --explain",
      `  npm run stackyard -- server ssh web1 --identity ${join(folders.all, "id_login")}`,
      "  npm run stackyard -- lab status --name quickstart",
      "  npm run quickstart -- --destroy                 # take everything down",
      "",
    ].join("\n"),
  );
}

/** From the request until the server was as far as its stack waits for. */
async function readBuildSeconds(folders: Folders, server: string): Promise<string> {
  const { stdout } = await runStackyard(folders, ["trace", server, "--json"]);
  const { steps } = traceOutput.parse(JSON.parse(stdout));
  const [first, last] = [3, 29].map((wanted) => steps.find(({ number }) => number === wanted));
  if (first?.startedAt == null || last?.startedAt == null) return "-";
  const untilMs = Date.parse(last.startedAt) + (last.durationMs ?? 0);
  return ((untilMs - Date.parse(first.startedAt)) / 1000).toFixed(1);
}

/** Whatever becomes of the stack, the lab goes: servers go with their hosts, and the cloud with its folder. */
async function destroy(folders: Folders, say: Say, signal: AbortSignal): Promise<void> {
  const failure = await destroyStack(folders, say).then(
    () => undefined,
    (error: unknown) => toStackyardError(error, "pulumi destroy"),
  );
  signal.throwIfAborted();
  if (failure !== undefined)
    say(`pulumi destroy: failed; what is left goes with the lab: ${describeError(failure)}`);
  await withPulse(say, "taking the lab down", (waitFor) =>
    tearDown(labName, { onProgress: waitFor, signal }),
  );
  await rm(folders.all, { recursive: true, force: true });
  await rmdir(dirname(folders.all)).catch(() => undefined); // stays when labs of others are in it
  say("nothing is left but installed packages and the cache of downloads");
}

async function destroyStack(folders: Folders, say: Say): Promise<void> {
  const isInstalled = ["Pulumi.yaml", "node_modules"].every((name) =>
    existsSync(join(folders.project, name)),
  );
  if (!isInstalled) return;
  await withPulse(say, "pulumi destroy", async (waitFor) => {
    const selected = await runTool(folders, "pulumi", ["stack", "select", stackName]);
    if (selected.exitCode !== 0) return;
    await releaseDeadLock(folders);
    await runPulumi(folders, ["destroy", "--yes", "--skip-preview"], waitFor);
  });
}

async function runPulumi(folders: Folders, args: readonly string[], onLine?: Say): Promise<ProgramResult> {
  return mustRun(
    "pulumi",
    [...args, "--non-interactive", "--color", "never"],
    folders.project,
    folders.environment,
    undefined,
    onLine,
  );
}

async function runStackyard(folders: Folders, args: readonly string[]): Promise<ProgramResult> {
  return mustRun(
    join(folders.project, "node_modules", ".bin", "stackyard"),
    args,
    folders.project,
    folders.environment,
  );
}

async function runTool(folders: Folders, file: string, args: readonly string[]): Promise<ProgramResult> {
  return runProgram(file, args, {
    cwd: folders.project,
    env: folders.environment,
    passSignals: true,
    timeoutMs: pulumiTimeoutMs,
  });
}

/** Runs a program that must succeed. */
async function mustRun(
  file: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
  stdin?: string,
  onLine?: Say,
): Promise<ProgramResult> {
  return requireProgram(args.slice(0, 2).join(" "), file, args, {
    cwd,
    env,
    passSignals: true,
    timeoutMs: pulumiTimeoutMs,
    ...(stdin === undefined ? {} : { stdin }),
    ...(onLine === undefined ? {} : { onLine }),
  });
}
