import { copyFileSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ensureImage, findManifest } from "../../lab/nested/image/image.ts";
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
  expect(await list("/root/.ssh")).toEqual([]);
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

/**
 * Lays a mirror of what the first build has downloaded: the signed lists as they are, and of each package the file that
 * was brought for it.
 */
function layMirror(folder: string): void {
  const packages = join(cache, "stackyard", "lab", "packages");
  const [lists = ""] = readdirSync(packages).filter((name) => name.startsWith("lists-"));
  const archives = new Set(readdirSync(join(packages, "archives")));
  for (const name of readdirSync(join(packages, lists)).filter((each) => each.includes("_dists_"))) {
    // HOST_ARCHIVE_dists_SUITE_... as apt names what it has of https://HOST/ARCHIVE/dists/SUITE/...
    const [, archive = "", ...rest] = name.split("_");
    const target = join(folder, archive, ...rest);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(packages, lists, name), target);
    if (basename(target) !== "Packages") continue;
    for (const paragraph of readFileSync(target, "utf8").split("\n\n")) {
      const fieldOf = (field: string): string =>
        new RegExp(`^${field}: (.*)$`, "m").exec(paragraph)?.[1] ?? "";
      const version = fieldOf("Version").replaceAll(":", "%3a");
      const file = `${fieldOf("Package")}_${version}_${fieldOf("Architecture")}.deb`;
      if (!archives.has(file)) continue;
      const place = join(folder, archive, fieldOf("Filename"));
      mkdirSync(dirname(place), { recursive: true });
      linkSync(join(packages, "archives", file), place);
    }
  }
}

test("is built of a mirror in files, without a network", async () => {
  const mirror = join(cache, "mirror");
  layMirror(mirror);
  const { packages } = image.manifest;
  // No name of a mirror can be resolved where this runs.
  const words = [
    "--net",
    process.execPath,
    "providers/main.ts",
    "lab",
    "image",
    "build",
    "--role",
    "compute",
  ];
  await expectProcess(
    "building without a network",
    "unshare",
    [...words, "--mirror", pathToFileURL(mirror).href],
    {
      cwd: process.cwd(),
      env: { XDG_CACHE_HOME: join(cache, "offline") },
      timeoutMs: 1_200_000,
    },
  );
  const offline = join(cache, "offline", "stackyard", "lab", "images");
  const [hash = ""] = readdirSync(offline);
  expect(findManifest(join(offline, hash))?.packages).toEqual(packages);
});
