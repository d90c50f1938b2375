import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { findOnPath, isExecutable, runProgram } from "./program.ts";
import { isAtLeast, parseVersion, showVersion, type Version } from "./versions.ts";

interface Traits {
  /** As its makers write it. */
  readonly title: string;
  /** The program that people call. */
  readonly program: string;
  /** What it starts: must lie beside it or on PATH. */
  readonly companions: readonly string[];
  readonly oldest: Version;
  /** The page that tells how to install it. */
  readonly installPage: string;
}

/** The command line of an engine that set-up installs where PATH has none that fits. */
export interface PinnedCli extends Traits {
  /** Its folder in the user's cache. */
  readonly name: "pulumi" | "opentofu";
  /** What set-up installs; the `go.mod` in `clis/` pins the same. */
  readonly version: string;
}

/** The command line of an engine, and what makes one fit for us. */
export type Cli = PinnedCli | (Traits & { readonly version?: never });

/** Drives the Node.js programs of stacks. */
export const languageHost = "pulumi-language-nodejs";
/** Starts the process of the dynamic providers; a script. */
export const dynamicProvider = "pulumi-resource-pulumi-nodejs";

/** The oldest is the first whose refresh keeps what `read` returns as inputs. */
export const pulumi: PinnedCli = {
  name: "pulumi",
  title: "Pulumi",
  program: "pulumi",
  companions: [languageHost, dynamicProvider],
  oldest: [3, 216, 0],
  installPage: "https://www.pulumi.com/docs/install/",
  version: "3.259.0",
};

/** The oldest is the first with write-only attributes, as of Terraform. */
export const opentofu: PinnedCli = {
  name: "opentofu",
  title: "OpenTofu",
  program: "tofu",
  companions: [],
  oldest: [1, 11, 0],
  installPage: "https://opentofu.org/docs/intro/install/",
  version: "1.12.6",
};

/** Tested where it is on PATH. Set-up does not install it: OpenTofu takes the same providers and programs. */
export const terraform: Cli = {
  title: "Terraform",
  program: "terraform",
  companions: [],
  oldest: [1, 11, 0],
  installPage: "https://developer.hashicorp.com/terraform/install",
};

/** Where to look for a CLI. */
export interface CliSearch {
  /** A PATH. */
  readonly path: string;
  /** The user's cache folder, see `cacheFolder`. */
  readonly cache: string;
}

/** A CLI that serves us, or why there is none. */
export type FoundCli =
  | {
      readonly state: "found";
      readonly from: "path" | "cache";
      readonly version: string;
      readonly folder: string;
    }
  | { readonly state: "missing"; readonly reason: string };

/**
 * Finds a CLI with its companions: the one on PATH when it is recent enough and complete, else the one that set-up put
 * into the user's cache.
 */
export async function findCli(cli: Cli, { path, cache }: CliSearch): Promise<FoundCli> {
  const onPath = await findOnlyOnPath(cli, path);
  if (onPath.state === "found" || cli.version === undefined) return onPath;
  const folder = installedCli(cli, cache);
  const complete = await Promise.all(programsOf(cli).map((program) => isExecutable(join(folder, program))));
  return complete.includes(false) ? onPath : { state: "found", from: "cache", version: cli.version, folder };
}

async function findOnlyOnPath(cli: Cli, path: string): Promise<FoundCli> {
  const file = await findOnPath(cli.program, path);
  if (file === undefined) return { state: "missing", reason: `no ${cli.program} on PATH` };
  const folder = dirname(await realpath(file));
  const version = await askVersion(file);
  if (version === undefined) return { state: "missing", reason: `${file} does not tell its version` };
  if (!isAtLeast(version, cli.oldest)) {
    return {
      state: "missing",
      reason: `${file} is ${showVersion(version)}, older than ${showVersion(cli.oldest)}`,
    };
  }
  for (const program of cli.companions) {
    if ((await findOnPath(program, `${folder}${delimiter}${path}`)) === undefined) {
      return { state: "missing", reason: `${file} has no ${program} beside it or on PATH` };
    }
  }
  return { state: "found", from: "path", version: showVersion(version), folder };
}

/** What a folder with the CLI must hold. */
export function programsOf({ program, companions }: Cli): readonly string[] {
  return [program, ...companions];
}

/** Runs `version` of a CLI, without a look-up of newer ones, in a home of its own: Pulumi's writes logs into its home even then. */
export async function askVersion(file: string): Promise<Version | undefined> {
  const home = await mkdtemp(join(tmpdir(), "stackyard-cli-"));
  try {
    const env = {
      ...process.env,
      PULUMI_HOME: home,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      CHECKPOINT_DISABLE: "1", // Terraform's
    };
    const { exitCode, stdout } = await runProgram(file, ["version"], { cwd: home, env, timeoutMs: 20_000 });
    return exitCode === 0 ? parseVersion(stdout) : undefined;
  } catch {
    return undefined; // cannot be started, or hangs: as good as absent
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** Where `installCli` puts the programs. */
export function installedCli({ name, version }: PinnedCli, cache: string): string {
  return join(cache, name, version, "bin");
}
