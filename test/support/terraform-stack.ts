import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { labFiles, labFolder } from "../../lab/folders.ts";
import { buildGuest } from "../../lab/guest/build.ts";
import { bringUp } from "../../lab/lab.ts";
import { installPackedProject } from "../../lab/packed-project.ts";
import { requireProgram } from "../../lab/setup/program.ts";
import { parseTopology } from "../../lab/topology.ts";
import { listChildren } from "./child-processes.ts";
import { readLastEntry, waitForStep } from "./journal-watch.ts";
import { openLabFolder } from "./lab-folder.ts";
import { lookAtHosts, type LabHosts } from "./lab-hosts.ts";
import { packOnce } from "./packed-package.ts";
import { TerraformProject, type TerraformCommand } from "./terraform.ts";

const root = join(import.meta.dirname, "..", "..");
const hosts = ["h1", "h2"] as const;

const table = z.array(
  z.object({ name: z.string(), host: z.string(), address: z.string(), status: z.string() }),
);

/** The project `stacks/terraform` by one CLI, in a cloud of its own, on a lab that it shares. */
export class LabProject extends TerraformProject {
  readonly #stackyard: (words: readonly string[]) => Promise<string>;
  readonly #store: string;

  constructor(
    command: TerraformCommand,
    environment: NodeJS.ProcessEnv,
    store: string,
    stackyard: (words: readonly string[]) => Promise<string>,
  ) {
    super(command, environment);
    this.#store = store;
    this.#stackyard = stackyard;
  }

  /** Whether a plan has something to do, by its exit code. */
  async isPlanEmpty(...words: readonly string[]): Promise<boolean> {
    const { exitCode, stderr } = await this.run("plan", "-detailed-exitcode", "-input=false", ...words);
    if (exitCode !== 0 && exitCode !== 2) throw new Error(`the plan failed:\n${stderr}`);
    return exitCode === 0;
  }

  /** The stack's output `table`. */
  async table(): Promise<z.infer<typeof table>> {
    return table.parse(JSON.parse((await this.run("output", "-json", "table")).stdout));
  }

  /** Runs the package's command in the same cloud, which must succeed, and gives what it prints. */
  stackyard(...words: readonly string[]): Promise<string> {
    return this.#stackyard(words);
  }

  /** Applies, and as soon as the journal has the intent of a server's step, sends Ctrl-C as a terminal does. Gives the exit code. */
  interruptAt(step: string, ...words: readonly string[]): Promise<number | null> {
    return this.#applyUntil(step, words, (pid) => void process.kill(-pid, "SIGINT"));
  }

  /** Applies, and as soon as the journal has the intent of a server's step, kills the provider's process. Gives the exit code. */
  killProviderAt(step: string, ...words: readonly string[]): Promise<number | null> {
    return this.#applyUntil(step, words, (pid) => {
      for (const child of listChildren(pid)) process.kill(child, "SIGKILL");
    });
  }

  async #applyUntil(
    step: string,
    words: readonly string[],
    end: (pid: number) => void,
  ): Promise<number | null> {
    const after = readLastEntry(this.#store);
    const running = this.start("apply", "-auto-approve", "-input=false", ...words);
    const ended = new Promise<number | null>((resolve) => running.once("exit", resolve));
    await waitForStep(this.#store, step, after);
    end(running.pid ?? -1);
    return ended;
  }
}

/** A lab, and the packed package with its provider in a mirror: no registry is asked. */
export interface TerraformLab extends LabHosts {
  /** The stack, not initialised yet. */
  open(command: TerraformCommand): Promise<LabProject>;
  close(): Promise<void>;
}

export async function openTerraformLab(labName: string): Promise<TerraformLab> {
  const labs = openLabFolder(labName);
  const folder = labs.path;
  const packed = join(folder, "project");
  const cliConfig = join(folder, "cli.tfrc");
  const [, guest] = await Promise.all([
    bringUp(parseTopology({ name: labName, hosts: hosts.length })),
    buildGuest(),
    packOnce().then((tarball) =>
      installPackedProject({
        stack: join(root, "stacks", "terraform"),
        project: packed,
        tarball,
        sdk: [],
        environment: process.env,
      }),
    ),
  ]);
  const binary = join(packed, "node_modules", ".bin", "stackyard");
  const mirror = ["terraform", "install", "--dir", join(folder, "mirror"), "--write-config", cliConfig];
  await requireProgram("installing the provider", binary, mirror);

  return {
    ...lookAtHosts(labName, hosts),
    open: async (command) => {
      const environment = {
        STACKYARD_HOME: join(folder, "clouds"),
        STACKYARD_CLOUD: command.name,
        TF_CLI_CONFIG_FILE: cliConfig,
        TF_VAR_inventory: labFiles(labFolder(labName)).inventory,
        TF_VAR_guest_folder: dirname(guest.kernel),
        TF_VAR_operator_password: "only-for-this-test",
      };
      const store = join(folder, "clouds", command.name, "cloud.sqlite");
      const project = new LabProject(command, environment, store, async (words) => {
        const options = { env: { ...process.env, ...environment }, timeoutMs: 120_000 };
        return (await requireProgram(`stackyard ${words.join(" ")}`, binary, words, options)).stdout;
      });
      project.writeFile("main.tf", await readFile(join(packed, "main.tf"), "utf8"));
      const extra = join(root, "test", "fixtures", "terraform-stack", "extra.tf");
      project.writeFile("extra.tf", await readFile(extra, "utf8"));
      return project;
    },
    close: () => labs.close(),
  };
}
