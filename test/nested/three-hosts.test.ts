import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { cutLink, mendLink, restoreLab, runOnHost, snapshotLab } from "../../lab/lab.ts";
import { labFolder } from "../../lab/folders.ts";
import { readConfig } from "../../providers/config/config.ts";
import type { Cloud, ResourceView } from "../../providers/core/cloud.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { runProcess } from "../../lab/process.ts";
import { openCloud } from "../../providers/wiring.ts";
import { make, textOf } from "../support/cloud.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";

/**
 * What the quickstart's stack is on three virtual machines: deployed by `pulumi up`, unchanged, and tried in ways that
 * namespaces cannot be. Files are those of `npm run quickstart -- --nested`.
 */
const labName = "quickstart-nested";
const patience = { timeout: 300_000, interval: 1_000 };

let labs: LabFolder;
let all: string;
let cloud: Cloud;

/** `npm run quickstart -- --nested`, with its state in the test's folder. */
async function runQuickstart(...args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, ["lab/setup/launch.mjs", "quickstart", "--nested", ...args], {
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

test("each server runs on KVM in a host of its own, on the kernel's datapath", async () => {
  const script =
    'for name in $(virsh list --name); do virsh dumpxml "$name" | grep -o "<domain type=.kvm."; done; ovs-vsctl get bridge br-int datapath_type';
  const answers = await Promise.all(
    ["h1", "h2", "h3"].map(async (host) => (await runOnHost(labName, host, ["sh", "-c", script])).stdout),
  );
  expect(answers).toEqual(Array<string>(3).fill("<domain type='kvm'\nsystem\n"));
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

test("all hosts go back to a moment, with the servers that ran in them", async () => {
  await snapshotLab(labName, "moment");
  await tryInGuest("web2", "echo later > /tmp/later");
  expect((await restoreLab(labName, "moment")).state).toBe("up");
  expect((await tryInGuest("web2", "ls /tmp/later")).exitCode).not.toBe(0);
  await expect.poll(() => pings("web3", "10.20.0.11"), patience).toBe(true);
});
