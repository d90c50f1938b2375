import type { ResourceView } from "../../core/cloud.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Definition } from "../../core/resource.ts";
import { keysWith, pick } from "./definition-keys.ts";
import { dropUndefined, filledKey, fromCloudInputs, internalsOf } from "./properties.ts";

/** A resource as Pulumi's state holds it. */
export interface DescribedState {
  readonly inputs: JsonObject;
  readonly props: JsonObject;
}

/** How the resources of one definition stand in Pulumi's state. */
export interface StateLayout {
  /** What the cloud never gives back: the state keeps what the program gave. */
  readonly secretInputs: readonly string[];
  /** What the cloud gives once, or not at all to a reader: the state keeps what it has. */
  readonly keptOutputs: readonly string[];
  /** The inputs that the cloud fills in when it applies, as far as `given` leaves them open. */
  listFilled(given: JsonObject): readonly string[];
  /** A resource as found. Secrets, what is given once, and internals are kept from `known`; `filled` are outputs only. */
  describe(view: ResourceView, known: JsonObject, filled: readonly string[]): DescribedState;
}

export function layOutState(definition: Definition): StateLayout {
  const secretInputs = keysWith(definition.inputs, (policy) => policy.secret === true);
  const keptOutputs = keysWith(
    definition.outputs,
    (policy) => policy.secret === true || policy.onceOnly === true,
  );
  const filledByApply = keysWith(definition.inputs, (policy) => policy.computed === "apply");
  return {
    secretInputs,
    keptOutputs,
    listFilled: (given) => filledByApply.filter((key) => given[key] === undefined),
    describe: (view, known, filled) => {
      const found = {
        ...fromCloudInputs({ ...view.inputs, id: view.id }, view.drift),
        ...pick(known, (key) => secretInputs.includes(key)),
        ...internalsOf(known),
      };
      return {
        inputs: pick(found, (key) => !filled.includes(key)),
        props: {
          ...pick(known, (key) => keptOutputs.includes(key)),
          ...dropUndefined(view.outputs),
          ...found,
          [filledKey]: filled,
        },
      };
    },
  };
}
