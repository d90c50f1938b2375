import { Option, type Command } from "commander";
import { isReplacing } from "../../core/change.ts";
import type { Change, Cloud, ResourceView } from "../../core/cloud.ts";
import { StackyardError } from "../../core/errors.ts";
import { shapeOf } from "../../core/fields.ts";
import { canonicalJson, type JsonObject, type JsonValue } from "../../core/json.ts";
import type { Definition } from "../../core/resource.ts";
import { escapeLine, escapeLines } from "../../core/escape.ts";
import { addJsonOption, describeCommand, wantsJson, writeExampleFlags } from "./command-help.ts";
import type { CommandContext } from "./context.ts";
import { addFlags, listFlags, readFlags, setAt, type Flag } from "./flags.ts";
import { parseFragment, raiseIssues, resolveReferences } from "./resource-inputs.ts";
import { addSaveOptions, saveSecretOutputs } from "./secret-outputs.ts";
import { toKebabCase } from "./text.ts";
import {
  formatValue,
  listFields,
  listUsualFields,
  maskSecrets,
  propertyColumns,
  readReferencedNames,
  toJsonChange,
  toJsonView,
  toProperties,
  toRow,
} from "./view.ts";

/** Adds a group of commands for each definition: list, show, create, set, delete, and its actions. */
export function registerResourceCommands(
  program: Command,
  context: CommandContext,
): ReadonlyMap<string, Command> {
  return new Map(
    context.definitions.map((definition) => {
      const { type, plural, actions = {} } = definition;
      const group = program.command(type);
      describeCommand(group, definition.summary, [`${type} list`, `${type} --help`]);
      registerList(group, definition, context, plural);
      registerShow(group, definition, context);
      registerCreate(group, definition, context);
      registerSet(group, definition, context);
      registerDelete(group, definition, context);
      for (const [name, action] of Object.entries(actions))
        registerAction(group, definition, name, action, context);
      return [type, group];
    }),
  );
}

function registerList(group: Command, definition: Definition, context: CommandContext, plural: string): void {
  const { type } = definition;
  const fields = listFields(definition);
  const command = group
    .command("list")
    .addOption(
      new Option("--columns <names>", `fields to show, separated by commas: ${fields.join(", ")}`).argParser(
        (text: string) => text.split(","),
      ),
    )
    .action(async (options: { readonly columns?: readonly string[] }) => {
      const shown = options.columns ?? listUsualFields(definition);
      const unknown = shown.find((field) => !fields.includes(field));
      if (unknown !== undefined) command.error(`error: a ${type} has no field ${JSON.stringify(unknown)}`);
      await context.withCloud(async (cloud) => {
        const views = await cloud.list(type);
        if (wantsJson(command)) {
          context.writeJson(views.map((view) => toJsonView(definition, view)));
          return;
        }
        const names = await readReferencedNames(cloud, definition, views);
        context.writeTable(
          shown.map((field) => ({ title: toTitle(field), whole: field === "id" })),
          views.map((view) => toRow(definition, view, shown, names)),
        );
      });
    });
  addJsonOption(command);
  describeCommand(command, `list the ${plural} you may see`, [
    `${type} list`,
    `${type} list --columns id,name,createdAt`,
    `${type} list --json`,
  ]);
}

function toTitle(field: string): string {
  return toKebabCase(field).replaceAll("-", " ").toUpperCase();
}

function registerShow(group: Command, definition: Definition, context: CommandContext): void {
  const { type } = definition;
  const command = group
    .command("show")
    .argument("<id-or-name>", `the ${type}`)
    .option("--no-observe", "answer from the record, without asking hosts")
    .action(async (idOrName: string, options: { readonly observe: boolean }) => {
      await context.withCloud(async (cloud) => {
        const { id } = await cloud.find(type, idOrName);
        const view = await context.withProgress(`show ${type} ${idOrName}`, () =>
          cloud.read(type, id, { observe: options.observe, signal: context.signal }),
        );
        if (view === undefined) throw goneError(type, idOrName);
        await writeView(command, definition, view, cloud, context);
      });
    });
  addJsonOption(command);
  describeCommand(command, `show one ${type}, with what differs from its declaration`, [
    `${type} show my-${type}`,
    `${type} show my-${type} --no-observe --json`,
  ]);
}

function goneError(type: string, idOrName: string): StackyardError {
  return new StackyardError("not-found", {
    message: `the ${type} has a record, but is gone from its host`,
    value: idOrName,
    remedy: `Take the record away: stackyard ${type} delete NAME`,
  });
}

