import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { checksumOf, installPulumi } from "../../../lab/setup/install-pulumi.ts";

const archive = `pulumi-v3.259.0-${process.platform}-${process.arch}.tar.gz`;
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

/** A release whose pulumi answers `v3.259.0`, beside a program that nobody asked for. */
async function packRelease(): Promise<Buffer> {
  const programs = join(folder, "release", "pulumi");
  await mkdir(programs, { recursive: true });
  for (const name of ["pulumi", "pulumi-language-nodejs", "pulumi-resource-pulumi-nodejs", "pulumi-watch"]) {
    await writeFile(join(programs, name), "#!/bin/sh\necho v3.259.0\n", { mode: 0o755 });
  }
  return execFileSync("tar", ["-cz", "-C", join(folder, "release"), "pulumi"]);
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

function sumsOf(content: Buffer): string {
  return `${createHash("sha512").update(content).digest("hex")}  ${archive}\n`;
}

test("a release with the right checksum ends up in the cache, without programs that we do not need", async () => {
  const content = await packRelease();
  await installPulumi(cache, silent, await serve({ SHA512SUMS: sumsOf(content), [archive]: content }));
  expect(await readdir(join(cache, "pulumi", "3.259.0", "bin"))).toEqual([
    "pulumi",
    "pulumi-language-nodejs",
    "pulumi-resource-pulumi-nodejs",
  ]);
});

test("nothing but the installed folder is left in the cache, also of a killed run", async () => {
  const content = await packRelease();
  await mkdir(join(cache, "pulumi", ".new-killed", "bin"), { recursive: true });
  await installPulumi(cache, silent, await serve({ SHA512SUMS: sumsOf(content), [archive]: content }));
  expect(await readdir(join(cache, "pulumi"))).toEqual(["3.259.0"]);
});

test("a release with a wrong checksum is refused", async () => {
  vi.stubEnv("PATH", folder); // no Go: the build is no way out
  const releases = await serve({ SHA512SUMS: sumsOf(Buffer.from("one")), [archive]: "another" });
  await expect(installPulumi(cache, silent, releases)).rejects.toMatchObject({
    code: "host-unsuitable",
    notes: [
      expect.stringMatching(/has SHA-512 .* the release says/),
      expect.stringContaining("there is no go on PATH"),
    ],
  });
  await expect(access(join(cache, "pulumi", "3.259.0"))).rejects.toThrow("ENOENT");
});

test("a release that is not there is told with its address", async () => {
  vi.stubEnv("PATH", folder);
  const releases = await serve({});
  await expect(installPulumi(cache, silent, releases)).rejects.toMatchObject({
    notes: [expect.stringContaining(`${releases}/v3.259.0/SHA512SUMS answered 404`), expect.anything()],
  });
});

test.each(["abc  file.tar.gz", "ABC *file.tar.gz", "abc  ./file.tar.gz"])(
  "the checksum is read from %j",
  (line) => {
    expect(checksumOf("file.tar.gz", `123  another.tar.gz\n${line}\n`)).toBe("abc");
  },
);
