import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openImageInspector } from "../../../providers/compute/image-source.ts";
import { makeQcow2 } from "../../support/qcow2.ts";

const { signal } = new AbortController();
const inspector = openImageInspector();
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-images-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function write(name: string, content: Buffer | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function inspect(location: string, checksum?: string, format?: "qcow2" | "raw") {
  return inspector.inspectDisk({ location, checksum }, { format, field: "disk" }, signal);
}

function digest(algorithm: "sha256" | "sha512", content: Buffer | string): string {
  return `${algorithm}:${createHash(algorithm).update(content).digest("hex")}`;
}

test("a qcow2 gives its sizes and its checksum", async () => {
  const bytes = makeQcow2({ virtualSizeBytes: 5 * 1024 ** 3 });
  expect(await inspect(write("good.qcow2", bytes))).toEqual({
    format: "qcow2",
    sizeBytes: bytes.length,
    virtualSizeBytes: 5 * 1024 ** 3,
    checksum: digest("sha256", bytes),
  });
});

test("a location may begin with file:", async () => {
  expect(await inspect(`file://${write("scheme.qcow2", makeQcow2())}`)).toMatchObject({ format: "qcow2" });
});

test.each(["sha256", "sha512"] as const)("a right %s is accepted", async (algorithm) => {
  const checksum = digest(algorithm, makeQcow2());
  await expect(inspect(write("sum.qcow2", makeQcow2()), checksum)).resolves.toHaveProperty("format", "qcow2");
});

test.each(["sha256", "sha512"] as const)("a wrong %s is refused", async (algorithm) => {
  const checksum = digest(algorithm, "something else");
  await expect(inspect(write("sum.qcow2", makeQcow2()), checksum)).rejects.toMatchObject({
    code: "image-checksum",
    field: "disk",
  });
});

test("a file that changed is read again", async () => {
  const path = write("changing", "one");
  const first = await inspector.inspectFile({ location: path, checksum: undefined }, "kernel", signal);
  writeFileSync(path, "three");
  const second = await inspector.inspectFile({ location: path, checksum: undefined }, "kernel", signal);
  expect([first.checksum, second.checksum]).toEqual([digest("sha256", "one"), digest("sha256", "three")]);
});

test.each([
  ["a backing file", "image-unsafe", makeQcow2({ backingFileOffset: 512 })],
  ["a data file outside", "image-unsafe", makeQcow2({ incompatible: 0b100 })],
  ["encryption", "image-unsafe", makeQcow2({ encryption: 1 })],
  ["tables beyond its end", "image-truncated", makeQcow2({}, 2 * 65_536)],
  ["no bytes", "image-truncated", Buffer.alloc(0)],
  ["an unknown begin", "image-format", Buffer.alloc(4096)],
  ["the begin of a web page", "image-format", Buffer.from("<html>404</html>")],
])("an image with %s is refused: %s", async (name, code, bytes) => {
  await expect(inspect(write(`bad ${name}`, bytes))).rejects.toMatchObject({ code, field: "disk" });
});

test("a download that broke off in the data is refused", async () => {
  const bytes = makeQcow2({}, 6 * 65_536);
  bytes.writeBigUInt64BE(BigInt(4 * 65_536), 3 * 65_536);
  bytes.writeBigUInt64BE(BigInt(5 * 65_536), 4 * 65_536);
  const path = write("broken-off.qcow2", bytes);
  await expect(inspect(path)).resolves.toHaveProperty("format", "qcow2");
  truncateSync(path, 5 * 65_536);
  await expect(inspect(path)).rejects.toMatchObject({ code: "image-truncated" });
});

test("what nothing tells is raw when it is declared so", async () => {
  const path = write("zeros", Buffer.alloc(4096));
  expect(await inspect(path, undefined, "raw")).toMatchObject({
    format: "raw",
    virtualSizeBytes: 4096,
  });
});

test.each([
  ["qcow2", "raw", makeQcow2()],
  ["raw", "qcow2", Buffer.concat([Buffer.alloc(510), Buffer.from([0x55, 0xaa])])],
] as const)("%s that is declared as %s is refused", async (kind, format, bytes) => {
  await expect(inspect(write(`as ${format}`, bytes), undefined, format)).rejects.toMatchObject({
    code: "image-format",
    message: expect.stringContaining(`is ${kind}, but declared as ${format}`) as unknown,
  });
});

test("a gzip file is refused though it is declared raw", async () => {
  const path = write("a.gz", Buffer.from([0x1f, 0x8b, 8, 0]));
  await expect(inspect(path, undefined, "raw")).rejects.toMatchObject({
    code: "image-format",
    message: expect.stringContaining("is a gzip file") as unknown,
  });
});

test.each(["/absent/image", "/tmp"])("%s cannot be read as an image", async (location) => {
  await expect(inspect(location)).rejects.toMatchObject({ code: "image-unreachable", value: location });
});

describe("over http", () => {
  let server: Server;
  let origin: string;

  beforeAll(async () => {
    const bytes = makeQcow2();
    server = createServer((request, response) => {
      const answers: Readonly<Record<string, () => void>> = {
        "/good": () => response.end(bytes),
        "/moved": () => response.writeHead(302, { location: "/good" }).end(),
        "/short": () => {
          response.writeHead(200, { "content-length": String(bytes.length) });
          response.write(bytes.subarray(0, 1000), () => response.destroy());
        },
      };
      const answer =
        answers[request.url ?? ""] ?? (() => response.writeHead(404).end("<html>not here</html>"));
      answer();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    origin = `http://127.0.0.1:${String(typeof address === "object" ? address?.port : 0)}`;
  });

  afterAll(() => server.close());

  test.each(["/good", "/moved"])("%s is read", async (path) => {
    expect(await inspect(origin + path)).toMatchObject({
      format: "qcow2",
      checksum: digest("sha256", makeQcow2()),
    });
  });

  test("404 is refused by address and status", async () => {
    await expect(inspect(`${origin}/absent`)).rejects.toMatchObject({
      code: "image-unreachable",
      message: `Cannot fetch ${origin}/absent: the server answers 404 Not Found`,
    });
  });

  test("a body shorter than announced is refused", async () => {
    await expect(inspect(`${origin}/short`)).rejects.toMatchObject({ code: "image-truncated" });
  });

  test("a server that does not answer is unreachable", async () => {
    await expect(inspect("http://127.0.0.1:1/image")).rejects.toMatchObject({ code: "image-unreachable" });
  });
});

test("the environment of this process is no image", async () => {
  await expect(inspect("/proc/self/environ", undefined, "raw")).rejects.toMatchObject({
    code: "image-unreachable",
    value: "/proc/self/environ",
  });
});
