import { z } from "zod";
import type { ChangeLabel } from "../../core/change.ts";
import type { Change, Cloud, ResourceView } from "../../core/cloud.ts";
import { hasCode } from "../../core/errors.ts";
import { policyOf, shapeOf, unwrapSchema } from "../../core/fields.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import type { Definition, Drift } from "../../core/resource.ts";
import { listReferences } from "../../core/validate.ts";
import type { Column } from "./table.ts";

const masked = "[secret]";

/** Shown for a value that is not there. */
export const absent = "-";

/** A resource as `--json` prints it. Keys and their order are part of the interface. */
export function toJsonView(definition: Definition, view: ResourceView): JsonObject {
  const { record } = view;
  return {
    id: view.id,
    type: view.type,
    name: record.name,
    status: record.status,
    projectId: record.projectId,
    // `apply` gives the id among the inputs, `read` does not: here it is in one place only.
    inputs: { ...maskSecrets(definition.inputs, view.inputs), id: undefined },
    outputs: maskSecrets(definition.outputs, view.outputs),
    drift: view.drift.map(toJsonDrift),
    fault: record.fault === undefined ? null : { ...record.fault },
    // The server that has made a volume for itself.
    ...(record.owner === undefined ? {} : { ownerId: record.owner }),
    createdAt: record.createdAt,
    updatedAt: record.updatedAt,
  };
}

/** A drift as `--json` prints it. */
export function toJsonDrift({ host, field, expected, found, repair, label }: Drift): JsonObject {
  return { host: host ?? null, field, expected, found, repair, label: label ?? null };
}

/** A change as `--json` prints it. */
export interface JsonChange {
  readonly action: Change["action"];
  readonly label: ChangeLabel | null;
  readonly fields: readonly {
    readonly field: string;
    readonly from: JsonValue;
    readonly to: JsonValue;
    readonly label: ChangeLabel;
  }[];
}

/** A change with its secrets masked. */
export function toJsonChange(definition: Definition, change: Change): JsonChange {
  const shape = shapeOf(definition.inputs);
  const mask = (field: string, value: JsonValue | undefined): JsonValue => {
    const schema = shape[field];
    return value === undefined || schema === undefined ? (value ?? null) : maskField(schema, value);
  };
  return {
    action: change.action,
    label: change.label ?? null,
    fields: change.fields.map(({ field, from, to, label }) => ({
      field,
      from: mask(field, from),
      to: mask(field, to),
      label,
    })),
  };
}

/** A copy with the known fields in the order of the schema, in which each secret shows as `[secret]`. */
export function maskSecrets(schema: z.ZodObject, value: JsonObject): JsonObject {
  const shape = shapeOf(schema);
  const known = Object.entries(shape).flatMap(([key, field]): [string, JsonValue][] => {
    const entry = value[key];
    return entry === undefined ? [] : [[key, maskField(field, entry)]];
  });
  const others = Object.entries(value).filter(([key]) => !Object.hasOwn(shape, key));
  return Object.fromEntries([...known, ...others]);
}

function maskField(schema: z.core.$ZodType, value: JsonValue): JsonValue {
  if (policyOf(schema)?.secret === true) return masked;
  const inner = unwrapSchema(schema);
  if (inner instanceof z.ZodObject && isJsonObject(value)) return maskSecrets(inner, value);
  if (inner instanceof z.ZodArray && Array.isArray(value)) {
    return (value as readonly JsonValue[]).map((entry) => maskField(inner.element, entry));
  }
  return value;
}

/** Names of the resources that views refer to, by id. What the user may not list keeps its id. */
export async function readReferencedNames(
  cloud: Cloud,
  definition: Definition,
  views: readonly ResourceView[],
): Promise<ReadonlyMap<string, string>> {
  const types = new Set(
    views.flatMap((view) => listReferences(definition, view.inputs).map((reference) => reference.type)),
  );
  const names = new Map<string, string>();
  for (const type of types) {
    try {
      for (const view of await cloud.list(type)) names.set(view.id, view.record.name);
    } catch (error) {
      if (!hasCode(error, "forbidden")) throw error;
    }
  }
  return names;
}

