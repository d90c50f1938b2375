import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import type {
  BootstrapPlan,
  BootstrapRemoval,
  BootstrapRequest,
  CephBootstrap,
} from "../../../../providers/core/ceph-bootstrap.ts";
import { parseTarget, registerCephCommand } from "../../../../providers/engines/cli/ceph-command.ts";
import { definitions } from "../../../../providers/registry.ts";
import { FakeCloud } from "../../../fakes/cloud.ts";
import { runStackyard, type CommandResult } from "../../../support/command-line.ts";

const fsid = "5f0f5e3a-0000-4000-8000-000000000001";

/** A bootstrap that plans what it is asked for, and keeps what it is asked to carry out. */
class FakeBootstrap implements CephBootstrap {
  readonly requests: BootstrapRequest[] = [];
  readonly applied: BootstrapPlan[] = [];
  readonly removed: BootstrapRemoval[] = [];
  isClosed = false;
  left: readonly string[] = [];
  fsid: string | undefined = fsid;

  plan(request: BootstrapRequest): Promise<BootstrapPlan> {
    this.requests.push(request);
    const { name, hosts, osdSizeGib = 10, size = 1, folder } = request;
    return Promise.resolve({
      ...{ name, fsid, size, osdSizeGib, folder },
      hosts: hosts.map(({ address, device }, osd) => ({
        host: address,
        clusterAddress: `10.0.0.${String(osd + 1)}`,
        monitor: osd === 0 ? "a" : undefined,
        manager: osd === 0 ? "a" : undefined,
        osd,
        device,
        hasSystemd: osd > 0,
        isBegun: osd > 0,
      })),
    });
  }

  apply(plan: BootstrapPlan, onProgress: (line: string) => void) {
    this.applied.push(plan);
    onProgress("starting");
    return Promise.resolve({
      ...{ name: plan.name, fsid, monitors: ["10.0.0.1"], user: "admin" },
      ...{ keyringFile: "/out/keyring", confFile: "/out/ceph.conf" },
      ...{ health: "HEALTH_WARN", reasons: ["MON_DOWN: one is down"], osds: { up: 1, all: 1 } },
    });
  }

  planRemoval({ name, hosts, folder }: BootstrapRequest): Promise<BootstrapRemoval> {
    const found = this.fsid === undefined ? [] : hosts;
    return Promise.resolve({
      ...{ name, fsid: this.fsid, left: this.left, folder },
      hosts: found.map(({ address }, osd) => ({
        ...{ host: address, monitor: undefined, manager: undefined, osd, device: undefined },
      })),
    });
  }

