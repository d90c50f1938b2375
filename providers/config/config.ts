import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { StackyardError } from "../core/errors.ts";

/** Every setting, with its environment variable, default and meaning. The only reader of the environment. */
export const settings = z.object({
  STACKYARD_HOME: z
    .string()
    .optional()
    .describe("Folder of all clouds. Default: $XDG_DATA_HOME/stackyard, else ~/.local/share/stackyard."),
  STACKYARD_CLOUD: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "must be lower-case letters, digits and hyphens, at most 63")
    .default("default")
    .describe("Name of the cloud: a folder in STACKYARD_HOME."),
  STACKYARD_USERNAME: z.string().optional().describe("User. Default: the administrator made with the cloud."),
  STACKYARD_PASSWORD: z.string().optional().describe("Password of STACKYARD_USERNAME."),
  STACKYARD_PASSWORD_FILE: z
    .string()
    .optional()
    .describe("File that holds the password, instead of STACKYARD_PASSWORD."),
  STACKYARD_PROJECT: z.string().optional().describe("Project by name or id. Default: the user's own."),
  STACKYARD_TOKEN_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .default(3600)
    .describe("How long a token lives, in seconds (keystone: [token] expiration)."),
  STACKYARD_SCHEDULER_CONFIG: z
    .string()
    .optional()
    .describe(
      "YAML file of the [scheduler's options](scheduler.md). Default: scheduler.yaml in the cloud's folder, where it is there.",
    ),
  STACKYARD_CPU_ALLOCATION_RATIO: z.coerce
    .number()
    .positive()
    .optional()
    .describe("VCPUs per core: the option initial_cpu_allocation_ratio, whatever the file says."),
  STACKYARD_RAM_ALLOCATION_RATIO: z.coerce
    .number()
    .positive()
    .optional()
    .describe("RAM overcommit: the option initial_ram_allocation_ratio, whatever the file says."),
  STACKYARD_DISK_ALLOCATION_RATIO: z.coerce
    .number()
    .positive()
    .optional()
    .describe("Disk overcommit: the option initial_disk_allocation_ratio, whatever the file says."),
  STACKYARD_RESERVED_HOST_MEMORY_MIB: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .describe(
      "RAM kept for each host itself, MiB: the option reserved_host_memory_mb, whatever the file says.",
    ),
});

/** Settings as the program uses them. */
export interface Config {
  /** Folder of the cloud: store and administrator's credentials. */
  readonly folder: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly passwordFile: string | undefined;
  readonly project: string | undefined;
  readonly tokenSeconds: number;
  /** File of the scheduler's options; `undefined` when none was named. */
  readonly schedulerFile: string | undefined;
  /** Options of the scheduler that were given by settings of their own, by nova.conf's names in its group DEFAULT. */
  readonly schedulerOverrides: {
    readonly initial_cpu_allocation_ratio?: number;
    readonly initial_ram_allocation_ratio?: number;
    readonly initial_disk_allocation_ratio?: number;
    readonly reserved_host_memory_mb?: number;
  };
  /** What of this machine an SSH login depends on. */
  readonly ssh: { readonly home: string; readonly user: string; readonly agentSocket: string | undefined };
}

/** Reads the settings. Raises `invalid-input` naming the variable. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const given = Object.fromEntries(
    Object.keys(settings.shape).map((key) => [key, environment[key] === "" ? undefined : environment[key]]),
  );
  const result = settings.safeParse(given);
  if (!result.success) {
    const issue = result.error.issues[0];
    const field = issue?.path.join(".") ?? "environment";
    throw new StackyardError("invalid-input", {
      message: `the setting ${field} is wrong: ${issue?.message ?? "unreadable"}`,
      field,
      remedy: `Correct or unset ${field}.`,
    });
  }
  const values = result.data;
  const {
    STACKYARD_CPU_ALLOCATION_RATIO: cpuRatio,
    STACKYARD_RAM_ALLOCATION_RATIO: ramRatio,
    STACKYARD_DISK_ALLOCATION_RATIO: diskRatio,
    STACKYARD_RESERVED_HOST_MEMORY_MIB: reservedMib,
  } = values;
  const dataHome = environment["XDG_DATA_HOME"] ?? join(homedir(), ".local", "share");
  return {
    folder: join(values.STACKYARD_HOME ?? join(dataHome, "stackyard"), values.STACKYARD_CLOUD),
    username: values.STACKYARD_USERNAME,
    password: values.STACKYARD_PASSWORD,
    passwordFile: values.STACKYARD_PASSWORD_FILE,
    project: values.STACKYARD_PROJECT,
    tokenSeconds: values.STACKYARD_TOKEN_SECONDS,
    schedulerFile: values.STACKYARD_SCHEDULER_CONFIG,
    schedulerOverrides: {
      ...(cpuRatio === undefined ? {} : { initial_cpu_allocation_ratio: cpuRatio }),
      ...(ramRatio === undefined ? {} : { initial_ram_allocation_ratio: ramRatio }),
      ...(diskRatio === undefined ? {} : { initial_disk_allocation_ratio: diskRatio }),
      ...(reservedMib === undefined ? {} : { reserved_host_memory_mb: reservedMib }),
    },
    ssh: { home: homedir(), user: userInfo().username, agentSocket: environment["SSH_AUTH_SOCK"] },
  };
}
