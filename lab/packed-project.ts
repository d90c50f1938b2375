import { cp, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { findPackageRoot } from "../providers/core/package-root.ts";
import { withLock } from "./lock.ts";
import { requireProgram, type ProgramOptions } from "./setup/program.ts";

/** Longest wait for npm, in milliseconds. */
const npmTimeoutMs = 5 * 60_000;

/** A user's project to make. */
export interface PackedProject {
  /** Folder of the stack to copy, e.g. `stacks/quickstart`. */
  readonly stack: string;
  /** Where it goes. */
  readonly project: string;
  /** The packed package: see {@link packPackage}. */
  readonly tarball: string;
  /** What the engine asks for, in the versions that this package is tested with; default: Pulumi's SDK. */
  readonly sdk?: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}

/**
 * Packs what would be published into a folder, and gives the tarball's path. Packing builds `dist` anew: one after the
 * other, all on this machine.
 */
export async function packPackage(folder: string, environment: NodeJS.ProcessEnv): Promise<string> {
  const root = findPackageRoot();
  await mkdir(folder, { recursive: true });
  const { stdout } = await withLock(`packing ${root}`, { waitMs: npmTimeoutMs }, () =>
    requireProgram("packing the package", "npm", ["pack", "--json", "--pack-destination", folder], {
      ...optionsOf(environment),
      cwd: root,
    }),
  );
  const [{ filename }] = z.tuple([z.object({ filename: z.string() })]).parse(JSON.parse(lastJson(stdout)));
  return join(folder, filename);
}

/** Installs the packed package into a copy of a stack: what runs there is what users get. */
export async function installPackedProject({
  stack,
  project,
  tarball,
  sdk = ["@pulumi/pulumi"],
  environment,
}: PackedProject): Promise<void> {
  const root = findPackageRoot();
  await cp(stack, project, { recursive: true });
  await requireProgram(
    "installing the package",
    "npm",
    [
      ...["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"],
      tarball,
      ...(await Promise.all(sdk.map((name) => pinInstalled(root, name)))),
    ],
    { ...optionsOf(environment), cwd: project },
  );
}

function optionsOf(environment: NodeJS.ProcessEnv): ProgramOptions {
  return { env: environment, timeoutMs: npmTimeoutMs, passSignals: true };
}

/** npm prints what its scripts print before the JSON. */
function lastJson(text: string): string {
  return text.slice(text.lastIndexOf("\n[") + 1);
}

/** A package in the version that is installed here. */
async function pinInstalled(root: string, name: string): Promise<string> {
  const text = await readFile(join(root, "node_modules", name, "package.json"), "utf8");
  return `${name}@${z.object({ version: z.string() }).parse(JSON.parse(text)).version}`;
}

/** Settings of the Pulumi CLI for a project whose state, home and passphrase lie in `folder`. It asks nothing of the outside. */
export function pulumiEnvironment(folder: string): NodeJS.ProcessEnv {
  return {
    PULUMI_HOME: join(folder, "pulumi"),
    PULUMI_BACKEND_URL: `file://${join(folder, "state")}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: join(folder, "passphrase"),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_SUPPRESS_NEO_LINK: "true",
  };
}
