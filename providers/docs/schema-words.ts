import { z } from "zod";

type Scalar = string | number | boolean;

/** The part of a JSON schema that a type is told from. */
export interface JsonSchema {
  readonly type?: string | undefined;
  readonly enum?: readonly Scalar[] | undefined;
  readonly const?: Scalar | undefined;
  readonly default?: unknown;
  readonly minimum?: number | undefined;
  readonly exclusiveMinimum?: number | undefined;
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
    exclusiveMinimum: z.number().optional(),
    maximum: z.number().optional(),
    items: jsonSchema.optional(),
    additionalProperties: z.unknown().optional(),
  }),
);

/** The part of a field's schema that is shown. */
export function readJsonSchema(schema: z.core.$ZodType): JsonSchema {
  return jsonSchema.parse(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }));
}

/** A type in words. */
export function describeSchema(schema: JsonSchema): string {
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
function describeRange({ minimum, maximum, exclusiveMinimum }: JsonSchema): string {
  if (exclusiveMinimum !== undefined) return ` above ${String(exclusiveMinimum)}`;
  const least = minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? undefined : minimum;
  const most = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (least === undefined && most === undefined) return "";
  if (most === undefined) return ` from ${String(least)}`;
  return least === undefined ? ` up to ${String(most)}` : `, ${String(least)} to ${String(most)}`;
}
