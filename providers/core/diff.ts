import { isReplacing, worseLabel, type ChangeLabel } from "./change.ts";
import type { Change, FieldChange } from "./cloud.ts";
import { policyOf, presetOf, shapeOf, type ChangeRule } from "./fields.ts";
import { equalJson, type JsonObject, type JsonValue } from "./json.ts";
import type { Definition } from "./resource.ts";

/**
 * What changing `prior` into `desired` does, by the policy of each field. This one function is the change table of
 * plan and apply alike. A field that one lacks has its default there: an older release, which made `prior`,
 * may not have known it.
 */
export function diffInputs(definition: Definition, prior: JsonObject, desired: JsonObject): Change {
  const fields: FieldChange[] = [];
  for (const [key, schema] of Object.entries(shapeOf(definition.inputs))) {
    const from = prior[key] ?? presetOf(schema);
    const to = desired[key] ?? presetOf(schema);
    if (equalJson(from, to)) continue;
    fields.push({ field: key, from, to, label: labelChange(policyOf(schema)?.change ?? "live", from, to) });
  }
  return summarizeChange(fields);
}

/** The change that consists of these fields. */
function summarizeChange(fields: readonly FieldChange[]): Change {
  const [first, ...rest] = fields;
  if (first === undefined) return { action: "none", fields };
  const label = rest.reduce((worst, change) => worseLabel(worst, change.label), first.label);
  return { action: isReplacing(label) ? "replace" : "update", label, fields };
}

function labelChange(rule: ChangeRule, from: JsonValue | undefined, to: JsonValue | undefined): ChangeLabel {
  return typeof rule === "string" ? rule : rule.label(from, to);
}

/** Inputs whose change replaces the resource, whatever the values: together they are its identity. */
export function listIdentityFields(definition: Definition): readonly string[] {
  return Object.entries(shapeOf(definition.inputs))
    .filter(([, schema]) => {
      const rule = policyOf(schema)?.change;
      return typeof rule === "string" && isReplacing(rule);
    })
    .map(([key]) => key);
}
