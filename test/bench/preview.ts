import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { installPackedProject, packPackage, pulumiEnvironment } from "../../lab/packed-project.ts";
import { requireProgram } from "../../lab/setup/program.ts";
import type { Say } from "../../lab/setup/progress.ts";
import { toolPath } from "../../lab/setup/requirements.ts";
import { compare, timeMs } from "./measurement.ts";
import type { Measurement } from "./measurement.ts";

/** Goal as a ratio to the engine's floor. */
const previewGoal = 1.5;
const sizes = [
  { count: 10, runs: 5 },
  { count: 100, runs: 5 },
  { count: 1_000, runs: 3 },
] as const;
/** Longest wait for one Pulumi command, in milliseconds. */
const pulumiTimeoutMs = 20 * 60_000;

/**
 * Times previews that find nothing to do, by the real Pulumi CLI, with the packed package installed into a project in `folder`. The floor is the
 * same number of dynamic resources whose provider does nothing.
 */
export async function benchPreview(folder: string, say: Say): Promise<readonly Measurement[]> {
  const project = await openProject(folder);
  const measurements: Measurement[] = [];
  for (const { count, runs } of sizes) {
    say(`no-op preview of ${count.toLocaleString("en")} resources`);
    for (const floor of [false, true]) await project.deploy(count, floor);
    const own: number[] = [];
    const baseline: number[] = [];
    for (let run = 0; run < runs; run++) {
      own.push((await timeMs(() => project.preview(count, false))) / 1000);
      baseline.push((await timeMs(() => project.preview(count, true))) / 1000);
    }
    measurements.push({
      name: `no-op preview of ${count.toLocaleString("en")} resources`,
      unit: "s",
      ...compare({ own, baseline }, { name: "as many trivial dynamic resources", goal: previewGoal }),
    });
  }
  return measurements;
}

/** A Pulumi project with a stack for each size, of our resources and of trivial ones; see test/fixtures/bench-stack. */
interface BenchProject {
  deploy(count: number, floor: boolean): Promise<void>;
  preview(count: number, floor: boolean): Promise<void>;
}

async function openProject(folder: string): Promise<BenchProject> {
  const project = join(folder, "project");
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    ...pulumiEnvironment(folder),
    PATH: await toolPath(),
    STACKYARD_HOME: join(folder, "clouds"),
  };
  await mkdir(join(folder, "state"), { recursive: true });
  await writeFile(join(folder, "passphrase"), "bench", { mode: 0o600 });
  const stack = join(import.meta.dirname, "..", "fixtures", "bench-stack");
  const tarball = await packPackage(folder, environment);
  await installPackedProject({ stack, project, tarball, environment });
  const run = (args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<unknown> =>
    requireProgram(`pulumi ${args[0] ?? ""}`, "pulumi", [...args, "--non-interactive"], {
      cwd: project,
      env: { ...environment, ...more },
      timeoutMs: pulumiTimeoutMs,
    });
  const nameStack = (count: number, floor: boolean): string => `${floor ? "floor" : "own"}-${count}`;
  return {
    async deploy(count, floor) {
      const stack = nameStack(count, floor);
      await run(["stack", "init", stack]);
      await run(["config", "set", "--stack", stack, "count", String(count)]);
      await run(["config", "set", "--stack", stack, "floor", String(floor)]);
      // The state as a whole after each resource is what takes the time otherwise.
      const env = { PULUMI_EXPERIMENTAL: "true", PULUMI_SKIP_CHECKPOINTS: "true" };
      await run(["up", "--stack", stack, "--yes", "--skip-preview"], {
        ...env,
        STACKYARD_CLOUD: stack,
      });
    },
    async preview(count, floor) {
      const stack = nameStack(count, floor);
      await run(["preview", "--stack", stack, "--expect-no-changes"], { STACKYARD_CLOUD: stack });
    },
  };
}
