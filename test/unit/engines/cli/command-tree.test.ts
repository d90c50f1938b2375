import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { registerLabCommands } from "../../../../lab/commands.ts";
import { registerDoctorCommand } from "../../../../lab/setup/doctor.ts";
import { findPackageRoot } from "../../../../providers/core/package-root.ts";
import { writeCompletion } from "../../../../providers/engines/cli/completion.ts";
import { CommandContext } from "../../../../providers/engines/cli/context.ts";
import { exitCodes } from "../../../../providers/engines/cli/exit-codes.ts";
import { createProgram, type CommandExtension } from "../../../../providers/engines/cli/program.ts";
import { registerPulumiCommand } from "../../../../providers/engines/pulumi/import-file-command.ts";
import { definitions } from "../../../../providers/registry.ts";
import { FakeCloud } from "../../../fakes/cloud.ts";
import { Recorder } from "../../../support/command-line.ts";

const extensions: readonly CommandExtension[] = [
  { name: "doctor", summary: "check", register: registerDoctorCommand },
  { name: "lab", summary: "labs", register: registerLabCommands },
  { name: "pulumi", summary: "stacks", register: registerPulumiCommand },
];

const stdout = new Recorder(undefined);
const context = new CommandContext({
  version: "1.2.3",
  definitions,
  openCloud: () => Promise.resolve(new FakeCloud({ definitions })),
  stdin: Readable.from([]),
  stdout,
  stderr: new Recorder(undefined),
  signal: new AbortController().signal,
});
const program = await createProgram(context, ["help"], extensions);

/** Every command with the words that lead to it. */
function listCommands(
  command: Command,
  path: readonly string[] = [],
): readonly (readonly [string, Command])[] {
  return command.commands.flatMap((inner) => {
    const words = [...path, inner.name()];
    return [[words.join(" "), inner] as const, ...listCommands(inner, words)];
  });
}

const commands = listCommands(program);

function printHelp(command: Command): string {
  stdout.text = "";
  command.outputHelp();
  return stdout.text;
}

describe.each(commands)("stackyard %s", (path, command) => {
  it("has a summary", () => {
    expect(command.summary() || command.description()).not.toBe("");
  });

  it("shows an example of itself in its help", () => {
    expect(printHelp(command)).toMatch(new RegExp(`^Examples?:\\n(  .*\\n)*  stackyard ${path}\\b`, "m"));
  });

  it("documents its options", () => {
    expect(command.options.filter(({ description }) => description === "").map(({ flags }) => flags)).toEqual(
      [],
    );
  });
});

describe("commands that print a table", () => {
  const silent = ["help", "completion", "server ssh", "lab ssh", "lab exec", "lab logs", "lab ceph shell"];

  it.each(commands.filter(([path, { commands: inner }]) => inner.length === 0 && !silent.includes(path)))(
    "stackyard %s has --json",
    (_path, command) => {
      expect(command.options.map(({ long }) => long)).toContain("--json");
    },
  );
});

describe.each(["bash", "zsh", "fish"] as const)("completion of %s", (shell) => {
  const script = writeCompletion(program, shell);

  it.each(commands)("knows stackyard %s", (path) => {
    expect(script).toMatch(new RegExp(`['"]${path}['"]`));
  });
});

describe("completion of bash", () => {
  function complete(...words: readonly string[]): string {
    const script = `${writeCompletion(program, "bash")}
      COMP_WORDS=(stackyard "$@"); COMP_CWORD=$#; _stackyard; echo "\${COMPREPLY[*]}"`;
    return execFileSync("bash", ["-c", script, "bash", ...words], { encoding: "utf8" }).trim();
  }

  it("offers types", () => {
    expect(complete("server")).toBe("server-group server");
  });

  it("offers the verbs of a type", () => {
    expect(complete("server", "s")).toBe("show set start stop ssh");
  });

  it("offers the flags of a command, after other words too", () => {
    expect(complete("flavor", "create", "--name", "small", "--ram")).toBe("--ram-mib");
  });

  it("takes the value of an option for no command", () => {
    expect(complete("--help", "flavor", "l")).toBe("list");
  });
});

describe("help", () => {
  it("names every exit code", async () => {
    stdout.text = "";
    await program.parseAsync(["help", "exit-codes"], { from: "user" });
    for (const { code, meaning } of Object.values(exitCodes))
      expect(stdout.text).toContain(`${String(code)}  ${meaning}`);
  });

  it("shows the help of a command by its words", async () => {
    stdout.text = "";
    await program.parseAsync(["help", "server", "create"], { from: "user" });
    expect(stdout.text).toContain("Usage: stackyard server create");
  });

  it("lists an extension that is not loaded by its summary", async () => {
    const bare = await createProgram(context, ["--help"], extensions);
    expect(printHelp(bare)).toMatch(/^ {2}lab +labs$/m);
  });
});

describe("the page about the command line", () => {
  const page = readFileSync(join(findPackageRoot(), "providers/docs/cli.md"), "utf8");

  it.each(Object.values(exitCodes))("has exit code $code with its meaning", ({ code, meaning }) => {
    expect(page).toContain(`| ${String(code)} | ${meaning} |`);
  });
});
