import { createReadStream } from "node:fs";
import { text } from "node:stream/consumers";
import type { Readable } from "node:stream";
import type { Cloud, OnWaiting } from "../../core/cloud.ts";
import { describeError, StackyardError } from "../../core/errors.ts";
import type { Definition } from "../../core/resource.ts";
import { escapeLine, formatJson } from "../../core/escape.ts";
import { startProgress, type ProgressStream } from "./progress.ts";
import { formatTable, type Column } from "./table.ts";

/** Where the command reads and writes. */
export interface Streams {
  readonly stdin: Readable;
  /** Results only, so that it can be parsed. */
  readonly stdout: ProgressStream;
  /** Progress, notes and errors. */
  readonly stderr: ProgressStream;
}

/** What the commands are given from outside. */
export interface Surroundings extends Streams {
  /** Version of the package. */
  readonly version: string;
  readonly definitions: readonly Definition[];
  /** Opens the cloud and logs in with the configured credentials. `notify` is told what the session does unasked, a line each. */
  openCloud(notify: (line: string) => void): Promise<Cloud>;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
}

/** What every command works with: the surroundings, and the ways to say something. */
export class CommandContext {
  readonly surroundings: Surroundings;
  /** Exit code of a command that ended without an error, e.g. that of a remote command. */
  exitCode = 0;

  constructor(surroundings: Surroundings) {
    this.surroundings = surroundings;
  }

  get definitions(): readonly Definition[] {
    return this.surroundings.definitions;
  }

  get signal(): AbortSignal {
    return this.surroundings.signal;
  }

  /** Opens the cloud for one piece of work, and closes it whatever happens. */
  async withCloud<T>(work: (cloud: Cloud) => Promise<T>): Promise<T> {
    const cloud = await this.surroundings.openCloud((line) => this.note(line));
    try {
      return await work(cloud);
    } finally {
      await this.#close(cloud);
    }
  }

  /** Closes the cloud once it has finished what earlier runs left; at Ctrl-C at once. */
  async #close(cloud: Cloud): Promise<void> {
    const { signal } = this;
    const interrupted = Promise.withResolvers<undefined>();
    const end = (): void => interrupted.resolve(undefined);
    if (signal.aborted) end();
    signal.addEventListener("abort", end, { once: true });
    const closed = cloud.close({ now: signal.aborted });
    await Promise.race([closed, interrupted.promise.then(() => cloud.close({ now: true }))]);
    signal.removeEventListener("abort", end);
  }

  /** Runs long work under a progress display on standard error. */
  async withProgress<T>(
    title: string,
    work: (onProgress: (line: string) => void, onWaiting: OnWaiting) => Promise<T>,
  ): Promise<T> {
    const progress = startProgress(this.surroundings.stderr, escapeLine(title));
    try {
      return await work(
        (line) => progress.step(line),
        (hosts) => progress.await(hosts),
      );
    } finally {
      progress.stop();
    }
  }

  writeJson(value: unknown): void {
    this.surroundings.stdout.write(`${formatJson(value)}\n`);
  }

  writeTable(columns: readonly Column[], rows: readonly (readonly string[])[]): void {
    const { isTTY, columns: width } = this.surroundings.stdout;
    this.surroundings.stdout.write(formatTable(columns, rows, isTTY === true ? width : undefined));
  }

  /** Text that is safe already, e.g. through `escapeLines`. */
  writeText(safeText: string): void {
    this.surroundings.stdout.write(safeText.endsWith("\n") ? safeText : `${safeText}\n`);
  }

  /** A line for the reader that is no result. */
  note(line: string): void {
    this.surroundings.stderr.write(`${escapeLine(line)}\n`);
  }

  /** An error that does not end the command, under a line that says what it is about. */
  noteError(title: string, error: StackyardError): void {
    this.note(title);
    for (const line of describeError(error).split("\n")) this.note(`  ${line}`);
  }

  /** The text of a file, or of standard input for `-`. Raises `invalid-input` naming `option`. */
  async readText(path: string, option: string): Promise<string> {
    try {
      return await text(path === "-" ? this.surroundings.stdin : createReadStream(path));
    } catch (cause) {
      throw new StackyardError("invalid-input", {
        message: `cannot read the file of ${option}`,
        field: option,
        value: path,
        remedy: "Name a file that exists and can be read, or - for standard input.",
        cause,
      });
    }
  }

  /** A secret from a file or standard input; one line feed at its end is no part of it. */
  async readSecret(path: string, option: string): Promise<string> {
    return (await this.readText(path, option)).replace(/\r?\n$/, "");
  }
}
