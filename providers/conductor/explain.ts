import type { Bus } from "../bus/bus.ts";
import type { PlacementAnswer, PlacementQuestion } from "../core/cloud.ts";
import { newId } from "../core/ids.ts";
import { explainSchedule } from "../scheduler/explain.ts";
import type { HostState } from "../scheduler/host-state.ts";
import type { SchedulerOptions } from "../scheduler/options.ts";
import type { RequestSpec } from "../scheduler/request.ts";
import type { Schedule } from "../scheduler/schedule.ts";
import type { Database } from "../store/database.ts";
import type { RecordMirror } from "../store/mirror.ts";
import { viewStore } from "../store/world.ts";
import { readHostStates } from "./host-states.ts";
import { toRequestSpec } from "./request.ts";

/** What the scheduler is asked with. */
export interface SchedulerServices {
  readonly database: Database;
  readonly mirror: RecordMirror;
  readonly bus: Bus;
  readonly options: SchedulerOptions;
}

/** What the scheduler would decide, with the hosts as `foresee` sees them; default: as they are. Claims nothing. */
export async function askScheduler(
  { database, mirror, bus, options }: SchedulerServices,
  request: RequestSpec,
  foresee: (hosts: readonly HostState[]) => Promise<readonly HostState[]> = (hosts) => Promise.resolve(hosts),
): Promise<Schedule> {
  const states = await readHostStates(database, mirror, options);
  const hosts = await foresee(states.hosts);
  return bus.call("scheduler", "select_destinations", { hosts, request, weights: true });
}

/** Where servers would be placed, and why. Claims nothing. The question names resources by their ids. Raises `unknown-reference`. */
export async function explainPlacement(
  services: SchedulerServices,
  question: PlacementQuestion,
  projectId: string,
): Promise<PlacementAnswer> {
  const { flavor, image, serverGroup, availabilityZone, hints, count = 1 } = question;
  const ids = Array.from({ length: count }, () => newId<"resource">());
  const request = toRequestSpec(
    { flavor, image, serverGroup, availabilityZone, schedulerHints: hints },
    { ids, projectId },
    viewStore(services.mirror),
  );
  const schedule = await askScheduler(services, request);
  return {
    selected: schedule.selected.map((choice) => choice.name),
    explanation: explainSchedule(schedule.trace),
  };
}