/** A value in one cell: text as it is, ids of known resources as their names, the rest as JSON. */
export function formatValue(value: JsonValue | undefined, names: ReadonlyMap<string, string>): string {
  if (value === undefined || value === null) return absent;
  if (typeof value === "string") return names.get(value) ?? value;
  if (typeof value !== "object") return String(value);
  if (!isJsonObject(value) && value.every((entry) => typeof entry !== "object")) {
    return value.map((entry) => formatValue(entry, names)).join(", ");
  }
  return JSON.stringify(value, (_key, entry: JsonValue) =>
    typeof entry === "string" ? (names.get(entry) ?? entry) : entry,
  );
}

export const propertyColumns: readonly Column[] = [{ title: "FIELD" }, { title: "VALUE" }];

/**
 * Every field of a resource by name: what the record says of itself, inputs, outputs. A resource that has a status of its own,
 * such as a server, shows that once its record is in order.
 */
function toFields(definition: Definition, view: ResourceView): JsonObject {
  const { id, name, createdAt, updatedAt, inputs, outputs } = toJsonView(definition, view);
  const ownStatus = view.record.status === "active" ? view.outputs["status"] : undefined;
  const envelope = { id, name, status: ownStatus ?? view.record.status, createdAt, updatedAt };
  return {
    ...envelope,
    ...(isJsonObject(inputs) ? inputs : {}),
    ...(isJsonObject(outputs) ? outputs : {}),
    ...envelope,
  };
}

/** A resource as rows of field and value. */
export function toProperties(
  definition: Definition,
  view: ResourceView,
  names: ReadonlyMap<string, string>,
): readonly (readonly string[])[] {
  const { fault, owner } = view.record;
  return [
    ...Object.entries(toFields(definition, view)).map(([field, value]) => [
      field,
      formatField(field, value, names),
    ]),
    ...(owner === undefined ? [] : [["ownerId", owner]]),
    ...(fault === undefined ? [] : [["fault", `${fault.message} [${fault.code}] at ${fault.at}`]]),
    ...view.drift.map((drift) => [
      `drift: ${drift.field}`,
      `expected ${drift.expected}, found ${drift.found}`,
    ]),
  ];
}

function formatField(
  field: string,
  value: JsonValue | undefined,
  names: ReadonlyMap<string, string>,
): string {
  return formatValue(value, field === "id" ? new Map() : names);
}

/** Most fields that a listing shows beside id, name and status, unless columns are asked for. */
const usualFieldCount = 4;

/** The fields that a listing shows by default: the first plain ones, what is observed before what is desired. */
export function listUsualFields(definition: Definition): readonly string[] {
  const plain = [
    ...Object.entries(shapeOf(definition.outputs)),
    ...Object.entries(shapeOf(definition.inputs)),
  ]
    .filter(([, schema]) => policyOf(schema)?.secret !== true && isPlain(schema))
    .map(([key]) => key)
    .filter((key) => !["name", "status", "description", "project"].includes(key) && !key.endsWith("Id"));
  return ["id", "name", "status", ...[...new Set(plain)].slice(0, usualFieldCount)];
}

function isPlain(schema: z.core.$ZodType): boolean {
  const inner = unwrapSchema(schema);
  return !(inner instanceof z.ZodObject || inner instanceof z.ZodArray || inner instanceof z.ZodRecord);
}

/** Every field that a listing of this type can show. */
export function listFields(definition: Definition): readonly string[] {
  const own = ["id", "name", "status", "createdAt", "updatedAt"];
  return [
    ...new Set([
      ...own,
      ...Object.keys(shapeOf(definition.inputs)),
      ...Object.keys(shapeOf(definition.outputs)),
    ]),
  ];
}

/** A resource as a row of these fields. */
export function toRow(
  definition: Definition,
  view: ResourceView,
  fields: readonly string[],
  names: ReadonlyMap<string, string>,
): readonly string[] {
  const values = toFields(definition, view);
  return fields.map((field) => formatField(field, values[field], names));
}
