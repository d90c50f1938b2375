import type { AdoptionLook } from "../conductor/adoption.ts";
import type { AdoptionChange } from "../core/adoption.ts";
import type { Planned, PlanRequest } from "../core/cloud.ts";
import { textOf } from "../core/json.ts";
import type { ResourceRecord } from "../core/record.ts";

/** A domain that is to be a server, and the plan for that. */
export interface PlannedAdoption {
  readonly look: AdoptionLook;
  readonly request: PlanRequest & { readonly maker: string };
  readonly plan: Planned;
  /** The server as it would be written; absent while its inputs are wrong. */
  readonly record: ResourceRecord | undefined;
  readonly changes: readonly AdoptionChange[];
}

/** The plan that is asked for. The maker is one of its own: that of another server of this name would have the server replace that one. */
export function requestOfAdoption({ id, adoption, begun, inputs }: AdoptionLook): PlannedAdoption["request"] {
  return {
    type: "server",
    inputs,
    maker: begun?.maker ?? `adopt:${id}`,
    defaultName: textOf(inputs, "name") ?? adoption.domain,
    ...(begun === undefined ? {} : { prior: begun.inputs }),
  };
}
