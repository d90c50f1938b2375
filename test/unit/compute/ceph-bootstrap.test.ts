import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  removeFolder,
  requireFreeFolder,
  writeFolder,
} from "../../../providers/compute/bootstrap/bootstrap-folder.ts";
import { openCephBootstrap } from "../../../providers/compute/bootstrap/bootstrap.ts";
import { renderHostConf, type Deployment } from "../../../providers/compute/bootstrap/deployment.ts";
import { parseCephHostFacts } from "../../../providers/compute/bootstrap/host-facts.ts";
import {
  planBootstrap,
  planBootstrapRemoval,
  toDeployment,
} from "../../../providers/compute/bootstrap/plan.ts";
import { ensureOsd, removeFromHost } from "../../../providers/compute/bootstrap/scripts.ts";
import type {
  BootstrapHost,
  BootstrapPlan,
  BootstrapRequest,
} from "../../../providers/core/ceph-bootstrap.ts";
import type { HostPool } from "../../../providers/hosts/pool.ts";
import { openCannedPool } from "../../support/canned-host.ts";
import { makeCephKey } from "../../support/ceph-keyring.ts";

const { signal } = new AbortController();
const fsid = "5f0f5e3a-0000-4000-8000-000000000001";
const otherFsid = "5f0f5e3a-0000-4000-8000-000000000002";
const scratch = mkdtempSync(join(tmpdir(), "stackyard-bootstrap-"));

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

/** What a bare host with all programs says, by its number, with further lines. */
function say(number: number, ...more: readonly string[]): string {
  return [
    ...["user 0", "ramKib 8388608", "diskKib 104857600"],
    ...[`reached 10.0.0.${String(number)}`, `address 10.0.0.${String(number)}`],
    ...[`address 192.168.0.${String(number)}`, ...more],
  ].join("\n");
}

function hostOf(number: number, more: Partial<BootstrapHost> = {}): BootstrapHost {
  const name = `h${String(number)}`;
  return { address: { name, transport: "ssh", address: name }, ...more };
}

function requestOf(count: number, more: Partial<BootstrapRequest> = {}): BootstrapRequest {
  const hosts = Array.from({ length: count }, (_, index) => hostOf(index + 1));
  return { name: "small", hosts, folder: join(scratch, "out"), ...more };
}

function planOf(request: BootstrapRequest, answers: readonly string[]): BootstrapPlan {
  return planBootstrap(
    request,
    answers.map((answer, index) => parseCephHostFacts(`h${String(index + 1)}`, answer)),
    fsid,
  );
}

const bare = [say(1), say(2), say(3), say(4)] as const;
const begun: Deployment = toDeployment(planOf(requestOf(2), bare.slice(0, 2)));
const mark = `mark ${JSON.stringify(begun)}`;

describe("a plan", () => {
  test.each([
    [1, ["a"], 1],
    [2, ["a", undefined], 2],
    [3, ["a", "b", "c"], 3],
    [4, ["a", "b", "c", undefined], 3],
  ])("of %j hosts has a majority of monitors, one manager and an OSD on each", (count, monitors, size) => {
    const plan = planOf(requestOf(count), bare.slice(0, count));
    expect(plan).toMatchObject({ name: "small", fsid, size, osdSizeGib: 10 });
    expect(plan.hosts.map(({ monitor }) => monitor)).toEqual(monitors);
    expect(plan.hosts.flatMap(({ manager }) => manager ?? [])).toEqual(["a"]);
    expect(plan.hosts.map(({ osd }) => osd)).toEqual(bare.slice(0, count).map((_, index) => index));
    expect(plan.hosts.map(({ device }) => device)).toEqual(plan.hosts.map(() => undefined));
  });

  test("takes an address that is given before the one that SSH came in by", () => {
    const request = requestOf(1, { hosts: [hostOf(1, { clusterAddress: "192.168.0.1" })] });
    expect(planOf(request, bare.slice(0, 1)).hosts).toMatchObject([{ clusterAddress: "192.168.0.1" }]);
  });

  test("goes on with what was begun on any of the hosts, and as it was begun", () => {
    const first = { ...begun, osdSizeGib: 20, size: 1 };
    const plan = planOf(requestOf(2), [
      say(1, `mark ${JSON.stringify(first)}`, "port 3300", "file /etc/ceph/ceph.conf"),
      say(2),
    ]);
    expect(plan).toMatchObject({ osdSizeGib: 20, size: 1 });
    expect(plan.hosts.map(({ isBegun }) => isBegun)).toEqual([true, false]);
    expect(
      planBootstrap(
        requestOf(2),
        [parseCephHostFacts("h1", say(1, mark)), parseCephHostFacts("h2", say(2))],
        otherFsid,
      ).fsid,
    ).toBe(fsid);
  });

  test("knows hosts with systemd", () => {
    const plan = planOf(requestOf(2), [say(1, "systemd yes"), say(2)]);
    expect(plan.hosts.map(({ hasSystemd }) => hasSystemd)).toEqual([true, false]);
  });
});

