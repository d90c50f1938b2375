import { beforeEach, describe, expect, test } from "vitest";
import { StackyardError } from "../../../../providers/core/errors.ts";
import { brandId } from "../../../../providers/core/ids.ts";
import { definitions } from "../../../../providers/registry.ts";
import { FakeCloud } from "../../../fakes/cloud.ts";
import { runStackyard, type CommandResult } from "../../../support/command-line.ts";

const missing = {
  field: "location",
  expected: "volumes/volume-1",
  found: "missing",
  repair: "makes it anew, blank: what it held is gone",
  label: "data-loss",
} as const;
const stopped = {
  field: "running",
  expected: "running",
  found: "shut-off",
  repair: "starts it",
  label: "live",
  host: "h1",
} as const;

let cloud: FakeCloud;
let volumeId: string;
let serverId: string;
/** Who found what is left over. */
const hostId = brandId<"host">("00000000-0000-4000-8000-000000000009");

beforeEach(async () => {
  cloud = new FakeCloud({ definitions });
  await run("volume-type", "create", "--name", "files");
  await run("host", "create", "--name", "h1", "--address", "h1.test", "--tunnel-address", "10.0.0.1/24");
  await run(
    "volume",
    "create",
    "--name",
    "data",
    "--volume-type",
    "files",
    "--host",
    "h1",
    "--size-gib",
    "1",
  );
  await run("flavor", "create", "--name", "small", "--vcpus", "1", "--ram-mib", "64");
  await run("image", "create", "--name", "tiny", "--disk.location", "/images/tiny.qcow2");
  await run("server", "create", "--name", "web", "--flavor", "small", "--image", "tiny");
  volumeId = (await cloud.find("volume", "data")).id;
  serverId = (await cloud.find("server", "web")).id;
});

function run(...words: readonly string[]): Promise<CommandResult> {
  return runStackyard(cloud, words, {});
}

/** Cells of the rows under the title. */
function rowsOf({ stdout }: CommandResult): readonly (readonly string[])[] {
  return stdout
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/ {2,}/));
}

describe("volume verify", () => {
  test("ends with 0 when store, hosts and clusters agree", async () => {
    const result = await run("volume", "verify");
    expect(result.exitCode).toBe(0);
    expect(result.stdout).toBe("store, hosts and clusters agree; 6 resources looked at\n");
  });

  test("ends with 2, and names what is missing, what is changed in a server's disks, and what nobody owns", async () => {
    cloud.drifts.set(volumeId, [missing]);
    cloud.drifts.set(serverId, [
      stopped,
      { ...stopped, field: "volumes", expected: "vdb data", found: "none", repair: "attaches what it lacks" },
    ]);
    cloud.leftovers.add({
      host: "h1",
      hostId,
      kind: "rbd-image",
      id: "c/vms/x_disk",

      description: "disk of x",
    });
    cloud.leftovers.add({ host: "h1", hostId, kind: "tunnel", id: "n/h", description: "tunnel" });

    const result = await run("volume", "verify");

    expect(result.exitCode).toBe(2);
    expect(rowsOf(result)).toEqual([
      [
        "-",
        "volume",
        "data",
        "location is missing, not volumes/volume-1",
        expect.stringContaining("data-loss"),
      ],
      ["h1", "server", "web", "volumes is none, not vdb data", "attaches what it lacks (live)"],
      ["h1", "rbd-image", "c/vms/x_disk", "no record owns it: disk of x", "stackyard gc --yes"],
    ]);
    expect(JSON.parse((await run("volume", "verify", "--json")).stdout)).toMatchObject({
      checked: 6,
      disagreements: [{ type: "volume" }, { type: "server" }, { type: "rbd-image" }],
      errors: [],
    });
  });

  test("ends with 1 when somebody could not be asked, and does not say that all agree", async () => {
    cloud.hostFailures.push({
      host: "h2",
      error: new StackyardError("ceph-unreachable", { message: "no monitor answers" }),
    });
    const result = await run("volume", "verify");
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toBe("");
    expect(result.stderr).toContain("no monitor answers");
  });
});
