/**
 * A process that is killed at a point of a server's build, change, move or removal: `die-at.ts FOLDER build|adopt|change|migrate|remove POINT INPUTS [CHANGED]`. What is adopted is the
 * domain of `foreign-domain.ts`. A point is a method of compute with its moment, `domains.spawn after`, or the beginning of a line of progress. The folder has a small world; its hosts outlive the process.
 */
import { join } from "node:path";
import type { JsonObject } from "../../providers/core/json.ts";
import { FakeCompute } from "../fakes/compute.ts";
import { make, nameOfHost, openTestSession } from "./cloud.ts";
import { foreignDomain } from "./foreign-domain.ts";

const [folder = "", task = "", point = "", inputs = "{}", changed = "{}"] = process.argv.slice(2);
const compute = new FakeCompute(join(folder, "hosts.json"));
const cloud = await openTestSession(folder, compute);

function die(): void {
  process.kill(process.pid, "SIGKILL");
}

function watch(line: string): void {
  if (line.startsWith(point)) die();
}

const server = JSON.parse(inputs) as JsonObject;
const before = task === "build" || task === "adopt" ? undefined : await make(cloud, "server", "web", server);
compute.onMoment = (method, moment) => watch(`${method} ${moment}`);
if (task === "adopt") {
  const request = { host: nameOfHost(1), domain: foreignDomain.name, inputs: { ...server, name: "web" } };
  await cloud.adopt(request, { onProgress: watch });
} else if (before === undefined) await make(cloud, "server", "web", server, { onProgress: watch });
else if (task === "migrate") await cloud.act("server", before.id, "live-migrate", {}, { onProgress: watch });
else if (task === "remove") await cloud.remove("server", before.id, { onProgress: watch });
else {
  const inputs: JsonObject = { ...before.inputs, ...(JSON.parse(changed) as JsonObject) };
  await make(cloud, "server", "web", inputs, { onProgress: watch });
}
await cloud.close();
