import { existsSync, readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { StackyardError } from "../core/errors.ts";
import { previewDetails, type PreviewDetail } from "../core/preview-detail.ts";

const printableText = /^[^\p{C}\p{Zl}\p{Zp}]{1,255}$/u;

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
  STACKYARD_STACK: z
    .string()
    .regex(printableText, "must be 1 to 255 printable characters")
    .optional()
    .describe(
      "Name of a Terraform configuration in the cloud; ids of new resources follow from it. Default: the working directory and the workspace.",
    ),
  STACKYARD_PREVIEW: z
    .enum(previewDetails)
    .default("brief")
    .describe(
      "What the plans of Pulumi and Terraform tell administrators of what would be done on the hosts: off is nothing, brief the host chosen, the filters, changed lines of the domain XML and what each command is for, full also new XML and the text of each command.",
    ),
  STACKYARD_TOKEN_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .default(3600)
    .describe("How long a token lives, in seconds (keystone: [token] expiration)."),
  STACKYARD_LOCKOUT_FAILURE_ATTEMPTS: z.coerce
    .number()
    .int()
    .min(1)
    .optional()
    .describe(
      "Wrong passwords after which a user is kept out for a while; default: none is (keystone: [security_compliance] lockout_failure_attempts).",
    ),
  STACKYARD_LOCKOUT_DURATION_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .default(1800)
    .describe("For how long, in seconds (keystone: [security_compliance] lockout_duration)."),
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
  readonly previewDetail: PreviewDetail;
  readonly tokenSeconds: number;
  /** Wrong passwords after which a user is kept out; `undefined` when none is. */
  readonly lockoutFailureAttempts: number | undefined;
  readonly lockoutDurationSeconds: number;
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

/**
 * Reads the settings; `overrides` are an engine's own, and come before the environment's. Raises `invalid-input` naming the variable.
 */
export function readConfig(
  environment: NodeJS.ProcessEnv = process.env,
  overrides: Readonly<Record<string, string>> = {},
): Config {
  const values = readSettings(environment, overrides);
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
    previewDetail: values.STACKYARD_PREVIEW,
    tokenSeconds: values.STACKYARD_TOKEN_SECONDS,
    lockoutFailureAttempts: values.STACKYARD_LOCKOUT_FAILURE_ATTEMPTS,
    lockoutDurationSeconds: values.STACKYARD_LOCKOUT_DURATION_SECONDS,
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

function readSettings(
  environment: NodeJS.ProcessEnv,
  overrides: Readonly<Record<string, string>>,
): z.infer<typeof settings> {
  // A user of the engine's own has the engine's own password, however it is given.
  const hidden = Object.keys(overrides).some((key) => key.startsWith("STACKYARD_PASSWORD"))
    ? ["STACKYARD_PASSWORD", "STACKYARD_PASSWORD_FILE"]
    : [];
  const given = Object.fromEntries(
    Object.keys(settings.shape).map((key) => {
      const value = overrides[key] ?? (hidden.includes(key) ? undefined : environment[key]);
      return [key, value === "" ? undefined : value];
    }),
  );
  const result = settings.safeParse(given);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join(".") ?? "environment";
  throw new StackyardError("invalid-input", {
    message: `the setting ${field} is wrong: ${issue?.message ?? "unreadable"}`,
    field,
    remedy: `Correct or unset ${field}.`,
  });
}

/**
 * Which Terraform configuration this is: `STACKYARD_STACK`, else the working directory, with the workspace unless that is the default one
 * (terraform: `TF_WORKSPACE`, else what `terraform workspace select` wrote). Raises `invalid-input`.
 */
export function readStack(
  environment: NodeJS.ProcessEnv = process.env,
  folder: string = process.cwd(),
): string {
  const { STACKYARD_STACK: name } = readSettings(environment, {});
  if (name !== undefined) return name;
  const workspace = environment["TF_WORKSPACE"] ?? readWorkspace(environment, folder);
  return workspace === "" || workspace === "default" ? folder : `${folder}#${workspace}`;
}

function readWorkspace(environment: NodeJS.ProcessEnv, folder: string): string {
  const file = join(resolve(folder, environment["TF_DATA_DIR"] ?? ".terraform"), "environment");
  return existsSync(file) ? readFileSync(file, "utf8").trim() : "";
}
