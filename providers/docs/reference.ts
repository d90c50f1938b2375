import { z } from "zod";
import { changeLabels } from "../core/change.ts";
import { listLeaves, type Leaf } from "../core/fields.ts";
import type { Definition } from "../core/resource.ts";
import { describeLabel } from "../engines/pulumi/change-text.ts";
import { toClassName } from "../engines/pulumi/generate.ts";
import { page, table } from "./markdown.ts";

/** The page of one definition: all that the definition says of itself. */
export function describeDefinition(definition: Definition): string {
  const { type, summary, scope, service, rules, actions = {} } = definition;
  const owner =
    scope === "cloud"
      ? "It belongs to the whole cloud: changing it takes the role `admin` there."
      : "It belongs to a project: changing it takes the role `member` there.";
  return page(toClassName(type), [
    summary,
    `\`new ${toClassName(type)}(…)\` in a program, \`stackyard ${type}\` on the command line. OpenStack's ${service} service has its like. ${owner}`,
    "## Inputs",
    table(
      ["field", "type", "if left out", "what it is", "changing it"],
      [...listLeaves(definition.inputs)].map((leaf) => [
        `\`${leaf.path}\``,
        describeType(leaf),
        describeAbsence(leaf),
        describeMeaning(leaf),
        describeChange(leaf),
      ]),
    ),
    ...describeOutputs(definition),
    ...(rules.length === 0
      ? []
      : [
          "## Rules",
          rules
            .map(
              ({ field, says, code = "invalid-input" }) =>
                `- \`${field}\`: ${says} Else [${code}](errors.md#${code}).`,
            )
            .join("\n"),
        ]),
    ...Object.entries(actions).flatMap(([name, action]) => describeAction(type, name, action)),
  ]);
}

function describeAction(
  type: string,
  name: string,
  { doc, role = "member", input }: NonNullable<Definition["actions"]>[string],
): readonly string[] {
  const leaves = [...listLeaves(input)];
  const intro = [
    `## Action \`${name}\``,
    `${doc} Takes the role \`${role}\`. \`stackyard ${type} ${name} NAME\``,
  ];
  if (leaves.length === 0) return intro;
  const rows = leaves.map((leaf) => [
    `\`${leaf.path}\``,
    describeType(leaf),
    describeAbsence(leaf),
    describeMeaning(leaf),
  ]);
  return [...intro, table(["field", "type", "if left out", "what it is"], rows)];
}

function describeOutputs({ outputs }: Definition): readonly string[] {
  const leaves = [...listLeaves(outputs)];
  if (leaves.length === 0) return [];
  return [
    "## Outputs",
    table(
      ["field", "type", "what it is"],
      leaves.map((leaf) => [`\`${leaf.path}\``, describeType(leaf), describeMeaning(leaf)]),
    ),
  ];
}

/** The page that leads to all others. */
export function describeIndex(definitions: readonly Definition[]): string {
  return page("Reference", [
    "Every resource type with its fields, and every error and setting. All of it is printed from the code.",
    table(
      ["resource", "what it is"],
      definitions.map(({ type, summary }) => [`[${toClassName(type)}](${type}.md)`, summary]),
    ),
    "[Errors](errors.md) · [Settings](settings.md)",
    "## How to read a field",
    "Besides its own fields each resource has an id, `uuid` in a Pulumi program, known in the preview, and `drift`: what the last refresh found different, a line each. Where a field holds the id of another resource, a program gives the resource itself, and the command line takes its name as well.",
    "What changing a field does to a running server, or to the resource:",
    table(
      ["label", "the change"],
      changeLabels.map((label) => [`\`${label}\``, describeLabel(label)]),
    ),
  ]);
}

type Scalar = string | number | boolean;

/** The part of a JSON schema that a type is told from. */
interface JsonSchema {
  readonly type?: string | undefined;
  readonly enum?: readonly Scalar[] | undefined;
  readonly const?: Scalar | undefined;
  readonly default?: unknown;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly items?: JsonSchema | undefined;
  readonly additionalProperties?: unknown;
}

const scalar = z.union([z.string(), z.number(), z.boolean()]);

const jsonSchema: z.ZodType<JsonSchema> = z.lazy(() =>
  z.looseObject({
    type: z.string().optional(),
    enum: z.array(scalar).optional(),
    const: scalar.optional(),
    default: z.unknown().optional(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    items: jsonSchema.optional(),
    additionalProperties: z.unknown().optional(),
  }),
);

function schemaOf({ schema }: Leaf): JsonSchema {
  return jsonSchema.parse(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }));
}

function describeType(leaf: Leaf): string {
  const reference = leaf.policy?.references;
  if (reference !== undefined) return `[${toClassName(reference)}](${reference}.md)`;
  return describeSchema(schemaOf(leaf));
}

function describeSchema(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(", ");
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  switch (schema.type) {
    case "string":
      return "text";
    case "boolean":
      return "true or false";
    case "integer":
      return `whole number${describeRange(schema)}`;
    case "number":
      return `number${describeRange(schema)}`;
    case "array":
      return `list of ${describeSchema(schema.items ?? {})}`;
    case "object":
      return typeof schema.additionalProperties === "object" ? "text by key" : "object";
    case undefined:
    default:
      throw new TypeError(`no words for a schema of type ${String(schema.type)}`);
  }
}

/** Bounds of the schema; those that only say "fits a number" are none. */
function describeRange({ minimum, maximum }: JsonSchema): string {
  const least = minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? undefined : minimum;
  const most = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (least === undefined && most === undefined) return "";
  if (most === undefined) return ` from ${String(least)}`;
  return least === undefined ? ` up to ${String(most)}` : `, ${String(least)} to ${String(most)}`;
}

function describeAbsence(leaf: Leaf): string {
  const { default: preset } = schemaOf(leaf);
  if (preset !== undefined) return `\`${JSON.stringify(preset)}\``;
  switch (leaf.policy?.computed) {
    case "plan":
      return "filled in, known in the preview";
    case "apply":
      return "filled in when applied";
    case undefined:
      return leaf.schema._zod.optin === undefined ? "required" : "none";
  }
}

function describeMeaning({ policy }: Leaf): string {
  return [
    policy?.doc ?? "",
    ...(policy?.secret === true ? ["**Secret**: never in a log, a plan, an error or a listing."] : []),
    ...(policy?.onceOnly === true ? ["**Given once**, by create."] : []),
  ].join(" ");
}

/** Only a whole top-level input is compared, so only there a change has a label. */
function describeChange({ path, policy }: Leaf): string {
  if (/[.[]/.test(path)) return "";
  const change = policy?.change ?? "live";
  return typeof change === "string" ? `\`${change}\`` : change.says;
}
