import { createHash } from "node:crypto";
import type { ConfigDrive } from "../core/ports.ts";
import { canonicalJson } from "../core/json.ts";

/** A file of the config drive; its content may be secret. */
export interface DriveFile {
  readonly name: "meta_data.json" | "network_data.json" | "vendor_data.json" | "user_data";
  readonly content: Buffer;
}

/**
 * Has cloud-init read the drive at every boot: its script is run at the first one, and puts another there that forgets what was read. By itself
 * cloud-init keeps that as long as the instance is the same (cloud-init: `stages.py`, `_restore_from_checked_cache`;
 * `sources/DataSourceConfigDrive.py`, `check_instance_id`), and never learns of another host name. Its own switch for it, `updates` with
 * `boot-legacy`, breaks off on a config drive (`'str' object has no attribute 'get'`; seen with 22.4.2). Keys and user data stay a matter of the
 * first boot, since the instance is the same.
 */
const vendorData = {
  "cloud-init": `#!/bin/sh
file=/var/lib/cloud/scripts/per-boot/stackyard
printf '%s\\n' '#!/bin/sh' 'rm -f /var/lib/cloud/instance/obj.pkl' > $file
chmod 755 $file
`,
};

/** Files under `openstack/latest` (nova: `nova/api/metadata/base.py`). The same input gives the same bytes. */
export function listDriveFiles(drive: ConfigDrive): readonly DriveFile[] {
  const files: DriveFile[] = [
    { name: "meta_data.json", content: Buffer.from(canonicalJson(drive.metaData)) },
    { name: "network_data.json", content: Buffer.from(canonicalJson(drive.networkData)) },
    { name: "vendor_data.json", content: Buffer.from(canonicalJson(vendorData)) },
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
