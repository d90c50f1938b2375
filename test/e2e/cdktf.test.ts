import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ProgramResult } from "../../lab/setup/program.ts";
import { openCdktfStack, type CdktfStack } from "../support/cdktf-stack.ts";
import { findTerraformCommands } from "../support/terraform.ts";

const commands = await findTerraformCommands();

let stack: CdktfStack;
let bare: string;

beforeAll(async () => {
  stack = await openCdktfStack("cdktf");
  bare = await stack.survey();
}, 600_000);

afterAll(() => stack.close());

async function must(running: Promise<ProgramResult>): Promise<string> {
  const { exitCode, tail } = await running;
  const text = tail.join("\n");
  expect(exitCode, text).toBe(0);
  return text;
}

function deploy(): Promise<string> {
  return must(
    stack.cdktf("deploy", "--auto-approve", "--skip-provider-lock", "--outputs-file", "outputs.json"),
  );
}

/** What `terraform plan` says by its exit code: whether there is something to do. */
async function isPlanEmpty(): Promise<boolean> {
  const { exitCode, tail } = await stack.terraform("plan", "-detailed-exitcode", "-input=false");
  expect([0, 2], tail.join("\n")).toContain(exitCode);
  return exitCode === 0;
}

it("has Terraform or OpenTofu to be driven", () => {
  expect(commands).not.toEqual([]);
});

it.each([
  { library: "cdktf", kind: "commonjs" },
  { library: "cdktn", kind: "esm" },
])("the published package has types for a $kind program with $library, and works in it", async (program) => {
  expect(JSON.parse(await stack.compileAndRun(program))).toMatchObject({
    resource: {
      stackyard_server: {
        web: {
          flavor: "${stackyard_flavor.tiny.id}",
          networks: [{ subnet: "${stackyard_subnet.subnet.id}" }],
        },
      },
    },
  });
});

it("the stack's own program compiles", async () => {
  await stack.compile(".");
});

describe.each(commands)("stacks/cdktf by $name", (command) => {
  beforeAll(() => stack.use(command));

  it("synthesises", async () => {
    expect(await must(stack.cdktf("synth"))).toContain("Generated Terraform code for the stacks: cloud");
  });

  it("shows what a deploy would do", async () => {
    expect(await must(stack.cdktf("diff", "--skip-provider-lock"))).toMatch(/Plan: \d+ to add, 0 to change/);
  });

  it("deploys a server on each host, logs in to each, and then has nothing to do", async () => {
    await deploy();
    const servers = await stack.table();
    expect(servers.map(({ status }) => status)).toEqual(["ACTIVE", "ACTIVE"]);
    expect(servers.map(({ host }) => host).sort()).toEqual(["h1", "h2"]);
    expect(await isPlanEmpty()).toBe(true);
    expect(await must(stack.terraform("state", "list"))).toContain("null_resource.web2-check");
  });

  it("finds a server that was stopped by hand, and starts it", async () => {
    await stack.onHost("h1", "virsh destroy $(virsh -q list --uuid)");
    expect(await isPlanEmpty()).toBe(false);
    await deploy();
    expect((await stack.onHost("h1", "virsh -q list --state-running --uuid")).trim()).not.toBe("");
    expect(await isPlanEmpty()).toBe(true);
  });

  it("runs the check again for a server that is replaced", async () => {
    await stack.edit('waitFor: "ssh",', 'waitFor: "ssh",\n        userData: "#!/bin/sh\\n",');
    const diff = await must(stack.cdktf("diff", "--skip-provider-lock"));
    await stack.edit('\n        userData: "#!/bin/sh\\n",', "");
    expect(diff).toMatch(/stackyard_server\.web1\b.* must be replaced/);
    expect(diff).toMatch(/null_resource\.web1-check\b.* must be replaced/);
  });

  it("leaves nothing on any host after destroy", async () => {
    await must(stack.cdktf("destroy", "--auto-approve", "--skip-provider-lock"));
    expect(await stack.survey()).toBe(bare);
  });
});
