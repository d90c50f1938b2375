import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openImages } from "../../providers/compute/image-cache.ts";
import { imageFolder } from "../../providers/compute/layout.ts";
import { brandId } from "../../providers/core/ids.ts";
import type { ComputeHost, ImageSpec } from "../../providers/core/ports.ts";
import { openHostPool, type HostPool } from "../../providers/hosts/pool.ts";

/** What was inspected, before the server behind the URL turned against us. */
const inspected = Buffer.from("a kernel");

function* endlessZeros(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(65_536);
}

let folder: string;
let pool: HostPool;
let server: Server;
let host: ComputeHost;
let asked: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stackyard-images-"));
  pool = openHostPool({ ssh: { environment: { home: folder, user: "nobody" } } });
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.url ?? "");
    if (request.url === "/endless") Readable.from(endlessZeros()).pipe(response);
    else response.end(inspected);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  host = {
    id: brandId("11111111-1111-4111-8111-111111111111"),
    name: "here",
    cloudId: brandId("22222222-2222-4222-8222-222222222222"),
    address: { name: "here", transport: "local", address: "here" },
    datapath: "netdev",
    tunnelAddress: "127.0.0.1",
    virtType: "qemu",
    folder: join(folder, "host"),
  };
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await pool.closeAll();
  await rm(folder, { recursive: true, force: true });
});

function kernelAt(path: string, id: string): ImageSpec {
  const { port } = server.address() as AddressInfo;
  const checksum = `sha256:${createHash("sha256").update(inspected).digest("hex")}`;
  const source = { location: `http://127.0.0.1:${String(port)}${path}`, checksum };
  const kernel = { source, checksum, sizeBytes: inspected.length };
  return { id: brandId(id), name: "hostile", disk: undefined, kernel, initrd: undefined };
}

function fetchTo(image: ImageSpec) {
  return openImages(pool).ensureCached(host, image, () => undefined, new AbortController().signal);
}

test("a server that sends more than was inspected is cut off, and leaves nothing on the host", async () => {
  const image = kernelAt("/endless", "33333333-3333-4333-8333-333333333333");

  await expect(fetchTo(image)).rejects.toMatchObject({ code: "image-checksum" });

  expect(existsSync(join(imageFolder(host.folder, image.id), "kernel.part"))).toBe(false);
});

test("a URL with brackets and braces is asked for as it is, once", async () => {
  const image = kernelAt("/{a,b}[1-3]", "44444444-4444-4444-8444-444444444444");

  const { kernelPath } = await fetchTo(image);

  expect(await readFile(kernelPath ?? "")).toEqual(inspected);
  expect(asked).toContain("/{a,b}[1-3]");
});
