import type { Command } from "commander";
import type { JsonObject } from "../../core/json.ts";
import { flowSteps, type FlowStep, type TraceEvent } from "../../core/trace.ts";
import { addJsonOption, describeCommand, wantsJson } from "./command-help.ts";
import type { CommandContext } from "./context.ts";
import { formatDuration } from "./text.ts";
import { absent } from "./view.ts";

/** Adds `trace SERVER`: each of the 29 steps of the last build, also those that did not happen. */
export function registerTraceCommand(program: Command, context: CommandContext): void {
  const command = program
    .command("trace")
    .argument("<server>", "id or name of the server")
    .action(async (idOrName: string) => {
      await context.withCloud(async (cloud) => {
        const { id, record } = await cloud.find("server", idOrName);
        const steps = joinSteps(await cloud.trace(id));
        if (wantsJson(command)) {
          context.writeJson({ server: { id, name: record.name }, steps: steps.map(toJsonStep) });
          return;
        }
        const startedAtMs = Math.min(...steps.map(({ event }) => event?.startedAtMs ?? Infinity));
        context.writeTable(
          ["#", "TIME", "AFTER", "DURATION", "SERVICE", "KIND", "HOST", "STEP"].map((title) => ({ title })),
          steps.map((step) => toRow(step, startedAtMs)),
        );
      });
    });
  addJsonOption(command);
  describeCommand(command, "show the 29 steps of a server's last build, with time, host and duration", [
    "trace my-server",
    "trace my-server --json",
  ]);
}

/** A step of the flow, and one time that it happened; without an event it did not happen. */
interface TracedStep {
  readonly step: FlowStep;
  readonly event: TraceEvent | undefined;
}

/** A step that happened twice, as in a build that was scheduled again, comes twice. */
function joinSteps(events: readonly TraceEvent[]): readonly TracedStep[] {
  return flowSteps.flatMap((step): readonly TracedStep[] => {
    const own = events.filter((event) => event.number === step.number);
    return own.length === 0 ? [{ step, event: undefined }] : own.map((event) => ({ step, event }));
  });
}

function toJsonStep({ step, event }: TracedStep): JsonObject {
  return {
    number: step.number,
    name: step.name,
    service: step.service,
    kind: step.kind,
    happened: event !== undefined,
    startedAt: event === undefined ? null : toIsoTime(event),
    durationMs: event?.durationMs ?? null,
    host: event?.host ?? null,
  };
}

function toIsoTime(event: TraceEvent): string {
  return new Date(event.startedAtMs).toISOString();
}

function toRow({ step, event }: TracedStep, startedAtMs: number): readonly string[] {
  const { number, name, service, kind } = step;
  if (event === undefined) {
    return [String(number), absent, absent, absent, service, kind, absent, `${name} (did not happen)`];
  }
  const time = toIsoTime(event).slice(11, -1);
  const after = `${((event.startedAtMs - startedAtMs) / 1000).toFixed(3)} s`;
  return [String(number), time, after, formatMs(event.durationMs), service, kind, event.host ?? absent, name];
}

/** Most steps take less than a second: those show in milliseconds. */
function formatMs(durationMs: number): string {
  return durationMs < 1000 ? `${durationMs.toFixed(2)} ms` : formatDuration(durationMs);
}
