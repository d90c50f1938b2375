import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findCli, opentofu, pulumi, terraform } from "../../../lab/setup/clis.ts";

const all = ["pulumi", "pulumi-language-nodejs", "pulumi-resource-pulumi-nodejs"];
let folder: string;
let cache: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stackyard-test-"));
  cache = join(folder, "cache");
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** A folder with programs that answer `v<version>`. */
async function programsIn(path: string, version: string, programs: readonly string[]): Promise<string> {
  await mkdir(path, { recursive: true });
  for (const program of programs) {
    await writeFile(join(path, program), `#!/bin/sh\necho v${version}\n`);
    await chmod(join(path, program), 0o755);
  }
  return path;
}

const cachedBin = () => join(cache, "pulumi", "3.259.0", "bin");

test("the one on PATH comes before the cache when it is recent enough and complete", async () => {
  const path = await programsIn(join(folder, "a"), "3.216.0", all);
  await programsIn(cachedBin(), "3.259.0", all);
  expect(await findCli(pulumi, { path, cache })).toEqual({
    state: "found",
    from: "path",
    version: "3.216.0",
    folder: path,
  });
});

test("one on PATH that is too old gives way to the cache", async () => {
  const path = await programsIn(join(folder, "a"), "3.215.9", all);
  await programsIn(cachedBin(), "3.259.0", all);
  expect(await findCli(pulumi, { path, cache })).toMatchObject({ from: "cache", folder: cachedBin() });
});

test("one on PATH that is too old is named when there is no other", async () => {
  const path = await programsIn(join(folder, "a"), "3.100.0", all);
  expect(await findCli(pulumi, { path, cache })).toEqual({
    state: "missing",
    reason: `${path}/pulumi is 3.100.0, older than 3.216.0`,
  });
});

test.each(all.slice(1))("one on PATH without %s is not enough", async (absent) => {
  const path = await programsIn(
    join(folder, "a"),
    "3.259.0",
    all.filter((program) => program !== absent),
  );
  expect(await findCli(pulumi, { path, cache })).toEqual({
    state: "missing",
    reason: `${path}/pulumi has no ${absent} beside it or on PATH`,
  });
});

test("its companions may lie in another folder of PATH", async () => {
  const a = await programsIn(join(folder, "a"), "3.259.0", ["pulumi"]);
  const b = await programsIn(join(folder, "b"), "3.259.0", all.slice(1));
  expect(await findCli(pulumi, { path: `${a}:${b}`, cache })).toMatchObject({ state: "found", folder: a });
});

test("its companions are found beside the file that a link on PATH leads to", async () => {
  const real = await programsIn(join(folder, "real"), "3.259.0", all);
  const links = join(folder, "links");
  await mkdir(links);
  await symlink(join(real, "pulumi"), join(links, "pulumi"));
  expect(await findCli(pulumi, { path: links, cache })).toMatchObject({ state: "found", folder: real });
});

test("one that fails to tell its version is as good as absent", async () => {
  const path = await programsIn(join(folder, "a"), "3.259.0", all);
  await writeFile(join(path, "pulumi"), "#!/bin/sh\nexit 1\n");
  expect(await findCli(pulumi, { path, cache })).toMatchObject({
    reason: `${path}/pulumi does not tell its version`,
  });
});

test("a cache that lacks a program does not count", async () => {
  await programsIn(cachedBin(), "3.259.0", all.slice(0, 2));
  expect(await findCli(pulumi, { path: join(folder, "none"), cache })).toEqual({
    state: "missing",
    reason: "no pulumi on PATH",
  });
});

test("OpenTofu on PATH comes before the cache when it is recent enough", async () => {
  const path = await programsIn(join(folder, "a"), "1.11.0", ["tofu"]);
  await programsIn(join(cache, "opentofu", "1.12.6", "bin"), "1.12.6", ["tofu"]);
  expect(await findCli(opentofu, { path, cache })).toMatchObject({ from: "path", version: "1.11.0" });
});

test("OpenTofu on PATH that knows no write-only attributes gives way to the cache", async () => {
  const path = await programsIn(join(folder, "a"), "1.10.9", ["tofu"]);
  const bin = await programsIn(join(cache, "opentofu", "1.12.6", "bin"), "1.12.6", ["tofu"]);
  expect(await findCli(opentofu, { path, cache })).toEqual({
    state: "found",
    from: "cache",
    version: "1.12.6",
    folder: bin,
  });
});

test("Terraform is found on PATH", async () => {
  const path = await programsIn(join(folder, "a"), "1.11.4", ["terraform"]);
  expect(await findCli(terraform, { path, cache })).toEqual({
    state: "found",
    from: "path",
    version: "1.11.4",
    folder: path,
  });
});

test("Terraform that knows no write-only attributes is as good as absent", async () => {
  const path = await programsIn(join(folder, "a"), "1.10.5", ["terraform"]);
  expect(await findCli(terraform, { path, cache })).toEqual({
    state: "missing",
    reason: `${path}/terraform is 1.10.5, older than 1.11.0`,
  });
});

test.each([
  ["PULUMI_SKIP_UPDATE_CHECK", pulumi],
  ["CHECKPOINT_DISABLE", terraform],
])("%s keeps it from looking for newer releases", async (variable, cli) => {
  const path = await programsIn(join(folder, "a"), "9.0.0", [cli.program, ...cli.companions]);
  const script = `#!/bin/sh\ntest -n "$${variable}" && echo v9.0.0\n`;
  await writeFile(join(path, cli.program), script);
  expect(await findCli(cli, { path, cache })).toMatchObject({ state: "found" });
});
