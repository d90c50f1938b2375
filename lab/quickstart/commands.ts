import { join } from "node:path";
import { z } from "zod";
import type { JsonValue } from "../../providers/core/json.ts";
import type { DriverName } from "../topology.ts";
import { requireProgram, runProgram, type ProgramResult } from "../setup/program.ts";
import type { Say } from "../setup/progress.ts";

/** What a quickstart deploys, and how it shows that it works. */
export interface Variant {
  /** Name of the lab, of the cloud, and of the folder for all that it makes. */
  readonly name: string;
  /** Arguments of `npm run quickstart` that choose it. */
  readonly args: readonly string[];
  /** Folder in `stacks/`. */
  readonly stack: string;
  readonly lab: { readonly title: string; readonly driver?: DriverName; readonly hosts?: JsonValue };
  /** Key of a secret that is drawn once. */
  readonly secret: string | undefined;
  readonly prove: (run: Quickstart, say: Say) => Promise<void>;
}

/** One variant at work: its folders, which `--destroy` removes, and the environment of its commands. */
export interface Quickstart {
  readonly variant: Variant;
  readonly all: string;
  /** The user's project: the stack and its dependencies. */
  readonly project: string;
  readonly environment: NodeJS.ProcessEnv;
}

/** Longest wait for one Pulumi command, in milliseconds: a slow machine boots three guests by emulation. */
const pulumiTimeoutMs = 15 * 60_000;

export async function runPulumi(
  quickstart: Quickstart,
  args: readonly string[],
  onLine?: Say,
): Promise<ProgramResult> {
  return mustRun(
    "pulumi",
    [...args, "--non-interactive", "--color", "never"],
    quickstart.project,
    quickstart.environment,
    undefined,
    onLine,
  );
}

export async function runStackyard(quickstart: Quickstart, args: readonly string[]): Promise<ProgramResult> {
  return mustRun(
    join(quickstart.project, "node_modules", ".bin", "stackyard"),
    args,
    quickstart.project,
    quickstart.environment,
  );
}

export async function runTool(
  quickstart: Quickstart,
  file: string,
  args: readonly string[],
): Promise<ProgramResult> {
  return runProgram(file, args, {
    cwd: quickstart.project,
    env: quickstart.environment,
    passSignals: true,
    timeoutMs: pulumiTimeoutMs,
  });
}

/** Runs a program that must succeed. */
export async function mustRun(
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

const serverRow = z.object({ name: z.string(), host: z.string(), address: z.string(), status: z.string() });
const stackOutputs = z.object({
  table: z.array(serverRow).min(2),
  privateKey: z.string(),
  dataDevice: z.string().optional(),
});

/** What the stack gives, secrets too. */
export async function readOutputs(quickstart: Quickstart): Promise<z.infer<typeof stackOutputs>> {
  const { stdout } = await runPulumi(quickstart, ["stack", "output", "--json", "--show-secrets"]);
  return stackOutputs.parse(JSON.parse(stdout));
}
