import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runProgram } from "../../../lab/setup/program.ts";

/** A process of its own: what Node keeps is decided once a process. */
const program = `
import { keepCompiledCode } from "./providers/config/compile-cache.ts";
process.stdout.write(String(keepCompiledCode()));
await import("./providers/core/names.ts");
`;

let caches: string;

beforeEach(() => {
  caches = mkdtempSync(join(tmpdir(), "stackyard-caches-"));
});

afterEach(() => {
  rmSync(caches, { recursive: true });
});

async function run(environment: NodeJS.ProcessEnv = {}): Promise<string> {
  const env = { ...process.env, NODE_COMPILE_CACHE: undefined, XDG_CACHE_HOME: caches, ...environment };
  const { stdout } = await runProgram(process.execPath, ["--input-type=module", "--eval", program], { env });
  return stdout;
}

test("what is compiled is kept in the user's cache, where nobody else reads or writes", async () => {
  const folder = join(caches, "stackyard", "compiled");
  expect(await run()).toContain(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(readdirSync(folder, { recursive: true }).length).toBeGreaterThan(1);
});

test("a folder that others may write to is not used", async () => {
  const folder = join(caches, "stackyard", "compiled");
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o777);
  expect(await run()).toBe("undefined");
  expect(readdirSync(folder)).toEqual([]);
});

test("a folder in whose place others may put another is not used", async () => {
  mkdirSync(join(caches, "stackyard", "compiled"), { recursive: true, mode: 0o700 });
  chmodSync(join(caches, "stackyard"), 0o777);
  expect(await run()).toBe("undefined");
  chmodSync(join(caches, "stackyard"), 0o1777);
  expect(await run()).toContain(caches);
});

test.runIf(process.getuid?.() === 0)("a folder of another user's holds none", async () => {
  mkdirSync(join(caches, "stackyard", "compiled"), { recursive: true, mode: 0o700 });
  chownSync(join(caches, "stackyard"), 1234, 1234);
  expect(await run()).toBe("undefined");
});

test("a symbolic link is followed once: whoever turns it later turns nothing", async () => {
  const real = join(caches, "real");
  mkdirSync(real, { mode: 0o700 });
  mkdirSync(join(caches, "stackyard"));
  symlinkSync(real, join(caches, "stackyard", "compiled"));
  expect(await run()).toContain(real);
});

test("a home that holds no folders is no error", async () => {
  expect(await run({ XDG_CACHE_HOME: "/dev/null" })).toBe("undefined");
});

test("Node's own setting comes before", async () => {
  expect(await run({ NODE_DISABLE_COMPILE_CACHE: "1" })).toBe("undefined");
});
