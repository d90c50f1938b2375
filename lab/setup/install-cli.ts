import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { copyFile, mkdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { StackyardError } from "../../providers/core/errors.ts";
import { findOnPath, requireProgram, runProgram } from "./program.ts";
import { withPulse, type Say } from "./progress.ts";
import { askVersion, installedCli, programsOf, type PinnedCli } from "./clis.ts";
import { recipes } from "./recipes.ts";
import { isAtLeast, parseVersion, showVersion } from "./versions.ts";

/**
 * Puts a CLI into the user's cache: the official release, else a build from pinned Go modules. The folder appears whole
 * or not at all. Call it under set-up's lock.
 * @param releases - Address of all its releases; default: where its makers publish them.
 * @throws StackyardError `host-unsuitable` when neither way works, with the reason of each.
 */
export async function installCli(
  cli: PinnedCli,
  cache: string,
  say: Say,
  releases: string = recipes[cli.name].releases,
): Promise<void> {
  const work = join(cache, cli.name, ".new"); // of a killed run too: the build goes on with what it had compiled
  const bin = join(work, "bin");
  await removeTree(bin);
  await mkdir(bin, { recursive: true });
  try {
    await fill({ cli, work, bin }, say, releases);
    const version = await askVersion(join(bin, cli.program));
    if (version === undefined || showVersion(version) !== cli.version) {
      throw new StackyardError("host-unsuitable", {
        message: `the installed ${cli.title} CLI does not answer as ${cli.version}`,
      });
    }
    const destination = installedCli(cli, cache);
    await mkdir(dirname(destination), { recursive: true });
    await rm(destination, { recursive: true, force: true });
    await rename(bin, destination);
  } finally {
    await removeTree(work);
  }
}

/** An installation that goes on. */
interface Installation {
  readonly cli: PinnedCli;
  /** Goes afterwards. */
  readonly work: string;
  /** Gets the programs. */
  readonly bin: string;
}

async function fill(installation: Installation, say: Say, releases: string): Promise<void> {
  const { cli } = installation;
  const reasons: string[] = [];
  const ways = [
    {
      what: `${cli.title} ${cli.version}: official release`,
      go: (waitFor: Say) => downloadRelease(installation, releases, waitFor),
    },
    {
      what: `${cli.title} ${cli.version}: build from pinned Go modules (${recipes[cli.name].buildTime}, once)`,
      go: (waitFor: Say) => buildFromModules(installation, waitFor),
    },
  ];
  for (const { what, go } of ways) {
    try {
      await withPulse(say, what, go);
      return;
    } catch (error) {
      const reason = tellReason(error);
      say(`${what}: ${reason}`);
      reasons.push(`${what}: ${reason}`);
    }
  }
  throw new StackyardError("host-unsuitable", {
    message: `installing the ${cli.title} CLI failed`,
    notes: reasons,
    remedy: `Install ${cli.title} ${showVersion(cli.oldest)} or newer (${cli.installPage}), or Go (https://go.dev/doc/install), and run again.`,
  });
}

/** The messages of an error and its causes on one line, and its notes below. */
function tellReason(error: unknown): string {
  const messages: string[] = [];
  for (let cause = error; cause instanceof Error; cause = cause.cause) messages.push(cause.message);
  const notes = error instanceof StackyardError ? error.notes : [];
  return [messages.join(": "), ...notes].join("\n  ");
}

/** How long the release server may stay silent: first byte and between two bytes. */
const silenceMs = 10_000;

/** Fetches the release's archive, compares it with the release's checksums and takes the programs out of it. */
async function downloadRelease(
  { cli, work, bin }: Installation,
  releases: string,
  waitFor: Say,
): Promise<void> {
  const { archive, archiveFolder, checksums, hash: algorithm } = recipes[cli.name];
  const base = `${releases}/v${cli.version}`;
  waitFor("waiting for the list of checksums");
  const sums = await (await get(`${base}/${checksums}`, AbortSignal.timeout(silenceMs))).text();
  const wanted = checksumOf(archive, sums);
  if (wanted === undefined) {
    throw new StackyardError("host-unsuitable", {
      message: `${checksums} of the release does not list ${archive}`,
    });
  }
  const stall = new AbortController();
  const timer = setTimeout(() => {
    stall.abort(new Error(`no data for ${silenceMs / 1000} s`));
  }, silenceMs);
  const hash = createHash(algorithm);
  let bytes = 0;
  const watch = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      timer.refresh();
      hash.update(chunk);
      bytes += chunk.length;
      waitFor(`${(bytes / 2 ** 20).toFixed(0)} MiB fetched`);
      done(null, chunk);
    },
  });
  const file = join(work, archive);
  try {
    const { body } = await get(`${base}/${archive}`, stall.signal);
    if (body === null)
      throw new StackyardError("host-unsuitable", { message: `${archive} came without content` });
    await pipeline(Readable.fromWeb(body), watch, createWriteStream(file), { signal: stall.signal });
  } finally {
    clearTimeout(timer);
  }
  const actual = hash.digest("hex");
  if (actual !== wanted) {
    throw new StackyardError("host-unsuitable", {
      message: `${archive} has ${algorithm} ${actual}, the release says ${wanted}`,
    });
  }
  waitFor("unpacking");
  await requireProgram("unpacking the release", "tar", [
    "-xzf",
    file,
    "-C",
    bin,
    `--strip-components=${archiveFolder.split("/").length - 1}`,
    ...programsOf(cli).map((program) => archiveFolder + program),
  ]);
}

