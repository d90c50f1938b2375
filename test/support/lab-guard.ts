/** `lab-guard.ts FOLDER`: when standard input ends, because whoever holds it has, takes down the labs whose state is in the folder, and removes it. */
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { listLabs, tearDown } from "../../lab/lab.ts";

const [folder = ""] = process.argv.slice(2);
process.env["XDG_STATE_HOME"] = join(folder, "xdg");
process.stdin.resume();
await once(process.stdin, "end");
for (const lab of await listLabs()) await tearDown(lab.name);
rmSync(folder, { recursive: true, force: true });
