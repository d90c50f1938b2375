import { describe, expect, test } from "vitest";
import { parseRange } from "../../../lab/addresses.ts";
import { describeBootstrap, describeCeph } from "../../../lab/nested/ceph.ts";
import { planNestedLab } from "../../../lab/nested/plan.ts";
import type { NestedHost, NestedPlan } from "../../../lab/nested/plan.ts";
import { describeIdentity } from "../../../lab/nested/seed.ts";
import { parseSnapshotName } from "../../../lab/nested/snapshot-file.ts";
import { parseTopology } from "../../../lab/topology.ts";

function rangeOf(cidr: string) {
  const range = parseRange(cidr);
  if (range === undefined) throw new Error(cidr);
  return range;
}

function plan(input: object, folder = "/state/labs/trial"): NestedPlan {
  return planNestedLab(parseTopology({ driver: "nested", hosts: 2, ...input }), folder, {
    ranges: { management: rangeOf("10.77.0.0/24"), data: rangeOf("10.78.0.0/24") },
    storage: rangeOf("10.79.0.0/24"),
    sshPorts: [2201, 2202, 2203],
    acceleration: "tcg",
    runtimeFolder: "/run/user/1000/stackyard",
  });
}

function firstOf({ hosts }: NestedPlan): NestedHost {
  const [host] = hosts;
  if (host === undefined) throw new Error("no host");
  return host;
}

describe("a plan of virtual machines", () => {
  test("is the same each time, and another one in another folder", () => {
    expect(plan({})).toEqual(plan({}));
    const [here, there] = [plan({}), plan({}, "/elsewhere/labs/trial")].map(firstOf);
    expect(here?.uuid).not.toBe(there?.uuid);
    expect(here?.macs).not.toEqual(there?.macs);
  });

  test("gives each host addresses, a port, disks and a MAC a network", () => {
    const { hosts } = plan({ hosts: [{ name: "a", disks: [{ sizeGib: 5 }] }, "b"] });
    expect(hosts[0]).toMatchObject({
      managementAddress: "10.77.0.11",
      tunnelAddress: "10.78.0.11/24",
      sshPort: 2201,
      dataDisksGib: [5],
      diskFolder: "/state/labs/trial/disks/a",
    });
    expect(hosts[1]).toMatchObject({ tunnelAddress: "10.78.0.12/24", sshPort: 2202 });
    const macs = hosts.flatMap((host) => Object.values(host.macs));
    expect(new Set(macs).size).toBe(6);
  });

  test("has a storage network when the topology does", () => {
    expect(plan({}).networks.storage).toBeUndefined();
    const { networks, hosts } = plan({ networks: { storage: {} } });
    expect(networks.storage).toEqual({ cidr: "10.79.0.0/24", mtuBytes: 1500 });
    expect(hosts[1]?.storageAddress).toBe("10.79.0.12/24");
  });

  test("keeps sockets where their paths are short, whatever the lab's folder", () => {
    const folder = `/state/${"x".repeat(200)}`;
    expect(plan({}, folder).runFolder).toMatch(/^\/run\/user\/1000\/stackyard\/[0-9a-f]{12}$/);
  });
});

describe("the identity of a host", () => {
  const keys = { hostKey: "PRIVATE", hostKeyPublic: "PUBLIC", authorized: "LOGIN" };
  const identity = (input: object) => {
    const made = plan(input);
    return new Map(describeIdentity(made, firstOf(made), keys).map((file) => [file.path, file]));
  };

  test("has its name, its neighbours, and the addresses of its networks", () => {
    const files = identity({ networks: { storage: {} } });
    expect(files.get("etc/hostname")?.content).toBe("h1\n");
    expect(files.get("etc/hosts")?.content).toContain("10.78.0.12 h2\n");
    expect(files.get("etc/resolv.conf")?.content).toBe("nameserver 10.77.0.3\n");
    expect(files.get("etc/systemd/network/20-data.network")?.content).toContain("Address=10.78.0.11/24\n");
    expect(files.get("etc/systemd/network/20-data.network")?.content).toContain("MTUBytes=1600\n");
    expect(files.get("etc/systemd/network/21-storage.network")?.content).toContain("Address=10.79.0.11/24\n");
  });

  test("lets nobody else read what is private", () => {
    const secret = [...identity({}).values()].filter(({ content }) => /PRIVATE|LOGIN/.test(content));
    expect(secret.map(({ path, mode }) => [path, mode])).toEqual([
      ["etc/ssh/ssh_host_ed25519_key", 0o600],
      ["root/.ssh/authorized_keys", 0o600],
    ]);
  });
});

test.each(["../up", "a b", "a'b", "", "x".repeat(65), "-x", "a/b"])("%j is no name of a snapshot", (name) => {
  expect(() => parseSnapshotName(name)).toThrow(
    expect.objectContaining({ code: "invalid-input", field: "snapshot", value: name }),
  );
});

describe("the Ceph of virtual machines", () => {
  const roles = ["compute", "ceph"];
  const three = {
    hosts: [{ name: "a" }, { name: "b", roles, disks: [{ sizeGib: 9 }] }, { name: "c", roles }],
  };

  test("is one cluster of the hosts with the role, reached in the data network", () => {
    const lab = plan(three);
    const ceph = describeCeph(lab);
    expect(ceph).toMatchObject({
      monitors: ["10.78.0.12"], // a majority of two is both
      user: "admin",
      keyringFile: "/state/labs/trial/ceph/ceph.client.admin.keyring",
    });
    expect(ceph?.fsid).toBe(lab.ceph?.fsid);
    expect(describeCeph(plan(three, "/elsewhere"))?.fsid).not.toBe(ceph?.fsid);
    expect(describeCeph(plan({}))).toBeUndefined();
  });

  test("is made over the storage network where there is one, each OSD on its host's first data disk", () => {
    const lab = plan({ ...three, networks: { storage: {} } });
    const { hosts, ...request } = describeBootstrap(lab, "fsid");
    expect(request).toEqual({
      name: "lab",
      fsid: "fsid",
      folder: "/state/labs/trial/ceph",
      osdSizeGib: 10,
    });
    expect(hosts).toMatchObject([
      { clusterAddress: "10.79.0.12", device: "/dev/disk/by-id/virtio-data1" },
      { clusterAddress: "10.79.0.13" },
    ]);
    expect(hosts[1]).not.toHaveProperty("device");
    expect(hosts.map(({ address }) => [address.name, address.port])).toEqual([
      ["b", 2202],
      ["c", 2203],
    ]);
    expect(describeCeph(lab)?.monitors).toEqual(["10.79.0.12"]);
  });

  test("has the first host's time on the others", () => {
    const lab = plan(three);
    const clocks = lab.hosts.map(
      (host) =>
        describeIdentity(lab, host, { hostKey: "", hostKeyPublic: "", authorized: "" }).find(
          ({ path }) => path === "etc/chrony/chrony.conf",
        )?.content,
    );
    expect(clocks).toEqual([
      undefined,
      "local stratum 10\nallow 10.78.0.0/24\nmakestep 0.01 -1\n",
      "server 10.78.0.12 iburst minpoll 2 maxpoll 4\nmakestep 0.01 -1\n",
    ]);
  });

  test("takes no more than half of a small disk", () => {
    const small = { hosts: [{ name: "a", roles, diskGib: 8 }] };
    expect(describeBootstrap(plan(small), "fsid").osdSizeGib).toBe(4);
  });
});
