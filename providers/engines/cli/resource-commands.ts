import { Option, type Command } from "commander";
import type { Cloud, ResourceView } from "../../core/cloud.ts";
import { StackyardError } from "../../core/errors.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import type { Definition } from "../../core/resource.ts";
import { escapeLine, escapeLines } from "../../core/escape.ts";
import { addJsonOption, describeCommand, wantsJson, writeExampleFlags } from "./command-help.ts";
import type { CommandContext } from "./context.ts";
import { addFlags, listFlags, readFlags, setAt } from "./flags.ts";
import { changeResource, writePlan, writeView } from "./resource-change.ts";
import {
  addInputOptions,
  makerOf,
  raiseIssues,
  readInputs,
  readName,
  resolveReferences,
} from "./resource-inputs.ts";
import { addSaveOptions, saveSecretOutputs } from "./secret-outputs.ts";
import { toKebabCase } from "./text.ts";
import {
  formatValue,
  listFields,
  listUsualFields,
  propertyColumns,
  readReferencedNames,
  toJsonView,
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
      const name = readName(`create the ${type}`, definition, inputs);
      const request = { type, maker: makerOf(type, inputs), defaultName: name ?? type };
      const planned = await cloud.plan({ ...request, inputs });
      raiseIssues(`create the ${type}`, planned.issues);
      if (isDryRun(command)) {
        writePlan(command, definition, planned, context);
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
      async (
        idOrName: string,
        { unset = [], yes }: { readonly unset?: readonly string[]; readonly yes?: true },
      ) => {
        await context.withCloud(async (cloud) => {
          const { id, record } = await cloud.find(type, idOrName);
          const kept = unset.reduce<JsonObject>(
            (inputs, field) => setAt(inputs, field.split("."), undefined),
            record.inputs,
          );
          const inputs = await resolveReferences(
            cloud,
            definition,
            await readInputs(command, flags, kept, context),
          );
          const options = { title: "set", confirmed: yes === true, isDryRun: isDryRun(command) };
          await changeResource(cloud, { definition, id, record, inputs }, options, command, context);
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

function isDryRun(command: Command): boolean {
  return command.getOptionValue("dryRun") === true;
}
