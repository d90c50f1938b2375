// The door to every npm script. Plain JavaScript for the system's own Node (20 or newer) with nothing installed: makes
// sure of Node 24 and node_modules, runs the rest of the set-up, then hands over to TypeScript under Node 24.
//
//   node lab/setup/launch.mjs quickstart|test|bench|setup|stackyard|run [ARGS]
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { access, constants, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { clearInterval, setInterval } from "node:timers";
import { fileURLToPath } from "node:url";

const oldestNodeMajor = 24;

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const cacheHome = process.env.XDG_CACHE_HOME ?? "";
const cache = join(isAbsolute(cacheHome) ? cacheHome : join(homedir(), ".cache"), "stackyard");
/** By major version: the release, and per platform the integrity of its npm package, which holds the binary and no install script. */
const nodes = JSON.parse(readFileSync(join(here, "nodes.json"), "utf8"));
const nodeFolder = (major) => join(cache, "node", nodes[major].version);
const main = join(here, "main.ts");

/** How a person starts each verb, and for which purpose the whole set-up runs; none: Node and node_modules only. */
const verbs = {
  quickstart: { purpose: "quickstart", command: "npm run quickstart" },
  test: { purpose: "test", command: "npm test" },
  bench: { purpose: "test", command: "npm run bench" },
  setup: { purpose: "test", command: "node lab/setup/launch.mjs setup" },
  stackyard: { command: "npm run stackyard --" },
  run: { command: "node lab/setup/launch.mjs run" },
};
/** What `flock -n` answers when another set-up holds the lock. */
const lockIsHeld = 75;

class SetupError extends Error {}

const started = Date.now();
/** Progress goes to standard error, so that the standard output of `stackyard --json` stays clean. */
const say = (text) =>
  process.stderr.write(`[set-up ${((Date.now() - started) / 1000).toFixed(1)} s] ${text}\n`);

const runsNewNode = () => Number(process.versions.node.split(".")[0]) >= oldestNodeMajor;
const cachedNode = (major) => join(nodeFolder(major), "bin", "node");
const nodePath = () => (runsNewNode() ? process.execPath : cachedNode(oldestNodeMajor));
const hasNode = () => existsSync(nodePath());
/** The tests run `cdktf-cli`, which starts on no Node newer than 22. */
const lacksOldNode = (verb) => verbs[verb].purpose === "test" && !existsSync(cachedNode(22));

/** Whether node_modules holds the very versions of package-lock.json (npm's hidden lock is written last, so a killed install shows). */
function hasModules() {
  try {
    const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
    const installed = JSON.parse(
      readFileSync(join(root, "node_modules", ".package-lock.json"), "utf8"),
    ).packages;
    return Object.entries(wanted).every(
      ([path, { version, optional }]) =>
        path === "" || installed[path]?.version === version || (optional && !installed[path]),
    );
  } catch {
    return false;
  }
}

async function isOnPath(program) {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const folder of folders) {
    if (
      await access(join(folder, program), constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return true;
  }
  return false;
}

/**
 * Runs a program to its end and gives its exit code (128 + number of the signal that ended it). Signals sent to us are
 * passed on; Ctrl-C in a terminal reaches the child by itself, and a second copy would mean "at once" to some programs.
 */
function run(file, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: root, stdio: "inherit", ...options });
    const passOn = (signal) => {
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    };
    const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };
    for (const signal of Object.keys(signals)) process.on(signal, passOn);
    const settle = () => {
      for (const signal of Object.keys(signals)) process.off(signal, passOn);
    };
    child.on("error", (error) => {
      settle();
      reject(new SetupError(`cannot start ${file}: ${error.message}`));
    });
    child.on("close", (code, signal) => {
      settle();
      resolve(code ?? 128 + (signals[signal] ?? 9));
    });
  });
}

/** `npm` under the new Node, with a line every 10 s for as long as it works. */
async function npm(what, args, cwd) {
  say(`${what} …`);
  const from = Date.now();
  const pulse = setInterval(
    () => say(`${what}: ${Math.round((Date.now() - from) / 1000)} s, waiting for npm`),
    10_000,
  );
  const env = { ...process.env, PATH: `${dirname(nodePath())}${delimiter}${process.env.PATH ?? ""}` };
  const code = await run("npm", args, { cwd, env, stdio: ["ignore", 2, 2] }).finally(() =>
    clearInterval(pulse),
  );
  if (code !== 0) throw new SetupError(`${what} failed: npm ended with ${code}; see its lines above`);
  say(`${what}: done in ${((Date.now() - from) / 1000).toFixed(1)} s`);
}

