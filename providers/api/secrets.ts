import { digestSecret, verifySecret, type ScryptCost } from "../authenticate/password.ts";
import { listSecretKeys, policyOf, shapeOf } from "../core/fields.ts";
import type { JsonObject, JsonValue } from "../core/json.ts";
import type { Definition } from "../core/resource.ts";
import { Secret } from "../core/secret.ts";

/** Inputs as they are stored: digests in the place of secrets. An unchanged secret keeps its digest. */
export async function digestInputs(
  definition: Definition,
  inputs: JsonObject,
  stored: JsonObject | undefined,
  cost: ScryptCost,
): Promise<JsonObject> {
  return mapSecrets(definition, inputs, async (key, value) => {
    const before = stored?.[key];
    return digestSecret(new Secret(value), cost, typeof before === "string" ? before : undefined);
  });
}

/** Stored inputs, with secrets that still are the given ones in the clear, so that the two can be compared. */
export async function matchSecrets(
  definition: Definition,
  stored: JsonObject,
  given: JsonObject,
): Promise<JsonObject> {
  return mapSecrets(definition, stored, async (key, digest) => {
    const value = given[key];
    return typeof value === "string" && (await verifySecret(digest, new Secret(value))) ? value : digest;
  });
}

/** Inputs and outputs without their secrets: what a reader may see. */
export function omitSecrets(definition: Definition, inputs: JsonObject): JsonObject {
  const secrets = listSecretKeys(definition.inputs);
  return Object.fromEntries(Object.entries(inputs).filter(([key]) => !secrets.includes(key)));
}

async function mapSecrets(
  definition: Definition,
  inputs: JsonObject,
  change: (key: string, value: string) => Promise<string>,
): Promise<JsonObject> {
  const changed: Record<string, JsonValue | undefined> = { ...inputs };
  for (const key of listSecretKeys(definition.inputs)) {
    const value = inputs[key];
    if (typeof value === "string") changed[key] = await change(key, value);
  }
  return changed;
}

/** Outputs that are given once, by create. */
export function omitOnceOnly(definition: Definition, outputs: JsonObject): JsonObject {
  const shape = shapeOf(definition.outputs);
  return Object.fromEntries(Object.entries(outputs).filter(([key]) => !isOnceOnly(shape[key])));
}

function isOnceOnly(schema: Parameters<typeof policyOf>[0] | undefined): boolean {
  return schema !== undefined && policyOf(schema)?.onceOnly === true;
}
