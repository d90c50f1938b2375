import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { parseRange } from "../../../lab/addresses.ts";
import { requireNoBridges } from "../../../lab/nested/bridges.ts";
import { describeBootstrap, cephInventoryOf, describeClock } from "../../../lab/nested/ceph.ts";
import { openNestedLab } from "../../../lab/nested/driver.ts";
import { machineFiles } from "../../../lab/nested/files.ts";
import { describeMachine } from "../../../lab/nested/machine.ts";
import { copyPlan, nestedPlanSchema, planNestedLab } from "../../../lab/nested/plan.ts";
import type { NestedHost, NestedPlan } from "../../../lab/nested/plan.ts";
import { describeIdentity } from "../../../lab/nested/seed.ts";
import { parseSnapshotName } from "../../../lab/nested/snapshot-file.ts";
import { parseTopology } from "../../../lab/topology.ts";

function rangeOf(cidr: string) {
  const range = parseRange(cidr);
  if (range === undefined) throw new Error(cidr);
  return range;
}

function plan(
  input: object,
  folder = "/state/labs/trial",
  acceleration: NestedPlan["acceleration"] = "tcg",
): NestedPlan {
  return planNestedLab(parseTopology({ driver: "nested", hosts: 2, ...input }), folder, {
    ranges: { management: rangeOf("10.77.0.0/24"), data: rangeOf("10.78.0.0/24") },
    storage: rangeOf("10.79.0.0/24"),
    sshPorts: [2201, 2202, 2203],
    acceleration,
    runtimeFolder: "/run/user/1000/stackyard",
  });
}