async function installNode(major) {
  const platform = `${process.platform}-${process.arch}`;
  const { version, integrity } = nodes[major];
  if (integrity[platform] === undefined) {
    throw new SetupError(
      major === oldestNodeMajor
        ? `Node ${process.versions.node} is too old, and there is no pinned Node for ${platform}: ` +
            `install Node ${major} or newer (https://nodejs.org/en/download) and run again`
        : `the tests need Node ${major} for cdktf-cli, and there is no pinned one for ${platform}`,
    );
  }
  const name = `node-${platform}`;
  const folder = nodeFolder(major);
  const parent = dirname(folder);
  await mkdir(parent, { recursive: true });
  for (const entry of await readdir(parent)) {
    if (entry.startsWith(".new-")) await rm(join(parent, entry), { recursive: true, force: true });
  }
  const work = await mkdtemp(join(parent, ".new-"));
  const dependencies = { [name]: version };
  const lock = {
    lockfileVersion: 3,
    packages: {
      "": { dependencies },
      [`node_modules/${name}`]: { version, integrity: integrity[platform] },
    },
  };
  await writeFile(join(work, "package.json"), JSON.stringify({ private: true, dependencies }));
  await writeFile(join(work, "package-lock.json"), JSON.stringify(lock));
  await npm(`Node ${version} into ${folder}`, ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], work);
  await rm(folder, { recursive: true, force: true });
  await rename(join(work, "node_modules", name), folder);
  await rm(work, { recursive: true, force: true });
}

/** Everything that a verb needs, missing things listed first. Runs under the lock. */
async function prepare(verb) {
  const missing = [];
  if (!hasNode()) missing.push(`Node ${nodes[oldestNodeMajor].version} (this is ${process.versions.node})`);
  if (!hasModules()) missing.push("node_modules as in package-lock.json");
  if (lacksOldNode(verb)) missing.push(`Node ${nodes[22].version} for cdktf-cli`);
  if (missing.length > 0) say(`missing: ${missing.join("; ")}`);
  if (!hasNode()) await installNode(oldestNodeMajor);
  if (!hasModules()) await npm("node_modules", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], root);
  if (lacksOldNode(verb)) await installNode(22);
  const { purpose } = verbs[verb];
  return purpose === undefined ? 0 : run(nodePath(), [main, "setup", purpose], { stdio: ["ignore", 2, 2] });
}

/** One set-up at a time: a second one waits for the first, and then finds little to do. */
async function prepareAlone(verb) {
  if (!(await isOnPath("flock"))) return prepare(verb);
  await mkdir(cache, { recursive: true });
  const command = [
    "--no-fork",
    join(cache, "setup.lock"),
    process.execPath,
    fileURLToPath(import.meta.url),
    "prepare",
    verb,
  ];
  const code = await run("flock", ["--nonblock", "--conflict-exit-code", String(lockIsHeld), ...command]);
  if (code !== lockIsHeld) return code;
  say("another set-up is running; waiting for it to end …");
  return run("flock", command);
}

/** What to type where the set-up may not or cannot install, or undefined where it can. */
async function commandsToType(verb, args) {
  const isRoot = process.getuid?.() === 0;
  const hasApt = await isOnPath("apt-get");
  if (isRoot && hasApt) return undefined;
  const names = JSON.parse(readFileSync(join(here, "packages.json"), "utf8")).map(({ name }) => name);
  const sudo = isRoot ? "" : "sudo ";
  const why = hasApt
    ? "Stackyard's set-up must run as root: it installs packages, and the lab makes network namespaces."
    : "Stackyard's set-up installs Debian packages, and this machine has no apt-get. The lab runs on Debian 12 or newer.";
  return [
    `${why} Nothing was changed.`,
    hasApt ? "Run:" : "On a Debian machine, run:",
    `  ${sudo}apt-get update`,
    `  ${sudo}apt-get install -y --no-install-recommends ${names.join(" ")}`,
    `  ${sudo}${[verbs[verb].command, ...(args.length > 0 && verb !== "setup" ? ["--"] : []), ...args].join(" ")}`,
  ];
}

async function launch(verb, args) {
  if (verbs[verb].purpose !== undefined) {
    const plan = await commandsToType(verb, args);
    if (plan !== undefined) {
      process.stderr.write(`${plan.join("\n")}\n`);
      return 1;
    }
  }
  if (verbs[verb].purpose !== undefined || !hasNode() || !hasModules()) {
    const code = await prepareAlone(verb);
    if (code !== 0) return code;
  }
  if (verb === "setup") return 0;
  const entry = verb === "stackyard" ? [join(root, "providers", "main.ts")] : [main, verb];
  return run(nodePath(), [...entry, ...args], { cwd: process.cwd() });
}

const [verb, ...args] = process.argv.slice(2);
try {
  if (verb === "prepare") process.exitCode = await prepare(args[0]);
  else if (verb !== undefined && Object.hasOwn(verbs, verb)) process.exitCode = await launch(verb, args);
  else {
    process.stderr.write(`usage: node lab/setup/launch.mjs ${Object.keys(verbs).join("|")} [ARGS]\n`);
    process.exitCode = 2;
  }
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`set-up failed: ${error.message}\n`);
  process.exitCode = 1;
}
