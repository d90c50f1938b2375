import { describe, expect, test } from "vitest";

import type { HostState } from "../../../providers/scheduler/host-state.ts";
import { explainSchedule, noValidHost } from "../../../providers/scheduler/explain.ts";
import { readSchedulerOptions } from "../../../providers/scheduler/options.ts";
import { candidateTest, fits, resourcesOf } from "../../../providers/scheduler/placement.ts";
import { schedule } from "../../../providers/scheduler/schedule.ts";
import { passes, plainOptions, serversOf, testHost, testRequest } from "../../support/scheduler.ts";

/** A host with free amounts as the examples state them. */
function freeHost(name: string, ramMib: number, vcpus: number, diskMib: number, ioOps: number): HostState {
  return testHost({
    name,
    freeRamMib: ramMib,
    vcpusTotal: vcpus,
    cpuAllocationRatio: 1,
    freeDiskMib: diskMib,
    numIoOps: ioOps,
  });
}

function ranking(hosts: readonly HostState[], request = testRequest(), options = plainOptions) {
  const [round] = schedule(hosts, request, options, { weights: true }).trace.rounds;
  return round?.weighed?.map(({ name, weight }) => [name, Number(weight.toFixed(6))]);
}

describe("A. candidates", () => {
  const offer = (total: number, reserved: number, used: number, allocationRatio: number) => ({
    total,
    reserved,
    used,
    allocationRatio,
    minUnit: 1,
    maxUnit: total,
    stepSize: 1,
  });
  const hostWith = (
    vcpu: readonly [number, number],
    ram: readonly [number, number],
    disk: readonly [number, number],
  ) =>
    testHost({
      inventories: {
        VCPU: offer(vcpu[0], 0, vcpu[1], 4),
        MEMORY_MB: offer(ram[0], 512, ram[1], 1),
        DISK_GB: offer(disk[0], 0, disk[1], 1),
      },
    });
  const isCandidate = candidateTest(
    resourcesOf(testRequest({ flavor: { vcpus: 2, ramMib: 4096, rootGib: 20 } })),
  );

  test.each([
    ["everything exactly full", hostWith([8, 30], [32768, 28160], [100, 80]), true],
    ["one MiB short", hostWith([8, 30], [32768, 28161], [100, 80]), false],
    ["fewer CPUs than the flavor, whatever the ratio", hostWith([1, 0], [32768, 0], [500, 0]), false],
    ["room", hostWith([8, 0], [16384, 4096], [200, 20]), true],
  ])("%s", (_title, host, expected) => {
    expect(isCandidate(host)).toBe(expected);
  });

  test("the limit is compared as a fraction: 3 at ratio 1.5 do not hold 5", () => {
    expect(fits({ ...offer(3, 0, 4, 1.5) }, 1)).toBe(false);
  });

  test("RAM of 32768 with 512 reserved at ratio 1.5 holds 48384", () => {
    expect([
      fits(offer(32768, 512, 0, 1.5), 32768),
      fits(offer(32768, 512, 48384 - 1024, 1.5), 1024),
    ]).toEqual([true, true]);
    expect(fits(offer(32768, 512, 48384 - 1024, 1.5), 1025)).toBe(false);
  });
});

describe("B. weights", () => {
  const a = freeHost("a", 64512, 64, 512000, 0);
  const b = freeHost("b", 32256, 100, 256000, 2);
  const c = freeHost("c", 48384, 48, 1024000, 4);
  const p = { ...freeHost("p", 16384, 32, 102400, 0), servers: serversOf("m1", "m2") };
  const q = freeHost("q", 12288, 24, 102400, 0);
  const r = { ...freeHost("r", 8192, 16, 102400, 0), servers: serversOf("m3") };
  const softGroup = testRequest({
    group: {
      id: "g",
      policy: "soft-anti-affinity",
      maxServerPerHost: 1,
      members: ["m1", "m2", "m3"],
      hosts: [],
    },
  });

  test("W1", () => {
    expect(ranking([freeHost("h1", 4096, 2, 20480, 0), freeHost("h4", 11776, 32, 184320, 0)])).toEqual([
      ["h4", 3],
      ["h1", 0.521437],
    ]);
  });

  test("W2", () => {
    expect(ranking([a, b, c])).toEqual([
      ["a", 2.14],
      ["b", 1.25],
      ["c", 1.23],
    ]);
  });

  test("W2-stack: negative multipliers pack", () => {
    const options = readSchedulerOptions({
      filter_scheduler: { ram_weight_multiplier: -1, cpu_weight_multiplier: -1, disk_weight_multiplier: -1 },
    });

    expect(ranking([a, b, c], testRequest(), options)).toEqual([
      ["a", -2.14],
      ["b", -2.25],
      ["c", -3.23],
    ]);
  });

  test("W3: a failed build outweighs everything", () => {
    expect(ranking([{ ...a, failedBuilds: 1 }, b, c])).toEqual([
      ["b", 1.25],
      ["c", 1.23],
      ["a", -999997.86],
    ]);
  });

  test("W4: a newer hypervisor counts 1", () => {
    expect(ranking([a, { ...b, hypervisorVersion: 8_000_000 }, c])).toEqual([
      ["b", 2.25],
      ["a", 2.14],
      ["c", 1.23],
    ]);
  });

  test("W5: negative free RAM counts 0, equal disks count 1 each", () => {
    expect(ranking([freeHost("x", 0, 6, 10240, 0), freeHost("y", 1024, 2, 10240, 0)])).toEqual([
      ["y", 2.333333],
      ["x", 2],
    ]);
  });

  test("W7: soft anti-affinity", () => {
    expect(ranking([p, q, r], softGroup)).toEqual([
      ["q", 3.5],
      ["p", 3],
      ["r", 2.5],
    ]);
  });

  test("W7 with multiplier 10", () => {
    const options = readSchedulerOptions({ filter_scheduler: { soft_anti_affinity_weight_multiplier: 10 } });

    expect(ranking([p, q, r], softGroup, options)).toEqual([
      ["q", 12.5],
      ["r", 7],
      ["p", 3],
    ]);
  });
});

