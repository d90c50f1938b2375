import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadMatrix, parseMatrix } from "../../../../lab/matrix/matrix-file.ts";
import { parseTopology } from "../../../../lab/topology.ts";

const least = { command: ["true"], topologies: { one: { hosts: 1 } } };

function refusalOf(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    return error;
  }
}

describe("a matrix", () => {
  test("of a command and a topology is complete with defaults", () => {
    expect(parseMatrix(least, "/")).toEqual({
      name: "matrix",
      command: ["true"],
      env: {},
      timeoutSeconds: 1800,
      failFast: false,
      topologies: new Map([["one", parseTopology({ name: "matrix-one", hosts: 1 })]]),
      axes: new Map(),
      include: [],
      exclude: [],
    });
  });

  test("is called otherwise by the flag, and its labs too", () => {
    const matrix = parseMatrix({ ...least, name: "nightly" }, "/", "ci-7");
    expect(matrix.name).toBe("ci-7");
    expect(matrix.topologies.get("one")?.name).toBe("ci-7-one");
  });

  test.each([
    ["a path", "./run tests.sh", "/my ci/run tests.sh"],
    ["an absolute path", "/bin/true", "/bin/true"],
    ["a name", "npm", "npm"],
  ])("finds a program that is %s from where the file is", (_case, program, found) => {
    expect(parseMatrix({ ...least, command: [program, "./a"] }, "/my ci").command).toEqual([found, "./a"]);
  });

  test("takes words, values and variables with blanks and quotes as they are", () => {
    const odd = `it's "1 2" $(reboot)`;
    const matrix = parseMatrix(
      { ...least, command: ["echo", odd], env: { ODD: odd }, axes: { odd: [odd] } },
      "/",
    );
    expect(matrix.command).toEqual(["echo", odd]);
    expect(matrix.env).toEqual({ ODD: odd });
    expect(matrix.axes).toEqual(new Map([["odd", [odd]]]));
  });

  test.each([
    [
      "without a command",
      { command: undefined },
      "command",
      undefined,
      "Write a program and its arguments as a list",
    ],
    [
      "with a command of a shell",
      { command: "npm test" },
      "command",
      "npm test",
      '[sh, -c, "npm ci && npm test"]',
    ],
    ["with an empty command", { command: [] }, "command", [], "as a list"],
    ["with a command of a blank", { command: [" "] }, "command.0", " ", "Begin the command with a program."],
    ["with NUL in a word", { command: ["a", "\0"] }, "command.1", "\0", "Remove the character."],
    ["without topologies", { topologies: {} }, "topologies", {}, "Name one topology at least"],
    ["with a hostile topology", { topologies: { "../x": {} } }, "topologies.../x", "../x", "a-z"],
    ["with a topology of two words", { topologies: { "a b": {} } }, "topologies.a b", "a b", "a-z"],
    [
      "with a topology that is a word",
      { topologies: { a: "three" } },
      "topologies.a",
      "three",
      "Write a mapping",
    ],
    [
      "with a topology of another name",
      { topologies: { a: { name: "b" } } },
      "topologies.a.name",
      "b",
      "matrix-a",
    ],
    [
      "with a topology whose lab has too long a name",
      { topologies: { ["a".repeat(30)]: {} } },
      `topologies.${"a".repeat(30)}`,
      `matrix-${"a".repeat(30)}`,
      "at most 32",
    ],
    [
      "with a host name twice",
      { topologies: { a: { hosts: ["h1", "h1"] } } },
      "topologies.a.hosts.1.name",
      "h1",
      "a name of its own",
    ],
    [
      "with an unknown role",
      { topologies: { a: { hosts: [{ name: "h1", roles: ["sotrage"] }] } } },
      "topologies.a.hosts.0.roles.0",
      "sotrage",
      "compute",
    ],
    ["with an axis of no values", { axes: { storage: [] } }, "axes.storage", [], "Give 1 or more."],
    ["with a value twice", { axes: { storage: ["rbd", "rbd"] } }, "axes.storage.1", "rbd", "once"],
    ["with a value of two lines", { axes: { storage: ["a\nb"] } }, "axes.storage.0", "a\nb", "printed"],
    ["with an axis of topologies", { axes: { topology: ["a"] } }, "axes.topology", ["a"], "under topologies"],
    ["with a hostile axis", { axes: { "A B": ["a"] } }, "axes.A B", "A B", "STACKYARD_MATRIX_"],
    ["with a limit of nothing", { timeoutSeconds: 0 }, "timeoutSeconds", 0, "Give more than 0."],
    ["with an unknown key", { axis: {} }, "axis", {}, "Known keys: name, command"],
    [
      "with a variable of ours",
      { env: { STACKYARD_LAB: "x" } },
      "env.STACKYARD_LAB",
      "STACKYARD_LAB",
      "another name",
    ],
    ["with a name that no lab may have", { name: "Nightly" }, "name", "Nightly", "a-z"],
  ])("%s is refused with field, value and remedy", (_case, change, field, value, remedy) => {
    expect(refusalOf(() => parseMatrix({ ...least, ...change }, "/"))).toMatchObject({
      code: "invalid-input",
      field,
      value,
      remedy: expect.stringContaining(remedy) as unknown,
    });
  });

  test("is refused without a value of a variable in the error", () => {
    expect(refusalOf(() => parseMatrix({ ...least, env: { TOKEN: "s3cret\0" } }, "/"))).toMatchObject({
      field: "env.TOKEN",
      value: undefined,
    });
  });
});

