import type { Authenticate } from "../authenticate/authenticate.ts";
import type { Exclusive, Together } from "../core/exclusive.ts";
import type { CloudId } from "../core/ids.ts";
import type { Ports } from "../core/ports.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { StepContext } from "../core/resource.ts";
import type { JsonObject } from "../core/json.ts";
import type { RecordMirror } from "../store/mirror.ts";
import { viewStore } from "../store/world.ts";
import type { TaskInWork } from "./task-board.ts";

export interface ContextServices {
  readonly cloudId: CloudId;
  readonly mirror: RecordMirror;
  readonly ports: Ports;
  readonly authenticate: Authenticate;
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
    exclusive: (key, work) =>
      exclusive(key, async () => {
        await mirror.refresh();
        return work();
      }),
    together: (key, purpose, work) =>
      together(key, purpose, async () => {
        await mirror.refresh();
        await work();
      }),
    progress: task.progress,
    trace: (number, work) => task.tracer.time(number, work, host),
  };
}
