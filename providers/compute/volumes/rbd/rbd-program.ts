import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { answerWith, type Answer } from "../../../core/answer.ts";
import { hasCode, StackyardError } from "../../../core/errors.ts";
import { findPackageRoot } from "../../../core/package-root.ts";
import type { ComputeHost } from "../../../core/ports.ts";
import type { RbdParent, RbdPlace, VolumeRef } from "../../../core/volume-backend.ts";
import { script, sh } from "../../../hosts/command.ts";
import type { Shell } from "../../../hosts/command.ts";
import type { RunOptions } from "../../../hosts/connection.ts";
import type { HostPool } from "../../../hosts/pool.ts";
import { lockVolume } from "../volume-backend.ts";
import { packKey } from "../volume-key.ts";
import { clientOf, type CephClient, markOf, metaKey, nameImage, partSuffix } from "./rbd-client.ts";

/** Our mark on an image. */
interface Mark {
  readonly key: string;
  readonly value: string;
}

/** A LUKS container in an image: bytes before its data, and `qemu-img`'s options for it. */
export interface RbdLuks {
  readonly bytes: number;
  readonly options: string;
}

/** What an image is made of. Sizes in bytes. */
export type RbdSource =
  | { readonly kind: "blank" }
  | { readonly kind: "clone"; readonly parent: RbdParent }
  /** A clone of another volume of ours. */
  | {
      readonly kind: "clone";
      readonly parent: RbdParent;
      readonly name: string;
      readonly id: string;
      readonly mark: Mark;
    }
  /** An image that is copied into an encrypted one, which is larger. */
  | { readonly kind: "snapshot"; readonly parent: RbdParent; readonly overhead: number }
  | { readonly kind: "file"; readonly path: string; readonly size: number }
  | { readonly kind: "volume"; readonly name: string; readonly id: string; readonly mark: Mark };

/** What `templates/ceph/rbd.py` does, by its names. `want` is a size in bytes; 0 is any. With `luks` it is given the volume's key. */
export type RbdWork =
  | {
      readonly do: "ensure";
      readonly want: number;
      readonly source: RbdSource;
      readonly luks?: RbdLuks;
    }
  | { readonly do: "grow"; readonly want: number }
  | {
      readonly do: "copy";
      readonly want: number;
      /** The program that copies into the image that is being made, and the one that compares then. */
      readonly convert: readonly string[];
      readonly compare?: readonly string[];
      readonly luks?: RbdLuks;
      /** What is copied into an encrypted image, which is as large as that where any size is right. */
      readonly parent?: RbdParent;
      /** Snapshot that the copy gets. */
      readonly protect?: string;
      /** Snapshot of another image that is copied, and is there meanwhile. */
      readonly moment?: {
        readonly name: string;
        readonly id: string;
        readonly mark: Mark;
        readonly snapshot: string;
      };
    }
  | { readonly do: "snapshot" | "remove_snapshot"; readonly snapshot: string }
  | { readonly do: "begin_import" | "find_import"; readonly snapshot: string }
  /** `reader`: the user that is asked who lies on it. */
  | { readonly do: "remove_import"; readonly snapshot: string; readonly reader: string }
  | { readonly do: "observe" | "remove" | "remove_half" | "children" | "is_flat" | "flatten" };

/** Answers, by the work. */
export const answers = {
  none: z.null(),
  flag: z.boolean(),
  ensured: z.enum(["whole", "copy"]),
  /** `space`: bytes that can still be written to the pool, where the cluster tells. */
  begun: z.union([z.literal("whole"), z.object({ space: z.int().nonnegative().nullable() })]),
  /** `POOL/IMAGE` of each. */
  children: z.array(z.string()),
  image: z
    .object({
      size: z.int().nonnegative(),
      parent: z.string().nullable(),
      snapshots: z.array(z.string()),
      watchers: z.array(z.string()),
    })
    .nullable(),
  /** Name and mark of each image. */
  marked: z.array(z.tuple([z.string(), z.string().nullable()])),
};

