import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { definitions } from "../../providers/registry.ts";
import { FakeCloud } from "../fakes/cloud.ts";
import { addressOfHost, makeSmallWorld, textOf } from "../support/cloud.ts";
import { runStackyard } from "../support/command-line.ts";
import { foreignDomain } from "../support/foreign-domain.ts";
import { AttachedProject, findTerraformCommands } from "../support/terraform.ts";

const commands = await findTerraformCommands();

it("has Terraform or OpenTofu to be tried with", () => {
  expect(commands).not.toEqual([]);
});

/** A host, and a server on it with an interface of its own and one by a port. */
function serverStack(server = "", flavor = "ram_mib = 256"): string {
  return `
resource "stackyard_host" "h1" {
  name             = "h1"
  address          = "${addressOfHost(1)}"
  tunnel_address   = "10.99.0.1/24"
  tunnel_interface = "eth1"
}
resource "stackyard_flavor" "tiny" {
  name  = "tiny"
  vcpus = 1
  disk_gib = 1
  ${flavor}
  lifecycle { create_before_destroy = true }
}
resource "stackyard_image" "guest" {
  name = "guest"
  disk = { location = "/images/cirros.qcow2" }
}
resource "stackyard_network" "net" { name = "net" }
resource "stackyard_subnet" "range" {
  name    = "range"
  network = stackyard_network.net.id
  cidr    = "10.1.0.0/24"
}
resource "stackyard_port" "p" {
  name   = "p"
  subnet = stackyard_subnet.range.id
}
resource "stackyard_server" "web" {
  name     = "web"
  flavor   = stackyard_flavor.tiny.id
  image    = stackyard_image.guest.id
  networks = [{ subnet = stackyard_subnet.range.id }, { port = stackyard_port.p.id }]
  ${server}
  depends_on = [stackyard_host.h1]
}
`;
}

const flavor = (inputs = "ram_mib = 64"): string => `
resource "stackyard_flavor" "tiny" {
  name  = "tiny"
  vcpus = 1
  ${inputs}
}
`;

const group = (address: string, name: string): string => `
resource "stackyard_server_group" "${address}" {
  name   = "${name}"
  policy = "affinity"
}
`;

