import { globSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import ts from "typescript";

const root = new URL("../..", import.meta.url).pathname;

/** How a module is reached: at load, only by the compiler, or when the code gets there. */
export type ImportKind = "value" | "type" | "lazy";

/** One import of a source file. */
export interface SourceImport {
  /** Path from the top of the repository for a file of ours; else as written: `zod`, `node:fs`. */
  readonly target: string;
  readonly kind: ImportKind;
}

/** A source file, as far as the laws on the tree ask. */
export interface Source {
  /** From the top of the repository, with `/`. */
  readonly path: string;
  readonly imports: readonly SourceImport[];
  /** Global objects that it names: `console`, `process.env`. */
  readonly globals: readonly string[];
}

/** Every TypeScript file that the patterns match, packages that are installed aside. */
export function readSources(...patterns: readonly string[]): readonly Source[] {
  return globSync([...patterns], { cwd: root, exclude: (path) => path.endsWith("node_modules") })
    .sort()
    .map((path) => parseSource(path, readFileSync(posix.join(root, path), "utf8")));
}

/** Reads one file's text. */
export function parseSource(path: string, text: string): Source {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports: SourceImport[] = [];
  const globals: string[] = [];
  const add = (specifier: ts.Node | undefined, kind: ImportKind): void => {
    if (specifier === undefined || !ts.isStringLiteral(specifier)) return;
    const { text: written } = specifier;
    const target = written.startsWith(".") ? posix.join(posix.dirname(path), written) : written;
    imports.push({ target, kind });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeImport(node) ? "type" : "value");
    if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly ? "type" : "value");
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, "type");
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], "lazy");
    if (ts.isPropertyAccessExpression(node) && node.getText(file) === "process.env")
      globals.push("process.env");
    if (ts.isIdentifier(node) && node.text === "console") globals.push("console");
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { path, imports, globals };
}

/** `import type`, and `import { type A, type B }` alike. */
function isTypeImport({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause === undefined) return false;
  const { namedBindings } = importClause;
  return (
    importClause.phaseModifier === ts.SyntaxKind.TypeKeyword ||
    (importClause.name === undefined &&
      namedBindings !== undefined &&
      ts.isNamedImports(namedBindings) &&
      namedBindings.elements.every((element) => element.isTypeOnly))
  );
}

/** Imports of files under `folder` that lead to files of ours outside of it and of what is allowed, as `file -> target`. */
export function importsBeyond(
  sources: readonly Source[],
  folder: string,
  allowed: readonly string[],
): readonly string[] {
  return listImports(sources)
    .filter(({ from, target }) => isUnder(from, folder) && isOurs(target))
    .filter(({ target }) => !isUnder(target, folder))
    .filter(({ target }) => !allowed.some((path) => isUnder(target, path)))
    .map(({ from, target }) => `${from} -> ${target}`);
}

/** Whether a target is a file of ours: no package, no module of Node's. */
export function isOurs(target: string): boolean {
  return ["providers", "lab", "stacks", "test"].some((top) => isUnder(target, top));
}

/** Files that import a package, whatever of it and in whatever way. */
export function importersOf(sources: readonly Source[], name: string): readonly string[] {
  return [
    ...new Set(
      listImports(sources)
        .filter(({ target }) => isUnder(target, name))
        .map(({ from }) => from),
    ),
  ];
}

/** Every import with the file that it stands in. */
export function listImports(
  sources: readonly Source[],
): readonly (SourceImport & { readonly from: string })[] {
  return sources.flatMap(({ path, imports }) => imports.map((entry) => ({ ...entry, from: path })));
}

/** All that is loaded with a file: what it imports, what that imports, and so on; not what is imported only when the code gets there. */
export function listLoaded(sources: readonly Source[], path: string): readonly string[] {
  const loaded = new Set<string>();
  const follow = (from: string): void => {
    for (const { target, kind } of sources.find((source) => source.path === from)?.imports ?? []) {
      if (kind !== "value" || loaded.has(target)) continue;
      loaded.add(target);
      follow(target);
    }
  };
  follow(path);
  return [...loaded].sort();
}

/** Whether a path is a folder, or lies in it; also `@pulumi/pulumi/proto` in `@pulumi/pulumi`. */
export function isUnder(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** Chains of imports of these kinds that come back to where they began: `a.ts -> b.ts -> a.ts`. */
export function findCycles(sources: readonly Source[], kinds: readonly ImportKind[]): readonly string[] {
  const targets = new Map(
    sources.map(({ path, imports }) => [
      path,
      imports.filter(({ kind }) => kinds.includes(kind)).map(({ target }) => target),
    ]),
  );
  const done = new Set<string>();
  const cycles: string[] = [];
  const follow = (path: string, chain: readonly string[]): void => {
    if (chain.includes(path)) {
      cycles.push([...chain.slice(chain.indexOf(path)), path].join(" -> "));
      return;
    }
    if (done.has(path)) return;
    for (const target of targets.get(path) ?? []) follow(target, [...chain, path]);
    done.add(path);
  };
  for (const { path } of sources) follow(path, []);
  return cycles;
}
