import { bringUp } from "../../lab/lab.ts";
import { parseTopology } from "../../lab/topology.ts";

/** `node bring-lab-up.ts NAME HOSTS`: an `up` in a process of its own that prints its progress, for a test to kill. */
const [name, hosts] = process.argv.slice(2);
await bringUp(parseTopology({ name, hosts: Number(hosts) }), {
  onProgress: (message) => process.stdout.write(`${message}\n`),
});
