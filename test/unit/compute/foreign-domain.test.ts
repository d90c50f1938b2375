import { expect, test } from "vitest";
import { openAdoption } from "../../../providers/compute/adoption.ts";
import type { ForeignDomain } from "../../../providers/core/adoption.ts";
import { domainSeparator } from "../../../providers/hosts/virsh.ts";
import { openCannedPool } from "../../support/canned-host.ts";
import { sampleHost } from "../../support/domain-samples.ts";

const { signal } = new AbortController();
const id = "5b3f6f0e-2a65-4d0c-9d1b-6a1f0c9e7d11";
const other = "0d0c5c7e-8a0e-4a3f-8f0c-3f2d1a4b5c6d";

function describe(name: string, uuid: string, inner: string, disk = "/srv/a"): string {
  const file = `<disk type='file'><driver type='qcow2'/><source file='${disk}'/><target dev='vda'/></disk>`;
  return `${domainSeparator}\nshut off (unknown)\n\n<domain><name>${name}</name><uuid>${uuid}</uuid><memory>65536</memory><vcpu>1</vcpu><os><type machine='pc'>hvm</type></os>${inner}<devices>${file}</devices></domain>\n`;
}

const info = "Persistent: yes\nAutostart: disable\nManaged save: yes";
const facts = { format: "qcow2", "virtual-size": 1024, "actual-size": 512 };
/** What qemu-img says of files of which each lies on the next. */
const chainOf = (...paths: readonly string[]): string =>
  JSON.stringify(paths.map((filename) => ({ filename, ...facts })));
const image = chainOf("/srv/a");
const parts = [info, "2", "0", "f".repeat(64), "dev 9 1 7000000000 1% /"];
const ownDisk = ["9:1", "move", image, '{"required": 2048}'];

/** Asks a host that gives these answers, one after the other. */
function look(list: string, close: readonly string[], identities = ""): Promise<ForeignDomain | undefined> {
  const answers = [list, close.join("\n<<>>\n"), identities];
  const pool = openCannedPool({});
  const host = {
    name: "h1",
    transport: "ssh" as const,
    address: "h1",
  };
  const connection = {
    host,
    run: () => Promise.resolve({ exitCode: 0, stdout: answers.shift() ?? "", stderr: "", durationMs: 0 }),
    openSocket: () => Promise.reject(new Error("nobody listens")),
    listenAt: () => Promise.reject(new Error("nobody may listen")),
    isOpen: () => true,
    close: () => Promise.resolve(),
  };
  return openAdoption({ ...pool, get: () => Promise.resolve(connection) }).lookAtForeign(
    sampleHost,
    "a",
    signal,
  );
}

test("what libvirt keeps of a domain, and its file, are told", async () => {
  expect(await look(describe("a", id, ""), [...parts, ...ownDisk])).toMatchObject({
    id,
    hasSavedMemory: true,
    isPersistent: true,
    isAutostarted: false,
    ties: ["snapshots (2)"],
    freeBytes: 7_000_000_000,
    disks: [{ isFile: true, file: { sizeBytes: 1024, fileBytes: 512, transfer: "move", copyBytes: 0 } }],
  });
});

test.each([
  [
    "<metadata><n xmlns='http://openstack.org/xmlns/libvirt/nova/1.1'/></metadata>",
    { manager: "OpenStack Nova" },
  ],
  [
    "<metadata><s:server xmlns:s='https://stackyard.dev/xmlns/domain/1' cloud='c'/></metadata>",
    { cloudId: "c" },
  ],
])("whose it is shows by its metadata", async (inner, owner) => {
  expect(await look(describe("a", id, inner), [...parts, ...ownDisk])).toMatchObject({ owner });
});

test("what ties it to its host is named", async () => {
  const inner =
    "<os firmware='efi'/><devices><tpm/><hostdev/><interface type='hostdev'><mac address='52:54:00:00:00:01'/></interface></devices>";
  const found = await look(describe("a", id, inner), [...parts, ...ownDisk]);
  expect(found?.ties).toEqual([
    "snapshots (2)",
    "UEFI firmware",
    "TPM",
    "host device",
    "network device of the host",
  ]);
});

test.each([
  ["that has it", "9:1", chainOf("/srv/b"), ""],
  ["that lies on it", "9:2", chainOf("/srv/b", "/srv/link"), "9:1\n"],
])("another domain %s is named by its disk", async (_what, identity, chain, bases) => {
  const list = describe("a", id, "") + describe("twin", other, "", "/srv/b");
  const found = await look(list, [...parts, ...ownDisk, `${other}\n${identity}`, chain], bases);
  expect(found?.disks).toMatchObject([{ usedBy: ["twin"] }]);
});

test.each([
  [["9:1", "copy", image, '{"required": 2048}'], { transfer: "copy", copyBytes: 2048 }],
  [
    ["9:1", "move", chainOf("/srv/a", "/srv/base"), "{}"],
    { transfer: "copy", basePaths: ["/srv/base"], copyBytes: 1024 },
  ],
])("a disk that others may want, or that is not whole, is copied", async (file, wanted) => {
  const found = await look(describe("a", id, ""), [...parts, ...file]);
  expect(found?.disks[0]?.file).toMatchObject(wanted);
});

test("a disk that cannot be read has no file", async () => {
  const found = await look(describe("a", id, ""), [...parts, "", "", "", ""]);
  expect(found?.disks[0]).not.toHaveProperty("file");
});

test("an answer that is none is an error", async () => {
  await expect(look(describe("a", id, ""), ["nonsense"])).rejects.toMatchObject({ code: "command-failed" });
});
