import { existsSync } from "node:fs";
import { cp, link, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StackyardError } from "../../../providers/core/errors.ts";
import { describeSize } from "../../../providers/core/bytes.ts";
import { cacheFolder } from "../../folders.ts";
import { withLock } from "../../lock.ts";
import type { ProgramOptions, ProgramResult } from "../../setup/program.ts";
import { describeSources, hashSources, listPackages } from "./recipe.ts";
import type { ImageRecipe } from "./recipe.ts";

/** How long a download waits for another that goes into the same cache. */
const downloadWaitMs = 30 * 60_000;

/** How often a percentage is told. */
export const percentStep = 5;

const archiveKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Packages, of whatever image, and for each mirror its lists. All of it can be downloaded again. */
function packagesFolder(): string {
  return join(cacheFolder(), "lab", "packages");
}

/** Where apt keeps complete packages, and in `partial` what a killed download has got so far. */
export function archivesFolder(): string {
  return join(packagesFolder(), "archives");
}

/** Runs a program of the build. Raises `command-failed`. */
export type RunProgram = (
  attempting: string,
  file: string,
  args: readonly string[],
  more?: ProgramOptions,
) => Promise<ProgramResult>;

/** A package as `apt-get --print-uris` names it. */
export interface PackageFile {
  /** Name of the file in apt's cache. */
  readonly file: string;
  readonly bytes: number;
}

/** Reads the lines of `apt-get --print-uris`: `'URI' FILE BYTES HASH`. */
export function parseUris(text: string): PackageFile[] {
  return [...text.matchAll(/^'[^']+' (\S+\.deb) (\d+)( |$)/gm)].map(([, file = "", bytes = ""]) => ({
    file,
    bytes: Number(bytes),
  }));
}

/** Reads a line of apt's status (apt: `doc/progress-reporting.md`): percent of a download; undefined for other lines. */
export function parseDownloadStatus(line: string): number | undefined {
  const percent = /^dlstatus:\d+:([\d.]+):/.exec(line)?.[1];
  return percent === undefined ? undefined : Math.round(Number(percent));
}

