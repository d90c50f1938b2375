import type { Bus } from "../bus/bus.ts";
import type { PlacementAnswer, PlacementQuestion } from "../core/cloud.ts";
import { newId } from "../core/ids.ts";
import { explainSchedule } from "../scheduler/explain.ts";
import type { SchedulerOptions } from "../scheduler/options.ts";
import type { Database } from "../store/database.ts";
import type { RecordMirror } from "../store/mirror.ts";
import { readHostStates } from "./host-states.ts";
import { toRequestSpec } from "./request.ts";

/** Where servers would be placed, and why. Claims nothing. The question names resources by their ids. Raises `unknown-reference`. */
export async function explainPlacement(
  {
    database,
    mirror,
    bus,
    options,
  }: {
    readonly database: Database;
    readonly mirror: RecordMirror;
    readonly bus: Bus;
    readonly options: SchedulerOptions;
  },
  question: PlacementQuestion,
  projectId: string,
): Promise<PlacementAnswer> {
  const { hosts } = await readHostStates(database, mirror, options);
  const request = toRequestSpec(
    {
      flavor: question.flavor,
      image: question.image,
      serverGroup: question.serverGroup,
      availabilityZone: question.availabilityZone,
      schedulerHints: question.hints,
    },
    { ids: Array.from({ length: question.count ?? 1 }, () => newId<"resource">()), projectId },
    [],
    mirror,
  );
  const schedule = await bus.call("scheduler", "select_destinations", { hosts, request, weights: true });
  return {
    selected: schedule.selected.map((choice) => choice.name),
    explanation: explainSchedule(schedule.trace),
  };
}
