import type { Cloud, Planned, PlanRequest } from "../../core/cloud.ts";
import { describeError } from "../../core/errors.ts";
import { escapeLines } from "../../core/escape.ts";
import type { Definition } from "../../core/resource.ts";

/** How long a plan waits for hosts, milliseconds: without their answer it is the same plan, told with less. */
const limitMs = 5_000;

/** A resource that an engine has planned. */
export interface PlannedByEngine {
  readonly definition: Definition;
  readonly request: PlanRequest;
  readonly planned: Planned;
  /** Whether something drifted, which the apply repairs though nothing else changes. */
  readonly isDrifted: boolean;
  readonly signal?: AbortSignal;
}

/** What an engine is to tell of hosts. */
export interface HostMessage {
  readonly text: string;
  /** Whether the apply would be refused there, as the hosts are now. */
  readonly isRefused: boolean;
}

/**
 * What applying a plan would do on the hosts, as an engine's message: the host that would be chosen and what the filters remove, the diff of the
 * domain's XML, and the commands; of a replacement, of what takes the place. `undefined` where that is nothing, or is not to be told. Never fails: a plan
 * does not depend on it.
 */
export async function describeHostPreview(
  cloud: Cloud,
  { definition, request, planned, isDrifted, signal }: PlannedByEngine,
): Promise<HostMessage | undefined> {
  const { action } = planned.change;
  const detail = cloud.previewDetail;
  if (detail === "off" || definition.observe === undefined || planned.issues.length > 0) return undefined;
  if (action === "none" && !isDrifted) return undefined;
  const limit = AbortSignal.timeout(limitMs);
  try {
    const [preview, { describePreview, isRefused }] = await Promise.all([
      cloud.preview(request, signal === undefined ? limit : AbortSignal.any([signal, limit])),
      import("./preview-text.ts"),
    ]);
    limit.throwIfAborted();
    const text = describePreview(preview, detail);
    return text === undefined ? undefined : { text: escapeLines(text), isRefused: isRefused(preview) };
  } catch (error) {
    const reason = limit.aborted
      ? `they did not answer within ${String(limitMs / 1000)} s`
      : escapeLines(describeError(error));
    return { text: `what it would do on the hosts is not known: ${reason}`, isRefused: false };
  }
}
