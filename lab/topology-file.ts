import { existsSync } from "node:fs";
import { basename } from "node:path";
import { z } from "zod";
import { readYamlFile } from "./checked-input.ts";
import { labAsset } from "./folders.ts";
import { parseTopology } from "./topology.ts";
import type { Topology } from "./topology.ts";

/** A file of that path, else one of those that come with the lab, with or without its ending. */
function findTopologyFile(file: string): string {
  if (existsSync(file) || basename(file) !== file) return file;
  const shipped = labAsset("topologies", `${basename(file, ".yaml")}.yaml`);
  return existsSync(shipped) ? shipped : file;
}

/**
 * The topology in a YAML (or JSON) file.
 * @param file its path, or the name of one that comes with the lab: `three-virtual-machines`.
 * @param given fields that win over those of the file.
 * @throws StackyardError `not-found` when it cannot be read, `invalid-input` when it is no YAML or no topology.
 */
export function loadTopology(file: string, given: Readonly<Record<string, unknown>> = {}): Topology {
  const fields = readYamlFile(findTopologyFile(file), "topology", "topology") ?? {};
  const { success, data } = z.record(z.string(), z.unknown()).safeParse(fields);
  return parseTopology(success ? { ...data, ...given } : fields);
}
