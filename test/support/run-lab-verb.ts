import { bringUp, snapshotLab, tearDown } from "../../lab/lab.ts";
import { parseTopology } from "../../lab/topology.ts";
import { cloneLab, exportLab, importLab } from "../../lab/transfer.ts";

/** `node run-lab-verb.ts VERB WORD…`: a verb of a lab in a process of its own that prints its progress, for a test to kill. */
const options = { onProgress: (message: string) => process.stdout.write(`${message}\n`) };
const [verb = "", first = "", second = ""] = process.argv.slice(2);
const verbs: Readonly<Record<string, () => Promise<unknown>>> = {
  up: () => bringUp(parseTopology(JSON.parse(first)), options),
  down: () => tearDown(first, options),
  snapshot: () => snapshotLab(first, second, options),
  clone: () => cloneLab(first, second, options),
  export: () => exportLab(first, second, options),
  import: () => importLab(first, second, options),
};
await verbs[verb]?.();