const device = "/dev/sdb";
const onDevice = requestOf(1, { hosts: [hostOf(1, { device })] });
const deviceLine = "deviceBytes 10737418240";

describe("is refused, with the way out:", () => {
  test.each<readonly [string, BootstrapRequest, readonly string[], object]>([
    [
      "a program that is missing",
      requestOf(1),
      [say(1, "missing ceph-mgr", "missing ceph", "missing ceph-authtool")],
      {
        code: "host-unsuitable",
        message: "host h1 lacks ceph-common, ceph-mgr",
        remedy: "On the host: apt-get install -y --no-install-recommends ceph-common ceph-mgr",
      },
    ],
    [
      "a login that is not root's",
      requestOf(1),
      [say(1).replace("user 0", "user 1000")],
      { code: "host-unsuitable", message: "the login to host h1 is not root's" },
    ],
    [
      "too little memory",
      requestOf(1),
      [say(1).replace("8388608", "1048576")],
      {
        code: "host-unsuitable",
        message: "host h1 has 1024 MiB of memory free; its daemons need 1792 MiB",
      },
    ],
    [
      "too little disk",
      requestOf(1, { osdSizeGib: 100 }),
      [say(1)],
      {
        code: "host-unsuitable",
        message: "host h1 has 100 GiB free for /var/lib/ceph; 101 GiB are needed",
      },
    ],
    [
      "a Ceph of others",
      requestOf(1),
      [say(1, "file /etc/ceph/ceph.conf", `fsid ${otherFsid}`)],
      { code: "not-ours", message: expect.stringContaining(`with the fsid ${otherFsid}`) as unknown },
    ],
    [
      "keyrings of others",
      requestOf(1),
      [say(1, "file /etc/ceph/ceph.client.cinder.keyring")],
      {
        code: "not-ours",
        message: expect.stringContaining("/etc/ceph/ceph.client.cinder.keyring") as unknown,
      },
    ],
    [
      "another cluster of ours",
      requestOf(2, { name: "other" }),
      [say(1, mark), say(2)],
      {
        code: "not-ours",
        remedy: expect.stringContaining("stackyard ceph bootstrap --remove h1 --name small") as unknown,
      },
    ],
    [
      "two clusters of one name",
      requestOf(2),
      [say(1, mark), say(2, `mark ${JSON.stringify({ ...begun, fsid: otherFsid })}`)],
      { code: "not-ours", message: expect.stringContaining(otherFsid) as unknown },
    ],
    [
      "a port that is taken",
      requestOf(1),
      [say(1, "port 6789", "port 3300", "port 3300")],
      {
        code: "in-use",
        message: "host h1 has something that listens on port 3300 and 6789, which its monitor needs",
      },
    ],
    [
      "an address that is not known",
      requestOf(1),
      [say(1).replace("reached 10.0.0.1", "reached 127.0.0.1")],
      {
        code: "invalid-input",
        field: "--cluster-address",
        remedy: "Give one of its own: --cluster-address h1=10.0.0.1",
      },
    ],
    [
      "hosts that are one",
      requestOf(2),
      [say(1), say(1)],
      {
        code: "invalid-input",
        value: "10.0.0.1",
        message: expect.stringContaining("they are one") as unknown,
      },
    ],
    [
      "a device that is not there",
      onDevice,
      [say(1)],
      { code: "invalid-input", field: "--device", message: "host h1 has no block device /dev/sdb" },
    ],
    [
      "a device that is not empty",
      onDevice,
      [say(1, deviceLine, "content 0x438,uuid,,ext4")],
      { code: "in-use", message: "host h1 has something on /dev/sdb: 0x438,uuid,,ext4" },
    ],
    [
      "a device with somebody else's OSD",
      onDevice,
      [say(1, deviceLine, "content ceph_bluestore")],
      { code: "in-use" },
    ],
    [
      "a device that somebody took after it was begun on",
      onDevice,
      [
        say(
          1,
          deviceLine,
          "content ext4",
          `mark ${JSON.stringify(toDeployment(planOf(onDevice, [say(1, deviceLine)])))}`,
        ),
      ],
      { code: "in-use", message: "host h1 has something on /dev/sdb: ext4" },
    ],
    [
      "a device that is too small",
      onDevice,
      [say(1, "deviceBytes 1073741824")],
      { code: "host-unsuitable", message: "host h1 has 1 GiB on /dev/sdb; an OSD needs 2 GiB" },
    ],
    [
      "a path that is no device's",
      requestOf(1, { hosts: [hostOf(1, { device: "/dev/../etc/passwd" })] }),
      [say(1)],
      { code: "invalid-input", field: "--device" },
    ],
    ["more copies than OSDs", requestOf(2, { size: 3 }), bare, { code: "invalid-input", field: "--size" }],
    [
      "an OSD that is too small",
      requestOf(1, { osdSizeGib: 1 }),
      bare,
      { code: "invalid-input", field: "--osd-size-gib" },
    ],
    ["a name that is none", requestOf(1, { name: "A b" }), bare, { code: "invalid-input", field: "--name" }],
    [
      "a host that is named twice",
      requestOf(1, { hosts: [hostOf(1), hostOf(1)] }),
      bare,
      { code: "invalid-input", value: "h1" },
    ],
    [
      "what was begun otherwise",
      requestOf(2, { size: 1 }),
      [say(1, mark), say(2, mark)],
      { code: "conflict", message: "cluster small was begun otherwise" },
    ],
  ])("%s", (_, request, answers, error) => {
    expect(() => planOf(request, answers)).toThrow(expect.objectContaining(error));
  });

  test("all that is wrong on all hosts, at once", () => {
    const answers = [say(1, "missing ceph-mon", "port 3300"), say(2, "missing ceph-osd")];
    expect(() => planOf(requestOf(2), answers)).toThrow(
      expect.objectContaining({
        message: "host h1 lacks ceph-mon",
        notes: [
          expect.stringContaining("port 3300"),
          expect.stringContaining("host h2 lacks ceph-osd. On the host: apt-get install"),
        ],
      }),
    );
  });

  test("a mark that cannot be read", () => {
    expect(() => parseCephHostFacts("h1", say(1, "mark {}"))).toThrow(
      expect.objectContaining({ code: "not-ours" }),
    );
  });
});

