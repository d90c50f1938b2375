import { describe, expect, test } from "vitest";
import { parseSchedulerOptions, readSchedulerOptions } from "../../../providers/scheduler/options.ts";

const defaults = readSchedulerOptions({});

/** The error for options of a file. */
function refuse(given: unknown): unknown {
  try {
    return parseSchedulerOptions(given, "the file x.yaml");
  } catch (error) {
    return error;
  }
}

describe("options from outside", () => {
  test("take the defaults' place, one by one", () => {
    expect(parseSchedulerOptions({ filter_scheduler: { max_io_ops_per_host: 3 } }, "x")).toEqual({
      ...defaults,
      filter_scheduler: { ...defaults.filter_scheduler, max_io_ops_per_host: 3 },
    });
  });

  test.each([
    ["nothing", undefined],
    ["an empty file", null],
    ["a group whose options are all comments", { filter_scheduler: null }],
  ])("%s gives the defaults", (_what, given) => {
    expect(parseSchedulerOptions(given, "x")).toEqual(defaults);
  });
});

describe("an error names source, option, value and the nearest known names", () => {
  test.each([
    [
      "an unknown option",
      { filter_scheduler: { ram_wieght_multiplier: 2 } },
      {
        message:
          "the file x.yaml cannot be used: filter_scheduler.ram_wieght_multiplier is no option of the group filter_scheduler",
        field: "filter_scheduler.ram_wieght_multiplier",
        value: 2,
        remedy: "Nearest known names: ram_weight_multiplier, cpu_weight_multiplier, pci_weight_multiplier.",
      },
    ],
    [
      "an unknown group",
      { filters: {} },
      {
        message: "the file x.yaml cannot be used: filters is no group of options",
        field: "filters",
        remedy: expect.stringMatching(/^Nearest known names: [\w.]+, [\w.]+, [\w.]+\.$/) as unknown,
      },
    ],
    [
      "a misspelt option without its group",
      { ram_weight_multipler: 2 },
      {
        field: "ram_weight_multipler",
        remedy: expect.stringContaining("filter_scheduler.ram_weight_multiplier") as unknown,
      },
    ],
    [
      "several faults",
      { filter_scheduler: { ram_weight_multiplier: "abc", cpu_weight_multiplier: "def" } },
      {
        field: "filter_scheduler.ram_weight_multiplier",
        notes: [expect.stringContaining("also: filter_scheduler.cpu_weight_multiplier") as unknown],
      },
    ],
    [
      "an option without its group",
      { ram_weight_multiplier: 2 },
      {
        field: "ram_weight_multiplier",
        value: 2,
        remedy: "It is an option of the group filter_scheduler: write it there.",
      },
    ],
    [
      "an option in another group",
      { DEFAULT: { max_attempts: 2 } },
      { field: "DEFAULT.max_attempts", remedy: "It is an option of the group scheduler: write it there." },
    ],
    [
      "an unknown filter",
      { filter_scheduler: { enabled_filters: ["ComputeFilter", "ImagePropertyFilter"] } },
      {
        message: "the file x.yaml cannot be used: filter_scheduler.enabled_filters.1 is no known value",
        field: "filter_scheduler.enabled_filters.1",
        value: "ImagePropertyFilter",
        remedy: expect.stringMatching(/^Nearest known values: ImagePropertiesFilter, /) as unknown,
      },
    ],
    [
      "a value of the wrong type",
      { filter_scheduler: { ram_weight_multiplier: "2" } },
      {
        message:
          "the file x.yaml cannot be used: filter_scheduler.ram_weight_multiplier is wrong: invalid input: expected number, received string",
        field: "filter_scheduler.ram_weight_multiplier",
        value: "2",
      },
    ],
    [
      "a text where a list is due",
      { filter_scheduler: { enabled_filters: "ComputeFilter" } },
      { field: "filter_scheduler.enabled_filters", value: "ComputeFilter" },
    ],
    ["a group that is no map", { metrics: [] }, { field: "metrics" }],
    ["a file that is no map", ["filter_scheduler"], { field: "" }],
  ])("%s", (_what, given, expected) => {
    expect(refuse(given)).toMatchObject({ code: "invalid-input", ...expected });
  });

  test("a name of 10,000 characters is not repeated in full", () => {
    expect(refuse({ ["x".repeat(10_000)]: 1 })).toMatchObject({ field: `${"x".repeat(64)}…` });
  });
});
