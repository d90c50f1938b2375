import { filterNames } from "../scheduler/filter.ts";
import { readSchedulerOptions, schedulerOptionsSchema } from "../scheduler/options.ts";
import { weigherNames } from "../scheduler/weigher.ts";
import { page, table } from "./markdown.ts";
import { describeSchema, readJsonSchema } from "./schema-words.ts";

/** The page of the scheduler's options. */
export function describeScheduler(): string {
  const presets = readSchedulerOptions({});
  return page("Scheduler", [
    "The scheduler is Nova's, with Nova's options: names, groups, ranges, defaults and meanings are those of `nova.conf`; [decision 3](../decisions/0003-scheduler-nova-parity.md) lists what differs. They stand in a YAML file, a map of options for each group:",
    [
      "```yaml",
      "# scheduler.yaml",
      "DEFAULT:",
      "  initial_cpu_allocation_ratio: 8.0",
      "filter_scheduler:",
      "  enabled_filters: # the whole list: it takes the default's place",
      ...presets.filter_scheduler.enabled_filters.map((name) => `    - ${name}`),
      "    - NumInstancesFilter",
      "  max_instances_per_host: 20",
      "  ram_weight_multiplier: -1.0 # pack",
      "```",
    ].join("\n"),
    "It is the file `scheduler.yaml` in the cloud's folder (`~/.local/share/stackyard/default` without other [settings](settings.md)), so that every program on that cloud schedules alike; `STACKYARD_SCHEDULER_CONFIG` names another one. It is read when a program opens the cloud. What is wrong in it is one error, [invalid-input](errors.md#invalid-input), with file, option, value and the nearest known names, before anything is done.",
    "Where an option is given twice, the first of these wins: `STACKYARD_CPU_ALLOCATION_RATIO` and its like, the file, Nova's default. A ratio and what is reserved hold for all hosts, from the next placement on. `stackyard schedule --flavor … --explain` shows what the options in force would do.",
    ...Object.entries(schedulerOptionsSchema.shape).flatMap(([group, schema]) => [
      `## ${group}`,
      table(
        ["option", "type", "default", "what it is"],
        Object.entries(schema.unwrap().shape).map(([name, option]) => [
          `\`${name}\``,
          optionType(name, option),
          presetOf(option),
          option.description ?? "",
        ]),
      ),
    ]),
    "## Filters",
    `Those that are enabled without a file are in bold. Each is a file of \`providers/scheduler/filters/\` that begins with its rule and where Nova has it.`,
    filterNames
      .map((name) =>
        presets.filter_scheduler.enabled_filters.includes(name) ? `**\`${name}\`**` : `\`${name}\``,
      )
      .join(", "),
    "## Weighers",
    "All are enabled without a file; a multiplier of 0 silences one. Their files are in `providers/scheduler/weighers/`.",
    weigherNames.map((name) => `\`${name}\``).join(", "),
    "## What has nothing to work on yet",
    "These options and filters decide as Nova's do, but hosts and flavors here do not have what they look at:",
    table(
      ["looks at", "here", "so"],
      [
        [
          "host aggregates: filters `Aggregate…`, multipliers in metadata",
          "there is no resource for them: a host is in one aggregate, its availability zone",
          "`Aggregate…` filters decide as where no aggregate says anything; `AggregateInstanceExtraSpecsFilter` then takes all hosts away from a flavor with extra specs in its scope, or without scope",
        ],
        [
          "metrics: the group `metrics`, `MetricsFilter`, `MetricsWeigher`",
          "hosts report none",
          "leave `weight_setting` empty: else `MetricsFilter` takes all hosts away, and without it the weigher fails each request while `required` is true",
        ],
        [
          "NUMA cells and PCI devices: `NUMATopologyFilter`, `PciPassthroughFilter`, `PCIWeigher`, the group `compute`",
          "hosts report none, flavors ask for none",
          "they let every host pass and weigh all alike",
        ],
        ["`default_availability_zone`", "every host has a zone, `nova` if none is named", "no effect"],
        ["`CrossCellWeigher`", "there is one cell", "no effect"],
        [
          "`RetryFilter`",
          "hosts where a build failed are left out before any filter",
          "lets every host pass",
        ],
      ],
    ),
    "Nova's options for what is not here at all are unknown: `available_filters` (classes to load), workers, and Placement's prefilters and limits.",
  ]);
}

/** Names of filters and weighers stand in lists of their own below. */
function optionType(name: string, option: Parameters<typeof readJsonSchema>[0]): string {
  if (name === "enabled_filters") return "list of [filters](#filters)";
  if (name === "weight_classes") return "list of [weighers](#weighers)";
  return describeSchema(readJsonSchema(option));
}

function presetOf(option: Parameters<typeof readJsonSchema>[0]): string {
  const { default: preset } = readJsonSchema(option);
  if (preset === undefined) return "none";
  if (Array.isArray(preset) && preset.length > 0) return "see below";
  return `\`${JSON.stringify(preset)}\``;
}
