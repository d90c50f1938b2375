import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  Flavor,
  Keypair,
  Network,
  Port,
  Project,
  Subnet,
  User,
} from "../../providers/engines/pulumi/index.ts";
import { PulumiEngine, type Run } from "../support/pulumi-engine.ts";
import { makePulumiProject } from "../support/pulumi-project.ts";

let folder: string;
let home: string;
let engine: PulumiEngine;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "stackyard-home-"));
  folder = makePulumiProject("providers/engines/pulumi/host.ts");
  engine = await PulumiEngine.start(folder, { ...process.env, STACKYARD_HOME: home });
});

afterEach(async () => {
  await engine.destroy();
});

afterAll(async () => {
  await engine.stop();
  rmSync(folder, { recursive: true });
  rmSync(home, { recursive: true });
});

function opsOf(run: Run): Record<string, string> {
  return Object.fromEntries(run.steps.map(({ name, op }) => [name, op]));
}

/** A network with a subnet and a port on it. */
function networkProgram({ cidr = "10.20.0.0/24", ramMib = 64 } = {}): () => Promise<object> {
  return () => {
    const project = new Project("demo");
    new User("ada", { password: "correct horse", defaultProject: project });
    new Flavor("tiny", { vcpus: 1, ramMib });
    const { publicKey } = new Keypair("login", { project });
    const network = new Network("net", { project });
    const subnet = new Subnet("subnet", { project, network, cidr });
    const { mac, address } = new Port("port", { project, subnet, address: "10.20.0.10" });
    return Promise.resolve({ publicKey, mac, address });
  };
}

describe("the registry's resources over the real cloud", () => {
  it("are known in the preview as far as they can be", async () => {
    const { exports, errors } = await engine.preview(networkProgram());
    expect(errors).toEqual([]);
    expect(exports["mac"]).toMatch(/^fa:16:3e:/);
  });

  it("are made as previewed, and stay as they are", async () => {
    const preview = await engine.preview(networkProgram());
    const made = await engine.up(networkProgram());
    expect(made.errors).toEqual([]);
    expect(made.exports["mac"]).toBe(preview.exports["mac"]);
    const again = await engine.preview(networkProgram());
    expect(new Set(Object.values(opsOf(again)))).toEqual(new Set(["same"]));
  });

  it("are found unchanged by a refresh", async () => {
    await engine.up(networkProgram());
    const run = await engine.refresh();
    expect(run.errors).toEqual([]);
    expect(run.steps.flatMap(({ keys }) => keys)).toEqual([]);
  });

  it("are replaced under the name and address that their predecessors hold", async () => {
    await engine.up(networkProgram());
    const run = await engine.up(networkProgram({ cidr: "10.20.0.0/23", ramMib: 128 }));
    expect(run.errors).toEqual([]);
    expect(opsOf(run)).toMatchObject({ tiny: "replace", subnet: "replace", port: "replace", net: "same" });
    expect(run.exports["address"]).toBe("10.20.0.10");
  });

  it("are all removed by a destroy", async () => {
    await engine.up(networkProgram());
    const run = await engine.destroy();
    expect(run.errors).toEqual([]);
    expect(engine.state.size).toBe(0);
  });
});

it("ends with an engine that is killed, so that no task stays held", async () => {
  const killed = await PulumiEngine.start(folder, { ...process.env, STACKYARD_HOME: home });
  await killed.preview(networkProgram());
  await expect(killed.vanish()).resolves.toBeUndefined();
});
