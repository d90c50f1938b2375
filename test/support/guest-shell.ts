import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expectProcess } from "../../lab/process.ts";
import type { Cloud, ResourceView } from "../../providers/core/cloud.ts";
import { make, textOf } from "./cloud.ts";

/** A key pair whose private half lies in a folder, and the guests that know it. */
export interface GuestShell {
  readonly keypair: ResourceView;
  /** Runs a command in a server's guest by `stackyard server ssh`, and gives its output. Raises when it fails. */
  readonly inGuest: (server: ResourceView, command: string) => Promise<string>;
}

/** Makes a key pair in the cloud that lies in `home`. */
export async function openGuestShell(cloud: Cloud, home: string): Promise<GuestShell> {
  const keypair = await make(cloud, "keypair", "login");
  const identity = join(home, "login");
  writeFileSync(identity, textOf(keypair.outputs, "privateKey"), { mode: 0o600 });
  const words = [resolve("providers/main.ts"), "server", "ssh"];
  return {
    keypair,
    inGuest: ({ id }, command) =>
      expectProcess(command, process.execPath, [...words, id, "--identity", identity, "--", command], {
        env: { ...process.env, STACKYARD_HOME: home },
      }),
  };
}
