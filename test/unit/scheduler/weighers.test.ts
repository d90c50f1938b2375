import { describe, expect, test } from "vitest";

import type { HostState } from "../../../providers/scheduler/host-state.ts";
import { readSchedulerOptions } from "../../../providers/scheduler/options.ts";
import { weigherNames } from "../../../providers/scheduler/weigher.ts";
import { weighers } from "../../../providers/scheduler/weighers/catalogue.ts";
import { heaviestFirst, weighHosts } from "../../../providers/scheduler/weigh.ts";
import {
  aggregatesWith,
  plainOptions,
  serversOf,
  testHost,
  testRequest,
  weigh,
} from "../../support/scheduler.ts";

const pool = (count: number) => ({ count, numaNode: null, properties: {} });
const like = (...properties: readonly Readonly<Record<string, string>>[]): HostState["servers"] =>
  properties.map((imageProperties, index) => ({ id: String(index), flavorId: null, imageProperties }));

test.each(weigherNames)("%s is catalogued under its own name", (name) => {
  expect(weighers[name].name).toBe(name);
});

describe("by default", () => {
  test.each<[Parameters<typeof weigh>[0], Partial<HostState>, Partial<HostState>, readonly number[]]>([
    ["RAMWeigher", { freeRamMib: 100 }, { freeRamMib: 25 }, [1, 0.25]],
    ["RAMWeigher", { freeRamMib: 100 }, { freeRamMib: 100 }, [1, 1]],
    ["RAMWeigher", { freeRamMib: 0 }, { freeRamMib: 0 }, [0, 0]],
    ["RAMWeigher", { freeRamMib: 100 }, { freeRamMib: -50 }, [1, 0]],
    ["RAMWeigher", { freeRamMib: -10 }, { freeRamMib: -50 }, [0, 0]],
    ["DiskWeigher", { freeDiskMib: 50 }, { freeDiskMib: 100 }, [0.5, 1]],
    ["CPUWeigher", { vcpusTotal: 2, cpuAllocationRatio: 4, vcpusUsed: 4 }, { vcpusTotal: 1 }, [1, 1]],
    ["IoOpsWeigher", { numIoOps: 0 }, { numIoOps: 4 }, [0, -1]],
    ["IoOpsWeigher", { numIoOps: 2 }, { numIoOps: 2 }, [-1, -1]],
    ["BuildFailureWeigher", { failedBuilds: 1 }, { failedBuilds: 3 }, [0, -1_000_000]],
    ["BuildFailureWeigher", { failedBuilds: 3 }, { failedBuilds: 3 }, [0, 0]],
    ["HypervisorVersionWeigher", { hypervisorVersion: null }, { hypervisorVersion: 7_002_000 }, [0, 1]],
    ["NumInstancesWeigher", { numInstances: 1 }, { numInstances: 9 }, [0, 0]],
    ["PCIWeigher", { pciPools: [pool(1), pool(2)] }, { pciPools: [] }, [0, 1]],
    ["PCIWeigher", { pciPools: [pool(99)] }, { pciPools: [pool(500)] }, [0, 0]],
    ["CrossCellWeigher", { cell: "cell1" }, { cell: "cell2" }, [0, 0]],
    ["MetricsWeigher", { metrics: { "cpu.percent": 1 } }, { metrics: {} }, [0, 0]],
    ["ServerGroupSoftAffinityWeigher", { servers: serversOf("m1") }, {}, [0, 0]],
    ["ServerGroupSoftAntiAffinityWeigher", { servers: serversOf("m1") }, {}, [0, 0]],
    ["ImagePropertiesWeigher", { servers: like({ os_distro: "debian" }) }, {}, [0, 0]],
  ])("%s %j %j", (name, first, second, expected) => {
    expect(weigh(name, [testHost(first), testHost(second)])).toEqual(expected);
  });

  test("a single host is not weighed", () => {
    expect(weigh("RAMWeigher", [testHost({ freeRamMib: 100 })])).toEqual([0]);
  });
});

describe("server groups", () => {
  const hosts = [
    testHost({ servers: serversOf("m1", "m2", "x") }),
    testHost({ servers: serversOf("m3") }),
    testHost(),
  ];
  const group = (policy: "soft-affinity" | "soft-anti-affinity") =>
    testRequest({ group: { id: "g", policy, maxServerPerHost: 1, members: ["m1", "m2", "m3"], hosts: [] } });

  test("soft affinity prefers members", () => {
    expect(weigh("ServerGroupSoftAffinityWeigher", hosts, group("soft-affinity"))).toEqual([1, 0.5, 0]);
  });

  test("soft anti-affinity avoids them", () => {
    expect(weigh("ServerGroupSoftAntiAffinityWeigher", hosts, group("soft-anti-affinity"))).toEqual([
      0, 0.5, 1,
    ]);
  });
});

describe("CrossCellWeigher", () => {
  const hosts = [testHost({ cell: "cell1" }), testHost({ cell: "cell2" })];
  const move = (allowCrossCellMove: boolean) =>
    testRequest({ destination: { host: null, node: null, cell: "cell2", allowCrossCellMove } });

  test.each([
    [true, [0, 1_000_000]],
    [false, [0, 0]],
  ])("a move that may leave its cell: %s", (allowed, expected) => {
    expect(weigh("CrossCellWeigher", hosts, move(allowed))).toEqual(expected);
  });
});

