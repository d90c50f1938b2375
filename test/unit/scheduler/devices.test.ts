import { describe, expect, test } from "vitest";

import { consume } from "../../../providers/scheduler/consume.ts";
import type { HostNumaCell, NumaCellDemand, NumaDemand } from "../../../providers/scheduler/numa.ts";
import { consumeNuma, fitNuma } from "../../../providers/scheduler/numa.ts";
import { readSchedulerOptions } from "../../../providers/scheduler/options.ts";
import { takePciDevices } from "../../../providers/scheduler/pci.ts";
import { passes, plainOptions, testHost, testRequest } from "../../support/scheduler.ts";

const nic = { vendor_id: "8086", product_id: "1520" };
const gpu = { vendor_id: "10de", product_id: "1db4" };
const pool = (
  count: number,
  properties: Readonly<Record<string, string>> = nic,
  numaNode: number | null = null,
) => ({
  count,
  numaNode,
  properties,
});

describe("PCI devices", () => {
  test.each([
    ["enough", [pool(2)], [{ count: 2, specs: [nic] }], true],
    ["too few", [pool(2)], [{ count: 3, specs: [nic] }], false],
    ["from two pools", [pool(1), pool(2)], [{ count: 3, specs: [nic] }], true],
    ["another product", [pool(2, gpu)], [{ count: 1, specs: [nic] }], false],
    ["either product", [pool(1, gpu), pool(1)], [{ count: 2, specs: [nic, gpu] }], true],
    ["whatever the case", [pool(1, gpu)], [{ count: 1, specs: [{ vendor_id: "10DE" }] }], true],
    [
      "the second request finds what the first left",
      [pool(2)],
      [
        { count: 1, specs: [nic] },
        { count: 2, specs: [nic] },
      ],
      false,
    ],
    [
      "a physical function not asked for",
      [pool(1, { ...nic, dev_type: "type-PF" })],
      [{ count: 1, specs: [nic] }],
      false,
    ],
    [
      "a physical function asked for",
      [pool(1, { ...nic, dev_type: "type-PF" })],
      [{ count: 1, specs: [{ dev_type: "type-PF" }] }],
      true,
    ],
    [
      "a vDPA device not asked for",
      [pool(1, { ...nic, dev_type: "vdpa" })],
      [{ count: 1, specs: [nic] }],
      false,
    ],
    [
      "a remote-managed device not asked for",
      [pool(1, { ...nic, remote_managed: "true" })],
      [{ count: 1, specs: [nic] }],
      false,
    ],
    ["a name that every object has", [pool(1)], [{ count: 1, specs: [{ constructor: "x" }] }], false],
    ["no devices at all", [], [{ count: 1, specs: [nic] }], false],
  ])("%s", (_title, pciPools, pciRequests, expected) => {
    expect(passes("PciPassthroughFilter", testHost({ pciPools }), testRequest({ pciRequests }))).toBe(
      expected,
    );
  });

  test.each([
    ["required", 0, [pool(1, nic, 0)], true],
    ["required", 0, [pool(1, nic, null)], false],
    ["legacy", 0, [pool(1, nic, null)], true],
    ["legacy", 0, [pool(1, nic, 1)], false],
    ["preferred", 0, [pool(1, nic, 1)], true],
    ["socket", 0, [pool(1, nic, 1)], true],
    ["socket", 0, [pool(1, nic, 2)], false],
  ] as const)("with policy %s for cell %i, from %j: %s", (numaPolicy, cell, pools, expected) => {
    const taken = takePciDevices(pools, [{ count: 1, specs: [nic], numaPolicy }], {
      cellIds: [cell],
      socketCellIds: [0, 1],
    });

    expect(taken !== undefined).toBe(expected);
  });

  test("a placed instance takes its devices, and empty pools go", () => {
    const host = testHost({ pciPools: [pool(1), pool(3)] });
    const request = testRequest({ pciRequests: [{ count: 2, specs: [nic] }] });

    expect(consume(host, request, undefined, plainOptions).pciPools).toEqual([pool(2)]);
  });
});

