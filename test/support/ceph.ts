import { join } from "node:path";
import type { JsonObject } from "../../providers/core/json.ts";
import type { FakeCompute } from "../fakes/compute.ts";
import { makeCephKey, writeKeyring } from "./ceph-keyring.ts";

/** Clusters that the fake hosts reach, by what they are for. */
const fsids = {
  /** That of a small world. */
  small: "5a1b0c2d-0000-4000-8000-000000000001",
  /** In no resource but a specimen. */
  spare: "5a1b0c2d-0000-4000-8000-000000000002",
  /** What changes refer to. */
  other: "5a1b0c2d-0000-4000-8000-000000000003",
  /** What a specimen changes to. */
  next: "5a1b0c2d-0000-4000-8000-000000000004",
} as const;

/** The fsid of a small world's cluster. */
export const smallFsid = fsids.small;

/** That of all clusters' admins. */
const key = makeCephKey();

/** Files with the one key of all clusters, in a folder of the test. */
const keyringNames = ["admin.keyring", "copy.keyring"] as const;

/** Lets the hosts reach all clusters, and writes the keyrings. */
export function addCephs(compute: FakeCompute, folder: string): void {
  for (const name of keyringNames) writeKeyring(join(folder, name), key);
  for (const [name, fsid] of Object.entries(fsids))
    compute.addCeph({ fsid, monitors: [`${name}.test`, `${name}.test:6789`], key });
}

/** Inputs of a cluster with one host as its client. `keyring`: which of the files. */
export function cephInputs(
  cluster: keyof typeof fsids,
  folder: string,
  hostId: string | undefined,
  keyring: (typeof keyringNames)[number] = "admin.keyring",
): JsonObject {
  return {
    fsid: fsids[cluster],
    monitors: [`${cluster}.test`],
    keyringFile: join(folder, keyring),
    hosts: hostId === undefined ? [] : [hostId],
  };
}

/** Inputs of one more cluster, which the hosts reach from now on. */
export function cephOfItsOwn(
  compute: FakeCompute,
  folder: string,
  index: number,
  hostId: string | undefined,
): JsonObject {
  const fsid = `5a1b0c2d-0000-4000-8000-${String(index).padStart(12, "9")}`;
  compute.addCeph({ fsid, monitors: [`ceph-${String(index)}.test`], key });
  return { ...cephInputs("spare", folder, hostId), fsid, monitors: [`ceph-${String(index)}.test`] };
}
