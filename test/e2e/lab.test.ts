import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildGuest } from "../../lab/guest/build.ts";
import { readInventory } from "../../lab/inventory.ts";
import { bringUp, cutLink, describeLab, listLabs, mendLink, runOnHost, tearDown } from "../../lab/lab.ts";
import { listLinks } from "../../lab/namespace/links.ts";
import { parseTopology } from "../../lab/topology.ts";
import { killVerb } from "../support/killed-verb.ts";
import { testLabDriver } from "../support/lab-driver-contract.ts";
import { openLabFolder } from "../support/lab-folder.ts";
import { listProcesses, surveyMachine } from "../support/machine.ts";

const images = "/var/lib/libvirt/images";
const machineFolders = [
  "/etc/libvirt",
  "/etc/openvswitch",
  "/var/lib/libvirt",
  "/run/libvirt",
  "/run/openvswitch",
].filter((folder) => existsSync(folder));
const labs = openLabFolder("lab-test");
const { stateHome } = labs;
const diskFolder = join(stateHome, "disks");
const survey = () => surveyMachine(stateHome, [stateHome, ...machineFolders]);
let before: Awaited<ReturnType<typeof survey>>;

beforeAll(async () => {
  before = await survey();
});

afterAll(() => labs.close());

describe("a lab of three hosts", () => {
  const topology = parseTopology({ name: "trial", hosts: 3, diskFolder });

  beforeAll(async () => {
    await bringUp(topology);
  });

  testLabDriver(topology, "libvirt version");

  test("keeps the machine's homes and other labs out of its hosts' sight", async () => {
    const answer = await runOnHost("trial", "h1", ["sh", "-c", `ls -A /root /home /tmp; ls ${stateHome}`]);
    expect(answer.stdout).toBe("/home:\n\n/root:\n.ssh\n\n/tmp:\n");
  });

  test("shows a host killed by hand as down, and up brings it back with files, disks and host key", async () => {
    await runOnHost("trial", "h2", ["sh", "-c", `echo kept > ${images}/disk; echo marked > /etc/mark; sync`]);
    const key = readFileSync(readInventory("trial").hosts[1]?.knownHostsFile ?? "");
    const pid = (await describeLab("trial")).hosts[1]?.pid ?? 0;
    process.kill(pid, "SIGKILL");
    await expect.poll(async () => (await describeLab("trial")).hosts[1]?.state).toBe("down");
    expect((await describeLab("trial")).state).toBe("partial");
    await bringUp(topology);
    const answer = await runOnHost("trial", "h2", ["cat", `${images}/disk`, "/etc/mark"]);
    expect(answer.stdout).toBe("kept\nmarked\n");
    expect(readFileSync(readInventory("trial").hosts[1]?.knownHostsFile ?? "")).toEqual(key);
  });

  test("has a data network whose cables can be cut and mended", async () => {
    const [first, second] = readInventory("trial").hosts;
    await runOnHost("trial", "h1", ["ip", "address", "add", first?.tunnelAddress ?? "", "dev", "eth1"]);
    await runOnHost("trial", "h2", ["ip", "address", "add", second?.tunnelAddress ?? "", "dev", "eth1"]);
    const ping = async () => {
      const address = second?.tunnelAddress.split("/")[0] ?? "";
      return (await runOnHost("trial", "h1", ["ping", "-c", "1", "-W", "1", address])).exitCode;
    };
    await expect.poll(ping).toBe(0);
    await cutLink("trial", "h2", "data");
    expect((await describeLab("trial")).hosts[1]?.links).toEqual({ management: "up", data: "cut" });
    expect(await ping()).toBe(1);
    await mendLink("trial", "h2", "data");
    await expect.poll(ping).toBe(0);
  });

  test("lives beside another lab, each with addresses of its own", async () => {
    await bringUp(parseTopology({ name: "other", hosts: 1 }));
    const addresses = [...readInventory("trial").hosts, ...readInventory("other").hosts].map(
      (host) => host.address,
    );
    expect(new Set(addresses).size).toBe(4);
    expect((await runOnHost("other", "h1", ["hostname"])).stdout).toBe("h1\n");
    expect((await runOnHost("trial", "h1", ["hostname"])).stdout).toBe("h1\n");
    await tearDown("other");
    expect((await describeLab("trial")).state).toBe("up");
  });

  test("has a range that another lab is refused, with a free one proposed, before anything is made", async () => {
    const { cidr } = readInventory("trial").networks.management;
    const clashing = parseTopology({ name: "clash", hosts: 1, networks: { management: { cidr } } });
    const refusal: unknown = await bringUp(clashing).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "in-use", field: "networks.management.cidr", value: cidr });
    expect(refusal).toHaveProperty("remedy", expect.stringMatching(/Use a free one: [\d.]+\/24/));
    expect((await listLabs()).map((lab) => lab.name)).toEqual(["trial"]);
    expect(existsSync(join(stateHome, "stackyard/labs/clash"))).toBe(false);
  });

  test("runs the test guest: config drive, DHCP, user data, ssh, power button", async () => {
    const guest = await buildGuest();
    for (const kind of ["kernel", "initrd"] as const) {
      await runOnHost("trial", "h1", ["sh", "-c", `cat > ${images}/${kind}`], {
        stdin: readFileSync(guest[kind]),
      });
    }
    const script = readFileSync(new URL("../fixtures/lab/run-guest.sh", import.meta.url));
    const answer = await runOnHost("trial", "h1", ["bash", "-s", images], {
      stdin: script,
      timeoutMs: 120_000,
    });
    expect(answer).toEqual({
      exitCode: 0,
      stdout:
        "STACKYARD-GUEST name=web-1 address=10.50.0.10 seed=config-drive\nssh web-1\ntold web-1\nshut off\n",
      stderr: "",
    });
  });

  test("goes, with a guest running, and leaves the machine as it was", async () => {
    await runOnHost("trial", "h1", ["virsh", "start", "web-1"]);
    const { networks } = await describeLab("trial");
    expect(await tearDown("trial")).toBe(true);
    expect(await survey()).toEqual(before);
    expect([...(await listLinks()).keys()]).not.toContain(networks.management.bridge);
    await expect(describeLab("trial")).rejects.toMatchObject({ code: "not-found" });
  });

  test("goes once: a second down has nothing to do", async () => {
    expect(await tearDown("trial")).toBe(false);
  });
});

