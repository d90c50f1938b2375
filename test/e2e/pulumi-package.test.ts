import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installPackedProject } from "../../lab/packed-project.ts";
import { packOnce } from "../support/packed-package.ts";
import { PulumiEngine } from "../support/pulumi-engine.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** An empty folder that the packed tarball is installed into, with one program as CommonJS and as ESM. */
let folder: string;

beforeAll(async () => {
  const work = mkdtempSync(join(tmpdir(), "stackyard-package-"));
  folder = join(work, "project");
  const stack = join(root, "test/fixtures/pulumi-programs");
  const tarball = await packOnce();
  await installPackedProject({ stack, project: folder, tarball, environment: process.env });
  cpSync(join(folder, "program.ts"), join(folder, "commonjs/index.ts"));
  cpSync(join(folder, "program.ts"), join(folder, "esm/index.ts"));
}, 600_000);

afterAll(() => {
  rmSync(dirname(folder), { recursive: true });
});

/** What an editor shows when the pointer is on `text` in the program. */
function hover(program: string, text: string): string {
  const file = join(folder, program, "index.ts");
  const options = { module: ts.ModuleKind.NodeNext, strict: true, types: [] };
  const service = ts.createLanguageService({
    fileExists: (path) => ts.sys.fileExists(path),
    readFile: (path) => ts.sys.readFile(path),
    directoryExists: (path) => ts.sys.directoryExists(path),
    getCompilationSettings: () => options,
    getCurrentDirectory: () => folder,
    getDefaultLibFileName: (settings) => ts.getDefaultLibFilePath(settings),
    getScriptFileNames: () => [file],
    getScriptVersion: () => "1",
    getScriptSnapshot: (path) => ts.ScriptSnapshot.fromString(ts.sys.readFile(path) ?? ""),
  });
  const info = service.getQuickInfoAtPosition(file, readFileSync(file, "utf8").indexOf(text));
  return ts.displayPartsToString(info?.documentation);
}

describe.each(["commonjs", "esm"])("the published package in a %s program", (kind) => {
  it("has types that accept what is right and refuse what is wrong", () => {
    const compiler = join(root, "node_modules/typescript/bin/tsc");
    execFileSync(process.execPath, [compiler, "--project", kind], { cwd: folder });
  });

  it("shows what a field is, and what changing it does, on hover", () => {
    expect(hover(kind, "cidr:")).toContain("Changing it replaces the resource");
  });

  it("runs: up, then nothing to do", async () => {
    const home = mkdtempSync(join(tmpdir(), "stackyard-home-"));
    const engine = await PulumiEngine.start(folder, { ...process.env, STACKYARD_HOME: home });
    const first = await engine.upFolder(join(folder, kind));
    const second = await engine.upFolder(join(folder, kind));
    await engine.stop();
    rmSync(home, { recursive: true });
    expect([...first.errors, ...second.errors]).toEqual([]);
    expect(first.exports).toMatchObject({ mac: second.exports["mac"], ramMib: 128 });
    expect(second.steps.map(({ op }) => op)).toEqual(["same", "same", "same", "same", "same"]);
  });
});
