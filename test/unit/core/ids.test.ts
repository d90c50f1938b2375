import { expect, test } from "vitest";
import { deriveOwnedId, isOwnedId, isUuid, newId } from "../../../providers/core/ids.ts";

const owner = "4f0c1a2e-6d5b-4c7b-9a3e-5d1f7b8c9a02";
const other = "4f0c1a2e-6d5b-4c7b-9a3e-5d1f7b8c9a03";
const id = deriveOwnedId<"resource">(owner, "maker", "server", "{}");

test("an owned id is a uuid that follows from owner and parts", () => {
  expect(isUuid(id)).toBe(true);
  expect(deriveOwnedId(owner, "maker", "server", "{}")).toBe(id);
});

test.each([
  ["another owner", deriveOwnedId<"resource">(other, "maker", "server", "{}")],
  ["another part", deriveOwnedId<"resource">(owner, "maker", "server", "[]")],
])("%s gives another id, from its first group on", (_what, different) => {
  expect(different.slice(0, 8)).not.toBe(id.slice(0, 8));
});

test("an owned id shows its owner", () => {
  expect(isOwnedId(owner, id)).toBe(true);
});

test.each([
  ["the id of another owner", deriveOwnedId<"resource">(other, "maker", "server", "{}")],
  ["a random id", newId<"resource">()],
  ["one whose begin was changed", `00000000${id.slice(8)}`],
  ["one whose end was changed", `${id.slice(0, -4)}0000`],
])("%s is not the owner's", (_what, chosen) => {
  expect(isOwnedId(owner, chosen)).toBe(false);
});
