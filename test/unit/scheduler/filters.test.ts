import { describe, expect, test } from "vitest";

import { filterNames } from "../../../providers/scheduler/filter.ts";
import { filters } from "../../../providers/scheduler/filters/catalogue.ts";
import type { HostState } from "../../../providers/scheduler/host-state.ts";
import { readSchedulerOptions } from "../../../providers/scheduler/options.ts";
import { aggregatesWith, passes, serversOf, testHost, testRequest } from "../../support/scheduler.ts";

test.each(filterNames)("%s is catalogued under its own name", (name) => {
  expect(filters[name].name).toBe(name);
});

test("AllHostsFilter lets every host pass", () => {
  expect(passes("AllHostsFilter", testHost({ enabled: false }))).toBe(true);
});

test.each([
  ["enabled and up", true, true, true],
  ["disabled", false, true, false],
  ["down", true, false, false],
])("ComputeFilter: %s", (_title, enabled, up, expected) => {
  expect(passes("ComputeFilter", testHost({ enabled, up }))).toBe(expected);
});

describe("ComputeCapabilitiesFilter", () => {
  const host = testHost({
    hostIp: "10.0.0.1",
    stats: { rack: "r1" },
    cpuInfo: { vendor: "AMD", features: ["aes", "avx2"], topology: { cores: 8 }, maxphysaddr: { bits: 40 } },
  });

  test.each([
    ["no extra specs", {}, true],
    ["a foreign scope is ignored", { "hw:cpu_policy": "shared" }, true],
    ["an unknown key without scope is ignored", { colour: "red" }, true],
    ["a key without scope that is a stat counts", { rack: "r2" }, false],
    ["a key without scope that is an attribute counts", { vcpus_total: ">= 33" }, false],
    ["a method of Nova's host state counts as an attribute", { update: "x" }, false],
    ["a name that every object has is unknown", { "capabilities:constructor": "s!= x" }, false],
    ["an unknown key in the scope fails", { "capabilities:colour": "red" }, false],
    ["nested keys", { "capabilities:cpu_info:topology:cores": "== 8" }, true],
    ["a list is written as Python writes it", { "capabilities:cpu_info:features": "['aes', 'avx2']" }, true],
    ["a ratio is written with a fraction", { "capabilities:cpu_allocation_ratio": "4" }, false],
    ["and so equals 4.0", { "capabilities:cpu_allocation_ratio": "4.0" }, true],
    ["the address is a text", { "capabilities:host_ip": "10.0.0.1" }, true],
    ["the service is no dictionary", { "capabilities:service:disabled": "False" }, false],
    ["enough address bits", { "hw:maxphysaddr_bits": "40" }, true],
    ["too few address bits", { "hw:maxphysaddr_bits": "41" }, false],
  ])("%s", (_title, extraSpecs, expected) => {
    expect(passes("ComputeCapabilitiesFilter", host, testRequest({ flavor: { extraSpecs } }))).toBe(expected);
  });
});

