import type { JsonValue } from "../../providers/core/json.ts";
import { toCamelCase } from "../../providers/core/names.ts";
import { foretoldSummary } from "../../providers/engines/terraform/plan.ts";
import { typeNameOf } from "../../providers/engines/terraform/schema.ts";
import { declare, toConfiguration } from "../support/terraform-core.ts";
import { AttachedProject, type Plan, type TerraformCommand } from "../support/terraform.ts";
import { declareRows, requireType, type DeclaredRow, type Outcome } from "./covering-rows.ts";
import { labelOfWarning, observe, titleOf, whatHappened, withChange, type Verdict } from "./changes.ts";

/** Makes a resource for each covering row, in one configuration, and changes all of them at once. Outcomes by title. */
export async function runCovering(command: TerraformCommand): Promise<ReadonlyMap<string, Outcome>> {
  await using project = await AttachedProject.open(command);
  const { test } = project;
  const all = (await declareRows(test)).map((declared) => ({
    ...declared,
    address: `${typeNameOf(requireType(declared.row.type))}.${declared.name}`,
  }));
  const write = (which: "before" | "after"): void => {
    project.write("");
    project.writeFile("main.tf.json", writeStack(all, which));
  };

  write("before");
  await project.apply();
  write("after");
  const planned = await project.planAndWarn();
  const running = all.map(({ address }) => observe(test, idIn(planned, address)));
  await project.must("apply", "plan.bin");
  const again = await project.planAndWarn();

  return new Map(
    all.flatMap(({ row, address }, index) => {
      const before = running[index];
      if (before === undefined) return [];
      const outcome: Outcome = {
        verdict: verdictIn(planned, address),
        again: again.changes.get(address)?.actions.join("/") ?? "absent",
        happened: whatHappened(row.label, before, observe(test, idIn(again, address))),
      };
      return [[titleOf(row), outcome] as const];
    }),
  );
}

function writeStack(all: readonly DeclaredRow[], which: "before" | "after"): string {
  const resource: Record<string, Record<string, unknown>> = {};
  for (const { row, name, before } of all) {
    const blocks = (resource[typeNameOf(requireType(row.type))] ??= {});
    const declared = declare(row.type, name, before);
    blocks[name] = toConfiguration(
      row.type,
      which === "before" ? declared : withChange(declared, row.change),
    );
  }
  return JSON.stringify({ resource }, (_key, value: JsonValue) => value ?? undefined, 2);
}

/** The id that a resource had before a plan. */
function idIn({ changes }: Plan, address: string): string {
  const id = changes.get(address)?.before?.["id"];
  if (typeof id !== "string") throw new Error(`the plan has no ${address} with an id`);
  return id;
}

function verdictIn({ changes, warnings }: Plan, address: string): Verdict {
  const { actions = [], replace_paths: paths = [] } = changes.get(address) ?? {};
  const isAnew = actions.includes("delete") && actions.includes("create");
  return {
    action: isAnew ? "replace" : actions.includes("update") ? "update" : "none",
    replacing: paths.map(([head]) => toCamelCase(String(head))),
    warned: warnings
      .filter((warning) => warning.address === address && warning.summary !== foretoldSummary)
      .map(({ summary }) => labelOfWarning(summary)),
  };
}