function registerCreate(group: Command, definition: Definition, context: CommandContext): void {
  const { type } = definition;
  const flags = listFlags(definition.inputs);
  const command = group.command("create");
  addInputOptions(command, flags);
  addSaveOptions(command, definition);
  command.option("--dry-run", "say what would be made, and make nothing").action(async () => {
    const given = await readInputs(command, flags, {}, context);
    await context.withCloud(async (cloud) => {
      const inputs = await resolveReferences(cloud, definition, given);
      const name = readName(definition, inputs);
      const maker = `cli:${canonicalJson([type, inputs["project"] ?? null, name ?? inputs])}`;
      const request = { type, maker, defaultName: name ?? type };
      const planned = await cloud.plan({ ...request, inputs });
      raiseIssues(`create the ${type}`, planned.issues);
      if (isDryRun(command)) {
        writePlan(command, definition, planned.change, planned.inputs, context);
        return;
      }
      await refuseExisting(cloud, type, planned.inputs["id"]);
      const title = `create ${type} ${name ?? ""}`.trimEnd();
      const unsaved = await saveSecretOutputs(command, definition, async () => {
        const view = await context.withProgress(title, (onProgress) =>
          cloud.apply({ ...request, inputs: planned.inputs, onProgress, signal: context.signal }),
        );
        await writeView(command, definition, view, cloud, context);
        return view.outputs;
      });
      for (const { output, option } of unsaved) {
        context.note(
          `${output} is given only once and was not saved; to have it, delete the ${type} and use ${option.long ?? option.flags}`,
        );
      }
    });
  });
  addJsonOption(command);
  const shown = flags.filter((flag) => flag.required || flag.path === "name");
  describeCommand(command, `make a ${type}`, [
    `${type} create ${writeExampleFlags(shown)}`,
    `${type} create --file ${type}.yaml --dry-run`,
  ]);
}

/** The name that inputs give, `undefined` for a type without names. Raises `invalid-input` when it is missing. */
function readName(definition: Definition, inputs: JsonObject): string | undefined {
  if (!Object.hasOwn(shapeOf(definition.inputs), "name")) return undefined;
  const { name } = inputs;
  if (typeof name === "string") return name;
  throw new StackyardError("invalid-input", {
    message: `cannot create the ${definition.type}: it needs a name`,
    field: "name",
    remedy: "Give it by --name.",
  });
}

/** Raises `conflict` when the resource is there and complete; one that a killed create left behind is taken up again. */
async function refuseExisting(cloud: Cloud, type: string, id: JsonValue | undefined): Promise<void> {
  if (typeof id !== "string") return;
  const view = await cloud.read(type, id, { observe: false });
  if (view?.record.status !== "active") return;
  throw new StackyardError("conflict", {
    message: `this ${type} exists already (${id})`,
    field: "name",
    value: view.record.name,
    remedy: `Choose another name, or change what is there: stackyard ${type} set`,
  });
}

function registerSet(group: Command, definition: Definition, context: CommandContext): void {
  const { type } = definition;
  const flags = listFlags(definition.inputs);
  const command = group.command("set").argument("<id-or-name>", `the ${type}`);
  addInputOptions(command, flags);
  command
    .option(
      "--unset <field>",
      "Take a field back to its default. Can be repeated.",
      (field: string, before: readonly string[] | undefined) => [...(before ?? []), field],
    )
    .option("--yes", "also make a change that interrupts a running server")
    .option("--dry-run", "say what would change, and change nothing")
    .action(
      async (idOrName: string, options: { readonly unset?: readonly string[]; readonly yes?: true }) => {
        await context.withCloud(async (cloud) => {
          const { id, record } = await cloud.find(type, idOrName);
          const kept = (options.unset ?? []).reduce(
            (inputs, field) => setAt(inputs, field.split("."), undefined),
            record.inputs,
          );
          const inputs = await resolveReferences(
            cloud,
            definition,
            await readInputs(command, flags, kept, context),
          );
          const request = { type, maker: record.maker ?? `cli:${id}`, defaultName: record.name };
          requireSecrets(type, flags, inputs);
          const prior = record.applied ?? record.inputs;
          const planned = await cloud.plan({ ...request, inputs: { ...inputs, id }, prior });
          raiseIssues(`change the ${type}`, planned.issues);
          if (isDryRun(command)) {
            writePlan(command, definition, planned.change, planned.inputs, context);
            return;
          }
          refuseUnasked(type, planned.change, options.yes === true);
          const view = await context.withProgress(`set ${type} ${record.name}`, (onProgress) =>
            cloud.apply({ ...request, inputs: planned.inputs, onProgress, signal: context.signal }),
          );
          await writeView(command, definition, view, cloud, context);
        });
      },
    );
  addJsonOption(command);
  const live = flags.find((flag) => !flag.secret && flag.path !== "name" && flag.references === undefined);
  describeCommand(command, `change fields of a ${type}, or repair it`, [
    `${type} set my-${type} ${writeExampleFlags(live === undefined ? [] : [live])}`.trimEnd(),
    `${type} set my-${type} --file ${type}.yaml --dry-run`,
  ]);
}

