import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import packages from "../../../lab/setup/packages.json" with { type: "json" };
import { describeDiagnosis } from "../../../lab/setup/doctor.ts";
import { pulumiPrograms } from "../../../lab/setup/pulumi.ts";
import { missingPackages, toolPath } from "../../../lab/setup/requirements.ts";
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
    neededFor: "lab",
    state: "missing",
    found: "without cpio",
    remedy: "sudo apt-get install cpio",
  });
  expect(line).toBe("missing  Debian packages (lab): without cpio; remedy: sudo apt-get install cpio");
});

test("the PATH for what we start begins with this Node and the cached Pulumi", async () => {
  const cache = await mkdtemp(join(tmpdir(), "stackyard-test-"));
  const bin = join(cache, "stackyard", "pulumi", "3.259.0", "bin");
  await mkdir(bin, { recursive: true });
  await Promise.all(pulumiPrograms.map((program) => writeFile(join(bin, program), "", { mode: 0o755 })));
  vi.stubEnv("XDG_CACHE_HOME", cache);
  vi.stubEnv("PATH", "/nowhere");
  expect(await toolPath()).toBe(`${dirname(process.execPath)}:${bin}:/nowhere`);
  await rm(cache, { recursive: true });
});

test("a PATH that begins with this Node is left as it is where there is no cached Pulumi", async () => {
  const path = `${dirname(process.execPath)}:/nowhere`;
  vi.stubEnv("XDG_CACHE_HOME", "/nowhere");
  vi.stubEnv("PATH", path);
  expect(await toolPath()).toBe(path);
});
