import { z } from "zod";
import { worseLabel, type ChangeLabel } from "../../core/change.ts";
import { diffInputs, labelReplacement } from "../../core/diff.ts";
import { StackyardError } from "../../core/errors.ts";
import { shapeOf, unwrapSchema } from "../../core/fields.ts";
import { isJsonObject, textOf, type JsonObject, type JsonValue } from "../../core/json.ts";
import { toSnakeCase } from "../../core/names.ts";
import type { Definition } from "../../core/resource.ts";
import { toKebabCase } from "./text.ts";
import { toJsonChange, type JsonChange } from "./view.ts";

/** What writes the documents that a report can be made of. */
export const diffFormats = ["pulumi", "terraform", "stackyard"] as const;
export type DiffFormat = (typeof diffFormats)[number];

/** What is to happen to one resource. */
export interface ResourceDiff {
  /** Name for the reader: `server web`. */
  readonly name: string;
  /** What `--allow` may call it: the engine's address first. */
  readonly addresses: readonly string[];
  readonly action: "create" | "update" | "replace" | "delete" | "drift";
  /** What it does to a running server; absent for what is new, or goes, or is none of ours. */
  readonly label?: ChangeLabel;
  /** Fields with their values, secrets masked. */
  readonly changes: readonly { readonly field: string; readonly from: JsonValue; readonly to: JsonValue }[];
}

/** The changes that a document tells, without what stays as it is. Raises `invalid-input` for a document of another kind. */
export function readDiffs(
  document: JsonValue,
  format: DiffFormat | undefined,
  definitions: readonly Definition[],
): readonly ResourceDiff[] {
  const kind = format ?? detectFormat(document);
  try {
    switch (kind) {
      case "pulumi":
        return readPulumi(document, definitions);
      case "terraform":
        return readTerraform(document, definitions);
      case "stackyard":
        return readStackyard(document);
      case undefined:
        throw new RangeError("neither steps nor resource_changes nor findings");
    }
  } catch (cause) {
    if (cause instanceof StackyardError) throw cause;
    throw new StackyardError("invalid-input", {
      message: `the file does not hold ${kind === undefined ? "a preview or a plan" : `a preview of ${kind}`}`,
      field: "FILE",
      remedy:
        "Give it what pulumi preview --json, terraform show -json PLAN, stackyard preview --json or stackyard drift --json prints.",
      cause,
    });
  }
}

function detectFormat(document: JsonValue): DiffFormat | undefined {
  const [first] = Array.isArray(document) ? (document as readonly JsonValue[]) : [document];
  if (!isJsonObject(first)) return undefined;
  if ("resource_changes" in first || "terraform_version" in first) return "terraform";
  if ("steps" in first || "changeSummary" in first) return "pulumi";
  return "findings" in first || "change" in first ? "stackyard" : undefined;
}

const inputsSchema = z.record(z.string(), z.json());
const stateSchema = z.object({ type: z.string(), inputs: inputsSchema.default({}) });
const pulumiSchema = z.object({
  steps: z
    .array(
      z.object({
        op: z.string(),
        urn: z.string(),
        oldState: stateSchema.optional(),
        newState: stateSchema.optional(),
      }),
    )
    .default([]),
});

/** Token of our dynamic resources. */
const pulumiToken = /^pulumi-nodejs:dynamic\/stackyard:(\w+)$/;

const pulumiActions: Readonly<Record<string, ResourceDiff["action"]>> = {
  create: "create",
  update: "update",
  delete: "delete",
  replace: "replace",
  "create-replacement": "replace",
  "delete-replaced": "replace",
  import: "create",
};

/** A replacement is three steps of one URN. */
function readPulumi(document: JsonValue, definitions: readonly Definition[]): readonly ResourceDiff[] {
  const byUrn = Map.groupBy(pulumiSchema.parse(document).steps, ({ urn }) => urn);
  return [...byUrn].flatMap(([urn, steps]): readonly ResourceDiff[] => {
    const [action] = steps.flatMap(({ op }) => pulumiActions[op] ?? []);
    const old = steps.find(({ oldState }) => oldState !== undefined)?.oldState;
    const next = steps.find(({ newState }) => newState !== undefined)?.newState;
    const token = next?.type ?? old?.type ?? "";
    if (action === undefined || token === "pulumi:pulumi:Stack") return [];
    const logical = urn.slice(urn.lastIndexOf("::") + 2);
    const className = pulumiToken.exec(token)?.[1];
    const type = className === undefined ? undefined : toKebabCase(className).replace(/^-/, "");
    const name = `${type ?? token} ${logical}`;
    const addresses = [urn, ...(className === undefined ? [] : [`${className}.${logical}`])];
    const definition = definitions.find((candidate) => candidate.type === type);
    const states = { before: old?.inputs ?? {}, after: next?.inputs ?? {} };
    return [{ name, addresses, action, ...judge(definition, action, states) }];
  });
}

const terraformSchema = z.object({
  resource_changes: z
    .array(
      z.object({
        address: z.string(),
        mode: z.string().default("managed"),
        type: z.string(),
        change: z.object({
          actions: z.array(z.string()),
          before: inputsSchema.nullish(),
          after: inputsSchema.nullish(),
          after_unknown: z.json().optional(),
        }),
      }),
    )
    .default([]),
});

