import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeError } from "../../providers/core/errors.ts";
import { listLeaves } from "../../providers/core/fields.ts";
import { definitions } from "../../providers/registry.ts";
import { makeFullWorld, TestCloud } from "../support/cloud.ts";
import { specimenName, specimenOf, specimenPassword, type Specimen } from "../support/specimens.ts";

const withSecretInputs = definitions.filter(({ inputs }) =>
  [...listLeaves(inputs)].some(({ policy }) => policy?.secret === true),
);

describe.each(withSecretInputs)("the secret inputs of a $type", ({ type }) => {
  let test1: TestCloud;
  let specimen: Specimen;
  let id: string;

  beforeAll(async () => {
    test1 = await TestCloud.open();
    specimen = specimenOf(type, test1, await makeFullWorld(test1));
    ({ id } = await test1.make(type, specimenName, specimen.inputs));
    await test1.make(type, specimenName, specimen.changed);
  });

  afterAll(async () => {
    await test1[Symbol.asyncDispose]();
  });

  test("are not in the store's files", () => {
    expect(test1.storeBytes().includes(specimenPassword)).toBe(false);
  });

  test("are shown by no read, list, find or journal", async () => {
    const shown = [
      await test1.cloud.read(type, id),
      await test1.cloud.list(type),
      await test1.cloud.find(type, specimenName),
      await test1.cloud.journal(id),
    ];

    expect(JSON.stringify(shown)).not.toContain(specimenPassword);
  });

  test("are in no plan's issues and no error, even when they are what is wrong", async () => {
    const secrets = Object.entries(specimen.inputs).filter(([, value]) => value === specimenPassword);
    const wrong = { ...Object.fromEntries(secrets.map(([key]) => [key, specimenPassword.repeat(200)])) };
    const inputs = { ...specimen.inputs, ...wrong };
    const request = { type, maker: "test:wrong", defaultName: "wrong", inputs };

    const { issues } = await test1.cloud.plan(request);
    const error: unknown = await test1.cloud.apply(request).catch((raised: unknown) => raised);

    expect(issues.map(({ field }) => field)).toEqual(secrets.map(([key]) => key));
    expect(JSON.stringify(issues)).not.toContain(specimenPassword);
    expect(describeError(error)).not.toContain(specimenPassword);
    expect(JSON.stringify(error)).not.toContain(specimenPassword);
  });
});

describe("the private key of a generated pair", () => {
  let test1: TestCloud;
  let privateKey: string;
  /** Part of the key that holds no line break. */
  let secretLine: string;

  beforeAll(async () => {
    test1 = await TestCloud.open();
    const made = await test1.make("keypair", specimenName, {});
    privateKey = JSON.stringify(made.outputs["privateKey"]);
    secretLine = privateKey.split("\\n")[2] ?? "";
  });

  afterAll(async () => {
    await test1[Symbol.asyncDispose]();
  });

  test("is given once, by the apply that made it", async () => {
    expect(privateKey).toContain("OPENSSH PRIVATE KEY");
    const again = await test1.make("keypair", specimenName, {});
    expect(again.outputs).not.toHaveProperty("privateKey");
    expect(JSON.stringify(await test1.cloud.list("keypair"))).not.toContain(secretLine);
  });

  test("is nowhere in the store's files then", () => {
    expect(secretLine).toMatch(/^[A-Za-z0-9+/]{60,}$/);
    expect(test1.storeBytes().includes(secretLine)).toBe(false);
  });
});

test("tokens and the administrator's password are not in the store", async () => {
  await using test1 = await TestCloud.open();
  const credentials = readFileSync(join(test1.folder, "test", "credentials.json"), "utf8");
  const { password } = JSON.parse(credentials) as { password: string };

  expect(password.length).toBeGreaterThan(20);
  expect(test1.storeBytes().includes(password)).toBe(false);
});
