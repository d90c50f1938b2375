import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { StackyardError } from "../../providers/core/errors.ts";
import type { ProgramResult } from "../setup/program.ts";
import { withPulse, type Say } from "../setup/progress.ts";
import { readOutputs, runPulumi, runStackyard, type Quickstart, type Variant } from "./commands.ts";

export const plain: Variant = {
  name: "quickstart",
  args: [],
  stack: "quickstart",
  lab: { title: "a lab of three KVM hosts" },
  secret: "operatorPassword",
  prove: (run, say) =>
    withPulse(say, "checking that every server is reached from another", (waitFor) =>
      proveServers(run, waitFor),
    ),
};

/** The same stack on hosts that are virtual machines, so that its servers run on KVM in them. */
export const nested: Variant = {
  ...plain,
  name: "quickstart-nested",
  args: ["--nested"],
  lab: { title: "a lab of three virtual machines with KVM inside", driver: "nested" },
};

export const ceph: Variant = {
  name: "quickstart-ceph",
  args: ["--ceph"],
  stack: "ceph",
  lab: {
    title: "a lab of three KVM hosts and a small Ceph",
    hosts: ["h1", "h2", "h3", { name: "c1", roles: ["ceph"] }],
  },
  secret: undefined,
  prove: proveVolumes,
};

const serverIds = z.array(z.object({ id: z.string(), name: z.string() }));

/** Logs in to each server over SSH, and pings the next one from there. */
async function proveServers(quickstart: Quickstart, waitFor: Say): Promise<void> {
  const { table, privateKey } = await readOutputs(quickstart);
  const hosts = new Set(table.map(({ host }) => host));
  if (hosts.size !== table.length) {
    throw new StackyardError("internal", {
      message: `the servers are not on a host each: ${table.map(({ name, host }) => `${name} on ${host}`).join(", ")}`,
    });
  }
  await writeKey(quickstart, privateKey);
  for (const [index, server] of table.entries()) {
    const other = table[(index + 1) % table.length];
    if (other === undefined) continue;
    waitFor(`${server.name} on ${server.host} pings ${other.name} on ${other.host}`);
    await runInGuest(quickstart, server.name, "ping", "-c", "3", "-W", "5", other.address);
  }
}

/** Writes to the data volume in its server, has the server replaced, and reads it again in the new one. */
async function proveVolumes(quickstart: Quickstart, say: Say): Promise<void> {
  const { privateKey, dataDevice = "" } = await readOutputs(quickstart);
  await writeKey(quickstart, privateKey);
  const device = `/dev/${dataDevice}`;
  const text = randomBytes(16).toString("hex");
  const before = await readServerId(quickstart, "db");
  await withPulse(say, "writing to the data volume in the server that has it", () =>
    runInGuest(quickstart, "db", `echo ${text} | dd of=${device} conv=fsync 2> /dev/null`),
  );
  const { stdout } = await runPulumi(quickstart, ["config", "get", "generation"]);
  await runPulumi(quickstart, ["config", "set", "generation", String(Number(stdout) + 1)]);
  await withPulse(say, "pulumi up, which replaces the server", (waitFor) =>
    runPulumi(quickstart, ["up", "--yes", "--skip-preview"], waitFor),
  );
  await withPulse(say, "comparing store, Ceph and servers: stackyard volume verify", () =>
    runStackyard(quickstart, ["volume", "verify"]),
  );
  await withPulse(say, "reading the volume in the new server", async () => {
    const after = await readServerId(quickstart, "db");
    const found = await runInGuest(quickstart, "db", `head -n 1 ${device}`);
    if (after !== before && found.stdout.trim() === text) return;
    throw new StackyardError("internal", {
      message:
        after === before
          ? `server db was not replaced: it is ${after} as before`
          : "the new server reads from the data volume what was not written there",
    });
  });
}

async function writeKey({ all }: Quickstart, privateKey: string): Promise<void> {
  await writeFile(keyFile(all), privateKey, { mode: 0o600 });
}

export function keyFile(all: string): string {
  return join(all, "id_login");
}

async function readServerId(quickstart: Quickstart, name: string): Promise<string> {
  const { stdout } = await runStackyard(quickstart, ["server", "list", "--json"]);
  const found = serverIds.parse(JSON.parse(stdout)).find((server) => server.name === name);
  return found?.id ?? "";
}

function runInGuest(
  quickstart: Quickstart,
  server: string,
  ...command: readonly string[]
): Promise<ProgramResult> {
  return runStackyard(quickstart, [
    "server",
    "ssh",
    server,
    "--identity",
    keyFile(quickstart.all),
    "--",
    ...command,
  ]);
}
