import type { Bus } from "../bus/bus.ts";
import { encodeError, type StackyardError } from "../core/errors.ts";
import { textOf, type JsonObject } from "../core/json.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { Definition, StepContext } from "../core/resource.ts";
import type { FlowStepNumber } from "../core/trace.ts";

/** What the compute service is given: it has no way to the store but the conductor. */
export interface ComputeServices {
  readonly bus: Bus;
  readonly definitionOf: (type: string) => Definition;
  /** Context of a step on this host. */
  readonly contextOf: (
    taskId: string,
    record: ResourceRecord,
    host: string,
  ) => StepContext<JsonObject, JsonObject>;
  /** Turns anything thrown by a step into an error of ours. */
  readonly toFailure: (taskId: string, error: unknown, attempting: string) => StackyardError;
  /** Records when a message was waiting. */
  readonly noteWait: (
    taskId: string,
    number: FlowStepNumber,
    span: readonly [fromMs: number, untilMs: number],
    host: string,
  ) => void;
}

/** Step 5 of the flow: each host's consumer of `compute.<host>`. Carries out steps and reports each to the conductor. */
export function serveCompute({ bus, definitionOf, contextOf, toFailure, noteWait }: ComputeServices): void {
  bus.serve("compute", {
    run_steps: async ({ taskId, steps, castAtMs }) => {
      let at = steps[0] ?? "";
      try {
        let { record } = await fetchInstance(taskId, castAtMs);
        const host = textOf(record.outputs, "host") ?? "";
        const definition = definitionOf(record.type);
        for (const name of steps) {
          at = name;
          const step = definition.reconcile.find((candidate) => candidate.name === name);
          const context = contextOf(taskId, record, host);
          context.signal.throwIfAborted();
          await bus.call("conductor", "journal", { taskId, step: name, phase: "intent", outputs: undefined });
          const patch = await step?.run(context);
          const outputs = patch === undefined ? undefined : { ...record.outputs, ...patch };
          await bus.call("conductor", "journal", { taskId, step: name, phase: "result", outputs });
          record = { ...record, outputs: outputs ?? record.outputs };
        }
        await bus.call("conductor", "steps_ended", { taskId, failure: undefined });
      } catch (error) {
        const failure = { step: at, error: encodeError(toFailure(taskId, error, `step ${at}`)) };
        await bus.call("conductor", "steps_ended", { taskId, failure });
      }
      return undefined;
    },
  });

  /** Steps 13 to 17: the record comes from the conductor, never from the store. */
  async function fetchInstance(
    taskId: string,
    castAtMs: number,
  ): Promise<{ readonly record: ResourceRecord }> {
    const startedAtMs = performance.timeOrigin + performance.now();
    const reply = await bus.call("conductor", "get_instance", { taskId });
    const host = textOf(reply.record.outputs, "host") ?? "";
    noteWait(taskId, 13, [castAtMs, startedAtMs], host);
    noteWait(taskId, 14, [startedAtMs, performance.timeOrigin + performance.now()], host);
    return reply;
  }
}
