import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import type { OvsValue } from "../../../providers/hosts/ovs.ts";
import { parseDomain } from "../../../providers/hosts/virsh.ts";
import type { Domain, DomainState } from "../../../providers/hosts/virsh.ts";

/** A domain of the fake libvirt. */
export interface FakeDomain {
  /** As it was defined. */
  xml: string;
  domain: Domain;
  state: DomainState;
  reason: string;
  /** Stands for QEMU: a real process, so that its id can be looked for. */
  process: ChildProcess | undefined;
  /** What libvirt keeps beside the definition, and without flags refuses to drop. */
  hasSavedState: boolean;
  snapshots: number;
}

/** A row of a table of Open vSwitch. */
export type FakeRow = Map<string, OvsValue>;

/** What is on a fake host, beside its files. */
export class FakeHostModel {
  /** Folder of this machine that holds the host's files. */
  readonly root: string;
  readonly domains = new Map<string, FakeDomain>();
  /** Names of the ports of each bridge, its own among them. */
  readonly bridges = new Map<string, Set<string>>();
  /** Rows of the tables `bridge`, `port` and `interface` by name. */
  readonly rows = new Map<string, FakeRow>();
  /** Flows of each bridge, as they were given. */
  readonly flows = new Map<string, readonly string[]>();
  /** What a guest prints on its console when it starts. */
  consoleText = "STACKYARD-GUEST ready\n";
  /** What a guest does when it is asked to power off. */
  guestObeys = true;

  constructor(root: string) {
    this.root = root;
  }

  /** Where a file of the host lies on this machine. */
  realPath(path: string): string {
    return join(this.root, path);
  }

  readFile(path: string): Buffer {
    return readFileSync(this.realPath(path));
  }

  /** Size of a file, and its first bytes. */
  readHead(path: string): { readonly head: Buffer; readonly bytes: number } {
    const file = openSync(this.realPath(path), "r");
    const head = Buffer.alloc(4096);
    const read = readSync(file, head);
    const bytes = fstatSync(file).size;
    closeSync(file);
    return { head: head.subarray(0, read), bytes };
  }

  writeFile(path: string, content: string | Uint8Array): void {
    mkdirSync(dirname(this.realPath(path)), { recursive: true });
    writeFileSync(this.realPath(path), content);
  }

  removeFile(path: string): void {
    rmSync(this.realPath(path), { force: true });
  }

  truncate(path: string, bytes: number): void {
    truncateSync(this.realPath(path), bytes);
  }

  /** Text of each file below a folder, by its path from there. */
  readTree(path: string): Readonly<Record<string, string>> {
    const entries = readdirSync(this.realPath(path), { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    return Object.fromEntries(
      files.map((file) => [relative(this.realPath(path), file), readFileSync(file, "utf8")]),
    );
  }

  /** By uuid or name. */
  findDomain(name: string): FakeDomain | undefined {
    return this.domains.get(name) ?? [...this.domains.values()].find(({ domain }) => domain.name === name);
  }

  defineDomain(xml: string): Domain {
    const domain = parseDomain(xml);
    const known = this.domains.get(domain.uuid);
    this.domains.set(domain.uuid, {
      state: "shut off",
      reason: "unknown",
      process: undefined,
      hasSavedState: false,
      snapshots: 0,
      ...known,
      xml,
      domain,
    });
    return domain;
  }

  startDomain(entry: FakeDomain): void {
    for (const { bridge, target, vlan, mac, interfaceId } of entry.domain.interfaces) {
      if (bridge === undefined || target === undefined) continue;
      this.addPort(bridge, target);
      this.setColumns("port", target, vlan === undefined ? [] : [["tag", vlan]]);
      this.setColumns("interface", target, [
        [
          "external_ids",
          { "attached-mac": mac, ...(interfaceId === undefined ? {} : { "iface-id": interfaceId }) },
        ],
      ]);
    }
    const log = /<log file=["']([^"']+)["']/.exec(entry.xml)?.[1];
    if (log !== undefined) this.writeFile(log, this.consoleText);
    entry.process = spawn("sleep", ["86400"], { stdio: "ignore" });
    this.writeFile(pidFile(entry), `${String(entry.process.pid)}\n`);
    entry.state = "running";
    entry.reason = "booted";
  }

  stopDomain(entry: FakeDomain, reason: string): void {
    entry.process?.kill("SIGKILL");
    entry.process = undefined;
    this.removeFile(pidFile(entry));
    for (const { bridge, target } of entry.domain.interfaces) {
      if (bridge !== undefined && target !== undefined) this.removePort(target);
    }
    entry.state = "shut off";
    entry.reason = reason;
  }

  addBridge(name: string): void {
    this.bridges.set(name, new Set());
    this.rows.set(`bridge ${name}`, emptyRow());
    this.flows.set(name, []);
    this.addPort(name, name);
    this.setColumns("interface", name, [["type", "internal"]]);
  }

  removeBridge(name: string): void {
    for (const port of this.bridges.get(name) ?? []) this.removePort(port);
    this.bridges.delete(name);
    this.rows.delete(`bridge ${name}`);
    this.flows.delete(name);
  }

  addPort(bridge: string, port: string): void {
    this.bridges.get(bridge)?.add(port);
    this.rows.set(`port ${port}`, this.rows.get(`port ${port}`) ?? emptyRow());
    this.rows.set(`interface ${port}`, this.rows.get(`interface ${port}`) ?? emptyRow());
  }

  removePort(port: string): void {
    for (const ports of this.bridges.values()) ports.delete(port);
    this.rows.delete(`port ${port}`);
    this.rows.delete(`interface ${port}`);
  }

  bridgeOf(port: string): string | undefined {
    return [...this.bridges].find(([, ports]) => ports.has(port))?.[0];
  }

  /** Maps add their keys to those that are there. */
  setColumns(table: string, record: string, columns: readonly (readonly [string, OvsValue])[]): void {
    const row = this.rows.get(`${table} ${record}`);
    for (const [column, value] of columns) {
      const before = row?.get(column);
      const merged = isMap(value) && isMap(before) ? { ...before, ...value } : value;
      row?.set(column, merged);
    }
  }

  /** Ends the processes that stand for guests. */
  close(): void {
    for (const entry of this.domains.values()) entry.process?.kill("SIGKILL");
  }
}

function emptyRow(): FakeRow {
  return new Map<string, OvsValue>();
}

function isMap(value: OvsValue | undefined): value is Readonly<Record<string, string>> {
  return typeof value === "object" && !Array.isArray(value);
}

function pidFile(entry: FakeDomain): string {
  return `/run/libvirt/qemu/${entry.domain.name}.pid`;
}
