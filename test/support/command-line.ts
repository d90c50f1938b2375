import { Readable } from "node:stream";
import type { Cloud } from "../../providers/core/cloud.ts";
import type { CommandExtension } from "../../providers/engines/cli/program.ts";
import { runCommandLine } from "../../providers/engines/cli/run.ts";
import { definitions } from "../../providers/registry.ts";

/** What a command line printed and how it ended. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command line is run. */
export interface CommandSetting {
  readonly stdin?: string;
  readonly signal?: AbortSignal;
  /** Width of a terminal; without it, nothing is a terminal. */
  readonly terminalWidth?: number;
  /** Commands beside the engine's own. */
  readonly extensions?: readonly CommandExtension[];
}

/** Runs the `stackyard` command in this process, against a cloud. */
export async function runStackyard(
  cloud: Cloud,
  words: readonly string[],
  { stdin = "", signal = new AbortController().signal, terminalWidth, extensions = [] }: CommandSetting = {},
): Promise<CommandResult> {
  const stdout = new Recorder(terminalWidth);
  const stderr = new Recorder(undefined);
  const surroundings = {
    version: "1.2.3",
    definitions,
    openCloud: () => Promise.resolve(cloud),
    stdin: Readable.from([stdin]),
    stdout,
    stderr,
    signal,
  };
  const exitCode = await runCommandLine(words, surroundings, extensions);
  return { exitCode, stdout: stdout.text, stderr: stderr.text };
}

/** A stream that keeps what is written to it. */
export class Recorder {
  text = "";
  readonly isTTY: boolean;
  readonly columns: number | undefined;

  constructor(terminalWidth: number | undefined) {
    this.isTTY = terminalWidth !== undefined;
    this.columns = terminalWidth;
  }

  write(text: string): boolean {
    this.text += text;
    return true;
  }
}
