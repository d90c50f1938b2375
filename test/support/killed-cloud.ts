import { execFile } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import type { JsonObject } from "../../providers/core/json.ts";
import { TestCloud } from "./cloud.ts";

/** How long a process may take to get to where it is killed, in milliseconds. */
export const killTimeoutMs = 60_000;
const script = new URL("die-at.ts", import.meta.url).pathname;

/** A task of `die-at.ts`. */
export type KilledTask = "build" | "adopt" | "change" | "migrate" | "remove";

/** Copies of a cloud in which a process was killed. The cloud itself is closed, and stays as it is. */
export class KilledCloud {
  readonly #folder: string;

  /** `template` is the test's to dispose of, last. */
  constructor({ folder }: TestCloud) {
    this.#folder = folder;
  }

  /** Runs the task over a copy, in a process of its own, which dies at the point. Gives the signal that it died of. */
  async kill(task: KilledTask, point: string, inputs: readonly JsonObject[]): Promise<string | undefined> {
    this.#copy(this.#folder, this.#killed);
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const words = [script, this.#killed, task, point, ...inputs.map((value) => JSON.stringify(value))];
    execFile(process.execPath, words, (error) => resolve(error?.signal));
    return promise;
  }

  /** What the last kill left, as a cloud of its own. */
  open(): Promise<TestCloud> {
    return TestCloud.openIn(this.#copy(this.#killed, `${this.#folder}-test`));
  }

  dispose(): void {
    rmSync(this.#killed, { recursive: true });
  }

  get #killed(): string {
    return `${this.#folder}-killed`;
  }

  #copy(from: string, to: string): string {
    rmSync(to, { recursive: true, force: true });
    cpSync(from, to, { recursive: true });
    return to;
  }
}
