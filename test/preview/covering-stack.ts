import type { ChangeLabel } from "../../providers/core/change.ts";
import type { JsonObject, JsonValue } from "../../providers/core/json.ts";
import { toCamelCase } from "../../providers/core/names.ts";
import type { Definition } from "../../providers/core/resource.ts";
import { foretoldSummary } from "../../providers/engines/terraform/plan.ts";
import { typeNameOf } from "../../providers/engines/terraform/schema.ts";
import { findDefinition } from "../../providers/registry.ts";
import { addressOfHost, hostInputs, type FullWorld, type TestCloud } from "../support/cloud.ts";
import { cephOfItsOwn } from "../support/ceph.ts";
import { specimenOf } from "../support/specimens.ts";
import { declare, toConfiguration } from "../support/terraform-core.ts";
import { AttachedProject, type Plan, type TerraformCommand } from "../support/terraform.ts";
import { listChanges, type ChangeCase } from "./change-table.ts";
import {
  labelOfWarning,
  makeChangeWorld,
  noOthers,
  observe,
  titleOf,
  whatHappened,
  withChange,
  type Verdict,
} from "./changes.ts";

/** What became of one row. */
export interface Outcome {
  readonly verdict: Verdict;
  /** The action of the plan after the apply. */
  readonly again: string;
  readonly happened: ChangeLabel;
}

/** The first row of each label of each type, with its place in the change table. */
export const coveringRows = listChanges(noOthers)
  .map((row, index) => ({ ...row, index, title: titleOf(row) }))
  .filter(
    ({ type, label }, index, rows) =>
      rows.findIndex((other) => other.type === type && other.label === label) === index,
  );

interface World {
  readonly test: TestCloud;
  readonly small: FullWorld;
}

/** A row as a resource of the configuration. */
interface Declared {
  readonly row: ChangeCase;
  readonly name: string;
  readonly address: string;
  readonly before: JsonObject;
  readonly after: JsonObject;
}

/** Makes a resource for each of these rows, in one configuration, and changes all of them at once. Outcomes by title. */
export async function runCovering(command: TerraformCommand): Promise<ReadonlyMap<string, Outcome>> {
  await using project = await AttachedProject.open(command);
  const { test } = project;
  const { small, other } = await makeChangeWorld(test);
  const table = listChanges(other);
  const all = coveringRows.flatMap(({ index }) => {
    const row = table[index];
    return row === undefined ? [] : [declareRow(row, index, { test, small })];
  });
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

function declareRow(row: ChangeCase, index: number, world: World): Declared {
  const { type } = row;
  const specimen = specimenOf(type, world.test, world.small).inputs;
  const name = `case-${String(index)}`;
  const before = declare(type, name, { ...specimen, ...keepApart(type, index, world), ...row.before });
  return {
    row,
    name,
    address: `${typeNameOf(requireType(type))}.${name}`,
    before,
    after: withChange(before, row.change),
  };
}

/** What two specimens of a type cannot have at once. */
function keepApart(type: string, index: number, { test, small }: World): JsonObject {
  // A network has several subnets here, so that servers name theirs.
  if (type === "server") return { networks: [{ subnet: small.subnet.id }] };
  if (type === "subnet") return { cidr: `10.7.${String(index)}.0/24` };
  if (type === "ceph-cluster") return cephOfItsOwn(test.compute, test.folder, index, small.hosts[0]?.id);
  if (type === "storage-pool") return { pool: `pool-${String(index)}` };
  if (type !== "host") return {};
  test.compute.addMachine(addressOfHost(index), { datapath: "system" });
  // No server of another row comes to lie there.
  return { ...hostInputs(index), enabled: false };
}

function requireType(type: string): Definition {
  const definition = findDefinition(type);
  if (definition === undefined) throw new Error(`no type ${type}`);
  return definition;
}

function writeStack(all: readonly Declared[], which: "before" | "after"): string {
  const resource: Record<string, Record<string, JsonObject>> = {};
  for (const { row, name, [which]: inputs } of all) {
    const blocks = (resource[typeNameOf(requireType(row.type))] ??= {});
    blocks[name] = toConfiguration(row.type, inputs);
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
