/**
 * A process that is killed at a point of a server's build or removal: `die-at.ts FOLDER build|remove POINT`. A point is a method of compute with
 * its moment, `domains.spawn after`, or the beginning of a line of progress. The folder has a small world; its hosts outlive the process.
 */
import { join } from "node:path";
import type { JsonObject } from "../../providers/core/json.ts";
import { FakeCompute } from "../fakes/compute.ts";
import { make, openTestSession } from "./cloud.ts";

const [folder = "", task = "", point = "", inputs = "{}"] = process.argv.slice(2);
const compute = new FakeCompute(join(folder, "hosts.json"));
const cloud = await openTestSession(folder, compute);

function die(): void {
  process.kill(process.pid, "SIGKILL");
}

function watch(line: string): void {
  if (line.startsWith(point)) die();
}

const server = JSON.parse(inputs) as JsonObject;
if (task === "remove") {
  const { id } = await make(cloud, "server", "web", server);
  compute.onMoment = (method, moment) => watch(`${method} ${moment}`);
  await cloud.remove("server", id, { onProgress: watch });
} else {
  compute.onMoment = (method, moment) => watch(`${method} ${moment}`);
  await make(cloud, "server", "web", server, { onProgress: watch });
}
await cloud.close();
