import type { ResourceView } from "../../core/cloud.ts";
import { listSecretKeys } from "../../core/fields.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Definition, Drift } from "../../core/resource.ts";
import { listDependencies } from "../../core/validate.ts";
import { keysWith } from "./definition-keys.ts";
import { stateVersion } from "./properties.ts";
import { layOutState } from "./resource-state.ts";
import { serialisedProvider } from "./serialised-provider.ts";
import { typeToken } from "./type-token.ts";

/** A resource to import. */
export interface ImportWish {
  readonly definition: Definition;
  readonly view: ResourceView;
  /** Name that the program declares it by. Default: the resource's own, with the beginning of its id where several of a type would have the same. */
  readonly name: string | undefined;
}

/** A resource in the file (pulumi: pkg/cmd/pulumi/operations/import.go, `importSpec`). With `outputs`, Pulumi asks no provider about it. */
export interface ImportEntry {
  readonly type: string;
  readonly name: string;
  readonly id: string;
  readonly inputs: JsonObject;
  readonly outputs: JsonObject;
}

/** A wish as it stands in the file, and what a reader has to know about it. */
export interface PlannedImport {
  readonly wish: ImportWish;
  readonly entry: ImportEntry;
  /** Inputs that only the program knows: the first update sets them. */
  readonly secrets: readonly string[];
  /** Outputs that the cloud gave once, with what it filled in itself: the stack will not have them. */
  readonly missing: readonly string[];
}

/** The entries of `pulumi import --file`, with what a resource refers to before it. No value in them is a secret. */
export function planImports(wishes: readonly ImportWish[]): readonly PlannedImport[] {
  const names = nameAll(wishes);
  return sortByDependencies(wishes).map((wish) => planImport(wish, names.get(wish) ?? wish.view.record.name));
}

function planImport(wish: ImportWish, name: string): PlannedImport {
  const { definition, view } = wish;
  const { record, id } = view;
  const layout = layOutState(definition);
  const filled = layout.listFilled(view.inputs);
  const { inputs, props } = layout.describe(
    { ...view, drift: record.status === "error" ? [describeFault(view)] : [] },
    {
      __provider: serialisedProvider(definition.type),
      __maker: record.maker ?? id,
      __defaultName: name,
      __v: stateVersion,
    },
    filled,
  );
  return {
    wish,
    entry: { type: typeToken(definition.type), name, id, inputs, outputs: props },
    secrets: listSecretKeys(definition.inputs),
    missing: keysWith(
      definition.outputs,
      ({ onceOnly, follows = filled }) => onceOnly === true && follows.some((key) => filled.includes(key)),
    ),
  };
}

/** A failed task as a drift: the next update repairs it. */
function describeFault({ record }: ResourceView): Drift {
  const found = record.fault === undefined ? "its last task failed" : record.fault.message;
  return { field: "resource", expected: "whole", found, repair: "goes on with it" };
}

/** A name for each wish, no two of a type alike. */
function nameAll(wishes: readonly ImportWish[]): ReadonlyMap<ImportWish, string> {
  const names = new Map<ImportWish, string>();
  for (const ofType of Map.groupBy(wishes, ({ view }) => view.type).values()) {
    const counts = Map.groupBy(ofType, ({ name, view }) => name ?? view.record.name);
    for (const wish of ofType) {
      const plain = wish.name ?? wish.view.record.name;
      const isAlone = counts.get(plain)?.length === 1;
      names.set(wish, wish.name ?? (isAlone ? plain : `${plain}-${wish.view.id.slice(0, 8)}`));
    }
  }
  return names;
}

/** The same wishes, each after those that it depends on; else in the order given. */
function sortByDependencies(wishes: readonly ImportWish[]): readonly ImportWish[] {
  const byId = new Map<string, ImportWish>(wishes.map((wish) => [wish.view.id, wish]));
  const sorted = new Set<ImportWish>();
  const begun = new Set<ImportWish>();
  const add = (wish: ImportWish): void => {
    if (begun.has(wish)) return;
    begun.add(wish);
    for (const { id } of listDependencies(wish.definition, wish.view)) {
      const needed = byId.get(id);
      if (needed !== undefined) add(needed);
    }
    sorted.add(wish);
  };
  for (const wish of wishes) add(wish);
  return [...sorted];
}
