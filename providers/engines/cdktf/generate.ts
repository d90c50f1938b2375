/**
 * Prints the constructs that programs use, `constructs.gen.ts`, from the attributes that Terraform is told, and all of it once more for
 * cdktn, cdktf's successor, which differs by the name of the library only. Run it after a change of a definition, or of `resource.ts`:
 * `node providers/engines/cdktf/generate.ts`.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { describeChange } from "../../core/change-text.ts";
import { printComment } from "../../core/doc-comment.ts";
import { toClassName } from "../../core/names.ts";
import type { Definition } from "../../core/resource.ts";
import { definitions } from "../../registry.ts";
import { providerAttributes } from "../terraform/provider-settings.ts";
import {
  dataSourceAttributes,
  resourceAttributes,
  typeNameOf,
  type Attribute,
  type AttributeType,
} from "../terraform/schema.ts";

/** The source text of all constructs. `baseModule` is where `StackyardResource` comes from. */
export function generateConstructs(all: readonly Definition[], baseModule = "./resource.ts"): string {
  const header = [
    "// Generated from the definitions by providers/engines/cdktf/generate.ts. Do not edit.",
    'import { ComplexObject, type IResolvable, type TerraformMetaArguments } from "cdktf";',
    'import type { Construct } from "constructs";',
    `import { OutputList, StackyardDataSource, StackyardProviderBase, StackyardResource } from ${JSON.stringify(baseModule)};`,
  ];
  return `${[header.join("\n"), ...printProvider(), ...all.flatMap(printDefinition)].join("\n\n")}\n`;
}

/** A module of ours for cdktf as one for cdktn. Types and synthesised JSON are the same. */
export function toCdktn(source: string): string {
  return source.replaceAll('from "cdktf";', 'from "cdktn";').replaceAll("stackyard/cdktf", "stackyard/cdktn");
}

function printProvider(): string[] {
  const members = [
    ...providerAttributes.map((attribute) =>
      printMember(attribute, "", [attribute.description.replaceAll("`", "")]),
    ),
    `${printComment(["Name among several configurations of the provider."], "  ")}  readonly alias?: string | undefined;`,
  ];
  return [
    `${printComment(["How the provider reaches the cloud; what is left out is the environment's."], "")}export interface StackyardProviderConfig {\n${members.join("\n")}\n}`,
    [
      `${printComment(['The provider, which every stack needs: `new StackyardProvider(this, "stackyard")`.'], "")}export class StackyardProvider extends StackyardProviderBase {`,
      "  constructor(scope: Construct, id: string, config: StackyardProviderConfig = {}) {",
      "    super(scope, id, config);",
      "  }",
      "}",
    ].join("\n"),
  ];
}

function printDefinition(definition: Definition): string[] {
  const name = toClassName(definition.type);
  const attributes = resourceAttributes(definition);
  const found = dataSourceAttributes(definition);
  const inputs = attributes.filter(isInput);
  const keys = found.filter(isInput);
  const summary = `${definition.summary} Terraform's \`${typeNameOf(definition)}\`.`;
  return [
    ...attributes.flatMap((attribute) => printNested(attribute, name)),
    printConfig(name, `What a {@link ${name}} is to be.`, inputs, (attribute) =>
      documentInput(attribute, attributes),
    ),
    printClass(definition, {
      name,
      base: "StackyardResource",
      summary,
      members: attributes.filter(({ writeOnly }) => !writeOnly),
      inputs,
    }),
    printConfig(`Data${name}`, `What a {@link Data${name}} is found by.`, keys, ({ key }) => [
      `The ${key} of the ${definition.type}.`,
    ]),
    printClass(definition, {
      name: `Data${name}`,
      base: "StackyardDataSource",
      summary: `Finds a {@link ${name}} that something else has made.`,
      members: found,
      inputs: keys,
    }),
  ];
}

/** Whether a program may give it. */
function isInput({ required, optional }: Attribute): boolean {
  return required || optional;
}

