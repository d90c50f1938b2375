import type { Shell } from "../../providers/hosts/command.ts";
import type { HostConnection, RunOptions } from "../../providers/hosts/connection.ts";
import type { HostPool } from "../../providers/hosts/pool.ts";

/** What such a host says beside any answer. */
export const cannedStderr = "a word of warning";

/** A host that says what it is told to say, by what a command is for; anything else it is not asked. */
export function openCannedPool(answers: Readonly<Record<string, string>>): HostPool {
  const host = { name: "h1", transport: "ssh", address: "h1" } as const;
  const connection: HostConnection = {
    host,
    run: (_command: Shell, { attempting = "" }: RunOptions = {}) => {
      const stdout = answers[attempting];
      return stdout === undefined
        ? Promise.reject(new Error(`the host was asked to ${attempting}`))
        : Promise.resolve({ exitCode: 0, stdout, stderr: cannedStderr, durationMs: 0 });
    },
    openSocket: (path) => Promise.reject(new Error(`the host was asked for its socket ${path}`)),
    listenAt: (path) => Promise.reject(new Error(`the host was asked to listen at ${path}`)),
    isOpen: () => true,
    close: () => Promise.resolve(),
  };
  return {
    get: () => Promise.resolve(connection),
    closeAll: () => Promise.resolve(),
  };
}

/** What `listBridges` prints for one bridge, unmarked, with ports that have these `external_ids`, by name. */
export function printBridges(
  ports: Readonly<Record<string, Readonly<Record<string, string>>>> = {},
  name = "br-int",
): string {
  const rows = Object.entries(ports).map(([port, externalIds], index) => [
    ["uuid", `port ${String(index)}`],
    port,
    ["set", []],
    false,
    ["set", []],
    ["map", Object.entries(externalIds)],
  ]);
  const bridge = [name, "netdev", ["set", rows.map(([id]) => id)], ["map", []]];
  const tables = [
    {
      headings: ["name", "datapath_type", "ports", "external_ids"],
      data: rows.length === 0 ? [] : [bridge],
    },
    {
      headings: ["_uuid", "name", "tag", "protected", "interfaces", "external_ids"],
      data: rows,
    },
    { headings: ["_uuid", "type", "options"], data: [] },
  ];
  return tables.map((table) => `${JSON.stringify(table)}\n`).join("");
}
