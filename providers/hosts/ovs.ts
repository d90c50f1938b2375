import { z } from "zod";
import { StackyardError } from "../core/errors.ts";
import { sh } from "./command.ts";
import type { Shell } from "./command.ts";

/** A bridge of Open vSwitch with all that hangs on it. */
export interface OvsBridge {
  readonly name: string;
  readonly datapathType: "system" | "netdev";
  readonly failMode: "secure" | "standalone" | undefined;
  readonly externalIds: Readonly<Record<string, string>>;
  readonly otherConfig: Readonly<Record<string, string>>;
  readonly ports: readonly OvsPort[];
}

/** A port: one interface, unless it is a bond. */
export interface OvsPort {
  readonly name: string;
  /** Access VLAN. */
  readonly tag: number | undefined;
  readonly trunks: readonly number[];
  /** Protected ports do not forward to each other. */
  readonly protected: boolean;
  readonly externalIds: Readonly<Record<string, string>>;
  readonly interfaces: readonly OvsInterface[];
}

export interface OvsInterface {
  readonly name: string;
  /** `internal`, `vxlan`, …; empty for a device of the system. */
  readonly type: string;
  /** Number in OpenFlow; -1 where the device could not be opened, absent while it is not known yet. */
  readonly ofport: number | undefined;
  /** Why the device could not be opened. */
  readonly error: string | undefined;
  readonly options: Readonly<Record<string, string>>;
  readonly externalIds: Readonly<Record<string, string>>;
}

/** A value of a column: a map adds its keys to those that are there (ovs-vsctl(8), set). */
export type OvsValue = string | number | boolean | readonly number[] | Readonly<Record<string, string>>;

/** One step of a transaction. All but `set` may be repeated. */
export type OvsOperation =
  | { readonly op: "add-bridge"; readonly bridge: string }
  | { readonly op: "remove-bridge"; readonly bridge: string }
  | { readonly op: "add-port"; readonly bridge: string; readonly port: string }
  | { readonly op: "remove-port"; readonly bridge: string; readonly port: string }
  | {
      readonly op: "set";
      readonly table: "bridge" | "port" | "interface";
      readonly record: string;
      readonly columns: Readonly<Record<string, OvsValue>>;
    }
  | {
      readonly op: "clear";
      readonly table: "bridge" | "port" | "interface";
      readonly record: string;
      readonly columns: readonly string[];
    };

/** ovs-vsctl waits for ovs-vswitchd without end by default. */
const timeoutSeconds = 10;

/** One `ovs-vsctl` that does all or nothing. */
export function transact(operations: readonly OvsOperation[]): Shell {
  return sh`ovs-vsctl --timeout=${timeoutSeconds} ${operations.flatMap((operation) => ["--", ...toArguments(operation)])}`;
}

/** All bridges, ports and interfaces in one read. Read by {@link parseBridges}. */
export function listBridges(): Shell {
  const bridge = "--columns=name,datapath_type,fail_mode,ports,external_ids,other_config";
  const port = "--columns=_uuid,name,tag,trunks,protected,interfaces,external_ids";
  const device = "--columns=_uuid,name,type,ofport,error,options,external_ids";
  return sh`ovs-vsctl --timeout=${timeoutSeconds} --format=json ${bridge} list bridge -- ${port} list port -- ${device} list interface`;
}

/** Replaces all flows of a bridge at once by those on standard input, one a line (ovs-ofctl(8), replace-flows). */
export function replaceFlows(bridge: string): Shell {
  return sh`ovs-ofctl -O OpenFlow13 --bundle replace-flows -- ${bridge} -`;
}

/** Adds the flows on standard input, one a line. */
export function addFlows(bridge: string): Shell {
  return sh`ovs-ofctl -O OpenFlow13 --bundle add-flows -- ${bridge} -`;
}

/** Reads the output of {@link listBridges}. Raises `command-failed` for anything else. */
export function parseBridges(output: string): readonly OvsBridge[] {
  const tables = output.trim().split("\n");
  try {
    const interfaces = indexById(parseTable(tables[2], interfaceRow), toInterface);
    const ports = indexById(parseTable(tables[1], portRow), (row) => ({
      name: row.name,
      tag: row.tag[0],
      trunks: row.trunks,
      protected: row.protected,
      externalIds: row.external_ids,
      interfaces: pick(interfaces, row.interfaces),
    }));
    return parseTable(tables[0], bridgeRow).map((row) => ({
      name: row.name,
      datapathType: row.datapath_type === "" ? "system" : row.datapath_type,
      failMode: row.fail_mode[0],
      externalIds: row.external_ids,
      otherConfig: row.other_config,
      ports: pick(ports, row.ports),
    }));
  } catch (cause) {
    throw new StackyardError("command-failed", {
      message: "ovs-vsctl printed something else than the tables that were asked for",
      cause,
    });
  }
}

