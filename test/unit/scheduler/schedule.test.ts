import { describe, expect, test } from "vitest";

import { consume } from "../../../providers/scheduler/consume.ts";
import { explainSchedule, noValidHost } from "../../../providers/scheduler/explain.ts";
import { readSchedulerOptions } from "../../../providers/scheduler/options.ts";
import { resourcesOf } from "../../../providers/scheduler/placement.ts";
import type { RequestSpec } from "../../../providers/scheduler/request.ts";
import { schedule } from "../../../providers/scheduler/schedule.ts";
import { aggregatesWith, plainOptions, testHost, testRequest } from "../../support/scheduler.ts";

const hosts = ["h1", "h2", "h3"].map((name, index) => testHost({ name, freeRamMib: 30_000 - index }));

function select(given: Parameters<typeof testRequest>[0], options = plainOptions, among = hosts) {
  return schedule(among, testRequest(given), options).selected.map(({ name }) => name);
}

describe("hosts that the request names", () => {
  const destination = { host: null, node: null, cell: null, allowCrossCellMove: false };

  test.each<[string, Partial<RequestSpec>, readonly string[]]>([
    ["none", {}, ["h1"]],
    ["ignored, whatever the case", { ignoreHosts: ["H1"] }, ["h2"]],
    ["forced, whatever the case", { forceHosts: ["H3"] }, ["h3"]],
    ["forced node", { forceNodes: ["h2"] }, ["h2"]],
    ["forced and ignored", { forceHosts: ["h3"], ignoreHosts: ["h3"] }, []],
    ["destination", { destination: { ...destination, host: "h2" } }, ["h2"]],
    ["destination in other case", { destination: { ...destination, host: "H2" } }, []],
    ["destination node", { destination: { ...destination, host: "h2", node: "h3" } }, []],
    ["destination cell", { destination: { ...destination, cell: "cell2" } }, []],
  ])("%s", (_title, request, expected) => {
    expect(select(request)).toEqual(expected);
  });

  test("forced hosts skip the filters, and the trace shows none", () => {
    const disabled = [testHost({ enabled: false })];
    const { selected, trace } = schedule(disabled, testRequest({ forceHosts: ["h1"] }), plainOptions);

    expect(selected).toHaveLength(1);
    expect(trace.rounds[0]?.stages.map(({ name }) => name)).toEqual(["placement", "requested hosts"]);
  });

  test("a rebuild that forces its host runs the filters on the image", () => {
    const request = {
      rebuild: true,
      forceHosts: ["h1"],
      image: { id: "i", properties: { hw_architecture: "s390x" } },
    };

    expect(select(request)).toEqual([]);
  });
});

describe("availability zone", () => {
  const zoned = [
    testHost({ name: "h1" }),
    testHost({ name: "h2", aggregates: aggregatesWith({ availability_zone: "az2" }) }),
  ];

  test("counts without AvailabilityZoneFilter being enabled", () => {
    expect(select({ availabilityZone: "az2" }, plainOptions, zoned)).toEqual(["h2"]);
  });

  test("does not when the option leaves it to the filter", () => {
    const options = readSchedulerOptions({ scheduler: { query_placement_for_availability_zone: false } });

    expect(select({ availabilityZone: "az2" }, options, zoned)).toEqual(["h1"]);
  });
});

