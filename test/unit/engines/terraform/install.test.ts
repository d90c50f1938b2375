import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { installMirror, installOverride } from "../../../../providers/engines/terraform/install.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-mirror-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe("a mirror", () => {
  it("is laid out as Terraform looks for it", async () => {
    const { launcher } = await installMirror(folder, "1.2.3");
    expect(relative(folder, launcher)).toMatch(
      /^stackyard\.internal\/stackyard\/stackyard\/1\.2\.3\/(linux|darwin)_(amd64|arm64)\/terraform-provider-stackyard_v1\.2\.3$/,
    );
    expect(statSync(launcher).mode & 0o777).toBe(0o755);
  });

  it("has the same content each time, and another for another version: the lock file has its hash", async () => {
    const first = readFileSync((await installMirror(folder, "1.2.3")).launcher, "utf8");
    const again = readFileSync((await installMirror(folder, "1.2.3")).launcher, "utf8");
    const later = readFileSync((await installMirror(folder, "1.2.4")).launcher, "utf8");
    expect(again).toBe(first);
    expect(later).not.toBe(first);
  });

  it("is told to the CLI by quoted paths", async () => {
    const odd = join(folder, 'a "b"');
    const { cliConfig } = await installMirror(odd, "1.2.3");
    expect(cliConfig).toContain('a \\"b\\""');
  });
});

it("an override has no version in its name", async () => {
  const { launcher, cliConfig } = await installOverride(folder, "1.2.3");
  expect(launcher).toBe(join(folder, "terraform-provider-stackyard"));
  expect(cliConfig).toContain(`"stackyard.internal/stackyard/stackyard" = ${JSON.stringify(folder)}`);
});

it("a launcher that a person starts says what it is, whatever NODE_OPTIONS holds", async () => {
  const { launcher } = await installOverride(folder, "1.2.3");
  const { status, stdout, stderr } = spawnSync(launcher, {
    encoding: "utf8",
    env: { PATH: process.env["PATH"], NODE_OPTIONS: "--require=/nowhere.cjs" },
  });
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toContain("Terraform starts it. See: stackyard terraform install");
});

it("the command prints what it wrote, as JSON on demand", () => {
  const words = ["providers/main.ts", "terraform", "install", "--dir", folder, "--json"];
  const text = execFileSync(process.execPath, words, { encoding: "utf8" });
  expect(JSON.parse(text)).toMatchObject({
    source: "stackyard.internal/stackyard/stackyard",
    folder,
    cliConfig: expect.stringContaining("filesystem_mirror") as string,
  });
});

it("the command keeps a CLI configuration that is there", () => {
  const file = join(folder, "cli.tfrc");
  const words = ["providers/main.ts", "terraform", "install", "--dir", folder, "--write-config", file];
  const [first, second] = [1, 2].map(() => spawnSync(process.execPath, words, { encoding: "utf8" }));
  expect(first?.stdout).toContain(`wrote     ${file}`);
  expect(readFileSync(file, "utf8")).toContain("filesystem_mirror");
  expect(second?.status).toBe(1);
  expect(second?.stderr).toContain("[conflict]");
});