function toArguments(operation: OvsOperation): readonly string[] {
  switch (operation.op) {
    case "add-bridge":
      return ["--may-exist", "add-br", operation.bridge];
    case "remove-bridge":
      return ["--if-exists", "del-br", operation.bridge];
    case "add-port":
      return ["--may-exist", "add-port", operation.bridge, operation.port];
    case "remove-port":
      return ["--if-exists", "del-port", operation.bridge, operation.port];
    case "set":
      return [
        "set",
        operation.table,
        operation.record,
        ...Object.entries(operation.columns).flatMap(toColumn),
      ];
    case "clear":
      return ["clear", operation.table, operation.record, ...operation.columns];
  }
}

function toColumn([column, value]: readonly [string, OvsValue]): readonly string[] {
  if (typeof value === "string") return [`${column}=${quote(value)}`];
  if (typeof value === "number" || typeof value === "boolean") return [`${column}=${value}`];
  if (isList(value)) return [`${column}=[${value.join(",")}]`];
  return Object.entries(value).map(([key, entry]) => `${column}:${quote(key)}=${quote(entry)}`);
}

function isList(value: OvsValue): value is readonly number[] {
  return Array.isArray(value);
}

/** ovs-vsctl has a quoting of its own inside an argument: strings of JSON (ovs: lib/ovsdb-data.c, parse_atom_token). */
function quote(value: string): string {
  return JSON.stringify(value);
}

/** A set of one is written as its element, any other as `["set", […]]` (RFC 7047, 5.1). */
function setOf<T extends z.ZodType>(atom: T) {
  const many = z.tuple([z.literal("set"), z.array(atom)]).transform(([, atoms]) => atoms);
  return z.union([many, atom.transform((one) => [one])]);
}

const mapSchema = z
  .tuple([z.literal("map"), z.array(z.tuple([z.string(), z.string()]))])
  .transform(([, entries]): Readonly<Record<string, string>> => Object.fromEntries(entries));
const idSchema = z.tuple([z.literal("uuid"), z.string()]).transform(([, id]) => id);

const bridgeRow = z.object({
  name: z.string(),
  datapath_type: z.enum(["", "system", "netdev"]),
  fail_mode: setOf(z.enum(["secure", "standalone"])),
  ports: setOf(idSchema),
  external_ids: mapSchema,
  other_config: mapSchema,
});
const portRow = z.object({
  _uuid: idSchema,
  name: z.string(),
  tag: setOf(z.int()),
  trunks: setOf(z.int()),
  protected: z.boolean(),
  interfaces: setOf(idSchema),
  external_ids: mapSchema,
});
const interfaceRow = z.object({
  _uuid: idSchema,
  name: z.string(),
  type: z.string(),
  ofport: setOf(z.int()),
  error: setOf(z.string()),
  options: mapSchema,
  external_ids: mapSchema,
});

function toInterface(row: z.output<typeof interfaceRow>): OvsInterface {
  return {
    name: row.name,
    type: row.type,
    ofport: row.ofport[0],
    error: row.error[0],
    options: row.options,
    externalIds: row.external_ids,
  };
}

const tableSchema = z.object({ headings: z.array(z.string()), data: z.array(z.array(z.unknown())) });

function parseTable<T extends z.ZodType>(text: string | undefined, row: T): readonly z.output<T>[] {
  const table = tableSchema.parse(JSON.parse(text ?? ""));
  return table.data.map((cells) =>
    row.parse(Object.fromEntries(table.headings.map((heading, index) => [heading, cells[index]]))),
  );
}

function indexById<Row extends { readonly _uuid: string }, T>(
  rows: readonly Row[],
  convert: (row: Row) => T,
): ReadonlyMap<string, T> {
  return new Map(rows.map((row) => [row._uuid, convert(row)]));
}

function pick<T>(index: ReadonlyMap<string, T>, ids: readonly string[]): readonly T[] {
  return ids.flatMap((id) => index.get(id) ?? []);
}
