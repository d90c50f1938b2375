import { expect, test } from "vitest";
import { diffInputs } from "../../../providers/core/diff.ts";
import { parseInputs } from "../../../providers/core/validate.ts";
import { flavor } from "../../../providers/servers/flavor.ts";

const given = { name: "small", vcpus: 1, ramMib: 512 };

test("takes the image's disk and no extra specs unless told otherwise", () => {
  expect(parseInputs(flavor, given, []).inputs).toEqual({ ...given, diskGib: 0, extraSpecs: {} });
});

test.each([
  { field: "vcpus", value: 0 },
  { field: "vcpus", value: 1.5 },
  { field: "ramMib", value: 0 },
  { field: "diskGib", value: -1 },
  { field: "diskGib", value: 2 ** 31 },
])("refuses $value as $field", ({ field, value }) => {
  expect(parseInputs(flavor, { ...given, [field]: value }, []).issues).toMatchObject([{ field, value }]);
});

test("a missing amount is named", () => {
  expect(parseInputs(flavor, { name: "small", ramMib: 512 }, []).issues).toMatchObject([
    { field: "vcpus", message: "is missing" },
  ]);
});

test("takes Nova's extra specs", () => {
  const extraSpecs = {
    "hw:cpu_policy": "dedicated",
    "trait:HW_CPU_X86_AVX2": "required",
    "resources:VCPU": "1",
  };

  expect(parseInputs(flavor, { ...given, extraSpecs }, []).issues).toEqual([]);
});

test.each(["", "hw/cpu", "k".repeat(256), "two\nlines"])("refuses %j as the key of an extra spec", (key) => {
  expect(parseInputs(flavor, { ...given, extraSpecs: { [key]: "1" } }, []).issues).toMatchObject([
    { code: "invalid-input" },
  ]);
});

test.each(["vcpus", "ramMib", "diskGib"])("is replaced when %s changes", (field) => {
  expect(diffInputs(flavor, { ...given, [field]: 1 }, { ...given, [field]: 2 })).toMatchObject({
    action: "replace",
  });
});

test("changes its extra specs in place", () => {
  expect(
    diffInputs(flavor, { ...given, extraSpecs: {} }, { ...given, extraSpecs: { a: "b" } }),
  ).toMatchObject({
    action: "update",
    label: "live",
  });
});
