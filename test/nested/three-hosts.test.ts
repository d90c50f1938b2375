import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  canSnapshot,
  changePower,
  cutLink,
  mendLink,
  restoreLab,
  runOnHost,
  snapshotLab,
} from "../../lab/lab.ts";
import { pulumiEnvironment } from "../../lab/packed-project.ts";
import { labFolder } from "../../lab/folders.ts";
import { readConfig } from "../../providers/config/config.ts";
import type { Cloud, ResourceView } from "../../providers/core/cloud.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { runProcess } from "../../lab/process.ts";
import { runProgram } from "../../lab/setup/program.ts";
import { toolPath } from "../../lab/setup/requirements.ts";
import { openCloud } from "../../providers/wiring.ts";
import { make, textOf } from "../support/cloud.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";

/**
 * The quickstart's stack on three hosts, deployed by `pulumi up` and unchanged on either driver: virtual machines with a
 * kernel each, and namespaces. Files are those of `npm run quickstart`.
 */
const drivers = [
  { driver: "nested", labName: "quickstart-nested", args: ["--nested"], domain: "kvm", datapath: "system" },
  { driver: "namespace", labName: "quickstart", args: [], domain: "qemu", datapath: "netdev" },
] as const;

const hosts = ["h1", "h2", "h3"] as const;
const patience = { timeout: 300_000, interval: 1_000 };

