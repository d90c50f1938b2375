import { expect, describe, test } from "vitest";
import { errorCodes } from "../../providers/core/errors.ts";
import { commonCodes, listDefinitionErrors } from "../../providers/docs/definition-errors.ts";
import { printCdktf, printHcl, printPulumi } from "../../providers/docs/example-program.ts";
import { examples } from "../../providers/docs/examples.ts";
import { toCdktn } from "../../providers/engines/cdktf/generate.ts";
import { definitions } from "../../providers/registry.ts";
import { TestCloud } from "../support/cloud.ts";
import { checkPrograms, makeExamples, wrapInStack } from "../support/example-check.ts";
import { AttachedProject, findTerraformCommands } from "../support/terraform.ts";

const commands = await findTerraformCommands();

test("every definition has one example, and none is of anything else", () => {
  expect(examples.map(({ type }) => type)).toEqual(definitions.map(({ type }) => type));
});

test("programs of Pulumi, cdktf and cdktn compile; one with a field of another type does not", () => {
  const cdktf = wrapInStack(printCdktf(examples));
  const programs = new Map([
    ["pulumi-example.ts", printPulumi(examples)],
    ["cdktf-example.ts", cdktf],
    ["cdktn-example.ts", toCdktn(cdktf)],
    ["wrong-example.ts", printPulumi(examples).replace("vcpus: 2", 'vcpus: "two"')],
  ]);
  expect(checkPrograms(programs)).toEqual([
    expect.stringMatching(/^\/test\/wrong-example\.ts: Type 'string' is not assignable to type/),
  ]);
}, 240_000);

test("the cloud plans and makes them all", async () => {
  await using cloud = await TestCloud.open();
  expect(await makeExamples(cloud)).toEqual([]);
});

describe.each(commands)("$name", (command) => {
  test("finds the HCL valid, laid out as it does itself, and plans to make each", async () => {
    await using project = await AttachedProject.open(command);
    project.test.compute.addMachine("rack1.example.org");
    project.writeFile("examples.tf", printHcl(examples));
    project.write("");
    await project.must("init");

    expect(await project.must("validate")).toContain("The configuration is valid");
    await project.must("fmt", "-check", "-diff", "examples.tf");
    const actions = await project.actions("-var=ada_password=open sesame");
    expect(Object.values(actions)).toEqual(examples.map(() => "create"));
  });
});

test("every error code is raised by some definition, or by all", () => {
  const raised = definitions.flatMap((definition) => [
    ...listDefinitionErrors(definition, definitions).keys(),
    ...(definition.raises ?? []),
  ]);
  expect(errorCodes.filter((code) => !commonCodes.includes(code) && !raised.includes(code))).toEqual([]);
});