/** The types of the objects in an attribute: what is given, and what is found. */
function printNested(attribute: Attribute, outer: string): string[] {
  const { type, key } = attribute;
  if (!("attributes" in type)) return [];
  const name = nestedName(outer, key);
  const inner = type.attributes.flatMap((nested) => printNested(nested, name));
  const members = type.attributes.map((nested) =>
    printMember(nested, name, documentInput(nested, type.attributes, false)),
  );
  const input = isInput(attribute) ? [`export interface ${name} {\n${members.join("\n")}\n}`] : [];
  const getters = type.attributes.map((nested) => printGetter(nested, name));
  return [
    ...inner,
    ...input,
    `${printComment([`\`${key}\` of a {@link ${outer}}, as found.`], "")}export class ${name}Output extends ComplexObject {\n${getters.join("\n")}\n}`,
  ];
}

function printConfig(
  name: string,
  title: string,
  inputs: readonly Attribute[],
  document: (attribute: Attribute) => readonly string[],
): string {
  const members = inputs.map((attribute) => printMember(attribute, name, document(attribute)));
  return `${printComment([title], "")}export interface ${name}Config extends TerraformMetaArguments {\n${members.join("\n")}\n}`;
}

interface ClassParts {
  readonly name: string;
  readonly base: "StackyardResource" | "StackyardDataSource";
  readonly summary: string;
  readonly members: readonly Attribute[];
  readonly inputs: readonly Attribute[];
}

function printClass(definition: Definition, { name, base, summary, members, inputs }: ClassParts): string {
  const isNamed = base === "StackyardResource" && inputs.some(isName);
  const mayLackAll = inputs.every((attribute) => !isRequired(attribute));
  return [
    `${printComment([summary], "")}export class ${name} extends ${base} {`,
    `  static readonly tfResourceType = ${JSON.stringify(typeNameOf(definition))};`,
    "",
    `  constructor(scope: Construct, id: string, config: ${name}Config${mayLackAll ? " = {}" : ""}) {`,
    `    const shape = { type: ${name}.tfResourceType, objects: ${printObjects(inputs)} };`,
    `    super(scope, id, shape, ${isNamed ? "{ ...config, name: config.name ?? id }" : "config"});`,
    "  }",
    ...members.map((attribute) => `\n${printGetter(attribute, name.replace(/^Data/, ""))}`),
    "}",
  ].join("\n");
}

/** The fields that hold objects, each with its own. */
function printObjects(attributes: readonly Attribute[]): string {
  const entries = attributes.flatMap(({ key, type }) =>
    "attributes" in type ? [`${key}: ${printObjects(type.attributes)}`] : [],
  );
  return `{ ${entries.join(", ")} }`;
}

/** A construct's own id is its name, unless another is given. */
function isName({ key }: Attribute): boolean {
  return key === "name";
}

function isRequired(attribute: Attribute): boolean {
  return attribute.required && !isName(attribute);
}

function nestedName(outer: string, key: string): string {
  return outer + key.charAt(0).toUpperCase() + key.slice(1);
}

/** A property of a configuration. */
function printMember(attribute: Attribute, outer: string, paragraphs: readonly string[]): string {
  const type = printInputType(attribute.type, nestedName(outer, attribute.key), attribute.input?.references);
  const [mark, suffix] = isRequired(attribute) ? ["", ""] : ["?", " | undefined"];
  return `${printComment(paragraphs, "  ")}  readonly ${attribute.key}${mark}: ${type}${suffix};`;
}

/** The type of a value that may hold tokens: texts, numbers, lists and maps can by themselves. */
function printInputType(type: AttributeType, name: string, reference?: string): string {
  const referred =
    reference === undefined ? "" : `${toClassName(reference)} | Data${toClassName(reference)} | `;
  switch (type.kind) {
    case "string":
      return type.options === undefined
        ? `${referred}string`
        : // An editor proposes the options, and a token is a text like any other.
          `${type.options.map((option) => JSON.stringify(option)).join(" | ")} | (string & Record<never, never>)`;
    case "number":
      return "number";
    case "bool":
      return "boolean | IResolvable";
    case "list":
      return `readonly (${printInputType(type.element, name, reference)})[]`;
    case "map":
      return `Readonly<Record<string, ${printInputType(type.element, name)}>>`;
    case "object":
      return `${name} | IResolvable`;
    case "objects":
      return `readonly ${name}[] | IResolvable`;
  }
}

/** A property by which a program refers to what the provider will have found. */
function printGetter(attribute: Attribute, outer: string): string {
  const { type, value } = printOutput(attribute.type, JSON.stringify(attribute.name), {
    name: `${nestedName(outer, attribute.key)}Output`,
    attribute,
  });
  const comment = printComment(documentOutput(attribute), "  ");
  return `${comment}  get ${attribute.key}(): ${type} {\n    return ${value};\n  }`;
}

function printOutput(
  type: AttributeType,
  attributeName: string,
  { name, attribute }: { readonly name: string; readonly attribute: Attribute },
): { readonly type: string; readonly value: string } {
  const by = (method: string): string => `this.get${method}Attribute(${attributeName})`;
  switch (type.kind) {
    case "string":
      return { type: "string", value: by("String") };
    case "number":
      return { type: "number", value: by("Number") };
    case "bool":
      return { type: "IResolvable", value: by("Boolean") };
    case "list":
      if (type.element.kind === "string") return { type: "string[]", value: by("List") };
      break;
    case "map":
      if (type.element.kind === "string") return { type: "Record<string, string>", value: by("StringMap") };
      break;
    case "object":
      return { type: name, value: `new ${name}(this, ${attributeName}, false)` };
    case "objects":
      return { type: `OutputList<${name}>`, value: `new OutputList(this, ${attributeName}, ${name})` };
  }
  throw new TypeError(
    `${attribute.key}: the generator has no getter for a ${type.kind} of ${type.element.kind}; add it to printOutput`,
  );
}

/** The paragraphs of an input's comment. Only a whole top-level input is compared, so only there a change has a label. */
function documentInput(attribute: Attribute, among: readonly Attribute[], isTop = true): readonly string[] {
  const { input, preset, type } = attribute;
  if (input === undefined || attribute.sensitive) return [byKeys(attribute.description, among)];
  const lines = [input.doc];
  if (input.references !== undefined) {
    const link = `{@link ${toClassName(input.references)}}`;
    lines.push(
      type.kind === "list"
        ? `Takes ${link} constructs, or their ids.`
        : `Takes the ${link} itself, or its id.`,
    );
  }
  if (isTop) lines.push(describeChange(input.change ?? "live"));
  if (preset !== undefined) lines.push(`@default ${JSON.stringify(preset)}`);
  if (isName(attribute)) lines.push("@default the construct's id");
  return lines;
}

function documentOutput({ key, input, output, description, sensitive }: Attribute): readonly string[] {
  if (key === "id") return ["Id in the cloud, known in the plan."];
  const doc = (output ?? input)?.doc ?? description;
  return sensitive ? [doc, "Secret: an output of it must be sensitive."] : [doc];
}

/** A text that names attributes as Terraform has them, with the names that they have here. */
function byKeys(text: string, among: readonly Attribute[]): string {
  return among.reduce((changed, { name, key }) => changed.replaceAll(`\`${name}\``, `\`${key}\``), text);
}

/** {@link generateConstructs} in the project's style. Development only: prettier is not there in an installed package. */
export async function formatConstructs(all: readonly Definition[], baseModule?: string): Promise<string> {
  const { format } = await import("prettier");
  return format(generateConstructs(all, baseModule), { parser: "typescript", printWidth: 110 });
}

const engines = new URL("../", import.meta.url);

/** All generated files by path under `providers/engines`. */
export async function renderConstructs(): Promise<ReadonlyMap<string, string>> {
  const constructs = await formatConstructs(definitions);
  const copy = (file: string): string =>
    `// Generated from ../cdktf/${file} by providers/engines/cdktf/generate.ts. Do not edit.\n${toCdktn(
      readFileSync(new URL(`cdktf/${file}`, engines), "utf8"),
    )}`;
  return new Map([
    ["cdktf/constructs.gen.ts", constructs],
    ["cdktn/constructs.gen.ts", toCdktn(constructs).replace("./resource.ts", "./resource.gen.ts")],
    ["cdktn/resource.gen.ts", copy("resource.ts")],
  ]);
}

if (import.meta.main) {
  mkdirSync(new URL("cdktn", engines), { recursive: true });
  for (const [path, text] of await renderConstructs()) writeFileSync(new URL(path, engines), text);
}
