import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { describeSize } from "../core/bytes.ts";
import { StackyardError } from "../core/errors.ts";
import type { ResourceId } from "../core/ids.ts";
import type { ComputeHost, DomainsPort } from "../core/ports.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import { interruption } from "../hosts/connection.ts";
import type { HostConnection, Listening } from "../hosts/connection.ts";
import type { HostPool } from "../hosts/pool.ts";
import { defineFunctions, enterServerFolder, requireDomain, scriptTimeoutMs } from "./domain-script.ts";
import type { RunOnServer } from "./domain-script.ts";
import { configDriveFile, consoleFile, lastRebootFile, serverFolder } from "./layout.ts";
import { nameDomain } from "./marks.ts";

/** Between two looks at how far a guest has come. */
const pollMs = 1_000;
/** Most of a console that goes along: 1 MiB, as much as is ever read. */
const maxConsoleBytes = 1_048_576;

/** Moves guests that are on, by the libvirt of both hosts. */
export function openMigration(
  pool: HostPool,
  run: RunOnServer,
): Pick<DomainsPort, "copyFiles" | "migrate" | "abortMigration"> {
  return {
    async copyFiles(source, target, id, signal) {
      const packed = await run(source, id, "read the files of server", packFiles(source, id), signal);
      const [drive = "", digest = "", said = ""] = packed.split("\n");
      const files = [
        ["config-drive.part", Buffer.from(drive, "base64")],
        ["config-drive.sha256", Buffer.from(digest, "base64")],
        ["console.log", Buffer.from(said, "base64")],
      ] as const;
      const body = script(
        sh`if [ "$state" != absent ]; then echo taken; exit; fi`,
        enterServerFolder(target, id),
        ...files.map(([name, content]) => sh`receive ${content.length} ${name}`),
        ...files.map(([name, content]) => sh`is_whole ${content.length} ${name}`),
        sh`mv config-drive.part config-drive.iso`,
      );
      const stdin = Buffer.concat(files.map(([, content]) => content));
      const answer = await run(target, id, "bring the files of server", body, signal, { stdin });
      if (answer.trim() === "taken")
        throw new StackyardError("conflict", {
          message: `Host ${target.name} has a domain of server ${id} that is left over`,
          field: "host",
          value: target.name,
          remedy: "Look at it and remove it: stackyard gc.",
        });
    },
    async migrate(source, target, id, limitMs, progress, signal) {
      const [from, to] = await Promise.all([
        pool.get(source.address, signal),
        pool.get(target.address, signal),
      ]);
      const sockets = await openSockets(from, to, id, signal);
      const ended = new AbortController();
      try {
        const moving = run(source, id, "migrate server", migrateGuest(source, id), never, {
          timeoutMs: limitMs + scriptTimeoutMs,
        }).finally(() => ended.abort());
        const [move, watch] = await Promise.allSettled([
          moving,
          watchJob(from, source, id, limitMs, progress, signal, ended.signal),
        ]);
        if (move.status === "fulfilled") {
          if (move.value.trim() === "autostart")
            await run(target, id, "keep the autostart of server", keepAutostart, signal);
          return;
        }
        throw (watch.status === "fulfilled" ? watch.value : undefined) ?? move.reason;
      } finally {
        await sockets.close();
      }
    },
    async abortMigration(host, id, signal) {
      const connection = await pool.get(host.address, signal);
      await abortJob(connection, host, id);
    },
  };
}

/** What has begun is brought to its end: by an abort of its job, never by the end of a command. */
const never = new AbortController().signal;

/** Prints drive, its digest, and what counts of the console, a line of base64 each: that of a guest which rebooted since, not what was before. */
function packFiles(host: ComputeHost, id: ResourceId): Shell {
  const drive = configDriveFile(host.folder, id);
  return script(
    requireDomain,
    sh`base64 -w 0 -- ${drive}
echo
base64 -w 0 -- ${`${serverFolder(host.folder, id)}/config-drive.sha256`}
echo
process= bytes=0
{ read -r process bytes < ${lastRebootFile(host.folder, id)}; } 2> /dev/null || true
is_on || true
[ "$process" = "$pid" ] || bytes=0
[ ! -e ${consoleFile(host.folder, id)} ] || tail -c "+$((bytes + 1))" -- ${consoleFile(host.folder, id)} | tail -c ${maxConsoleBytes} | base64 -w 0
echo`,
  );
}

/** Where the sockets of a move are: the same on both hosts, as libvirt wants it. */
function socketFolder(id: ResourceId): string {
  return `/run/libvirt/${nameDomain(id)}-move`;
}

/** The target's libvirt, as the source sees it. */
function controlSocket(id: ResourceId): string {
  return `${socketFolder(id)}/libvirt`;
}

/** What memory goes through. AppArmor lets QEMU make a socket of such a name (libvirt: `src/security/virt-aa-helper.c`). */
function memorySocket(id: ResourceId): string {
  return `${socketFolder(id)}/m.tunnelmigrate.dest.${nameDomain(id)}`;
}

/**
 * Relays two sockets of the source to the target through our own connections: that of the target's libvirt, and that at which the target's QEMU waits
 * for memory. No host needs a login on another, and nothing listens on a network.
 */
