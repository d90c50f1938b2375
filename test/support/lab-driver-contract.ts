import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readInventory } from "../../lab/inventory.ts";
import { bringUp, changePower, cutLink, describeLab, mendLink, readLogs, runOnHost } from "../../lab/lab.ts";
import { parseTopology } from "../../lab/topology.ts";
import type { Topology } from "../../lab/topology.ts";

/**
 * What every driver does for the verbs, on a lab that is up. Its first compute host is cut off and brought back, and is up
 * in the end.
 * @param logText what is in the logs of a host that has started.
 */
export function testLabDriver(topology: Topology, logText: string): void {
  const { name } = topology;
  const [host] = topology.hosts.map((each) => each.name);
  if (host === undefined) throw new Error("a topology has hosts");
  const onHost = async (command: string): Promise<string> =>
    (await runOnHost(name, host, ["sh", "-c", command])).stdout;
  const patience = { timeout: 30_000, interval: 200 };
  const describeHost = async () => (await describeLab(name)).hosts[0];

  test("has hosts that answer by ssh, each with a libvirtd, an Open vSwitch and an identity of its own", async () => {
    const script =
      "hostname; virsh -q uri; ovs-vsctl get Open_vSwitch . external_ids:hostname; cat /etc/machine-id";
    const answers = await Promise.all(
      readInventory(name).hosts.map((each) => runOnHost(name, each.name, ["sh", "-c", script])),
    );
    const lines = answers.map((answer) => answer.stdout.split("\n"));
    const names = topology.hosts.map((each) => each.name);
    expect(lines.map((each) => each.slice(0, 3).map((line) => line.replaceAll('"', "")))).toEqual(
      names.map((each) => [each, "qemu:///system", each]),
    );
    expect(new Set(lines.map((each) => each[3])).size).toBe(names.length);
  });

  test("is left alone by a second up", async () => {
    const first = await describeLab(name);
    expect(first.state).toBe("up");
    expect(await bringUp(topology)).toEqual(first);
  });

  test("refuses another topology under its name", async () => {
    const other = parseTopology({ ...topology, hosts: topology.hosts.length + 1 });
    await expect(bringUp(other)).rejects.toMatchObject({ code: "conflict" });
  });

  test("refuses a host that it does not have", async () => {
    await expect(runOnHost(name, "nobody", ["true"])).rejects.toMatchObject({
      code: "not-found",
      field: "host",
    });
    await expect(changePower(name, "nobody", "on")).rejects.toMatchObject({ code: "not-found" });
  });

  test("has cables that can be pulled and put back, as the host sees by its carrier", async () => {
    const carrier = () => onHost("cat /sys/class/net/eth1/carrier");
    await expect.poll(carrier, patience).toBe("1\n");
    await cutLink(name, host, "data");
    expect(await describeHost()).toMatchObject({ links: { management: "up", data: "cut" } });
    await expect.poll(carrier, patience).toBe("0\n");
    await mendLink(name, host, "data");
    expect(await describeHost()).toMatchObject({ links: { management: "up", data: "up" } });
    await expect.poll(carrier, patience).toBe("1\n");
  });

  test("keeps logs that are readable from outside", async () => {
    expect(await readLogs(name, host)).toContain(logText);
  });

  test("has hosts that lose their power and come back with files, disks and host key", async () => {
    const { knownHostsFile = "" } = readInventory(name).hosts[0] ?? {};
    await onHost("echo kept > /var/lib/libvirt/images/kept; echo marked > /etc/mark; sync");
    const [before, knownHosts] = [
      await onHost("cat /proc/sys/kernel/random/boot_id"),
      readFileSync(knownHostsFile),
    ];
    await changePower(name, host, "cut");
    expect(await describeHost()).toMatchObject({ state: "down", pid: null });
    expect((await describeLab(name)).state).not.toBe("up");
    await changePower(name, host, "cut"); // nothing to do
    await changePower(name, host, "on");
    expect(await describeHost()).toMatchObject({ state: "up" });
    expect(await onHost("cat /var/lib/libvirt/images/kept /etc/mark")).toBe("kept\nmarked\n");
    expect(readFileSync(knownHostsFile)).toEqual(knownHosts);
    if (topology.driver === "nested")
      expect(await onHost("cat /proc/sys/kernel/random/boot_id")).not.toBe(before);
  });
}