describe("ImagePropertiesFilter", () => {
  const arm = testHost({ supportedInstances: [["aarch64", "kvm", "hvm"]] });
  const asked = (properties: Readonly<Record<string, string>>) =>
    testRequest({ image: { id: "i", properties } });

  test.each<[string, HostState, Readonly<Record<string, string>>, boolean]>([
    ["an image that states nothing", testHost({ supportedInstances: [] }), {}, true],
    ["a host that supports nothing", testHost({ supportedInstances: [] }), { hw_vm_mode: "hvm" }, false],
    ["another architecture", arm, { hw_architecture: "x86_64" }, false],
    ["the same architecture", arm, { hw_architecture: "aarch64" }, true],
    ["the other spelling of an architecture", testHost(), { hw_architecture: "AMD64" }, true],
    ["the old name of an architecture", testHost(), { hw_architecture: "i386" }, true],
    ["the old name of a mode", testHost(), { hw_vm_mode: "hv" }, true],
    ["a legacy name", arm, { architecture: "x86_64" }, false],
    [
      "all properties in one supported instance",
      testHost(),
      { hw_architecture: "i686", img_hv_type: "xen" },
      false,
    ],
    ["a version in range", testHost(), { hw_vm_mode: "hvm", img_hv_requested_version: ">=7,<8.0" }, true],
    ["a version out of range", testHost(), { hw_vm_mode: "hvm", img_hv_requested_version: ">7.2.0" }, false],
    ["a version range alone is not looked at", testHost(), { img_hv_requested_version: ">8" }, true],
    [
      "a host without version passes any range",
      testHost({ hypervisorVersion: 0 }),
      { hw_vm_mode: "hvm", img_hv_requested_version: ">8" },
      true,
    ],
    [
      "too few physical address bits",
      testHost({ cpuInfo: { maxphysaddr: { bits: 36 } } }),
      { hw_vm_mode: "hvm", hw_maxphysaddr_bits: "40" },
      false,
    ],
  ])("%s", (_title, host, properties, expected) => {
    expect(passes("ImagePropertiesFilter", host, asked(properties))).toBe(expected);
  });

  test("the default architecture stands in for a missing one", () => {
    const options = readSchedulerOptions({
      filter_scheduler: { image_properties_default_architecture: "x86_64" },
    });

    expect(passes("ImagePropertiesFilter", arm, asked({}), options)).toBe(false);
  });

  test.each([
    ["hw_architecture", "z80"],
    ["img_hv_type", "vmm"],
    ["hw_vm_mode", "soft"],
    ["hw_cpu_cores", "two"],
  ])("%s %s is refused", (property, value) => {
    expect(() => passes("ImagePropertiesFilter", arm, asked({ [property]: value }))).toThrow(
      expect.objectContaining({ code: "invalid-input", field: `image.properties.${property}`, value }),
    );
  });

  test("a version range that cannot be read is refused", () => {
    const request = asked({ hw_vm_mode: "hvm", img_hv_requested_version: "7 or so" });

    expect(() => passes("ImagePropertiesFilter", arm, request)).toThrow(
      expect.objectContaining({ code: "invalid-input", field: "image.properties.img_hv_requested_version" }),
    );
  });
});

describe("server groups", () => {
  const group = (policy: "affinity" | "anti-affinity", maxServerPerHost: number, hosts: readonly string[]) =>
    testRequest({ group: { id: "g", policy, maxServerPerHost, members: ["s1", "m1", "m2"], hosts } });

  test.each([
    ["no member on the host", "anti-affinity", 1, ["other"], true],
    ["one member, one allowed", "anti-affinity", 1, ["m1"], false],
    ["one member, two allowed", "anti-affinity", 2, ["m1"], true],
    ["two members, two allowed", "anti-affinity", 2, ["m1", "m2"], false],
    ["the server itself is there", "anti-affinity", 1, ["m1", "s1"], true],
    ["another policy", "affinity", 1, ["m1"], true],
  ] as const)("ServerGroupAntiAffinityFilter: %s", (_title, policy, max, servers, expected) => {
    const host = testHost({ servers: serversOf(...servers) });

    expect(passes("ServerGroupAntiAffinityFilter", host, group(policy, max, []))).toBe(expected);
  });

  test.each([
    ["the group has no host yet", "affinity", [], true],
    ["the host is one of the group's", "affinity", ["h1"], true],
    ["the group is elsewhere", "affinity", ["h2"], false],
    ["another policy", "anti-affinity", ["h2"], true],
  ] as const)("ServerGroupAffinityFilter: %s", (_title, policy, hosts, expected) => {
    expect(passes("ServerGroupAffinityFilter", testHost(), group(policy, 1, hosts))).toBe(expected);
  });
});