describe("an up that is killed", () => {
  const name = "killed";
  const topology = parseTopology({ name, hosts: 2 });
  const killUpAt = (moment: string, delayMs: number) =>
    killVerb(["up", JSON.stringify(topology)], moment, delayMs);

  test.each([
    ["networks", 0],
    ["h1: net", 0],
    ["h2: ovs", 0],
  ])("at '%s' is finished by the next one", async (moment, delayMs) => {
    await killUpAt(moment, delayMs);
    expect((await bringUp(topology)).state).toBe("up");
    expect((await runOnHost(name, "h2", ["hostname"])).stdout).toBe("h2\n");
    await tearDown(name);
    expect(await survey()).toEqual(before);
  });

  // The delays after "networks" fall into the start of the hosts, before and after they are connected.
  test.each([
    ["networks", 0],
    ["networks", 30],
    ["networks", 60],
    ["networks", 120],
    ["h1: net", 0],
    ["h1: ovs", 0],
    ["h2: sshd", 50],
  ])("at '%s' and %i ms is cleaned up by down", async (moment, delayMs) => {
    await killUpAt(moment, delayMs);
    await tearDown(name);
    await expect.poll(() => listProcesses(stateHome)).toEqual([]);
    expect(await survey()).toEqual(before);
  });

  test("is one that was interrupted, as far as down is concerned", async () => {
    const abort = new AbortController();
    const up = bringUp(topology, {
      signal: abort.signal,
      onProgress: () => abort.abort(),
    });
    await expect(up).rejects.toMatchObject({ code: "interrupted" });
    await tearDown(name);
    await expect.poll(() => listProcesses(stateHome)).toEqual([]);
    expect(await survey()).toEqual(before);
  });

  test("before it wrote its record leaves a folder that down removes", async () => {
    mkdirSync(join(stateHome, "stackyard/labs", name), { recursive: true });
    writeFileSync(join(stateHome, "stackyard/labs", name, "lab.json.part"), "half");
    expect(await tearDown(name)).toBe(true);
    expect(await survey()).toEqual(before);
  });
});