async function openSockets(
  from: HostConnection,
  to: HostConnection,
  id: ResourceId,
  signal: AbortSignal,
): Promise<Listening> {
  const listening: Listening[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(listening.map((socket) => socket.close()));
    await Promise.allSettled(
      [from, to].map((connection) =>
        connection.run(sh`rm -rf -- ${socketFolder(id)}`, { attempting: "remove the sockets of a move" }),
      ),
    );
  };
  try {
    const made = { attempting: "make room for the sockets of a move", signal };
    const [, found] = await Promise.all([
      from.run(makeSocketFolder(id), made),
      to.run(script(makeSocketFolder(id), findLibvirt), made),
    ]);
    const libvirt = found.stdout.trim();
    listening.push(
      await from.listenAt(controlSocket(id), (socket) => relay(socket, to.openSocket(libvirt))),
      await from.listenAt(memorySocket(id), (socket) => relay(socket, to.openSocket(memorySocket(id)))),
    );
    await from.run(
      sh`chown --reference=${socketFolder(id)} -- ${controlSocket(id)} ${memorySocket(id)}`,
      made,
    );
    return { close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** For the user that QEMU runs as, and nobody else. */
function makeSocketFolder(id: ResourceId): Shell {
  return sh`set -eu
owner=$(virsh -q -c qemu:///system capabilities < /dev/null | sed -n '/<model>dac</,/<[/]secmodel>/ s/.*<baselabel type=.[a-z]*.>+\([0-9]*\):+\([0-9]*\)<.*/\1:\2/p' | head -n 1)
rm -rf -- ${socketFolder(id)}
mkdir -m 700 -- ${socketFolder(id)}
chown "$owner:0" -- ${socketFolder(id)} 2> /dev/null || chown "$owner" -- ${socketFolder(id)}`;
}

/** One daemon for all of libvirt, or one for QEMU. */
const findLibvirt = sh`for socket in virtqemud-sock libvirt-sock; do
  if [ -S "/run/libvirt/$socket" ]; then echo "/run/libvirt/$socket"; exit; fi
done
echo 'libvirt has no socket in /run/libvirt' >&2
exit 1`;

/** Until both sides have ended, or one has failed: then the other ends too, and whoever uses it tells. */
function relay(near: Duplex, opening: Promise<Duplex>): void {
  opening.then(
    (far) => {
      void Promise.all([pipeline(near, far), pipeline(far, near)]).catch(() => {
        near.destroy();
        far.destroy();
      });
    },
    () => near.destroy(),
  );
}

/**
 * The source's libvirt talks to the target's. Its console goes on where it was: what the guest said before is there already, and would be cut off by
 * the file being opened anew. The kept definition stays as it is. A source that loses its power meanwhile starts nothing that may have moved by then. Prints
 * `autostart` where the target is to keep it.
 */
function migrateGuest(host: ComputeHost, id: ResourceId): Shell {
  const xml = `${serverFolder(host.folder, id)}/moving.xml`;
  return script(
    requireDomain,
    sh`umask 077
kept=
if [ -L "/etc/libvirt/qemu/autostart/$name.xml" ]; then
  kept=yes
  libvirt "autostart $name --disable" > /dev/null
fi
libvirt dumpxml --migratable "$name" | sed "/<log file=/s/append='off'/append='on'/" > ${xml}
code=0
libvirt migrate --live --persistent --undefinesource --xml ${xml} "$name" ${`qemu+unix:///system?socket=${controlSocket(id)}`} ${`unix://${memorySocket(id)}`} > /dev/null || code=$?
rm -f -- ${xml}
if [ "$code" -ne 0 ]; then
  [ -z "$kept" ] || libvirt "autostart $name" > /dev/null
  exit "$code"
fi
[ -z "$kept" ] || echo autostart`,
  );
}

/** libvirt does not take it along. */
const keepAutostart = script(requireDomain, sh`libvirt "autostart $name" > /dev/null`);

/** Tells how far the move is, and ends it when it is too late or given up. Returns why it was ended. */
async function watchJob(
  connection: HostConnection,
  host: ComputeHost,
  id: ResourceId,
  limitMs: number,
  progress: (line: string) => void,
  signal: AbortSignal,
  ended: AbortSignal,
): Promise<StackyardError | undefined> {
  const deadline = performance.now() + limitMs;
  let why: StackyardError | undefined;
  for (;;) {
    // Whatever ends the pause, the next look is due.
    const pause = why === undefined ? AbortSignal.any([signal, ended]) : ended;
    await sleep(pollMs, undefined, { signal: pause }).catch(() => undefined);
    if (ended.aborted) return why;
    if (signal.aborted) why ??= interruption(host.address, `migrate server ${id}`);
    else if (performance.now() > deadline)
      why ??= new StackyardError("command-timeout", {
        message: `Server ${id} did not get from host ${host.name} to another within ${String(limitMs / 1000)} s: it goes on where it was`,
        remedy: "Try again when its guest writes less to its memory, or give it more time.",
      });
    if (why === undefined) {
      const line = await describeJob(connection, host, id);
      if (line !== undefined) progress(line);
    } else await abortJob(connection, host, id);
  }
}

async function describeJob(
  connection: HostConnection,
  host: ComputeHost,
  id: ResourceId,
): Promise<string | undefined> {
  const { stdout } = await connection.run(
    script(defineFunctions(host, id), sh`libvirt "domjobinfo $name --rawstats"`),
    { attempting: `see how far server ${id} is`, allowFailure: true, readOnly: true },
  );
  const read = (name: string): number | undefined => {
    const [, digits] = new RegExp(`^${name}: (\\d+)$`, "m").exec(stdout.replaceAll(/[ \t]+/g, " ")) ?? [];
    return digits === undefined ? undefined : Number(digits);
  };
  const [done, left] = [read("memory_processed"), read("memory_remaining")];
  return done === undefined || left === undefined
    ? undefined
    : `moved ${describeSize(done)} of memory, ${describeSize(left)} left`;
}

/** Where there is no job, there is nothing to end. */
async function abortJob(connection: HostConnection, host: ComputeHost, id: ResourceId): Promise<void> {
  await connection.run(
    script(defineFunctions(host, id), sh`libvirt "domjobabort $name" > /dev/null 2>&1 || true`),
    { attempting: `end the move of server ${id}` },
  );
}