test("a host without monitor or manager needs neither their programs nor their ports", () => {
  const plan = planOf(requestOf(2), [
    say(1),
    say(2, "missing ceph-mgr", "missing ceph-mon", "missing monmaptool", "port 6789"),
  ]);
  expect(plan.hosts).toHaveLength(2);
});

test("a device of ours that was begun on is no obstacle to its own OSD", () => {
  const deployment = toDeployment(planOf(onDevice, [say(1, deviceLine)]));
  const plan = planOf(onDevice, [
    say(1, deviceLine, "content ceph_bluestore", `mark ${JSON.stringify(deployment)}`),
  ]);
  expect(plan.hosts).toMatchObject([{ device, isBegun: true }]);
});

test("settings are the lab's, with a manager, the distribution's folders, and the host's own address", () => {
  const deployment = toDeployment(planOf(requestOf(3), bare.slice(0, 3)));
  const conf = renderHostConf(deployment, 1);
  expect(conf).toContain(`fsid = ${fsid}\n`);
  expect(conf).toContain(
    "mon_host = [v2:10.0.0.1:3300,v1:10.0.0.1:6789],[v2:10.0.0.2:3300,v1:10.0.0.2:6789],[v2:10.0.0.3:3300,v1:10.0.0.3:6789]\n",
  );
  expect(conf).toContain("public_addr = 10.0.0.2\n");
  expect(conf).toContain("mgr_data = /var/lib/ceph/mgr/ceph-$id\n");
  expect(conf).toContain("osd_data = /var/lib/ceph/osd/ceph-$id\n");
  expect(conf).toContain("osd_objectstore = bluestore\n");
  expect(conf).toContain("bluestore_block_size = 10737418240\n");
  expect(conf).not.toContain("mon_mgr_mkfs_grace");
});

