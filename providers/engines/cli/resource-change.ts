import type { Command } from "commander";
import { isReplacing } from "../../core/change.ts";
import type { Change, Cloud, ResourceView } from "../../core/cloud.ts";
import { describeBroken, describeRepair } from "../../core/drift.ts";
import { StackyardError } from "../../core/errors.ts";
import type { ResourceId } from "../../core/ids.ts";
import type { JsonObject } from "../../core/json.ts";
import type { ResourceRecord } from "../../core/record.ts";
import type { Definition, Drift } from "../../core/resource.ts";
import { wantsJson } from "./command-help.ts";
import type { CommandContext } from "./context.ts";
import { driftExitCode, exitCodeOf } from "./exit-codes.ts";
import { listFlags } from "./flags.ts";
import { raiseIssues } from "./resource-inputs.ts";
import {
  formatValue,
  maskSecrets,
  propertyColumns,
  readReferencedNames,
  toJsonChange,
  toJsonDrift,
  toJsonView,
  toProperties,
} from "./view.ts";

/** A resource, and the inputs that it is to have. */
export interface WantedChange {
  readonly definition: Definition;
  readonly id: ResourceId;
  readonly record: ResourceRecord;
  readonly inputs: JsonObject;
}

/** What an apply would do. */
export interface PlannedChange {
  readonly change: Change;
  readonly inputs: JsonObject;
  /** What drifted, and is repaired along with it. */
  readonly repairs?: readonly Drift[];
}

/**
 * Changes a resource into its wanted inputs, and repairs what drifted; with its own inputs it only repairs. Raises `invalid-input` for what makes it
 * anew, and unless it is confirmed for what interrupts it.
 */
export async function changeResource(
  cloud: Cloud,
  { definition, id, record, inputs }: WantedChange,
  {
    title,
    confirmed,
    isDryRun,
  }: { readonly title: string; readonly confirmed: boolean; readonly isDryRun: boolean },
  command: Command,
  context: CommandContext,
): Promise<void> {
  const { type } = definition;
  const request = { type, maker: record.maker ?? `cli:${id}`, defaultName: record.name };
  requireSecrets(definition, inputs);
  const prior = record.applied ?? record.inputs;
  const planned = await cloud.plan({ ...request, inputs: { ...inputs, id }, prior });
  raiseIssues(`change the ${type}`, planned.issues);
  const repairs = await findRepairs(cloud, definition, id, isDryRun, context);
  if (isDryRun) {
    writePlan(command, definition, { ...planned, repairs }, context);
    return;
  }
  refuseUnasked(type, planned.change, repairs, confirmed);
  const view = await context.withProgress(`${title} ${type} ${record.name}`, (onProgress) =>
    cloud.apply({ ...request, inputs: planned.inputs, onProgress, signal: context.signal }),
  );
  const left = await findLeft(cloud, definition, id, context);
  const isLeft = ({ field, host }: Drift): boolean =>
    left.some((drift) => drift.field === field && drift.host === host);
  const outcome = { repaired: repairs.filter((drift) => !isLeft(drift)), left };
  await writeChanged(command, definition, view, outcome, cloud, context);
}

/** What drifted. A host that does not answer ends a change before it begins; a dry run goes on without it. */
export async function findRepairs(
  cloud: Cloud,
  definition: Definition,
  id: ResourceId,
  isDryRun: boolean,
  context: CommandContext,
): Promise<readonly Drift[]> {
  const { drift, error } = await look(cloud, definition, id, context);
  if (error === undefined) return drift;
  if (!isDryRun) throw error;
  context.note(`what drifted is not known: ${error.message} [${error.code}]`);
  return drift;
}

/** What is not as declared after an apply, which the exit code tells. The apply itself has ended well. */
async function findLeft(
  cloud: Cloud,
  definition: Definition,
  id: ResourceId,
  context: CommandContext,
): Promise<readonly Drift[]> {
  const { drift, error } = await look(cloud, definition, id, context);
  if (drift.length > 0) context.exitCode = driftExitCode;
  if (error !== undefined) {
    context.exitCode = exitCodeOf(error);
    context.note(`whether anything is left is not known: ${error.message} [${error.code}]`);
  }
  return drift;
}

async function look(
  cloud: Cloud,
  { type }: Definition,
  id: ResourceId,
  { signal }: CommandContext,
): Promise<{ readonly drift: readonly Drift[]; readonly error: StackyardError | undefined }> {
  const { interrupted, findings, failures } = await cloud.drift({ resource: { type, id }, signal });
  return {
    drift: [...interrupted.map(({ was }) => describeBroken(was)), ...findings],
    error: failures[0]?.error,
  };
}

