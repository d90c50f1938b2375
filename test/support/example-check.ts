import { join } from "node:path";
import ts from "typescript";
import { z } from "zod";
import type { Issue } from "../../providers/core/cloud.ts";
import { findPackageRoot } from "../../providers/core/package-root.ts";
import { examples, findExample, resolveInputs } from "../../providers/docs/examples.ts";
import { makeCephKey, writeKeyring } from "./ceph-keyring.ts";
import { writeVolumeKey } from "./volume-keys.ts";
import { makerOf, passwordOf, type TestCloud } from "./cloud.ts";

const root = findPackageRoot();

/** What the compiler says of programs, by file name, that import this package by its name. They are checked as one. */
export function checkPrograms(programs: ReadonlyMap<string, string>): readonly string[] {
  const texts = new Map([...programs].map(([name, text]) => [join(root, "test", name), text]));
  const options = {
    ...readOptions(),
    // An example's constant is for the reader.
    noUnusedLocals: false,
    paths: {
      stackyard: [join(root, "providers/engines/pulumi/index.ts")],
      "stackyard/cdktf": [join(root, "providers/engines/cdktf/index.ts")],
      "stackyard/cdktn": [join(root, "providers/engines/cdktn/index.ts")],
    },
  };
  const host = ts.createCompilerHost(options);
  const fromDisk = host.getSourceFile.bind(host);
  host.getSourceFile = (path, version) => {
    const text = texts.get(path);
    return text === undefined ? fromDisk(path, version) : ts.createSourceFile(path, text, version);
  };
  host.fileExists = (path) => texts.has(path) || ts.sys.fileExists(path);
  host.readFile = (path) => texts.get(path) ?? ts.sys.readFile(path);
  const program = ts.createProgram([...texts.keys()], options, host);
  const diagnostics = [...program.getGlobalDiagnostics(), ...program.getOptionsDiagnostics()];
  const own = [...texts.keys()].flatMap((path) => {
    const file = program.getSourceFile(path);
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
  });
  return [...diagnostics, ...own].map(({ file, messageText }) => {
    const name = file === undefined ? "options" : file.fileName.slice(root.length);
    return `${name}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
}

/** The compiler's options of this package. */
function readOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: unknown };
  };
  return ts.convertCompilerOptionsFromJson(config.compilerOptions, root).options;
}

/** Statements of constructs, as a page shows them after their imports, in the constructor of a stack. */
export function wrapInStack(printed: string): string {
  const lines = printed.split("\n");
  const imports = lines.filter((line) => line.startsWith("import "));
  const statements = lines.filter((line) => !line.startsWith("import "));
  const library = printed.includes('"stackyard/cdktn"') ? "cdktn" : "cdktf";
  return [
    ...imports,
    `import { TerraformStack } from "${library}";`,
    'import type { Construct } from "constructs";',
    `import { StackyardProvider } from "stackyard/${library}";`,
    "export class Example extends TerraformStack {",
    "  constructor(scope: Construct, id: string) {",
    "    super(scope, id);",
    '    new StackyardProvider(this, "stackyard");',
    ...statements,
    "  }",
    "}",
  ].join("\n");
}

/** Plans and makes every example, each after those that it refers to; returns what was wrong with any. */
export async function makeExamples(test: TestCloud): Promise<readonly Issue[]> {
  test.compute.addMachine("rack1.example.org");
  const ceph = bringCeph(test);
  const keyFile = writeVolumeKey(test.folder, "example.key");
  const ids = new Map<string, string>();
  const issues: Issue[] = [];
  for (const { type, name, inputs } of examples) {
    const resolved = {
      ...resolveInputs(inputs, (other) => ids.get(other) ?? "", passwordOf),
      ...(type === ceph.type ? { keyringFile: ceph.keyringFile } : {}),
      ...(type === "volume-type" ? { encryption: { keyFile } } : {}),
    };
    const planned = await test.cloud.plan({
      type,
      inputs: resolved,
      maker: makerOf(type, name),
      defaultName: name,
    });
    issues.push(...planned.issues);
    ids.set(type, (await test.make(type, name, resolved)).id);
  }
  return issues;
}

/** Lets the hosts reach the cluster of the example, whose keyring is on no machine of a test. */
function bringCeph(test: TestCloud): { readonly type: string; readonly keyringFile: string } {
  const { type, inputs } = findExample("ceph-cluster");
  const { fsid, monitors } = cephSchema.parse(inputs);
  const [key, keyringFile] = [makeCephKey(), join(test.folder, "example.keyring")];
  writeKeyring(keyringFile, key);
  test.compute.addCeph({ fsid, monitors, key });
  return { type, keyringFile };
}

const cephSchema = z.object({ fsid: z.string(), monitors: z.array(z.string()) });
