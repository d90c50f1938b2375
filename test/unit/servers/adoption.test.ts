import { describe, expect, test } from "vitest";
import type { ForeignDomain } from "../../../providers/core/adoption.ts";
import { deriveId } from "../../../providers/core/ids.ts";
import { fillMacs, planAdoption, readForcedHost } from "../../../providers/servers/adoption.ts";
import { sampleHost } from "../../support/domain-samples.ts";
import { foreignDomain, foreignRaw } from "../../support/foreign-domain.ts";

const domain: ForeignDomain = { ...foreignDomain, serverDiskPath: "/servers/disk" };
const [disk] = foreignDomain.disks;

function withDisk(change: object): Partial<ForeignDomain> {
  return { disks: foreignDomain.disks.map((known) => ({ ...known, ...change })) };
}

test("what is kept of a domain tells how to go on, and how to give it back", () => {
  expect(planAdoption(domain, sampleHost)).toEqual({
    hostId: sampleHost.id,
    domain: "legacy",
    fingerprint: domain.fingerprint,
    diskPath: "/srv/legacy.qcow2",
    diskFormat: "qcow2",
    transfer: "move",
    diskBytes: 1024 ** 3,
  });
});

describe("a domain is refused", () => {
  test.each<readonly [string, Partial<ForeignDomain>, string, RegExp, RegExp]>([
    ["that runs", { state: "running" }, "wrong-state", /it is running/, /virsh shutdown [-0-9a-f]{36}$/],
    ["that is paused", { state: "paused" }, "wrong-state", /it is paused/, /virsh shutdown/],
    [
      "whose memory was saved",
      { hasSavedMemory: true },
      "wrong-state",
      /memory was saved/,
      /virsh start [-0-9a-f]{36};/,
    ],
    ["that libvirt does not keep", { isPersistent: false }, "wrong-state", /no definition/, /virsh define/],
    [
      "of this cloud",
      { owner: { cloudId: sampleHost.cloudId } },
      "conflict",
      /this cloud's mark/,
      /stackyard gc/,
    ],
    [
      "of another cloud",
      { owner: { cloudId: deriveId("other") } },
      "not-ours",
      /belongs to cloud/,
      /that cloud/,
    ],
    ["of another manager", { owner: { manager: "oVirt" } }, "not-ours", /managed by oVirt/, /oVirt/],
    ["with snapshots", { ties: ["snapshots (2)"] }, "host-unsuitable", /snapshots \(2\)/, /snapshot-delete/],
    ["without a disk", { disks: [] }, "host-unsuitable", /no disk/, /Create a server/],
    [
      "with two disks",
      { disks: [...foreignDomain.disks, ...foreignDomain.disks] },
      "host-unsuitable",
      /2 disks/,
      /detach-disk [-0-9a-f]{36} vda/,
    ],
    [
      "on no file",
      withDisk({ isFile: false, source: "network rbd a/b" }),
      "host-unsuitable",
      /network rbd a\/b/,
      /into a file/,
    ],
    ["whose disk another has", withDisk({ usedBy: ["twin"] }), "in-use", /also used by twin/, /of its own/],
    [
      "whose disk is not there",
      withDisk({ file: undefined }),
      "host-unsuitable",
      /is not there/,
      /qemu-img info/,
    ],
    [
      "whose disk is encrypted",
      withDisk({ file: { ...disk?.file, isEncrypted: true } }),
      "host-unsuitable",
      /encrypted/,
      /Decrypt/,
    ],
    [
      "whose disk names others",
      withDisk({ file: { ...disk?.file, obstacle: "has its data in another file, /etc/shadow" } }),
      "host-unsuitable",
      /legacy\.qcow2 has its data in another file, \/etc\/shadow/,
      /qemu-img convert/,
    ],
    [
      "whose copy does not fit",
      { ...foreignRaw, freeBytes: 1024 ** 2 },
      "host-disk-full",
      /1 MiB are free/,
      /Free space/,
    ],
  ])("%s, with what to do", (_what, change, code, message, remedy) => {
    expect(() => planAdoption({ ...domain, ...change }, sampleHost)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringMatching(message) as unknown,
        remedy: expect.stringMatching(remedy) as unknown,
      }),
    );
  });
});

test("interfaces that leave their MAC open get the domain's, in order; ports and given ones keep theirs", () => {
  const [nic] = foreignDomain.interfaces;
  const networks = [
    { port: "p" },
    { network: "n" },
    { network: "n", mac: "52:54:00:00:00:09" },
    { network: "n" },
  ];
  const found = {
    ...domain,
    interfaces: ["01", "02", "03"].map((end) => ({ source: "", ...nic, mac: `52:54:00:00:00:${end}` })),
  };
  expect(fillMacs({ networks }, found)).toEqual({
    networks: [{ port: "p" }, { network: "n", mac: "52:54:00:00:00:02" }, networks[2], { network: "n" }],
  });
});

test("a server is forced to a host by what it was adopted from alone", () => {
  expect(readForcedHost({ hostId: "h1" })).toBeUndefined();
  expect(readForcedHost({ adoptedFrom: { hostId: "h1" } })).toBe("h1");
});
