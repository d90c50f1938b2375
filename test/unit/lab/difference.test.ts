import { expect, test } from "vitest";
import { z } from "zod";
import { requireSameTopology } from "../../../lab/difference.ts";
import { parseTopology } from "../../../lab/topology.ts";

/** The error of a topology beside the one on record; both as a record has them. */
function compare(known: object, given: object): () => void {
  const asJson = (input: object) =>
    z.json().parse(JSON.parse(JSON.stringify(parseTopology({ name: "ci", ...input }))));
  return () => requireSameTopology("ci", asJson(known), asJson(given));
}

test.each([
  [{ hosts: 2 }, { hosts: 3 }, "topology.hosts.length", 3, "2, and 3 is asked for"],
  [
    { hosts: ["h1", { name: "h2", ramMib: 2048 }] },
    { hosts: ["h1", { name: "h2", ramMib: 4096 }] },
    ...(["topology.hosts.1.ramMib", 4096, "2048, and 4096 is asked for"] as const),
  ],
  [{}, { driver: "nested" }, "topology.driver", "nested", '"namespace", and "nested" is asked for'],
  [
    { networks: { data: { cidr: "10.9.0.0/24" } } },
    {},
    ...(["topology.networks.data.cidr", null, '"10.9.0.0/24", and nothing is asked for'] as const),
  ],
])(
  "%j is no %j: the first field that differs is told, with both values",
  (known, given, field, value, said) => {
    expect(compare(known, given)).toThrow(
      expect.objectContaining({
        code: "conflict",
        field,
        value,
        message: `lab "ci" exists with another topology: its ${field} is ${said}`,
        remedy: expect.stringContaining("removes its disks and snapshots") as unknown,
      }),
    );
  },
);

test("a topology is the one on record, however it was written", () => {
  expect(compare({ hosts: 1 }, { hosts: ["h1"], driver: "namespace" })).not.toThrow();
});