const refusalSchema = z.discriminatedUnion("why", [
  z.object({ why: z.enum(["foreign", "absent", "busy", "differs"]), detail: z.string() }),
  z.object({ why: z.enum(["shrinks", "source"]), detail: z.int() }),
  z.object({
    why: z.literal("snapshots"),
    detail: z.object({ snapshots: z.array(z.string()), children: z.array(z.string()) }),
  }),
  z.object({ why: z.enum(["held", "children"]), detail: z.array(z.string()) }),
]);

/** Why the work is not done as things are, and what was found. */
export type RbdRefusal = z.infer<typeof refusalSchema>;

const failureSchema = z.object({
  failed: z.object({
    step: z.enum(["connect", "pool", "work", "limit"]),
    about: z.string(),
    errno: z.int(),
    text: z.string(),
    /** Why storage did not answer: what is full waits, daemons are down, or monitors are silent too. */
    reason: z.enum(["full", "storage", "silent"]).nullable(),
  }),
});
type Failure = z.infer<typeof failureSchema>["failed"];

/** What is said of one image among many. */
const saidSchema = z.union([
  z.object({ answer: answers.image }),
  z.object({ refused: refusalSchema }),
  failureSchema,
]);

/** Longest that a step of the work may take without a sign of going on, more than monitors may take: storage that is full or down never answers. */
const stepSeconds = 20;
/** Time that a script may take: it may wait for another's lock. */
const scriptTimeoutMs = 240_000;

let source: string | undefined;

/** The program. It is small, and sent each time: what is on a host cannot be of another version. */
function readProgram(): string {
  source ??= readFileSync(join(findPackageRoot(), "templates/ceph/rbd.py"), "utf8");
  return source;
}

/** Python of the distribution, which Ceph's modules are for, without what the host's users have added to it. */
const python = sh`/usr/bin/python3 -I -S`;

/** A question to the program, and how it is asked. */
export interface RbdQuestion<T> {
  /** In the words of an error: `make volume ID`. */
  readonly attempting: string;
  readonly answer: z.ZodType<T>;
  readonly options?: Pick<RunOptions, "readOnly">;
  /** What a dry run takes for the answer. */
  readonly assumed: T;
}

/** Has the program do its work on a volume's image under the host's lock of the volume. `onRefusal` raises; as do the failures of {@link nameFault}. */
export async function askAboutVolume<T>(
  pool: HostPool,
  host: ComputeHost,
  volume: VolumeRef & { readonly place: RbdPlace },
  work: RbdWork,
  question: RbdQuestion<T> & { readonly onRefusal: (refusal: RbdRefusal) => never },
  signal: AbortSignal,
): Promise<T> {
  const how = question.options?.readOnly === true ? "-s" : "-x";
  const key = await packKeyFor(volume, work);
  const program = sh`${python} - ${render(host, volume, work)}`;
  // The rest of the input is the program.
  const commands =
    key === undefined
      ? [lockVolume(host, volume.id, how), program]
      : [
          sh`IFS= read -r key`,
          lockVolume(host, volume.id, how),
          sh`exec 4<&0
printf '%s' "$key" | { exec 3<&0 0<&4 4<&-; ${program}; }`,
        ];
  const output = await run(pool, host, volume.place, commands, question, signal, key);
  return readAnswer(output, question);
}

/** The line with the volume's key, for work that takes it. */
export function packKeyFor(volume: VolumeRef, work: RbdWork): Promise<string | undefined> {
  return packKey("luks" in work ? volume : {});
}

async function run<T>(
  pool: HostPool,
  host: ComputeHost,
  place: RbdPlace,
  commands: readonly Shell[],
  { attempting, options = {}, assumed }: RbdQuestion<T>,
  signal: AbortSignal,
  key = "",
): Promise<string> {
  const connection = await pool.get(host.address, signal);
  try {
    const { stdout } = await connection.run(script(...commands), {
      attempting,
      stdin: key + readProgram(),
      timeoutMs: scriptTimeoutMs,
      assumed: JSON.stringify({ answer: assumed }),
      signal,
      ...options,
    });
    return stdout;
  } catch (error) {
    throw nameFault(error, host, place, attempting);
  }
}

