/** The command `stackyard`, which `main.ts` starts. */
import { StackyardError } from "./core/errors.ts";
import { readPackageVersion } from "./core/package-root.ts";
import { exitCodes } from "./engines/cli/exit-codes.ts";
import type { CommandExtension } from "./engines/cli/program.ts";
import { runCommandLine } from "./engines/cli/run.ts";
import { definitions } from "./registry.ts";

/** Commands that other parts of the package bring along. */
const extensions: readonly CommandExtension[] = [
  {
    name: "ceph",
    summary: "make a small Ceph for labs and evaluation",
    register: async (program, context) =>
      (await import("./engines/cli/ceph-command.ts")).registerCephCommand(program, context, async () =>
        (await import("./wiring.ts")).openBootstrap(),
      ),
  },
  {
    name: "doctor",
    summary: "check what a stack and the lab need on this machine",
    register: async (program) => (await import("../lab/setup/doctor.ts")).registerDoctorCommand(program),
  },
  {
    name: "lab",
    summary: "make, watch and take down labs of KVM hosts",
    register: async (program) => (await import("../lab/commands.ts")).registerLabCommands(program),
  },
  {
    name: "pulumi",
    summary: "hand resources over to a Pulumi stack",
    register: async (program, context) =>
      (await import("./engines/pulumi/import-file-command.ts")).registerPulumiCommand(program, context),
  },
  {
    name: "terraform",
    summary: "install the provider for Terraform and OpenTofu",
    register: async (program) =>
      (await import("./engines/terraform/install-command.ts")).registerTerraformCommand(
        program,
        readPackageVersion(),
      ),
  },
];

/** The first Ctrl-C (or SIGTERM) lets the command end in order; the second ends the process at once. */
function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted.code);
    process.stderr.write("\ninterrupting; Ctrl-C again ends at once\n");
    controller.abort(new StackyardError("interrupted", { message: "the command was interrupted" }));
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  return controller.signal;
}

// A reader that has enough, such as `head`, is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(exitCodes.ok.code);
});

const exitCode = await runCommandLine(
  process.argv.slice(2),
  {
    version: readPackageVersion(),
    definitions,
    openCloud: async (notify) => (await import("./wiring.ts")).openCloud({ notify }),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: abortOnSignals(),
  },
  extensions,
);
// An extension may have set its own.
if (exitCode !== exitCodes.ok.code) process.exitCode = exitCode;
