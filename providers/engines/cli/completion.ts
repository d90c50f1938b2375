import type { Command } from "commander";
import { describeCommand } from "./command-help.ts";
import type { CommandContext } from "./context.ts";

/** What may follow a command on the command line. */
interface CompletionPoint {
  /** Words of the command after `stackyard`; empty for itself. */
  readonly path: readonly string[];
  /** Subcommands and options. */
  readonly words: readonly { readonly word: string; readonly summary: string }[];
}

const shells = ["bash", "zsh", "fish"] as const;
type Shell = (typeof shells)[number];

/** Adds `completion SHELL`. The script lists the commands of this version; it calls nothing when it completes. */
export function registerCompletionCommand(program: Command, context: CommandContext): void {
  const command = program
    .command("completion")
    .argument("<shell>", shells.join(", "))
    .action((name: string) => {
      const shell = shells.find((candidate) => candidate === name);
      context.writeText(
        shell === undefined
          ? command.error(`error: no completion for '${name}': it is one of ${shells.join(", ")}`)
          : writeCompletion(program, shell),
      );
    });
  describeCommand(command, "print a script that completes commands and options", [
    "completion bash > /etc/bash_completion.d/stackyard",
    "completion zsh > ~/.zfunc/_stackyard",
    "completion fish > ~/.config/fish/completions/stackyard.fish",
  ]);
}

/** The completion script of all commands for a shell. */
export function writeCompletion(program: Command, shell: Shell): string {
  const points = listPoints(program, []);
  switch (shell) {
    case "bash":
      return writeBash(points);
    case "zsh":
      return writeZsh(points);
    case "fish":
      return writeFish(points);
  }
}

function listPoints(command: Command, path: readonly string[]): readonly CompletionPoint[] {
  const subcommands = command.commands.map((subcommand) => ({
    word: subcommand.name(),
    summary: subcommand.summary() || subcommand.description(),
  }));
  const options = command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long, description }) => (long === undefined ? [] : [{ word: long, summary: description }]));
  return [
    { path, words: [...subcommands, ...options] },
    ...command.commands.flatMap((subcommand) => listPoints(subcommand, [...path, subcommand.name()])),
  ];
}

/** Text between single quotes, for each of the three shells. */
function quote(text: string, escapedQuote: string): string {
  return `'${text.replaceAll("'", escapedQuote)}'`;
}

/** Finds the command that the words before the cursor name, in bash and zsh alike. (`path` is PATH in zsh.) */
function writeWalk(points: readonly CompletionPoint[]): string {
  const paths = points.filter(({ path }) => path.length > 0).map(({ path }) => `'${path.join(" ")}'`);
  return `    case "\${place:+$place }$word" in
      ${paths.join("|")}) place="\${place:+$place }$word" ;;
    esac`;
}

function writeBash(points: readonly CompletionPoint[]): string {
  const cases = points.map(
    ({ path, words }) => `    '${path.join(" ")}') entries='${words.map(({ word }) => word).join(" ")}' ;;`,
  );
  return `# bash completion of stackyard
_stackyard() {
  local place='' word entries=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
${writeWalk(points)}
  done
  case "$place" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$entries" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _stackyard stackyard
`;
}

function writeZsh(points: readonly CompletionPoint[]): string {
  const cases = points.map(({ path, words }) => {
    const entries = words.map(({ word, summary }) => quote(`${word}:${firstSentence(summary)}`, "'\\''"));
    return `    '${path.join(" ")}') entries=(${entries.join(" ")}) ;;`;
  });
  return `#compdef stackyard
# zsh completion of stackyard
_stackyard() {
  local place='' word
  local -a entries
  for word in "\${(@)words[2,CURRENT-1]}"; do
${writeWalk(points)}
  done
  case "$place" in
${cases.join("\n")}
  esac
  _describe 'stackyard' entries || _files
}
_stackyard "$@"
`;
}

function writeFish(points: readonly CompletionPoint[]): string {
  const paths = points.filter(({ path }) => path.length > 0).map(({ path }) => `'${path.join(" ")}'`);
  const lines = points.flatMap(({ path, words }) =>
    words.map(({ word, summary }) => {
      const condition = quote(`__stackyard_at "${path.join(" ")}"`, "\\'");
      const name = word.startsWith("--") ? `-l ${word.slice(2)}` : `-f -a ${word}`;
      const doc = quote(firstSentence(summary).replaceAll("\\", "\\\\"), "\\'");
      return `complete -c stackyard -n ${condition} ${name} -d ${doc}`;
    }),
  );
  return `# fish completion of stackyard
function __stackyard_at
  set -l place ''
  set -l typed (commandline -opc)
  set -e typed[1]
  for word in $typed
    set -l next (string trim "$place $word")
    if contains -- $next ${paths.join(" ")}
      set place $next
    end
  end
  test "$place" = "$argv[1]"
end
${lines.join("\n")}
`;
}

function firstSentence(text: string): string {
  return text.split(/(?<=\.) |\n/)[0] ?? "";
}