describe("the file of a matrix", () => {
  let folder = "";

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "stackyard matrix's-"));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  function write(name: string, text: string): string {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  }

  test("has versions as they are written, and numbers of topologies as numbers", () => {
    const file = write(
      "matrix.yaml",
      "command: [node, 24]\nenv: { PORT: 0800 }\ntopologies: { one: { hosts: 1 } }\naxes: { version: [3.10, 24.0, on, true] }\n",
    );
    const matrix = loadMatrix(file);
    expect(matrix.command).toEqual(["node", "24"]);
    expect(matrix.env).toEqual({ PORT: "0800" });
    expect(matrix.axes.get("version")).toEqual(["3.10", "24.0", "on", "true"]);
    expect(matrix.topologies.get("one")?.hosts).toHaveLength(1);
  });

  test("names files of topologies from where it is, and changes fields of them", () => {
    write("two hosts.yaml", "name: lab\nhosts: 2\n");
    const file = write(
      "matrix.yaml",
      "command: [a]\ntopologies: { two: { file: two hosts.yaml, driver: nested } }\n",
    );
    const topology = loadMatrix(file).topologies.get("two");
    expect(topology).toEqual(parseTopology({ name: "matrix-two", hosts: 2, driver: "nested" }));
  });

  test.each([
    ["is not there", undefined, { code: "not-found", field: "FILE" }],
    ["is empty", "", { code: "invalid-input", field: "command" }],
    [
      "has an alias of nothing",
      "command: [a]\nenv: { A: *none }\n",
      { code: "invalid-input", field: "FILE", message: expect.stringContaining("none") as unknown },
    ],
    [
      "has aliases that would fill memory",
      `a: &a [x]\n${"bcdefgh".replaceAll(
        /./g,
        (key) =>
          `${key}: &${key} [${Array(9)
            .fill(`*${String.fromCharCode(key.charCodeAt(0) - 1)}`)
            .join(",")}]\n`,
      )}`,
      { code: "invalid-input", field: "FILE" },
    ],
    ["has a key twice", "command: [a]\ncommand: [b]\n", { code: "invalid-input", field: "FILE" }],
    [
      "names a topology's file that is not there",
      "command: [a]\ntopologies: { a: { file: none.yaml } }\n",
      { code: "not-found", field: "topologies.a.file" },
    ],
    [
      "names itself as a topology",
      "command: [a]\ntopologies: { a: { file: matrix.yaml } }\n",
      { code: "invalid-input", field: "topologies.a.command" },
    ],
  ])("that %s is refused", (_case, text, expected) => {
    const file = text === undefined ? join(folder, "none.yaml") : write("matrix.yaml", text);
    expect(refusalOf(() => loadMatrix(file))).toMatchObject(expected);
  });

  test("that is no YAML is refused with the line, and without what is in it", () => {
    const file = write("matrix.yaml", "env: { TOKEN: s3cret\ncommand: [a]\n");
    const refusal = refusalOf(() => loadMatrix(file));
    expect(refusal).toHaveProperty("message", expect.stringMatching(/line \d+/));
    expect(JSON.stringify(refusal, Object.getOwnPropertyNames(refusal))).not.toContain("s3cret");
  });
});
