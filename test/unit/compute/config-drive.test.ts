import { expect, test } from "vitest";
import { hashDrive, listDriveFiles } from "../../../providers/compute/config-drive.ts";

const drive = { metaData: { uuid: "u", hostname: "h" }, networkData: { links: [] }, userData: "#!/bin/sh\n" };

test("the drive has nova's files", () => {
  expect(listDriveFiles(drive).map(({ name, content }) => [name, content.toString()])).toEqual([
    ["meta_data.json", '{"hostname":"h","uuid":"u"}'],
    ["network_data.json", '{"links":[]}'],
    ["vendor_data.json", "{}"],
    ["user_data", "#!/bin/sh\n"],
  ]);
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
