import { StackyardError } from "../core/errors.ts";
import type { RequestSpec } from "./request.ts";
import type { RoundTrace, ScheduleTrace, StageTrace, WeighedHost } from "./trace.ts";

/** Names written out in one line; a large cloud must not flood the terminal. */
const maxNames = 20;

/** The trace as lines for a person: what each stage took away and, where the trace has them, the weights. */
export function explainSchedule(trace: ScheduleTrace): readonly string[] {
  return trace.rounds.flatMap((round, index) => [
    `${headingOf(round)} (${index === 0 ? trace.hosts : (round.stages[0]?.before ?? 0)} hosts)`,
    ...round.stages.map((stage) => `  ${stageLine(stage)}`),
    ...(round.weighed ?? []).flatMap(weightLines).map((line) => `  ${line}`),
    ...(round.purpose === "choice" ? [`  chosen: ${round.chosen ?? "none"}`] : []),
  ]);
}

/**
 * The error for a request that found no host: how many hosts each stage took away, its notes the whole explanation
 * (nova: exception.NoValidHost).
 */
export function noValidHost(trace: ScheduleTrace, request: RequestSpec): StackyardError {
  const failed = trace.rounds.at(-1);
  const place =
    request.instanceIds.length > 1 ? ` (${trace.rounds.length} of ${request.instanceIds.length})` : "";
  return new StackyardError("no-valid-host", {
    message: `no host can take server ${failed?.instanceId ?? "?"}${place}: ${reasonOf(trace)}`,
    field: "flavor",
    value: request.flavor.name,
    notes: explainSchedule(trace),
  });
}

/** Removals of all rounds together, since a host that was taken away does not come back. */
function reasonOf(trace: ScheduleTrace): string {
  if (trace.hosts === 0) return "there are no hosts";
  const removals = new Map<string, StageTrace>();
  for (const stage of trace.rounds.flatMap(({ stages }) => stages)) {
    const known = removals.get(stage.name);
    const removed = [...(known?.removed ?? []), ...stage.removed];
    removals.set(stage.name, { name: stage.name, before: known?.before ?? stage.before, removed });
  }
  const reasons = [...removals.values()].filter(({ removed }) => removed.length > 0).map(countLine);
  const lost = [...removals.values()].reduce((sum, { removed }) => sum + removed.length, 0);
  const full = trace.hosts - lost;
  return [...reasons, ...(full > 0 ? [`servers placed before it fill ${full}`] : [])].join(", ");
}

function headingOf({ purpose, instanceId }: RoundTrace): string {
  return purpose === "choice" ? `server ${instanceId}` : "alternates";
}

function countLine({ name, before, removed }: StageTrace): string {
  return `${name} removed ${removed.length} of ${before}`;
}

function stageLine(stage: StageTrace): string {
  const { removed } = stage;
  if (removed.length === 0) return countLine(stage);
  const more = removed.length > maxNames ? ` and ${removed.length - maxNames} more` : "";
  return `${countLine(stage)}: ${removed.slice(0, maxNames).join(", ")}${more}`;
}

function weightLines({ name, weight, parts }: WeighedHost): readonly string[] {
  return [
    `${name} weighs ${weight}`,
    ...parts.map(
      ({ weigher, raw, normalised, multiplier, contribution }) =>
        `  ${weigher}: ${contribution} = ${multiplier} x ${normalised} (raw ${raw})`,
    ),
  ];
}
