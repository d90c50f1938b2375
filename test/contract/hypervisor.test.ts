import { describe, expect, it } from "vitest";
import { sh } from "../../providers/hosts/command.ts";
import { confirmKvm } from "../../providers/hosts/probe.ts";
import { startFakeHost } from "../fakes/host.ts";
import type { FakeTool } from "../fakes/host/tools.ts";
import { describeHypervisor } from "./hypervisor.ts";

describeHypervisor("fake", async () => {
  const host = await startFakeHost();
  return { connection: host.connect(), folder: "/var/lib", stop: () => host.close() };
});

describe("confirmKvm", () => {
  const trial = { kernelPath: "/boot/vmlinuz", initrdPath: "/boot/initrd", hello: "HELLO", timeoutMs: 5_000 };
  const confirm = async (guest: FakeTool): Promise<boolean> => {
    const host = await startFakeHost({ tools: { "qemu-system-x86_64": guest } });
    const isConfirmed = await confirmKvm(host.connect(), trial);
    await host.close();
    return isConfirmed;
  };

  it("holds when the guest greets", async () => {
    expect(await confirm(() => ({ stdout: "booting\nHELLO from the guest\n" }))).toBe(true);
  });

  it("does not hold when the guest hangs in its firmware", async () => {
    expect(await confirm(() => ({ exitCode: 137 }))).toBe(false);
  });

  it("does not hold when QEMU fails, whatever it says", async () => {
    expect(await confirm(() => ({ exitCode: 134, stderr: "failed to set MSR 0x10a\n" }))).toBe(false);
  });
});

it("the fake host tells of a program that it does not have", async () => {
  const host = await startFakeHost();
  await host.connect().run(sh`frobnicate || true`);
  await expect(host.close()).rejects.toThrow("the fake host has no program frobnicate: add it to realTools");
});

it("the fake host tells of a call that it does not know, even if the script hides it", async () => {
  const host = await startFakeHost();
  await host.connect().run(sh`virsh frobnicate ${"a b"} 2> /dev/null || true`);
  host.model.defineDomain(
    "<domain type='qemu'><name>a b</name><uuid>1</uuid><memory unit='KiB'>1</memory><vcpu>1</vcpu></domain>",
  );
  await host.connect().run(sh`virsh frobnicate ${"a b"} 2> /dev/null || true`);
  await expect(host.close()).rejects.toThrow(
    "the fake host does not know: virsh frobnicate a b\nAdd it to commands of test/fakes/host/virsh.ts",
  );
});

it("the fake host fails commands as it is told", async () => {
  const host = await startFakeHost();
  const connection = host.connect();
  host.strike({ fault: { kind: "fails", exitCode: 5, stderr: "disk on fire" }, matching: "touch", after: 1 });
  host.strike({ fault: { kind: "unreachable" }, matching: "printf" });
  await connection.run(sh`touch /var/lib/first`);
  await expect(connection.run(sh`touch /var/lib/second`)).rejects.toMatchObject({
    code: "command-failed",
    notes: [expect.anything(), "disk on fire"],
  });
  await expect(connection.run(sh`printf x`)).rejects.toMatchObject({ code: "host-unreachable" });
  expect((await connection.run(sh`ls /var/lib`)).stdout).toBe("first\n");
  expect(host.commands).toHaveLength(4);
  await host.close();
});
