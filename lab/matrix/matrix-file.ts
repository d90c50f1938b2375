import { dirname, resolve } from "node:path";
import { z } from "zod";
import { StackyardError } from "../../providers/core/errors.ts";
import { escapeLine } from "../../providers/core/escape.ts";
import { parseInput, readYamlFile, rule } from "../checked-input.ts";
import { nameSchema, parseTopology } from "../topology.ts";
import type { Topology } from "../topology.ts";

/** The axis that every matrix has: which of its topologies. */
export const topologyAxis = "topology";

const axisName = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;
const maxValueChars = 200;

const axisNameSchema = z
  .string()
  .check(
    rule<string>(
      (name) => axisName.test(name) && name.length <= 32,
      "is not the name of an axis",
      'Use at most 32 of a-z, 0-9 and "-", beginning with a letter: storage-backend is STACKYARD_MATRIX_STORAGE_BACKEND.',
    ),
  );

const valueSchema = z
  .string({ error: "is not text" })
  .check(
    rule<string>(
      (value) => value.trim() !== "" && value.length <= maxValueChars && escapeLine(value) === value,
      "is not a value of an axis",
      `Use 1 to ${String(maxValueChars)} characters that are printed, not blanks alone.`,
    ),
  );

const commandSchema = z
  .unknown()
  .check(
    rule<unknown>(
      (words) => Array.isArray(words) && words.length > 0,
      "is not a list of words",
      'Write a program and its arguments as a list, [npm, test]; a shell is a program too: [sh, -c, "npm ci && npm test"].',
    ),
  )
  .pipe(
    z.array(
      z
        .string({ error: "is not text" })
        .check(
          rule<string>((word) => !word.includes("\0"), "holds the character NUL", "Remove the character."),
        ),
    ),
  )
  .check((context) => {
    if (context.value[0]?.trim() !== "") return;
    context.issues.push({
      code: "custom",
      input: context.value,
      path: [0],
      message: "names no program",
      params: { remedy: "Begin the command with a program." },
    });
  });

const variablesSchema = z.record(
  z.string().check(
    rule<string>(
      (name) => variableName.test(name),
      "is not the name of an environment variable",
      "Use letters, digits and _, not beginning with a digit.",
    ),
    rule<string>(
      (name) => !/^STACKYARD_(MATRIX_|LAB$|LAB_|CELL|RUN_ID$)/.test(name),
      "is a variable that the matrix itself sets",
      "Choose another name.",
    ),
  ),
  z
    .string({ error: "is not text" })
    .check(rule<string>((text) => !text.includes("\0"), "holds the character NUL", "Remove the character.")),
);

const selectionSchema = z.record(axisNameSchema, valueSchema);

const matrixSchema = z
  .strictObject({
    name: nameSchema("matrix").default("matrix"),
    command: commandSchema,
    env: variablesSchema.default({}),
    timeoutSeconds: z
      .number({ error: "is not a number of seconds" })
      .positive({ error: "is not more than 0 s" })
      .max(86_400, { error: "is more than a day" })
      .default(1800),
    failFast: z.boolean({ error: "is neither true nor false" }).default(false),
    topologies: z
      .record(
        nameSchema("topology"),
        z.looseObject(
          { file: z.string({ error: "is not a path" }).optional() },
          { error: "is not a topology: write its fields, {} for the default one, or file: PATH" },
        ),
        { error: "is not a list of named topologies" },
      )
      .check(
        rule<object>(
          (topologies) => Object.keys(topologies).length > 0,
          "is empty",
          "Name one topology at least: one-host: { hosts: 1 }",
        ),
      ),
    axes: z
      .record(
        axisNameSchema,
        z.array(valueSchema, { error: "is not a list of values" }).min(1, { error: "is empty" }),
      )
      .default({}),
    include: z.array(selectionSchema, { error: "is not a list" }).default([]),
    exclude: z.array(selectionSchema, { error: "is not a list" }).default([]),
  })
  .check((context) => {
    for (const [axis, values] of Object.entries(context.value.axes)) {
      if (axis === topologyAxis) {
        context.issues.push({
          code: "custom",
          input: context.value,
          path: ["axes", axis],
          message: "is the axis of the topologies",
          params: { remedy: "Name its values under topologies, and other axes otherwise." },
        });
      }
      const twice = values.findIndex((value, index) => values.indexOf(value) !== index);
      if (twice === -1) continue;
      context.issues.push({
        code: "custom",
        input: context.value,
        path: ["axes", axis, twice],
        message: "is there twice",
        params: { remedy: "Name each value of an axis once." },
      });
    }
  });

