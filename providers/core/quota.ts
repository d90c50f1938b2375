import type { JsonObject } from "./json.ts";
import type { World } from "./resource.ts";

/**
 * What a project may have: OpenStack's name, its default, and what is counted (nova: conf/quota.py; neutron: conf/quota.py, whose names are singular in
 * its settings and plural in its API; cinder: common/config.py).
 */
export const quotas = {
  instances: { name: "instances", preset: 10, counts: "servers that the project may have" },
  cores: { name: "cores", preset: 20, counts: "virtual processors that its servers may have together" },
  ramMib: { name: "ram", preset: 51_200, counts: "memory in MiB that its servers may have together" },
  keyPairs: { name: "key_pairs", preset: 100, counts: "key pairs that it may have" },
  serverGroups: { name: "server_groups", preset: 10, counts: "server groups that it may have" },
  serverGroupMembers: {
    name: "server_group_members",
    preset: 10,
    counts: "servers that each of its server groups may have",
  },
  networks: { name: "networks", preset: 100, counts: "networks that it may have" },
  subnets: { name: "subnets", preset: 100, counts: "subnets that it may have" },
  ports: { name: "ports", preset: 500, counts: "ports that it may have, those of its servers' own included" },
  volumes: { name: "volumes", preset: 10, counts: "volumes that it may have" },
  snapshots: { name: "snapshots", preset: 10, counts: "snapshots of volumes that it may have" },
  gigabytes: {
    name: "gigabytes",
    preset: 1000,
    counts: "size in GiB that its volumes and snapshots may have together",
  },
} as const satisfies Record<string, { name: string; preset: number; counts: string }>;

export type QuotaName = keyof typeof quotas;

/** All quotas, in the order of their table. */
export const quotaNames: readonly QuotaName[] = Object.keys(quotas).filter(isQuotaName);

function isQuotaName(name: string): name is QuotaName {
  return Object.hasOwn(quotas, name);
}

/** What one resource takes of a quota. */
export interface QuotaUse<I = JsonObject> {
  amount(inputs: I, world: World): number;
  /** Resource within which it is counted, such as a server's group; `undefined`: not at all. Default: the whole project. */
  within?(inputs: I): string | undefined;
}

/** The use of a quota that counts resources of the type. */
export const countOne: QuotaUse<unknown> = { amount: () => 1 };