function readTerraform(document: JsonValue, definitions: readonly Definition[]): readonly ResourceDiff[] {
  return terraformSchema.parse(document).resource_changes.flatMap((entry): readonly ResourceDiff[] => {
    const { actions, before, after, after_unknown: unknown = {} } = entry.change;
    const action = terraformAction(actions);
    if (action === undefined || entry.mode !== "managed") return [];
    const definition = definitions.find(({ type }) => `stackyard_${toSnakeCase(type)}` === entry.type);
    const states = {
      before: fromTerraform(definition, before ?? {}),
      after: fromTerraform(definition, { ...after, ...(isJsonObject(unknown) ? nameUnknown(unknown) : {}) }),
    };
    return [
      { name: entry.address, addresses: [entry.address], action, ...judge(definition, action, states) },
    ];
  });
}

function terraformAction(actions: readonly string[]): ResourceDiff["action"] | undefined {
  if (actions.includes("create") && actions.includes("delete")) return "replace";
  const [only] = actions;
  return only === "create" || only === "update" || only === "delete" ? only : undefined;
}

/** Shown for a value that is known only after the apply. */
const laterValue = "(known after apply)";

function nameUnknown(unknown: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(unknown).flatMap(([key, isUnknown]) => (isUnknown === true ? [[key, laterValue]] : [])),
  );
}

/** The inputs under their own names, absent ones left out. */
function fromTerraform(definition: Definition | undefined, values: JsonObject): JsonObject {
  return definition === undefined ? {} : pickFields(definition.inputs, values);
}

function pickFields(schema: z.ZodObject, values: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(shapeOf(schema)).flatMap(([key, field]) => {
      const value = values[toSnakeCase(key)];
      return value === undefined || value === null ? [] : [[key, pickValue(field, value)]];
    }),
  );
}

function pickValue(schema: z.core.$ZodType, value: JsonValue): JsonValue {
  const inner = unwrapSchema(schema);
  if (inner instanceof z.ZodObject && isJsonObject(value)) return pickFields(inner, value);
  if (inner instanceof z.ZodArray && Array.isArray(value))
    return (value as readonly JsonValue[]).map((entry) => pickValue(inner.element, entry));
  return value;
}

/** Label and fields by the change table. What an engine makes anew is replaced, whatever the table says of its fields. */
function judge(
  definition: Definition | undefined,
  action: ResourceDiff["action"],
  { before, after }: { readonly before: JsonObject; readonly after: JsonObject },
): Pick<ResourceDiff, "label" | "changes"> {
  if (definition === undefined || action === "create" || action === "delete") return { changes: [] };
  const keys = Object.keys(shapeOf(definition.inputs));
  const pick = (values: JsonObject): JsonObject =>
    Object.fromEntries(keys.flatMap((key) => (values[key] === undefined ? [] : [[key, values[key]]])));
  const change = toJsonChange(definition, diffInputs(definition, pick(before), pick(after)));
  const label = change.label ?? "live";
  return {
    label: action === "replace" ? worseLabel(label, labelReplacement(definition)) : label,
    changes: change.fields,
  };
}

const changeLabelSchema = z.enum(["live", "reboot", "restart", "replace", "data-loss"]);
const previewSchema = z.object({
  type: z.string(),
  change: z.object({
    action: z.enum(["create", "update", "replace", "none"]),
    label: changeLabelSchema.nullable(),
    fields: z.array(z.object({ field: z.string(), from: z.json(), to: z.json(), label: changeLabelSchema })),
  }),
  inputs: inputsSchema,
});
const driftSchema = z.object({
  findings: z.array(
    z.object({
      type: z.string(),
      id: z.string(),
      name: z.string(),
      field: z.string(),
      expected: z.string(),
      found: z.string(),
      label: changeLabelSchema.nullable(),
    }),
  ),
});

/** One preview, a list of them, or a report of drift. */
function readStackyard(document: JsonValue): readonly ResourceDiff[] {
  if (Array.isArray(document)) return (document as readonly JsonValue[]).flatMap(readStackyard);
  if (isJsonObject(document) && "findings" in document) return readDrift(document);
  const { type, change, inputs } = previewSchema.parse(document);
  if (change.action === "none") return [];
  const shown: JsonChange = change;
  return [
    {
      ...named(type, textOf(inputs, "name") ?? textOf(inputs, "id") ?? "", textOf(inputs, "id") ?? ""),
      action: change.action,
      ...(change.label === null ? {} : { label: change.label }),
      changes: shown.fields,
    },
  ];
}

function readDrift(document: JsonValue): readonly ResourceDiff[] {
  const byId = Map.groupBy(driftSchema.parse(document).findings, ({ id }) => id);
  return [...byId].flatMap(([id, findings]): readonly ResourceDiff[] => {
    const [first] = findings;
    if (first === undefined) return [];
    const labels = findings.flatMap(({ label }) => (label === null ? [] : [label]));
    const label = labels.length === 0 ? undefined : labels.reduce(worseLabel);
    return [
      {
        ...named(first.type, first.name, id),
        action: "drift",
        ...(label === undefined ? {} : { label }),
        changes: findings.map(({ field, expected, found }) => ({ field, from: found, to: expected })),
      },
    ];
  });
}

function named(type: string, name: string, id: string): Pick<ResourceDiff, "name" | "addresses"> {
  return { name: `${type} ${name}`, addresses: [`${type}/${name}`, id] };
}
