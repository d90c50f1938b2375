import type { Command } from "commander";
import { writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { StackyardError } from "../../core/errors.ts";
import { escapeLines, formatJson } from "../../core/escape.ts";
import { installMirror, installOverride, providerAddress, type Installation } from "./install.ts";

interface InstallFlags {
  readonly dir: string;
  readonly writeConfig?: string;
  readonly json?: true;
}

/** Where Terraform and OpenTofu look by themselves, as long as their CLI configuration has no `provider_installation`. */
const impliedMirror = join(homedir(), ".terraform.d", "plugins");

/** Adds `stackyard terraform …` to the command line. Errors are left to the program. */
export function registerTerraformCommand(program: Command, version: string): void {
  const group = program
    .command("terraform")
    .summary("install the provider for Terraform and OpenTofu")
    .description("Installs the provider for Terraform and OpenTofu out of this package, without a registry.")
    .addHelpText(
      "after",
      "\nExamples:\n  stackyard terraform install\n  stackyard terraform install --dir ./mirror --write-config cli.tfrc",
    );
  addVerb(group, {
    name: "install",
    summary: "write a mirror that `terraform init` takes the provider from",
    dir: impliedMirror,
    install: (folder) => installMirror(folder, version),
    note: (dir) =>
      dir === impliedMirror
        ? "Terraform and OpenTofu look there by themselves. Only if your CLI configuration has a provider_installation block, make it:"
        : "Add to ~/.terraformrc or ~/.tofurc, or to the file that TF_CLI_CONFIG_FILE names:",
  });
  addVerb(group, {
    name: "dev-override",
    summary: "install for work on the provider itself: no version, no lock, no `terraform init`",
    dir: join(homedir(), ".local", "share", "stackyard", "terraform"),
    install: (folder) => installOverride(folder, version),
    note: () => "Add to ~/.terraformrc or ~/.tofurc, or to the file that TF_CLI_CONFIG_FILE names:",
  });
}

interface Verb {
  readonly name: string;
  readonly summary: string;
  readonly dir: string;
  readonly install: (folder: string) => Promise<Installation>;
  readonly note: (dir: string) => string;
}

function addVerb(group: Command, { name, summary, dir, install, note }: Verb): void {
  group
    .command(name)
    .summary(summary)
    .description(summary)
    .option("--dir <folder>", "where to write it", dir)
    .option("--write-config <file>", "make this file the CLI configuration; it must not exist yet")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `\nExamples:\n  stackyard terraform ${name}\n  stackyard terraform ${name} --dir ./here --json`,
    )
    .action(async (flags: InstallFlags) => {
      const installed = await install(flags.dir);
      if (flags.writeConfig !== undefined) await writeConfig(flags.writeConfig, installed.cliConfig);
      const text =
        flags.json === true
          ? formatJson({ source: providerAddress, ...installed })
          : escapeLines(
              [
                `installed ${installed.launcher}`,
                `source    ${providerAddress}`,
                ...(flags.writeConfig === undefined
                  ? ["", note(flags.dir), "", installed.cliConfig.trimEnd()]
                  : [`wrote     ${flags.writeConfig}: set TF_CLI_CONFIG_FILE to it`]),
              ].join("\n"),
            );
      process.stdout.write(`${text}\n`);
    });
}

async function writeConfig(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: "wx" });
  } catch (cause) {
    throw new StackyardError("conflict", {
      message: "the CLI configuration cannot be written",
      field: "--write-config",
      value: file,
      remedy: "Name a file that does not exist, in a folder that does.",
      cause,
    });
  }
}
