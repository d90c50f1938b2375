import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { cacheFolder } from "../../lab/folders.ts";
import { findCli, opentofu, terraform } from "../../lab/setup/clis.ts";
import { providerAddress } from "../../providers/engines/terraform/install.ts";
import { createProviderLog } from "../../providers/engines/terraform/provider-log.ts";
import { createProvider, type Provider } from "../../providers/engines/terraform/provider.ts";
import { serveProvider, type Listener } from "../../providers/engines/terraform/serve.ts";
import type { Definition } from "../../providers/core/resource.ts";
import { definitions } from "../../providers/registry.ts";
import { openTestSession, TestCloud } from "./cloud.ts";

/** A CLI that speaks to providers. */
export interface TerraformCommand {
  readonly name: "terraform" | "tofu";
  readonly path: string;
}

/** Terraform and OpenTofu, each if it is on PATH in a release that we support, or set-up has installed it. */
export async function findTerraformCommands(): Promise<readonly TerraformCommand[]> {
  const search = { path: process.env["PATH"] ?? "", cache: cacheFolder() };
  const [first, second] = await Promise.all([findCli(terraform, search), findCli(opentofu, search)]);
  return [
    ...(first.state === "found"
      ? [{ name: "terraform" as const, path: join(first.folder, terraform.program) }]
      : []),
    ...(second.state === "found"
      ? [{ name: "tofu" as const, path: join(second.folder, opentofu.program) }]
      : []),
  ];
}

/** How a command ended. */
export interface TerraformResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const header = `terraform {
  required_providers {
    stackyard = { source = "${providerAddress}" }
  }
}
`;

/** A plan as `show -json` tells it. */
const planJson = z.object({
  resource_changes: z
    .array(
      z.object({
        address: z.string(),
        change: z.object({
          actions: z.array(z.string()),
          before: z.record(z.string(), z.json()).nullable(),
          after: z.record(z.string(), z.json()).nullable(),
          after_unknown: z.json(),
          replace_paths: z.array(z.array(z.union([z.string(), z.number()]))).optional(),
        }),
      }),
    )
    .default([]),
});

export type PlannedChange = z.infer<typeof planJson>["resource_changes"][number];

/** A line of `plan -json`. */
const toldLine = z.object({
  diagnostic: z.object({ address: z.string().default(""), summary: z.string() }).optional(),
});

/** A plan: the changes by address, and the warnings, each of a resource. */
export interface Plan {
  readonly changes: ReadonlyMap<string, PlannedChange["change"]>;
  readonly warnings: readonly { readonly address: string; readonly summary: string }[];
}

/** A working directory for one of the CLIs. */
export class TerraformProject implements AsyncDisposable {
  readonly folder: string;
  readonly #command: TerraformCommand;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #close: () => Promise<void>;

