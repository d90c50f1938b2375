/** A process that holds a lock until it is killed: `hold-lock.ts STORE KEY`. It prints `held` when it has it. */
import { setTimeout } from "node:timers/promises";
import { makeStoreExclusive } from "../../providers/conductor/locks.ts";
import { openDatabase } from "../../providers/store/database.ts";

const [path = "", key = ""] = process.argv.slice(2);
const exclusive = makeStoreExclusive(await openDatabase(path));
await exclusive(key, async () => {
  process.stdout.write("held\n");
  await setTimeout(3_600_000);
});
