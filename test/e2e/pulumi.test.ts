import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPulumiStack, type PulumiStack } from "../support/pulumi-stack.ts";

/** What identifies a running server: its domain, and the process that runs it. */
interface Running {
  readonly state: string;
  readonly pid: string;
}

/** What a guest says of itself when it has booted: its host name, and the id of that boot by its kernel. */
interface Guest {
  readonly hostname: string | undefined;
  readonly bootId: string | undefined;
}

/** Lines of Pulumi's that tell nothing but that it goes on. */
const isProgress = /^\s*$|^@ |refresh(ing)? *$|\[urn=/;

describe("pulumi on a lab", () => {
  let stack: PulumiStack;
  let bare: string;

  beforeAll(async () => {
    stack = await openPulumiStack("e2e-pulumi");
    bare = await stack.survey();
  });
  afterAll(() => stack.close());

  async function up(): Promise<void> {
    const { exitCode, tail } = await stack.pulumi("up", "--yes", "--skip-preview");
    expect(exitCode, tail.join("\n")).toBe(0);
  }

  async function expectNoChanges(): Promise<void> {
    const { exitCode, tail } = await stack.pulumi("preview", "--expect-no-changes");
    expect(exitCode, tail.join("\n")).toBe(0);
  }

  async function running(name: string): Promise<Running> {
    const { uuid, host } = await stack.server(name);
    const state = await stack.onHost(host, `virsh domstate ${uuid}`);
    const pid = await stack.onHost(
      host,
      `cat /run/libvirt/qemu/$(virsh domname ${uuid} | head -1).pid 2>/dev/null || true`,
    );
    return { state: state.trim(), pid: pid.trim() };
  }

  async function guestOf(name: string): Promise<Guest> {
    const { uuid, host } = await stack.server(name);
    const console = `/var/lib/libvirt/images/stackyard/servers/${uuid}/console.log`;
    const greeting = await stack.onHost(host, `grep -a 'STACKYARD-GUEST name=' ${console} | tail -n 1`);
    const [, hostname, bootId] = / name=(\S+) .* boot=(\S+)/.exec(greeting) ?? [];
    return { hostname, bootId };
  }

  it("creates a server, and then has nothing to do", async () => {
    await stack.declare({ servers: { web: { waitFor: "ssh" } } });
    await up();
    expect(await stack.server("web")).toMatchObject({ status: "ACTIVE" });
    expect((await running("web")).state).toBe("running");
    await expectNoChanges();
  });

  it("changes live what it calls live", async () => {
    const before = await running("web");
    await stack.declare({ servers: { web: { waitFor: "ssh", timeouts: { shutdown: 5 } } } });
    expect(await stack.previewed()).toMatchObject({ web: "update" });
    await up();
    expect(await running("web")).toEqual(before);
    await expectNoChanges();
  });

  it("reboots the guest of a server that gets another host name, and says so", async () => {
    const before = await running("web");
    const guest = await guestOf("web");
    const { uuid } = await stack.server("web");
    await stack.declare({
      servers: { web: { waitFor: "cloud-init", timeouts: { shutdown: 5 }, hostname: "renamed" } },
    });
    const { tail } = await stack.pulumi("preview", "--diff");
    expect(tail.join("\n")).toContain("changing hostname reboots the guest");
    await up();
    expect(await running("web")).toEqual(before);
    expect((await stack.server("web")).uuid).toBe(uuid);
    const rebooted = await guestOf("web");
    expect([guest.hostname, rebooted.hostname]).toEqual(["web", "renamed"]);
    expect(rebooted.bootId).not.toBe(guest.bootId);
    await expectNoChanges();
  });

  it("power-cycles a server that gets another flavor, and says so", async () => {
    const before = await running("web");
    const { uuid } = await stack.server("web");
    await stack.declare({ servers: { web: { waitFor: "ssh", timeouts: { shutdown: 5 }, flavor: "small" } } });
    const { tail } = await stack.pulumi("preview", "--diff");
    expect(tail.join("\n")).toContain("changing flavor restarts the server (power cycle)");
    const { host } = await stack.server("web");
    const told = tail.map((line) => line.trim());
    expect(told).toEqual(
      expect.arrayContaining([`it stays on host ${host}`, "-  <vcpu>1</vcpu>", "+  <vcpu>2</vcpu>"]),
    );
    await up();
    const after = await running("web");
    expect(after.state).toBe("running");
    expect(after.pid).not.toBe(before.pid);
    expect(await stack.server("web")).toMatchObject({ uuid, status: "ACTIVE" });
    expect(await stack.onHost(host, `virsh vcpucount ${uuid} --current`)).toContain("2");
    await expectNoChanges();
  });

  it("replaces a server whose user data changes", async () => {
    const { uuid, host } = await stack.server("web");
    await stack.declare({
      servers: {
        web: { waitFor: "ssh", timeouts: { shutdown: 5 }, flavor: "small", userData: "#!/bin/sh\ntrue\n" },
      },
    });
    expect(await stack.previewed()).toMatchObject({ web: "replace" });
    const { tail } = await stack.pulumi("preview", "--diff");
    expect(tail.join("\n")).toContain("changing userData replaces the resource, and the data on it is lost");
    await up();
    expect((await stack.server("web")).uuid).not.toBe(uuid);
    expect(await stack.onHost(host, "virsh -q list --all --uuid")).not.toContain(uuid);
    await expectNoChanges();
  });

  it("stops and starts a server by its field running", async () => {
    const web = {
      waitFor: "running",
      timeouts: { shutdown: 5 },
      flavor: "small",
      userData: "#!/bin/sh\ntrue\n",
    };
    await stack.declare({ servers: { web: { ...web, running: false } } });
    await up();
    expect(await stack.server("web")).toMatchObject({ status: "SHUTOFF" });
    expect((await running("web")).state).toBe("shut off");
    await expectNoChanges();
    await stack.declare({ servers: { web } });
    await up();
    expect((await running("web")).state).toBe("running");
  });

  describe("refresh after drift made by hand", () => {
    it.each([
      { drift: "a stopped server", command: (uuid: string) => `virsh destroy ${uuid}` },
      {
        drift: "an undefined domain",
        command: (uuid: string) => `virsh destroy ${uuid}; virsh undefine ${uuid} --nvram`,
      },
      {
        drift: "a deleted port",
        command: (uuid: string) =>
          `ovs-vsctl del-port $(ovs-vsctl --bare --columns=name find interface external_ids:vm-id=${uuid})`,
      },
    ])("shows and repairs $drift", async ({ command }) => {
      const { uuid, host } = await stack.server("web");
      await stack.onHost(host, command(uuid));
      const refresh = await stack.pulumi("refresh", "--yes", "--skip-preview");
      expect(refresh.exitCode, refresh.tail.join("\n")).toBe(0);
      expect(await stack.previewed()).toMatchObject({ web: "update" });
      await up();
      expect((await running("web")).state).toBe("running");
      const port = await stack.onHost(
        host,
        `ovs-vsctl --bare --columns=name find interface external_ids:vm-id=${uuid}`,
      );
      expect(port.trim()).toMatch(/^tap/);
      const again = await stack.pulumi("preview", "--refresh", "--expect-no-changes", "--diff");
      expect(again.exitCode, again.tail.filter((line) => !isProgress.test(line)).join("\n")).toBe(0);
    });
  });

  it("treats an unreachable host as an error, not as a deletion", async () => {
    const { host } = await stack.server("web");
    await stack.cutManagement(host);
    const refresh = await stack
      .pulumi("refresh", "--yes", "--skip-preview")
      .finally(() => stack.mendManagement(host));
    expect(refresh.exitCode).not.toBe(0);
    expect(refresh.tail.join("\n")).toContain("host-unreachable");
    await expectNoChanges();
  });

  describe("after SIGKILL of the provider", () => {
    // Before the host knows of it, when it is wired, and when its domain is made; `test/laws/crash.test.ts` has every step.
    // Each case also takes the server of the case before it away.
    it.each(["placement", "ports", "spawn"])("goes on from step %s", async (step) => {
      await stack.declare({ servers: { [`killed-at-${step}`]: { waitFor: "address" } } });
      const killed = await stack.killProviderAt(step);
      expect(killed.exitCode).not.toBe(0);
      await up();
      expect((await running(`killed-at-${step}`)).state).toBe("running");
    });

    it("has left nothing over", async () => {
      await expectNoChanges();
      expect(await stack.leftovers()).toBe("nothing is left over");
    });
  });

  describe("a stack without state", () => {
    it("takes all over by an import file, and then has nothing to do", async () => {
      await stack.declare({ servers: { web: { waitFor: "running" } } });
      await up();
      const before = await running("web");
      await stack.forgetState();
      await stack.stackyard("pulumi", "import-file", "--out", "import.json");
      const flags = ["--generate-code=false", "--protect=false", "--yes", "--skip-preview"];
      const { exitCode, tail } = await stack.pulumi("import", "--file", "import.json", ...flags);
      expect(exitCode, tail.join("\n")).toBe(0);
      await expectNoChanges();
      await up(); // for the stack's outputs
      expect(await running("web")).toEqual(before);
    });

    it("goes on with what it took", async () => {
      const before = await running("web");
      await stack.declare({ servers: { web: { waitFor: "running", timeouts: { shutdown: 5 } } } });
      expect(await stack.previewed()).toMatchObject({ web: "update" });
      await up();
      expect(await running("web")).toEqual(before);
      await expectNoChanges();
    });
  });

  it("leaves nothing on any host after destroy", async () => {
    const { exitCode, tail } = await stack.pulumi("destroy", "--yes", "--skip-preview");
    expect(exitCode, tail.join("\n")).toBe(0);
    expect(await stack.survey()).toBe(bare);
  });
});
