import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { describeError, StackyardError, toStackyardError } from "../../providers/core/errors.ts";
import { findPackageRoot } from "../../providers/core/package-root.ts";
import { formatTable } from "../../providers/engines/cli/table.ts";
import { labsFolder } from "../folders.ts";
import { buildGuest } from "../guest/build.ts";
import { bringUp, tearDown } from "../lab.ts";
import { installPackedProject, packPackage, pulumiEnvironment } from "../packed-project.ts";
import { saying, withPulse, type Say } from "../setup/progress.ts";
import { toolPath } from "../setup/requirements.ts";
import { parseTopology } from "../topology.ts";
import {
  mustRun,
  readOutputs,
  runPulumi,
  runStackyard,
  runTool,
  type Quickstart,
  type Variant,
} from "./commands.ts";
import { ceph, keyFile, nested, plain } from "./proofs.ts";

const stackName = "dev";

const traceOutput = z.object({
  steps: z.array(
    z.object({
      number: z.number(),
      startedAt: z.iso.datetime().nullable(),
      durationMs: z.number().nullable(),
    }),
  ),
});

const variants = [plain, ceph, nested];

/** Carries out `npm run quickstart [-- --ceph | --nested] [--destroy]`. Gives the exit code. */
export async function runQuickstart(args: readonly string[]): Promise<number> {
  const chosen = variants.filter((variant) => variant.args.some((argument) => args.includes(argument)));
  const known = ["--destroy", ...(chosen[0]?.args ?? variants.flatMap((variant) => variant.args))];
  const unknown = args.find((argument) => !known.includes(argument));
  if (unknown !== undefined) {
    throw new StackyardError("invalid-input", {
      message: "the quickstart does not know this argument",
      field: "argument",
      value: unknown,
      remedy: "Run it without arguments, or with one of --ceph and --nested, or with --destroy beside.",
    });
  }
  const say = saying("quickstart");
  const quickstart = await open(chosen[0] ?? plain);
  await untilInterrupted(quickstart, say, (signal) =>
    args.includes("--destroy") ? destroy(quickstart, say, signal) : deploy(quickstart, say, signal),
  );
  return 0;
}

/** Lets what runs end in order at the first Ctrl-C: Pulumi gives its lock back. The second one ends us at once. */
async function untilInterrupted(
  quickstart: Quickstart,
  say: Say,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
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
      remedy: `Go on: ${commandOf(quickstart)}. Or take everything down: ${commandOf(quickstart, "--destroy")}`,
    });
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

/** The command of a variant. */
function commandOf({ variant }: Quickstart, ...more: readonly string[]): string {
  const args = [...variant.args, ...more];
  return ["npm run quickstart", ...(args.length === 0 ? [] : ["--", ...args])].join(" ");
}

async function open(variant: Variant): Promise<Quickstart> {
  const all = join(dirname(labsFolder()), variant.name);
  return {
    variant,
    all,
    project: join(all, "project"),
    environment: {
      ...process.env,
      PATH: await toolPath(),
      STACKYARD_HOME: join(all, "clouds"),
      STACKYARD_CLOUD: variant.name,
      ...pulumiEnvironment(all),
    },
  };
}

async function deploy(quickstart: Quickstart, say: Say, signal: AbortSignal): Promise<void> {
  const { variant } = quickstart;
  const { title, ...topology } = variant.lab;
  await withPulse(say, `bringing up ${title}`, (waitFor) =>
    bringUp(parseTopology({ name: variant.name, ...topology }), { onProgress: waitFor, signal }),
  );
  const guest = await withPulse(say, "building the guest that the servers boot", (waitFor) =>
    buildGuest({ onProgress: waitFor }),
  );
  await withPulse(say, "installing the packed package into a project of its own", () =>
    installProject(quickstart),
  );
  await withPulse(say, "configuring the stack", () => configureStack(quickstart, join(guest.kernel, "..")));
  signal.throwIfAborted();
  await releaseDeadLock(quickstart);
  await withPulse(say, "pulumi up", (waitFor) =>
    runPulumi(quickstart, ["up", "--yes", "--skip-preview"], waitFor),
  );
  await variant.prove(quickstart, say);
  await withPulse(say, "pulumi preview --expect-no-changes", (waitFor) =>
    runPulumi(quickstart, ["preview", "--expect-no-changes"], waitFor),
  );
  await showResult(quickstart);
}

/** What is proven here is what users get. */
async function installProject({ all, project, environment, variant }: Quickstart): Promise<void> {
  await mkdir(join(all, "state"), { recursive: true, mode: 0o700 });
  const stack = join(findPackageRoot(), "stacks", variant.stack);
  const tarball = await packPackage(all, environment);
  await installPackedProject({ stack, project, tarball, environment });
}