test("C. several servers in one request take turns, as each one's resources are consumed", () => {
  const hosts = [freeHost("a", 64512, 64, 512000, 0), freeHost("b", 60416, 62, 491520, 0)];
  const request = testRequest({
    instanceIds: ["s1", "s2", "s3"],
    flavor: { vcpus: 4, ramMib: 8192, rootGib: 40 },
  });

  const { selected, trace } = schedule(hosts, request, plainOptions, { weights: true });

  expect(selected.map(({ name }) => name)).toEqual(["a", "b", "a"]);
  expect(
    trace.rounds.slice(0, 3).map(({ weighed }) => weighed?.map(({ weight }) => Number(weight.toFixed(6)))),
  ).toEqual([
    [3, 2.865258],
    [3, 1.858279],
    [2, 1.850461],
  ]);
});

describe("D. anti-affinity with more servers than hosts", () => {
  const members = ["s1", "s2", "s3"];
  const request = testRequest({
    instanceIds: members,
    group: { id: "g", policy: "anti-affinity", maxServerPerHost: 1, members, hosts: [] },
  });
  const { selected, alternates, trace } = schedule(
    [testHost({ name: "h1" }), testHost({ name: "h2" })],
    request,
    plainOptions,
  );

  test("places none of them", () => {
    expect([selected, alternates]).toEqual([[], []]);
  });

  test("says which filter took how many hosts from which server", () => {
    expect(noValidHost(trace, request)).toMatchObject({
      code: "no-valid-host",
      message: "no host can take server s3 (3 of 3): ServerGroupAntiAffinityFilter removed 2 of 2",
    });
    expect(explainSchedule(trace).filter((line) => line.includes("AntiAffinity"))).toEqual([
      "  ServerGroupAntiAffinityFilter removed 0 of 2",
      "  ServerGroupAntiAffinityFilter removed 1 of 2: h1",
      "  ServerGroupAntiAffinityFilter removed 1 of 1: h2",
    ]);
  });
});

describe("E. alternates", () => {
  const hosts = ["h1", "h2", "h3", "h4"].map((name, index) =>
    freeHost(name, 65_536 - index * 1024, 64, 512_000, 0),
  );
  const namesOf = (instanceIds: readonly string[], among = hosts) => {
    const { selected, alternates } = schedule(among, testRequest({ instanceIds }), plainOptions);
    return [selected.map(({ name }) => name), alternates.map((list) => list.map(({ name }) => name))];
  };

  test("two for one server, by default", () => {
    expect(namesOf(["s1"])).toEqual([["h1"], [["h2", "h3"]]]);
  });

  test("one when there are two hosts", () => {
    expect(namesOf(["s1"], hosts.slice(0, 2))).toEqual([["h1"], [["h2"]]]);
  });

  test("hosts chosen for other servers of the request are none", () => {
    expect(namesOf(["s1", "s2"])).toEqual([
      ["h1", "h2"],
      [
        ["h3", "h4"],
        ["h3", "h4"],
      ],
    ]);
  });

  test("only hosts of the same cell are", () => {
    const cells = hosts.map((host, index) => ({ ...host, cell: index === 1 ? "cell2" : "cell1" }));

    expect(namesOf(["s1"], cells)).toEqual([["h1"], [["h3", "h4"]]]);
  });

  test("none with max_attempts 1", () => {
    const options = readSchedulerOptions({ scheduler: { max_attempts: 1 } });

    expect(schedule(hosts, testRequest(), options).alternates).toEqual([[]]);
  });
});

test("F. after the claim of another was seen, the full host is taken away by placement", () => {
  const [h1, h2] = ["h1", "h2"].map((name) => testHost({ name }));
  const full = { ...(h1 ?? expect.fail()), inventories: { ...h1?.inventories, MEMORY_MB: fullInventory } };

  const { selected, trace } = schedule([full, h2 ?? expect.fail()], testRequest(), plainOptions);

  expect(selected).toEqual([{ hostId: "h2", name: "h2" }]);
  expect(trace.rounds[0]?.stages[0]).toEqual({ name: "placement", before: 2, removed: ["h1"] });
});

const fullInventory = {
  total: 65_536,
  reserved: 0,
  used: 65_536,
  allocationRatio: 1,
  minUnit: 1,
  maxUnit: 65_536,
  stepSize: 1,
};

describe("G. the retired filters", () => {
  const request = testRequest({ flavor: { ramMib: 16384 } });
  const host = testHost({ totalRamMib: 32768, freeRamMib: 8192 });

  test.each([
    [1.5, true],
    [1, false],
  ])("RAM at ratio %s", (ramAllocationRatio, expected) => {
    expect(passes("RamFilter", { ...host, ramAllocationRatio }, request)).toBe(expected);
  });
});
