import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { pulumiEnvironment } from "../../lab/packed-project.ts";
import { requireProgram } from "../../lab/setup/program.ts";
import { toolPath } from "../../lab/setup/requirements.ts";
import { toClassName } from "../../providers/core/names.ts";
import { TestCloud } from "../support/cloud.ts";
import { fakeCloudVariable } from "../support/fake-cloud-provider.ts";
import { makePulumiProject } from "../support/pulumi-project.ts";
import { labelOfWarning, observe, titleOf, whatHappened, type Running, type Verdict } from "./changes.ts";
import { declareRows, type DeclaredRow, type Outcome } from "./covering-rows.ts";

/** A user's program that declares what a file lists. */
const program = `import { readFileSync } from "node:fs";
import * as stackyard from "stackyard";
for (const { className, name, inputs } of JSON.parse(readFileSync("declared.json", "utf8"))) new stackyard[className](name, inputs);
`;

/** `pulumi preview --json`, as far as it is read. */
const previewSchema = z.object({
  steps: z.array(
    z.object({
      op: z.string(),
      urn: z.string(),
      replaceReasons: z.array(z.string()).nullish(),
      oldState: z.object({ id: z.string().optional() }).nullish(),
    }),
  ),
  diagnostics: z.array(z.object({ urn: z.string().optional(), message: z.string() })).default([]),
});
type Preview = z.infer<typeof previewSchema>;

/** Makes a resource for each covering row, in one stack of the real CLI, and changes all of them at once. Outcomes by title. */
export async function runCovering(): Promise<ReadonlyMap<string, Outcome>> {
  const folder = makePulumiProject("test/support/fake-cloud-provider.ts");
  const test = await TestCloud.open();
  const all = await declareRows(test);
  // Another process works on it from now on.
  await test.leave();
  try {
    const pulumi = await openProject(folder, test.folder);
    const declare = (which: "before" | "after"): void =>
      writeFileSync(
        join(folder, "declared.json"),
        JSON.stringify(
          all.map(({ row, name, [which]: inputs }) => ({ className: toClassName(row.type), name, inputs })),
        ),
      );
    const preview = async (): Promise<Preview> =>
      previewSchema.parse(JSON.parse(await pulumi("preview", "--json", "--show-sames")));
    const up = (): Promise<string> => pulumi("up", "--yes", "--skip-preview");

    declare("before");
    await up();
    declare("after");
    const planned = await preview();
    const running = await observeAll(test.folder, all, planned);
    await up();
    const again = await preview();
    const after = await observeAll(test.folder, all, again);

    return new Map(
      all.flatMap(({ row, name }, index) => {
        const [was, is] = [running[index], after[index]];
        if (was === undefined || is === undefined) return [];
        const outcome: Outcome = {
          verdict: verdictIn(planned, name),
          again: stepsOf(again, name)
            .map(({ op }) => op)
            .join("/"),
          happened: whatHappened(row.label, was, is),
        };
        return [[titleOf(row), outcome] as const];
      }),
    );
  } finally {
    rmSync(folder, { recursive: true });
    await test[Symbol.asyncDispose]();
  }
}

/** A stack in the folder, whose provider works on the cloud of fakes; gives what runs its commands, which must succeed. */
async function openProject(
  folder: string,
  cloudFolder: string,
): Promise<(...words: readonly string[]) => Promise<string>> {
  const own = join(folder, "cli");
  mkdirSync(join(own, "state"), { recursive: true });
  writeFileSync(join(own, "passphrase"), "covering");
  writeFileSync(join(folder, "Pulumi.yaml"), "name: covering\nruntime: nodejs\n");
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ name: "covering", private: true, type: "module", main: "index.js" }),
  );
  writeFileSync(join(folder, "index.js"), program);
  const env = {
    ...process.env,
    ...pulumiEnvironment(own),
    PATH: await toolPath(),
    [fakeCloudVariable]: cloudFolder,
  };
  const pulumi = async (...words: readonly string[]): Promise<string> =>
    (
      await requireProgram(`pulumi ${words.join(" ")}`, "pulumi", [...words, "--non-interactive"], {
        ...{ cwd: folder, env, timeoutMs: 120_000 },
      })
    ).stdout;
  await pulumi("stack", "init", "covering");
  return pulumi;
}

function stepsOf({ steps }: Preview, name: string): Preview["steps"] {
  return steps.filter(({ urn }) => urn.endsWith(`::${name}`));
}

async function observeAll(
  folder: string,
  all: readonly DeclaredRow[],
  preview: Preview,
): Promise<readonly Running[]> {
  const test = await TestCloud.openIn(folder);
  const found = all.map(({ name }) => {
    const id = stepsOf(preview, name).flatMap(({ oldState }) => oldState?.id ?? [])[0];
    if (id === undefined) throw new Error(`the preview has no ${name} with an id`);
    return observe(test, id);
  });
  await test.leave();
  return found;
}

function verdictIn(preview: Preview, name: string): Verdict {
  const steps = stepsOf(preview, name);
  const isAnew = steps.some(({ op }) => op === "replace");
  return {
    action: isAnew ? "replace" : steps.some(({ op }) => op === "update") ? "update" : "none",
    replacing: [...new Set(steps.flatMap(({ replaceReasons }) => replaceReasons ?? []))],
    // The others foretell what hosts would refuse.
    warned: preview.diagnostics
      .filter(
        ({ urn = "", message }) => urn.endsWith(`::${name}`) && message.startsWith("warning: changing "),
      )
      .map(({ message }) => labelOfWarning(message)),
  };
}
