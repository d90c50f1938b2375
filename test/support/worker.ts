import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** Name of a worker on this machine whose process has ended. */
export async function deadWorker(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const child = execFile(process.execPath, ["--version"], () => resolve(undefined));
  const stat = readFileSync(`/proc/${String(child.pid)}/stat`, "utf8");
  await promise;
  return `${hostname()}/${String(child.pid)}/${stat.split(") ")[1]?.split(" ")[19] ?? ""}`;
}
