import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTerraformLab, type LabProject, type TerraformLab } from "../support/terraform-stack.ts";
import { findTerraformCommands } from "../support/terraform.ts";

const commands = await findTerraformCommands();

let lab: TerraformLab;
let bare: string;

beforeAll(async () => {
  lab = await openTerraformLab("terraform");
  bare = await lab.survey();
}, 600_000);

afterAll(() => lab.close());

it("has Terraform or OpenTofu to be driven", () => {
  expect(commands).not.toEqual([]);
});

describe.each(commands)("stacks/terraform by $name", (command) => {
  let project: LabProject;

  beforeAll(async () => {
    project = await lab.open(command);
  });

  afterAll(() => project[Symbol.asyncDispose]());

  /** State of a server's domain, on whichever host it is. */
  async function domainState(address: string): Promise<string> {
    const { id, host } = await project.attributes(address);
    return (await lab.onHost(String(host), `virsh domstate ${String(id)}`)).trim();
  }

  /**
   * As a user does with what Terraform wrote: references in the place of ids, and the hosts as the stack's own servers
   * name them, by which it knows what to destroy first.
   */
  async function referTo(file: string, resources: readonly string[]): Promise<void> {
    let text = project.read(file).replace("{\n", "{\n  depends_on = [stackyard_host.lab]\n");
    for (const resource of resources) {
      const address = `stackyard_${resource}`;
      const { id } = await project.attributes(address);
      text = text.replaceAll(JSON.stringify(id), `${address}.id`);
    }
    expect(text).toContain("stackyard_subnet.subnet.id");
    expect(text).toContain("depends_on");
    project.writeFile(file, text);
  }

  /** Servers that the test has beside the stack's own. */
  function extras(...names: readonly string[]): string {
    return `-var=extras=${JSON.stringify(names)}`;
  }

  it("is initialised from the mirror, and valid", async () => {
    await project.must("init", "-input=false");
    expect(await project.must("validate")).toContain("Success!");
  });

  it("applies a saved plan: a server on each host, as planned, and then nothing to do", async () => {
    const plan = await project.plan();
    expect(new Set([...plan.values()].map(({ actions }) => actions.join()))).toEqual(new Set(["create"]));
    await project.must("apply", "plan.bin");
    const servers = await project.table();
    expect(servers.map(({ status }) => status)).toEqual(["ACTIVE", "ACTIVE"]);
    expect(servers.map(({ host }) => host).toSorted()).toEqual(["h1", "h2"]);
    expect(await project.attributes("stackyard_server.web[0]")).toMatchObject({
      id: plan.get("stackyard_server.web[0]")?.after?.["id"],
    });
    expect(await project.isPlanEmpty()).toBe(true);
  });

  it("keeps the password out of plan and state", async () => {
    expect(project.read("terraform.tfstate")).not.toContain("only-for-this-test");
    expect((await project.run("show", "-json", "plan.bin")).stdout).not.toContain("only-for-this-test");
  });

  it("finds a server that was stopped by hand, and starts it", async () => {
    const { id, host } = await project.attributes("stackyard_server.web[0]");
    await lab.onHost(String(host), `virsh destroy ${String(id)}`);
    expect(await project.isPlanEmpty()).toBe(false);
    await project.apply();
    expect(await domainState("stackyard_server.web[0]")).toBe("running");
    expect(await project.isPlanEmpty()).toBe(true);
  });

  it("imports a server that the command line made, with the configuration that it writes", async () => {
    const inputs = ["--name", "made", "--project", "demo", "--flavor", "tiny", "--image", "guest"];
    await project.stackyard("server", "create", ...inputs, "--networks", "subnet=subnet");
    project.writeFile("import.tf", `import {\n  to = stackyard_server.made\n  id = "demo/made"\n}\n`);
    await project.must("plan", "-generate-config-out=made.tf");
    await referTo("made.tf", ["project.demo", "flavor.tiny", "image.guest", "network.net", "subnet.subnet"]);
    await project.apply();
    expect(await domainState("stackyard_server.made")).toBe("running");
    expect(await project.isPlanEmpty()).toBe(true);
  });

  // What happens in the provider's own process is the same under both: one of them shows it.
  if (command === commands.at(-1)) {
    describe("faults", () => {
      it("goes on after Ctrl-C in the middle of an apply", async () => {
        expect(await project.interruptAt("ready", extras("one"))).toBe(1);
        expect(await project.must("state", "list")).toContain('stackyard_server.extra["one"]');
        await project.apply(extras("one"));
        expect(await domainState('stackyard_server.extra["one"]')).toBe("running");
      });

      it("goes on after SIGKILL of the provider in the middle of an apply", async () => {
        expect(await project.killProviderAt("spawn", extras("one", "two"))).toBe(1);
        await project.apply(extras("one", "two"));
        expect(await domainState('stackyard_server.extra["two"]')).toBe("running");
        expect(await project.isPlanEmpty(extras("one", "two"))).toBe(true);
        expect(await project.stackyard("gc")).toContain("nothing is left over");
      });

      it("applies a saved plan though servers were removed and stopped meanwhile: all are as planned, and in the state", async () => {
        const words = [extras("one", "two"), "-var=shutdown_seconds=5"];
        expect(await project.actions(...words)).toEqual({
          'stackyard_server.extra["one"]': "update",
          'stackyard_server.extra["two"]': "update",
        });
        await project.stackyard("server", "delete", "one");
        await project.stackyard("server", "set", "two", "--no-running", "--yes");
        await project.must("apply", "plan.bin");
        expect(await domainState('stackyard_server.extra["one"]')).toBe("running");
        expect(await domainState('stackyard_server.extra["two"]')).toBe("running");
        expect(await project.isPlanEmpty(...words)).toBe(true);
      });
    });
  }

  it("leaves nothing on any host after destroy", async () => {
    await project.must("destroy", "-auto-approve");
    expect(await project.must("state", "list")).toBe("");
    expect(await lab.survey()).toBe(bare);
    expect(JSON.parse(await project.stackyard("host", "list", "--json"))).toEqual([]);
  });
});
