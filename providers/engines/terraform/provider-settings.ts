import { StackyardError } from "../../core/errors.ts";
import { toSnakeCase } from "../../core/names.ts";
import type { Attribute } from "./schema.ts";
import { unknown, type Values } from "./values.ts";

/** Settings of the provider, each with the environment variable that it stands for. */
const settings = {
  cloud: {
    variable: "STACKYARD_CLOUD",
    doc: "Name of the cloud: a folder in `STACKYARD_HOME`.",
  },
  username: { variable: "STACKYARD_USERNAME", doc: "User." },
  password: { variable: "STACKYARD_PASSWORD", doc: "Password of the user." },
  passwordFile: { variable: "STACKYARD_PASSWORD_FILE", doc: "File that holds the password." },
  project: { variable: "STACKYARD_PROJECT", doc: "Project by name or id." },
  preview: {
    variable: "STACKYARD_PREVIEW",
    doc: "What plans tell administrators of what would be done on the hosts, as warnings: `off`, `brief` or `full`.",
  },
} as const;

/** What a provider block sets. */
export interface ProviderSettings {
  /** Environment variables of ours, as this provider has them. */
  readonly variables: Readonly<Record<string, string>>;
  readonly stack: string | undefined;
}

const text = {
  required: false,
  optional: true,
  computed: false,
  writeOnly: false,
  type: { kind: "string" },
} as const;

/** Attributes of the provider block; all are optional. */
export const providerAttributes: readonly Attribute[] = [
  ...Object.entries(settings).map(([key, { variable, doc }]): Attribute => ({
    ...text,
    name: toSnakeCase(key),
    key,
    sensitive: key === "password",
    description: `${doc} Default: \`${variable}\`.`,
  })),
  {
    ...text,
    name: "stack",
    key: "stack",
    sensitive: false,
    description:
      "Tells the resources of this configuration from those of others in the same cloud; ids follow from it. Default: `STACKYARD_STACK`, else the working directory and the workspace.",
  },
];

/**
 * Reads the provider block.
 * @throws StackyardError `invalid-input` for a setting that is known only after apply: there is nobody to plan with.
 */
export function readSettings(config: Values): ProviderSettings {
  const variables = Object.entries(settings).flatMap(([key, { variable }]): [string, string][] => {
    const given = readText(config, key);
    return given === undefined ? [] : [[variable, given]];
  });
  return { variables: Object.fromEntries(variables), stack: readText(config, "stack") };
}

/** The stack's name in the cloud of these settings: provider blocks of one configuration may name several clouds, and ids of one are not to be found in another. */
export function nameStack(stack: string, { variables }: ProviderSettings): string {
  const cloud = variables[settings.cloud.variable];
  return cloud === undefined ? stack : `${stack}@${cloud}`;
}

function readText(config: Values, key: string): string | undefined {
  const given = config[key];
  if (given === unknown) {
    throw new StackyardError("invalid-input", {
      message: `the provider's ${toSnakeCase(key)} is not known before the apply`,
      field: key,
      remedy: "Use a value that is known in the plan: a variable, or the environment.",
    });
  }
  return typeof given === "string" ? given : undefined;
}
