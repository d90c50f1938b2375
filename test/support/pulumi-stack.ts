import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { buildGuest } from "../../lab/guest/build.ts";
import { bringUp, cutLink, mendLink, runOnHost } from "../../lab/lab.ts";
import { installPackedProject, pulumiEnvironment } from "../../lab/packed-project.ts";
import { runProgram, type ProgramResult } from "../../lab/setup/program.ts";
import { toolPath } from "../../lab/setup/requirements.ts";
import { parseTopology } from "../../lab/topology.ts";
import { openLabFolder } from "./lab-folder.ts";

/** What the test's program declares; see test/fixtures/pulumi-stack/index.ts. */
export interface Desired {
  /** Name to arguments, merged over the program's defaults. */
  readonly servers: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const preview = z.object({ steps: z.array(z.object({ op: z.string(), urn: z.string() })).default([]) });

/** A stack of its own on a lab of its own, driven by the real Pulumi CLI. */
export interface PulumiStack {
  readonly hosts: readonly string[];
  /** Writes what the program declares from now on. */
  declare(desired: Desired): Promise<void>;
  /** Runs a Pulumi command. Its output has both streams. */
  pulumi(...args: readonly string[]): Promise<ProgramResult>;
  /** Operations of a preview by logical name, unchanged resources left out. */
  previewed(): Promise<Readonly<Record<string, string>>>;
  /** Runs a shell command on a host of the lab and gives its output. */
  onHost(host: string, command: string): Promise<string>;
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
  cutManagement(host: string): Promise<void>;
  mendManagement(host: string): Promise<void>;
  /** What `stackyard gc` says. */
  leftovers(): Promise<string>;
  /** What is on the lab's hosts: domains, bridges, namespaces, files. */
  survey(): Promise<string>;
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
    installPackedProject({ stack: fixture, project, tarballs: folder, environment }),
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
  const onHost = async (host: string, command: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await runOnHost(labName, host, ["sh", "-c", command]);
    if (exitCode !== 0) throw new Error(`${host}: ${command}: ${String(exitCode)}\n${stderr}`);
    return stdout;
  };

  await must(["stack", "init", "e2e"]);
  await must(["config", "set", "lab", labName]);
  await must(["config", "set", "guestFolder", join(guest.kernel, "..")]);

  return {
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
    onHost,
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
      const after = readLastEntry(join(folder, "clouds", "e2e", "cloud.sqlite"));
      const update = run(["up", "--yes", "--skip-preview"]);
      await killWhenJournaled(project, join(folder, "clouds", "e2e", "cloud.sqlite"), step, after);
      return update;
    },
    cutManagement: (host) => cutLink(labName, host, "management"),
    mendManagement: (host) => mendLink(labName, host, "management"),
    leftovers: async () => {
      const stackyard = join(project, "node_modules", ".bin", "stackyard");
      const { stdout } = await runProgram(stackyard, ["gc"], {
        cwd: project,
        env: environment,
        timeoutMs: 60_000,
      });
      return stdout;
    },
    survey: async () => {
      const parts = await Promise.all(
        hosts.map(
          async (host) =>
            `${host}\n${await onHost(host, "virsh -q list --all --uuid; ovs-vsctl --columns=name list interface; ls /run/netns 2>/dev/null; find /var/lib/libvirt/images -mindepth 1")}`,
        ),
      );
      return parts.join("\n");
    },
    close: () => labs.close(),
  };
}

/** Number of the journal's last entry. */
function readLastEntry(store: string): number {
  using database = new DatabaseSync(store, { readOnly: true });
  const row = database.prepare("select coalesce(max(sequence), 0) as last from journal").get();
  return Number(row?.["last"] ?? 0);
}

async function killWhenJournaled(project: string, store: string, step: string, after: number): Promise<void> {
  using database = new DatabaseSync(store, { readOnly: true });
  const statement = database.prepare(
    "select count(*) as found from journal join tasks on tasks.id = journal.task_id where sequence > ? and step = ? and phase = 'intent' and type = 'server'",
  );
  const deadline = Date.now() + 120_000;
  while (Number(statement.get(after, step)?.["found"] ?? 0) === 0) {
    if (Date.now() > deadline) throw new Error(`step ${step} never began`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  for (const pid of findProviders(project)) process.kill(pid, "SIGKILL");
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
