import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { labCeph } from "../../lab/inventory.ts";
import { bringUp, tearDown } from "../../lab/lab.ts";
import { saying, type Say } from "../../lab/setup/progress.ts";
import { parseTopology } from "../../lab/topology.ts";
import { describeError, StackyardError } from "../../providers/core/errors.ts";
import { findPackageRoot } from "../../providers/core/package-root.ts";
import { openBenchCloud, type BenchCloud } from "./cloud.ts";
import { benchCeph } from "./ceph.ts";
import { benchLab } from "./lab.ts";
import { benchDrift } from "./drift.ts";
import { describeMachine } from "./machine.ts";
import type { Machine } from "./machine.ts";
import { summarise } from "./measurement.ts";
import type { Measurement } from "./measurement.ts";
import { benchNestedLab } from "./nested-lab.ts";
import { benchPreview } from "./preview.ts";
import { renderText, writeInto } from "./report.ts";
import { benchScan } from "./scan.ts";
import { benchScheduler } from "./scheduler.ts";
import { benchServers, makeSurroundings } from "./servers.ts";
import { benchTerraform } from "./terraform.ts";

const usage = `npm run bench -- [--json FILE] [--readme] [--only PART]...

Measures on this machine, in one run, against what a person would do by hand. Takes some forty minutes; use nothing else meanwhile.

  --json FILE   write the figures there too
  --readme      put the table into README.md; with --only, the rows of those parts
  --only PART   one of lab, nested, servers, ceph, preview, terraform, drift, scheduler; may be repeated
`;

/** Name of the lab that is made, and taken down again. */
const labName = "bench";

const parts = ["lab", "nested", "servers", "ceph", "preview", "terraform", "drift", "scheduler"] as const;
type Part = (typeof parts)[number];

/** What the parts of a run share. */
interface Run {
  readonly say: Say;
  readonly signal: AbortSignal;
  /** What is taken back at the end, however it comes. */
  readonly stack: AsyncDisposableStack;
  readonly folder: string;
}

/** What a part found. */
interface Findings {
  readonly measurements: readonly Measurement[];
  readonly virtualisation?: Machine["virtualisation"];
}

async function runPart(part: Part, run: Run): Promise<Findings> {
  run.say(part);
  switch (part) {
    case "scheduler":
      return { measurements: await benchScheduler() };
    case "lab":
      return { measurements: await benchLab(labName, run.signal) };
    case "nested":
      await tearDown(labName);
      return { measurements: await benchNestedLab(labName, run.folder, run.signal) };
    case "servers":
      return runServers(run);
    case "ceph":
      return runCeph(run);
    case "preview":
      return { measurements: await benchPreview(join(run.folder, "preview"), run.say) };
    case "terraform":
      return { measurements: await benchTerraform(join(run.folder, "terraform"), run.say) };
    case "drift":
      return { measurements: await benchDrift() };
  }
}

async function runServers({ stack, folder, signal, say }: Run): Promise<Findings> {
  await bringUp(parseTopology({ name: labName }), { signal });
  await using bench = await openBenchCloud(labName, join(folder, "clouds"));
  stack.defer(() => bench[Symbol.asyncDispose]());
  const shared = await makeSurroundings(bench, folder);
  const measurements = [...(await benchServers(bench, shared)), await benchScan(bench, shared, 10)];
  const memory: Measurement = {
    name: "memory of the process that drives the hosts, after the ten servers",
    unit: "MiB",
    ...summarise([process.memoryUsage.rss() / 2 ** 20]),
    note: "Resident set of the benchmark itself, which holds the facade, the store and the connections.",
  };
  say("a hundred servers");
  const hundred = await benchScan(bench, shared, 100);
  return { measurements: [...measurements, memory, hundred], virtualisation: findVirtualisation(bench) };
}

async function runCeph({ stack, folder, signal, say }: Run): Promise<Findings> {
  // The lab of another part has other hosts.
  await tearDown(labName);
  const hosts = ["h1", { name: "c1", roles: ["ceph"] }];
  await bringUp(parseTopology({ name: labName, hosts }), { signal });
  await using bench = await openBenchCloud(labName, join(folder, "ceph"));
  stack.defer(() => bench[Symbol.asyncDispose]());
  const measurements = await benchCeph(bench, labCeph(labName), folder, say, signal);
  return { measurements, virtualisation: findVirtualisation(bench) };
}

function findVirtualisation({ hosts }: BenchCloud): Machine["virtualisation"] {
  return hosts.some(({ virtType }) => virtType === "qemu") ? "TCG" : "KVM";
}

async function main(
  args: readonly string[],
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<void> {
  const { json, readme, only } = readArguments(args);
  const machine = describeMachine();
  const folder = await mkdtemp(join(tmpdir(), "stackyard-bench-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  stack.defer(async () => {
    await tearDown(labName);
  });
  // What a killed run has left.
  await tearDown(labName);
  const run = { say: saying("bench"), signal, stack, folder };
  const findings: Findings[] = [];
  for (const part of only) findings.push(await runPart(part, run));
  const virtualisation = findings.flatMap(({ virtualisation: found }) => found ?? [])[0];
  const report = {
    machine: { ...machine, ...(virtualisation === undefined ? {} : { virtualisation }) },
    measurements: findings.flatMap(({ measurements }) => measurements),
  };
  process.stdout.write(renderText(report));
  if (json !== undefined) await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
  if (readme)
    await writeInto(
      join(findPackageRoot(), "README.md"),
      report,
      only.length === parts.length ? undefined : only,
    );
}

function readArguments(args: readonly string[]): {
  readonly json: string | undefined;
  readonly readme: boolean;
  readonly only: readonly Part[];
} {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        json: { type: "string" },
        readme: { type: "boolean", default: false },
        only: { type: "string", multiple: true, default: [] },
      },
    });
    const wrong = values.only.find((name) => !parts.some((part) => part === name));
    if (wrong !== undefined) throw new TypeError(`there is no part ${JSON.stringify(wrong)}`);
    const chosen = parts.filter((part) => values.only.includes(part));
    return { json: values.json, readme: values.readme, only: chosen.length === 0 ? parts : chosen };
  } catch (cause) {
    throw new StackyardError("invalid-input", {
      message: cause instanceof Error ? cause.message : "the arguments cannot be read",
      field: "arguments",
      remedy: usage,
    });
  }
}

const stack = new AsyncDisposableStack();
const controller = new AbortController();
for (const name of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
  process.once(name, () => {
    controller.abort(new Error(name));
    void stack.disposeAsync().finally(() => process.exit(128 + constants.signals[name]));
  });
}
try {
  await main(process.argv.slice(2), stack, controller.signal);
} catch (error) {
  if (!controller.signal.aborted) process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = 1;
} finally {
  // After a signal its handler ends the process, once everything is taken back.
  if (!controller.signal.aborted) await stack.disposeAsync();
}