/** All images of a pool that could be ours, with their marks. */
export async function listMarked(
  pool: HostPool,
  host: ComputeHost,
  place: RbdPlace,
  signal: AbortSignal,
): Promise<z.infer<(typeof answers)["marked"]>> {
  const request = {
    ...describeClient(host, place),
    do: "list_marked",
    suffix: partSuffix(host),
    key: metaKey,
  };
  const question = {
    attempting: "list volumes",
    answer: answers.marked,
    options: { readOnly: true },
    assumed: [],
    onRefusal: refuseUnknown,
  };
  const commands = [sh`${python} - ${JSON.stringify(request)}`];
  return readAnswer(await run(pool, host, place, commands, question, signal), question);
}

function refuseUnknown(): never {
  throw new StackyardError("command-failed", {
    message: "A host answered in an unknown way what was asked of RBD images",
  });
}

/** The command of a job that has the program do its work. It answers in the job's log, and reads the line of {@link packKeyFor}. */
export function jobCommand(
  host: ComputeHost,
  volume: VolumeRef & { readonly place: RbdPlace },
  work: RbdWork,
): Shell {
  const run = sh`printf '%s' ${readProgram()} | ${python} - ${render(host, volume, work)}`;
  if (!("luks" in work)) return script(run);
  return script(sh`IFS= read -r key
printf '%s' "$key" | { exec 3<&0; ${run}; }`);
}

/** An image of the place's pool, among many. */
export interface RbdLook {
  readonly host: ComputeHost;
  readonly volume: VolumeRef & { readonly place: RbdPlace };
}

/** What a look at many images may add to the time of a scan, seconds. */
export const lookSeconds = 60;

/** Looks at many images, of several clusters too, without the host's locks: an image has its name when it is whole. Read by {@link readLooks}. */
export function observeImages(looks: readonly RbdLook[]): Shell {
  const clients = groupByClient(looks).map(({ confFile, user, looks: its }) => ({
    conf: confFile,
    user,
    images: its.map(({ host, volume }) => [volume.place.pool, nameImage(volume), markOf(host, volume.id)]),
  }));
  const request = JSON.stringify({
    do: "observe_all",
    seconds: stepSeconds,
    key: metaKey,
    pool: "",
    clients,
  });
  return sh`printf '%s' ${request} | ${python} -c ${readProgram()} -`;
}

/** What {@link observeImages} found, in the order of the looks: what each alone would be answered, or would raise. */
export function readLooks<T>(
  output: string,
  looks: readonly RbdLook[],
  describe: (image: z.infer<(typeof answers)["image"]>, look: RbdLook) => T,
  onRefusal: (refusal: RbdRefusal, look: RbdLook) => never,
): readonly Answer<T>[] {
  const attempting = "look at volumes";
  const said = readAnswer(output, { attempting, answer: z.array(saidSchema), onRefusal: refuseUnknown });
  const found = new Map(
    groupByClient(looks)
      .flatMap(({ looks: its }) => its)
      .map((look, index) => [look, said[index]]),
  );
  return looks.map((look) =>
    answerWith({ value: found.get(look) }, (its) => {
      if (its === undefined) return refuseUnknown();
      if ("refused" in its) return onRefusal(its.refused, look);
      if (!("failed" in its)) return describe(its.answer, look);
      const { host, volume } = look;
      throw toError(its.failed, host, volume.place, `look at volume ${volume.id}`);
    }),
  );
}