test("a device is only overwritten while its OSD is not made whole, and emptied only where the OSD was begun", () => {
  const make = ensureOsd(0, device).text;
  const guard = make.indexOf('if [ ! -e "$data/stackyard.made" ]');
  expect(guard).toBeGreaterThan(0);
  expect(make.indexOf("dd if=/dev/zero 'of=/dev/sdb'")).toBeGreaterThan(guard);
  const daemons = { monitor: undefined, manager: undefined, osd: 0 };
  const remove = removeFromHost(fsid, { ...daemons, device }).text;
  expect(remove).toMatch(
    /if \[ -e '\/var\/lib\/ceph\/osd\/ceph-0\/block' \]; then\n {2}dd .*'of=\/dev\/sdb'/,
  );
  expect(removeFromHost(fsid, { ...daemons, device: undefined }).text).not.toContain("dd if");
});

describe("a removal", () => {
  const facts = (answer: string) => parseCephHostFacts("h", answer);

  test("takes each host by the place that its addresses have, in whatever order they are named", () => {
    const request = { ...requestOf(2), hosts: [hostOf(2), hostOf(1)] };
    expect(planBootstrapRemoval(request, [facts(say(2, mark)), facts(say(1, mark))])).toMatchObject({
      fsid,
      hosts: [
        { host: { name: "h2" }, monitor: undefined, manager: undefined, osd: 1 },
        { host: { name: "h1" }, monitor: "a", manager: "a", osd: 0 },
      ],
      left: [],
    });
  });

  test("names hosts that it leaves, and none where there is nothing", () => {
    expect(planBootstrapRemoval(requestOf(1), [facts(say(1, mark))]).left).toEqual(["h2"]);
    expect(planBootstrapRemoval(requestOf(2), [facts(say(1, mark)), facts(say(2))]).left).toEqual([]);
    const nothing = planBootstrapRemoval(requestOf(1), [facts(say(1, "file /etc/ceph/ceph.conf"))]);
    expect(nothing).toMatchObject({ fsid: undefined, hosts: [] });
  });

  test("is refused of another cluster, and of a host whose addresses are not the cluster's", () => {
    expect(() => planBootstrapRemoval(requestOf(1, { name: "other" }), [facts(say(1, mark))])).toThrow(
      expect.objectContaining({ code: "not-ours" }),
    );
    expect(() => planBootstrapRemoval(requestOf(1), [facts(say(9, mark))])).toThrow(
      expect.objectContaining({ code: "wrong-state" }),
    );
  });
});