describe("hints", () => {
  const host = testHost({ servers: serversOf("a", "b"), hostIp: "10.0.1.7" });

  test.each([
    ["DifferentHostFilter", {}, true],
    ["DifferentHostFilter", { different_host: "a" }, false],
    ["DifferentHostFilter", { different_host: ["c", "d"] }, true],
    ["SameHostFilter", {}, true],
    ["SameHostFilter", { same_host: ["c", "a"] }, true],
    ["SameHostFilter", { same_host: ["c"] }, false],
    ["SimpleCIDRAffinityFilter", {}, true],
    ["SimpleCIDRAffinityFilter", { build_near_host_ip: "10.0.1.200" }, true],
    ["SimpleCIDRAffinityFilter", { build_near_host_ip: "10.0.2.200" }, false],
    ["SimpleCIDRAffinityFilter", { build_near_host_ip: "10.0.2.200", cidr: "/22" }, true],
    ["SimpleCIDRAffinityFilter", { build_near_host_ip: "10.0.2.200", cidr: "/255.255.252.0" }, true],
    ["SimpleCIDRAffinityFilter", { build_near_host_ip: "fd00::1", cidr: "/64" }, false],
  ] as const)("%s %j", (name, hints, expected) => {
    expect(passes(name, host, testRequest({ hints }))).toBe(expected);
  });

  test("SimpleCIDRAffinityFilter takes a host without address away", () => {
    const request = testRequest({ hints: { build_near_host_ip: "10.0.1.1" } });

    expect(passes("SimpleCIDRAffinityFilter", testHost({ hostIp: null }), request)).toBe(false);
  });

  test.each(["10.0.1", "$(reboot)"])("SimpleCIDRAffinityFilter refuses the address %s", (address) => {
    expect(() =>
      passes("SimpleCIDRAffinityFilter", host, testRequest({ hints: { build_near_host_ip: address } })),
    ).toThrow(expect.objectContaining({ code: "invalid-input", field: "hints.build_near_host_ip" }));
  });
});

describe("aggregates", () => {
  test.each([
    ["no aggregate", [], true],
    ["the project is listed", [{ filter_tenant_id: "p0, p1" }], true],
    ["others are listed", [{ filter_tenant_id: "p0" }], false],
    ["listed in one of two", [{ filter_tenant_id: "p0" }, { filter_tenant_id: "p1" }], true],
    ["a key with a suffix is not read", [{ filter_tenant_id2: "p0" }], true],
  ])("AggregateMultiTenancyIsolation: %s", (_title, metadata, expected) => {
    const host = testHost({ aggregates: aggregatesWith(...metadata) });

    expect(passes("AggregateMultiTenancyIsolation", host)).toBe(expected);
  });

  test.each([
    ["no aggregate", [], true],
    ["the flavor is listed", [{ instance_type: "m0 ,m1" }], true],
    ["others are listed", [{ instance_type: "m2" }], false],
  ])("AggregateTypeAffinityFilter: %s", (_title, metadata, expected) => {
    const host = testHost({ aggregates: aggregatesWith(...metadata) });

    expect(passes("AggregateTypeAffinityFilter", host)).toBe(expected);
  });

  test.each([
    ["any zone will do", null, [], true],
    ["in the zone", "az1", [{ availability_zone: "az1" }], true],
    ["in another zone", "az1", [{ availability_zone: "az2" }], false],
    ["in no zone, the default one asked for", "nova", [], true],
    ["in no zone, another one asked for", "az1", [], false],
    ["in a zone, the default one asked for", "nova", [{ availability_zone: "az1" }], false],
  ])("AvailabilityZoneFilter: %s", (_title, availabilityZone, metadata, expected) => {
    const host = testHost({ aggregates: aggregatesWith(...metadata) });

    expect(passes("AvailabilityZoneFilter", host, testRequest({ availabilityZone }))).toBe(expected);
  });

  test.each([
    ["no extra specs", {}, true],
    ["a key without scope counts", { disk: "ssd" }, true],
    ["a missing key fails", { gpu: "yes" }, false],
    ["the scope counts", { "aggregate_instance_extra_specs:disk": "nvme" }, true],
    ["a foreign scope is ignored", { "capabilities:disk": "tape" }, true],
    ["no value matches", { disk: "tape" }, false],
    ["a key that every object has is still missing", { constructor: "1" }, false],
    ["operators apply", { disk: "<or> tape <or> nvme" }, true],
  ])("AggregateInstanceExtraSpecsFilter: %s", (_title, extraSpecs, expected) => {
    const host = testHost({ aggregates: aggregatesWith({ disk: "ssd, nvme" }) });

    expect(passes("AggregateInstanceExtraSpecsFilter", host, testRequest({ flavor: { extraSpecs } }))).toBe(
      expected,
    );
  });

  test.each([
    ["the aggregate does not say", [{ rack: "1" }], { os_distro: "debian" }, true],
    ["the value is listed", [{ os_distro: "debian,ubuntu" }], { os_distro: "ubuntu" }, true],
    ["the value is not listed", [{ os_distro: "windows" }], { os_distro: "debian" }, false],
    ["the image does not say", [{ os_distro: "windows" }], {}, true],
    ["a property that Nova does not know", [{ colour: "red" }], { colour: "blue" }, true],
    ["a false property counts as absent", [{ hw_boot_menu: "True" }], { hw_boot_menu: "no" }, true],
    ["a true property is written True", [{ hw_boot_menu: "true" }], { hw_boot_menu: "yes" }, false],
  ])("AggregateImagePropertiesIsolation: %s", (_title, metadata, properties, expected) => {
    const host = testHost({ aggregates: aggregatesWith(...metadata) });

    expect(
      passes("AggregateImagePropertiesIsolation", host, testRequest({ image: { id: "i", properties } })),
    ).toBe(expected);
  });

  test("AggregateImagePropertiesIsolation looks only at its namespace", () => {
    const options = readSchedulerOptions({
      filter_scheduler: {
        aggregate_image_properties_isolation_namespace: "hw",
        aggregate_image_properties_isolation_separator: "_",
      },
    });
    const host = testHost({ aggregates: aggregatesWith({ os_distro: "windows", hw_disk_bus: "ide" }) });
    const request = testRequest({ image: { id: "i", properties: { os_distro: "debian" } } });

    expect(passes("AggregateImagePropertiesIsolation", host, request, options)).toBe(true);
  });
});

