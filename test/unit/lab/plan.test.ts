import { describe, expect, test } from "vitest";
import { findFreeRanges } from "../../../lab/addresses.ts";
import { openNamespaceLab } from "../../../lab/namespace/driver.ts";
import { parseProgress } from "../../../lab/namespace/host.ts";
import { planLab } from "../../../lab/namespace/plan.ts";
import type { LabPlan } from "../../../lab/namespace/plan.ts";
import { maxHosts, parseTopology } from "../../../lab/topology.ts";

function plan(input: unknown, folder: string): LabPlan {
  const ranges = findFreeRanges([]);
  if (ranges === undefined) throw new Error("unreachable: nothing is in use");
  return planLab(parseTopology(input), folder, ranges);
}

function linkNames({ networks, hosts }: LabPlan): string[] {
  const links = hosts.flatMap((host) => [host.links.management.name, host.links.data.name]);
  return [networks.management.bridge, networks.data.bridge, ...links];
}

describe("the plan of a lab", () => {
  const large = plan({ hosts: maxHosts }, "/var/lib/labs/a");

  test("gives each link a name of its own that the kernel takes", () => {
    const names = linkNames(large);
    expect(new Set(names).size).toBe(2 + 2 * maxHosts);
    expect(names.filter((name) => name.length > 15)).toEqual([]);
  });

  test("gives each link and each host an identity of its own", () => {
    const macs = large.hosts.flatMap((host) => [host.links.management.mac, host.links.data.mac]);
    expect(new Set(macs).size).toBe(2 * maxHosts);
    expect(new Set(large.hosts.map((host) => host.uuid)).size).toBe(maxHosts);
  });

  test("is the same each time, so that a host made again keeps its identity", () => {
    expect(plan({ hosts: maxHosts }, "/var/lib/labs/a")).toEqual(large);
  });

  test("shares no link with a lab of the same name in another folder", () => {
    const other = linkNames(plan({ hosts: maxHosts }, "/home/x/labs/a"));
    expect(linkNames(large).filter((name) => other.includes(name))).toEqual([]);
  });

  test("counts addresses from 11 in both ranges", () => {
    const { networks, hosts } = plan({ hosts: ["first", "second"] }, "/labs/a");
    expect(networks.management.gateway).toBe("10.77.0.1");
    expect(hosts.map((host) => [host.address, host.tunnelAddress])).toEqual([
      ["10.77.0.11", "10.78.0.11/24"],
      ["10.77.0.12", "10.78.0.12/24"],
    ]);
    expect(openNamespaceLab(plan({ hosts: 1 }, "/labs/a")).hosts).toEqual([
      { name: "h1", roles: ["compute"], address: "10.77.0.11", port: 22 },
    ]);
  });

  test("gives a Ceph its host, its defaults, and an fsid that stays the lab's", () => {
    const hosts = ["h1", { name: "c1", roles: ["ceph"] }];
    const { ceph } = plan({ hosts }, "/labs/a");
    expect(ceph).toMatchObject({ host: "c1", objectStore: "memstore", osds: 1 });
    expect(ceph?.fsid).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(plan({ hosts, ceph: { objectStore: "bluestore" } }, "/labs/a").ceph?.fsid).toBe(ceph?.fsid);
    expect(plan({ hosts }, "/labs/b").ceph?.fsid).not.toBe(ceph?.fsid);
  });

  test("has no Ceph without a host for it", () => {
    expect(large).not.toHaveProperty("ceph");
  });

  test("keeps disks in the lab's folder, or below its name in the folder given", () => {
    expect(plan({ hosts: 1 }, "/labs/a").hosts[0]?.diskFolder).toBe("/labs/a/disks/h1");
    expect(plan({ hosts: 1, name: "a", diskFolder: "/srv" }, "/labs/a").hosts[0]?.diskFolder).toBe(
      "/srv/a/h1",
    );
  });
});

describe("a host's progress", () => {
  test("is its process and the steps it has done", () => {
    expect(parseProgress("process 42 1234\nnet\nready\n")).toEqual({
      identity: { pid: 42, startTicks: 1234 },
      steps: ["net", "ready"],
    });
  });

  test("leaves out a line that is still being written", () => {
    expect(parseProgress("process 42 12")).toEqual({ identity: undefined, steps: [] });
    expect(parseProgress("process 42 1234\nnet\nrea").steps).toEqual(["net"]);
  });
});