  remove(removal: BootstrapRemoval): Promise<void> {
    this.removed.push(removal);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

async function run(
  words: readonly string[],
  stdin = "",
  bootstrap = new FakeBootstrap(),
): Promise<CommandResult & { readonly bootstrap: FakeBootstrap }> {
  const result = await runStackyard(
    new FakeCloud({ definitions }),
    ["ceph", "bootstrap", ...words, "--name", "small"],
    {
      stdin,
      extensions: [
        {
          name: "ceph",
          summary: "",
          register: (program, context) =>
            registerCephCommand(program, context, () => Promise.resolve(bootstrap)),
        },
      ],
    },
  );
  return { ...result, bootstrap };
}

test("a host is written as for ssh", () => {
  const flags = { identity: "/key", knownHosts: "/known", proxyJump: "jump", sshConfig: "/config" };
  expect(parseTarget("ops@h1.example:2222", flags)).toEqual({
    ...{ name: "ops@h1.example:2222", transport: "ssh", address: "h1.example", user: "ops", port: 2222 },
    ...{ identityFile: "/key", knownHostsFile: "/known", proxyJump: "jump", configFile: "/config" },
  });
  expect(parseTarget("h1", {})).toMatchObject({ address: "h1", user: undefined, port: undefined });
  expect(parseTarget("fd00::1", {})).toMatchObject({ address: "fd00::1", port: undefined });
  expect(parseTarget("root@[fd00::1]:22", {})).toMatchObject({ address: "fd00::1", user: "root", port: 22 });
});

test.each(["", "-oProxyCommand=x", "h1:0", "h1:65536", "a b", "@h1", "h1;id"])("%j is no host", (word) => {
  expect(() => parseTarget(word, {})).toThrow(
    expect.objectContaining({ code: "invalid-input", field: "HOST", value: word }),
  );
});

describe("making", () => {
  test("shows the plan, says what it is for, and asks", async () => {
    const { stderr, exitCode, bootstrap } = await run(["h1", "h2"], "n\n");
    expect(exitCode).toBe(0);
    expect(stderr).toContain("h1 (10.0.0.1): mon.a, mgr.a, osd.0 in a file of 10 GiB");
    expect(stderr).toContain("h2 (10.0.0.2): osd.1 in a file of 10 GiB; begun before");
    expect(stderr).toMatch(/labs and evaluation[^]*go on\? \[y\/N\] nothing was done/);
    expect(bootstrap.applied).toEqual([]);
    expect(bootstrap.isClosed).toBe(true);
  });

  test.each([
    ["y\n", []],
    ["yes", []],
    ["", ["--yes"]],
  ])("goes on for the answer %j and the options %j", async (answer, options) => {
    const { stdout, stderr, bootstrap } = await run(["h1", ...options], answer);
    expect(bootstrap.applied).toHaveLength(1);
    expect(stdout).toContain("cluster small: HEALTH_WARN, 1 of 1 OSDs up\n  MON_DOWN: one is down\n");
    expect(stdout).toContain(
      `fsid: "${fsid}",\n    monitors: ["10.0.0.1"],\n    keyringFile: "/out/keyring"`,
    );
    expect(stderr).toContain("no systemd on h1: nothing starts the daemons when the host boots");
  });

  test("hands on what was asked for; an option of a host takes no host with it", async () => {
    const { bootstrap } = await run([
      ...["--device", "h1=/dev/sdb", "h1", "--cluster-address", "h2=10.1.0.2", "h2", "--yes"],
      ...["--osd-size-gib", "20", "--size", "2", "--out", "kept"],
    ]);
    expect(bootstrap.requests).toMatchObject([
      {
        ...{ name: "small", osdSizeGib: 20, size: 2, folder: resolve("kept") },
        hosts: [
          { address: { name: "h1" }, device: "/dev/sdb", clusterAddress: undefined },
          { address: { name: "h2" }, device: undefined, clusterAddress: "10.1.0.2" },
        ],
      },
    ]);
  });

  test("as JSON gives the plan alone without --yes, and plan and cluster with it", async () => {
    const planned = await run(["h1", "--json"], "y\n");
    expect(JSON.parse(planned.stdout)).toMatchObject({
      plan: { name: "small", fsid, hosts: [{ host: "h1", monitor: "a", device: null, systemd: false }] },
      done: false,
    });
    expect(planned.bootstrap.applied).toEqual([]);
    const made = await run(["h1", "--json", "--yes"]);
    expect(JSON.parse(made.stdout)).toMatchObject({
      plan: { fsid },
      cluster: { fsid, monitors: ["10.0.0.1"], user: "admin", keyringFile: "/out/keyring" },
    });
  });

  test.each([
    [["--device", "h2=/dev/sdb"], "--device"],
    [["--device", "h1"], "--device"],
    [["--device", "h1=/dev/sdb", "--device", "h1=/dev/sdc"], "--device"],
    [["--cluster-address", "h1="], "--cluster-address"],
    [["--size", "two"], "--size"],
    [["--osd-size-gib", "1.5"], "--osd-size-gib"],
  ])("refuses %j", async (options, field) => {
    const { stdout, exitCode } = await run(["h1", ...options, "--json"]);
    expect(exitCode).not.toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "invalid-input", field } });
  });
});

describe("removing", () => {
  test("tells that all data goes, and asks", async () => {
    const { stderr, bootstrap } = await run(["--remove", "h1"], "\n");
    expect(stderr).toMatch(/removing cluster small.*ALL DATA[^]*nothing was done/);
    expect(bootstrap.removed).toEqual([]);
  });

  test("names what is left of the cluster", async () => {
    const bootstrap = new FakeBootstrap();
    bootstrap.left = ["h3"];
    const { stdout, stderr } = await run(["--remove", "h1", "--yes"], "", bootstrap);
    expect(stdout).toBe("cluster small is gone from 1 host\n");
    expect(stderr).toContain("not named, and left as they are: h3; name all hosts to remove them");
    expect(bootstrap.removed).toHaveLength(1);
  });

  test("is done where there is nothing, without a question", async () => {
    const bootstrap = new FakeBootstrap();
    bootstrap.fsid = undefined;
    const { stdout, stderr } = await run(["--remove", "h1"], "", bootstrap);
    expect(stdout).toBe("no host has anything of cluster small\n");
    expect(stderr).toBe("");
    expect(bootstrap.removed).toEqual([]);
  });

  test("as JSON wants --yes too", async () => {
    const planned = await run(["--remove", "h1", "--json"]);
    expect(JSON.parse(planned.stdout)).toMatchObject({
      removal: { fsid, hosts: [{ host: "h1" }] },
      done: false,
    });
    const removed = await run(["--remove", "h1", "--json", "--yes"]);
    expect(JSON.parse(removed.stdout)).toMatchObject({ removal: { fsid }, removed: ["h1"] });
  });
});
