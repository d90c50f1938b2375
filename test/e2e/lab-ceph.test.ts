import { readFileSync, statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readInventory } from "../../lab/inventory.ts";
import { bringUp, describeLab, runOnHost, tearDown } from "../../lab/lab.ts";
import { parseTopology } from "../../lab/topology.ts";
import { openLabFolder } from "../support/lab-folder.ts";
import { surveyMachine } from "../support/machine.ts";

const name = "la-ceph";
const topology = parseTopology({
  name,
  hosts: [{ name: "h1" }, { name: "c1", roles: ["ceph"] }],
  ceph: { objectStore: "bluestore" },
});
const labs = openLabFolder("lab-ceph-test");
const survey = () => surveyMachine(labs.stateHome, [labs.stateHome, "/etc/ceph", "/var/lib/ceph"]);
let before: Awaited<ReturnType<typeof survey>>;

beforeAll(async () => {
  before = await survey();
  await bringUp(topology);
});

afterAll(() => labs.close());

/** A command of Ceph's as the cluster's own host runs it, where the admin's keyring is. */
async function onCephHost(...words: string[]): Promise<string> {
  const answer = await runOnHost(name, "c1", words);
  expect(answer).toMatchObject({ exitCode: 0 });
  return answer.stdout;
}

/** A command of Ceph's as a compute host runs it, with the admin's key from standard input in a file that goes with it; the host has no settings either. */
async function onComputeHost(command: string): Promise<string> {
  const { ceph } = readInventory(name);
  const monitor = ceph?.monitors[0] ?? "";
  const script = `umask 077; key=$(mktemp); trap 'rm "$key"' EXIT; cat > "$key"
    export CEPH_ARGS="--conf /dev/null --mon-host ${monitor} --id admin --keyring $key"; ${command}`;
  const stdin = readFileSync(ceph?.keyringFile ?? "");
  const answer = await runOnHost(name, "h1", ["sh", "-c", script], { stdin });
  expect(answer).toMatchObject({ exitCode: 0 });
  return answer.stdout;
}

describe("a lab with a Ceph", () => {
  test("has a cluster that is healthy and has the fsid of the inventory", async () => {
    await expect.poll(() => onCephHost("ceph", "health"), { timeout: 10_000 }).toBe("HEALTH_OK\n");
    expect(await onCephHost("ceph", "fsid")).toBe(`${readInventory(name).ceph?.fsid ?? ""}\n`);
  });

  test("names its monitor and its admin's keyring, which only its owner reads", () => {
    const { ceph, hosts } = readInventory(name);
    expect(hosts.map((host) => host.name)).toEqual(["h1"]);
    expect(ceph?.user).toBe("admin");
    expect(ceph?.monitors).toEqual([expect.stringMatching(/^10(\.\d+){3}/)]);
    expect(statSync(ceph?.keyringFile ?? "").mode & 0o777).toBe(0o600);
  });

  test("has no key and no settings of Ceph's on a compute host", async () => {
    expect((await runOnHost(name, "h1", ["ls", "-A", "/etc/ceph"])).stdout).toBe("");
  });

  test("runs sshd and Ceph on the Ceph host, no libvirt and no Open vSwitch", async () => {
    expect((await runOnHost(name, "c1", ["pgrep", "-l", "libvirtd|virtlogd|ovs"])).stdout).toBe("");
  });

  test("gives back to a compute host what that has written, also when its daemons were killed between", async () => {
    await onComputeHost("ceph osd pool create kept 8");
    await onComputeHost("printf kept-text > /tmp/object && rados put -p kept object /tmp/object");
    await onComputeHost("rbd create --size 8M kept/image");
    await onCephHost("sh", "-c", "kill -9 $(cat /run/ceph/osd.0.pid)");
    await bringUp(topology);
    await onCephHost("sh", "-c", "kill -9 $(cat /run/ceph/mon.a.pid)");
    await bringUp(topology);
    expect(await onComputeHost("rados get -p kept object -")).toBe("kept-text");
    expect(await onComputeHost("rbd ls kept")).toBe("image\n");
  });

  test("brings a killed Ceph host back with what it holds", async () => {
    process.kill((await describeLab(name)).hosts[1]?.pid ?? 0, "SIGKILL");
    await expect.poll(async () => (await describeLab(name)).hosts[1]?.state).toBe("down");
    await bringUp(topology);
    expect(await onComputeHost("rados get -p kept object -")).toBe("kept-text");
  });

  test("leaves the machine as it was", async () => {
    await tearDown(name);
    await expect.poll(survey).toEqual(before);
  });
});
