import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ensureImage } from "../../lab/nested/image/image.ts";
import type { HostImage } from "../../lab/nested/image/image.ts";
import { expectProcess } from "../../lab/process.ts";
import { parseTopology } from "../../lab/topology.ts";

const { distribution } = parseTopology({});
let cache: string;
let image: HostImage;

/** Builds the image of a compute host, whose packages make users, keys and databases when they are installed. */
const build = (): Promise<HostImage> => ensureImage({ distribution, roles: ["compute"] }, {});

beforeAll(async () => {
  cache = mkdtempSync(join(tmpdir(), "stackyard-image-"));
  vi.stubEnv("XDG_CACHE_HOME", cache);
  image = await build();
});

afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});

/** What `debugfs` says of the image's file system. It ends with 0 whatever it finds. */
function ask(request: string): Promise<string> {
  return expectProcess("reading the image", "debugfs", ["-R", request, image.root]);
}

/** The names in a folder of the image. */
async function list(folder: string): Promise<string[]> {
  // /INODE/MODE/UID/GID/NAME/SIZE/
  const names = (await ask(`ls -p ${folder}`)).split("\n").map((line) => line.split("/")[5] ?? "");
  return names.filter((name) => !["", ".", ".."].includes(name));
}

test("has nothing that is one host's: no name, no key, no identity, no resolver", async () => {
  expect(await list("/etc/ssh")).toContain("sshd_config");
  expect((await list("/etc/ssh")).filter((name) => name.startsWith("ssh_host_"))).toEqual([]);
  expect(await list("/etc")).toContain("machine-id");
  expect(await ask("cat /etc/machine-id")).toBe("");
  expect((await list("/etc")).filter((name) => ["hostname", "resolv.conf"].includes(name))).toEqual([]);
  expect(await list("/root")).not.toContain(".ssh");
  expect(await list("/var/lib/dbus")).not.toContain("machine-id");
  expect((await list("/etc/openvswitch")).filter((name) => name.includes("system-id"))).toEqual([]);
});

test("has no password that anybody could log in with", async () => {
  const shadow = (await ask("cat /etc/shadow")).trim().split("\n");
  expect(shadow.length).toBeGreaterThan(10);
  expect(shadow.filter((line) => !/^[^:]+:[!*]/.test(line))).toEqual([]);
});

test("comes out the same, byte for byte, when it is built again from the same packages", async () => {
  const first = image.manifest;
  rmSync(join(cache, "stackyard", "lab", "images"), { recursive: true });
  const second = (await build()).manifest;
  expect(second.packages).toEqual(first.packages);
  expect(second.treeSha256).toBe(first.treeSha256);
  expect(second.files).toEqual(first.files);
});
