import type { labFiles } from "./folders.ts";

/** A path as one word of ssh_config(5), where blanks part words and percent signs begin tokens. */
const quotePath = (path: string): string => `"${path.replaceAll("%", "%%").replaceAll(/["\\]/g, "\\$&")}"`;

/** The user that the lab's key logs in as. */
export const sshUser = "root";

/** Arguments of `ssh` to a host: the lab's own key and known_hosts only, none of the user's settings. */
export function sshArguments(
  files: Pick<ReturnType<typeof labFiles>, "identity" | "knownHosts">,
  { address, port }: { readonly address: string; readonly port: number },
): string[] {
  const settings = {
    IdentityFile: quotePath(files.identity),
    UserKnownHostsFile: quotePath(files.knownHosts),
    GlobalKnownHostsFile: "/dev/null",
    StrictHostKeyChecking: "yes",
    IdentitiesOnly: "yes",
    BatchMode: "yes",
    ConnectTimeout: "5",
    LogLevel: "ERROR",
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  return ["-F", "none", ...options, "-p", String(port), `${sshUser}@${address}`];
}
