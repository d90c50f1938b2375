import { describe, expect, test } from "vitest";

import { hostStateFrom } from "../../../providers/scheduler/host-state.ts";
import { readSchedulerOptions } from "../../../providers/scheduler/options.ts";

const report = {
  hostId: "id-1",
  name: "h1",
  inventory: {
    vcpus: 8,
    ramMib: 16_384,
    diskGib: 100,
    architecture: "aarch64",
    virtType: "qemu",
    hypervisorVersion: 7_002_000,
  },
  usage: { vcpus: 3, ramMib: 4_096, diskGib: 30 },
  servers: [{ id: "s1", flavorId: "m1" }],
  building: 1,
  availabilityZone: "az1",
} as const;

describe("the state of a host of ours", () => {
  test("what is reserved counts as used, and Placement keeps it apart", () => {
    const options = readSchedulerOptions({ DEFAULT: { reserved_host_cpus: 1, reserved_host_disk_mb: 1025 } });
    const host = hostStateFrom(report, options);

    expect(host).toMatchObject({ vcpusUsed: 4, freeRamMib: 16_384 - 512 - 4_096, freeDiskMib: 68 * 1024 });
    expect(host.inventories).toMatchObject({
      VCPU: { total: 8, reserved: 1, used: 3, allocationRatio: 4, maxUnit: 8 },
      MEMORY_MB: { total: 16_384, reserved: 512, used: 4_096, allocationRatio: 1, maxUnit: 16_384 },
      DISK_GB: { total: 100, reserved: 2, used: 30, allocationRatio: 1, maxUnit: 100 },
    });
  });

  test("the zone is an aggregate beside the given ones", () => {
    const aggregates = [{ name: "rack", metadata: { rack: "1" } }];

    expect(hostStateFrom({ ...report, aggregates }, readSchedulerOptions({})).aggregates).toEqual([
      { name: "az1", metadata: { availability_zone: "az1" } },
      { name: "rack", metadata: { rack: "1" } },
    ]);
  });

  test("servers and builds are counted", () => {
    expect(hostStateFrom(report, readSchedulerOptions({}))).toMatchObject({ numInstances: 1, numIoOps: 1 });
  });

  test.each([
    ["aarch64", "qemu", [["aarch64", "qemu", "hvm"]]],
    [
      "x86_64",
      "kvm",
      [
        ["x86_64", "kvm", "hvm"],
        ["x86_64", "qemu", "hvm"],
        ["i686", "kvm", "hvm"],
        ["i686", "qemu", "hvm"],
      ],
    ],
  ] as const)("an %s host with %s supports %j", (architecture, virtType, expected) => {
    const host = { ...report, inventory: { ...report.inventory, architecture, virtType } };

    expect(hostStateFrom(host, readSchedulerOptions({})).supportedInstances).toEqual(expected);
  });
});

describe("options", () => {
  test("Nova's defaults", () => {
    expect(readSchedulerOptions({})).toMatchObject({
      DEFAULT: { default_availability_zone: "nova", initial_cpu_allocation_ratio: 4 },
      scheduler: { max_attempts: 3 },
      filter_scheduler: {
        enabled_filters: [
          "ComputeFilter",
          "ComputeCapabilitiesFilter",
          "ImagePropertiesFilter",
          "ServerGroupAntiAffinityFilter",
          "ServerGroupAffinityFilter",
        ],
        host_subset_size: 1,
        max_io_ops_per_host: 8,
        max_instances_per_host: 50,
        io_ops_weight_multiplier: -1,
        num_instances_weight_multiplier: 0,
        build_failure_weight_multiplier: 1_000_000,
      },
      metrics: { required: true, weight_of_unavailable: -10_000 },
    });
  });

  test.each([
    ["filter_scheduler.host_subset_size", { filter_scheduler: { host_subset_size: 0 } }, 0],
    ["filter_scheduler.pci_weight_multiplier", { filter_scheduler: { pci_weight_multiplier: -1 } }, -1],
    ["filter_scheduler.max_instances_per_host", { filter_scheduler: { max_instances_per_host: 0 } }, 0],
    ["scheduler.max_attempts", { scheduler: { max_attempts: 1.5 } }, 1.5],
  ])("%s out of range is refused", (field, given, value) => {
    expect(() => readSchedulerOptions(given)).toThrow(
      expect.objectContaining({ code: "invalid-input", field, value }),
    );
  });

  test("unknown filters are refused", () => {
    const given = JSON.parse('{"filter_scheduler": {"enabled_filters": ["TrustedFilter"]}}') as object;

    expect(() => readSchedulerOptions(given)).toThrow(
      expect.objectContaining({ code: "invalid-input", field: "filter_scheduler.enabled_filters.0" }),
    );
  });
});
