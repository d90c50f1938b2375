import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { packClient, putClient, renderClientConf } from "../../../providers/compute/ceph-client.ts";
import { findPool, parsePools } from "../../../providers/compute/ceph-pools.ts";
import { listCaps, parseKeys } from "../../../providers/compute/ceph-users.ts";
import { openCompute } from "../../../providers/compute/compute.ts";
import { nameCephUser, nameUnfinishedPool, poolKeys } from "../../../providers/compute/marks.ts";
import { brandId } from "../../../providers/core/ids.ts";
import { makeCephKey, writeKeyring } from "../../support/ceph-keyring.ts";
import { sampleCluster, samplePool } from "../../support/ceph-samples.ts";
import { openCannedPool } from "../../support/canned-host.ts";
import { sampleHost } from "../../support/domain-samples.ts";

const { signal } = new AbortController();
const folder = mkdtempSync(join(tmpdir(), "stackyard-ceph-"));
const key = makeCephKey();
const cluster = { ...sampleCluster, keyringFile: join(folder, "keyring") };
writeKeyring(cluster.keyringFile, key);
const pools = [samplePool("glance-1", "images"), samplePool("disks", "volumes"), samplePool("vms", "vms")];

afterAll(() => {
  rmSync(folder, { recursive: true });
});

test("caps are those of OpenStack's users, over the pools that there are", () => {
  const writes = "profile rbd pool=disks, profile rbd pool=vms";
  const guests = { mon: "profile rbd", osd: `${writes}, profile rbd-read-only pool=glance-1`, mgr: writes };
  const images = "profile rbd pool=glance-1";
  expect(listCaps("glance", pools)).toEqual({ mon: "profile rbd", osd: images, mgr: images });
  expect(listCaps("cinder", pools)).toEqual(guests);
  expect(listCaps("libvirt", pools)).toEqual(guests);
});

test("a user without a pool may ask the monitors, and no more", () => {
  expect(listCaps("glance", [samplePool("disks", "volumes")])).toEqual({
    mon: "profile rbd",
    osd: undefined,
    mgr: undefined,
  });
});

test("a name of a pool that would be more than a name in caps is refused", () => {
  const hostile = samplePool("a, allow *", "images");
  expect(() => listCaps("glance", [hostile])).toThrow(
    expect.objectContaining({ code: "invalid-input", field: "pool" }),
  );
});

test("users of two clouds have names of their own", () => {
  expect(nameCephUser(brandId("01234567-89ab-4def-8123-456789abcdef"), "cinder")).toBe(
    "stackyard-01234567-cinder",
  );
});

test("a client's settings hold both of a monitor's ports, a bare IPv6 address in brackets", () => {
  const conf = renderClientConf({
    ...cluster,
    monitors: ["10.0.0.1", "10.0.0.2:6790", "fd00::1", "[fd00::2]:3300"],
  });
  expect(conf).toContain("mon_host = 10.0.0.1,10.0.0.2:6790,[fd00::1],[fd00::2]:3300\n");
  expect(conf).toContain(`keyring = /etc/stackyard/ceph/${cluster.id}/ceph.$name.keyring\n`);
  expect(conf).not.toContain("osd_op_timeout");
});

test("what puts a client there holds no key; what it reads does", () => {
  const keys = { glance: makeCephKey(), cinder: makeCephKey(), libvirt: makeCephKey() };
  for (const secret of Object.values(keys)) expect(putClient(cluster).text).not.toContain(secret);
  const sent = packClient(cluster, keys)
    .split("\n")
    .map((line) => Buffer.from(line.split(" ")[2] ?? "", "base64").toString());
  for (const secret of Object.values(keys)) expect(sent.join("\n")).toContain(secret);
});

test("a pool that a crash left half made is neither ours nor in the way", () => {
  const [, disks] = pools;
  if (disks === undefined) throw new Error("no pool");
  const half = { pool_name: nameUnfinishedPool(disks.id), size: 1, pg_num_target: 8 };
  expect(findPool(cluster, disks, parsePools(JSON.stringify([half])))).toBeUndefined();
  const marks = { rbd: { [poolKeys.cloud]: cluster.cloudId, [poolKeys.pool]: disks.id } };
  const whole = { ...half, pool_name: "disks", application_metadata: marks };
  expect(findPool(cluster, disks, parsePools(JSON.stringify([whole])))).toMatchObject({ pgCount: 8 });
});

test("an answer that is none is an error, and one about keys tells nothing of them", () => {
  expect(() => parsePools("[")).toThrow(expect.objectContaining({ code: "command-failed" }));
  expect(() => parseKeys(`${key}\n`)).toThrow(
    expect.not.objectContaining({ message: expect.stringContaining(key) as string }),
  );
});

test("a dry run looks for the pool, and tells the rest without a key", async () => {
  const run = openCompute({ pool: openCannedPool({ "look for pool disks": "[]" }) }).dryRun();
  const [, disks] = pools;
  if (disks === undefined) throw new Error("no pool");
  await run.ports.ceph.ensurePool(sampleHost, cluster, disks, signal);
  await run.ports.ceph.ensureUsers(sampleHost, cluster, pools, signal);
  expect(run.commands.map(({ purpose, inputBytes }) => [purpose, inputBytes])).toEqual([
    ["make pool disks", key.length + 1],
    ["give the cloud's users their caps", key.length + 1],
  ]);
  expect(JSON.stringify(run.commands)).not.toContain(key);
});
