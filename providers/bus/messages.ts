import type { HostState } from "../scheduler/host-state.ts";
import type { RequestSpec } from "../scheduler/request.ts";
import type { Schedule } from "../scheduler/schedule.ts";
import type { JsonObject } from "../core/json.ts";
import type { ResourceRecord } from "../core/record.ts";

/** Every message between services: what it carries and what comes back. All of it is plain data. */
export interface Messages {
  /** To `conductor` (nova: schedule_and_build_instances): carry out a task. */
  readonly run_task: {
    readonly args: { readonly taskId: string; readonly token: string | undefined };
    readonly reply: undefined;
  };
  /** To `scheduler`. */
  readonly select_destinations: {
    readonly args: {
      readonly hosts: readonly HostState[];
      readonly request: RequestSpec;
      readonly weights: boolean;
    };
    readonly reply: Schedule;
  };
  /** To `compute.<host>` (nova: build_and_run_instance): carry out the steps of a task that belong to the host. */
  readonly run_steps: {
    readonly args: {
      readonly taskId: string;
      readonly steps: readonly string[];
      readonly token: string | undefined;
      readonly castAtMs: number;
    };
    readonly reply: undefined;
  };
  /** To `conductor` (nova: object_action): the record that a task works on. */
  readonly get_instance: {
    readonly args: { readonly taskId: string };
    readonly reply: { readonly record: ResourceRecord };
  };
  /** To `conductor`: a step begins, has ended with outputs, or has failed. */
  readonly journal: {
    readonly args: {
      readonly taskId: string;
      readonly step: string;
      readonly phase: "intent" | "result";
      readonly outputs: JsonObject | undefined;
    };
    readonly reply: undefined;
  };
  /** To `conductor`: all steps are done, or one has failed. */
  readonly steps_ended: {
    readonly args: {
      readonly taskId: string;
      readonly failure: { readonly step: string; readonly error: JsonObject } | undefined;
    };
    readonly reply: undefined;
  };
}

export type Method = keyof Messages;
