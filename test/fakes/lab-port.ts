import { StackyardError } from "../../providers/core/errors.ts";
import type { LabFinding } from "../../lab/check.ts";
import type { LabOptions } from "../../lab/driver.ts";
import type { LabPort } from "../../lab/matrix/run.ts";
import type { Topology } from "../../lab/topology.ts";

/** Labs that are names and snapshots. What a lab does not allow is an error of the test. */
export class FakeLabs implements LabPort {
  readonly calls: string[] = [];
  readonly findings: LabFinding[] = [];
  /** Calls, as they stand in {@link calls}, that fail from now on. */
  readonly broken = new Set<string>();
  private readonly snapshots = new Map<string, Set<string>>();
  private readonly withSnapshots = new Set<string>();

  exists(name: string): boolean {
    return this.snapshots.has(name);
  }

  check(): Promise<readonly LabFinding[]> {
    return Promise.resolve(this.findings);
  }

  async bringUp(
    { name, driver }: Topology,
    options: LabOptions,
  ): Promise<{ readonly inventoryFile: string }> {
    if (this.exists(name)) throw new Error(`lab ${name} is there already`);
    // A lab that does not come up leaves its record.
    this.snapshots.set(name, new Set());
    if (driver === "nested") this.withSnapshots.add(name);
    await this.call(`up ${name}`, options);
    return { inventoryFile: `/labs/${name}/inventory.json` };
  }

  async tearDown(name: string, options: LabOptions): Promise<void> {
    await this.call(`down ${name}`, options);
    this.snapshots.delete(name);
    this.withSnapshots.delete(name);
  }

  canSnapshot(name: string): boolean {
    this.require(name);
    return this.withSnapshots.has(name);
  }

  async takeSnapshot(name: string, snapshot: string, options: LabOptions): Promise<void> {
    const taken = this.require(name);
    if (!this.withSnapshots.has(name) || taken.has(snapshot))
      throw new Error(`no snapshot can be taken of ${name}`);
    await this.call(`snapshot ${name}`, options);
    taken.add(snapshot);
  }

  async restoreSnapshot(name: string, snapshot: string, options: LabOptions): Promise<void> {
    if (!this.require(name).has(snapshot)) throw new Error(`lab ${name} has no snapshot ${snapshot}`);
    await this.call(`restore ${name}`, options);
  }

  private require(name: string): Set<string> {
    const taken = this.snapshots.get(name);
    if (taken === undefined) throw new Error(`there is no lab ${name}`);
    return taken;
  }

  private async call(line: string, { signal }: LabOptions): Promise<void> {
    this.calls.push(line);
    await Promise.resolve();
    if (signal?.aborted === true)
      throw new StackyardError("interrupted", { message: `${line} was interrupted` });
    if (this.broken.has(line))
      throw new StackyardError("host-unsuitable", { message: `${line} does not work` });
  }
}