describe("a placed server", () => {
  const flavor = { vcpus: 2, ramMib: 1024, rootGib: 10, ephemeralGib: 1, swapMib: 512 };

  test("takes what Nova takes: root and ephemeral disk even for a volume, no swap", () => {
    const host = testHost({
      vcpusUsed: 1,
      freeRamMib: 4096,
      freeDiskMib: 20_480,
      numInstances: 3,
      numIoOps: 1,
    });

    expect(
      consume(host, testRequest({ flavor, bootFromVolume: true }), undefined, plainOptions),
    ).toMatchObject({
      vcpusUsed: 3,
      freeRamMib: 3072,
      freeDiskMib: 20_480 - 11 * 1024,
      numInstances: 4,
      numIoOps: 2,
      inventories: host.inventories,
    });
  });

  test("takes of the inventories what Placement takes", () => {
    const request = testRequest({ flavor, bootFromVolume: true });

    expect(consume(testHost(), request, resourcesOf(request), plainOptions).inventories).toMatchObject({
      VCPU: { used: 2 },
      MEMORY_MB: { used: 1024 },
      DISK_GB: { used: 2 },
    });
  });

  test("joins the host's servers as a member of a group only", () => {
    const group = { id: "g", policy: "affinity", maxServerPerHost: 1, members: ["s1"], hosts: [] } as const;

    expect(consume(testHost(), testRequest(), undefined, plainOptions).servers).toEqual([]);
    expect(consume(testHost(), testRequest({ group }), undefined, plainOptions).servers).toEqual([
      { id: "s1", flavorId: "m1", imageProperties: {} },
    ]);
  });
});

describe("several servers", () => {
  test("a host that the servers before it have filled is passed over", () => {
    const small = { ...hosts[0]?.inventories, MEMORY_MB: memory(2048) };
    const among = [
      testHost({ name: "h1", inventories: small }),
      testHost({ name: "h2", freeRamMib: 3000, numIoOps: 5 }),
    ];
    const request = { instanceIds: ["s1", "s2", "s3"], flavor: { ramMib: 1024, vcpus: 1 } };

    expect(select(request, plainOptions, among)).toEqual(["h1", "h1", "h2"]);
  });

  test("with no room for all, none is placed and the error says so", () => {
    const request = testRequest({ instanceIds: ["s1", "s2"] });
    const among = [testHost({ inventories: { ...testHost().inventories, MEMORY_MB: memory(1024) } })];
    const { selected, trace } = schedule(among, request, plainOptions);

    expect(selected).toEqual([]);
    expect(noValidHost(trace, request).message).toBe(
      "no host can take server s2 (2 of 2): servers placed before it fill 1",
    );
  });

  test("filters that run once a request are left out from the second on", () => {
    const { trace } = schedule(hosts, testRequest({ instanceIds: ["s1", "s2"] }), plainOptions);

    expect(trace.rounds.map(({ purpose, stages }) => [purpose, stages.map(({ name }) => name)])).toEqual([
      ["choice", ["placement", "AvailabilityZoneFilter", ...plainOptions.filter_scheduler.enabled_filters]],
      ["choice", ["ServerGroupAntiAffinityFilter", "ServerGroupAffinityFilter"]],
      ["alternates", ["ServerGroupAntiAffinityFilter", "ServerGroupAffinityFilter"]],
    ]);
  });

  test("an affinity group follows its first server", () => {
    const instanceIds = ["s1", "s2", "s3"];
    const group = {
      id: "g",
      policy: "affinity",
      maxServerPerHost: 1,
      members: instanceIds,
      hosts: [],
    } as const;

    expect(select({ instanceIds, group })).toEqual(["h1", "h1", "h1"]);
  });
});

describe("draws", () => {
  const equal = ["h1", "h2", "h3", "h4"].map((name) =>
    testHost({ name, freeRamMib: name === "h4" ? 1 : 100 }),
  );
  const drawn = (filter_scheduler: Parameters<typeof readSchedulerOptions>[0]["filter_scheduler"]) =>
    new Set(
      Array.from({ length: 64 }, (_none, seed) => {
        const options = readSchedulerOptions({ filter_scheduler });
        return schedule(equal, testRequest(), options, { seed }).selected[0]?.name;
      }),
    );

  test("host_subset_size picks among that many best", () => {
    expect(drawn({ host_subset_size: 2 })).toEqual(new Set(["h1", "h2"]));
  });

  test("a subset larger than the hosts picks among all", () => {
    expect(drawn({ host_subset_size: 100 })).toEqual(new Set(["h1", "h2", "h3", "h4"]));
  });

  test("shuffle_best_same_weighed_hosts picks among the equal best", () => {
    expect(drawn({ shuffle_best_same_weighed_hosts: true })).toEqual(new Set(["h1", "h2", "h3"]));
  });

  test("the same seed draws the same host", () => {
    const options = readSchedulerOptions({ filter_scheduler: { host_subset_size: 4 } });

    expect(schedule(equal, testRequest(), options, { seed: 7 })).toEqual(
      schedule(equal, testRequest(), options, { seed: 7 }),
    );
  });

  test("without a seed a draw is still one of the best", () => {
    const options = readSchedulerOptions({ filter_scheduler: { host_subset_size: 2 } });

    expect(["h1", "h2"]).toContain(schedule(equal, testRequest(), options).selected[0]?.name);
  });
});