  constructor(
    command: TerraformCommand,
    environment: NodeJS.ProcessEnv,
    close: () => Promise<void> = () => Promise.resolve(),
  ) {
    this.#command = command;
    this.folder = mkdtempSync(join(tmpdir(), "stackyard-terraform-test-"));
    const cliConfig = join(this.folder, "cli.tfrc");
    writeFileSync(cliConfig, "");
    this.#environment = {
      ...process.env,
      NODE_OPTIONS: "",
      CHECKPOINT_DISABLE: "1",
      TF_CLI_CONFIG_FILE: cliConfig,
      TF_IN_AUTOMATION: "1",
      ...environment,
    };
    this.#close = close;
  }

  /** Writes the configuration: the text, and what names the provider. */
  write(text: string): void {
    writeFileSync(join(this.folder, "main.tf"), `${header}${text}`);
  }

  writeFile(file: string, text: string): void {
    writeFileSync(join(this.folder, file), text);
  }

  read(file: string): string {
    return readFileSync(join(this.folder, file), "utf8");
  }

  /** Runs the CLI to its end. */
  run(...words: readonly string[]): Promise<TerraformResult> {
    return new Promise((resolve, reject) => {
      const options = { cwd: this.folder, env: this.#environment, maxBuffer: 2 ** 26 };
      execFile(this.#command.path, words, options, (error, stdout, stderr) => {
        if (error !== null && typeof error.code !== "number")
          reject(new Error(`terraform ${words.join(" ")} was not run to its end`, { cause: error }));
        else resolve({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr });
      });
    });
  }

  /** Starts the CLI in a process group of its own. */
  start(...words: readonly string[]): ChildProcess {
    return spawn(this.#command.path, words, {
      cwd: this.folder,
      env: this.#environment,
      detached: true,
      stdio: "ignore",
    });
  }

  /** Runs a command that must succeed. */
  async must(...words: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(...words, "-no-color");
    if (exitCode !== 0)
      throw new Error(`terraform ${words.join(" ")} ended with ${String(exitCode)}:\n${stdout}\n${stderr}`);
    return stdout;
  }

  /** What a command that must fail says, in one line: the CLIs break lines where they like. */
  async refusal(...words: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(...words, "-no-color");
    if (exitCode !== 1)
      throw new Error(`terraform ${words.join(" ")} ended with ${String(exitCode)}:\n${stdout}`);
    return stderr.replaceAll(/[│╷╵]/g, " ").replaceAll(/\s+/g, " ");
  }

  apply(...words: readonly string[]): Promise<string> {
    return this.must("apply", "-auto-approve", ...words);
  }

  /** What the next apply would do, by address. */
  async plan(...words: readonly string[]): Promise<ReadonlyMap<string, PlannedChange["change"]>> {
    return (await this.planAndWarn(...words)).changes;
  }

  /** As {@link plan}, with what is warned of. */
  async planAndWarn(...words: readonly string[]): Promise<Plan> {
    const told = await this.must("plan", "-json", "-out=plan.bin", ...words);
    const { stdout } = await this.run("show", "-json", "plan.bin");
    return {
      changes: new Map(
        planJson.parse(JSON.parse(stdout)).resource_changes.map(({ address, change }) => [address, change]),
      ),
      warnings: told
        .trimEnd()
        .split("\n")
        .flatMap((line) => toldLine.parse(JSON.parse(line)).diagnostic ?? []),
    };
  }

  /** The actions of the next apply, by address; what stays is left out. */
  async actions(...words: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const changes = [...(await this.plan(...words))].map(
      ([address, { actions }]) => [address, actions.join("/")] as const,
    );
    return Object.fromEntries(changes.filter(([, actions]) => actions !== "no-op"));
  }

  /** The stored attributes of a resource. */
  async attributes(address: string): Promise<Readonly<Record<string, unknown>>> {
    const { stdout } = await this.run("show", "-json");
    const state = z
      .object({
        values: z
          .object({
            root_module: z.object({
              resources: z
                .array(z.object({ address: z.string(), values: z.record(z.string(), z.unknown()) }))
                .default([]),
            }),
          })
          .optional(),
      })
      .parse(JSON.parse(stdout));
    const found = state.values?.root_module.resources.find((resource) => resource.address === address);
    if (found === undefined) throw new Error(`the state has no ${address}`);
    return found.values;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A project whose provider runs in this process, over a cloud with fake hosts. */
export class AttachedProject extends TerraformProject {
  readonly test: TestCloud;
  /** Lines of the provider's log. */
  readonly log: readonly string[];

  private constructor(command: TerraformCommand, attached: Attached) {
    super(command, attached.environment, () => attached.close());
    this.test = attached.test;
    this.log = attached.log;
  }

  static async open(
    command: TerraformCommand,
    over: readonly Definition[] = definitions,
  ): Promise<AttachedProject> {
    return new AttachedProject(command, await attach(over));
  }
}

interface Attached {
  readonly test: TestCloud;
  readonly log: string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly close: () => Promise<void>;
}

/** Serves a provider in this process. */
export async function attach(over: readonly Definition[]): Promise<Attached> {
  const test = await TestCloud.open();
  const log: string[] = [];
  const provider: Provider = createProvider({
    definitions: over,
    log: createProviderLog((line) => void log.push(line)),
    openCloud: ({ variables }) => openTestSession(test.folder, test.compute, { ...variables }),
    defaultStack: () => Promise.resolve("test"),
  });
  const listener: Listener = await serveProvider({
    handlers: () => Promise.resolve(provider.handlers),
    clientCertificate: undefined,
    onShutdown: () => undefined,
  });
  return {
    test,
    log,
    environment: {
      TF_REATTACH_PROVIDERS: JSON.stringify({
        [providerAddress]: {
          Protocol: "grpc",
          ProtocolVersion: 6,
          Pid: process.pid,
          Test: true,
          Addr: { Network: "unix", String: listener.socket },
        },
      }),
    },
    close: async () => {
      listener.close();
      await provider.close();
      await test[Symbol.asyncDispose]();
    },
  };
}
