import type { ResourceId, TaskId } from "../core/ids.ts";
import type { Secret } from "../core/secret.ts";
import { StackyardError } from "../core/errors.ts";
import type { Tracer } from "./tracer.ts";

/** How the steps on a compute host ended. */
export type StepsEnd = { readonly step: string; readonly error: StackyardError } | undefined;

/** A task that this process works on, with what cannot be stored: the caller's token, who listens, how to stop it. */
export interface TaskInWork {
  readonly id: TaskId;
  readonly recordId: ResourceId;
  readonly token: Secret | undefined;
  readonly controller: AbortController;
  readonly tracer: Tracer;
  readonly progress: (line: string) => void;
  /** Settled when the compute host reports. */
  stepsEnded: PromiseWithResolvers<StepsEnd> | undefined;
}

/** The tasks of this process, and whoever waits for them. */
export class TaskBoard {
  readonly #tasks = new Map<string, TaskInWork>();
  readonly #listeners = new Map<string, (line: string) => void>();
  readonly #signals = new Map<string, AbortSignal>();
  readonly #finished = new Map<string, PromiseWithResolvers<undefined>>();

  /** Announces who waits for a task, before it is cast. The returned promise settles when this process has done it. */
  await(
    taskId: TaskId,
    onProgress: ((line: string) => void) | undefined,
    signal: AbortSignal | undefined,
  ): Promise<undefined> {
    if (onProgress !== undefined) this.#listeners.set(taskId, onProgress);
    if (signal !== undefined) this.#signals.set(taskId, signal);
    const finished = Promise.withResolvers<undefined>();
    this.#finished.set(taskId, finished);
    return finished.promise;
  }

  /** Puts a task into work. */
  begin(id: TaskId, recordId: ResourceId, token: Secret | undefined, tracer: Tracer): TaskInWork {
    const controller = new AbortController();
    const signal = this.#signals.get(id);
    if (signal !== undefined) {
      if (signal.aborted) controller.abort(signal.reason);
      signal.addEventListener("abort", () => controller.abort(signal.reason), {
        once: true,
        signal: controller.signal,
      });
    }
    const task: TaskInWork = {
      id,
      recordId,
      token,
      controller,
      tracer,
      progress: (line) => this.#listeners.get(id)?.(line),
      stepsEnded: undefined,
    };
    this.#tasks.set(id, task);
    return task;
  }

  /** The tracer of whichever task works on a record. */
  tracerOf(recordId: string | undefined): Tracer | undefined {
    return [...this.#tasks.values()].find((task) => task.recordId === recordId)?.tracer;
  }

  find(id: string): TaskInWork | undefined {
    return this.#tasks.get(id);
  }

  /** Takes a task off the board and wakes who waits. */
  finish(id: TaskId): void {
    this.#tasks.delete(id);
    this.#listeners.delete(id);
    this.#signals.delete(id);
    this.#finished.get(id)?.resolve(undefined);
    this.#finished.delete(id);
  }

  /** Stops all work: tasks stay as they are, for the next start to resume. */
  abortAll(reason: Error): void {
    for (const task of this.#tasks.values()) task.controller.abort(reason);
  }
}

/** A task that must be at work here. */
export function requireTask(board: TaskBoard, taskId: string): TaskInWork {
  const task = board.find(taskId);
  if (task === undefined)
    throw new StackyardError("internal", { message: `task ${taskId} is not at work here` });
  return task;
}
