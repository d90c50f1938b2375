import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { expect, test } from "vitest";
import { hashDrive, listDriveFiles } from "../../../providers/compute/config-drive.ts";

const drive = { metaData: { uuid: "u", hostname: "h" }, networkData: { links: [] }, userData: "#!/bin/sh\n" };

const vendorSchema = z.object({ "cloud-init": z.string() });

test("the drive has nova's files", () => {
  expect(listDriveFiles(drive).map(({ name, content }) => [name, content.toString()])).toEqual([
    ["meta_data.json", '{"hostname":"h","uuid":"u"}'],
    ["network_data.json", '{"links":[]}'],
    ["vendor_data.json", expect.stringMatching(/^\{"cloud-init":"#!/) as unknown],
    ["user_data", "#!/bin/sh\n"],
  ]);
});

test("vendor_data has cloud-init forget at each boot what it read, and the instance stays the same", () => {
  const cloud = mkdtempSync(join(tmpdir(), "cloud-init-"));
  mkdirSync(join(cloud, "scripts", "per-boot"), { recursive: true });
  mkdirSync(join(cloud, "instance"));
  for (const name of ["obj.pkl", "user-data.txt"]) writeFileSync(join(cloud, "instance", name), "");
  const vendorData = listDriveFiles(drive).find(({ name }) => name === "vendor_data.json")?.content;
  const { "cloud-init": script } = vendorSchema.parse(JSON.parse(String(vendorData)));
  execFileSync("sh", ["-c", script.replaceAll("/var/lib/cloud", cloud)]);
  execFileSync(join(cloud, "scripts", "per-boot", "stackyard"));
  expect(readdirSync(join(cloud, "instance"))).toEqual(["user-data.txt"]);
  rmSync(cloud, { recursive: true });
});

test("there is no user_data unless it was given", () => {
  expect(listDriveFiles({ ...drive, userData: undefined }).map(({ name }) => name)).not.toContain(
    "user_data",
  );
});

test("the same content in another order has the same hash", () => {
  const reordered = { ...drive, metaData: { hostname: "h", uuid: "u" } };
  expect(hashDrive(listDriveFiles(reordered))).toBe(hashDrive(listDriveFiles(drive)));
});

test("text that moves from one file to another changes the hash", () => {
  const files = (a: string, b: string) => [
    { name: "meta_data.json" as const, content: Buffer.from(a) },
    { name: "user_data" as const, content: Buffer.from(b) },
  ];
  expect(hashDrive(files("ab", ""))).not.toBe(hashDrive(files("a", "b")));
});
