import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { cacheFolder } from "../folders.ts";
import { findCli, opentofu, pulumi, terraform, type Cli, type FoundCli } from "./clis.ts";
import { installedNode } from "./nodes.ts";
import packages from "./packages.json" with { type: "json" };
import { findOnPath, isExecutable, runProgram } from "./program.ts";
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

/**
 * What a person may want to do. `stack`: deploy to hosts of their own. `lab`: make hosts on this machine. `quickstart`
 * and `test` are the commands of the checkout.
 */
export type Purpose = "stack" | "lab" | "quickstart" | "test";

/** One thing that something needs on this machine. */
export interface Requirement {
  readonly name: "Node.js" | "engine CLI" | "Debian packages" | "Pulumi CLI" | "OpenTofu CLI" | "Node.js 22";
  readonly neededFor: readonly Purpose[];
  readonly check: () => Promise<Finding>;
}

/** The checkout runs its TypeScript directly, on the Node that the launcher brings; the published package is compiled. */
const isCheckout = existsSync(join(import.meta.dirname, "launch.mjs"));
const oldestNode: Version = isCheckout ? [24, 0, 0] : [22, 19, 0];
const neededPackages: readonly string[] = packages.map(({ name }) => name);

/** What can be done here: the published package has neither the quickstart nor the tests. */
export const purposes: readonly Purpose[] = isCheckout
  ? ["stack", "lab", "quickstart", "test"]
  : ["stack", "lab"];

const allRequirements: readonly Requirement[] = [
  { name: "Node.js", neededFor: ["stack", "lab", "quickstart", "test"], check: checkNode },
  { name: "engine CLI", neededFor: ["stack"], check: checkEngine },
  { name: "Debian packages", neededFor: ["lab", "quickstart", "test"], check: checkPackages },
  { name: "Pulumi CLI", neededFor: ["quickstart", "test"], check: () => checkCli(pulumi) },
  { name: "OpenTofu CLI", neededFor: ["test"], check: () => checkCli(opentofu) },
  { name: "Node.js 22", neededFor: ["test"], check: checkOldNode },
];

/** What the purposes need, in the order of installation, each with those of them that need it. */
export function requirementsFor(wanted: readonly Purpose[]): readonly Requirement[] {
  return allRequirements
    .map((requirement) => ({
      ...requirement,
      neededFor: requirement.neededFor.filter((purpose) => wanted.includes(purpose)),
    }))
    .filter(({ neededFor }) => neededFor.length > 0);
}

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

const setUpRemedy = "node lab/setup/launch.mjs setup";

async function checkCli(cli: Cli): Promise<Finding> {
  const found = await find(cli);
  return found.state === "found"
    ? { state: "present", found: `${found.version} in ${found.folder}` }
    : { state: "missing", found: found.reason, remedy: setUpRemedy };
}

/** A stack needs the CLI of one engine; which one is the person's choice. */
async function checkEngine(): Promise<Finding> {
  const found: string[] = [];
  const reasons: string[] = [];
  const choices: string[] = [];
  for (const cli of [pulumi, terraform, opentofu]) {
    const result = await find(cli);
    if (result.state === "found") found.push(`${cli.title} ${result.version} in ${result.folder}`);
    else reasons.push(result.reason);
    choices.push(`${cli.title} ${showVersion(cli.oldest)} or newer (${cli.installPage})`);
  }
  return found.length > 0
    ? { state: "present", found: found.join(", ") }
    : { state: "missing", found: reasons.join(", "), remedy: `Install one: ${choices.join(", ")}` };
}

function find(cli: Cli): Promise<FoundCli> {
  return findCli(cli, { path: process.env["PATH"] ?? "", cache: cacheFolder() });
}

async function checkOldNode(): Promise<Finding> {
  const folder = installedNode("22");
  return (await isExecutable(join(folder, "node")))
    ? { state: "present", found: folder }
    : {
        state: "missing",
        found: "not in the cache; cdktf-cli starts on no newer one",
        remedy: setUpRemedy,
      };
}

/** A PATH whose first folders hold this Node and the CLIs that set-up has installed, for the programs that we start. */
export async function toolPath(): Promise<string> {
  const path = process.env["PATH"] ?? "";
  const clis = await Promise.all([find(pulumi), find(opentofu)]);
  const folders = clis.flatMap((cli) => (cli.state === "found" && cli.from === "cache" ? [cli.folder] : []));
  if ((await findOnPath("node", path)) !== process.execPath) folders.unshift(dirname(process.execPath));
  return [...folders, path].join(delimiter);
}