describe("loads", () => {
  test.each([
    ["IoOpsFilter", { numIoOps: 7 }, [], true],
    ["IoOpsFilter", { numIoOps: 8 }, [], false],
    ["AggregateIoOpsFilter", { numIoOps: 7 }, [], true],
    ["AggregateIoOpsFilter", { numIoOps: 7 }, [{ max_io_ops_per_host: "7" }], false],
    [
      "AggregateIoOpsFilter",
      { numIoOps: 8 },
      [{ max_io_ops_per_host: "9" }, { max_io_ops_per_host: " 10 " }],
      true,
    ],
    ["AggregateIoOpsFilter", { numIoOps: 7 }, [{ max_io_ops_per_host: "2,3" }], true],
    ["NumInstancesFilter", { numInstances: 49 }, [], true],
    ["NumInstancesFilter", { numInstances: 50 }, [], false],
    ["AggregateNumInstancesFilter", { numInstances: 50 }, [], false],
    ["AggregateNumInstancesFilter", { numInstances: 50 }, [{ max_instances_per_host: "51" }], true],
    ["AggregateNumInstancesFilter", { numInstances: 50 }, [{ max_instances_per_host: "51.0" }], false],
  ] as const)("%s %j %j", (name, load, metadata, expected) => {
    expect(passes(name, testHost({ ...load, aggregates: aggregatesWith(...metadata) }))).toBe(expected);
  });
});

describe("IsolatedHostsFilter", () => {
  test.each([
    ["isolated image, isolated host", "secret", "iso", true, true],
    ["isolated image, other host", "secret", "h1", true, false],
    ["other image, isolated host", "plain", "iso", true, false],
    ["other image, isolated host, not restricted", "plain", "iso", false, true],
    ["other image, other host", "plain", "h1", true, true],
    ["isolated image, other host, not restricted", "secret", "h1", false, false],
    ["no image, isolated host", null, "iso", true, false],
  ])("%s", (_title, id, name, restrict, expected) => {
    const options = readSchedulerOptions({
      filter_scheduler: {
        isolated_images: ["secret"],
        isolated_hosts: ["iso"],
        restrict_isolated_hosts_to_isolated_images: restrict,
      },
    });

    expect(
      passes(
        "IsolatedHostsFilter",
        testHost({ name }),
        testRequest({ image: { id, properties: {} } }),
        options,
      ),
    ).toBe(expected);
  });
});

