import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import packages from "../../../lab/setup/packages.json" with { type: "json" };
import { describeDiagnosis } from "../../../lab/setup/doctor.ts";
import { missingPackages, requirementsFor, toolPath, type Purpose } from "../../../lab/setup/requirements.ts";
import { toolPackages } from "../../../providers/hosts/probe.ts";

afterEach(() => vi.unstubAllEnvs());

test("a package that dpkg does not list, or lists as removed, is missing", () => {
  const listing = "cpio\tinstalled\nmtools\tconfig-files\n";
  expect(missingPackages(["cpio", "mtools", "fdisk"], listing)).toEqual(["mtools", "fdisk"]);
});

test("set-up installs the package of every tool that we run on hosts", () => {
  const names = packages.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(Object.values(toolPackages)));
});

test("a missing thing is told in one line with its remedy", () => {
  const line = describeDiagnosis({
    name: "Debian packages",
    neededFor: ["lab", "test"],
    state: "missing",
    found: "without cpio",
    remedy: "sudo apt-get install cpio",
  });
  expect(line).toBe("missing  Debian packages (lab, test): without cpio; remedy: sudo apt-get install cpio");
});

test.each<[Purpose, readonly string[]]>([
  ["stack", ["Node.js", "engine CLI"]],
  ["lab", ["Node.js", "Debian packages"]],
  ["quickstart", ["Node.js", "Debian packages", "Pulumi CLI"]],
  ["test", ["Node.js", "Debian packages", "Pulumi CLI", "OpenTofu CLI", "Node.js 22"]],
])("%s needs %j and no more", (purpose, names) => {
  expect(requirementsFor([purpose]).map(({ name }) => name)).toEqual(names);
});

test("what several purposes need is there once, with those that were asked for", () => {
  expect(requirementsFor(["lab", "test"])).toContainEqual(
    expect.objectContaining({ name: "Debian packages", neededFor: ["lab", "test"] }),
  );
});

test("the PATH for what we start begins with this Node and the cached CLIs", async () => {
  const cache = await mkdtemp(join(tmpdir(), "stackyard-test-"));
  const pulumi = join(cache, "stackyard", "pulumi", "3.259.0", "bin");
  const opentofu = join(cache, "stackyard", "opentofu", "1.12.6", "bin");
  const programs = [
    join(pulumi, "pulumi"),
    join(pulumi, "pulumi-language-nodejs"),
    join(pulumi, "pulumi-resource-pulumi-nodejs"),
    join(opentofu, "tofu"),
  ];
  await mkdir(pulumi, { recursive: true });
  await mkdir(opentofu, { recursive: true });
  await Promise.all(programs.map((program) => writeFile(program, "", { mode: 0o755 })));
  vi.stubEnv("XDG_CACHE_HOME", cache);
  vi.stubEnv("PATH", "/nowhere");
  expect(await toolPath()).toBe(`${dirname(process.execPath)}:${pulumi}:${opentofu}:/nowhere`);
  await rm(cache, { recursive: true });
});

test("a PATH that begins with this Node is left as it is where no CLI is cached", async () => {
  const path = `${dirname(process.execPath)}:/nowhere`;
  vi.stubEnv("XDG_CACHE_HOME", "/nowhere");
  vi.stubEnv("PATH", path);
  expect(await toolPath()).toBe(path);
});
