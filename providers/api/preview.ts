import type { Conductor } from "../conductor/conductor.ts";
import type { Preview, PlanRequest } from "../core/cloud.ts";
import { StackyardError } from "../core/errors.ts";
import type { ResourceId } from "../core/ids.ts";
import { textOf, type JsonObject } from "../core/json.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { Definition } from "../core/resource.ts";
import type { Access } from "./access.ts";
import { planResource, projectOf } from "./plan.ts";
import type { PlannedWorld } from "./world.ts";

/** What previews are made with. */
export interface PreviewServices {
  readonly access: Access;
  readonly conductor: Conductor;
  readonly planned: PlannedWorld;
}

/** A plan, and for administrators what carrying it out would do on the hosts. */
export async function previewPlan(
  { access, conductor, planned }: PreviewServices,
  request: PlanRequest,
  signal: AbortSignal | undefined,
): Promise<Preview> {
  const principal = await access.begin();
  const definition = access.definitionOf(request.type);
  const result = planResource(definition, request, access.plannerFor(principal), planned);
  const { id, inputs, issues, change } = result;
  const shown = { inputs, issues, change, domains: [], commands: [] };
  if (issues.length > 0 || id === undefined || planned.isIncomplete(id)) return shown;
  // A flow runs on all inputs: with one of them open it would do something else, or break off.
  if (request.unknown !== undefined && request.unknown.length > 0) return shown;
  const before = access.stored(request.type, id);
  const kept = change.action === "replace" ? undefined : before;
  const record = toPlannedRecord(definition, request, { ...inputs, id }, kept);
  access.permit(principal, before === undefined ? "create" : "update", definition, record);
  if (before !== undefined) access.permit(principal, "update", definition, before);
  if (!principal.isAdmin) return { ...shown, incomplete: hiddenPreview() };
  return { ...shown, ...(await conductor.preview(record, kept, planned, signal)) };
}

/** The record as it would be written. It is written nowhere. `before`: as it is; absent for one that is made, or made anew. */
export function toPlannedRecord(
  definition: Definition,
  { maker, defaultName }: PlanRequest,
  { id, ...inputs }: JsonObject & { readonly id: ResourceId },
  before: ResourceRecord | undefined,
): ResourceRecord {
  const at = new Date().toISOString();
  return {
    ...{ outputs: {}, maker: maker ?? id, revision: 0, createdAt: at, updatedAt: at },
    ...before,
    id,
    type: definition.type,
    projectId: projectOf(definition, inputs),
    name: textOf(inputs, "name") ?? defaultName,
    inputs,
    status: "building",
  };
}

/** Why a preview ends with the plan for who does not administer the cloud. */
function hiddenPreview(): NonNullable<Preview["incomplete"]> {
  const message = "the host, its filters and its commands are shown to administrators of the cloud";
  return { step: "placement", error: new StackyardError("forbidden", { message }) };
}
