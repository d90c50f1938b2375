import type { Authenticate } from "../authenticate/authenticate.ts";
import type { Exclusive, Together, Waiter } from "../core/exclusive.ts";
import type { CloudId } from "../core/ids.ts";
import type { Ports } from "../core/ports.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { Definition, StepContext } from "../core/resource.ts";
import type { JsonObject } from "../core/json.ts";
import type { Database } from "../store/database.ts";
import type { RecordMirror } from "../store/mirror.ts";
import { viewStore } from "../store/world.ts";
import { openOwnedRecords } from "./owned-records.ts";
import type { TaskInWork } from "./task-board.ts";

export interface ContextServices {
  readonly cloudId: CloudId;
  readonly database: Database;
  readonly mirror: RecordMirror;
  readonly definitionOf: (type: string) => Definition;
  readonly ports: Ports;
  readonly authenticate: Authenticate;
  /** Across all processes on the store. */
  readonly exclusive: Exclusive;
  readonly together: Together;
}

/** What a step is given: the record as it is now, and the services. */
export function makeStepContext(
  services: ContextServices,
  record: ResourceRecord,
  task: TaskInWork,
  host?: string,
): StepContext<JsonObject, JsonObject> {
  const { mirror, ports, authenticate, cloudId, exclusive, together } = services;
  const waiter: Waiter = { signal: task.controller.signal, progress: task.progress };
  return {
    record,
    inputs: record.inputs,
    outputs: record.outputs,
    ports,
    world: viewStore(mirror),
    signal: task.controller.signal,
    cloudId,
    taskId: task.id,
    validateToken: async () => {
      if (task.token !== undefined) await authenticate.validate(task.token);
    },
    exclusive: (key, work) => exclusive(key, () => mirror.refresh().then(work), waiter),
    together: (key, purpose, work) => together(key, purpose, () => mirror.refresh().then(work), waiter),
    owned: openOwnedRecords(services, record, (owned) => makeStepContext(services, owned, task, host)),
    progress: task.progress,
    trace: (number, work) => task.tracer.time(number, work, host),
  };
}
