/** A process of its own that revokes a token: `revoke-token.ts STORE`, the token on standard input. */
import { text } from "node:stream/consumers";
import { openAuthenticate } from "../../providers/authenticate/authenticate.ts";
import { Secret } from "../../providers/core/secret.ts";
import { openDatabase } from "../../providers/store/database.ts";

const database = await openDatabase(process.argv[2] ?? "");
await openAuthenticate(database).revoke(new Secret(await text(process.stdin)));
await database.destroy();