test("hosts, request and answer are plain data: all survive a message unchanged", () => {
  const request = testRequest({ instanceIds: ["s1", "s2"] });
  const before = structuredClone(hosts);

  const answer = schedule(hosts, request, plainOptions, { weights: true });

  expect(hosts).toEqual(before);
  expect(JSON.parse(JSON.stringify(answer))).toEqual(answer);
  expect(schedule(viaJson(hosts), viaJson(request), viaJson(plainOptions), { weights: true })).toEqual(
    answer,
  );
});

describe("explanation", () => {
  test("names what each stage took, the weights and the choice", () => {
    const among = [
      testHost({ name: "h1", freeRamMib: 50 }),
      testHost({ name: "h2", freeRamMib: 100 }),
      testHost({ name: "h3", up: false }),
    ];
    const options = readSchedulerOptions({
      filter_scheduler: { enabled_filters: ["ComputeFilter"], weight_classes: ["RAMWeigher"] },
      scheduler: { query_placement_for_availability_zone: false },
    });

    expect(explainSchedule(schedule(among, testRequest(), options, { weights: true }).trace)).toEqual([
      "server s1 (3 hosts)",
      "  placement removed 0 of 3",
      "  ComputeFilter removed 1 of 3: h3",
      "  h2 weighs 1",
      "    RAMWeigher: 1 = 1 x 1 (raw 100)",
      "  h1 weighs 0.5",
      "    RAMWeigher: 0.5 = 1 x 0.5 (raw 50)",
      "  chosen: h2",
    ]);
  });

  test("weights are in the trace only when asked for", () => {
    expect(schedule(hosts, testRequest(), plainOptions).trace.rounds[0]?.weighed).toBeNull();
  });

  test("cuts long lists of names", () => {
    const many = Array.from({ length: 25 }, (_none, index) =>
      testHost({ name: `h${String(index)}`, enabled: false }),
    );
    const lines = explainSchedule(schedule(many, testRequest(), plainOptions).trace);

    expect(lines.find((line) => line.includes("ComputeFilter"))).toMatch(
      /removed 25 of 25: h0, .*h19 and 5 more$/,
    );
  });

  test("the error counts what each stage took and carries the explanation", () => {
    const among = [
      testHost({ name: "h1", up: false }),
      testHost({ name: "h2", inventories: {} }),
      testHost({ name: "h3", enabled: false }),
    ];
    const request = testRequest();
    const error = noValidHost(schedule(among, request, plainOptions).trace, request);

    expect(error).toMatchObject({ code: "no-valid-host", field: "flavor", value: "m1" });
    expect(error.message).toBe(
      "no host can take server s1: placement removed 1 of 3, ComputeFilter removed 2 of 2",
    );
    expect(error.notes).toContain("  ComputeFilter removed 2 of 2: h1, h3");
  });

  test("a cloud without hosts is told so", () => {
    const request = testRequest();

    expect(noValidHost(schedule([], request, plainOptions).trace, request).message).toBe(
      "no host can take server s1: there are no hosts",
    );
  });
});

function memory(total: number) {
  return { total, reserved: 0, used: 0, allocationRatio: 1, minUnit: 1, maxUnit: total, stepSize: 1 };
}

function viaJson<Value>(value: Value): Value {
  return structuredClone(JSON.parse(JSON.stringify(value)) as Value);
}