const knownKeys =
  "name, command, env, timeoutSeconds, failFast, topologies (each: file, and fields of a topology), axes, include, exclude";

/** Values of some axes, the topology among them. */
export type Selection = Readonly<Record<string, string>>;

/** What a matrix runs, and over what. */
export interface Matrix {
  /** Begins the names of its labs: NAME-TOPOLOGY. */
  readonly name: string;
  /** A program, by its name on PATH or its absolute path, and its arguments, each word as it is. */
  readonly command: readonly string[];
  /** Variables of the command beside ours and the matrix's own. Their values are in no output. */
  readonly env: Readonly<Record<string, string>>;
  /** Longest time of one cell's command. */
  readonly timeoutSeconds: number;
  /** Whether the cells after one that did not pass are skipped. */
  readonly failFast: boolean;
  /** By their names, in the order of the file. Each is called as its lab. */
  readonly topologies: ReadonlyMap<string, Topology>;
  /** The other axes with their values, in the order of the file. */
  readonly axes: ReadonlyMap<string, readonly string[]>;
  readonly include: readonly Selection[];
  readonly exclude: readonly Selection[];
}

/** Fields whose numbers are text as they are written. */
const textKeys = ["command", "env", "axes", "include", "exclude"];

/**
 * The matrix in a YAML (or JSON) file, its topologies' files too. Paths in it are relative to it.
 * @param name wins over the file's.
 * @throws StackyardError `not-found` when a file cannot be read, `invalid-input` with the field at fault.
 */
export function loadMatrix(file: string, name?: string): Matrix {
  const input = readYamlFile(file, "FILE", "matrix", textKeys) ?? {};
  return parseMatrix(input, dirname(resolve(file)), name);
}

/**
 * The matrix that `input` describes.
 * @param folder what the paths of topologies and of the program are relative to.
 * @throws StackyardError as {@link loadMatrix}.
 */
export function parseMatrix(input: unknown, folder: string, name?: string): Matrix {
  const parsed = parseInput(matrixSchema, input, { what: "matrix", knownKeys, secretKey: "env" });
  const matrixName = name === undefined ? parsed.name : parseInput(nameSchema("matrix"), name, flagKind);
  const topologies = Object.entries(parsed.topologies).map(
    ([key, given]) => [key, readTopology(matrixName, key, given, folder)] as const,
  );
  const [program = "", ...words] = parsed.command;
  return {
    ...parsed,
    name: matrixName,
    command: [program.includes("/") ? resolve(folder, program) : program, ...words],
    topologies: new Map(topologies),
    axes: new Map(Object.entries(parsed.axes)),
  };
}

const flagKind = { what: "--name", knownKeys: "" };

function readTopology(
  matrix: string,
  key: string,
  { file, ...fields }: Readonly<Record<string, unknown>> & { readonly file?: string | undefined },
  folder: string,
): Topology {
  const field = `topologies.${key}`;
  if ("name" in fields) {
    throw new StackyardError("invalid-input", {
      message: `the matrix is not valid: ${field} has a name of its own`,
      field: `${field}.name`,
      value: fields["name"],
      remedy: `Leave it out: its lab is called ${matrix}-${key}.`,
    });
  }
  try {
    const base = file === undefined ? {} : readFields(resolve(folder, file), `${field}.file`);
    return parseTopology({ ...base, ...fields, name: `${matrix}-${key}` });
  } catch (error) {
    if (!(error instanceof StackyardError) || error.field === `${field}.file`) throw error;
    throw new StackyardError(error.code, {
      message: `the matrix is not valid: ${field}: ${error.message}`,
      field: error.field === "name" ? field : `${field}.${error.field ?? ""}`,
      value: error.value,
      remedy: error.remedy,
      cause: error,
    });
  }
}

/** The fields of a topology's file, that others come beside. Raises `invalid-input` where it holds no fields. */
function readFields(file: string, field: string): Readonly<Record<string, unknown>> {
  const fields = z.record(z.string(), z.unknown()).safeParse(readYamlFile(file, field, "topology") ?? {});
  if (fields.success) return fields.data;
  throw new StackyardError("invalid-input", {
    message: "the topology file holds no fields of a topology",
    field,
    value: file,
    remedy: "Name the file of a topology, as `stackyard lab up --topology` takes it.",
  });
}
