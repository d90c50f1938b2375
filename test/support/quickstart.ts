import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { labFolder } from "../../lab/folders.ts";
import { pulumiEnvironment } from "../../lab/packed-project.ts";
import { runProcess, type ProcessResult } from "../../lab/process.ts";
import { runProgram } from "../../lab/setup/program.ts";
import { toolPath } from "../../lab/setup/requirements.ts";
import { readConfig } from "../../providers/config/config.ts";
import type { Cloud } from "../../providers/core/cloud.ts";
import { openCloud } from "../../providers/wiring.ts";
import { openLabFolder } from "./lab-folder.ts";

/** `npm run quickstart` with arguments, deployed in a folder of the test's own. */
export class DeployedQuickstart {
  readonly labName: string;
  /** Its cloud, which the test shares with the stack. */
  readonly cloud: Cloud;
  readonly #folder: string;
  readonly #args: readonly string[];
  readonly #close: () => Promise<void>;

  private constructor(
    labName: string,
    cloud: Cloud,
    folder: string,
    args: readonly string[],
    close: () => Promise<void>,
  ) {
    this.labName = labName;
    this.cloud = cloud;
    this.#folder = folder;
    this.#args = args;
    this.#close = close;
  }

  /** @param labName as the quickstart names lab, cloud and folder when it is given these arguments. */
  static async deploy(labName: string, args: readonly string[]): Promise<DeployedQuickstart> {
    const labs = openLabFolder(labName);
    const folder = join(labs.stateHome, "stackyard", labName);
    try {
      await run(args);
      const cloud = await openCloud({ config: readConfig(environmentOf(labName, folder)) });
      return new DeployedQuickstart(labName, cloud, folder, args, () => labs.close());
    } catch (error) {
      await labs.close();
      throw error;
    }
  }

  /** `npm run quickstart -- --destroy`. Raises an error when anything of the lab is left. */
  async destroy(): Promise<void> {
    try {
      await this.cloud.close();
      await run([...this.#args, "--destroy"]);
      if (existsSync(labFolder(this.labName))) throw new Error(`lab ${this.labName} is left`);
    } finally {
      await this.#close();
    }
  }

  /** Runs a command in a server's guest, as a user does, and gives how it ended. */
  tryInGuest(server: string, command: string): Promise<ProcessResult> {
    return this.#stackyard(
      ["server", "ssh", server, "--identity", join(this.#folder, "id_login"), "--", command],
      120_000,
    );
  }

  /** Whether a server's guest reaches an address. */
  async pings(server: string, address: string): Promise<boolean> {
    return (await this.tryInGuest(server, `ping -c 2 -W 5 ${address}`)).exitCode === 0;
  }

  /** What `stackyard drift` says of the whole cloud: {@link noDrift} when nothing differs. */
  async findDrift(): Promise<unknown> {
    const { stdout } = await this.#stackyard(["drift", "--json"], 300_000);
    return z
      .looseObject({ findings: z.array(z.unknown()), errors: z.array(z.unknown()) })
      .parse(JSON.parse(stdout));
  }

  /** `pulumi preview --expect-no-changes`: its exit code, and the last of what it said. */
  async preview(): Promise<{ readonly exitCode: number; readonly tail: readonly string[] }> {
    const words = ["preview", "--expect-no-changes", "--non-interactive", "--color", "never"];
    const { exitCode, tail } = await runProgram("pulumi", words, {
      cwd: join(this.#folder, "project"),
      env: {
        ...process.env,
        ...environmentOf(this.labName, this.#folder),
        PATH: await toolPath(),
        ...pulumiEnvironment(this.#folder),
      },
      timeoutMs: 600_000,
    });
    return { exitCode, tail };
  }

  #stackyard(words: readonly string[], timeoutMs: number): Promise<ProcessResult> {
    return runProcess(process.execPath, ["providers/main.ts", ...words], {
      cwd: process.cwd(),
      env: environmentOf(this.labName, this.#folder),
      timeoutMs,
    });
  }
}

/** What {@link DeployedQuickstart.findDrift} gives when nothing differs. */
export const noDrift = { findings: [], errors: [], interrupted: [] };

function environmentOf(labName: string, folder: string) {
  return { STACKYARD_HOME: join(folder, "clouds"), STACKYARD_CLOUD: labName };
}

async function run(args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, ["lab/setup/launch.mjs", "quickstart", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said: string[] = [];
  createInterface(child.stdout).on("line", (line) => said.push(line));
  createInterface(child.stderr).on("line", (line) => said.push(line));
  const [code] = z.tuple([z.int().nullable(), z.unknown()]).parse(await once(child, "close"));
  if (code !== 0)
    throw new Error(`the quickstart ended with ${String(code)}:\n${said.slice(-30).join("\n")}`);
}
