import { expect } from "vitest";
import type { JsonObject } from "../../providers/core/json.ts";
import type { TestCloud } from "../support/cloud.ts";
import { declare, idOf, TerraformCore } from "../support/terraform-core.ts";
import { foretoldSummary } from "../../providers/engines/terraform/plan.ts";
import { describeChanges, labelOfWarning, type ChangeDriver } from "./changes.ts";

/** The provider under Terraform's rules, in the order in which its core calls. */
function openTerraform(test1: TestCloud): ChangeDriver {
  const core = new TerraformCore(test1);
  const apply = async (type: string, name: string, inputs: JsonObject, prior?: JsonObject) => {
    const state = await core.apply(type, declare(type, name, inputs), prior);
    return { id: idOf(state), state };
  };
  return {
    create: apply,
    preview: async (type, name, { state }, inputs) => {
      const { action, replacing, warnings } = await core.plan(type, declare(type, name, inputs), state);
      expect(action).not.toBe("create");
      return {
        action: action === "create" ? "none" : action,
        replacing,
        warned: warnings.filter((summary) => summary !== foretoldSummary).map(labelOfWarning),
      };
    },
    apply: (type, name, { state }, inputs) => apply(type, name, inputs, state),
  };
}

describeChanges("Terraform", openTerraform);