async function configureStack(quickstart: Quickstart, guestFolder: string): Promise<void> {
  const passphrase = join(quickstart.all, "passphrase");
  if (!existsSync(passphrase))
    await writeFile(passphrase, randomBytes(24).toString("base64url"), { mode: 0o600 });
  await runPulumi(quickstart, ["stack", "select", "--create", stackName]);
  await runPulumi(quickstart, ["config", "set", "guestFolder", guestFolder]);
  await runPulumi(quickstart, ["config", "set", "lab", quickstart.variant.name]);
  const { secret: key } = quickstart.variant;
  if (key === undefined) return;
  const known = await runTool(quickstart, "pulumi", ["config", "get", key]);
  if (known.exitCode === 0) return;
  // The value goes by standard input: arguments are visible to everybody on the machine.
  const secret = randomBytes(18).toString("base64url");
  await mustRun(
    "pulumi",
    ["config", "set", "--secret", key],
    quickstart.project,
    quickstart.environment,
    secret,
  );
}

const lockFile = z.object({ pid: z.int().positive() });

/** A Pulumi that was killed leaves its lock, and every later one would refuse to begin. A lock of a living process stays. */
async function releaseDeadLock(quickstart: Quickstart): Promise<void> {
  const locks = join(quickstart.all, "state", ".pulumi", "locks");
  if (!existsSync(locks)) return;
  const names = (await readdir(locks, { recursive: true })).filter((name) => name.endsWith(".json"));
  const holders = await Promise.all(
    names.map(async (name) => lockFile.parse(JSON.parse(await readFile(join(locks, name), "utf8"))).pid),
  );
  if (holders.length > 0 && !holders.some((pid) => existsSync(`/proc/${String(pid)}`)))
    await runPulumi(quickstart, ["cancel", "--yes"]);
}

async function showResult(quickstart: Quickstart): Promise<void> {
  const { table } = await readOutputs(quickstart);
  const [first] = table;
  const name = first?.name ?? "";
  const rows = await Promise.all(
    table.map(async (server) => [
      server.name,
      server.host,
      server.address,
      server.status,
      await readBuildSeconds(quickstart, server.name),
    ]),
  );
  const columns = ["SERVER", "HOST", "ADDRESS", "STATE", "SECONDS"].map((title) => ({ title }));
  process.stdout.write(`\n${formatTable(columns, rows)}\n`);
  const settings = ["STACKYARD_HOME", "STACKYARD_CLOUD"]
    .map((name) => `${name}=${quickstart.environment[name] ?? ""}`)
    .join(" ");
  process.stdout.write(
    [
      "What was deployed was tried out, as the lines above say. The lab stays up. Next:",
      "",
      `  export ${settings}`,
      "  npm run stackyard -- server list",
      `  npm run stackyard -- trace ${name}                 # the 29 steps of its creation`,
      `  npm run stackyard -- server ssh ${name} --identity ${keyFile(quickstart.all)}`,
      `  npm run stackyard -- lab status --name ${quickstart.variant.name}`,
      `  ${commandOf(quickstart, "--destroy")}                 # take everything down`,
      "",
    ].join("\n"),
  );
}

/** From the request until the server was as far as its stack waits for. */
async function readBuildSeconds(quickstart: Quickstart, server: string): Promise<string> {
  const { stdout } = await runStackyard(quickstart, ["trace", server, "--json"]);
  const { steps } = traceOutput.parse(JSON.parse(stdout));
  const [first, last] = [3, 29].map((wanted) => steps.find(({ number }) => number === wanted));
  if (first?.startedAt == null || last?.startedAt == null) return "-";
  const untilMs = Date.parse(last.startedAt) + (last.durationMs ?? 0);
  return ((untilMs - Date.parse(first.startedAt)) / 1000).toFixed(1);
}

/** Whatever becomes of the stack, the lab goes: servers go with their hosts, and the cloud with its folder. */
async function destroy(quickstart: Quickstart, say: Say, signal: AbortSignal): Promise<void> {
  const failure = await destroyStack(quickstart, say).then(
    () => undefined,
    (error: unknown) => toStackyardError(error, "pulumi destroy"),
  );
  signal.throwIfAborted();
  if (failure !== undefined)
    say(`pulumi destroy: failed; what is left goes with the lab: ${describeError(failure)}`);
  await withPulse(say, "taking the lab down", (waitFor) =>
    tearDown(quickstart.variant.name, { onProgress: waitFor, signal }),
  );
  await rm(quickstart.all, { recursive: true, force: true });
  await rmdir(dirname(quickstart.all)).catch(() => undefined); // stays when labs of others are in it
  say("nothing is left but installed packages and the cache of downloads");
}

async function destroyStack(quickstart: Quickstart, say: Say): Promise<void> {
  const isInstalled = ["Pulumi.yaml", "node_modules"].every((name) =>
    existsSync(join(quickstart.project, name)),
  );
  if (!isInstalled) return;
  await withPulse(say, "pulumi destroy", async (waitFor) => {
    const selected = await runTool(quickstart, "pulumi", ["stack", "select", stackName]);
    if (selected.exitCode !== 0) return;
    await releaseDeadLock(quickstart);
    await runPulumi(quickstart, ["destroy", "--yes", "--skip-preview"], waitFor);
  });
}
