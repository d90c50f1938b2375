import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { filterNames } from "../../../providers/scheduler/filter.ts";
import { filterHosts } from "../../../providers/scheduler/filter-hosts.ts";
import type { HostState } from "../../../providers/scheduler/host-state.ts";
import { readSchedulerOptions } from "../../../providers/scheduler/options.ts";
import type { InstanceRequest } from "../../../providers/scheduler/request.ts";
import { schedule } from "../../../providers/scheduler/schedule.ts";
import { heaviestFirst } from "../../../providers/scheduler/weigh.ts";
import { aggregatesWith, plainOptions, serversOf, testHost, testRequest } from "../../support/scheduler.ts";

const flag = fc.constantFrom("a", "b");

const arbitraryHost: fc.Arbitrary<HostState> = fc
  .record({
    id: fc.uuid(),
    enabled: fc.boolean(),
    freeRamMib: fc.integer({ min: -4096, max: 65_536 }),
    vcpusUsed: fc.integer({ min: 0, max: 128 }),
    numIoOps: fc.integer({ min: 0, max: 10 }),
    numInstances: fc.integer({ min: 0, max: 60 }),
    servers: fc.subarray(["m1", "m2", "x"]),
    metadata: fc.dictionary(
      fc.constantFrom("disk", "filter_tenant_id", "instance_type", "availability_zone"),
      flag,
    ),
    usedRamMib: fc.integer({ min: 0, max: 65_536 }),
  })
  .map(({ id, servers, metadata, usedRamMib, ...rest }) => {
    const plain = testHost({ name: id });
    return testHost({
      ...rest,
      name: id,
      servers: serversOf(...servers),
      aggregates: aggregatesWith(metadata),
      inventories: {
        ...plain.inventories,
        MEMORY_MB: { ...(plain.inventories["MEMORY_MB"] ?? expect.fail()), used: usedRamMib },
      },
    });
  });

const arbitraryHosts = fc.uniqueArray(arbitraryHost, { selector: ({ hostId }) => hostId, maxLength: 12 });

const arbitraryRequest: fc.Arbitrary<InstanceRequest> = fc
  .record({
    count: fc.integer({ min: 1, max: 4 }),
    projectId: flag,
    availabilityZone: fc.option(flag),
    extraSpecs: fc.dictionary(
      fc.constantFrom("disk", "capabilities:vcpus_used"),
      fc.constantFrom("a", "<= 64"),
    ),
    policy: fc.constantFrom("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"),
  })
  .map(({ count, projectId, availabilityZone, extraSpecs, policy }) => {
    const instanceIds = Array.from({ length: count }, (_none, index) => `s${String(index)}`);
    return testRequest({
      instanceIds,
      projectId,
      availabilityZone,
      flavor: { ramMib: 4096, extraSpecs },
      group: { id: "g", policy, maxServerPerHost: 1, members: ["m1", "m2", ...instanceIds], hosts: [] },
    });
  });

const withFilters = (enabled_filters: readonly (typeof filterNames)[number][]) =>
  readSchedulerOptions({ filter_scheduler: { enabled_filters: [...enabled_filters] } });

const survivors = (
  hosts: readonly HostState[],
  request: InstanceRequest,
  options = withFilters(filterNames),
) => filterHosts(hosts, request, options, undefined, true).hosts.map(({ name }) => name);

describe("filters", () => {
  test("their order never changes who passes", () => {
    fc.assert(
      fc.property(
        arbitraryHosts,
        arbitraryRequest,
        fc.shuffledSubarray([...filterNames], { minLength: filterNames.length }),
        (hosts, request, shuffled) => {
          expect(survivors(hosts, request, withFilters(shuffled))).toEqual(survivors(hosts, request));
        },
      ),
    );
  });

  test("one more host never takes another away", () => {
    fc.assert(
      fc.property(arbitraryHosts, arbitraryHost, arbitraryRequest, (hosts, added, request) => {
        expect(survivors([...hosts, added], request)).toEqual([
          ...survivors(hosts, request),
          ...survivors([added], request),
        ]);
      }),
    );
  });

  test("every host either passes or is named by exactly one stage", () => {
    fc.assert(
      fc.property(arbitraryHosts, arbitraryRequest, (hosts, request) => {
        const { hosts: passed, stages } = filterHosts(
          hosts,
          request,
          withFilters(filterNames),
          undefined,
          true,
        );
        const named = [...passed.map(({ name }) => name), ...stages.flatMap(({ removed }) => removed)];

        expect(named.toSorted()).toEqual(hosts.map(({ name }) => name).toSorted());
      }),
    );
  });
});

describe("schedules", () => {
  test("are all or nothing, and alternates are never among the selected", () => {
    fc.assert(
      fc.property(arbitraryHosts, arbitraryRequest, (hosts, request) => {
        const { selected, alternates } = schedule(hosts, request, plainOptions);
        const taken = selected.map(({ hostId }) => hostId);

        expect([0, request.instanceIds.length]).toContain(selected.length);
        expect(alternates).toHaveLength(selected.length);
        expect(alternates.flat().filter(({ hostId }) => taken.includes(hostId))).toEqual([]);
      }),
    );
  });

  test("never give out more than an inventory holds", () => {
    fc.assert(
      fc.property(arbitraryHosts, arbitraryRequest, (hosts, request) => {
        const { selected } = schedule(hosts, request, plainOptions);
        const overfull = hosts.filter(({ hostId, inventories }) => {
          const placed = selected.filter((choice) => choice.hostId === hostId).length;
          return placed > 0 && (inventories["MEMORY_MB"]?.used ?? 0) + placed * 4096 > 65_536;
        });

        expect(overfull).toEqual([]);
      }),
    );
  });
});

test("hosts are ranked as a stable sort ranks them", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(-1, 0, 0.5, 1, 2)), (weights) => {
      const sorted = weights
        .map((weight, place) => ({ weight, place }))
        .toSorted((a, b) => b.weight - a.weight);

      expect([...heaviestFirst(Float64Array.from(weights))]).toEqual(sorted.map(({ place }) => place));
    }),
  );
});
