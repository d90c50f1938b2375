import type { CellResult, MatrixResult } from "./run.ts";

/** XML 1.0 section 2.2: what a document cannot hold, escaped or not. */
const refused = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

function escapeXml(text: string): string {
  return text.replaceAll(refused, "\ufffd").replaceAll(/[&<>"]/g, (character) => entities[character] ?? "");
}

/** An element with its lines of content, which are XML already. Line breaks of an attribute become blanks, as they would for its reader. */
function element(
  name: string,
  attributes: Readonly<Record<string, string>>,
  content: readonly string[] = [],
): readonly string[] {
  const words = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${escapeXml(value.replaceAll(/\s+/g, " "))}"`,
  );
  const start = `<${name}${words.join("")}`;
  return content.length === 0 ? [`${start}/>`] : [`${start}>`, ...content, `</${name}>`];
}

/** An element of text, which keeps its blanks. */
function textElement(name: string, attributes: Readonly<Record<string, string>>, text: string): string {
  return element(name, attributes, [escapeXml(text)]).join("");
}

function seconds(durationMs: number): string {
  return (durationMs / 1000).toFixed(3);
}

/** The counts that a suite, and all suites, begin with. */
function counts(results: readonly CellResult[]): Readonly<Record<string, string>> {
  const count = (outcome: CellResult["outcome"]): string =>
    String(results.filter((each) => each.outcome === outcome).length);
  return {
    tests: String(results.length),
    failures: count("failed"),
    errors: count("error"),
    skipped: count("skipped"),
  };
}

/**
 * A result as JUnit XML, in the elements and attributes that Jenkins, GitLab and actions of GitHub read (`junit-10.xsd` of Jenkins' xUnit plugin):
 * a suite a topology, a case a cell, the end of its output.
 * @param hostname of the machine that ran it.
 */
export function writeJunit(result: MatrixResult, hostname: string): string {
  const suites = [...Map.groupBy(result.results, ({ lab }) => lab)];
  const lines = element(
    "testsuites",
    { name: result.name, ...counts(result.results), time: seconds(result.durationMs) },
    suites.flatMap(([lab, results], index) => writeSuite(result, hostname, lab, results, index)),
  );
  return ['<?xml version="1.0" encoding="UTF-8"?>', ...lines, ""].join("\n");
}

function writeSuite(
  { name, startedAt, leftLabs }: MatrixResult,
  hostname: string,
  lab: string,
  results: readonly CellResult[],
  index: number,
): readonly string[] {
  const left = leftLabs.filter((each) => each.lab === lab);
  return element(
    "testsuite",
    {
      name: lab,
      id: String(index),
      ...counts(results),
      time: seconds(results.reduce((sum, { durationMs }) => sum + durationMs, 0)),
      // ISO 8601 without a zone, as the schema has it; UTC.
      timestamp: startedAt.toISOString().slice(0, 19),
      hostname,
    },
    [
      ...element("properties", {}, [
        ...element("property", { name: "matrix", value: name }),
        ...element("property", { name: "lab", value: lab }),
      ]),
      ...results.flatMap((each) => writeCase(name, each)),
      ...left.map(({ reason }) => textElement("system-err", {}, `lab ${lab} is still there: ${reason}`)),
    ],
  );
}

function writeCase(
  matrix: string,
  { cell, outcome, reason, durationMs, tail }: CellResult,
): readonly string[] {
  const words = Object.entries(cell.values).map(([axis, value]) => `${axis}=${value}`);
  const message = reason ?? "";
  const content = {
    passed: () => (tail === "" ? [] : [textElement("system-out", {}, tail)]),
    failed: () => [textElement("failure", { type: "failed", message }, tail)],
    error: () => [textElement("error", { type: "error", message }, tail === "" ? message : tail)],
    skipped: () => element("skipped", { message }),
  };
  return element(
    "testcase",
    {
      name: words.length === 0 ? cell.topology : words.join(", "),
      classname: `${matrix}.${cell.topology}`,
      time: seconds(durationMs),
    },
    content[outcome](),
  );
}
