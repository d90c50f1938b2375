import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { z } from "zod";
import { buildGuest } from "../../lab/guest/build.ts";
import { bringUp } from "../../lab/lab.ts";
import { installPackedProject } from "../../lab/packed-project.ts";
import { installedNode } from "../../lab/setup/nodes.ts";
import { requireProgram, runProgram, type ProgramResult } from "../../lab/setup/program.ts";
import { parseTopology } from "../../lab/topology.ts";
import { toCdktn } from "../../providers/engines/cdktf/generate.ts";
import { openLabFolder } from "./lab-folder.ts";
import { lookAtHosts, type LabHosts } from "./lab-hosts.ts";
import { mirrorNullProvider } from "./null-provider-mirror.ts";
import { packOnce } from "./packed-package.ts";
import type { TerraformCommand } from "./terraform.ts";

const root = join(import.meta.dirname, "..", "..");
const programs = join(root, "test", "fixtures", "cdktf-programs");
const hosts = ["h1", "h2"] as const;

/** Longest wait for one command, in milliseconds: a slow machine boots two guests by emulation. */
const timeoutMs = 240_000;

const table = z.object({
  cloud: z.object({
    table: z.array(z.object({ name: z.string(), host: z.string(), address: z.string(), status: z.string() })),
  }),
});

/** The project `stacks/cdktf`, installed from the packed package into an empty folder, on a lab of its own. */
export interface CdktfStack extends LabHosts {
  readonly project: string;
  /** Compiles a folder of the project by its `tsconfig.json`. */
  compile(folder: string): Promise<void>;
  /** Compiles the program of the fixtures as one for a library and a kind of module, runs it on Node 22, and gives what it prints. */
  compileAndRun(program: { readonly library: string; readonly kind: string }): Promise<string>;
  /** Lets another CLI do the work from now on, in a cloud of its own, with nothing deployed. */
  use(command: TerraformCommand): Promise<void>;
  /** Runs a cdktf command. Its output has both streams. */
  cdktf(...args: readonly string[]): Promise<ProgramResult>;
  /** Runs the CLI itself in the folder of the synthesised stack. */
  terraform(...args: readonly string[]): Promise<ProgramResult>;
  /** The stack's output `table`, as of the last deploy. */
  table(): Promise<z.infer<typeof table>["cloud"]["table"]>;
  /** Changes the program's text. */
  edit(from: string, to: string): Promise<void>;
  close(): Promise<void>;
}

/** Brings the lab up and installs the packed package, with providers from a mirror: no registry is asked for any. */
export async function openCdktfStack(labName: string): Promise<CdktfStack> {
  const labs = openLabFolder(labName);
  const folder = labs.path;
  const project = join(folder, "project");
  const home = join(folder, "home");
  const cliConfig = join(folder, "cli.tfrc");
  await mkdir(home);
  const base: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: [installedNode("22"), process.env["PATH"]].join(delimiter),
    NODE_OPTIONS: "",
    STACKYARD_HOME: join(folder, "clouds"),
    TF_CLI_CONFIG_FILE: cliConfig,
    TF_VAR_operatorPassword: "only-for-this-test",
    TF_IN_AUTOMATION: "1",
    CHECKPOINT_DISABLE: "1",
    DISABLE_VERSION_CHECK: "1",
    CDKTF_DISABLE_PLUGIN_CACHE_ENV: "1",
    CDKTF_HOME: home,
    CI: "1",
  };
  const [, guest] = await Promise.all([
    bringUp(parseTopology({ name: labName, hosts: hosts.length })),
    buildGuest(),
    packOnce().then((tarball) =>
      installPackedProject({
        stack: join(root, "stacks", "cdktf"),
        project,
        tarball,
        sdk: ["cdktf", "cdktn", "constructs"],
        environment: process.env,
      }),
    ),
  ]);
  const mirror = join(folder, "mirror");
  await writeFile(
    cliConfig,
    `provider_installation {\n  filesystem_mirror {\n    path = "${mirror}"\n  }\n}\n`,
  );
  const stackyard = join(project, "node_modules", ".bin", "stackyard");
  await requireProgram("installing the provider", stackyard, ["terraform", "install", "--dir", mirror]);
  await mirrorNullProvider(mirror);
  const settings = { lab: labName, guestFolder: dirname(guest.kernel) };
  await changeFile(join(project, "cdktf.json"), (text) =>
    JSON.stringify({ ...z.looseObject({}).parse(JSON.parse(text)), context: settings }),
  );

  let environment = base;
  let cli = "";

  const run = async (file: string, args: readonly string[], cwd: string): Promise<ProgramResult> => {
    // All of the output: an error may stand far above its end.
    const tail: string[] = [];
    const onLine = (line: string): void => void tail.push(stripVTControlCharacters(line));
    const options = { cwd, env: environment, timeoutMs, onLine };
    return { ...(await runProgram(file, args, options)), tail };
  };
  const compile = async (at: string): Promise<void> => {
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    await requireProgram(`compiling ${at}`, process.execPath, [compiler, "--project", join(project, at)]);
  };

  return {
    ...lookAtHosts(labName, hosts),
    project,
    compile,
    compileAndRun: async ({ library, kind }) => {
      const source = await readFile(join(programs, "program.ts"), "utf8");
      await cp(join(programs, kind), join(project, kind), { recursive: true });
      await writeFile(join(project, kind, "index.ts"), library === "cdktn" ? toCdktn(source) : source);
      await compile(kind);
      const node = join(installedNode("22"), "node");
      const file = join(project, kind, "index.js");
      return (await requireProgram(`running ${kind}`, node, [file], { env: environment })).stdout;
    },
    use: async ({ name, path }) => {
      cli = path;
      environment = { ...base, TERRAFORM_BINARY_NAME: path, STACKYARD_CLOUD: name };
      for (const left of ["cdktf.out", "terraform.cloud.tfstate"])
        await rm(join(project, left), { recursive: true, force: true });
    },
    cdktf: (...args) => run(join(project, "node_modules", ".bin", "cdktf"), args, project),
    terraform: (...args) => run(cli, [...args, "-no-color"], join(project, "cdktf.out", "stacks", "cloud")),
    table: async () =>
      table.parse(JSON.parse(await readFile(join(project, "outputs.json"), "utf8"))).cloud.table,
    edit: (from, to) => changeFile(join(project, "main.ts"), (text) => text.replace(from, to)),
    close: () => labs.close(),
  };
}

async function changeFile(file: string, change: (text: string) => string): Promise<void> {
  await writeFile(file, change(await readFile(file, "utf8")));
}
