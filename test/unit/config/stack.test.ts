import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readConfig, readStack } from "../../../providers/config/config.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-stack-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

it("a stack is its folder, unless it has a name", () => {
  expect(readStack({}, folder)).toBe(folder);
  expect(readStack({ STACKYARD_STACK: "blue" }, folder)).toBe("blue");
});

it.each([
  [{ TF_WORKSPACE: "default" }, ""],
  [{ TF_WORKSPACE: "blue" }, "#blue"],
  [{}, "#green"],
  [{ TF_DATA_DIR: "elsewhere" }, ""],
])("a stack has its workspace with it: %j", (environment, suffix) => {
  mkdirSync(join(folder, ".terraform"));
  writeFileSync(join(folder, ".terraform", "environment"), "green");
  expect(readStack(environment, folder)).toBe(`${folder}${suffix}`);
});

it("settings of an engine come before the environment's, and its user has no other's password", () => {
  const environment = { STACKYARD_USERNAME: "ada", STACKYARD_PASSWORD: "hers", STACKYARD_CLOUD: "blue" };
  const overrides = { STACKYARD_USERNAME: "eve", STACKYARD_PASSWORD_FILE: "/eves" };
  expect(readConfig(environment, overrides)).toMatchObject({
    username: "eve",
    password: undefined,
    passwordFile: "/eves",
    folder: expect.stringMatching(/\/blue$/) as string,
  });
});
