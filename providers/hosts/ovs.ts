import { z } from "zod";
import { StackyardError } from "../core/errors.ts";
import { sh } from "./command.ts";
import type { Shell } from "./command.ts";

/** A bridge of Open vSwitch with all that hangs on it. */
export interface OvsBridge {
  readonly name: string;
  readonly datapathType: "system" | "netdev";
  readonly externalIds: Readonly<Record<string, string>>;
  readonly ports: readonly OvsPort[];
}

/** A port: one interface, unless it is a bond. */
export interface OvsPort {
  readonly name: string;
  /** Access VLAN. */
  readonly tag: number | undefined;
  /** Protected ports do not forward to each other. */
  readonly protected: boolean;
  readonly externalIds: Readonly<Record<string, string>>;
  readonly interfaces: readonly OvsInterface[];
}

export interface OvsInterface {
  /** `vxlan`, `internal`; empty for a device of the host. */
  readonly type: string;
  readonly options: Readonly<Record<string, string>>;
}

/** ovs-vsctl waits for ovs-vswitchd without end by default. */
const timeoutSeconds = 10;

/** All bridges, ports and interfaces in one read. Read by {@link parseBridges}. */
export function listBridges(): Shell {
  const bridge = "--columns=name,datapath_type,ports,external_ids";
  const port = "--columns=_uuid,name,tag,protected,interfaces,external_ids";
  const device = "--columns=_uuid,type,options";
  return sh`ovs-vsctl --timeout=${timeoutSeconds} --format=json ${bridge} list bridge -- ${port} list port -- ${device} list interface`;
}

/** Reads the output of {@link listBridges}. Raises `command-failed` for anything else. */
export function parseBridges(output: string): readonly OvsBridge[] {
  const tables = output.trim().split("\n");
  try {
    const interfaces = indexById(parseTable(tables[2], interfaceRow), ({ type, options }) => ({
      type,
      options,
    }));
    const ports = indexById(parseTable(tables[1], portRow), (row) => ({
      name: row.name,
      tag: row.tag[0],
      protected: row.protected,
      externalIds: row.external_ids,
      interfaces: pick(interfaces, row.interfaces),
    }));
    return parseTable(tables[0], bridgeRow).map((row) => ({
      name: row.name,
      datapathType: row.datapath_type === "" ? "system" : row.datapath_type,
      externalIds: row.external_ids,
      ports: pick(ports, row.ports),
    }));
  } catch (cause) {
    throw new StackyardError("command-failed", {
      message: "ovs-vsctl printed something else than the tables that were asked for",
      cause,
    });
  }
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
  ports: setOf(idSchema),
  external_ids: mapSchema,
});
const portRow = z.object({
  _uuid: idSchema,
  name: z.string(),
  tag: setOf(z.int()),
  protected: z.boolean(),
  interfaces: setOf(idSchema),
  external_ids: mapSchema,
});
const interfaceRow = z.object({ _uuid: idSchema, type: z.string(), options: mapSchema });

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