/** Raises `invalid-input` when a required secret is not given: the cloud keeps a digest only, and cannot fill it in. */
function requireSecrets({ type, inputs: schema }: Definition, inputs: JsonObject): void {
  const missing = listFlags(schema).find(
    ({ secret, required, path }) => secret && required && inputs[path] === undefined,
  );
  if (missing === undefined) return;
  throw new StackyardError("invalid-input", {
    message: `changing a ${type} takes its ${missing.path} again: the cloud keeps only a digest of it`,
    field: missing.path,
    remedy: `Give it, the old or a new one, by --${missing.name}; - is standard input.`,
  });
}

/** Raises `invalid-input` for a change that needs another resource, or that interrupts without `--yes`. */
function refuseUnasked(type: string, change: Change, repairs: readonly Drift[], confirmed: boolean): void {
  const [worst] = change.fields.filter((field) => field.label === change.label);
  if (worst !== undefined && isReplacing(worst.label)) {
    throw new StackyardError("invalid-input", {
      message: `cannot change ${worst.field}: a ${type} keeps it for life`,
      field: worst.field,
      remedy: `Delete the ${type} and create it anew.`,
    });
  }
  if (confirmed) return;
  const remedy = "Run again with --yes to accept it.";
  if (worst !== undefined && worst.label !== "live") {
    throw new StackyardError("invalid-input", {
      message: `changing ${worst.field} interrupts the ${type}: ${worst.label}`,
      field: worst.field,
      remedy,
    });
  }
  const drift = repairs.find(({ label = "live" }) => label !== "live");
  if (drift === undefined) return;
  throw new StackyardError("invalid-input", {
    message: `${drift.field} of the ${type} is not as declared, and the repair ${describeRepair(drift)}`,
    field: drift.field,
    remedy,
  });
}

/** Prints what would change, and the inputs as they would be. */
export function writePlan(
  command: Command,
  definition: Definition,
  planned: PlannedChange,
  context: CommandContext,
): void {
  if (wantsJson(command)) context.writeJson(toJsonPlan(definition, planned));
  else writePlanText(definition, planned, context);
}

/** A plan as `--json` prints it. */
export function toJsonPlan(definition: Definition, { change, inputs, repairs = [] }: PlannedChange): object {
  return {
    type: definition.type,
    change: toJsonChange(definition, change),
    inputs: maskSecrets(definition.inputs, inputs),
    repairs: repairs.map(toJsonDrift),
  };
}

/** A plan as text. */
export function writePlanText(
  definition: Definition,
  { change, inputs, repairs = [] }: PlannedChange,
  context: CommandContext,
): void {
  const planned = maskSecrets(definition.inputs, inputs);
  const shown = toJsonChange(definition, change);
  context.writeText(`would ${describeAction(change, repairs)}\n`);
  if (change.action === "create") {
    context.writeTable(
      propertyColumns,
      Object.entries(planned).map(([field, value]) => [field, formatValue(value, new Map())]),
    );
  } else if (change.action !== "none") {
    context.writeTable(
      [{ title: "FIELD" }, { title: "FROM" }, { title: "TO" }, { title: "EFFECT" }],
      shown.fields.map(({ field, from, to, label }) => [
        field,
        formatValue(from, new Map()),
        formatValue(to, new Map()),
        label,
      ]),
    );
  }
  writeDrift(repairs, context);
}

function writeDrift(drift: readonly Drift[], context: CommandContext): void {
  if (drift.length === 0) return;
  context.writeTable(
    [{ title: "DRIFTED" }, { title: "EXPECTED" }, { title: "FOUND" }, { title: "REPAIR" }],
    drift.map((found) => [found.field, found.expected, found.found, describeRepair(found)]),
  );
}

/** Prints a resource that was changed, what of it was repaired, and what is left. */
async function writeChanged(
  command: Command,
  definition: Definition,
  view: ResourceView,
  { repaired, left }: { readonly repaired: readonly Drift[]; readonly left: readonly Drift[] },
  cloud: Cloud,
  context: CommandContext,
): Promise<void> {
  if (wantsJson(command)) {
    const seen = toJsonView(definition, { ...view, drift: left });
    context.writeJson({ ...seen, repairs: repaired.map(toJsonDrift) });
    return;
  }
  await writeView(command, definition, view, cloud, context);
  if (repaired.length > 0) context.writeText("\nrepaired\n");
  writeDrift(repaired, context);
  if (left.length > 0) context.writeText("\nstill not as declared\n");
  writeDrift(left, context);
}

function describeAction({ action }: Change, repairs: readonly Drift[]): string {
  if (action !== "none") return action;
  return repairs.length === 0 ? "change nothing" : "repair what drifted";
}

/** Prints a resource. */
export async function writeView(
  command: Command,
  definition: Definition,
  view: ResourceView,
  cloud: Cloud,
  context: CommandContext,
): Promise<void> {
  if (wantsJson(command)) {
    context.writeJson(toJsonView(definition, view));
    return;
  }
  const names = await readReferencedNames(cloud, definition, [view]);
  context.writeTable(propertyColumns, toProperties(definition, view, names));
}
