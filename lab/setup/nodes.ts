import { join } from "node:path";
import { cacheFolder } from "../folders.ts";
import nodes from "./nodes.json" with { type: "json" };

/**
 * The folder with the `node` that the launcher has put into the user's cache. `22` is for `cdktf-cli` 0.21 alone, whose
 * terminal library has no binary for a newer one: put it before PATH for that program, and for nothing else.
 */
export function installedNode(major: keyof typeof nodes): string {
  return join(cacheFolder(), "node", nodes[major].version, "bin");
}