function groupByClient(looks: readonly RbdLook[]) {
  const groups = new Map<string, CephClient & { readonly looks: RbdLook[] }>();
  for (const look of looks) {
    const client = clientOf(look.host, look.volume.place);
    const key = JSON.stringify(client);
    const group = groups.get(key) ?? { ...client, looks: [] };
    group.looks.push(look);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** What the program answered, be it in a job's log. Raises what `onRefusal` does. */
export function readAnswer<T>(
  output: string,
  {
    attempting,
    answer,
    onRefusal,
  }: Pick<RbdQuestion<T>, "attempting" | "answer"> & { readonly onRefusal: (refusal: RbdRefusal) => never },
): T {
  const line = /^\{"(?:answer|refused)":.*\}$/m.exec(output)?.[0];
  try {
    const said = z
      .union([z.object({ answer }), z.object({ refused: refusalSchema })])
      .parse(JSON.parse(line ?? ""));
    if (!("refused" in said)) return said.answer;
    return onRefusal(said.refused);
  } catch (cause) {
    if (cause instanceof StackyardError) throw cause;
    const message = `Could not ${attempting}: a host answered in words that cannot be read`;
    throw new StackyardError("command-failed", { message, cause, notes: [output] });
  }
}

export function markFor(host: ComputeHost, id: string): Mark {
  return { key: metaKey, value: markOf(host, id) };
}

function describeClient(host: ComputeHost, place: RbdPlace) {
  const { confFile, user } = clientOf(host, place);
  return { conf: confFile, user, pool: place.pool, seconds: stepSeconds };
}

function render(host: ComputeHost, volume: VolumeRef & { readonly place: RbdPlace }, work: RbdWork): string {
  const name = nameImage(volume);
  return JSON.stringify({
    ...describeClient(host, volume.place),
    name,
    part: name + partSuffix(host),
    mark: markFor(host, volume.id),
    ...work,
  });
}

/** Linux: `asm-generic/errno.h`. */
const errno = {
  perm: 1,
  noEntry: 2,
  access: 13,
  busy: 16,
  noSpace: 28,
  notSupported: 95,
  timedOut: 110,
  overQuota: 122,
};
/** Of a connection without what the client needs: its settings, its key, and so a way to prove who it is. */
const noClient: readonly number[] = [errno.noEntry, errno.notSupported];

/**
 * A failed command by what the program said: as `ceph-refused`, `ceph-unreachable`, `not-found` (the pool), `in-use`, `host-disk-full`,
 * `host-unsuitable` (no Python, or no modules of Ceph for it); else as it is.
 */
export function nameFault(error: unknown, host: ComputeHost, place: RbdPlace, attempting: string): unknown {
  if (!hasCode(error, "command-failed")) return error;
  const text = error.notes.join("\n");
  if (/no bindings of Ceph for Python|python3: (No such file|not found)/.test(text))
    return new StackyardError("host-unsuitable", {
      message: `Could not ${attempting}: host ${host.name} has no python3-rbd`,
      remedy: "Install ceph-common, and python3-rbd where that does not bring it, on the host.",
      notes: error.notes,
    });
  const line = /^\{"failed":.*\}$/m.exec(text)?.[0];
  if (line === undefined) return error;
  try {
    return toError(failureSchema.parse(JSON.parse(line)).failed, host, place, attempting);
  } catch {
    return error;
  }
}

function toError(failed: Failure, host: ComputeHost, place: RbdPlace, attempting: string): StackyardError {
  const [code, meaning] = explain(failed, host, place);
  return new StackyardError(code, {
    message: `Could not ${attempting}: ${meaning}`,
    notes: [failed.text],
    ...(code === "host-disk-full"
      ? { remedy: "Free space in the pool, raise its quota, or add disks to the cluster." }
      : {}),
  });
}

function explain(
  { step, about, errno: number, text, reason }: Failure,
  host: ComputeHost,
  place: RbdPlace,
): readonly [
  "ceph-refused" | "ceph-unreachable" | "not-found" | "in-use" | "host-disk-full" | "command-failed",
  string,
] {
  const { confFile, user } = clientOf(host, place);
  const cluster = `the Ceph cluster of ${confFile}`;
  const pool = step === "pool" ? about : place.pool;
  const isDenied = number === errno.perm || number === errno.access;
  if (isDenied || (step === "connect" && noClient.includes(number)))
    return ["ceph-refused", `${cluster} refuses user ${user} in pool ${pool}`];
  if (step === "connect") return ["ceph-unreachable", `no monitor of ${cluster} answers`];
  const full = ["host-disk-full", `pool ${pool} of ${cluster} is full`] as const;
  if (reason === "full") return full;
  if (reason === "storage")
    return ["ceph-unreachable", `the storage daemons of ${cluster} did not answer in time`];
  if (step === "limit" || number === errno.timedOut)
    return ["ceph-unreachable", `${cluster} did not answer in time`];
  if (step === "pool" && number === errno.noEntry) return ["not-found", `${cluster} has no pool ${pool}`];
  if (number === errno.busy) return ["in-use", "the image is open, or others lie on it"];
  if (number === errno.noSpace || number === errno.overQuota) return full;
  return ["command-failed", text];
}
