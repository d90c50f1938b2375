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

  /** A host that was off: its servers booted anew, and guests whose disk is in memory have other host keys since. */
  let lost: string | undefined;

  /** A server of the stack that has run on all the time, and the address of another one. */
  async function findWitnesses(): Promise<readonly [string, string]> {
    const servers = await Promise.all(
      ["web1", "web2", "web3"].map(async (name) => {
        const { outputs } = await stack.cloud.find("server", name);
        return { name, host: textOf(outputs, "host"), address: textOf(outputs, "address") };
      }),
    );
    const [first, second] = servers.filter(({ host }) => host !== lost);
    if (first === undefined || second === undefined) throw new Error("each server has a host of its own");
    return [first.name, second.address];
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
    lost = await seen;
    await changePower(labName, lost, "cut");
    expect(await failure).toMatchObject({ code: "host-unreachable" });
    await changePower(labName, lost, "on");
    const late = await make(cloud, "server", "late", fields);
    expect(late.outputs).toMatchObject({ status: "ACTIVE" });
    const [witness] = await findWitnesses();
    await expect.poll(() => stack.pings(witness, textOf(late.outputs, "address")), patience).toBe(true);
    await cloud.remove("server", late.id);
    expect(await cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
    await expect.poll(() => stack.findDrift(), patience).toMatchObject(noDrift);
  });

  test("all hosts go back to a moment, with the servers that ran in them, where the driver keeps moments", async () => {
    if (!canSnapshot(labName)) {
      await expect(snapshotLab(labName, "moment")).rejects.toMatchObject({ code: "invalid-input" });
      return;
    }
    const [witness, address] = await findWitnesses();
    await snapshotLab(labName, "moment");
    await stack.tryInGuest(witness, "echo later > /tmp/later");
    expect((await restoreLab(labName, "moment")).state).toBe("up");
    expect((await stack.tryInGuest(witness, "ls /tmp/later")).stderr).toContain("No such file");
    await expect.poll(() => stack.pings(witness, address), patience).toBe(true);
  });

  test("all is as the stack declares it in the end", async () => {
    expect(await stack.findDrift()).toMatchObject(noDrift);
    expect(await stack.preview()).toMatchObject({ exitCode: 0 });
  });
});