describe.each(commands)("with $name", { timeout: 120_000 }, (command) => {
  let project: AttachedProject;

  beforeEach(async () => {
    project = await AttachedProject.open(command);
    project.test.compute.addMachine(addressOfHost(1));
  });

  afterEach(async () => {
    await project[Symbol.asyncDispose]();
  });

  describe("a plan", () => {
    it("knows ids, defaults and what follows from them before anything is made", async () => {
      project.write(serverStack());
      const plan = await project.plan();
      expect(plan.get("stackyard_server.web")?.after).toMatchObject({
        running: true,
        hostname: "web",
        drift: [],
      });
      expect(plan.get("stackyard_port.p")?.after).toMatchObject({
        mac: expect.stringMatching(/^fa:16:3e:/) as string,
      });
      expect(plan.get("stackyard_server.web")?.after_unknown).not.toHaveProperty("id");
    });

    it("leaves a field within an object out where the configuration does", async () => {
      const type = (qos: string): string =>
        `resource "stackyard_volume_type" "fast" {\n  name = "fast"\n  qos  = { ${qos} }\n}\n`;
      project.write(type("total_bytes_sec = 1000000, total_iops_sec = 2000"));
      await project.apply();
      project.write(type("total_bytes_sec = 1000000"));
      const plan = await project.plan();
      expect(plan.get("stackyard_volume_type.fast")?.after).toMatchObject({ qos: { total_iops_sec: null } });
      await project.must("apply", "plan.bin");
      expect(await project.attributes("stackyard_volume_type.fast")).toMatchObject({
        qos: { total_bytes_sec: 1_000_000, total_iops_sec: null },
      });
      expect((await project.run("plan", "-detailed-exitcode")).exitCode).toBe(0);
    });

    it("keeps a snapshot of the volume that a server has made when that grows", async () => {
      const stack = (size: string): string => `
${serverStack(`running = false
  boot_volume = { volume_type = stackyard_volume_type.files.id${size} }`)}
resource "stackyard_volume_type" "files" { name = "files" }
resource "stackyard_snapshot" "before" {
  name   = "before"
  volume = stackyard_server.web.block_devices[0].volume
}
`;
      project.write(stack(""));
      await project.apply();
      project.write(stack(", size_gib = 3"));
      expect(await project.actions()).toEqual({ "stackyard_server.web": "update" });
      await project.must("apply", "plan.bin");
      expect(await project.attributes("stackyard_server.web")).toMatchObject({
        block_devices: [{ size_gib: 3 }],
      });
      expect((await project.run("plan", "-detailed-exitcode")).exitCode).toBe(0);
    });

    it("leaves to the apply what is chosen among what is free", async () => {
      project.write(serverStack());
      const plan = await project.plan();
      expect(plan.get("stackyard_port.p")?.after_unknown).toMatchObject({ address: true });
      expect(plan.get("stackyard_network.net")?.after_unknown).toMatchObject({ vni: true });
    });

    it("keeps what is promised, and is empty after the apply", async () => {
      project.write(serverStack());
      const promised = await project.plan();
      await project.must("apply", "plan.bin");
      expect(await project.attributes("stackyard_server.web")).toMatchObject({
        id: promised.get("stackyard_server.web")?.after?.["id"],
        status: "ACTIVE",
        host: "h1",
      });
      expect((await project.run("plan", "-detailed-exitcode")).exitCode).toBe(0);
    });

    it("writes nothing", async () => {
      project.write(flavor());
      await project.plan();
      expect(await project.test.cloud.list("flavor")).toEqual([]);
    });

    it("takes values that are known only after apply, wherever they are", async () => {
      project.write(`
resource "terraform_data" "later" { input = "x" }
resource "terraform_data" "number" { input = 64 }
resource "stackyard_flavor" "f" {
  name        = "f-\${terraform_data.later.output}"
  vcpus       = 1
  ram_mib     = terraform_data.number.output
  extra_specs = { "hw:cpu_policy" = terraform_data.later.output }
}
resource "stackyard_project" "p" {
  name        = terraform_data.later.output
  description = terraform_data.later.output
  quota       = { cores = terraform_data.number.output }
}
resource "stackyard_network" "n" {
  name    = "n"
  project = stackyard_project.p.id
}
resource "stackyard_subnet" "s" {
  name        = "s"
  project     = stackyard_project.p.id
  network     = stackyard_network.n.id
  cidr        = "10.\${terraform_data.number.output}.0.0/24"
  dns_servers = ["10.\${terraform_data.number.output}.0.53"]
  allocation_pools = [{ start = "10.\${terraform_data.number.output}.0.10", end = "10.64.0.20" }]
}
`);
      const plan = await project.plan();
      expect(plan.get("stackyard_project.p")?.after_unknown).toMatchObject({
        id: true,
        name: true,
        quota: { cores: true },
      });
      await project.must("apply", "plan.bin");
      expect(await project.attributes("stackyard_project.p")).toMatchObject({
        quota: { cores: 64, instances: 10 },
      });
      expect(await project.actions()).toEqual({});
    });
  });

  describe("a change", () => {
    it("that is live updates in place", async () => {
      project.write(flavor());
      await project.apply();
      project.write(flavor(`ram_mib = 64\n description = "small"`));
      expect(await project.actions()).toEqual({ "stackyard_flavor.tiny": "update" });
      await project.apply();
      expect(await project.attributes("stackyard_flavor.tiny")).toMatchObject({ description: "small" });
    });

    it("that restarts says so in the plan, beside the attribute", async () => {
      project.write(serverStack());
      await project.apply();
      project.write(serverStack("running = false"));
      const shown = await project.must("plan");
      expect(shown).toContain("Warning: Changing running restarts the server (power cycle)");
      expect(shown).toContain('server "web": the actions that the plan shows do not say so.');
      expect(shown).toMatch(/running\s+= true -> false/);
      await project.apply();
      expect(await project.attributes("stackyard_server.web")).toMatchObject({ status: "SHUTOFF" });
    });

    it("keeps outputs known that it cannot change", async () => {
      project.write(serverStack());
      await project.apply();
      project.write(serverStack("running = false"));
      const change = (await project.plan()).get("stackyard_server.web");
      expect(change?.after_unknown).toMatchObject({ status: true });
      expect(change?.after_unknown).not.toHaveProperty("address");
      expect(change?.after_unknown).not.toHaveProperty("adopted_from");
    });

    it("of an immutable field replaces, and names it", async () => {
      project.write(flavor());
      await project.apply();
      project.write(flavor("ram_mib = 128"));
      const change = (await project.plan()).get("stackyard_flavor.tiny");
      expect(change).toMatchObject({ actions: ["delete", "create"], replace_paths: [["ram_mib"]] });
      await project.apply();
      expect(await project.actions()).toEqual({});
    });

    it("can replace what others use before it goes, under the same name", async () => {
      project.write(serverStack());
      await project.apply();
      project.write(serverStack("", "ram_mib = 512"));
      expect(await project.actions()).toMatchObject({
        "stackyard_flavor.tiny": "create/delete",
        "stackyard_server.web": "update",
      });
      await project.apply();
      expect(await project.actions()).toEqual({});
      expect(await project.test.cloud.list("flavor")).toHaveLength(1);
    });

    it("of a name keeps the resource", async () => {
      project.write(group("a", "web"));
      await project.apply();
      const { id } = await project.attributes("stackyard_server_group.a");
      project.write(group("a", "db"));
      await project.apply();
      expect(await project.attributes("stackyard_server_group.a")).toMatchObject({ id, name: "db" });
      project.write(group("a", "db") + group("b", "web"));
      await project.apply();
      expect(await project.actions()).toEqual({});
      expect((await project.attributes("stackyard_server_group.b"))["id"]).not.toBe(id);
    });

    it("that nothing asks for makes it anew", async () => {
      project.write(flavor());
      await project.apply();
      await project.apply("-replace=stackyard_flavor.tiny");
      expect(await project.actions()).toEqual({});
      expect(await project.test.cloud.list("flavor")).toHaveLength(1);
    });

    it("that makes a server anew tells what would be done on the hosts, and what is made anew at will does not say that it stays", async () => {
      project.write(serverStack());
      await project.apply();
      project.write(serverStack('user_data = "#!/bin/sh"'));
      const replaced = await project.must("plan");
      expect(replaced).toContain('server "web": host h1 of 1 would be chosen');
      project.write(serverStack());
      await project.must("taint", "stackyard_server.web");
      expect(await project.must("plan")).not.toContain("stays on host");
    });

    it("that no host has room for is told as one that would be refused", async () => {
      project.write(serverStack());
      await project.apply();
      const huge = await project.test.make("flavor", "huge", { vcpus: 1, ramMib: 1_000_000_000, diskGib: 1 });
      project.write(serverStack().replace("stackyard_flavor.tiny.id", JSON.stringify(huge.id)));
      const { warnings } = await project.planAndWarn();
      expect(warnings.map(({ summary }) => summary)).toContain("The apply would be refused on the hosts");
    });

    it("of the block's name alone destroys and makes anew, in whatever order it is asked about", async () => {
      project.write(group("b", "web"));
      await project.apply();
      for (const address of ["a", "c"]) {
        project.write(group(address, "web"));
        expect(await project.actions("-parallelism=1")).toEqual({
          [`stackyard_server_group.${address}`]: "create",
          "stackyard_server_group.b": "delete",
        });
      }
      await project.apply();
      expect(await project.actions()).toEqual({});
      expect(await project.test.cloud.list("server-group")).toHaveLength(1);
    });

    it("of a default's field back to none takes the default", async () => {
      project.write(flavor('ram_mib = 64\n extra_specs = { "hw:cpu_policy" = "shared" }'));
      await project.apply();
      project.write(flavor());
      await project.apply();
      expect(await project.attributes("stackyard_flavor.tiny")).toMatchObject({ extra_specs: {} });
    });
  });

  it("whose plan is read by diff-report is told there by the labels of the change table", async () => {
    project.write(serverStack());
    await project.apply();
    project.write(serverStack('user_data = "#!/bin/sh"\n  timeouts = { shutdown = 5 }', "ram_mib = 256"));
    await project.plan();
    const { stdout } = await project.run("show", "-json", "plan.bin");
    const cloud = new FakeCloud({ definitions });
    const defaults = { running: 60, address: 300, ssh: 300, cloudInit: 600, shutdown: 60 };
    const report = await runStackyard(cloud, ["diff-report", "-", "--json"], { stdin: stdout });
    expect(report.exitCode).toBe(3);
    expect(JSON.parse(report.stdout)).toMatchObject([
      {
        resource: "stackyard_server.web",
        action: "replace",
        label: "data-loss",
        changes: expect.arrayContaining([
          { field: "userData", from: null, to: "#!/bin/sh" },
          { field: "timeouts", from: defaults, to: { ...defaults, shutdown: 5 } },
        ]) as unknown,
        unexpected: true,
      },
    ]);
  });

  describe("drift", () => {
    beforeEach(async () => {
      project.write(serverStack());
      await project.apply();
    });

    it("of an input shows as a change, and the apply repairs it", async () => {
      const { id } = await project.attributes("stackyard_server.web");
      project.test.compute.meddle(addressOfHost(1), String(id), "stop");
      const change = (await project.plan()).get("stackyard_server.web");
      expect(change).toMatchObject({
        actions: ["update"],
        before: {
          running: false,
          drift: ["running: expected running, found shut-off on h1; the next apply starts it (live)"],
        },
        after: { running: true, drift: [] },
      });
      await project.apply();
      expect(await project.attributes("stackyard_server.web")).toMatchObject({ status: "ACTIVE", drift: [] });
    });

    it("of what is no input makes a plan that is not empty", async () => {
      const { id } = await project.attributes("stackyard_server.web");
      project.test.compute.meddle(addressOfHost(1), String(id), "undefine");
      expect((await project.run("plan", "-detailed-exitcode")).exitCode).toBe(2);
      await project.apply();
      expect((await project.run("plan", "-detailed-exitcode")).exitCode).toBe(0);
    });

    it("is no deletion when a host does not answer", async () => {
      project.test.compute.unreachable.add(addressOfHost(1));
      expect(await project.refusal("plan")).toContain("Code: host-unreachable");
      expect(await project.must("state", "list").catch(() => "")).toContain("stackyard_server.web");
    });

    it("by removal makes the resource anew", async () => {
      const { id } = await project.attributes("stackyard_server.web");
      await project.test.cloud.remove("server", String(id));
      expect(await project.actions()).toEqual({ "stackyard_server.web": "create" });
    });
  });

  describe("bad input", () => {
    it.each([
      [
        "a wrong type",
        `ram_mib = "much"`,
        /Inappropriate value for attribute "ram_mib": a number is required/,
      ],
      [
        "an unknown attribute",
        `ram_mib = 64\n colour = "red"`,
        /An argument named "colour" is not expected here/,
      ],
      ["a number beyond 2^53", "ram_mib = 9007199254740993", /exact up to 2\^53.*ram_mib = 9007199254740993/],
      ["a wrong value", "ram_mib = 0", /ram_mib = 0.*Code: invalid-input Value: 0 Remedy: /],
    ])("is refused by validate with its line: %s", async (_what, inputs, message) => {
      project.write(flavor(inputs));
      await project.must("init");
      expect(await project.refusal("validate")).toMatch(message);
    });

    it("in an object of a list is told by its place", async () => {
      project.write(serverStack().replace("{ port =", `{ mac = "nonsense" }, { port =`));
      const stderr = await project.refusal("validate");
      expect(stderr).toContain("networks[1].mac must be a unicast MAC address");
    });

    it("that only the cloud can tell is refused by the plan", async () => {
      project.write(group("a", "a").replace("affinity", 'affinity"\n max_servers_per_host = "2'));
      const stderr = await project.refusal("plan");
      expect(stderr).toContain("max_servers_per_host cannot be set for the policy affinity");
      expect(stderr).toContain("Remedy: Leave maxServersPerHost out");
    });

    it("a name that somebody else has is refused with the way to import it", async () => {
      const { id } = await project.test.make("flavor", "tiny", { vcpus: 1, ramMib: 64 });
      project.write(flavor());
      const stderr = await project.refusal("plan");
      expect(stderr).toContain(`terraform import stackyard_flavor.NAME ${id}`);
    });

    it("two blocks of one type, project and name are refused in the plan", async () => {
      project.write(group("a", "web") + group("b", "web"));
      expect(await project.refusal("plan")).toContain(
        "two resources of this configuration have the same type, project and name",
      );
    });

    it.each(["ram_mib = 64", 'ram_mib = 64\n description = "second"'])(
      "a second block of a name that the state has is refused in the plan: %s",
      async (inputs) => {
        project.write(flavor());
        await project.apply();
        project.write(flavor() + flavor(inputs).replace('_flavor" "tiny"', '_flavor" "other"'));
        for (let run = 0; run < 3; run++)
          expect(await project.refusal("plan", "-parallelism=1")).toContain(
            "two resources of this configuration have the same type, project and name",
          );
      },
    );
  });

  describe("a failure", () => {
    it("of a create leaves what it began in the state, to be made anew", async () => {
      project.write(serverStack());
      project.test.compute.fail("domains.waitReady", { code: "not-ready" });
      const failed = await project.run("apply", "-auto-approve", "-no-color");
      expect(failed.stderr).toContain("Code: not-ready");
      expect(await project.actions()).toEqual({ "stackyard_server.web": "delete/create" });
      await project.apply();
      expect(await project.actions()).toEqual({});
    });

    it("of a create that leaves nothing leaves nothing in the state", async () => {
      project.write(serverStack());
      // The plan looks at the host too, and so does the plan that Terraform makes before it applies, unless something else was applied by then.
      project.test.compute.fail("hosts.observe", { code: "host-unreachable", times: 100 });
      const failed = await project.run("apply", "-auto-approve", "-no-color");
      expect(failed.exitCode).toBe(1);
      expect(failed.stdout).toContain("not known further than step check: hosts.observe was made to fail");
      project.test.compute.mend();
      await project.apply();
      expect(await project.actions()).toEqual({});
    });

    it("of a change shows in the next plan, which carries it out", async () => {
      project.write(serverStack());
      await project.apply();
      project.write(serverStack("running = false"));
      project.test.compute.fail("domains.stop");
      expect((await project.run("apply", "-auto-approve")).exitCode).toBe(1);
      expect(await project.actions()).toEqual({ "stackyard_server.web": "update" });
      await project.apply();
      expect(await project.attributes("stackyard_server.web")).toMatchObject({ status: "SHUTOFF" });
    });

    it("of a state that was lost is made good by the next create, with a warning", async () => {
      project.write(group("a", "web"));
      await project.apply();
      const { id } = await project.attributes("stackyard_server_group.a");
      await project.must("state", "rm", "stackyard_server_group.a");
      const shown = await project.apply();
      expect(shown).toContain('server-group "web" is there already and is taken up');
      expect(await project.attributes("stackyard_server_group.a")).toMatchObject({ id });
    });

    it("of a plan that is stale is told", async () => {
      project.write(flavor());
      await project.plan();
      await project.test.make("flavor", "tiny", { vcpus: 1, ramMib: 64 });
      expect(await project.refusal("apply", "plan.bin")).toContain("Code: conflict");
    });
  });

  it("an interrupt ends a running build, which can be resumed", async () => {
    project.write(serverStack());
    const { reached } = project.test.compute.hold("domains.spawn");
    const running = project.start("apply", "-auto-approve");
    await reached;
    const ended = new Promise((resolve) => running.once("exit", resolve));
    running.kill("SIGINT");
    expect(await ended).toBe(1);
    await project.apply();
    expect(await project.actions()).toEqual({});
  });

  describe("import", () => {
    it.each(["id", "name"] as const)(
      "by %s brings a resource under management, and the next plan is empty",
      async (by) => {
        const view = await project.test.make("flavor", "tiny", { vcpus: 1, ramMib: 64 });
        project.write(flavor());
        await project.must("import", "stackyard_flavor.tiny", { id: view.id, name: "tiny" }[by]);
        expect(await project.actions()).toEqual({});
      },
    );

    it("by project and name tells projects apart", async () => {
      const one = await project.test.make("project", "one");
      const wanted = await project.test.make("network", "net", { project: one.id });
      await project.test.make("network", "elsewhere", { name: "net" });
      project.write(`resource "stackyard_network" "net" {\n name = "net"\n project = "${one.id}"\n}`);
      await project.must("import", "stackyard_network.net", "one/net");
      expect(await project.attributes("stackyard_network.net")).toMatchObject({ id: wanted.id });
    });

    it("of a server that was adopted takes it as it is, and the next plan is empty", async () => {
      const { test } = project;
      const { server } = await makeSmallWorld(test);
      test.compute.defineForeign(addressOfHost(1), foreignDomain, "data");
      const inputs = { ...server, name: "web" };
      await test.cloud.adopt({ host: "h1", domain: "legacy", inputs });
      project.write(`resource "stackyard_server" "web" {
  name     = "web"
  flavor   = "${textOf(server, "flavor")}"
  image    = "${textOf(server, "image")}"
  keypair  = "${textOf(server, "keypair")}"
  networks = [{ network = "${(await test.cloud.find("network", "net")).id}" }]
}`);
      await project.must("import", "stackyard_server.web", foreignDomain.id);
      expect((await project.run("plan", "-detailed-exitcode")).exitCode).toBe(0);
      expect(await project.attributes("stackyard_server.web")).toMatchObject({
        id: foreignDomain.id,
        adopted_from: { domain: "legacy" },
      });
    });

    it("of what the state has already under another address is warned of", async () => {
      project.write(group("a", "web"));
      await project.apply();
      project.write(group("a", "web") + group("b", "web"));
      await project.must("import", "stackyard_server_group.b", "web");
      const { changes, warnings } = await project.planAndWarn();
      expect([...changes.values()].map(({ actions }) => actions)).toEqual([["no-op"], ["no-op"]]);
      expect(warnings.map(({ summary }) => summary)).toEqual([
        'server-group "web" is in the state under two addresses',
      ]);
    });

    it("by a block writes the configuration, with which the plan changes nothing", async () => {
      const view = await project.test.make("subnet", "s", {
        network: (await project.test.make("network", "n")).id,
        cidr: "10.7.0.0/24",
        dnsServers: ["10.7.0.53"],
      });
      project.write(`import {\n to = stackyard_subnet.s\n id = "${view.id}"\n}\n`);
      await project.must("plan", "-generate-config-out=generated.tf");
      expect(project.read("generated.tf")).toMatch(/cidr\s+= "10.7.0.0\/24"/);
      expect(await project.actions()).toEqual({});
      await project.apply();
      expect((await project.run("plan", "-detailed-exitcode")).exitCode).toBe(0);
    });

    it("of something that is not there says so", async () => {
      project.write(flavor());
      const { exitCode, stderr } = await project.run(
        "import",
        "-no-color",
        "stackyard_flavor.tiny",
        "nowhere",
      );
      expect(exitCode).toBe(1);
      expect(stderr).toContain("there is no flavor to import");
    });
  });

  it("a data source finds by id and by name, and tells of one that is missing", async () => {
    const view = await project.test.make("flavor", "tiny", { vcpus: 1, ramMib: 64 });
    const data = `
data "stackyard_flavor" "by_id" { id = "${view.id}" }
data "stackyard_flavor" "by_name" { name = "tiny" }
`;
    project.write(data);
    await project.apply();
    const found = { id: view.id, name: "tiny", ram_mib: 64 };
    expect(await project.attributes("data.stackyard_flavor.by_id")).toMatchObject(found);
    expect(await project.attributes("data.stackyard_flavor.by_name")).toMatchObject(found);
    project.write(`${data}\ndata "stackyard_flavor" "missing" { name = "huge" }`);
    expect(await project.refusal("plan")).toContain("Code: not-found");
  });

  it("a state of another release is read: what it lacks is filled in, what it has too much is dropped", async () => {
    project.write(flavor());
    await project.apply();
    const state = JSON.parse(project.read("terraform.tfstate")) as {
      resources: { instances: { attributes: Record<string, unknown> }[] }[];
    };
    const attributes = state.resources[0]?.instances[0]?.attributes ?? {};
    delete attributes["extra_specs"];
    attributes["gone"] = "since";
    project.writeFile("terraform.tfstate", JSON.stringify(state));
    expect(await project.actions()).toEqual({});
  });

  it("secrets are in the state only where they are asked to be", async () => {
    project.write(`
resource "stackyard_user" "kept" {
  name     = "kept"
  password = "in-the-state"
}
resource "stackyard_user" "hidden" {
  name                = "hidden"
  password_wo         = "not-in-the-state"
  password_wo_version = 1
}
`);
    await project.apply();
    expect(project.read("terraform.tfstate")).toContain("in-the-state");
    expect(project.read("terraform.tfstate")).not.toContain("not-in-the-state");
    expect(await project.actions()).toEqual({});
  });

  it("a login that is refused is told without the password", async () => {
    project.write(`provider "stackyard" {\n username = "nobody"\n password = "wrong-one"\n}\n${flavor()}`);
    const refusal = await project.refusal("plan");
    expect(refusal).toContain("Code: unauthenticated");
    expect(refusal).not.toContain("wrong-one");
  });

  it("a setting of the provider that is known only after apply is told", async () => {
    const later = `resource "terraform_data" "later" {}`;
    project.write(`${later}\nprovider "stackyard" {\n project = terraform_data.later.id\n}\n${flavor()}`);
    expect(await project.refusal("plan")).toContain("the provider's project is not known before the apply");
  });

  it("a destroy leaves nothing", async () => {
    const before = await project.test.holdings();
    project.write(serverStack());
    await project.apply();
    await project.must("destroy", "-auto-approve");
    expect(await project.test.holdings()).toEqual(before);
  });
});