/** Networks on bridges, of the ranges that {@link plan} has. */
const bridged = {
  management: { cidr: "10.77.0.0/24", bridge: "br0" },
  data: { cidr: "10.78.0.0/24", bridge: "br1" },
};

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
    expect(plan({}, "/elsewhere/labs/trial").runFolder).not.toBe(plan({}).runFolder);
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

  test("has each host as the topology has it, by a uuid of its own", () => {
    const host = { vcpus: 3, ramMib: 1024, diskGib: 7 };
    const lab = { packages: "none", mirror: "http://m.example.org", distribution: "debian-13" } as const;
    const made = plan({ ...lab, hosts: [{ name: "a", ...host }, "b"] });
    expect(made).toMatchObject(lab);
    expect(made.hosts).toMatchObject([host, { vcpus: 1, ramMib: 2048, diskGib: 20 }]);
    expect(new Set(made.hosts.map(({ uuid }) => uuid)).size).toBe(2);
  });

  test("gives hosts two processors, and one where they are emulated", () => {
    const vcpusOf = (made: NestedPlan) => made.hosts.map(({ vcpus }) => vcpus);
    expect(vcpusOf(plan({}))).toEqual([1, 1]);
    expect(vcpusOf(plan({}, "/state/labs/trial", "kvm"))).toEqual([2, 2]);
  });

  test("of a copy keeps what the memory of its hosts knows, and shares no process, port, socket or disk", () => {
    const original = plan({ diskFolder: "/srv" });
    const choices = { sshPorts: [2301, 2302], runtimeFolder: "/run/user/1000/stackyard" };
    const copy = copyPlan(original, "copy", "/state/labs/copy", choices);
    expect(copy.runFolder).not.toBe(original.runFolder);
    expect(copy.hosts.map(({ sshPort, diskFolder }) => [sshPort, diskFolder])).toEqual([
      [2301, "/state/labs/copy/disks/h1"],
      [2302, "/state/labs/copy/disks/h2"],
    ]);
    const all = [...original.hosts, ...copy.hosts];
    expect(new Set(all.map(({ uuid }) => uuid)).size).toBe(4);
    expect(new Set(all.map(({ macs }) => macs.data)).size).toBe(2);
  });

  test("has a storage network when the topology does", () => {
    expect(plan({}).networks.storage).toBeUndefined();
    const { networks, hosts } = plan({ networks: { storage: {} } });
    expect(networks.storage).toEqual({ cidr: "10.79.0.0/24", mtuBytes: 1500 });
    expect(hosts[1]?.storageAddress).toBe("10.79.0.12/24");
  });

  test("has hosts on a bridge reached at their own addresses", () => {
    const { networks, hosts } = plan({ networks: bridged });
    expect(networks.management).toEqual({ cidr: "10.77.0.0/24", gateway: "10.77.0.1", bridge: "br0" });
    expect(networks.data).toMatchObject({ bridge: "br1" });
    expect(hosts[1]).toMatchObject({ sshAddress: "10.77.0.12", sshPort: 22 });
    expect(plan({}).hosts[1]).toMatchObject({ sshAddress: "127.0.0.1", sshPort: 2202 });
    const placesOf = (made: NestedPlan): string[] =>
      openNestedLab(made).hosts.map(({ name, address, port }) => `${name} ${address} ${String(port)}`);
    expect(placesOf(plan({}))).toEqual(["h1 127.0.0.1 2201", "h2 127.0.0.1 2202"]);
    expect(placesOf(plan({ networks: bridged }))).toEqual(["h1 10.77.0.11 22", "h2 10.77.0.12 22"]);
  });

  test("of a lab that was made before bridges reads as it was meant", () => {
    const before = JSON.stringify(plan({})).replaceAll('"sshAddress":"127.0.0.1",', "");
    expect(before).not.toContain("sshAddress");
    expect(nestedPlanSchema.parse(JSON.parse(before))).toEqual(plan({}));
  });

  test("is no plan to copy with a bridge, nor are its cables ever slow", async () => {
    const made = plan({ networks: bridged });
    expect(() => requireNoBridges(made)).toThrow(
      expect.objectContaining({ code: "conflict", field: "networks.management.bridge", value: "br0" }),
    );
    requireNoBridges(plan({}));
    for (const network of ["management", "data"] as const)
      await expect(openNestedLab(made).setLink("h1", network, { delayMs: 5 })).rejects.toMatchObject({
        code: "invalid-input",
        field: "network",
        value: network,
      });
  });

  test("shows the end of a console that a guest has flooded, and says where the rest is", async () => {
    const folder = mkdtempSync(join(tmpdir(), "stackyard-logs-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const flooded = plan({}, folder);
    const { consoleLog, folder: hostFolder } = machineFiles(flooded, firstOf(flooded));
    mkdirSync(hostFolder, { recursive: true });
    writeFileSync(consoleLog, `${"x".repeat(5 * 1024 ** 2)}the end\n`);
    const [log] = await openNestedLab(flooded).readLogs("h1");
    expect(log?.text.length).toBeLessThan(4 * 1024 ** 2 + 500);
    expect(log?.text).toContain(consoleLog);
    expect(log?.text.endsWith("xthe end\n")).toBe(true);
    writeFileSync(consoleLog, "all\n");
    expect(await openNestedLab(flooded).readLogs("h1")).toMatchObject([{ text: "all\n" }, { text: "" }]);
  });

  test("keeps sockets where their paths are short, whatever the lab's folder", () => {
    const folder = `/state/${"x".repeat(200)}`;
    expect(plan({}, folder).runFolder).toMatch(/^\/run\/user\/1000\/stackyard\/[0-9a-f]{12}$/);
  });
});