describe("MetricsWeigher", () => {
  const settings = (required: boolean, weight_setting = ["cpu.percent=2", "cpu.frequency=-1"]) =>
    readSchedulerOptions({ metrics: { weight_setting, required } });
  const fast = testHost({ metrics: { "cpu.percent": 10, "cpu.frequency": 5 } });
  const slow = testHost({ metrics: { "cpu.percent": 5, "cpu.frequency": 5 } });
  const silent = testHost({ name: "silent", metrics: { "cpu.percent": 10 } });

  test("sums metrics times ratios", () => {
    expect(weigh("MetricsWeigher", [fast, slow], testRequest(), settings(true))).toEqual([1, 0]);
  });

  test("a missing metric makes the host weigh weight_of_unavailable", () => {
    expect(weigh("MetricsWeigher", [fast, silent], testRequest(), settings(false))).toEqual([1, 0]);
  });

  test("a missing metric with ratio 0 makes no difference", () => {
    const options = settings(false, ["cpu.percent=1", "cpu.frequency=0"]);

    expect(weigh("MetricsWeigher", [fast, silent], testRequest(), options)).toEqual([0, 0]);
  });

  test("a missing metric that is required is an error that names the host", () => {
    expect(() => weigh("MetricsWeigher", [fast, silent], testRequest(), settings(true))).toThrow(
      expect.objectContaining({
        code: "host-unsuitable",
        message: "host silent does not report the metric cpu.frequency, which metrics.required asks for",
      }),
    );
  });
});

describe("ImagePropertiesWeigher", () => {
  const hosts = [
    testHost({ servers: like({ os_distro: "debian", hw_disk_bus: "virtio" }, { os_distro: "debian" }) }),
    testHost({ servers: like({ hw_disk_bus: "virtio" }) }),
    testHost({ servers: like({ os_distro: "windows" }) }),
  ];
  const request = testRequest({
    image: { id: "i", properties: { os_distro: "debian", hw_disk_bus: "virtio" } },
  });

  test("counts each shared property of each server", () => {
    const options = readSchedulerOptions({ filter_scheduler: { image_props_weight_multiplier: 3 } });

    expect(weigh("ImagePropertiesWeigher", hosts, request, options)).toEqual([3, 1, 0]);
  });

  test("stays off, whatever aggregates say, while its multiplier is 0", () => {
    const aggregates = aggregatesWith({ image_props_weight_multiplier: "5" });
    const overridden = hosts.map((host) => ({ ...host, aggregates }));

    expect(weigh("ImagePropertiesWeigher", overridden, request)).toEqual([0, 0, 0]);
  });

  test("counts ratios where they are set", () => {
    const options = readSchedulerOptions({
      filter_scheduler: { image_props_weight_multiplier: 1, image_props_weight_setting: ["hw_disk_bus=2"] },
    });

    expect(weigh("ImagePropertiesWeigher", hosts, request, options)).toEqual([1, 1, 0]);
  });
});

describe("multipliers in aggregate metadata", () => {
  test.each([
    ["override the configured one, for that host only", [{ ram_weight_multiplier: "-2" }], [-2, 1]],
    ["lowest of several", [{ ram_weight_multiplier: "4" }, { ram_weight_multiplier: "3.5" }], [3.5, 1]],
    [
      "one that is no number makes all void",
      [{ ram_weight_multiplier: "4" }, { ram_weight_multiplier: "many" }],
      [1, 1],
    ],
    ["another weigher's", [{ cpu_weight_multiplier: "7" }], [1, 1]],
  ])("%s", (_title, metadata, expected) => {
    const hosts = [testHost({ aggregates: aggregatesWith(...metadata) }), testHost()];

    expect(weigh("RAMWeigher", hosts)).toEqual(expected);
  });

  test("of BuildFailureWeigher are negated as the configured one is", () => {
    const aggregates = aggregatesWith({ build_failure_weight_multiplier: "5" });

    expect(weigh("BuildFailureWeigher", [testHost({ aggregates, failedBuilds: 2 }), testHost()])).toEqual([
      -5, 0,
    ]);
  });
});

test("the parts of a host's weight sum to it", () => {
  const hosts = [testHost({ freeRamMib: 10, numIoOps: 3 }), testHost({ freeRamMib: 40, failedBuilds: 1 })];
  const { totals, partsOf } = weighHosts(hosts, testRequest(), plainOptions);

  expect(partsOf(0).reduce((sum, { contribution }) => sum + contribution, 0)).toBe(totals[0]);
  expect(partsOf(0)).toContainEqual({
    weigher: "RAMWeigher",
    raw: 10,
    normalised: 0.25,
    multiplier: 1,
    contribution: 0.25,
  });
});

test("equal weights keep the order of the hosts", () => {
  expect([...heaviestFirst(Float64Array.of(1, 3, 1, 3, 2, 3))]).toEqual([1, 3, 5, 4, 0, 2]);
});
