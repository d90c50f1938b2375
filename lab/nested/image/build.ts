import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  utimes,
  writeFile,
} from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { StackyardError } from "../../../providers/core/errors.ts";
import { labAsset } from "../../folders.ts";
import { requireInstalled } from "../../installed-programs.ts";
import { systemPath } from "../../process.ts";
import { requireProgram, runProgram } from "../../setup/program.ts";
import type { ProgramOptions } from "../../setup/program.ts";
import { hashFile } from "../checksum.ts";
import { requireSpace } from "../resources.ts";
import { diskModules, writeInitrd } from "./initrd.ts";
import { parseStatus } from "./manifest.ts";
import type { ImageManifest } from "./manifest.ts";
import { downloadPackages, percentStep } from "./download.ts";
import type { RunProgram } from "./download.ts";
import { describeSources, hashRecipe, listOverlay, listPackages, suiteOf } from "./recipe.ts";
import type { ImageRecipe } from "./recipe.ts";

/** Programs that the making of an image starts. */
export const imagePrograms = [
  "mmdebstrap",
  "mke2fs",
  "tar",
  "busybox",
  "unshare",
  "setpriv",
  "apt-get",
  "xz",
];

/** Times of all files, so that equal packages make equal images. */
const fixedTime = 1_700_000_000;
/** Environment of programs that write into images. */
export const fileSystemTimes = {
  SOURCE_DATE_EPOCH: String(fixedTime),
  E2FSPROGS_FAKE_TIME: String(fixedTime),
} as const;
const fixedUuid = "5ac7a4d0-0000-4000-8000-000000000002";
/** Of the file system; it grows with its disk at the first boot. */
const fileSystemSize = "3G";
/** Packages, the tree of them and the file system, while they are made. */
const buildDiskMib = 4096;

/** More than the base system has. */
const manyPackages = 150;

const busyboxPath = "/usr/bin/busybox";

