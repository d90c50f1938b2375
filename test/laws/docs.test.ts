import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import packages from "../../lab/setup/packages.json" with { type: "json" };
import { errorCodes } from "../../providers/core/errors.ts";
import { renderReference } from "../../providers/docs/generate.ts";
import { renderConstructs } from "../../providers/engines/cdktf/generate.ts";
import { formatResources } from "../../providers/engines/pulumi/generate.ts";
import { definitions } from "../../providers/registry.ts";
import {
  isFile,
  listDeadLinks,
  listFirstCells,
  listHeadings,
  readPages,
  type Page,
} from "../support/markdown.ts";

const pages = readPages("*.md", "*/**/*.md");
const decisions = pages.filter(({ path }) => path.startsWith("providers/docs/decisions/"));
const byPath = (path: string): Page => pages.find((page) => page.path === path) ?? { path, text: "" };

test("the reference is what the definitions print; if not, run: npm run docs", () => {
  const reference = pages.filter(({ path }) => path.startsWith("providers/docs/reference/"));
  expect(
    new Map(reference.map(({ path, text }) => [path.slice("providers/docs/reference/".length), text])),
  ).toEqual(renderReference());
});

test("every error code is in the docs, and no other", () => {
  const [codes = ""] = byPath("providers/docs/reference/errors.md").text.split("## Exit codes");
  expect(listFirstCells(codes)).toEqual(errorCodes);
});

test("troubleshooting speaks of error codes that exist", () => {
  const codes = listHeadings(byPath("providers/docs/troubleshooting.md").text).flatMap((heading) =>
    [...heading.matchAll(/`([^`]+)`/g)].map(([, code]) => code),
  );
  expect(codes).not.toEqual([]);
  expect(errorCodes).toEqual(expect.arrayContaining(codes));
});

test.each(pages)("links of $path lead somewhere", (page) => {
  expect(listDeadLinks(page)).toEqual([]);
});

test.each(pages)("files that $path names are there", ({ text }) => {
  const named = [
    ...text.matchAll(/`((?:providers|lab|stacks|templates|test|\.ci|\.config)\/[\w./-]*)`/g),
  ].map(([, path = ""]) => path);
  expect(named.filter((path) => !isFile(path))).toEqual([]);
});

test("files in the picture of the architecture are there", () => {
  const [, picture = ""] = byPath("providers/docs/architecture.md").text.split("```");
  const named = [...picture.matchAll(/[\w-]+(?:\/[\w-]+)+\.ts/g)].map(([path]) => `providers/${path}`);
  expect(named).not.toEqual([]);
  expect(named.filter((path) => !isFile(path))).toEqual([]);
});

const indents = /^ +/gm;

function readFlush(file: string): string {
  return readFileSync(file, "utf8").replaceAll(indents, "");
}

test("the README's stacks are cut from the quickstarts and the twins for cdktf and Terraform", () => {
  const stacks = ["quickstart/index.ts", "ceph/index.ts", "cdktf/main.ts", "terraform/main.tf"];
  const program = stacks.map((file) => readFlush(`stacks/${file}`)).join("\n");
  const blocks = byPath("README.md").text.matchAll(/^```(ts|hcl)\n([\s\S]*?)^```$/gm);
  const parts = [...blocks].map(([, language, part = ""]) => ({
    language,
    text: part.replaceAll(indents, ""),
  }));
  expect(new Set(parts.map(({ language }) => language))).toEqual(new Set(["ts", "hcl"]));
  expect(parts.filter(({ text }) => !program.includes(text))).toEqual([]);
});

test.each(["preview", "matrix"])(
  "the workflow %s of the CI recipes installs all that a lab needs",
  (name) => {
    const workflow = readFileSync(`stacks/ci/${name}.yml`, "utf8").split(/\s+/);
    expect(packages.map(({ name }) => name).filter((name) => !workflow.includes(name))).toEqual([]);
  },
);

test("the classes for programs are what the definitions print; if not, run: node providers/engines/pulumi/generate.ts", async () => {
  const text = readFileSync("providers/engines/pulumi/resources.gen.ts", "utf8");
  expect(text).toBe(await formatResources(definitions));
});

test("the constructs for cdktf and cdktn are what the definitions print; if not, run: node providers/engines/cdktf/generate.ts", async () => {
  const printed = await renderConstructs();
  const written = [...printed.keys()].map(
    (path) => [path, readFileSync(`providers/engines/${path}`, "utf8")] as const,
  );
  expect(new Map(written)).toEqual(printed);
});

test.each(decisions)("$path weighs a decision and answers the five questions", ({ text }) => {
  const headings = listHeadings(text);
  expect(headings.slice(1)).toEqual(["Context", "Options", "Decision", "Consequences", "Five questions"]);
  const answers = text.slice(text.indexOf("## Five questions"));
  const questions = [/testable/i, /room to change/i, /discoverable/i, /verbose/i, /native/i];
  expect(questions.filter((question) => !question.test(answers))).toEqual([]);
});

test("decisions have a number each, and no two the same", () => {
  const numbers = decisions.map(({ path }) => /\/(\d{4})-[a-z0-9-]+\.md$/.exec(path)?.[1]);
  expect(numbers).toEqual([...new Set(numbers)]);
  expect(numbers).not.toContain(undefined);
});

test("dead links are found, in files and in headings", () => {
  const text =
    "# A b\n[ok](#a-b) [file](0001-node-and-typescript.md) [dead](x.md) [gone](#c) [web](https://a.b)";
  expect(listDeadLinks({ path: "providers/docs/decisions/x.md", text })).toEqual(["x.md", "#c"]);
});
