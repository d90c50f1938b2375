import { z } from "zod";
import { describe, expect, it } from "vitest";
import { field } from "../../../../providers/core/fields.ts";
import type { Definition } from "../../../../providers/core/resource.ts";
import {
  formatConstructs,
  generateConstructs,
  toCdktn,
} from "../../../../providers/engines/cdktf/generate.ts";
import { sampleDefinitions, shelf } from "../../../support/sample-definitions.ts";

const root = new URL("../../../../", import.meta.url).pathname;

describe("the generated constructs", () => {
  it("say every kind of field as TypeScript with its documentation", async () => {
    const base = "../../providers/engines/cdktf/resource.ts";
    await expect(await formatConstructs(sampleDefinitions, base)).toMatchFileSnapshot(
      `${root}test/support/sample-constructs.gen.ts`,
    );
  });

  it("refuse an output that has no getter yet", () => {
    const lights: Definition = {
      ...shelf,
      outputs: z.strictObject({ lights: field(z.array(z.boolean()), { doc: "Which are on." }) }),
    };
    expect(() => generateConstructs([lights])).toThrow(
      "lights: the generator has no getter for a list of bool; add it to printOutput",
    );
  });
});

it("a module for cdktn imports cdktn, and is otherwise the same", () => {
  const source = 'import { Token } from "cdktf";\nimport { Host } from "stackyard/cdktf";\n// cdktf\n';
  expect(toCdktn(source)).toBe(
    'import { Token } from "cdktn";\nimport { Host } from "stackyard/cdktn";\n// cdktf\n',
  );
});
