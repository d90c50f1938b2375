import { authorizeAdministration } from "../authenticate/policy.ts";
import type { AdoptionLook } from "../conductor/adoption.ts";
import type { AdoptionChange, AdoptionPreview, AdoptionRequest } from "../core/adoption.ts";
import type { Planned, PlanRequest } from "../core/cloud.ts";
import { textOf } from "../core/json.ts";
import type { ResourceRecord } from "../core/record.ts";
import { planResource } from "./plan.ts";
import { toPlannedRecord, type PreviewServices } from "./preview.ts";

/** A domain that is to be a server, and the plan for that. */
export interface PlannedAdoption {
  readonly look: AdoptionLook;
  readonly request: PlanRequest & { readonly maker: string };
  readonly plan: Planned;
  /** The server as it would be written; absent while its inputs are wrong. */
  readonly record: ResourceRecord | undefined;
  readonly changes: readonly AdoptionChange[];
}

/** Looks at what is to be adopted, and plans the server that it becomes. Raises what keeps the domain from being that. */
export async function planAdoption(
  { access, conductor, planned }: PreviewServices,
  { host, domain, inputs }: AdoptionRequest,
  signal: AbortSignal | undefined,
): Promise<PlannedAdoption> {
  const principal = await access.begin();
  authorizeAdministration(principal, "servers:adopt");
  const place = access.findVisible(principal, "host", host);
  const look = await conductor.lookForAdoption(place, { domain, inputs }, signal);
  const request = requestOf(look);
  const definition = access.definitionOf(request.type);
  const { id, ...plan } = planResource(definition, request, access.plannerFor(principal), planned);
  if (plan.issues.length > 0 || id === undefined)
    return { look, request, plan, changes: [], record: undefined };
  const filled = toPlannedRecord(definition, request, { ...plan.inputs, id }, look.begun);
  const record = { ...filled, outputs: { ...filled.outputs, ...look.outputs } };
  try {
    return { look, request, plan, record, changes: await conductor.judgeAdoption(look, record) };
  } catch (error) {
    planned.drop(id);
    throw error;
  }
}

/** What adopting would do, down to the commands on the host. */
export async function previewAdoption(
  services: PreviewServices,
  request: AdoptionRequest,
  signal: AbortSignal | undefined,
): Promise<AdoptionPreview> {
  const { look, plan, record, changes } = await planAdoption(services, request, signal);
  const { found, adoption, host } = look;
  const flow =
    record === undefined
      ? { domains: [], commands: [] }
      : await services.conductor.preview(record, undefined, services.planned, signal);
  return { ...plan, host: host.name, adoption, changes, ...(found === undefined ? {} : { found }), ...flow };
}

/** The plan that is asked for. The maker is one of its own: that of another server of this name would have the server replace that one. */
function requestOf({ id, adoption, begun, inputs }: AdoptionLook): PlannedAdoption["request"] {
  return {
    type: "server",
    inputs,
    maker: begun?.maker ?? `adopt:${id}`,
    defaultName: textOf(inputs, "name") ?? adoption.domain,
    ...(begun === undefined ? {} : { prior: begun.inputs }),
  };
}
