/**
 * Prints `reference/`: a page for each definition, one of all errors, one of all settings, one of the scheduler's options, one of a lab's topology. Run it after a change of any of them:
 * `npm run docs`. A law compares the folder with what this prints.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { definitions } from "../registry.ts";
import { describeErrors } from "./errors-page.ts";
import { describeDefinition, describeIndex } from "./reference.ts";
import { describeScheduler } from "./scheduler-page.ts";
import { describeSettings } from "./settings-page.ts";
import { describeTopology } from "./topology-page.ts";

/** All pages by file name. */
export function renderReference(): ReadonlyMap<string, string> {
  return new Map([
    ["README.md", describeIndex(definitions)],
    ...definitions.map(
      (definition) => [`${definition.type}.md`, describeDefinition(definition, definitions)] as const,
    ),
    ["errors.md", describeErrors()],
    ["scheduler.md", describeScheduler()],
    ["settings.md", describeSettings()],
    ["topology.md", describeTopology()],
  ]);
}

function writeReference(folder: string): void {
  const pages = renderReference();
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (!pages.has(name)) rmSync(join(folder, name));
  for (const [name, text] of pages) writeFileSync(join(folder, name), text);
}

if (import.meta.main) writeReference(join(import.meta.dirname, "reference"));
