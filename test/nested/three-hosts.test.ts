import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  canSnapshot,
  changePower,
  cutLink,
  mendLink,
  restoreLab,
  runOnHost,
  snapshotLab,
} from "../../lab/lab.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { make, textOf } from "../support/cloud.ts";
import { DeployedQuickstart, noDrift } from "../support/quickstart.ts";

/** The quickstart's stack, unchanged, on three hosts of either driver: virtual machines with a kernel each, and namespaces. */
const drivers = [
  { driver: "nested", labName: "quickstart-nested", args: ["--nested"], domain: "kvm", datapath: "system" },
  { driver: "namespace", labName: "quickstart", args: [], domain: "qemu", datapath: "netdev" },
] as const;

const hosts = ["h1", "h2", "h3"] as const;
const patience = { timeout: 300_000, interval: 500 };

describe.each(drivers)("three hosts of the driver $driver", ({ labName, args, domain, datapath }) => {
  let stack: DeployedQuickstart;

  beforeAll(async () => {
    stack = await DeployedQuickstart.deploy(labName, args);
  });

  afterAll(() => stack.destroy());

  /** Fields of one more server of the stack's network, image and flavor. */
  async function describeServer(): Promise<JsonObject> {
    const idOf = async (type: string, name: string): Promise<string> =>
      (await stack.cloud.find(type, name)).id;
    return {
      project: await idOf("project", "demo"),
      flavor: await idOf("flavor", "tiny"),
      image: await idOf("image", "guest"),
      keypair: await idOf("keypair", "login"),
      networks: [{ network: await idOf("network", "net") }],
      waitFor: "ssh",
    };
  }

  async function hostOf(server: string): Promise<string> {
    return textOf((await stack.cloud.find("server", server)).outputs, "host");
  }

  test("each server runs in a host of its own, on the accelerator and the datapath of its driver", async () => {
    const script =
      'for name in $(virsh list --name); do virsh dumpxml "$name" | grep -o "<domain type=.[a-z]*."; done; ovs-vsctl get bridge br-int datapath_type';
    const answers = await Promise.all(
      hosts.map(async (host) => (await runOnHost(labName, host, ["sh", "-c", script])).stdout),
    );
    expect(answers).toEqual(hosts.map(() => `<domain type='${domain}'\n${datapath}\n`));
  });

  test("a cable that is cut between hosts parts their servers, and nothing is lost when it is mended", async () => {
    const host = await hostOf("web1");
    expect(await stack.pings("web1", "10.20.0.12")).toBe(true);
    await cutLink(labName, host, "data");
    expect(await stack.pings("web1", "10.20.0.12")).toBe(false);
    await mendLink(labName, host, "data");
    await expect.poll(() => stack.pings("web1", "10.20.0.12"), patience).toBe(true);
    expect(await stack.findDrift()).toMatchObject(noDrift);
  });

  test("a running server moves to another host and goes on", async () => {
    const { cloud } = stack;
    const mover = await make(cloud, "server", "mover", await describeServer());
    const from = textOf(mover.outputs, "host");
    await stack.tryInGuest("mover", "echo here > /tmp/mark");
    await cloud.act("server", mover.id, "live-migrate", {});
    expect(await hostOf("mover")).not.toBe(from);
    expect((await stack.tryInGuest("mover", "cat /tmp/mark")).stdout).toBe("here\n");
    expect(await stack.pings("web1", textOf(mover.outputs, "address"))).toBe(true);
    await cloud.remove("server", mover.id);
  });

  const serversFolder = "/var/lib/libvirt/images/stackyard/servers";

  async function listServers(host: string): Promise<readonly string[]> {
    return (await runOnHost(labName, host, ["ls", serversFolder])).stdout.split("\n");
  }

  /** Waits until a host has the folder of a server that is none of these, and gives the host's name. */
  async function seeNewServer(host: string, known: readonly string[]): Promise<string> {
    await expect
      .poll(async () => (await listServers(host)).filter((id) => !known.includes(id)), patience)
      .not.toEqual([]);
    return host;
  }

  test("a server whose host loses power while it is built is finished by the next run", async () => {
    const { cloud } = stack;
    const fields = await describeServer();
    const known = (await Promise.all(hosts.map(listServers))).flat();
    const seen = Promise.any(hosts.map((host) => seeNewServer(host, known)));
    const failure = make(cloud, "server", "late", fields).then(
      () => undefined,
      (error: unknown) => error,
    );
    const host = await seen;
    await changePower(labName, host, "cut");
    expect(await failure).toMatchObject({ code: "host-unreachable" });
    await changePower(labName, host, "on");
    const late = await make(cloud, "server", "late", fields);
    expect(late.outputs).toMatchObject({ status: "ACTIVE" });
    await expect.poll(() => stack.pings("web1", textOf(late.outputs, "address")), patience).toBe(true);
    await cloud.remove("server", late.id);
    expect(await cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
    await expect.poll(() => stack.findDrift(), patience).toMatchObject(noDrift);
  });

  test("all hosts go back to a moment, with the servers that ran in them, where the driver keeps moments", async () => {
    if (!canSnapshot(labName)) {
      await expect(snapshotLab(labName, "moment")).rejects.toMatchObject({ code: "invalid-input" });
      return;
    }
    await snapshotLab(labName, "moment");
    await stack.tryInGuest("web2", "echo later > /tmp/later");
    expect((await restoreLab(labName, "moment")).state).toBe("up");
    expect((await stack.tryInGuest("web2", "ls /tmp/later")).exitCode).not.toBe(0);
    await expect.poll(() => stack.pings("web3", "10.20.0.11"), patience).toBe(true);
  });

  test("all is as the stack declares it in the end", async () => {
    expect(await stack.findDrift()).toMatchObject(noDrift);
    expect(await stack.preview()).toMatchObject({ exitCode: 0 });
  });
});