test.each([
  [[], {}, true],
  [["cpu.percent=1"], { "cpu.percent": 0 }, true],
  [["cpu.percent=1", "cpu.frequency=1"], { "cpu.percent": 5 }, false],
  [["cpu.percent", "=1", "cpu.percent=x"], {}, true],
])("MetricsFilter: settings %j, metrics %j", (weight_setting, metrics, expected) => {
  const options = readSchedulerOptions({ metrics: { weight_setting } });

  expect(passes("MetricsFilter", testHost({ metrics }), testRequest(), options)).toBe(expected);
});

describe("retired filters", () => {
  test.each([
    ["RamFilter", { totalRamMib: 2048, freeRamMib: 1024, ramAllocationRatio: 1 }, true],
    ["RamFilter", { totalRamMib: 2048, freeRamMib: 1023, ramAllocationRatio: 1 }, false],
    ["RamFilter", { totalRamMib: 1023, freeRamMib: 1023, ramAllocationRatio: 9 }, false],
    ["AggregateRamFilter", { totalRamMib: 2048, freeRamMib: 0, ramAllocationRatio: 1 }, true],
    ["CoreFilter", { vcpusTotal: 2, vcpusUsed: 7, cpuAllocationRatio: 4 }, true],
    ["CoreFilter", { vcpusTotal: 2, vcpusUsed: 8, cpuAllocationRatio: 4 }, false],
    ["CoreFilter", { vcpusTotal: 0, vcpusUsed: 8, cpuAllocationRatio: 4 }, true],
    ["AggregateCoreFilter", { vcpusTotal: 2, vcpusUsed: 8, cpuAllocationRatio: 4 }, false],
    ["AggregateCoreFilter", { vcpusTotal: 2, vcpusUsed: 2, cpuAllocationRatio: 1 }, true],
    ["DiskFilter", { totalDiskGib: 12, freeDiskMib: 12 * 1024, diskAllocationRatio: 1 }, true],
    ["DiskFilter", { totalDiskGib: 12, freeDiskMib: 12 * 1024 - 1, diskAllocationRatio: 1 }, false],
    ["DiskFilter", { totalDiskGib: 11, freeDiskMib: 11 * 1024, diskAllocationRatio: 2 }, false],
    ["AggregateDiskFilter", { totalDiskGib: 12, freeDiskMib: 0, diskAllocationRatio: 1 }, true],
  ] as const)("%s %j", (name, capacity, expected) => {
    const aggregates = aggregatesWith({
      ram_allocation_ratio: "1.5",
      cpu_allocation_ratio: "2",
      disk_allocation_ratio: "2.0",
    });
    const request = testRequest({ flavor: { rootGib: 10, ephemeralGib: 1, swapMib: 1024 } });

    expect(passes(name, testHost({ ...capacity, aggregates }), request)).toBe(expected);
  });

  test.each([
    ["h1", "h1", false],
    ["h1", "h2", true],
    ["h2", "h2", true],
  ])("RetryFilter: tried %s/%s", (name, nodename, expected) => {
    expect(passes("RetryFilter", testHost(), testRequest({ triedHosts: [{ name, nodename }] }))).toBe(
      expected,
    );
  });

  test.each([
    ["m1", true],
    ["m2", false],
  ])("TypeAffinityFilter: a server of m1 on the host, %s asked for", (id, expected) => {
    expect(
      passes("TypeAffinityFilter", testHost({ servers: serversOf("a") }), testRequest({ flavor: { id } })),
    ).toBe(expected);
  });
});