/** How a build is followed. */
export interface BuildOptions {
  readonly onProgress?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Builds an image into a folder, which is there with all its files or not at all; one that is there is replaced in the
 * end. The caller holds the lock of the folder.
 * @throws StackyardError `host-unsuitable` when programs, or subordinate users of one who is not root, are missing, `host-disk-full` with the numbers,
 * `image-unreachable` when the packages cannot be had.
 */
export async function buildImage(recipe: ImageRecipe, folder: string, options: BuildOptions): Promise<void> {
  requireInstalled(imagePrograms);
  if (!isRoot()) await requireUserNamespace();
  await requireSpace(dirname(folder), buildDiskMib, {
    subject: "the files of an image",
    field: "XDG_CACHE_HOME",
    remedy: "Free space: stackyard lab image gc removes images that no lab uses.",
  });
  await mkdir(dirname(folder), { recursive: true });
  await clearParts(folder);
  const work = await mkdtemp(`${folder}.part-`);
  try {
    const run = (attempting: string, file: string, args: readonly string[], more: ProgramOptions = {}) =>
      // When we are killed, they end too: nothing else goes on with a folder that the next build removes.
      requireProgram(attempting, "setpriv", ["--pdeathsig", "TERM", file, ...args], {
        cwd: work,
        env: {
          ...proxyVariables(),
          PATH: systemPath,
          LC_ALL: "C.UTF-8",
          TZ: "UTC",
          HOME: process.env["HOME"],
          TMPDIR: process.env["TMPDIR"],
          ...fileSystemTimes,
        },
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        ...more,
      });
    await writeOverlay(recipe, join(work, "overlay"));
    await run("packing the overlay", "tar", [
      ..."--create --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX".split(" "),
      `--mtime=@${String(fixedTime)}`,
      ...["--file=overlay.tar", "--directory=overlay", "."],
    ]);
    await installPackages(recipe, work, run, options);
    options.onProgress?.("kernel and initrd");
    await writeBootFiles(work, run);
    options.onProgress?.("file system");
    const words = [
      labAsset("nested", "image", "make-disk.sh"),
      "tree.tar",
      "root.raw",
      fileSystemSize,
      fixedUuid,
    ];
    await (isRoot()
      ? run("making the file system", "sh", words)
      : run("making the file system", "unshare", [...namespaceWords, "sh", ...words]));
    options.onProgress?.("checksums");
    await writeManifest(recipe, work);
    for (const name of [
      "tree.tar",
      "overlay.tar",
      "overlay",
      "packages",
      "lists",
      "apt",
      "boot",
      "lib",
      "usr",
      "var",
    ])
      await rm(join(work, name), { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
    await rename(work, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const isRoot = (): boolean => process.getuid?.() === 0;

/** A user namespace in which this user is root, and the other users of the image's files are its subordinate ones. */
const namespaceWords = ["--user", "--map-root-user", "--map-auto"];

/** @throws StackyardError `host-unsuitable` for a user who cannot have files of other users, not even in a namespace. */
async function requireUserNamespace(): Promise<void> {
  const { exitCode, tail } = await runProgram("unshare", [...namespaceWords, "true"], {
    env: { PATH: systemPath, LC_ALL: "C" },
  });
  if (exitCode === 0) return;
  const { username } = userInfo();
  throw new StackyardError("host-unsuitable", {
    message: `an image has files of many users, and user ${username} has no subordinate users for them`,
    field: "/etc/subuid",
    value: username,
    remedy: `Install the package uidmap, and give it some: sudo usermod --add-subuids 200000-265535 --add-subgids 200000-265535 ${username}. Or build as root: stackyard lab image build.`,
    notes: tail,
  });
}

/** How this user reaches the network; programs of the build get nothing else of the environment. */
function proxyVariables(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => /^(https?|ftp|no)_proxy$/i.test(name)),
  );
}

/** Removes what a killed build has left; one that is at work has its lock, which the caller holds. */
export async function clearParts(folder: string): Promise<void> {
  const parent = dirname(folder);
  const prefix = `${folder.slice(parent.length + 1)}.part-`;
  for (const name of (await readdir(parent)).filter((each) => each.startsWith(prefix)))
    await rm(join(parent, name), { recursive: true, force: true });
}

async function writeOverlay(recipe: ImageRecipe, folder: string): Promise<void> {
  for (const { path, content } of listOverlay(recipe)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

/** Makes `tree.tar`. No network is needed but for the downloading before. */
async function installPackages(
  recipe: ImageRecipe,
  work: string,
  run: RunProgram,
  { onProgress = () => undefined, signal }: BuildOptions,
): Promise<void> {
  const excluded = ["doc", "man", "locale", "info", "lintian"].map((name) => `/usr/share/${name}/*`);
  try {
    await downloadPackages(recipe, work, run, { onProgress, signal });
    const archives = "/var/cache/apt/archives";
    await run(
      "installing the image's packages",
      // As root it mounts into the tree: in a mount namespace, so that a killed build leaves no mount on the machine.
      isRoot() ? "unshare" : "mmdebstrap",
      [
        ...(isRoot() ? ["--mount", "mmdebstrap"] : []),
        ...["--verbose", "--variant=minbase", `--mode=${isRoot() ? "root" : "unshare"}`, "--format=tar"],
        `--include=${listPackages(recipe).join(",")}`,
        ...['--aptopt=Apt::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"'],
        `--setup-hook=mkdir -p "$1${archives}" "$1/var/lib/apt/lists"`,
        ...[`--setup-hook=sync-in packages ${archives}`, "--setup-hook=sync-in lists /var/lib/apt/lists"],
        "--skip=update,download/empty",
        // Nobody needs a half-written tree; the hosts of labs install packages quicker, too.
        "--dpkgopt=force-unsafe-io",
        ...excluded.map((path) => `--dpkgopt=path-exclude=${path}`),
        ...[
          "--customize-hook=tar-in overlay.tar /",
          `--customize-hook=${await readFile(labAsset("nested", "image", "customize.sh"), "utf8")}`,
        ],
        ...[suiteOf(recipe), "tree.tar", "-"],
      ],
      { stdin: describeSources(recipe), onLine: createFollower(onProgress), timeoutMs: 30 * 60_000 },
    );
  } catch (cause) {
    if (!(cause instanceof StackyardError)) throw cause;
    const isUnreachable = cause.notes.some((line) =>
      /Could not resolve|Could not connect|Failed to fetch|Temporary failure/.test(line),
    );
    throw new StackyardError(isUnreachable ? "image-unreachable" : "command-failed", {
      message: isUnreachable
        ? `the packages of ${recipe.distribution} cannot be fetched`
        : "the image's packages could not be installed",
      field: "mirror",
      value: recipe.mirror,
      remedy: "Check the machine's network, or set mirror in the topology to one that it reaches.",
      notes: cause.notes,
      cause,
    });
  }
}

/** Turns the lines of mmdebstrap, apt and dpkg into how far they are: packages of the second, larger set. */
function createFollower(onProgress: (message: string) => void): (line: string) => void {
  let all = 0;
  let done = 0;
  let last = "";
  const say = (message: string): void => {
    if (message !== last) onProgress(message);
    last = message;
  };
  return (line) => {
    const count = /(\d+) newly installed/.exec(line)?.[1];
    if (count !== undefined) {
      all = Number(count);
      done = 0;
    } else if (/^(Unpacking|Setting up) /.test(line)) {
      done += 0.5;
      const percent = Math.min(
        100,
        percentStep * Math.floor((100 / percentStep) * (done / Math.max(all, 1))),
      );
      say(all < manyPackages ? "installing the base system" : `installing packages: ${String(percent)} %`);
    } else if (line.startsWith("I: creating tarball")) say("packing the tree");
  };
}

/** Takes what hosts are booted with out of `tree.tar`: `vmlinuz`, and the modules of `initrd`. */
async function writeBootFiles(work: string, run: RunProgram): Promise<void> {
  const { stdout } = await run("reading the tree", "tar", ["--list", "--file=tree.tar"]);
  const paths = stdout.split("\n");
  const find = (pattern: RegExp): string | undefined => paths.find((path) => pattern.test(path));
  const kernel = find(/^\.\/boot\/vmlinuz-/);
  const builtin = find(/\/modules\.builtin$/);
  if (kernel === undefined || builtin === undefined) throw new TypeError("the image has no kernel");
  const loadable = diskModules.flatMap((name) => {
    const path = find(new RegExp(`/${name}\\.ko(\\.xz|\\.zst)?$`));
    return path === undefined ? [] : [{ name, path }];
  });
  const wanted = [kernel, builtin, "./var/lib/dpkg/status", ...loadable.map(({ path }) => path)];
  await run("taking the kernel out", "tar", ["--extract", "--file=tree.tar", ...wanted]);
  requireBuiltin(
    await readFile(join(work, builtin), "utf8"),
    ["ext4", ...diskModules].filter((name) => !loadable.some((module) => module.name === name)),
  );
  await copyFile(join(work, kernel), join(work, "vmlinuz"));
  const modules = new Map<string, Uint8Array>();
  for (const { name, path } of loadable) modules.set(name, await readModule(join(work, path), run));
  await writeFile(join(work, "initrd"), await writeInitrd(busyboxPath, modules));
  for (const name of ["vmlinuz", "initrd"]) await utimes(join(work, name), fixedTime, fixedTime);
}

/** What the kernel needs for its root and has not as a module must be within it. */
function requireBuiltin(builtin: string, names: readonly string[]): void {
  const missing = names.filter((name) => !builtin.includes(`/${name}.ko\n`));
  if (missing.length > 0) throw new TypeError(`the image's kernel has no ${missing.join(", ")}`);
}

/** A kernel module, which newer kernels have compressed. */
async function readModule(path: string, run: RunProgram): Promise<Uint8Array> {
  if (path.endsWith(".zst")) return zstdDecompressSync(await readFile(path));
  if (!path.endsWith(".xz")) return readFile(path);
  await run("unpacking a kernel module", "xz", ["--decompress", path]);
  return readFile(path.slice(0, -".xz".length));
}

async function writeManifest(recipe: ImageRecipe, work: string): Promise<void> {
  const names = ["root.raw", "vmlinuz", "initrd"] as const;
  for (const name of names) await chmod(join(work, name), 0o444);
  const [root, kernel, initrd] = await Promise.all(names.map((name) => hashFile(join(work, name))));
  const tree = await hashFile(join(work, "tree.tar"));
  if (root === undefined || kernel === undefined || initrd === undefined)
    throw new TypeError("an image has three files");
  const manifest: ImageManifest = {
    version: 1,
    hash: hashRecipe(recipe),
    distribution: recipe.distribution,
    roles: [...recipe.roles],
    builtAt: new Date().toISOString(),
    treeSha256: tree.sha256,
    packages: parseStatus(await readFile(join(work, "var/lib/dpkg/status"), "utf8")),
    files: { "root.raw": root, vmlinuz: kernel, initrd },
  };
  await writeFile(join(work, "manifest.json"), `${JSON.stringify(manifest, undefined, 2)}\n`, {
    flush: true,
  });
}
