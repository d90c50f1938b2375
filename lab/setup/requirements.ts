import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { cacheFolder } from "../folders.ts";
import packages from "./packages.json" with { type: "json" };
import { findOnPath, runProgram } from "./program.ts";
import { findPulumi, oldestPulumi } from "./pulumi.ts";
import { isAtLeast, parseVersion, showVersion, type Version } from "./versions.ts";

/** What a check found. */
export type Finding =
  | { readonly state: "present"; readonly found: string }
  | {
      readonly state: "missing";
      readonly found: string;
      /** What to type, or to read, to get it. */
      readonly remedy: string;
    };

/** One thing that the lab, the tests or a stack need on this machine. */
export interface Requirement {
  readonly name: "Node.js" | "Debian packages" | "Pulumi CLI";
  /** `stack`: every use. `lab`: only where the hosts are made on this machine, and by the tests. */
  readonly neededFor: "stack" | "lab";
  readonly check: () => Promise<Finding>;
}

/** The checkout runs its TypeScript directly, on the Node that the launcher brings; the published package is compiled. */
const isCheckout = existsSync(join(import.meta.dirname, "launch.mjs"));
const oldestNode: Version = isCheckout ? [24, 0, 0] : [22, 19, 0];
const neededPackages: readonly string[] = packages.map(({ name }) => name);

/** All that set-up makes sure of, in the order of installation. */
export const requirements: readonly Requirement[] = [
  { name: "Node.js", neededFor: "stack", check: checkNode },
  { name: "Debian packages", neededFor: "lab", check: checkPackages },
  { name: "Pulumi CLI", neededFor: "stack", check: checkPulumi },
];

function checkNode(): Promise<Finding> {
  const found = process.versions.node;
  const version = parseVersion(found);
  const fits = version !== undefined && isAtLeast(version, oldestNode);
  const remedy = `Install Node ${showVersion(oldestNode)} or newer: https://nodejs.org/en/download`;
  return Promise.resolve(fits ? { state: "present", found } : { state: "missing", found, remedy });
}

async function checkPackages(): Promise<Finding> {
  const missing = await findMissingPackages();
  if (missing?.length === 0) return { state: "present", found: `all ${neededPackages.length}` };
  const install = (names: readonly string[]): string =>
    `sudo apt-get install -y --no-install-recommends ${names.join(" ")}`;
  return missing === undefined
    ? {
        state: "missing",
        found: "no dpkg on PATH",
        remedy: `On Debian 12 or newer: ${install(neededPackages)}`,
      }
    : { state: "missing", found: `without ${missing.join(" ")}`, remedy: install(missing) };
}

/** The Debian packages that are not installed here; undefined where the machine is no Debian. */
export async function findMissingPackages(): Promise<readonly string[] | undefined> {
  const dpkgQuery = await findOnPath("dpkg-query", process.env["PATH"] ?? "");
  if (dpkgQuery === undefined) return undefined;
  const format = "${Package}\t${db:Status-Status}\n";
  const { stdout } = await runProgram(dpkgQuery, ["-W", "-f", format, ...neededPackages]);
  return missingPackages(neededPackages, stdout);
}

/** The packages of `wanted` that `dpkg-query -W -f '${Package}\t${db:Status-Status}\n'` does not list as installed. */
export function missingPackages(wanted: readonly string[], listing: string): readonly string[] {
  const lines = new Set(listing.split("\n"));
  return wanted.filter((name) => !lines.has(`${name}\tinstalled`));
}

async function checkPulumi(): Promise<Finding> {
  const pulumi = await findPulumi({ path: process.env["PATH"] ?? "", cache: cacheFolder() });
  if (pulumi.state === "found") {
    return { state: "present", found: `${pulumi.version} in ${pulumi.folder}` };
  }
  const byHand = `Install Pulumi ${showVersion(oldestPulumi)} or newer: https://www.pulumi.com/docs/install/`;
  return {
    state: "missing",
    found: pulumi.reason,
    remedy: isCheckout ? "node lab/setup/launch.mjs setup" : byHand,
  };
}

/** A PATH whose first folders hold this Node and the Pulumi CLI that our stacks need, for the programs that we start. */
export async function toolPath(): Promise<string> {
  const path = process.env["PATH"] ?? "";
  const folders = [path];
  const pulumi = await findPulumi({ path, cache: cacheFolder() });
  if (pulumi.state === "found" && pulumi.from === "cache") folders.unshift(pulumi.folder);
  if ((await findOnPath("node", path)) !== process.execPath) folders.unshift(dirname(process.execPath));
  return folders.join(delimiter);
}
