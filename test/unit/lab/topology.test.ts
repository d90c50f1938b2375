import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { labAsset } from "../../../lab/folders.ts";
import { parseTopology } from "../../../lab/topology.ts";
import { loadTopology } from "../../../lab/topology-file.ts";

/** What a host has as a virtual machine. */
const machine = { ramMib: 2048, diskGib: 20, disks: [] };
const threeHosts = ["h1", "h2", "h3"].map((name) => ({ name, roles: ["compute"], ...machine }));
const cephHost = { hosts: [{ name: "c1", roles: ["ceph"] }] };

describe("a topology", () => {
  test("left empty is three compute hosts on ranges to be chosen", () => {
    expect(parseTopology({})).toEqual({
      name: "lab",
      driver: "namespace",
      distribution: "debian-12",
      packages: "roles",
      virtualization: "auto",
      hosts: threeHosts,
      networks: { management: {}, data: { mtuBytes: 1600 } },
    });
  });

  test("takes a count, names, or hosts with roles", () => {
    expect(parseTopology({ hosts: 3 }).hosts).toEqual(threeHosts);
    expect(parseTopology({ hosts: ["a", { name: "b", roles: ["compute"] }] }).hosts).toEqual([
      { name: "a", roles: ["compute"], ...machine },
      { name: "b", roles: ["compute"], ...machine },
    ]);
  });

  test("parses to itself again", () => {
    const topology = parseTopology({ name: "x", hosts: ["a"], networks: { data: { cidr: "10.9.0.0/24" } } });
    expect(parseTopology(topology)).toEqual(topology);
  });

  test("of the example file is the default one", () => {
    expect(loadTopology(labAsset("topologies", "three-hosts.yaml"))).toEqual(parseTopology({}));
    expect(loadTopology("three-hosts")).toEqual(parseTopology({}));
    expect(loadTopology("three-virtual-machines.yaml").driver).toBe("nested");
    expect(() => loadTopology("./three-hosts")).toThrow("cannot be read");
  });

  test("of the example file with Ceph has it in memory, by one osd, on a fourth host", () => {
    const topology = loadTopology(labAsset("topologies", "three-hosts-ceph.yaml"));
    expect(topology.hosts).toEqual([
      ...threeHosts,
      { name: "c1", roles: ["ceph"], ...machine, ramMib: 3072 },
    ]);
    expect(topology.ceph).toEqual({ objectStore: "memstore", osds: 1 });
  });

  test("of virtual machines may have a Ceph of several hosts, which run servers too", () => {
    const roles = ["compute", "ceph"];
    const { hosts } = parseTopology({
      driver: "nested",
      hosts: ["a", "b", "c"].map((name) => ({ name, roles })),
      ceph: { osds: 3 },
    });
    expect(hosts.map(({ ramMib }) => ramMib)).toEqual([3072, 3072, 3072]);
  });

  test.each([
    [
      "a host name twice",
      { hosts: ["a", "b", "a"] },
      "hosts.2.name",
      "a",
      "Give each host a name of its own.",
    ],
    ["a hostile host name", { hosts: ["$(reboot)"] }, "hosts.0.name", "$(reboot)", "a-z"],
    ["a hostile lab name", { name: "../../etc" }, "name", "../../etc", "a-z"],
    ["a name of 10,000 characters", { name: "a".repeat(10_000) }, "name", "a".repeat(10_000), "at most 32"],
    ["a name with a line feed", { name: "a\n" }, "name", "a\n", "a-z"],
    ["no hosts", { hosts: [] }, "hosts", [], "Give 1 or more."],
    ["too many hosts", { hosts: 65 }, "hosts", 65, "Write a list: [a, b]."],
    [
      "an unknown role",
      { hosts: [{ name: "a", roles: ["router"] }] },
      "hosts.0.roles.0",
      "router",
      'Use "compute" or "ceph" or "gateway".',
    ],
    [
      "two gateways",
      {
        driver: "nested",
        hosts: ["a", { name: "b", roles: ["gateway"] }, { name: "c", roles: ["gateway"] }],
      },
      "hosts.2.roles",
      ["gateway"],
      "Give one host the role gateway",
    ],
    [
      "a gateway of namespaces",
      { hosts: ["a", { name: "b", roles: ["compute", "gateway"] }] },
      "hosts.1.roles",
      ["compute", "gateway"],
      "driver: nested",
    ],
    [
      "a role twice",
      { hosts: [{ name: "a", roles: ["compute", "compute"] }] },
      "hosts.0.roles",
      ["compute", "compute"],
      "Name each role once.",
    ],
    [
      "Ceph on two hosts",
      { hosts: ["a", "b", "c"].map((name) => ({ name, roles: name === "a" ? ["compute"] : ["ceph"] })) },
      "hosts.2.roles",
      ["ceph"],
      "Give one host the role ceph",
    ],
    [
      "Ceph beside servers on one host",
      { hosts: [{ name: "a", roles: ["compute", "ceph"] }] },
      "hosts.0.roles",
      ["compute", "ceph"],
      "a host of its own",
    ],
    [
      "virtual machines of a Ceph without the memory for its daemons",
      { driver: "nested", hosts: [{ name: "a", roles: ["compute", "ceph"], ramMib: 2048 }] },
      "hosts.0.ramMib",
      undefined,
      "Give it more",
    ],
    [
      "three OSDs on one virtual machine",
      { driver: "nested", ...cephHost, ceph: { osds: 3 } },
      "ceph.osds",
      undefined,
      "each virtual machine with the role ceph has one OSD",
    ],
    [
      "one OSD for two virtual machines",
      {
        driver: "nested",
        hosts: ["a", "b"].map((name) => ({ name, roles: ["compute", "ceph"] })),
        ceph: { osds: 1 },
      },
      "ceph.osds",
      1,
      "each virtual machine with the role ceph has one OSD",
    ],
    ["settings of Ceph without a host for it", { ceph: {} }, "ceph", undefined, "Give a host the role ceph"],
    [
      "an unknown object store",
      { ...cephHost, ceph: { objectStore: "filestore" } },
      "ceph.objectStore",
      "filestore",
      'Use "memstore" or "bluestore".',
    ],
    ["two osds", { ...cephHost, ceph: { osds: 2 } }, "ceph.osds", 2, "Correct the field"],
    ["an unknown driver", { driver: "vagrant" }, "driver", "vagrant", 'Use "namespace" or "nested".'],
    ["an unknown key", { network: 1 }, "network", 1, "Remove the key"],
    [
      "a bridge of hosts of namespaces",
      { networks: { data: { cidr: "10.9.0.0/24", bridge: "br0" } } },
      "networks.data.bridge",
      "br0",
      "driver: nested",
    ],
    [
      "a bridge without its range",
      { driver: "nested", networks: { management: { bridge: "br0" } } },
      "networks.management.cidr",
      undefined,
      "Give the range",
    ],
    [
      "a hostile bridge",
      { driver: "nested", networks: { management: { cidr: "10.9.0.0/24", bridge: "br0,id=x" } } },
      "networks.management.bridge",
      "br0,id=x",
      "Name a Linux bridge",
    ],
    [
      "a bridge past the gateway",
      {
        driver: "nested",
        hosts: [{ name: "g", roles: ["gateway"] }],
        networks: { management: { cidr: "10.9.0.0/24", bridge: "br0" } },
      },
      "networks.management.bridge",
      "br0",
      "Leave out the bridge, or the role gateway.",
    ],
    [
      "a CIDR with host bits",
      cidr("10.77.0.5/24"),
      "networks.management.cidr",
      "10.77.0.5/24",
      "10.77.0.0/24",
    ],
    [
      "a CIDR that is none",
      cidr("lots"),
      "networks.management.cidr",
      "lots",
      "network address with its prefix",
    ],
    ["a CIDR too small", cidr("10.0.0.0/30"), "networks.management.cidr", "10.0.0.0/30", "/16 to /28"],
    [
      "more hosts than addresses",
      { ...cidr("10.0.0.0/28"), hosts: 5 },
      "networks.management.cidr",
      undefined,
      "larger range",
    ],
    [
      "two networks on one range",
      { networks: { management: { cidr: "10.0.0.0/24" }, data: { cidr: "10.0.0.0/16" } } },
      "networks.data.cidr",
      undefined,
      "do not overlap",
    ],
    [
      "an MTU too small for a tunnel",
      { networks: { data: { mtuBytes: 900 } } },
      "networks.data.mtuBytes",
      900,
      "",
    ],
    [
      "three OSDs on two virtual machines",
      {
        driver: "nested",
        hosts: ["a", "b"].map((name) => ({ name, roles: ["compute", "ceph"] })),
        ceph: { osds: 3 },
      },
      "ceph.osds",
      undefined,
      "each virtual machine with the role ceph has one OSD",
    ],
    [
      "a host without the memory for libvirt",
      { hosts: [{ name: "a", ramMib: 767 }] },
      "hosts.0.ramMib",
      767,
      "Give 768 or more.",
    ],
    [
      "more disks than a host has places for",
      { hosts: [{ name: "a", disks: Array.from({ length: 9 }, () => ({ sizeGib: 1 })) }] },
      "hosts.0.disks",
      undefined,
      "Give 8 or less.",
    ],
    [
      "a bridge whose name no interface can have",
      { driver: "nested", networks: { data: { cidr: "10.9.0.0/24", bridge: "b".repeat(16) } } },
      "networks.data.bridge",
      "b".repeat(16),
      "at most 15 characters",
    ],
    ["a CIDR too large", cidr("10.0.0.0/15"), "networks.management.cidr", "10.0.0.0/15", "/16 to /28"],
    [
      "a storage network on the range of another",
      { networks: { data: { cidr: "10.0.0.0/16" }, storage: { cidr: "10.0.7.0/24" } } },
      "networks.storage.cidr",
      undefined,
      "do not overlap",
    ],
    ["a relative disk folder", { diskFolder: "disks" }, "diskFolder", "disks", "Begin the path with /."],
    [
      "a disk folder that steers the terminal",
      { diskFolder: "/tmp/\u001b]0;x" },
      "diskFolder",
      "/tmp/\u001b]0;x",
      "are printed",
    ],
    ["a mirror of another protocol", { mirror: "ftp://a.example" }, "mirror", undefined, "Correct the field"],
    [
      "a mirror of two words",
      { mirror: "http://a.example/x evil main" },
      "mirror",
      undefined,
      "without blanks",
    ],
    ["a mirror of two lines", { mirror: "http://a.example/\u2028x" }, "mirror", undefined, "without blanks"],
    [
      "a mirror that ends in a comment",
      { mirror: "http://a.example/#" },
      "mirror",
      undefined,
      "without blanks",
    ],
    ["no mapping", "three hosts", "", "three hosts", "Write a mapping"],
    ["no number", { hosts: [{ name: "a", ramMib: "2GiB" }] }, "hosts.0.ramMib", "2GiB", "without a unit"],
    ["a host without a name", { hosts: [{ vcpus: 1 }] }, "hosts.0.name", undefined, "Write text"],
  ])("with %s is refused", (_, input, field, value, remedy) => {
    const error = refusalOf(input);
    expect(error).toMatchObject({ code: "invalid-input", field, ...(value === undefined ? {} : { value }) });
    expect(error).toHaveProperty("remedy", expect.stringContaining(remedy));
  });

  test("has no password in it that images would keep, and does not show it", () => {
    const error = refusalOf({ mirror: "https://user:secret@mirror.example.org" });
    expect(error).toMatchObject({ code: "invalid-input", field: "mirror", value: undefined });
    expect(error).toHaveProperty("message", expect.not.stringContaining("secret"));
    expect(parseTopology({ mirror: "http://[fd00::1]:8080/~a@b/" }).mirror).toBe(
      "http://[fd00::1]:8080/~a@b/",
    );
  });

  test("at the limits is taken: memory for Ceph, addresses, a bridge beside the gateway", () => {
    const roles = ["compute", "ceph"];
    const { hosts } = parseTopology({ driver: "nested", hosts: [{ name: "a", roles, ramMib: 2560 }] });
    expect(hosts[0]?.ramMib).toBe(2560);
    expect(parseTopology({ ...cidr("10.0.0.0/28"), hosts: 4 }).hosts).toHaveLength(4);
    expect(parseTopology({ ...cidr("10.0.0.0/16"), mirror: "file:///srv/mirror" }).mirror).toBeDefined();
    const data = { cidr: "10.9.0.0/24", bridge: "b".repeat(15) };
    expect(
      parseTopology({ driver: "nested", hosts: [{ name: "g", roles: ["gateway"] }], networks: { data } })
        .networks.data.bridge,
    ).toBe(data.bridge);
  });

  test("of a file gives way to what is named beside it, before it is judged", () => {
    const file = join(mkdtempSync(join(tmpdir(), "stackyard-topology-")), "lab.yaml");
    writeFileSync(file, "name: x\nhosts: [a, { name: b, roles: [gateway] }]\n");
    expect(() => loadTopology(file)).toThrow("have no use for");
    expect(loadTopology(file, { driver: "nested", name: "y" })).toMatchObject({
      name: "y",
      driver: "nested",
    });
    writeFileSync(file, "three hosts\n");
    expect(() => loadTopology(file, { driver: "nested" })).toThrow("is not valid");
    rmSync(dirname(file), { recursive: true });
  });

  test.each(["hosts: &all [*all]", "name: &name { is: *name }", "&all { networks: { data: *all } }"])(
    "that contains itself is refused: %s",
    (text) => {
      const file = join(mkdtempSync(join(tmpdir(), "stackyard-topology-")), "lab.yaml");
      writeFileSync(file, text);
      expect(() => loadTopology(file)).toThrow(
        expect.objectContaining({
          code: "invalid-input",
          value: file,
          message: "the topology file is not valid YAML: an alias (*) stands for what it is a part of",
        }),
      );
      rmSync(dirname(file), { recursive: true });
    },
  );

  test("that cannot be read is not found", () => {
    expect(() => loadTopology("/nonexistent.yaml")).toThrow(
      expect.objectContaining({ code: "not-found", value: "/nonexistent.yaml" }),
    );
  });
});

function refusalOf(input: unknown): unknown {
  try {
    return parseTopology(input);
  } catch (error) {
    return error;
  }
}

function cidr(text: string) {
  return { networks: { management: { cidr: text } } };
}
