import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { installPackedProject, packPackage } from "../../lab/packed-project.ts";
import { requireProgram } from "../../lab/setup/program.ts";
import type { Say } from "../../lab/setup/progress.ts";
import { StackyardError } from "../../providers/core/errors.ts";
import { providerAddress } from "../../providers/engines/terraform/install.ts";
import { mirrorNullProvider } from "../support/null-provider-mirror.ts";
import { findTerraformCommands, type TerraformCommand } from "../support/terraform.ts";
import { compare, timeMs } from "./measurement.ts";
import type { Measurement } from "./measurement.ts";
import { benchProviderStart, type Launchers } from "./provider-start.ts";

/** Goal as a ratio to the engine's floor. */
const planGoal = 1.5;
const sizes = [
  { count: 10, runs: 5 },
  { count: 100, runs: 5 },
  { count: 1_000, runs: 3 },
] as const;
/** Longest wait for one command, in milliseconds. */
const timeoutMs = 20 * 60_000;

const titles = { terraform: "Terraform", tofu: "OpenTofu" } as const;

/**
 * Times plans that find nothing to do, by the real CLI, which starts the provider's launcher from a mirror in `folder`; and the start of the
 * provider alone. The floor is a provider over the same server that keeps its inputs.
 * @throws StackyardError `host-unsuitable` when there is neither Terraform nor OpenTofu.
 */
export async function benchTerraform(folder: string, say: Say): Promise<readonly Measurement[]> {
  const [command] = await findTerraformCommands();
  if (command === undefined) {
    throw new StackyardError("host-unsuitable", {
      message: "there is neither Terraform nor OpenTofu to measure with",
      remedy: "node lab/setup/launch.mjs setup",
    });
  }
  const mirror = join(folder, "mirror");
  const launchers = await installProviders(folder, mirror);
  const cliConfig = join(folder, "cli.tfrc");
  // Without `direct`, no registry is asked for anything.
  const text = `provider_installation {\n  filesystem_mirror {\n    path = ${JSON.stringify(mirror)}\n  }\n}\n`;
  await writeFile(cliConfig, text);
  const measurements: Measurement[] = [];
  for (const { count, runs } of sizes) {
    const name = `no-op plan of ${count.toLocaleString("en")} resources`;
    say(`${name} by ${titles[command.name]}`);
    const own = await openProject({ command, folder: join(folder, `own-${count}`), cliConfig });
    const floor = await openProject({ command, folder: join(folder, `floor-${count}`), cliConfig });
    await own.deploy(configureOwn(count));
    await floor.deploy(configureFloor(count));
    const samples = { own: [] as number[], baseline: [] as number[] };
    for (let run = 0; run < runs; run++) {
      samples.own.push((await timeMs(() => own.plan())) / 1000);
      samples.baseline.push((await timeMs(() => floor.plan())) / 1000);
    }
    measurements.push({
      name: `${name} by ${titles[command.name]}`,
      unit: "s",
      ...compare(samples, { name: "as many trivial resources", goal: planGoal }),
      ...(count === sizes[0].count
        ? {
            note: "`plan -detailed-exitcode` with refresh, here and below; the CLI starts the launchers of a filesystem mirror, which run the packed package. The trivial resources are `null_resource` of a provider in Node over the same gRPC server, which gives back what it gets; that one compiles its code at every start, ours is kept in Node's cache.",
          }
        : {}),
    });
  }
  say("start of the provider");
  return [...measurements, ...(await benchProviderStart(launchers))];
}

const written = z.object({ launcher: z.string() });

/** Installs the packed package, and the trivial provider compiled beside its modules, so that neither runs from sources. */
async function installProviders(folder: string, mirror: string): Promise<Launchers> {
  const project = join(folder, "project");
  const stack = join(import.meta.dirname, "..", "fixtures", "bench-stack");
  const tarball = await packPackage(folder, process.env);
  await installPackedProject({ stack, project, tarball, environment: process.env });
  const modules = join(project, "node_modules");
  const install = ["terraform", "install", "--dir", mirror, "--json"];
  const stackyard = join(modules, ".bin", "stackyard");
  const { stdout } = await requireProgram("installing the provider", stackyard, install);
  // Loaded here, since the memory of this process is measured in another part.
  const { default: ts } = await import("typescript");
  // Its imports lead to where the package has the same modules.
  const support = join(modules, "stackyard", "dist", "test", "support");
  await mkdir(support, { recursive: true });
  for (const name of ["null-provider", "null-provider-process"]) {
    const text = await readFile(join(import.meta.dirname, "..", "support", `${name}.ts`), "utf8");
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ESNext,
        rewriteRelativeImportExtensions: true,
        verbatimModuleSyntax: true,
      },
    });
    await writeFile(join(support, `${name}.js`), outputText);
  }
  return {
    launcher: written.parse(JSON.parse(stdout)).launcher,
    floorLauncher: await mirrorNullProvider(mirror, join(support, "null-provider-process.js")),
  };
}

/** Resources that need no host, with references, defaults and identities: those of the preview by Pulumi. */
function configureOwn(count: number): string {
  return `terraform {
  required_providers {
    stackyard = { source = "${providerAddress}" }
  }
}
resource "stackyard_project" "bench" {
  name  = "bench"
  # Neutron's default quota is 500 ports.
  quota = { ports = -1 }
}
resource "stackyard_network" "net" {
  name    = "net"
  project = stackyard_project.bench.id
}
resource "stackyard_subnet" "subnet" {
  name    = "subnet"
  project = stackyard_project.bench.id
  network = stackyard_network.net.id
  cidr    = "10.0.0.0/16"
}
resource "stackyard_port" "port" {
  count   = ${count - 3}
  name    = "port-\${count.index}"
  project = stackyard_project.bench.id
  network = stackyard_network.net.id
  subnet  = stackyard_subnet.subnet.id
}
`;
}

function configureFloor(count: number): string {
  return `terraform {
  required_providers {
    null = { source = "hashicorp/null" }
  }
}
resource "null_resource" "trivial" {
  count    = ${count}
  triggers = { name = "port-\${count.index}", project = "bench", network = "net", subnet = "subnet" }
}
`;
}

/** A working directory of the CLI. */
interface Project {
  deploy(configuration: string): Promise<void>;
  /** Raises `command-failed` when there is something to do. */
  plan(): Promise<unknown>;
}

async function openProject({
  command,
  folder,
  cliConfig,
}: {
  readonly command: TerraformCommand;
  readonly folder: string;
  readonly cliConfig: string;
}): Promise<Project> {
  await mkdir(folder, { recursive: true });
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    CHECKPOINT_DISABLE: "1",
    STACKYARD_HOME: join(folder, "clouds"),
    TF_CLI_CONFIG_FILE: cliConfig,
    TF_IN_AUTOMATION: "1",
  };
  const run = (...words: readonly [string, ...string[]]): Promise<unknown> =>
    requireProgram(`${command.name} ${words[0]}`, command.path, [...words, "-input=false", "-no-color"], {
      cwd: folder,
      env,
      timeoutMs,
    });
  return {
    async deploy(configuration) {
      await writeFile(join(folder, "main.tf"), configuration);
      await run("init");
      await run("apply", "-auto-approve");
    },
    plan: () => run("plan", "-detailed-exitcode"),
  };
}
