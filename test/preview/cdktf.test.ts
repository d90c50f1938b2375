import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { toCdktn } from "../../providers/engines/cdktf/generate.ts";
import * as cdktf from "../support/cdktf-cloud.ts";
import * as cdktn from "../support/cdktn-cloud.gen.ts";
import { AttachedProject, findTerraformCommands } from "../support/terraform.ts";

const root = new URL("../../", import.meta.url).pathname;
const ofThisRelease = /"?version"?( = |: )"[\d.]+"/;

// cdktf's test apps make folders for what they synthesise, and leave them.
const folder = mkdtempSync(join(tmpdir(), "stackyard-cdktf-"));
vi.stubEnv("TMPDIR", folder);

afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

it("the program for cdktn is the one for cdktf", async () => {
  const source = readFileSync(`${root}test/support/cdktf-cloud.ts`, "utf8");
  const twin = toCdktn(source).replaceAll("engines/cdktf/", "engines/cdktn/");
  await expect(twin).toMatchFileSnapshot(`${root}test/support/cdktn-cloud.gen.ts`);
});

describe.each([
  { library: "cdktf", program: cdktf },
  { library: "cdktn", program: cdktn },
])("constructs of $library", ({ program }) => {
  it("synthesise values, constructs and tokens as Terraform's JSON", async () => {
    const json = program.synthesiseCloud().replace(ofThisRelease, '"version": "0.0.0"');
    await expect(`${json}\n`).toMatchFileSnapshot(`${root}test/fixtures/cdktf/cloud.tf.json`);
  });

  it("print the same as HCL", async () => {
    const hcl = program.printCloud().replace(ofThisRelease, 'version = "0.0.0"');
    await expect(`${hcl}\n`).toMatchFileSnapshot(`${root}test/fixtures/cdktf/cloud.tf`);
  });

  it("ask for the provider of their own release", () => {
    expect(JSON.parse(program.synthesiseCloud())).toMatchObject({
      terraform: {
        required_providers: {
          stackyard: {
            source: "stackyard.internal/stackyard/stackyard",
            version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
          },
        },
      },
    });
  });

  it("name what is to be imported", () => {
    expect(JSON.parse(program.synthesiseImport())).toMatchObject({
      import: [{ to: "stackyard_server.found", id: "demo/found", provider: "stackyard" }],
    });
  });
});

describe.each(await findTerraformCommands())("$name", (command) => {
  let project: AttachedProject;

  beforeEach(async () => {
    project = await AttachedProject.open(command);
  });

  afterEach(async () => {
    await project[Symbol.asyncDispose]();
  });

  it.each([
    { form: "JSON", file: "main.tf.json", print: cdktf.synthesiseCloud },
    { form: "HCL", file: "main.tf", print: cdktf.printCloud },
  ])(
    "finds every attribute of the constructs in the provider's schema, in $form",
    async ({ file, print }) => {
      project.writeFile(file, print());
      await project.must("init");
      expect(await project.must("validate")).toContain("The configuration is valid");
    },
  );
});