async function get(url: string, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (cause) {
    throw new StackyardError("host-unsuitable", { message: `${url} cannot be reached`, cause });
  }
  if (!response.ok)
    throw new StackyardError("host-unsuitable", { message: `${url} answered ${response.status}` });
  return response;
}

/** The hash of a file in the format of sha512sum, in lower case. */
export function checksumOf(file: string, sums: string): string | undefined {
  for (const line of sums.split("\n")) {
    const [hash, name] = line.trim().split(/\s+\*?(?:\.\/)?/);
    if (name === file) return hash?.toLowerCase();
  }
  return undefined;
}

/** Builds the programs from the modules pinned in `clis/`, in caches of their own that go afterwards. */
async function buildFromModules({ cli, work, bin }: Installation, waitFor: Say): Promise<void> {
  const clis = join(import.meta.dirname, "clis");
  const { builds, scripts } = recipes[cli.name];
  for (const { folder } of builds) await requireGo(join(clis, folder, "go.mod"));
  const env = {
    ...process.env,
    GOMODCACHE: join(work, "modules"),
    GOCACHE: join(work, "build"),
    GOFLAGS: "-trimpath -modcacherw",
    GOTOOLCHAIN: "local",
    GOWORK: "off",
    CGO_ENABLED: "0",
  };
  for (const { program, folder, module, tags, variable } of builds) {
    const flags = ["-tags", tags, "-ldflags", `-s -w -X ${variable}`];
    await requireProgram(
      `building ${program}`,
      "go",
      ["build", "-v", ...flags, "-o", join(bin, program), module],
      {
        cwd: join(clis, folder),
        env,
        onLine: (line) => {
          waitFor(line.startsWith("go: ") ? line.slice("go: ".length) : `compiling ${line}`);
        },
      },
    );
  }
  for (const { program, package: name } of scripts) {
    const folder = dirname(fileURLToPath(import.meta.resolve(`${name}/package.json`)));
    await copyFile(join(folder, program), join(bin, program));
  }
}

async function requireGo(goMod: string): Promise<void> {
  const needed = parseVersion(/^go (.*)$/m.exec(await readFile(goMod, "utf8"))?.[1] ?? "");
  if (needed === undefined) throw new Error(`${goMod} names no Go version`);
  const file = await findOnPath("go", process.env["PATH"] ?? "");
  const found =
    file === undefined ? undefined : parseVersion((await runProgram(file, ["env", "GOVERSION"])).stdout);
  if (found !== undefined && isAtLeast(found, needed)) return;
  const have = found === undefined ? "there is no go on PATH" : `go on PATH is ${showVersion(found)}`;
  throw new StackyardError("host-unsuitable", {
    message: `the build needs Go ${showVersion(needed)} or newer, and ${have}`,
    remedy: "Install Go from https://go.dev/doc/install (Debian 12's own is too old), or the CLI itself.",
  });
}

async function removeTree(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}
