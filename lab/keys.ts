import { existsSync } from "node:fs";
import { expectProcess } from "./process.ts";

/** An ed25519 key pair at `path`, made when its public half is not there: ssh-keygen writes that one last. */
export async function ensureKey(path: string, comment: string): Promise<void> {
  if (existsSync(`${path}.pub`)) return;
  await expectProcess(
    "making a key",
    "ssh-keygen",
    ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path],
    {
      stdin: "y\n",
    },
  );
}
