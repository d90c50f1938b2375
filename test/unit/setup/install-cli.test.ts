import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { opentofu, pulumi, type PinnedCli } from "../../../lab/setup/clis.ts";
import { checksumOf, installCli } from "../../../lab/setup/install-cli.ts";

/** A release as its makers publish it. */
interface Release {
  readonly cli: PinnedCli;
  readonly archive: string;
  readonly checksums: string;
  readonly hash: string;
  /** Paths in the archive, one of them of a program that nobody asked for. */
  readonly members: readonly string[];
  readonly wanted: readonly string[];
}

const goArchitecture = process.arch === "x64" ? "amd64" : process.arch;
const releases: readonly Release[] = [
  {
    cli: pulumi,
    archive: `pulumi-v3.259.0-${process.platform}-${process.arch}.tar.gz`,
    checksums: "SHA512SUMS",
    hash: "sha512",
    members: [
      "pulumi/pulumi",
      "pulumi/pulumi-language-nodejs",
      "pulumi/pulumi-resource-pulumi-nodejs",
      "pulumi/pulumi-watch",
    ],
    wanted: ["pulumi", "pulumi-language-nodejs", "pulumi-resource-pulumi-nodejs"],
  },
  {
    cli: opentofu,
    archive: `tofu_1.12.6_${process.platform}_${goArchitecture}.tar.gz`,
    checksums: "tofu_1.12.6_SHA256SUMS",
    hash: "sha256",
    members: ["LICENSE", "tofu"],
    wanted: ["tofu"],
  },
];

const silent = () => undefined;
let folder: string;
let cache: string;
let server: Server;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stackyard-test-"));
  cache = join(folder, "cache");
  server = createServer();
});

afterEach(async () => {
  vi.unstubAllEnvs();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

/** The archive, whose programs answer the version. */
async function pack({ cli, members }: Release): Promise<Buffer> {
  const root = join(folder, "release");
  for (const member of members) {
    await mkdir(dirname(join(root, member)), { recursive: true });
    await writeFile(join(root, member), `#!/bin/sh\necho v${cli.version}\n`, { mode: 0o755 });
  }
  return execFileSync("tar", ["-cz", "-C", root, ...members]);
}

/** Serves files by the last part of their path, on a loopback port. */
async function serve(files: Record<string, string | Buffer>): Promise<string> {
  server = createServer((request, response) => {
    const file = files[request.url?.split("/").at(-1) ?? ""];
    response.writeHead(file === undefined ? 404 : 200).end(file);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}

function sumsOf({ hash, archive }: Release, content: Buffer): string {
  return `${createHash(hash).update(content).digest("hex")}  ${archive}\n`;
}

describe.each(releases)("a release of $cli.title", (release) => {
  const { cli, archive, checksums, wanted } = release;

  test("ends up in the cache when its checksum is right, without what we do not need", async () => {
    const content = await pack(release);
    const address = await serve({ [checksums]: sumsOf(release, content), [archive]: content });
    await installCli(cli, cache, silent, address);
    expect(await readdir(join(cache, cli.name, cli.version, "bin"))).toEqual(wanted);
  });

  test("leaves nothing but the installed folder, also of a killed run", async () => {
    const content = await pack(release);
    const address = await serve({ [checksums]: sumsOf(release, content), [archive]: content });
    await mkdir(join(cache, cli.name, ".new", "bin", "half"), { recursive: true });
    await installCli(cli, cache, silent, address);
    expect(await readdir(join(cache, cli.name))).toEqual([cli.version]);
    expect(await readdir(join(cache, cli.name, cli.version, "bin"))).toEqual(wanted);
  });

  test("is refused when its checksum is wrong", async () => {
    vi.stubEnv("PATH", folder); // no Go: the build is no way out
    const address = await serve({
      [checksums]: sumsOf(release, Buffer.from("one")),
      [archive]: "another",
    });
    await expect(installCli(cli, cache, silent, address)).rejects.toMatchObject({
      code: "host-unsuitable",
      message: `installing the ${cli.title} CLI failed`,
      notes: [
        expect.stringMatching(/tar.gz has sha(256|512) .* the release says/),
        expect.stringContaining("there is no go on PATH"),
      ],
    });
    await expect(access(join(cache, cli.name, cli.version))).rejects.toThrow("ENOENT");
  });

  test("that is not there is told with its address", async () => {
    vi.stubEnv("PATH", folder);
    const address = await serve({});
    await expect(installCli(cli, cache, silent, address)).rejects.toMatchObject({
      notes: [
        expect.stringContaining(`${address}/v${cli.version}/${checksums} answered 404`),
        expect.anything(),
      ],
    });
  });

  test("whose program answers another version is not installed", async () => {
    const content = await pack({ ...release, cli: { ...cli, version: "0.0.1" } });
    const address = await serve({ [checksums]: sumsOf(release, content), [archive]: content });
    await expect(installCli(cli, cache, silent, address)).rejects.toMatchObject({
      message: `the installed ${cli.title} CLI does not answer as ${cli.version}`,
    });
    expect(await readdir(join(cache, cli.name))).toEqual([]);
  });
});

describe.each(releases)("where there is no release of $cli.title", ({ cli, wanted }) => {
  /** A Go whose programs answer the version, and which lists what is in its build cache. */
  beforeEach(async () => {
    const go = `#!/bin/sh
if [ "$1" = env ]; then echo go1.99; exit; fi
ls "$GOCACHE" >> ${folder}/build-cache
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho v${cli.version}\\n' > "$2"
chmod +x "$2"
`;
    await writeFile(join(folder, "go"), go, { mode: 0o755 });
    vi.stubEnv("PATH", `${folder}:${process.env["PATH"] ?? ""}`);
  });

  test("it is built from pinned modules", async () => {
    await installCli(cli, cache, silent, await serve({}));
    expect(await readdir(join(cache, cli.name))).toEqual([cli.version]);
    expect(await readdir(join(cache, cli.name, cli.version, "bin"))).toEqual(wanted);
  });

  test("a build that was killed goes on with what it had compiled", async () => {
    const compiled = join(cache, cli.name, ".new", "build", "compiled");
    await mkdir(compiled, { recursive: true });
    await installCli(cli, cache, silent, await serve({}));
    expect(await readFile(join(folder, "build-cache"), "utf8")).toMatch(/^(compiled\n)+$/);
  });
});

test.each(["abc  file.tar.gz", "ABC *file.tar.gz", "abc  ./file.tar.gz"])(
  "the checksum is read from %j",
  (line) => {
    expect(checksumOf("file.tar.gz", `123  another.tar.gz\n${line}\n`)).toBe("abc");
  },
);

test.each([
  ["pulumi", `github.com/pulumi/pulumi/pkg/v3 v${pulumi.version}`],
  ["pulumi-language-nodejs", "github.com/pulumi/pulumi/sdk/v3 v3.60.0"],
  ["opentofu", `github.com/opentofu/opentofu v${opentofu.version}`],
])("clis/%s builds %s", async (name, module) => {
  const goMod = join(import.meta.dirname, "..", "..", "..", "lab", "setup", "clis", name, "go.mod");
  expect(await readFile(goMod, "utf8")).toContain(`\nrequire ${module}\n`);
});
