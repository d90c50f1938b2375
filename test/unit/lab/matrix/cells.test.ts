import { describe, expect, test } from "vitest";
import { costOf, planCells } from "../../../../lab/matrix/cells.ts";
import { parseMatrix, type Selection } from "../../../../lab/matrix/matrix-file.ts";
import { parseTopology } from "../../../../lab/topology.ts";

const base = {
  command: ["true"],
  topologies: { three: { hosts: 3 }, one: { hosts: 1 } },
  axes: { datapath: ["system", "netdev"], storage: ["file", "rbd"] },
};

function namesOf(change: object, only: readonly Selection[] = []): readonly string[] {
  const groups = planCells(parseMatrix({ ...base, ...change }, "/"), only);
  return groups.flatMap(({ cells }) => cells.map(({ name }) => name));
}

/** The example of "Expanding or adding matrix configurations" in GitHub's documentation, with its fruits and animals. */
const github = {
  topologies: { one: {} },
  axes: { fruit: ["apple", "pear"], animal: ["cat", "dog"] },
  include: [
    { color: "green" },
    { color: "pink", animal: "cat" },
    { fruit: "apple", shape: "circle" },
    { topology: "one", fruit: "banana" },
    { topology: "one", fruit: "banana", animal: "cat" },
  ],
};

describe("the cells of a matrix", () => {
  test("are the product of its axes, the cheapest topology first", () => {
    expect(namesOf({})).toEqual([
      "one: datapath=system, storage=file",
      "one: datapath=system, storage=rbd",
      "one: datapath=netdev, storage=file",
      "one: datapath=netdev, storage=rbd",
      "three: datapath=system, storage=file",
      "three: datapath=system, storage=rbd",
      "three: datapath=netdev, storage=file",
      "three: datapath=netdev, storage=rbd",
    ]);
  });

  test("are its topologies where it has no axes", () => {
    expect(namesOf({ axes: {} })).toEqual(["one", "three"]);
  });

  test("are grouped by the lab that they share", () => {
    const groups = planCells(parseMatrix(base, "/"));
    expect(groups.map(({ topology, cells }) => [topology.name, cells.length])).toEqual([
      ["matrix-one", 4],
      ["matrix-three", 4],
    ]);
  });

  test("lack what an exclusion names, in part or as a whole", () => {
    expect(namesOf({ exclude: [{ datapath: "system" }, { topology: "one", storage: "rbd" }] })).toEqual([
      "one: datapath=netdev, storage=file",
      "three: datapath=netdev, storage=file",
      "three: datapath=netdev, storage=rbd",
    ]);
  });

  test("are extended and added to as in GitHub Actions", () => {
    expect(namesOf(github)).toEqual([
      "one: fruit=apple, animal=cat, color=pink, shape=circle",
      "one: fruit=apple, animal=dog, color=green, shape=circle",
      "one: fruit=pear, animal=cat, color=pink",
      "one: fruit=pear, animal=dog, color=green",
      "one: fruit=banana",
      "one: fruit=banana, animal=cat",
    ]);
  });

  test("may be added that are less than one that was added before", () => {
    const one = { topology: "one", storage: "nfs" };
    expect(namesOf({ include: [{ ...one, datapath: "netdev" }, one] }).slice(4, 6)).toEqual([
      "one: storage=nfs, datapath=netdev",
      "one: storage=nfs",
    ]);
  });

  test("can be added again after they were excluded", () => {
    expect(
      namesOf({
        exclude: [{ storage: "rbd" }, { storage: "file" }],
        include: [{ topology: "one", storage: "rbd" }],
      }),
    ).toEqual(["one: storage=rbd"]);
  });

  test("are chosen by values: several of an axis are alternatives, several axes hold together", () => {
    expect(namesOf({}, [{ topology: "one" }, { storage: "rbd" }])).toEqual([
      "one: datapath=system, storage=rbd",
      "one: datapath=netdev, storage=rbd",
    ]);
    expect(namesOf({}, [{ topology: "one" }, { topology: "three" }])).toHaveLength(8);
  });

  test.each([
    [
      "an exclusion of an unknown axis",
      { exclude: [{ disk: "rbd" }] },
      [],
      "exclude.0",
      "disk",
      "datapath, storage",
    ],
    [
      "an exclusion of an unknown value",
      { exclude: [{ storage: "rdb" }] },
      [],
      "exclude.0.storage",
      "rdb",
      "file, rbd",
    ],
    [
      "an inclusion of an unknown topology",
      { include: [{ topology: "two" }] },
      [],
      "include.0.topology",
      "two",
      "three, one",
    ],
    [
      "an inclusion that is of no topology",
      { include: [{ storage: "nfs" }] },
      [],
      "include.0",
      undefined,
      "topology:",
    ],
    [
      "an inclusion that is there",
      {
        include: [
          { topology: "one", storage: "nfs" },
          { topology: "one", storage: "nfs" },
        ],
      },
      [],
      "include.1",
      undefined,
      "Remove one",
    ],
    ["no cell", { exclude: [{ topology: "one" }, { topology: "three" }] }, [], "exclude", undefined, "fewer"],
    ["a choice of an unknown axis", {}, [{ disk: "rbd" }], "--only", "disk", "topology, datapath, storage"],
    ["a choice of an unknown value", {}, [{ storage: "rdb" }], "--only.storage", "rdb", "file, rbd"],
    [
      "a choice of nothing",
      { exclude: [{ topology: "one", storage: "rbd" }] },
      [{ topology: "one" }, { storage: "rbd" }],
      "--only",
      "topology=one, storage=rbd",
      "--list",
    ],
    [
      "too many cells",
      { axes: { a: Array.from({ length: 129 }, (_, index) => String(index)) } },
      [],
      "axes",
      258,
      "several matrices",
    ],
    [
      "too many cells, before those that are excluded are taken away",
      {
        axes: { a: Array.from({ length: 129 }, (_, index) => String(index)) },
        exclude: [{ topology: "three" }],
      },
      [],
      "axes",
      258,
      "several matrices",
    ],
    [
      "too many cells with those that are included",
      {
        axes: { a: Array.from({ length: 128 }, (_, index) => String(index)) },
        include: [{ topology: "one", a: "more" }],
      },
      [],
      "axes",
      257,
      "several matrices",
    ],
  ])("are refused for %s", (_case, change, only, field, value, remedy) => {
    expect(() => namesOf(change, only)).toThrow(
      expect.objectContaining({
        code: "invalid-input",
        field,
        value,
        remedy: expect.stringContaining(remedy) as unknown,
      }),
    );
  });
});

test("a topology costs by its hosts, its driver and its Ceph", () => {
  const three = { hosts: 3 };
  const ceph = { hosts: ["h1", "h2", { name: "c1", roles: ["ceph"] }] };
  const costs = [{ hosts: 1 }, three, ceph, { ...three, driver: "nested" }].map((each) =>
    costOf(parseTopology(each)),
  );
  expect(costs).toEqual([...costs].sort((one, other) => one - other));
  expect(new Set(costs).size).toBe(4);
});