describe.each(drivers)(
  "three hosts of the driver $driver",
  ({ labName, args: variant, domain, datapath }) => {
    let labs: LabFolder;
    let all: string;
    let cloud: Cloud;

    /** `npm run quickstart`, with its state in the test's folder. */
    async function runQuickstart(...args: readonly string[]): Promise<void> {
      const child = spawn(process.execPath, ["lab/setup/launch.mjs", "quickstart", ...variant, ...args], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      const said: string[] = [];
      createInterface(child.stdout).on("line", (line) => said.push(line));
      createInterface(child.stderr).on("line", (line) => said.push(line));
      const [code] = z.tuple([z.int().nullable(), z.unknown()]).parse(await once(child, "close"));
      if (code !== 0)
        throw new Error(`the quickstart ended with ${String(code)}:\n${said.slice(-30).join("\n")}`);
    }

    beforeAll(async () => {
      labs = openLabFolder("three-hosts");
      all = join(labs.stateHome, "stackyard", labName);
      await runQuickstart();
      cloud = await openCloud({ config: readConfig(environment()) });
    });

    afterAll(async () => {
      await cloud.close();
      await runQuickstart("--destroy");
      const isLeft = existsSync(labFolder(labName));
      await labs.close();
      expect(isLeft).toBe(false);
    });

    function environment() {
      return { STACKYARD_HOME: join(all, "clouds"), STACKYARD_CLOUD: labName };
    }

    /** Runs a command in a server's guest, as a user does, and gives how it ended. */
    function tryInGuest(name: string, command: string) {
      const words = [
        "providers/main.ts",
        "server",
        "ssh",
        name,
        "--identity",
        join(all, "id_login"),
        "--",
        command,
      ];
      return runProcess(process.execPath, words, {
        cwd: process.cwd(),
        env: environment(),
        timeoutMs: 120_000,
      });
    }

    async function pings(from: string, address: string): Promise<boolean> {
      return (await tryInGuest(from, `ping -c 2 -W 5 ${address}`)).exitCode === 0;
    }

    /** What `stackyard drift` says of the whole cloud; empty when nothing differs. */
    async function findDrift(): Promise<unknown> {
      const words = ["providers/main.ts", "drift", "--json"];
      const { stdout } = await runProcess(process.execPath, words, {
        cwd: process.cwd(),
        env: environment(),
        timeoutMs: 300_000,
      });
      return z
        .looseObject({ findings: z.array(z.unknown()), errors: z.array(z.unknown()) })
        .parse(JSON.parse(stdout));
    }

    const noDrift = { findings: [], errors: [], interrupted: [] };

    async function serverCalled(name: string): Promise<ResourceView> {
      return cloud.find("server", name);
    }

    /** Fields of one more server of the stack's network, image and flavor. */
    async function describeServer(): Promise<JsonObject> {
      const idOf = async (type: string, name: string): Promise<string> => (await cloud.find(type, name)).id;
      return {
        project: await idOf("project", "demo"),
        flavor: await idOf("flavor", "tiny"),
        image: await idOf("image", "guest"),
        keypair: await idOf("keypair", "login"),
        networks: [{ network: await idOf("network", "net") }],
        waitFor: "ssh",
      };
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
      const web1 = await serverCalled("web1");
      const host = textOf(web1.outputs, "host");
      expect(await pings("web1", "10.20.0.12")).toBe(true);
      await cutLink(labName, host, "data");
      expect(await pings("web1", "10.20.0.12")).toBe(false);
      await mendLink(labName, host, "data");
      await expect.poll(() => pings("web1", "10.20.0.12"), patience).toBe(true);
      expect(await findDrift()).toMatchObject(noDrift);
    });

    test("a running server moves to another host and goes on", async () => {
      const mover = await make(cloud, "server", "mover", await describeServer());
      const from = textOf(mover.outputs, "host");
      await tryInGuest("mover", "echo here > /tmp/mark");
      await cloud.act("server", mover.id, "live-migrate", {});
      expect(textOf((await serverCalled("mover")).outputs, "host")).not.toBe(from);
      expect((await tryInGuest("mover", "cat /tmp/mark")).stdout).toBe("here\n");
      expect(await pings("web1", textOf(mover.outputs, "address"))).toBe(true);
      await cloud.remove("server", mover.id);
    });

    /** Waits until a host has the folder of one more server, and gives the host's name. */
    async function seeNewServer(host: string): Promise<string> {
      const script = `cd /var/lib/libvirt/images/stackyard/servers
before=$(ls | wc -l)
for turn in $(seq 1200); do
  [ "$(ls | wc -l)" -le "$before" ] || exit 0
  sleep 0.1
done
exit 1`;
      const { exitCode } = await runOnHost(labName, host, ["sh", "-c", script], { timeoutMs: 300_000 });
      if (exitCode !== 0) throw new Error(`host ${host} began no server`);
      return host;
    }

    test("a host that loses power while it builds a server has it finished by the next run", async () => {
      const fields = await describeServer();
      const seen = Promise.any(hosts.map(seeNewServer));
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
      expect(await pings("web1", textOf(late.outputs, "address"))).toBe(true);
      await cloud.remove("server", late.id);
      expect(await cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
      await expect.poll(findDrift, patience).toMatchObject(noDrift);
    });

    test("all hosts go back to a moment, with the servers that ran in them", async () => {
      if (!canSnapshot(labName)) {
        await expect(snapshotLab(labName, "moment")).rejects.toMatchObject({ code: "invalid-input" });
        return;
      }
      await snapshotLab(labName, "moment");
      await tryInGuest("web2", "echo later > /tmp/later");
      expect((await restoreLab(labName, "moment")).state).toBe("up");
      expect((await tryInGuest("web2", "ls /tmp/later")).exitCode).not.toBe(0);
      await expect.poll(() => pings("web3", "10.20.0.11"), patience).toBe(true);
    });

    test("all is as the stack declares it in the end", async () => {
      expect(await findDrift()).toMatchObject(noDrift);
      const words = ["preview", "--expect-no-changes", "--non-interactive", "--color", "never"];
      const { exitCode, tail } = await runProgram("pulumi", words, {
        cwd: join(all, "project"),
        env: { ...process.env, ...environment(), PATH: await toolPath(), ...pulumiEnvironment(all) },
        timeoutMs: 600_000,
      });
      expect({ exitCode, tail }).toMatchObject({ exitCode: 0 });
    });
  },
);
