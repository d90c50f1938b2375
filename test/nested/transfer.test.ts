import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bringUp, runOnHost, tearDown } from "../../lab/lab.ts";
import { parseTopology } from "../../lab/topology.ts";
import { exportLab, importLab } from "../../lab/transfer.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";

/** A lab goes into a file, away, and comes back of it: its hosts go on where they were. */
let labs: LabFolder;
let folder: string;

beforeAll(async () => {
  labs = openLabFolder("transfer");
  folder = mkdtempSync(join(tmpdir(), "stackyard-export-"));
  await bringUp(
    parseTopology({ name: "source", driver: "nested", hosts: [{ name: "h1", disks: [{ sizeGib: 1 }] }] }),
  );
});

afterAll(async () => {
  await labs.close();
  rmSync(folder, { recursive: true });
});

test("a lab that was exported comes back of the file, under another name", async () => {
  const onHost = async (name: string, command: string): Promise<string> =>
    (await runOnHost(name, "h1", ["sh", "-c", command])).stdout;
  await onHost(
    "source",
    "echo kept > /root/kept; echo here > /run/here; printf mark | dd of=/dev/disk/by-id/virtio-data1 conv=fsync",
  );
  const bootId = await onHost("source", "cat /proc/sys/kernel/random/boot_id");
  const file = join(folder, "lab.tar.zst");
  await exportLab("source", file);
  expect(statSync(file).mode & 0o077).toBe(0);
  await expect(exportLab("source", file)).rejects.toMatchObject({ code: "conflict", field: "file" });
  await tearDown("source");
  expect((await importLab(file, "target")).state).toBe("up");
  expect(await onHost("target", "cat /root/kept /run/here; head -c 4 /dev/disk/by-id/virtio-data1")).toBe(
    "kept\nhere\nmark",
  );
  expect(await onHost("target", "cat /proc/sys/kernel/random/boot_id")).toBe(bootId);
});
