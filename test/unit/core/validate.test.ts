import { expect, test } from "vitest";
import { parseInputs } from "../../../providers/core/validate.ts";
import { flavor } from "../../../providers/servers/flavor.ts";

const inputs = { name: "tiny", vcpus: 1, ramMib: 64 };

test("a field that is unknown is not missed, and is missed the next time that it is known", () => {
  const { name, vcpus } = inputs;
  const read = (unknown: readonly string[]) => parseInputs(flavor, { name, vcpus }, unknown).issues;
  expect(read(["ramMib"])).toEqual([]);
  expect(read([])).toMatchObject([{ field: "ramMib", message: "is missing" }]);
  expect(read(["ramMib"])).toEqual([]);
});

test("a field that is unknown is none that may be given", () => {
  expect(parseInputs(flavor, inputs, ["ramMib"]).issues).toMatchObject([{ field: "ramMib" }]);
});

test("what is unknown and no field changes nothing", () => {
  expect(parseInputs(flavor, inputs, ["colour", "name vcpus"])).toEqual(parseInputs(flavor, inputs, []));
});
