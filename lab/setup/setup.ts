import { join } from "node:path";
import { StackyardError } from "../../providers/core/errors.ts";
import { cacheFolder } from "../folders.ts";
import { opentofu, pulumi } from "./clis.ts";
import { describeDiagnosis, diagnose } from "./doctor.ts";
import { installCli } from "./install-cli.ts";
import { requireProgram } from "./program.ts";
import { withPulse, type Say } from "./progress.ts";
import { findMissingPackages, requirementsFor, type Purpose, type Requirement } from "./requirements.ts";

/**
 * Lists what a purpose lacks, then installs one after the other, then checks again. Does nothing when all is there.
 * Needs root and apt; the launcher has made sure of both and holds the lock.
 * @throws StackyardError `host-unsuitable` when something is missing in the end.
 */
export async function setUp(purpose: Purpose, say: Say): Promise<void> {
  const requirements = requirementsFor([purpose]);
  const missing = (await diagnose(requirements)).filter(({ state }) => state === "missing");
  if (missing.length === 0) return;
  for (const diagnosis of missing) say(describeDiagnosis(diagnosis));
  for (const { name } of missing) await install(name, say);
  const left = (await diagnose(requirements)).filter(({ state }) => state === "missing");
  if (left.length > 0) {
    throw new StackyardError("host-unsuitable", {
      message: "set-up has run, and this is still missing",
      notes: left.map(describeDiagnosis),
    });
  }
}

async function install(name: Requirement["name"], say: Say): Promise<void> {
  switch (name) {
    case "Node.js":
    case "Node.js 22":
      return; // the launcher's, before it starts this code
    case "engine CLI":
      return; // a person's choice
    case "Debian packages":
      return installPackages(say);
    case "Pulumi CLI":
      return installCli(pulumi, cacheFolder(), say);
    case "OpenTofu CLI":
      return installCli(opentofu, cacheFolder(), say);
  }
}

/** Debian asks this file whether a package may start its services. */
const servicePolicy = "/usr/sbin/policy-rc.d";

async function installPackages(say: Say): Promise<void> {
  const missing = (await findMissingPackages()) ?? [];
  const script = join(import.meta.dirname, "apt-install.sh");
  await withPulse(say, `${missing.length} Debian packages`, (waitFor) =>
    requireProgram("installing Debian packages", "sh", [script, servicePolicy, ...missing], {
      onLine: waitFor,
    }),
  );
}
