import type { OvsValue } from "../../../providers/hosts/ovs.ts";
import type { FakeHostModel } from "./model.ts";
import { UnexpectedCall } from "./tools.ts";
import type { FakeTool, ToolAnswer, ToolCall } from "./tools.ts";

const at = "test/fakes/host/ovs.ts";

/** Answers with the words of ovs-vsctl 3.1. A transaction that fails half-way leaves what it did: do not build on that. */
export const ovsVsctl: FakeTool = (call, model) => {
  const globals = call.args.filter(
    (word, index) => word.startsWith("--") && word !== "--" && isGlobal(call.args, index),
  );
  if (globals.includes("--version")) return { stdout: "ovs-vsctl (Open vSwitch) 3.1.0\nDB Schema 8.3.1\n" };
  let stdout = "";
  for (const command of splitCommands(call.args)) {
    const answer = runCommand(call, model, command);
    stdout += answer.stdout ?? "";
    if ((answer.exitCode ?? 0) !== 0) return answer;
  }
  return { stdout };
};

/** Flows are kept as text, in the order in which they came. */
export const ovsOfctl: FakeTool = async (call, model) => {
  const words = call.args.filter((word) => !["-O", "OpenFlow13", "--bundle", "--"].includes(word));
  const [verb, bridge = "", source] = words;
  const before = model.flows.get(bridge);
  if (source !== "-" || (verb !== "replace-flows" && verb !== "add-flows"))
    throw new UnexpectedCall(call, at);
  if (before === undefined) return fails(`ovs-ofctl: ${bridge} is not a bridge or a socket`);
  const flows = (await call.stdin()).split("\n").filter((line) => line !== "");
  model.flows.set(bridge, verb === "add-flows" ? [...before, ...flows] : flows);
  return {};
};

const globalOptions = /^--(?:timeout=\d+|format=json|no-wait|version)$/;

function isGlobal(args: readonly string[], index: number): boolean {
  return globalOptions.test(args[index] ?? "");
}

function splitCommands(args: readonly string[]): readonly (readonly string[])[] {
  const commands: string[][] = [[]];
  for (const [index, word] of args.entries()) {
    if (word === "--") commands.push([]);
    else if (!isGlobal(args, index)) commands.at(-1)?.push(word);
  }
  return commands.filter((command) => command.length > 0);
}

function runCommand(call: ToolCall, model: FakeHostModel, command: readonly string[]): ToolAnswer {
  const options = command.filter((word) => word.startsWith("--"));
  const [verb, first = "", second = "", ...rest] = command.filter((word) => !word.startsWith("--"));
  switch (verb) {
    case "add-br":
      if (!model.bridges.has(first)) model.addBridge(first);
      else if (!options.includes("--may-exist")) {
        return fails(
          `ovs-vsctl: cannot create a bridge named ${first} because a bridge named ${first} already exists`,
        );
      }
      return {};
    case "del-br":
      if (!model.bridges.has(first) && !options.includes("--if-exists"))
        return fails(`ovs-vsctl: no bridge named ${first}`);
      model.removeBridge(first);
      return {};
    case "add-port":
      if (!model.bridges.has(first)) return fails(`ovs-vsctl: no bridge named ${first}`);
      if (model.bridgeOf(second) === undefined) model.addPort(first, second);
      else if (!options.includes("--may-exist")) {
        return fails(
          `ovs-vsctl: cannot create a port named ${second} because a port named ${second} already exists on bridge ${first}`,
        );
      }
      model.setColumns("port", second, rest.map(readColumn));
      return {};
    case "del-port": {
      const port = second === "" ? first : second;
      if (model.bridgeOf(port) === undefined && !options.includes("--if-exists"))
        return fails(`ovs-vsctl: no port named ${port}`);
      model.removePort(port);
      return {};
    }
    case "set":
      if (!model.rows.has(`${first.toLowerCase()} ${second}`))
        return fails(`ovs-vsctl: no row "${second}" in table ${first}`);
      for (const word of rest) model.setColumns(first.toLowerCase(), second, [readColumn(word)]);
      return {};
    case "clear":
      for (const column of rest) model.rows.get(`${first.toLowerCase()} ${second}`)?.delete(column);
      return {};
    case "list":
      return { stdout: `${JSON.stringify(listTable(call, model, first, options))}\n` };
    case "br-exists":
      return { exitCode: model.bridges.has(first) ? 0 : 2 };
    case "get":
      if ([first, second, ...rest].join(" ") !== "Open_vSwitch . datapath_types")
        throw new UnexpectedCall(call, at);
      return { stdout: "[netdev, system]\n" };
    case undefined:
    default:
      throw new UnexpectedCall(call, at);
  }
}

/** `column=value`, `column:key=value`; values as numbers, booleans, strings of JSON, or lists in brackets. */
function readColumn(word: string): readonly [string, OvsValue] {
  const [, column = "", key, text = ""] =
    /^([a-z_-]+)(?::("(?:[^"\\]|\\.)*"|[^=]*))?=([\s\S]*)$/.exec(word) ?? [];
  const name = column.replaceAll("-", "_");
  if (key !== undefined) return [name, { [unquote(key)]: unquote(text) }];
  if (text === "true" || text === "false") return [name, text === "true"];
  if (/^-?\d+$/.test(text)) return [name, Number(text)];
  if (text.startsWith("[")) return [name, text.slice(1, -1).split(",").filter(Boolean).map(Number)];
  return [name, unquote(text)];
}

function unquote(text: string): string {
  return text.startsWith('"') ? String(JSON.parse(text)) : text;
}

const emptyCells: Readonly<Record<string, unknown>> = {
  datapath_type: "",
  protected: false,
  type: "",
  ofport: 1,
  external_ids: ["map", []],
  other_config: ["map", []],
  options: ["map", []],
};

function listTable(call: ToolCall, model: FakeHostModel, table: string, options: readonly string[]): unknown {
  const headings = options
    .find((option) => option.startsWith("--columns="))
    ?.slice("--columns=".length)
    .split(",");
  if (headings === undefined) throw new UnexpectedCall(call, at);
  const names = [...model.rows.keys()]
    .filter((key) => key.startsWith(`${table} `))
    .map((key) => key.slice(table.length + 1));
  return {
    headings,
    data: names.map((name) => headings.map((column) => renderCell(model, table, name, column))),
  };
}

function renderCell(model: FakeHostModel, table: string, name: string, column: string): unknown {
  if (column === "name") return name;
  if (column === "_uuid") return ["uuid", `${table} ${name}`];
  if (column === "interfaces") return ["uuid", `interface ${name}`];
  if (column === "ports")
    return ["set", [...(model.bridges.get(name) ?? [])].map((port) => ["uuid", `port ${port}`])];
  const value = model.rows.get(`${table} ${name}`)?.get(column);
  if (value === undefined) return emptyCells[column] ?? ["set", []];
  if (typeof value !== "object") return value;
  return Array.isArray(value) ? ["set", value] : ["map", Object.entries(value)];
}

function fails(message: string): ToolAnswer {
  return { exitCode: 1, stderr: `${message}\n` };
}
