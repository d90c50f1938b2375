import { z } from "zod";
import { describe, expect, it } from "vitest";
import { field } from "../../../../providers/core/fields.ts";
import type { Definition } from "../../../../providers/core/resource.ts";
import { formatResources, generateResources } from "../../../../providers/engines/pulumi/generate.ts";
import { definitions } from "../../../../providers/registry.ts";
import { sampleDefinitions } from "../../../support/sample-definitions.ts";

const root = new URL("../../../../", import.meta.url).pathname;

/** A definition with one input. */
function withInput(input: z.ZodType, output: z.ZodObject = z.object({})): Definition {
  return {
    type: "thing",
    plural: "things",
    service: "compute",
    summary: "A thing.",
    scope: "cloud",
    inputs: z.strictObject({ field: input }),
    outputs: output,
    rules: [],
    reconcile: [],
    remove: [],
  };
}

describe("the generated classes", () => {
  it("are those of the registry: else run node providers/engines/pulumi/generate.ts", async () => {
    await expect(await formatResources(definitions)).toMatchFileSnapshot(
      `${root}providers/engines/pulumi/resources.gen.ts`,
    );
  });

  it("say every kind of field as TypeScript with its documentation", async () => {
    const base = "../../providers/engines/pulumi/resource.ts";
    await expect(await formatResources(sampleDefinitions, base)).toMatchFileSnapshot(
      `${root}test/support/sample-resources.gen.ts`,
    );
  });

  it("end no comment early", () => {
    const documented = withInput(field(z.string(), { doc: "A pattern such as */x." }));
    expect(generateResources([documented])).toContain("A pattern such as *\\/x.");
  });

  it("refuse a schema that has no type yet", () => {
    expect(() => generateResources([withInput(field(z.date(), { doc: "When." }))])).toThrow(
      "ThingField: the generator has no TypeScript type for this schema",
    );
  });

  it("refuse an output that is not what the input of its name is", () => {
    const output = z.object({ field: field(z.number(), { doc: "A number." }) });
    const clash = withInput(field(z.string(), { doc: "A text." }), output);
    expect(() => generateResources([clash])).toThrow("thing: input and output field must be of one type");
  });
});
