import { changeLabels } from "../core/change.ts";
import type { ErrorCode } from "../core/errors.ts";
import { listLeaves, type Leaf } from "../core/fields.ts";
import { toClassName } from "../core/names.ts";
import type { Definition } from "../core/resource.ts";
import { describeLabel } from "../core/change-text.ts";
import { commonCodes, listDefinitionErrors } from "./definition-errors.ts";
import { printCdktf, printHcl, printPulumi } from "./example-program.ts";
import { findExample } from "./examples.ts";
import { page, table } from "./markdown.ts";
import { describeSchema, readJsonSchema } from "./schema-words.ts";

/** The page of one of all definitions: what the definition says of itself, and its example in each language. */
export function describeDefinition(definition: Definition, all: readonly Definition[]): string {
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
    ...describeErrors(definition, all),
    ...Object.entries(actions).flatMap(([name, action]) => describeAction(type, name, action)),
    ...describeExample(type),
  ]);
}

function describeErrors(definition: Definition, all: readonly Definition[]): readonly string[] {
  const { raises = [] } = definition;
  const causes = listDefinitionErrors(definition, all);
  return [
    "## Errors",
    table(
      ["code", "when"],
      [...causes].map(([code, when]) => [linkCode(code), when.join("; ")]),
    ),
    ...(raises.length === 0 ? [] : [`Met while carrying it out, or looking at it: ${listCodes(raises)}.`]),
    `Of any resource: ${listCodes(commonCodes)}.`,
  ];
}

function listCodes(codes: readonly ErrorCode[]): string {
  return codes.map(linkCode).join(", ");
}

function linkCode(code: ErrorCode): string {
  return `[${code}](errors.md#${code})`;
}

/** The page's resources of other types are their own pages' examples. */
function describeExample(type: string): readonly string[] {
  const example = findExample(type);
  const fence = (language: string, text: string): string => `\`\`\`${language}\n${text}\`\`\``;
  return [
    "## Example",
    "What it refers to is the example of the page of that type. Pulumi:",
    fence("ts", printPulumi([example])),
    "HCL, for Terraform and OpenTofu:",
    fence("hcl", printHcl([example])),
    "cdktf, in the constructor of a stack; for cdktn, import from `cdktn` and `stackyard/cdktn`:",
    fence("ts", printCdktf([example])),
  ];
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
    "Every resource type with its fields, and every error, setting and option. All of it is printed from the code.",
    table(
      ["resource", "what it is"],
      definitions.map(({ type, summary }) => [`[${toClassName(type)}](${type}.md)`, summary]),
    ),
    "[Errors](errors.md) · [Settings](settings.md) · [Scheduler](scheduler.md) · [Topology of a lab](topology.md)",
    "## How to read a field",
    "Besides its own fields each resource has an id, `uuid` in a Pulumi program, known in the preview, and `drift`: what the last refresh found different, a line each. Where a field holds the id of another resource, a program gives the resource itself, and the command line takes its name as well.",
    "What changing a field does to a running server, or to the resource:",
    table(
      ["label", "the change"],
      changeLabels.map((label) => [`\`${label}\``, describeLabel(label)]),
    ),
  ]);
}

function describeType(leaf: Leaf): string {
  const reference = leaf.policy?.references;
  const schema = readJsonSchema(leaf.schema);
  if (reference === undefined) return describeSchema(schema);
  const link = `[${toClassName(reference)}](${reference}.md)`;
  return schema.type === "array" ? `list of ${link}` : link;
}

function describeAbsence(leaf: Leaf): string {
  const { default: preset } = readJsonSchema(leaf.schema);
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