/** Raises `invalid-input` when a required secret is not given: the cloud keeps a digest only, and cannot fill it in. */
function requireSecrets(type: string, flags: readonly Flag[], inputs: JsonObject): void {
  const missing = flags.find(
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
function refuseUnasked(type: string, change: Change, confirmed: boolean): void {
  const [worst] = change.fields.filter((field) => field.label === change.label);
  if (worst === undefined || change.label === undefined || change.label === "live") return;
  if (isReplacing(change.label)) {
    throw new StackyardError("invalid-input", {
      message: `cannot change ${worst.field}: a ${type} keeps it for life`,
      field: worst.field,
      remedy: `Delete the ${type} and create it anew.`,
    });
  }
  if (confirmed) return;
  throw new StackyardError("invalid-input", {
    message: `changing ${worst.field} interrupts the ${type}: ${change.label}`,
    field: worst.field,
    remedy: "Run again with --yes to accept it.",
  });
}

function registerDelete(group: Command, definition: Definition, context: CommandContext): void {
  const { type } = definition;
  const command = group
    .command("delete")
    .argument("<id-or-name...>", `each ${type} to remove`)
    .action(async (named: readonly string[]) => {
      await context.withCloud(async (cloud) => {
        const found: ResourceView[] = [];
        for (const idOrName of named) found.push(await cloud.find(type, idOrName));
        for (const { id, record } of found) {
          await context.withProgress(`delete ${type} ${record.name}`, (onProgress) =>
            cloud.remove(type, id, { onProgress, signal: context.signal }),
          );
        }
        if (wantsJson(command)) {
          context.writeJson(found.map(({ id, record }) => ({ id, type, name: record.name, deleted: true })));
        } else {
          context.writeText(
            found.map(({ id, record }) => `deleted ${escapeLine(record.name)} (${id})\n`).join(""),
          );
        }
      });
    });
  addJsonOption(command);
  describeCommand(command, `remove a ${type}, and wait until it is gone`, [
    `${type} delete my-${type}`,
    `${type} delete first second --json`,
  ]);
}

function registerAction(
  group: Command,
  definition: Definition,
  name: string,
  action: ActionOf,
  context: CommandContext,
): void {
  const { type } = definition;
  const flags = listFlags(action.input);
  const command = group.command(toKebabCase(name)).argument("<id-or-name>", `the ${type}`);
  addFlags(command, flags);
  command.action(async (idOrName: string) => {
    const input = await readFlags(flags, command, {}, (path, option) => context.readSecret(path, option));
    await context.withCloud(async (cloud) => {
      const { id } = await cloud.find(type, idOrName);
      const answer = await context.withProgress(`${toKebabCase(name)} ${type} ${idOrName}`, (onProgress) =>
        cloud.act(type, id, name, input, { onProgress, signal: context.signal }),
      );
      writeAnswer(command, answer, context);
    });
  });
  addJsonOption(command);
  describeCommand(command, action.doc, [
    `${type} ${toKebabCase(name)} my-${type}`,
    [`${type} ${toKebabCase(name)} my-${type}`, writeExampleFlags(flags.slice(0, 1)), "--json"]
      .filter((part) => part !== "")
      .join(" "),
  ]);
}

type ActionOf = NonNullable<Definition["actions"]>[string];

/** An answer that is one text, such as a console, is printed as it is; another one as fields. */
function writeAnswer(command: Command, answer: JsonObject, context: CommandContext): void {
  if (wantsJson(command)) {
    context.writeJson(answer);
    return;
  }
  const entries = Object.entries(answer);
  const [only, ...others] = entries;
  if (others.length === 0 && typeof only?.[1] === "string") {
    context.writeText(escapeLines(only[1]));
    return;
  }
  if (entries.length === 0) return;
  context.writeTable(
    propertyColumns,
    entries.map(([field, value]) => [field, formatValue(value, new Map())]),
  );
}

function addInputOptions(command: Command, flags: readonly Flag[]): void {
  command.option(
    "--file <path>",
    "Fields from a YAML or JSON file; - is standard input. Options win over it.",
  );
  addFlags(command, flags);
}

async function readInputs(
  command: Command,
  flags: readonly Flag[],
  base: JsonObject,
  context: CommandContext,
): Promise<JsonObject> {
  const path: unknown = command.getOptionValue("file");
  const fragment =
    typeof path === "string" ? parseFragment(await context.readText(path, "--file"), path) : {};
  return readFlags(flags, command, { ...base, ...fragment }, (file, option) =>
    context.readSecret(file, option),
  );
}

function isDryRun(command: Command): boolean {
  return command.getOptionValue("dryRun") === true;
}

/** Prints what would change, and the inputs as they would be. */
function writePlan(
  command: Command,
  definition: Definition,
  change: Change,
  inputs: JsonObject,
  context: CommandContext,
): void {
  const planned = maskSecrets(definition.inputs, inputs);
  const shown = toJsonChange(definition, change);
  if (wantsJson(command)) {
    context.writeJson({ change: shown, inputs: planned });
    return;
  }
  context.writeText(`would ${change.action === "none" ? "change nothing" : change.action}\n`);
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
}

async function writeView(
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
