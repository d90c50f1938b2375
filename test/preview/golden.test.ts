import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Flavor } from "../../providers/engines/pulumi/index.ts";
import { makeSmallWorld, type TestCloud } from "../support/cloud.ts";
import { runStackyard } from "../support/command-line.ts";
import { maskPreview } from "../support/mask.ts";
import { PulumiEngine, type Run } from "../support/pulumi-engine.ts";
import { makePulumiProject } from "../support/pulumi-project.ts";
import { AttachedProject, findTerraformCommands } from "../support/terraform.ts";

/** A kept preview, as users see it, of one change: a server takes a larger flavor, and another flavor takes more memory. */
function golden(name: string): string {
  return `../fixtures/previews/${name}.txt`;
}

/** Severity of what the SDK tells of itself (pulumi: `LogSeverity.DEBUG`). */
const debug = 0;

describe.each(await findTerraformCommands())("with $name", (command) => {
  let project: AttachedProject;

  beforeAll(async () => {
    project = await AttachedProject.open(command);
    const { image, network, flavor } = await makeSmallWorld(project.test);
    const large = await project.test.make("flavor", "large", { vcpus: 2, ramMib: 512, diskGib: 1 });
    const write = (flavorId: string, ramMib: number): void => {
      project.write(`
resource "stackyard_flavor" "spare" {
  name    = "spare"
  vcpus   = 1
  ram_mib = ${String(ramMib)}
}
resource "stackyard_server" "web" {
  name     = "web"
  flavor   = "${flavorId}"
  image    = "${image.id}"
  networks = [{ network = "${network.id}" }]
}
`);
    };
    write(flavor.id, 64);
    await project.apply();
    write(large.id, 128);
  }, 60_000);

  afterAll(async () => {
    await project[Symbol.asyncDispose]();
  });

  async function preview(test1: TestCloud, ...words: readonly string[]): Promise<string> {
    const { stdout, exitCode } = await runStackyard(await test1.open(), ["preview", ...words]);
    expect(exitCode).toBe(0);
    return maskPreview(stdout);
  }

  test("the command line previews a server that takes a larger flavor", async () => {
    const shown = await preview(project.test, "server", "web", "--flavor", "large");
    await expect(shown).toMatchFileSnapshot(golden("server.stackyard"));
  });

  test("the command line previews a server that takes another host name", async () => {
    const shown = await preview(project.test, "server", "web", "--hostname", "front");
    await expect(shown).toMatchFileSnapshot(golden("server-hostname.stackyard"));
  });

  test("the command line previews a flavor that takes more memory", async () => {
    const shown = await preview(project.test, "flavor", "spare", "--ram-mib", "128");
    await expect(shown).toMatchFileSnapshot(golden("flavor.stackyard"));
  });

  test("the plan shows both", async () => {
    // One after the other, so that the lines are in one order.
    const plan = await project.must("plan", "-parallelism=1", "-refresh=false", "-out=plan.bin");
    await expect(maskPreview(plan)).toMatchFileSnapshot(golden("both.terraform"));
  });
});

describe("with Pulumi", () => {
  let folder: string;
  let home: string;
  let engine: PulumiEngine;

  const spare =
    (ramMib: number): (() => Promise<object>) =>
    () => {
      new Flavor("spare", { vcpus: 1, ramMib });
      return Promise.resolve({});
    };

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "stackyard-home-"));
    folder = makePulumiProject("providers/engines/pulumi/host.ts");
    engine = await PulumiEngine.start(folder, { ...process.env, STACKYARD_HOME: home });
    await engine.up(spare(64));
  }, 60_000);

  afterAll(async () => {
    await engine.stop();
    rmSync(folder, { recursive: true });
    rmSync(home, { recursive: true });
  });

  function write({ steps, errors }: Run): string {
    const lines = steps.map(({ op, name, keys }) => `${op} ${name} [diff: ${keys.join(", ")}]`);
    const told = engine.display.filter(({ severity }) => severity > debug).map(({ text }) => text);
    return maskPreview([...lines, ...told, ...errors, ""].join("\n"));
  }

  test("the preview shows a flavor that takes more memory", async () => {
    engine.display.length = 0;
    await expect(write(await engine.preview(spare(128)))).toMatchFileSnapshot(golden("flavor.pulumi"));
  });
});
