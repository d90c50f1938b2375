import type { Principal } from "../authenticate/principal.ts";
import { nowMs } from "../conductor/tracer.ts";
import type { FlowStepNumber, TraceEvent } from "../core/trace.ts";

/** Times the api's own steps: each from the end of the one before. */
export function openRequestTrace(): {
  readonly events: TraceEvent[];
  note(number: FlowStepNumber): void;
  last(number: FlowStepNumber): TraceEvent;
} {
  const events: TraceEvent[] = [];
  let sinceMs = nowMs();
  events.push({ number: 3, startedAtMs: sinceMs, durationMs: 0 });
  const next = (number: FlowStepNumber): TraceEvent => {
    const untilMs = nowMs();
    const event = { number, startedAtMs: sinceMs, durationMs: untilMs - sinceMs };
    sinceMs = untilMs;
    return event;
  };
  return { events, note: (number) => void events.push(next(number)), last: next };
}

/** Steps 1 and 2 happened when the token was issued. */
export function loginTrace(principal: Principal): readonly TraceEvent[] {
  const { issuedAtMs, issueDurationMs } = principal;
  return [
    { number: 1, startedAtMs: issuedAtMs, durationMs: issueDurationMs },
    { number: 2, startedAtMs: issuedAtMs + issueDurationMs, durationMs: 0 },
  ];
}
