import { z } from "zod";
import type { CephCluster, CephFacts, CephPool, PoolObservation } from "../core/ceph.ts";
import { StackyardError } from "../core/errors.ts";
import type { Drift } from "../core/resource.ts";
import { sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import type { CephFault } from "./ceph-session.ts";
import { nameUnfinishedPool, poolKeys } from "./marks.ts";

/** A pool of a cluster as found. */
export interface PoolState {
  readonly size: number;
  /** What the cluster is on its way to: a manager splits and merges a few at a time. */
  readonly pgCount: number;
  readonly isAutoscaled: boolean;
  /** Metadata of the application `rbd`; absent where the pool is for another. */
  readonly marks: Readonly<Record<string, string>> | undefined;
}

const separator = "<>";

const poolsSchema = z.array(
  z.looseObject({
    pool_name: z.string(),
    size: z.int(),
    pg_num_target: z.int(),
    pg_autoscale_mode: z.string().optional(),
    application_metadata: z.record(z.string(), z.record(z.string(), z.string())).optional(),
  }),
);

/** Lists all pools. Read by {@link parsePools}. */
export function listPools(): Shell {
  return sh`ceph osd pool ls detail --format json`;
}

/** Reads the answer of {@link listPools}, by name. Raises `command-failed`. */
export function parsePools(output: string): ReadonlyMap<string, PoolState> {
  return new Map(
    parseJson(poolsSchema, output, "its pools").map((pool) => [
      pool.pool_name,
      {
        size: pool.size,
        pgCount: pool.pg_num_target,
        isAutoscaled: pool.pg_autoscale_mode === "on",
        marks: pool.application_metadata?.["rbd"],
      },
    ]),
  );
}

/** The pool of that name if it is this cloud's for this resource; `undefined` when there is none. Raises `not-ours`. */
export function findPool(
  { cloudId, name }: CephCluster,
  { id, pool }: CephPool,
  pools: ReadonlyMap<string, PoolState>,
): PoolState | undefined {
  const found = pools.get(pool);
  if (found === undefined) return undefined;
  if (found.marks?.[poolKeys.cloud] === cloudId && found.marks[poolKeys.pool] === id) return found;
  throw new StackyardError("not-ours", {
    message: `Ceph cluster ${name} has a pool ${pool} already, which is not this resource's`,
    field: "pool",
    value: pool,
    remedy: "Choose another name, or rename that pool: ceph osd pool rename.",
  });
}

/** What of the pool is not as declared. */
export function comparePool({ size, pgCount }: CephPool, found: PoolState): readonly Drift[] {
  const expectations = [
    ["size", size, found.size, "sets it; the cluster copies or drops objects"],
    ["pgCount", pgCount, found.pgCount, "sets it; the cluster splits or merges groups"],
  ] as const;
  return expectations.flatMap(([field, expected, actual, repair]): readonly Drift[] =>
    expected === undefined || expected === actual
      ? []
      : [
          {
            field,
            expected: String(expected),
            found: String(actual),
            repair,
            label: "live",
          },
        ],
  );
}

/** Makes a pool under a name of its own, and renames it when it has the mark: what a crash leaves half made is known by that name. */
export function makePool({ cloudId }: CephCluster, { id, pool, size, pgCount }: CephPool): Shell {
  const unfinished = nameUnfinishedPool(id);
  return sh`ceph osd pool create ${unfinished} ${pgCount === undefined ? [] : [String(pgCount)]} ${sizeOption(size)} ${pgCount === undefined ? [] : ["--autoscale-mode", "off"]}
ceph osd pool application enable ${unfinished} rbd
ceph osd pool application set ${unfinished} rbd ${poolKeys.cloud} ${cloudId}
ceph osd pool application set ${unfinished} rbd ${poolKeys.pool} ${id}
rbd pool init ${unfinished}
ceph osd pool rename ${unfinished} ${pool}`;
}

function sizeOption(size: number | undefined): readonly string[] {
  return size === undefined ? [] : ["--size", String(size)];
}

/** Brings a pool to the declared size; nothing to do gives nothing. Declared placement groups end the scaling by itself. */
export function resizePool({ pool, size, pgCount }: CephPool, found: PoolState): readonly Shell[] {
  return [
    ...(size === undefined || size === found.size
      ? []
      : [sh`ceph osd pool set ${pool} size ${size} ${size === 1 ? ["--yes-i-really-mean-it"] : []}`]),
    ...(pgCount === undefined || !found.isAutoscaled
      ? []
      : [sh`ceph osd pool set ${pool} pg_autoscale_mode off`]),
    ...(pgCount === undefined || pgCount === found.pgCount
      ? []
      : [sh`ceph osd pool set ${pool} pg_num ${pgCount}`]),
  ];
}

/** Lists all pools, and what this one holds of RBD if it is there. Read by {@link parsePools} and {@link countImages}, a part a list. */
export function listImagesOf({ id, pool }: CephPool): Shell {
  return sh`pools=$(ceph osd pool ls detail --format json)
printf '%s\n' "$pools"
case $pools in (*${`"pool_name":${JSON.stringify(pool)}`}*${id}*) ;; (*) exit 0 ;; esac
echo '<>'
rbd ls --format json ${pool}
echo '<>'
rbd trash ls --all --format json ${pool}
echo '<>'
rbd namespace ls --format json ${pool}`;
}

/** Images in the lists of {@link listImagesOf}, those in the trash too; a namespace counts as one, since what is in it is not listed. */
export function countImages(lists: readonly string[]): number {
  return lists
    .map((list) => parseJson(z.array(z.unknown()), list, "a pool's images").length)
    .reduce((sum, count) => sum + count, 0);
}

/** Prints what is in it, and deletes it only if that is nothing. */
export function deletePool(pool: string): Shell {
  return sh`content=$(rbd ls ${pool} && rbd trash ls --all ${pool} && rbd namespace ls --format plain ${pool})
if [ -n "$content" ]; then printf '%s\n' "$content"; exit 0; fi
ceph osd pool delete ${pool} ${pool} --yes-i-really-really-mean-it`;
}

/** What observation makes of a pool that is there. */
export function describePool(pool: CephPool, found: PoolState, images: number): PoolObservation {
  return {
    size: found.size,
    pgCount: found.pgCount,
    images,
    drift: comparePool(pool, found),
  };
}

/** Faults of making and resizing a pool, which its cluster tells by errno and text (ceph: `mon/OSDMonitor.cc`). */
export function poolFaults({ pool, size, pgCount }: CephPool): readonly CephFault[] {
  return [
    {
      pattern: /configuring pool size as 1 is disabled/,
      code: "invalid-input",
      detail: {
        message: `The cluster keeps no pool with one copy`,
        field: "size",
        value: size,
        remedy:
          "Ask for two copies or more, or allow it: ceph config set global mon_allow_pool_size_one true.",
      },
    },
    {
      pattern: /pool size must be between|pool size is (?:bigger|smaller) than/,
      code: "invalid-input",
      detail: {
        message: `The cluster refuses ${String(size)} copies`,
        field: "size",
        value: size,
      },
    },
    {
      pattern: /Error ERANGE|pg_num .*(?:must be|exceeds|not a power)/i,
      code: "invalid-input",
      detail: {
        message: `The cluster refuses ${pgCount === undefined ? "its own number of" : String(pgCount)} placement groups for one more pool`,
        field: "pgCount",
        value: pgCount,
        remedy: "Ask for fewer, or raise mon_max_pg_per_osd.",
      },
    },
    {
      pattern: /Error EEXIST/,
      code: "not-ours",
      detail: {
        message: `The cluster has a pool ${pool} already, which is not this resource's`,
        field: "pool",
        value: pool,
      },
    },
  ];
}

/** The fault of deleting one. */
export const deletionFault: CephFault = {
  pattern: /pool deletion is disabled/,
  code: "ceph-refused",
  detail: {
    message: "The cluster lets no pool be deleted",
    remedy: "Allow it, and forbid it again afterwards: ceph config set mon mon_allow_pool_delete true.",
  },
};

const statusSchema = z.looseObject({
  health: z.looseObject({
    status: z.enum(["HEALTH_OK", "HEALTH_WARN", "HEALTH_ERR"]),
  }),
  osdmap: z.looseObject({ num_up_osds: z.int() }),
});
const versionsSchema = z.looseObject({ mon: z.record(z.string(), z.int()) });

/** Looks at a cluster as a whole. Read by {@link parseFacts}. */
export function lookAtCluster(): Shell {
  return sh`ceph status --format json
echo '<>'
ceph versions --format json`;
}

/** Reads the answer of {@link lookAtCluster}; of monitors of several versions, as in an upgrade, the lowest counts. */
export function parseFacts(output: string): CephFacts {
  const [status = "", versions = ""] = output.split(`${separator}\n`);
  const { health, osdmap } = parseJson(statusSchema, status, "its status");
  const [version] = Object.keys(parseJson(versionsSchema, versions, "its versions").mon)
    .flatMap((text) => /^ceph version (\d+\.\d+\.\d+)/.exec(text)?.[1] ?? [])
    .toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }));
  if (version === undefined) throw unreadable("its versions", versions);
  return { version, health: health.status, osds: osdmap.num_up_osds };
}

function parseJson<T>(schema: z.ZodType<T>, text: string, what: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw unreadable(what, text, cause);
  }
}

function unreadable(what: string, text: string, cause?: unknown): StackyardError {
  return new StackyardError("command-failed", {
    message: `A Ceph cluster described ${what} in an unknown way`,
    notes: [text.slice(0, 200)],
    cause,
  });
}
