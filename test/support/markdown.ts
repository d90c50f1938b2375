import { existsSync, globSync, readFileSync } from "node:fs";
import { posix } from "node:path";

const root = new URL("../..", import.meta.url).pathname;

/** A page of the documentation. */
export interface Page {
  /** From the top of the repository. */
  readonly path: string;
  readonly text: string;
}

/** The Markdown pages that the patterns match, what is installed or built aside. */
export function readPages(...patterns: readonly string[]): readonly Page[] {
  return globSync([...patterns], { cwd: root, exclude: (path) => /(^|\/)(node_modules|dist)$/.test(path) })
    .sort()
    .map((path) => ({ path, text: readFileSync(posix.join(root, path), "utf8") }));
}

/** Whether there is a file, or a folder, of this path from the top of the repository. */
export function isFile(path: string): boolean {
  return existsSync(posix.join(root, path));
}

/** Links of a page that lead to no file, or to no heading in it. Addresses on the web are not looked at. */
export function listDeadLinks(page: Page): readonly string[] {
  const targets = [...withoutCode(page.text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  return targets.filter((target) => !/^[a-z]+:/.test(target) && !leadsSomewhere(page, target));
}

function leadsSomewhere(page: Page, target: string): boolean {
  const [path = "", anchor] = target.split("#", 2);
  const file = posix.join(root, posix.dirname(page.path), path);
  if (path !== "" && !existsSync(file)) return false;
  if (anchor === undefined) return true;
  return listAnchors(path === "" ? page.text : readFileSync(file, "utf8")).includes(anchor);
}

/** What `#` can name in a page: its headings, as GitHub writes them, and its `<a id>`. */
function listAnchors(text: string): readonly string[] {
  const headings = listHeadings(text).map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
  return [...headings, ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id = ""]) => id)];
}

/** The headings of a page, without their marks. */
export function listHeadings(text: string): readonly string[] {
  return [...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => heading);
}

/** Code shows `[x](y)` and `# x` that are neither links nor headings. */
function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, "");
}

/** Words in code style at the beginning of a table's rows. */
export function listFirstCells(text: string): readonly string[] {
  return [...text.matchAll(/^\| (?:<a id="[^"]*"><\/a>)?`([^`]+)` \|/gm)].map(([, cell = ""]) => cell);
}
