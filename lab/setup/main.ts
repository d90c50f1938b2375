import { mkdtemp, readFile, rm } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { describeError, hasCode } from "../../providers/core/errors.ts";
import { handOver } from "./program.ts";
import { saying } from "./progress.ts";
import { toolPath } from "./requirements.ts";
import { setUp } from "./setup.ts";
import { addTallies, describeTally, tallyVitest, type Tally } from "./tally.ts";

/** The rest of `launch.mjs`, under Node 24 and with node_modules in place. Gives the exit code. */
async function main(verb: string, args: readonly string[]): Promise<number> {
  const root = join(import.meta.dirname, "..", "..");
  switch (verb) {
    case "setup":
      for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
        process.on(signal, () => process.exit(128 + constants.signals[signal])); // ends what set-up has started too
      }
      await setUp(args[0] === "quickstart" ? "quickstart" : "test", saying("set-up"));
      return 0;
    case "test":
      return runTests(root, args);
    case "bench":
      return runTool(process.execPath, [join(root, "test", "bench", "main.ts"), ...args]);
    case "quickstart":
      return (await import("../quickstart/quickstart.ts")).runQuickstart(args);
    case "run":
      return runTool(args[0] ?? "true", args.slice(1));
    default:
      process.stderr.write(`unknown verb ${verb}\n`);
      return 2;
  }
}

/** Guests that run by emulation need the machine's cores: tests on a lab come after all others. Those of `nested` take many minutes, and are run by `npm run test:nested`. */
const passes: readonly (readonly string[])[] = [["--project=!e2e", "--project=!nested"], ["--project=e2e"]];

/** Runs vitest with all projects, or once as its arguments say, and ends with the line `N passed, N failed`. */
async function runTests(root: string, args: readonly string[]): Promise<number> {
  const tallies: Tally[] = [];
  for (const pass of args.length > 0 ? [args] : passes) {
    const { tally, exitCode } = await runVitest(root, pass);
    tallies.push(tally);
    if (exitCode > 128) break; // a signal ended it: nobody waits for the rest
  }
  const tally = addTallies(tallies);
  process.stdout.write(`${describeTally(tally)}\n`);
  return tally.failed === 0 ? 0 : 1;
}

async function runVitest(
  root: string,
  args: readonly string[],
): Promise<{ readonly tally: Tally; readonly exitCode: number }> {
  const folder = await mkdtemp(join(tmpdir(), "stackyard-test-"));
  const report = join(folder, "report.json");
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const config = join(root, ".config", "vitest.config.ts");
  const reporters = [
    ...["default", join(root, ".config", "failure-reporter.ts"), "json"].map((name) => `--reporter=${name}`),
    `--outputFile.json=${report}`,
  ];
  try {
    const exitCode = await runTool(process.execPath, [
      vitest,
      "run",
      "--config",
      config,
      ...reporters,
      ...args,
    ]);
    return { tally: tallyVitest(await readFile(report, "utf8").catch(() => "{}"), exitCode), exitCode };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runTool(file: string, args: readonly string[]): Promise<number> {
  return handOver(file, args, { ...process.env, PATH: await toolPath() });
}

try {
  process.exitCode = await main(process.argv[2] ?? "", process.argv.slice(3));
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = hasCode(error, "interrupted") ? 128 + constants.signals.SIGINT : 1;
}
