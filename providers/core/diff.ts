import { isReplacing, worseLabel, type ChangeLabel } from "./change.ts";
import type { Change, FieldChange } from "./cloud.ts";
import { policyOf, presetOf, shapeOf, type ChangeRule } from "./fields.ts";
import { equalJson, type JsonObject } from "./json.ts";
import type { Definition } from "./resource.ts";

/**
 * What changing `prior` into `desired` does, by the policy of each field. This one function is the change table of
 * plan and apply alike. A field that one lacks has its default there: an older release, which made `prior`,
 * may not have known it.
 */
export function diffInputs(
  definition: Pick<Definition, "inputs">,
  prior: JsonObject,
  desired: JsonObject,
): Change {
  const before = fillPresets(definition, prior);
  const after = fillPresets(definition, desired);
  const fields: FieldChange[] = [];
  for (const [key, schema] of Object.entries(shapeOf(definition.inputs))) {
    const from = before[key];
    const to = after[key];
    if (equalJson(from, to)) continue;
    const rule = policyOf(schema)?.change ?? "live";
    const label = typeof rule === "string" ? rule : rule.label(from, to, before, after);
    fields.push({ field: key, from, to, label });
  }
  return summarizeChange(fields);
}

/** Inputs with the default of each field that they lack. */
function fillPresets({ inputs: schema }: Pick<Definition, "inputs">, inputs: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(shapeOf(schema)).map(([key, leaf]) => [key, inputs[key] ?? presetOf(leaf)]),
  );
}

/** The change that consists of these fields. */
function summarizeChange(fields: readonly FieldChange[]): Change {
  const [first, ...rest] = fields;
  if (first === undefined) return { action: "none", fields };
  const label = rest.reduce((worst, change) => worseLabel(worst, change.label), first.label);
  return { action: isReplacing(label) ? "replace" : "update", label, fields };
}

/** What becomes of a resource that is made anew though no field asks for it: what its own replacing fields do. */
export function labelReplacement(definition: Definition): ChangeLabel {
  return Object.values(shapeOf(definition.inputs)).reduce<ChangeLabel>((worst, schema) => {
    const rule = policyOf(schema)?.change;
    return typeof rule === "string" ? worseLabel(worst, rule) : worst;
  }, "replace");
}

/** Inputs whose change replaces the resource, and those whose rule says so: together they are its identity. */
export function listIdentityFields(definition: Definition): readonly string[] {
  return Object.entries(shapeOf(definition.inputs))
    .filter(([, schema]) => isIdentity(policyOf(schema)?.change))
    .map(([key]) => key);
}

/** Whether another value may be another resource. */
export function isIdentity(rule: ChangeRule | undefined): boolean {
  if (rule === undefined) return false;
  return typeof rule === "string" ? isReplacing(rule) : (rule.isIdentity ?? false) !== false;
}

/** What of the inputs says which resource they are. */
export function readIdentity(definition: Definition, inputs: JsonObject): JsonObject {
  const shape = shapeOf(definition.inputs);
  return Object.fromEntries(
    listIdentityFields(definition).map((key) => {
      const schema = shape[key];
      const rule = schema === undefined ? undefined : policyOf(schema)?.change;
      const part =
        typeof rule === "object" && typeof rule.isIdentity === "function" ? rule.isIdentity : undefined;
      return [key, part === undefined ? inputs[key] : part(inputs[key])];
    }),
  );
}