const cell = (id: number, given: Partial<HostNumaCell> = {}): HostNumaCell => ({
  id,
  socket: id,
  sharedCpus: [],
  dedicatedCpus: [0, 1, 2, 3].map((cpu) => cpu + 4 * id),
  memoryMib: 4096,
  usedSharedCpus: 0,
  usedMemoryMib: 0,
  pinnedCpus: [],
  siblings: [0, 2].map((cpu) => [cpu + 4 * id, cpu + 1 + 4 * id]),
  pages: [],
  ...given,
});
const wants = (given: Partial<NumaCellDemand> = {}): NumaCellDemand => ({
  sharedVcpus: 0,
  dedicatedVcpus: 2,
  memoryMib: 1024,
  pageSizeKib: null,
  ...given,
});
const demand = (given: Partial<NumaDemand> = {}): NumaDemand => ({
  cells: [wants()],
  cpuPolicy: "dedicated",
  threadPolicy: null,
  isolateEmulatorThreads: false,
  ...given,
});
const pinned = (cells: readonly HostNumaCell[], numa: NumaDemand) =>
  fitNuma(testHost({ numaCells: cells }), numa, [], plainOptions)?.map((fit) => [
    fit.cell.id,
    ...fit.pinnedCpus,
  ]);

describe("NUMA cells", () => {
  test.each<[string, readonly HostNumaCell[], NumaDemand, readonly (readonly number[])[] | undefined]>([
    ["two threads of one core", [cell(0)], demand(), [[0, 0, 1]]],
    ["more cells than the host has", [cell(0)], demand({ cells: [wants(), wants()] }), undefined],
    [
      "each cell on its own",
      [cell(0), cell(1)],
      demand({ cells: [wants(), wants()] }),
      [
        [0, 0, 1],
        [1, 4, 5],
      ],
    ],
    ["more CPUs than are free", [cell(0, { pinnedCpus: [0, 1, 2] })], demand(), undefined],
    ["what is left of two cores", [cell(0, { pinnedCpus: [0, 2] })], demand(), [[0, 1, 3]]],
    [
      "siblings required, none whole",
      [cell(0, { pinnedCpus: [0, 2] })],
      demand({ threadPolicy: "require" }),
      undefined,
    ],
    [
      "siblings required, no threads",
      [cell(0, { siblings: [[0], [1], [2], [3]] })],
      demand({ threadPolicy: "require" }),
      undefined,
    ],
    ["isolated cores beside shared CPUs", [cell(0)], demand({ threadPolicy: "isolate" }), undefined],
    [
      "isolated cores",
      [cell(0, { sharedCpus: [0, 1, 2, 3] })],
      demand({ threadPolicy: "isolate" }),
      [[0, 0, 2]],
    ],
    ["one more CPU for the emulator", [cell(0)], demand({ isolateEmulatorThreads: true }), [[0, 0, 1, 2]]],
    [
      "no CPU left for the emulator",
      [cell(0)],
      demand({ cells: [wants({ dedicatedVcpus: 4 })], isolateEmulatorThreads: true }),
      undefined,
    ],
    ["memory is not overcommitted", [cell(0, { usedMemoryMib: 3073 })], demand(), undefined],
    ["an emptier cell first", [cell(0, { usedMemoryMib: 1 }), cell(1)], demand(), [[1, 4, 5]]],
  ])("%s", (_title, cells, numa, expected) => {
    expect(pinned(cells, numa)).toEqual(expected);
  });

  test.each([
    ["last", [], 1],
    ["first when devices are asked for", [{ count: 1, specs: [nic] }], 0],
  ])("a cell with PCI devices comes %s", (_title, pciRequests, expected) => {
    const host = testHost({ numaCells: [cell(0), cell(1)], pciPools: [pool(1, nic, 0)] });

    expect(fitNuma(host, demand(), pciRequests, plainOptions)?.[0]?.cell.id).toBe(expected);
  });

  test("a fuller cell first, when packing", () => {
    const options = readSchedulerOptions({ compute: { packing_host_numa_cells_allocation_strategy: true } });
    const host = testHost({ numaCells: [cell(0), cell(1, { usedMemoryMib: 1 })] });

    expect(fitNuma(host, demand(), [], options)?.[0]?.cell.id).toBe(1);
  });

  test.each([
    ["within the ratios", { usedSharedCpus: 7, usedMemoryMib: 3072 }, true],
    ["over the CPU ratio", { usedSharedCpus: 8, usedMemoryMib: 0 }, false],
    ["over the RAM ratio", { usedSharedCpus: 0, usedMemoryMib: 3073 }, false],
  ])("shared CPUs %s", (_title, used, expected) => {
    const numa = demand({ cpuPolicy: "shared", cells: [wants({ sharedVcpus: 1, dedicatedVcpus: 0 })] });
    const host = testHost({ numaCells: [cell(0, { sharedCpus: [8, 9], ...used })] });

    expect(passes("NUMATopologyFilter", host, testRequest({ numa }))).toBe(expected);
  });

  test("more shared CPUs than the cell has are never overcommitted against themselves", () => {
    const numa = demand({ cpuPolicy: "shared", cells: [wants({ sharedVcpus: 3, dedicatedVcpus: 0 })] });

    expect(pinned([cell(0, { sharedCpus: [8, 9] })], numa)).toBeUndefined();
  });

  const pages = (sizeKib: number, total: number) => ({ sizeKib, total, used: 0, reserved: 0 });

  test.each([
    ["small", 4],
    ["large", 2048],
    ["any", 2048],
    [4, 4],
    [1_048_576, undefined],
  ] as const)("pages %s are %s KiB", (pageSizeKib, expected) => {
    const host = testHost({ numaCells: [cell(0, { pages: [pages(4, 1_000_000), pages(2048, 512)] })] });

    expect(
      fitNuma(host, demand({ cells: [wants({ pageSizeKib })] }), [], plainOptions)?.[0]?.pageSizeKib,
    ).toBe(expected);
  });

  test("pages in use are not given again", () => {
    const numa = demand({ cells: [wants({ pageSizeKib: 2048 })] });
    const host = testHost({ numaCells: [cell(0, { pages: [pages(2048, 600)] })] });
    const fits = fitNuma(host, numa, [], plainOptions) ?? expect.fail();
    const after = consumeNuma(host.numaCells, numa, fits);

    expect(after[0]).toMatchObject({ usedMemoryMib: 1024, pinnedCpus: [0, 1], pages: [{ used: 512 }] });
    expect(pinned(after, numa)).toBeUndefined();
  });

  test("isolated cores are taken whole", () => {
    const numa = demand({ threadPolicy: "isolate", cells: [wants({ dedicatedVcpus: 1 })] });
    const host = testHost({ numaCells: [cell(0, { sharedCpus: [0, 1, 2, 3] })] });

    expect(consume(host, testRequest({ numa }), undefined, plainOptions).numaCells[0]?.pinnedCpus).toEqual([
      0, 1,
    ]);
  });

  test("PCI devices have to be near the cells", () => {
    const request = testRequest({
      numa: demand(),
      pciRequests: [{ count: 1, specs: [nic], numaPolicy: "required" }],
    });
    const withDevice = (numaNode: number) =>
      testHost({ numaCells: [cell(0), cell(1, { dedicatedCpus: [] })], pciPools: [pool(1, nic, numaNode)] });

    expect(passes("NUMATopologyFilter", withDevice(0), request)).toBe(true);
    expect(passes("NUMATopologyFilter", withDevice(1), request)).toBe(false);
  });

  test.each([
    ["a host without NUMA cells fails a request with them", testHost(), { numa: demand() }, false],
    ["and passes any other", testHost(), {}, true],
    [
      "threads required, the host has none",
      testHost({ numaCells: [cell(0, { siblings: [[0], [1]] })] }),
      threads(),
      false,
    ],
    ["threads required, the host has them", testHost({ numaCells: [cell(0)] }), threads(), true],
  ])("%s", (_title, host, request, expected) => {
    expect(passes("NUMATopologyFilter", host, testRequest(request))).toBe(expected);
  });

  function threads() {
    return { flavor: { extraSpecs: { "hw:cpu_policy": "dedicated", "hw:cpu_thread_policy": "require" } } };
  }
});
