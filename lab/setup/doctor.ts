import { Option, type Command } from "commander";
import { purposes, requirementsFor, type Finding, type Purpose, type Requirement } from "./requirements.ts";

/** What `doctor` says of one requirement. */
export type Diagnosis = Finding & Pick<Requirement, "name" | "neededFor">;

/** Checks every requirement; nothing is changed. */
export async function diagnose(wanted: readonly Requirement[]): Promise<readonly Diagnosis[]> {
  return Promise.all(
    wanted.map(async ({ name, neededFor, check }) => ({ name, neededFor, ...(await check()) })),
  );
}

/** A line for a person: state, name, what was found, and the remedy of what is missing. */
export function describeDiagnosis(diagnosis: Diagnosis): string {
  const line = `${diagnosis.state.padEnd(8)} ${diagnosis.name} (${diagnosis.neededFor.join(", ")}): ${diagnosis.found}`;
  return diagnosis.state === "present" ? line : `${line}; remedy: ${diagnosis.remedy}`;
}

/** Adds `doctor` to the `stackyard` command. */
export function registerDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("check what a stack and the lab need on this machine; exit code 1 when something is missing")
    .addOption(
      new Option("--for <purpose>", "only what this needs; stack: to deploy to hosts of your own").choices(
        purposes,
      ),
    )
    .option("--json", "print JSON")
    .addHelpText("after", "\nExamples:\n  stackyard doctor\n  stackyard doctor --for stack --json")
    .action(async (options: { readonly for?: Purpose; readonly json?: true }) => {
      const wanted = requirementsFor(options.for === undefined ? purposes : [options.for]);
      const diagnoses = await diagnose(wanted);
      const text =
        options.json === true
          ? JSON.stringify(diagnoses, undefined, 2)
          : diagnoses.map(describeDiagnosis).join("\n");
      process.stdout.write(`${text}\n`);
      if (diagnoses.some(({ state }) => state === "missing")) process.exitCode = 1;
    });
}
