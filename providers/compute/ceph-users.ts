import { z } from "zod";
import type { CephCluster, CephPool, PoolContent } from "../core/ceph.ts";
import { StackyardError } from "../core/errors.ts";
import { sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import type { CephKeys } from "./ceph-client.ts";
import { isCephKey } from "./ceph-keyring.ts";
import type { CephFault } from "./ceph-session.ts";
import { cephRoles, nameCephUser, type CephRole } from "./marks.ts";

/** What each role may do with pools, by what they hold (kolla-ansible: `roles/cephadm/defaults/main.yml`; guests write to volumes as well). */
const access: Readonly<Record<CephRole, Readonly<Partial<Record<PoolContent, "write" | "read">>>>> = {
  glance: { images: "write" },
  cinder: { volumes: "write", vms: "write", images: "read" },
  libvirt: { vms: "write", volumes: "write", images: "read" },
};

/** Caps of one user, by the daemon that they are asked of; `undefined` for none. */
export interface CephCaps {
  readonly mon: string;
  readonly osd: string | undefined;
  readonly mgr: string | undefined;
}

/** Names that stand in caps as they are (ceph: `osd/OSDCap.cc`, a word without quotes). */
const plainName = /^[A-Za-z0-9_.-]+$/;

/** What a user of this role may do with these pools, and no more: without a pool that it uses, it may ask the monitors where things are, no more. Raises `invalid-input`. */
export function listCaps(role: CephRole, pools: readonly CephPool[]): CephCaps {
  const grants = pools.flatMap(({ pool, content }) => {
    const granted = access[role][content];
    if (granted === undefined) return [];
    if (!plainName.test(pool))
      throw new StackyardError("invalid-input", {
        message: "The name of a pool is letters, digits, `.`, `_` and `-`",
        field: "pool",
        value: pool,
      });
    return [{ granted, pool }];
  });
  const writes = grants.filter(({ granted }) => granted === "write");
  const reads = grants.filter(({ granted }) => granted === "read");
  const mgr = writes.map(({ pool }) => `profile rbd pool=${pool}`);
  const osd = [...mgr, ...reads.map(({ pool }) => `profile rbd-read-only pool=${pool}`)];
  return {
    mon: "profile rbd",
    osd: osd.join(", ") || undefined,
    mgr: mgr.join(", ") || undefined,
  };
}

/** Gives a user these caps; one that is not there is made, with a key that only the cluster knows. */
export function ensureUser(cluster: CephCluster, role: CephRole, { mon, osd, mgr }: CephCaps): Shell {
  const entity = `client.${nameCephUser(cluster.cloudId, role)}`;
  const caps = [
    ["mon", mon],
    ...(osd === undefined ? [] : [["osd", osd]]),
    ...(mgr === undefined ? [] : [["mgr", mgr]]),
  ].flat();
  return sh`ceph auth caps ${entity} ${caps} > /dev/null 2> "$session/error" || {
  code=$?
  grep -q 'Error ENOENT' "$session/error" || { cat "$session/error" >&2; exit "$code"; }
  ceph auth add ${entity} ${caps} > /dev/null
}`;
}

/** Takes a user away; one that is not there is fine. */
export function removeUser({ cloudId }: CephCluster, role: CephRole): Shell {
  return sh`ceph auth del ${`client.${nameCephUser(cloudId, role)}`} > /dev/null`;
}

/** The fault of asking for the key of a user that is not there. */
export const missingUserFault: CephFault = {
  pattern: /Error ENOENT/,
  code: "not-found",
  detail: {
    message: "The cluster has no users of this cloud any more",
    remedy: "Apply the cluster anew.",
  },
};

const keySchema = z.string().refine(isCephKey);
const keysSchema = z.object({
  glance: keySchema,
  cinder: keySchema,
  libvirt: keySchema,
});

/** Prints the users' keys, a line each. Read by {@link parseKeys}. */
export function readKeys({ cloudId }: CephCluster): Shell {
  return sh`for user in ${cephRoles.map((role) => `client.${nameCephUser(cloudId, role)}`)}; do
  ceph auth get-key "$user"
  echo
done`;
}

/** Reads the answer of {@link readKeys}. Raises `command-failed`, without a word of it. */
export function parseKeys(output: string): CephKeys {
  const lines = output.split("\n").filter((line) => line !== "");
  const keys = keysSchema.safeParse(Object.fromEntries(cephRoles.map((role, index) => [role, lines[index]])));
  if (keys.success) return keys.data;
  throw new StackyardError("command-failed", {
    message: "A Ceph cluster gave the keys of the cloud's users in an unknown way",
  });
}
