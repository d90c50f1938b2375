import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { findOnPath, isExecutable, runProgram } from "./program.ts";
import { isAtLeast, parseVersion, showVersion, type Version } from "./versions.ts";

/** The CLI that set-up installs; `clis/pulumi/go.mod` pins the same. */
export const pulumiVersion = "3.259.0";
/** Oldest CLI whose refresh keeps what `read` returns as inputs. */
export const oldestPulumi: Version = [3, 216, 0];

/** Drives the Node.js programs of stacks. */
export const languageHost = "pulumi-language-nodejs";
/** Starts the process of the dynamic providers; a script. */
export const dynamicProvider = "pulumi-resource-pulumi-nodejs";
/** What a folder with Pulumi must hold. */
export const pulumiPrograms: readonly string[] = ["pulumi", languageHost, dynamicProvider];

/** Where to look for Pulumi. */
export interface PulumiSearch {
  /** A PATH. */
  readonly path: string;
  /** The user's cache folder, see `cacheFolder`. */
  readonly cache: string;
}

/** A Pulumi CLI that can run our stacks, or why there is none. */
export type FoundPulumi =
  | {
      readonly state: "found";
      readonly from: "path" | "cache";
      readonly version: string;
      readonly folder: string;
    }
  | { readonly state: "missing"; readonly reason: string };

/**
 * Finds the Pulumi CLI with its Node.js language host and dynamic provider: the one on PATH when it is recent enough
 * and complete, else the one that set-up put into the user's cache.
 */
export async function findPulumi({ path, cache }: PulumiSearch): Promise<FoundPulumi> {
  const onPath = await findPulumiOnPath(path);
  if (onPath.state === "found") return onPath;
  const folder = installedPulumi(cache);
  const complete = await Promise.all(pulumiPrograms.map((program) => isExecutable(join(folder, program))));
  return complete.includes(false)
    ? onPath
    : { state: "found", from: "cache", version: pulumiVersion, folder };
}

async function findPulumiOnPath(path: string): Promise<FoundPulumi> {
  const file = await findOnPath("pulumi", path);
  if (file === undefined) return { state: "missing", reason: "no pulumi on PATH" };
  const folder = dirname(await realpath(file));
  const version = await askPulumiVersion(file);
  if (version === undefined) return { state: "missing", reason: `${file} does not tell its version` };
  if (!isAtLeast(version, oldestPulumi)) {
    return {
      state: "missing",
      reason: `${file} is ${showVersion(version)}, older than ${showVersion(oldestPulumi)}`,
    };
  }
  for (const program of [languageHost, dynamicProvider]) {
    if ((await findOnPath(program, `${folder}${delimiter}${path}`)) === undefined) {
      return { state: "missing", reason: `${file} has no ${program} beside it or on PATH` };
    }
  }
  return { state: "found", from: "path", version: showVersion(version), folder };
}

/** Runs `pulumi version` in a home of its own, since the CLI writes logs into its home even then. */
export async function askPulumiVersion(file: string): Promise<Version | undefined> {
  const home = await mkdtemp(join(tmpdir(), "stackyard-pulumi-"));
  try {
    const env = { ...process.env, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true" };
    const { exitCode, stdout } = await runProgram(file, ["version"], { env, timeoutMs: 20_000 });
    return exitCode === 0 ? parseVersion(stdout) : undefined;
  } catch {
    return undefined; // cannot be started, or hangs: as good as absent
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** Where `installPulumi` puts the programs. */
export function installedPulumi(cache: string): string {
  return join(cache, "pulumi", pulumiVersion, "bin");
}
