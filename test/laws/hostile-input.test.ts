import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { describeError, StackyardError } from "../../providers/core/errors.ts";
import { listLeaves, unwrapSchema } from "../../providers/core/fields.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../providers/core/json.ts";
import type { Definition } from "../../providers/core/resource.ts";
import { definitions } from "../../providers/registry.ts";
import { makeFullWorld, TestCloud, type FullWorld } from "../support/cloud.ts";
import { specimenName, specimenOf } from "../support/specimens.ts";

const hostileTexts: readonly (readonly [what: string, text: string])[] = [
  ["a command", "$(reboot)"],
  ["a quote and a command", "'; rm -rf / #"],
  ["markup of XML", '</name><disk type="file"/>&amp;'],
  ["markup of YAML", "a: [b, *c]"],
  ["markup of templates", "{{host}}{{{raw}}}"],
  ["10,000 characters", "x".repeat(10_000)],
];
const unprintableTexts: readonly (readonly [what: string, text: string])[] = [
  ["a line break", "first\nsecond"],
  ["a NUL", "a\u0000b"],
  ["an overridden direction", "a\u202Eb"],
];

/** Inputs that are nobody's to read: what is in them is the user's business. */
const freeTexts = ["userData", "password"];

/** Longest that an error may be in a terminal, in characters: it repeats of a value what is needed to know it. */
const maxErrorChars = 2_000;

/** Paths of a definition's texts; of a record both a key and a value. */
function listTexts(definition: Definition): readonly string[] {
  return [...listLeaves(definition.inputs)].flatMap(({ path, schema }) => {
    const inner = unwrapSchema(schema);
    const first = path.replaceAll("[]", ".0");
    if (inner instanceof z.ZodRecord) return [`${first}.key`, `${first}.{}`];
    return inner instanceof z.ZodString || inner instanceof z.ZodEnum ? [first] : [];
  });
}

const cases = definitions.flatMap((definition) =>
  listTexts(definition).map((path) => ({ definition, path })),
);

/** The inputs with the text at the path; `{}` puts it in a key's place. */
function put(inputs: JsonValue | undefined, path: readonly string[], text: string): JsonValue {
  const [head, ...rest] = path;
  if (head === undefined) return text;
  if (head === "{}") return { [text]: "value" };
  if (head === "0") return [put(Array.isArray(inputs) ? (inputs as JsonValue[])[0] : {}, rest, text)];
  const object = isJsonObject(inputs) ? inputs : {};
  return { ...object, [head]: put(object[head], rest, text) };
}

describe.each(cases)("$definition.type: $path", ({ definition: { type }, path }) => {
  let test1: TestCloud;
  let world: FullWorld;
  let bare: readonly string[];

  beforeAll(async () => {
    test1 = await TestCloud.open();
    world = await makeFullWorld(test1);
    specimenOf(type, test1, world);
    bare = await test1.holdings();
  });

  afterAll(async () => {
    await test1[Symbol.asyncDispose]();
  });

  function apply(text: string): Promise<Outcome> {
    return attempt(
      test1,
      type,
      put(specimenOf(type, test1, world).inputs, path.split("."), text) as JsonObject,
    );
  }

  test.each(hostileTexts)(
    "%s is kept as it is, or refused by its field before anything is written",
    async (_what, text) => {
      const { verdict, blamed, shown } = await apply(text);

      expect(["kept", "no-valid-host", "invalid-input"]).toContain(verdict);
      expect([[], [path.split(".")[0]]]).toContainEqual(blamed);
      expect(shown.length).toBeLessThan(maxErrorChars);
      expect(await test1.holdings()).toEqual(bare);
    },
  );

  test.each(freeTexts.includes(path) ? [] : unprintableTexts)("%s is refused", async (_what, text) => {
    expect(await apply(text)).toMatchObject({ verdict: "invalid-input" });
  });
});

/** What became of an apply, and of the resource that it made, which is removed again. */
interface Outcome {
  /** `kept` when it was made with just these inputs; else the error's code. */
  readonly verdict: string;
  /** Inputs that a plan finds fault with. */
  readonly blamed: readonly (string | undefined)[];
  /** The error as a person sees it. */
  readonly shown: string;
}

async function attempt(test1: TestCloud, type: string, inputs: JsonObject): Promise<Outcome> {
  const request = { type, maker: "test:hostile", defaultName: specimenName };
  const { issues, inputs: planned } = await test1.cloud.plan({ ...request, inputs });
  const blamed = [...new Set(issues.map(({ field }) => field.split(".")[0]))];
  try {
    const made = await test1.cloud.apply({ ...request, inputs: planned });
    expect(made.inputs).toMatchObject(inputs);
    await test1.cloud.remove(type, made.id);
    return { verdict: "kept", blamed, shown: "" };
  } catch (error) {
    if (!(error instanceof StackyardError)) throw error;
    return { verdict: error.code, blamed, shown: describeError(error) };
  }
}
