import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { StackyardError } from "../../providers/core/errors.ts";
import { findOnPath, requireProgram, runProgram } from "./program.ts";
import { withPulse, type Say } from "./progress.ts";
import {
  askPulumiVersion,
  dynamicProvider,
  installedPulumi,
  languageHost,
  oldestPulumi,
  pulumiPrograms,
  pulumiVersion,
} from "./pulumi.ts";
import { isAtLeast, parseVersion, showVersion } from "./versions.ts";

/** Last release whose Go module holds the Node.js language host; it drives today's CLI. `clis/pulumi-language-nodejs/go.mod` pins the same. */
const languageHostVersion = "3.60.0";

const officialReleases = "https://github.com/pulumi/pulumi/releases/download";

/**
 * Puts Pulumi into the user's cache: the official release, else a build from pinned Go modules. The folder appears
 * whole or not at all. Call it under set-up's lock.
 * @throws StackyardError `host-unsuitable` when neither way works, with the reason of each.
 */
export async function installPulumi(
  cache: string,
  say: Say,
  releases: string = officialReleases,
): Promise<void> {
  const parent = join(cache, "pulumi");
  await mkdir(parent, { recursive: true });
  for (const entry of await readdir(parent)) {
    if (entry.startsWith(".new-")) await removeTree(join(parent, entry)); // left by a killed run
  }
  const work = await mkdtemp(join(parent, ".new-"));
  const bin = join(work, "bin");
  await mkdir(bin);
  try {
    await fillWithPulumi(work, bin, say, releases);
    const version = await askPulumiVersion(join(bin, "pulumi"));
    if (version === undefined || showVersion(version) !== pulumiVersion) {
      throw new StackyardError("host-unsuitable", {
        message: `the installed Pulumi CLI does not answer as ${pulumiVersion}`,
      });
    }
    const destination = installedPulumi(cache);
    await mkdir(dirname(destination), { recursive: true });
    await rm(destination, { recursive: true, force: true });
    await rename(bin, destination);
  } finally {
    await removeTree(work);
  }
}

async function fillWithPulumi(work: string, bin: string, say: Say, releases: string): Promise<void> {
  const reasons: string[] = [];
  const ways = [
    {
      what: `Pulumi ${pulumiVersion}: official release`,
      go: (waitFor: Say) => downloadRelease(releases, work, bin, waitFor),
    },
    {
      what: `Pulumi ${pulumiVersion}: build from pinned Go modules (3 to 6 minutes, once)`,
      go: (waitFor: Say) => buildFromModules(work, bin, waitFor),
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
    message: `installing the Pulumi CLI failed`,
    notes: reasons,
    remedy: `Install Pulumi ${showVersion(oldestPulumi)} or newer (https://www.pulumi.com/docs/install/), or Go (https://go.dev/doc/install), and run again.`,
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

/** Fetches the release archive, compares it with the release's SHA512SUMS and takes the three programs out of it. */
async function downloadRelease(releases: string, work: string, bin: string, waitFor: Say): Promise<void> {
  const archive = `pulumi-v${pulumiVersion}-${process.platform}-${process.arch}.tar.gz`;
  const base = `${releases}/v${pulumiVersion}`;
  waitFor("waiting for the list of checksums");
  const sums = await (await get(`${base}/SHA512SUMS`, AbortSignal.timeout(silenceMs))).text();
  const wanted = checksumOf(archive, sums);
  if (wanted === undefined) {
    throw new StackyardError("host-unsuitable", {
      message: `the release's SHA512SUMS does not list ${archive}`,
    });
  }
  const stall = new AbortController();
  const timer = setTimeout(() => {
    stall.abort(new Error(`no data for ${silenceMs / 1000} s`));
  }, silenceMs);
  const hash = createHash("sha512");
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
      message: `${archive} has SHA-512 ${actual}, the release says ${wanted}`,
    });
  }
  waitFor("unpacking");
  const members = pulumiPrograms.map((program) => `pulumi/${program}`);
  await requireProgram("unpacking the release", "tar", [
    "-xzf",
    file,
    "-C",
    bin,
    "--strip-components=1",
    ...members,
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

/** Builds the CLI and its language host from the modules pinned in `clis/`, in caches of its own that go afterwards. */
async function buildFromModules(work: string, bin: string, waitFor: Say): Promise<void> {
  const clis = join(import.meta.dirname, "clis");
  await requireGo(await readFile(join(clis, "pulumi", "go.mod"), "utf8"));
  const env = {
    ...process.env,
    GOMODCACHE: join(work, "modules"),
    GOCACHE: join(work, "build"),
    GOFLAGS: "-trimpath -modcacherw",
    GOTOOLCHAIN: "local",
    GOWORK: "off",
    CGO_ENABLED: "0",
  };
  const sdk = "github.com/pulumi/pulumi/sdk/v3";
  const builds = [
    {
      program: "pulumi",
      module: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
      version: pulumiVersion,
      tags: "osusergo,grpcnotrace",
    },
    {
      program: languageHost,
      module: `${sdk}/nodejs/cmd/${languageHost}`,
      version: languageHostVersion,
      tags: "",
    },
  ];
  for (const { program, module, version, tags } of builds) {
    const flags = ["-tags", tags, "-ldflags", `-s -w -X ${sdk}/go/common/version.Version=v${version}`];
    await requireProgram(
      `building ${program}`,
      "go",
      ["build", "-v", ...flags, "-o", join(bin, program), module],
      {
        cwd: join(clis, program),
        env,
        onLine: (line) => {
          waitFor(line.startsWith("go: ") ? line.slice("go: ".length) : `compiling ${line}`);
        },
      },
    );
  }
  const script = join(
    dirname(fileURLToPath(import.meta.resolve("@pulumi/pulumi/package.json"))),
    dynamicProvider,
  );
  await copyFile(script, join(bin, dynamicProvider));
}

async function requireGo(goMod: string): Promise<void> {
  const needed = parseVersion(/^go (.*)$/m.exec(goMod)?.[1] ?? "");
  if (needed === undefined) throw new Error("go.mod of the Pulumi CLI names no Go version");
  const file = await findOnPath("go", process.env["PATH"] ?? "");
  const found =
    file === undefined ? undefined : parseVersion((await runProgram(file, ["env", "GOVERSION"])).stdout);
  if (found !== undefined && isAtLeast(found, needed)) return;
  const have = found === undefined ? "there is no go on PATH" : `go on PATH is ${showVersion(found)}`;
  throw new StackyardError("host-unsuitable", {
    message: `the build needs Go ${showVersion(needed)} or newer, and ${have}`,
    remedy: "Install Go from https://go.dev/doc/install (Debian 12's own is too old), or Pulumi itself.",
  });
}

async function removeTree(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}