describe("the folder of a cluster", () => {
  const folder = join(scratch, "cluster");
  const cluster = { name: "small", fsid, monitors: ["10.0.0.1"] };
  const key = makeCephKey();

  test("has the admin's keyring for its owner alone, is written anew, and goes with its cluster only", async () => {
    await requireFreeFolder(folder, fsid);
    const keyrings = `[mon.]\n\tkey = ${makeCephKey()}\n[client.admin]\n\tkey = ${key}\n`;
    for (let run = 0; run < 2; run++) await writeFolder(folder, cluster, keyrings);
    const { keyringFile, confFile } = await writeFolder(folder, cluster, keyrings);
    expect(statSync(keyringFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(keyringFile, "utf8")).toBe(`[client.admin]\n\tkey = ${key}\n`);
    expect(readFileSync(confFile, "utf8")).toContain(`keyring = ${keyringFile}\n`);
    await requireFreeFolder(folder, fsid);
    await expect(requireFreeFolder(folder, otherFsid)).rejects.toMatchObject({ code: "conflict" });
    await removeFolder(folder, otherFsid);
    expect(existsSync(keyringFile)).toBe(true);
    writeFileSync(join(folder, "notes"), "");
    await removeFolder(folder, fsid);
    expect([existsSync(keyringFile), existsSync(confFile), existsSync(join(folder, "notes"))]).toEqual([
      false,
      false,
      true,
    ]);
  });

  test("is not one with a keyring of others", async () => {
    writeFileSync(join(scratch, "ceph.client.admin.keyring"), "");
    await expect(requireFreeFolder(scratch, fsid)).rejects.toMatchObject({
      code: "conflict",
      field: "--out",
    });
    await removeFolder(scratch, fsid);
    expect(existsSync(join(scratch, "ceph.client.admin.keyring"))).toBe(true);
  });
});

const answers = (key: string, health: string, up: number): Readonly<Record<string, string>> => ({
  "mark the host": "",
  "make the keys of the cluster": `[client.admin]\n\tkey = ${key}\n`,
  "make and start the monitor": "",
  "make and start the manager": "",
  "make the key of the OSD": `uuid\n${key}\n`,
  "tell the monitors of the OSD": "",
  "make and start the OSD": "",
  "ask the cluster how it is": JSON.stringify({
    health: { status: health, checks: up === 0 ? { OSD_DOWN: { summary: { message: "1 osds down" } } } : {} },
    osdmap: { num_osds: 1, num_up_osds: up },
  }),
});

test("keys go by standard input to the monitors and about the OSD, and are in no command", async () => {
  const key = makeCephKey();
  const pool = openCannedPool(answers(key, "HEALTH_OK", 1));
  const commands: string[] = [];
  const inputs: Record<string, unknown> = {};
  const watched: HostPool = {
    ...pool,
    async get(address) {
      const connection = await pool.get(address);
      return {
        ...connection,
        run(command, options = {}) {
          commands.push(command.text);
          if (options.stdin !== undefined) inputs[options.attempting ?? ""] = options.stdin;
          return connection.run(command, options);
        },
      };
    },
  };
  const told: string[] = [];
  const plan = planOf(requestOf(1), bare.slice(0, 1));
  const cluster = await openCephBootstrap(watched).apply(plan, (line) => told.push(line), signal);
  expect(cluster).toMatchObject({ fsid, monitors: ["10.0.0.1"], user: "admin", health: "HEALTH_OK" });
  expect(readFileSync(cluster.keyringFile, "utf8")).toContain(key);
  expect(inputs).toEqual({
    "make and start the monitor": `[client.admin]\n\tkey = ${key}\n`,
    "tell the monitors of the OSD": JSON.stringify({ cephx_secret: key }),
  });
  expect(commands).toHaveLength(8);
  expect([...commands, ...told, JSON.stringify(cluster)].filter((text) => text.includes(key))).toEqual([]);
  await removeFolder(plan.folder, fsid);
});

test("units of systemd take the daemons where it runs, and give a device to Ceph's user at each boot", () => {
  const { text } = ensureOsd(3, device);
  expect(text).toContain('systemctl --quiet enable --now "ceph-$1@$2"');
  expect(text).toContain("'/etc/systemd/system/ceph-osd@3.service.d/stackyard.conf'");
  expect(text).toContain("ExecStartPre=+/bin/chown ceph:ceph %s");
  expect(ensureOsd(3, undefined).text).not.toContain("service.d");
});

test("an OSD that does not come up is an error with the cluster's reasons, and without a key", async () => {
  const key = makeCephKey();
  const pool = openCannedPool(answers(key, "HEALTH_WARN", 0));
  const limits = { startMs: 0, settleMs: 0 };
  const plan = planOf(requestOf(1), bare.slice(0, 1));
  const failure = await openCephBootstrap(pool, limits)
    .apply(plan, () => undefined, signal)
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({
    code: "ceph-unreachable",
    message: "0 of 1 OSDs of cluster small have come up",
    notes: ["OSD_DOWN: 1 osds down"],
  });
  expect(JSON.stringify(failure)).not.toContain(key);
  expect(existsSync(plan.folder)).toBe(false);
});