describe("the words that a host is started with", () => {
  const manifest = { version: 1 as const, hash: "0", roles: [], builtAt: "", treeSha256: "", packages: [] };
  const file = { bytes: 0, sha256: "" };
  const files = { "root.raw": file, vmlinuz: file, initrd: file };
  const image = {
    ...{ hash: "0", folder: "/i", root: "/i/root.raw", kernel: "/i/vmlinuz", initrd: "/i/initrd" },
    manifest: { ...manifest, distribution: "debian-12" as const, files },
  };

  /** Words of each host of a lab whose hosts have disks. */
  function wordsOf(input: object): readonly (readonly string[])[] {
    const folder = mkdtempSync(join(tmpdir(), "stackyard-words-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const made = plan(input, folder);
    return made.hosts.map((host) => {
      mkdirSync(host.diskFolder, { recursive: true });
      writeFileSync(join(host.diskFolder, "root.1.qcow2"), "");
      return describeMachine(made, host, image);
    });
  }

  const netdevSchema = z.looseObject({ id: z.string() });

  function netdevOf(words: readonly string[] | undefined, id: string) {
    return words
      ?.filter((_, index) => words[index - 1] === "-netdev")
      .map((word) => netdevSchema.parse(JSON.parse(word)))
      .find((netdev) => netdev.id === id);
  }

  test("let nothing out by a management network beside a gateway, and this machine in", () => {
    const [led, gateway] = wordsOf({ hosts: ["h1", { name: "g1", roles: ["compute", "gateway"] }] });
    expect(netdevOf(led, "management")).toMatchObject({
      restrict: true,
      hostfwd: [{ str: "tcp:127.0.0.1:2201-10.77.0.11:22" }],
    });
    expect(netdevOf(gateway, "management")).not.toHaveProperty("restrict");
    for (const words of wordsOf({})) expect(netdevOf(words, "management")).not.toHaveProperty("restrict");
  });

  test("are of its size, its identity, its disks and a seed that it cannot write to", () => {
    const hosts = [{ name: "h1", vcpus: 3, ramMib: 1024 }];
    const [words = []] = wordsOf({ hosts, networks: { data: { mtuBytes: 1700 } } });
    const after = (word: string): string | undefined => words[words.indexOf(word) + 1];
    expect([after("-smp"), after("-m")]).toEqual(["3", "1024"]);
    expect(after("-append")).toContain(`systemd.machine_id=${String(after("-uuid")).replaceAll("-", "")}`);
    const objects = words
      .filter((word) => word.startsWith("{"))
      .map((word) => z.looseObject({}).parse(JSON.parse(word)));
    expect(objects).toContainEqual(expect.objectContaining({ "node-name": "seed", "read-only": true }));
    expect(objects).toContainEqual(expect.objectContaining({ "node-name": "root", "read-only": false }));
    expect(objects).toContainEqual(expect.objectContaining({ id: "nic-data", host_mtu: 1700 }));
  });

  test("have commas in paths as QEMU takes them", () => {
    const made = plan({}, mkdtempSync(join(tmpdir(), "stackyard-a,b-")));
    onTestFinished(() => rmSync(made.folder, { recursive: true }));
    const host = firstOf(made);
    mkdirSync(host.diskFolder, { recursive: true });
    writeFileSync(join(host.diskFolder, "root.1.qcow2"), "");
    const console = describeMachine(made, host, image).find((word) => word.startsWith("socket,id=console"));
    expect(console).toContain(`logfile=${made.folder.replaceAll(",", ",,")}/hosts/h1/console.log,`);
  });

  test("plug it into bridges where networks are such", () => {
    const [words] = wordsOf({ networks: { ...bridged, storage: {} } });
    expect(netdevOf(words, "management")).toEqual({ type: "bridge", id: "management", br: "br0" });
    expect(netdevOf(words, "data")).toEqual({ type: "bridge", id: "data", br: "br1" });
    expect(netdevOf(words, "storage")).toMatchObject({ type: "stream" });
  });
});

describe("the identity of a host", () => {
  const keys = { hostKey: "PRIVATE", hostKeyPublic: "PUBLIC", authorized: "LOGIN" };
  const identity = (input: object, name = "h1") => {
    const made = plan(input);
    const host = made.hosts.find((each) => each.name === name) ?? firstOf(made);
    return new Map(describeIdentity(made, host, keys).map((file) => [file.path, file]));
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

  test("has each of its addresses on the NIC of that network, a pulled cable or not", () => {
    const { macs } = firstOf(plan({}));
    const files = identity({ networks: { storage: {} } });
    const networks = { "10-management": "management", "20-data": "data", "21-storage": "storage" } as const;
    for (const [name, network] of Object.entries(networks))
      expect(files.get(`etc/systemd/network/${name}.network`)?.content).toMatch(
        new RegExp(`^\\[Match\\]\nMACAddress=${macs[network]}\n\n`),
      );
    for (const name of ["20-data", "21-storage"])
      expect(files.get(`etc/systemd/network/${name}.network`)?.content).toContain("IgnoreCarrierLoss=yes\n");
  });

  test("leads out of the lab by its gateway alone, where it has one", () => {
    const lab = { hosts: ["h1", { name: "g1", roles: ["gateway"] }], networks: { storage: {} } };
    const led = identity(lab);
    const management = "etc/systemd/network/10-management.network";
    expect(led.get(management)?.content).toContain("[DHCPv4]\nUseRoutes=no\nUseGateway=no\nUseDNS=no\n");
    expect(led.get("etc/systemd/network/20-data.network")?.content).toContain("Gateway=10.78.0.12\n");
    expect(led.get("etc/systemd/network/21-storage.network")?.content).not.toContain("Gateway=");
    expect(led.get("etc/resolv.conf")?.content).toBe("nameserver 10.78.0.12\n");
    expect(led.get("etc/nftables.conf")).toBeUndefined();
    const gateway = identity(lab, "g1");
    expect(gateway.get(management)?.content).not.toContain("UseRoutes");
    expect(gateway.get("etc/systemd/network/20-data.network")?.content).not.toContain("Gateway=");
    expect(gateway.get("etc/resolv.conf")?.content).toBe("nameserver 10.77.0.3\n");
    const rules = gateway.get("etc/nftables.conf")?.content;
    expect(rules).toContain('ip saddr { 10.78.0.0/24, 10.79.0.0/24 } oifname "eth0" masquerade');
    expect(rules).toContain("ip daddr { 10.78.0.12, 10.79.0.12 }");
    expect(rules).toContain("dport 53 dnat to 10.77.0.3\n");
  });

  test("has its address, route and resolver of the plan on a bridge, where nobody hands them out", () => {
    const files = identity({ networks: bridged });
    const management = files.get("etc/systemd/network/10-management.network")?.content;
    expect(management).toContain("Address=10.77.0.11/24\nGateway=10.77.0.1\n");
    expect(management).not.toContain("DHCP");
    expect(files.get("etc/resolv.conf")?.content).toBe("nameserver 10.77.0.1\n");
  });

  test("is what it was in a lab without a gateway", () => {
    const paths = [...identity({}).keys()];
    expect(paths).not.toContain("etc/nftables.conf");
    expect([...identity({}).values()].map(({ content }) => content).join("")).not.toMatch(
      /Gateway|UseRoutes/,
    );
  });

  test("lets nobody else read what is private", () => {
    const secret = [...identity({}).values()].filter(({ content }) => /PRIVATE|LOGIN/.test(content));
    expect(secret.map(({ path, mode }) => [path, mode])).toEqual([
      ["etc/ssh/ssh_host_ed25519_key", 0o600],
      ["root/.ssh/authorized_keys", 0o600],
    ]);
  });
});

test.each(["../up", "a b", "a'b", "", "x".repeat(65), "-x", "a/b", "_copy", "_taking"])(
  "%j is no name of a snapshot",
  (name) => {
    expect(() => parseSnapshotName(name)).toThrow(
      expect.objectContaining({ code: "invalid-input", field: "snapshot", value: name }),
    );
  },
);

describe("the Ceph of virtual machines", () => {
  const roles = ["compute", "ceph"];
  const three = {
    hosts: [{ name: "a" }, { name: "b", roles, disks: [{ sizeGib: 9 }] }, { name: "c", roles }],
  };

  test("is one cluster of the hosts with the role, reached in the data network", () => {
    const lab = plan(three);
    const ceph = cephInventoryOf(lab);
    expect(ceph).toMatchObject({
      monitors: ["10.78.0.12"], // a majority of two is both
      user: "admin",
      keyringFile: "/state/labs/trial/ceph/ceph.client.admin.keyring",
    });
    expect(ceph?.fsid).toBe(lab.ceph?.fsid);
    expect(cephInventoryOf(plan(three, "/elsewhere"))?.fsid).not.toBe(ceph?.fsid);
    expect(cephInventoryOf(plan({}))).toBeUndefined();
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
    expect(cephInventoryOf(lab)?.monitors).toEqual(["10.79.0.12"]);
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

  test("has time of the network that it is reached by", () => {
    const lab = plan({ ...three, networks: { storage: {} } });
    const clocks = lab.hosts.map((host) => describeClock(lab, host));
    expect(clocks).toEqual([
      undefined,
      expect.stringContaining("allow 10.79.0.0/24\n"),
      expect.stringContaining("server 10.79.0.12 "),
    ]);
  });

  test("is asked for by the lab's own keys", () => {
    const { hosts } = describeBootstrap(plan(three), "fsid");
    expect(hosts[0]?.address).toMatchObject({
      identityFile: "/state/labs/trial/id_ed25519",
      knownHostsFile: "/state/labs/trial/known_hosts",
    });
  });

  test("takes no more than half of the smallest disk", () => {
    const sizeOf = (...sizes: readonly number[]): number | undefined =>
      describeBootstrap(
        plan({ hosts: sizes.map((diskGib, index) => ({ name: `c${String(index)}`, roles, diskGib })) }),
        "fsid",
      ).osdSizeGib;
    expect([sizeOf(8), sizeOf(40, 8), sizeOf(40)]).toEqual([4, 4, 10]);
  });
});
