import type { ChangeLabel } from "../../providers/core/change.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import type { Definition } from "../../providers/core/resource.ts";
import { findDefinition } from "../../providers/registry.ts";
import { cephOfItsOwn } from "../support/ceph.ts";
import { addressOfHost, hostInputs, type FullWorld, type TestCloud } from "../support/cloud.ts";
import { specimenOf } from "../support/specimens.ts";
import { listChanges, type ChangeCase } from "./change-table.ts";
import { makeChangeWorld, noOthers, titleOf, withChange, type Verdict } from "./changes.ts";

/** What became of one row. */
export interface Outcome {
  readonly verdict: Verdict;
  /** What the plan after the apply would do, in the engine's words. */
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

/** A row as a resource of one stack with all the others. */
export interface DeclaredRow {
  readonly row: ChangeCase;
  readonly name: string;
  readonly before: JsonObject;
  readonly after: JsonObject;
}

/** Makes what rows refer to, and gives what a stack declares of each. */
export async function declareRows(test: TestCloud): Promise<readonly DeclaredRow[]> {
  const { small, other } = await makeChangeWorld(test);
  const table = listChanges(other);
  return coveringRows.flatMap(({ index }) => {
    const row = table[index];
    return row === undefined ? [] : [declareRow(row, index, test, small)];
  });
}

function declareRow(row: ChangeCase, index: number, test: TestCloud, small: FullWorld): DeclaredRow {
  const { type } = row;
  const specimen = specimenOf(type, test, small).inputs;
  const before = { ...specimen, ...keepApart(type, index, test, small), ...row.before };
  return { row, name: `case-${String(index)}`, before, after: withChange(before, row.change) };
}

/** What two specimens of a type cannot have at once. */
function keepApart(type: string, index: number, test: TestCloud, small: FullWorld): JsonObject {
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

export function requireType(type: string): Definition {
  const definition = findDefinition(type);
  if (definition === undefined) throw new Error(`no type ${type}`);
  return definition;
}
