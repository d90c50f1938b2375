import { createHash } from "node:crypto";
import type { ConfigDrive } from "../core/ports.ts";
import { canonicalJson } from "../core/json.ts";

/** A file of the config drive; its content may be secret. */
export interface DriveFile {
  readonly name: "meta_data.json" | "network_data.json" | "vendor_data.json" | "user_data";
  readonly content: Buffer;
}

/** Files under `openstack/latest` (nova: `nova/api/metadata/base.py`). The same input gives the same bytes. */
export function listDriveFiles(drive: ConfigDrive): readonly DriveFile[] {
  const files: DriveFile[] = [
    { name: "meta_data.json", content: Buffer.from(canonicalJson(drive.metaData)) },
    { name: "network_data.json", content: Buffer.from(canonicalJson(drive.networkData)) },
    { name: "vendor_data.json", content: Buffer.from("{}") },
  ];
  return drive.userData === undefined
    ? files
    : [...files, { name: "user_data", content: Buffer.from(drive.userData) }];
}

/** What the files hold, as one hash: a drive on a host is made anew only when it differs. */
export function hashDrive(files: readonly DriveFile[]): string {
  const hash = createHash("sha256");
  for (const file of files) hash.update(`${file.name} ${String(file.content.length)}\n`).update(file.content);
  return hash.digest("hex");
}