/** A configuration that has nothing of the machine's own but its proxies. */
async function writeConfiguration(work: string, recipe: ImageRecipe, proxies: string): Promise<string> {
  const lists = join(packagesFolder(), `lists-${hashSources(recipe)}`);
  const state = join(work, "apt");
  const folders = [
    state,
    join(state, "none", "partial"),
    join(lists, "partial"),
    join(archivesFolder(), "partial"),
  ];
  for (const folder of folders) await mkdir(folder, { recursive: true });
  const sources = join(state, "sources.list");
  await writeFile(sources, describeSources(recipe));
  await writeFile(join(state, "status"), "");
  const settings: Readonly<Record<string, string>> = {
    "Dir::Etc::main": "/dev/null",
    "Dir::Etc::parts": "/dev/null",
    "Dir::Etc::preferences": "/dev/null",
    "Dir::Etc::preferencesparts": "/dev/null",
    "Dir::Etc::sourcelist": sources,
    "Dir::Etc::sourceparts": "/dev/null",
    // Where the machine is of another distribution, its own keys do not do.
    ...(existsSync(archiveKeyring) ? { "Dir::Etc::trusted": archiveKeyring } : {}),
    "Dir::State": state,
    "Dir::State::status": join(state, "status"),
    "Dir::State::lists": lists,
    "Dir::Cache": state,
    "Dir::Cache::archives": archivesFolder(),
    "APT::Architecture": "amd64",
    "APT::Architectures": "amd64",
    "APT::Install-Recommends": "false",
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
    "Acquire::Retries": "3",
    // The cache has a lock of ours.
    "Debug::NoLocking": "true",
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`);
  const file = join(state, "apt.conf");
  await writeFile(file, [...lines, proxies].join(""));
  return file;
}

/** Lines of apt's configuration that say how this machine reaches mirrors. */
async function readProxies(run: RunProgram): Promise<string> {
  const { stdout } = await run("reading apt's configuration", "apt-config", ["dump", "Acquire"]);
  return stdout
    .split("\n")
    .filter((line) => /^Acquire::\w+::Proxy\S* "[^"]/.test(line))
    .map((line) => `${line}\n`)
    .join("");
}

/**
 * Brings all packages of a recipe into the cache, and lays them and the mirror's lists into `work`, as `packages` and
 * `lists`. What is in the cache already is not downloaded again, be it a part of a package. Without a network, the lists of
 * the last time do, when all packages are there.
 * @throws StackyardError `image-unreachable` with what apt said.
 */
export async function downloadPackages(
  recipe: ImageRecipe,
  work: string,
  run: RunProgram,
  options: { readonly onProgress: (message: string) => void; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const { onProgress, signal } = options;
  const onWait = (): void => onProgress("waiting for another download");
  await withLock(packagesFolder(), { waitMs: downloadWaitMs, signal, onWait }, async () => {
    const configuration = await writeConfiguration(work, recipe, await readProxies(run));
    const lists = join(packagesFolder(), `lists-${hashSources(recipe)}`);
    const apt = (attempting: string, words: readonly string[], onLine?: (line: string) => void) =>
      run(attempting, "env", [`APT_CONFIG=${configuration}`, "apt-get", ...words], {
        timeoutMs: downloadWaitMs,
        ...(onLine === undefined ? {} : { onLine }),
      });
    onProgress("package lists");
    await apt("reading the mirror's lists", ["update", "-q"]);
    // As mmdebstrap chooses them: the essential ones, those of minbase, and ours.
    const wanted = ["?essential", "?priority(required)", "apt", ...listPackages(recipe)];
    const install = ["install", "-q", "--yes"];
    const { stdout } = await apt("choosing packages", [
      ...install,
      ...["--print-uris", `--option=Dir::Cache::archives=${join(work, "apt", "none")}/`],
      ...wanted,
    ]);
    const files = parseUris(stdout);
    if (files.length === 0) throw new TypeError("apt names no packages");
    const missing = await listMissing(files);
    if (missing.length > 0) {
      const size = describeSize(missing.reduce((sum, { bytes }) => sum + bytes, 0));
      const title = `downloading ${String(missing.length)} of ${String(files.length)} packages, ${size}`;
      onProgress(title);
      let last = 0;
      await apt(
        "downloading packages",
        [...install, "--download-only", "--option=APT::Status-Fd=1", ...wanted],
        (line) => {
          const percent = parseDownloadStatus(line) ?? 0;
          if (percent < last + percentStep) return;
          last = percent;
          onProgress(`${title}: ${String(percent)} %`);
        },
      );
    }
    const still = await listMissing(files);
    if (still.length > 0)
      throw new StackyardError("image-unreachable", {
        message: `packages of ${recipe.distribution} were not downloaded: ${still.map(({ file }) => file).join(", ")}`,
        field: "mirror",
        value: recipe.mirror,
        remedy: "Run again: it goes on where it stopped.",
      });
    await mkdir(join(work, "packages"));
    for (const { file } of files) await link(join(archivesFolder(), file), join(work, "packages", file));
    await cp(lists, join(work, "lists"), { recursive: true });
  });
}

/** Those that the cache does not have in their size. */
async function listMissing(files: readonly PackageFile[]): Promise<PackageFile[]> {
  const there = await Promise.all(
    files.map(async ({ file, bytes }) => {
      const path = join(archivesFolder(), file);
      return existsSync(path) && (await stat(path)).size === bytes;
    }),
  );
  return files.filter((_, index) => there[index] === false);
}

/**
 * Removes packages, and parts of them, that none of the images has.
 * @param installed `NAME VERSION` of what images have.
 * @returns bytes of what goes, or would.
 */
export async function collectPackages(installed: ReadonlySet<string>, dryRun: boolean): Promise<number> {
  return withLock(packagesFolder(), { waitMs: 0 }, async () => {
    let freed = 0;
    for (const folder of [archivesFolder(), join(archivesFolder(), "partial")]) {
      const names = existsSync(folder) ? await readdir(folder) : [];
      for (const name of names) {
        const path = join(folder, name);
        const found = await stat(path);
        if (!found.isFile() || installed.has(nameOf(name))) continue;
        freed += found.blocks * 512;
        if (!dryRun) await rm(path);
      }
    }
    return freed;
  });
}

/** `NAME VERSION` of a package's file, whose colons apt writes as `%3a`; of others something that no image has. */
export function nameOf(file: string): string {
  const [, name = "", version = ""] = /^([^_]+)_([^_]+)_[^_]+\.deb$/.exec(file) ?? [];
  return `${name} ${version.replaceAll("%3a", ":")}`;
}
