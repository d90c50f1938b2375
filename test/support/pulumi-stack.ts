import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { buildGuest } from "../../lab/guest/build.ts";
import { bringUp, cutLink, mendLink } from "../../lab/lab.ts";
import { installPackedProject, pulumiEnvironment } from "../../lab/packed-project.ts";
import { requireProgram, runProgram, type ProgramResult } from "../../lab/setup/program.ts";
import { toolPath } from "../../lab/setup/requirements.ts";
import { parseTopology } from "../../lab/topology.ts";
import { readLastEntry, waitForStep } from "./journal-watch.ts";
import { openLabFolder } from "./lab-folder.ts";
import { lookAtHosts, type LabHosts } from "./lab-hosts.ts";
import { packOnce } from "./packed-package.ts";

/** What the test's program declares; see test/fixtures/pulumi-stack/index.ts. */
export interface Desired {
  /** Name to arguments, merged over the program's defaults. */
  readonly servers: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const preview = z.object({ steps: z.array(z.object({ op: z.string(), urn: z.string() })).default([]) });

/** A stack of its own on a lab of its own, driven by the real Pulumi CLI. */
export interface PulumiStack extends LabHosts {
  readonly hosts: readonly string[];
  /** Writes what the program declares from now on. */
  declare(desired: Desired): Promise<void>;
  /** Runs a Pulumi command. Its output has both streams. */
  pulumi(...args: readonly string[]): Promise<ProgramResult>;
  /** Operations of a preview by logical name, unchanged resources left out. */
  previewed(): Promise<Readonly<Record<string, string>>>;
  /** Outputs of a server in the stack's state. */
  server(name: string): Promise<{
    readonly uuid: string;
    readonly host: string;
    readonly status: string;
    readonly address: string;
  }>;
  /** Runs `pulumi up` and kills the provider's process with SIGKILL as soon as the journal has the step's intent. */
  killProviderAt(step: string): Promise<ProgramResult>;
  /** Unplugs a host from the management network, and plugs it in again. */
  cutManagement(host: string): Promise<unknown>;
  mendManagement(host: string): Promise<unknown>;
  /** Forgets the stack's state, as if nothing had been made; its settings stay. */
  forgetState(): Promise<void>;
  /** Runs the package's command, which must succeed, and gives what it prints. */
  stackyard(...words: readonly string[]): Promise<string>;
  /** What `stackyard gc` says. */
  leftovers(): Promise<string>;
  close(): Promise<void>;
}

/** Brings the lab up and installs the packed package. */
export async function openPulumiStack(labName: string): Promise<PulumiStack> {
  const labs = openLabFolder("e2e");
  const folder = labs.path;
  const project = join(folder, "project");
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    ...pulumiEnvironment(folder),
    PATH: await toolPath(),
    STACKYARD_HOME: join(folder, "clouds"),
    STACKYARD_CLOUD: "e2e",
  };
  await mkdir(join(folder, "state"));
  await writeFile(join(folder, "passphrase"), "e2e");
  const fixture = join(import.meta.dirname, "..", "fixtures", "pulumi-stack");
  const [, guest] = await Promise.all([
    bringUp(parseTopology({ name: labName, hosts: 2 })),
    buildGuest(),
    packOnce().then((tarball) => installPackedProject({ stack: fixture, project, tarball, environment })),
  ]);
  const hosts = ["h1", "h2"];

  const run = async (args: readonly string[]): Promise<ProgramResult> => {
    // All of the output: an error may stand far above its end.
    const tail: string[] = [];
    const result = await runProgram("pulumi", [...args, "--non-interactive", "--color", "never"], {
      cwd: project,
      env: environment,
      timeoutMs: 240_000,
      onLine: (line) => tail.push(line),
    });
    return { ...result, tail };
  };
  const must = async (args: readonly string[]): Promise<ProgramResult> => {
    const result = await run(args);
    if (result.exitCode !== 0)
      throw new Error(`pulumi ${args.join(" ")}: ${String(result.exitCode)}\n${result.tail.join("\n")}`);
    return result;
  };
  const stackyard = async (...words: readonly string[]): Promise<string> => {
    const command = join(project, "node_modules", ".bin", "stackyard");
    const options = { cwd: project, env: environment, timeoutMs: 60_000 };
    return (await requireProgram(`stackyard ${words.join(" ")}`, command, words, options)).stdout;
  };

  await must(["stack", "init", "e2e"]);
  await must(["config", "set", "lab", labName]);
  await must(["config", "set", "guestFolder", join(guest.kernel, "..")]);

  return {
    ...lookAtHosts(labName, hosts),
    hosts,
    declare: (desired) => writeFile(join(project, "desired.json"), JSON.stringify(desired)),
    pulumi: (...args) => run(args),
    previewed: async () => {
      const { stdout } = await must(["preview", "--json"]);
      const { steps } = preview.parse(JSON.parse(stdout));
      const changes = steps
        .filter(({ op }) => op !== "same")
        .map(({ op, urn }) => [urn.slice(urn.lastIndexOf("::") + 2), op]);
      return Object.fromEntries(changes) as Record<string, string>;
    },
    server: async (name) => {
      const { stdout } = await must(["stack", "output", "--json"]);
      const row = z.record(
        z.string(),
        z.object({ uuid: z.string(), host: z.string(), status: z.string(), address: z.string() }),
      );
      const found = z.object({ servers: row }).parse(JSON.parse(stdout)).servers[name];
      if (found === undefined) throw new Error(`the stack has no server ${name}`);
      return found;
    },
    killProviderAt: async (step) => {
      const store = join(folder, "clouds", "e2e", "cloud.sqlite");
      const after = readLastEntry(store);
      const update = run(["up", "--yes", "--skip-preview"]);
      await waitForStep(store, step, after);
      for (const pid of findProviders(project)) process.kill(pid, "SIGKILL");
      return update;
    },
    cutManagement: (host) => cutLink(labName, host, "management"),
    mendManagement: (host) => mendLink(labName, host, "management"),
    forgetState: async () => {
      await must(["stack", "rm", "--force", "--yes", "--preserve-config"]);
      await must(["stack", "init", "e2e"]);
    },
    stackyard,
    leftovers: () => stackyard("gc"),
    close: () => labs.close(),
  };
}

/** Processes of Pulumi's dynamic provider that work for the project. */
function findProviders(project: string): readonly number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${String(pid)}/cmdline`, "utf8");
        return command.includes("dynamic-provider") && readlinkSync(`/proc/${String(pid)}/cwd`) === project;
      } catch {
        return false; // gone meanwhile
      }
    });
}
