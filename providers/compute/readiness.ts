import { stripVTControlCharacters } from "node:util";
import { StackyardError } from "../core/errors.ts";
import type { ResourceId } from "../core/ids.ts";
import { readinessRungs } from "../core/ports.ts";
import type { ComputeHost, ReadinessRequest, ReadinessRung } from "../core/ports.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import type { HostConnection } from "../hosts/connection.ts";
import type { HostPool } from "../hosts/pool.ts";
import { processFunctions } from "./domain-process.ts";
import { consoleFile, lastRebootFile } from "./layout.ts";
import { nameDhcpPort, nameDomain, nameNamespace } from "./marks.ts";

/** Longest that one script waits on a host, so that a wait can be given up between two. */
const maxWatchMs = 5_000;
/** Lines of the console that an error carries. */
const consoleTailLines = 20;
/** Most of a console that is read: 1 MiB. */
const maxConsoleBytes = 1_048_576;

/** How a watch on the host ended. */
type Sighting = "reached" | "waiting" | "stopped" | "no-namespace";

/**
 * Waits up the ladder: the domain runs, its address answers, its SSH server greets, its first boot is done. Each rung has its own limit. The
 * watching is done by scripts on the host, so that a rung is seen within a fraction of a second without a round trip a look.
 *
 * Raises `not-ready` with the rung, the time and the console's tail, at once when the domain stops while it is waited for.
 */
export async function waitReady(
  pool: HostPool,
  host: ComputeHost,
  id: ResourceId,
  request: ReadinessRequest,
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const connection = await pool.get(host.address, signal);
  const wanted = readinessRungs.slice(0, readinessRungs.indexOf(request.until) + 1);
  for (const rung of wanted) {
    const look = lookFor(rung, host, id, request.address);
    if (look === undefined) continue;
    const startedAt = performance.now();
    progress(`waiting for ${describeRung(rung)}`);
    for (;;) {
      const elapsedMs = performance.now() - startedAt;
      const leftMs = request.limitsMs[rung] - elapsedMs;
      if (leftMs <= 0) throw await notReady(connection, host, id, rung, elapsedMs, "did not come in time");
      const sighting = await watch(connection, id, look, Math.min(leftMs, maxWatchMs), signal);
      if (sighting === "reached") break;
      if (sighting === "no-namespace") {
        const why = "cannot be looked for: the network has no DHCP server on the host";
        throw await notReady(connection, host, id, rung, performance.now() - startedAt, why);
      }
      if (sighting === "stopped") {
        const why = await describeStop(connection, id, signal);
        throw await notReady(connection, host, id, rung, performance.now() - startedAt, why);
      }
    }
  }
}

function describeRung(rung: ReadinessRung): string {
  switch (rung) {
    case "running":
      return "the domain to run";
    case "address":
      return "the guest to answer at its address";
    case "ssh":
      return "the guest's SSH server";
    case "cloud-init":
      return "the guest's first boot to finish";
  }
}

/** A command that succeeds once the rung is reached; `undefined` for one that cannot be looked for without a port. */
function lookFor(
  rung: ReadinessRung,
  host: ComputeHost,
  id: ResourceId,
  at: ReadinessRequest["address"],
): Shell | undefined {
  switch (rung) {
    case "running":
      return sh`is_on && ! is_paused`;
    case "address":
      return at === undefined
        ? undefined
        : sh`in_network ${nameNamespace(at.networkId)} && answers ${at.address} ${nameNamespace(at.networkId)} ${nameDhcpPort(at.networkId)}`;
    case "ssh":
      return at === undefined
        ? undefined
        : sh`in_network ${nameNamespace(at.networkId)} && greets ${at.address} ${nameNamespace(at.networkId)}`;
    case "cloud-init":
      return sh`is_on && has_booted ${consoleFile(host.folder, id)} ${lastRebootFile(host.folder, id)}`;
  }
}

async function watch(
  connection: HostConnection,
  id: ResourceId,
  look: Shell,
  limitMs: number,
  signal: AbortSignal,
): Promise<Sighting> {
  const body = sh`name=${nameDomain(id)}
${processFunctions}
knock() { nsenter "--net=/run/netns/$2" timeout 0.5 bash -c 'exec 3<> "/dev/tcp/$1/22" && IFS= read -r -t 0.4 line <&3 && printf "%s" "$line"' _ "$1" 2> /dev/null; }
in_network() { [ -e "/run/netns/$1" ] || { echo no-namespace; exit; }; }
# A refused connection answers too: what counts is that someone holds the address, now and not in the kernel's memory.
answers() {
  ip -n "$2" neigh flush to "$1" dev "$3"
  knock "$1" "$2" > /dev/null && return 0
  case $(ip -n "$2" neigh show to "$1" dev "$3") in *REACHABLE*) ;; *) return 1 ;; esac
}
greets() { case $(knock "$1" "$2") in SSH-*) ;; *) return 1 ;; esac; }
# A console goes on over reboots of the same process: what was there before the last one does not count.
has_booted() {
  process= bytes=0
  { read -r process bytes < "$2"; } 2> /dev/null || true
  [ "$process" = "$pid" ] || bytes=0
  tail -c "+$((bytes + 1))" -- "$1" | grep -aqE 'Cloud-init v\. .* finished at|STACKYARD-GUEST ready'
}
limit=${Math.ceil(limitMs)} end=
while :; do
  if ${look}; then echo reached; exit; fi
  is_on || { echo stopped; exit; }
  now=$(($(date +%s%N) / 1000000))
  [ -n "$end" ] || end=$((now + limit))
  [ "$now" -lt "$end" ] || { echo waiting; exit; }
  sleep 0.1
done`;
  const result = await connection.run(script(body), {
    attempting: `wait for server ${id}`,
    timeoutMs: limitMs + 30_000,
    assumed: "reached",
    signal,
  });
  return parseSighting(result.stdout.trim());
}

function parseSighting(text: string): Sighting {
  if (text === "reached" || text === "waiting" || text === "stopped" || text === "no-namespace") {
    return text;
  }
  throw new StackyardError("command-failed", {
    message: `A host answered ${JSON.stringify(text)} when it was asked to wait for a server`,
  });
}

/** Why the domain does not run, in libvirt's words: `shut off (crashed)`. */
async function describeStop(
  connection: HostConnection,
  id: ResourceId,
  signal: AbortSignal,
): Promise<string> {
  const result = await connection.run(sh`virsh -q -c qemu:///system domstate --reason ${id} < /dev/null`, {
    attempting: `ask for the state of server ${id}`,
    signal,
    allowFailure: true,
  });
  const state = result.stdout.trim();
  return result.exitCode === 0
    ? `cannot come: the domain is ${state}`
    : "cannot come: libvirt has no such domain";
}

async function notReady(
  connection: HostConnection,
  host: ComputeHost,
  id: ResourceId,
  rung: ReadinessRung,
  elapsedMs: number,
  why: string,
): Promise<StackyardError> {
  const tail = await readConsole(connection, host, id, consoleTailLines, new AbortController().signal);
  return new StackyardError("not-ready", {
    message: `Server ${id} on host ${host.name}: ${describeRung(rung)} ${why} (${(elapsedMs / 1000).toFixed(1)} s)`,
    field: "ready",
    value: rung,
    notes: [tail === "" ? "The console is empty." : `Last lines of the console:\n${tail}`],
  });
}

/** Last lines of a server's serial console; empty before its first start. Control characters are taken out: a guest wrote them. */
export async function readConsole(
  connection: HostConnection,
  host: ComputeHost,
  id: ResourceId,
  lines: number,
  signal: AbortSignal,
): Promise<string> {
  const path = consoleFile(host.folder, id);
  const result = await connection.run(
    sh`[ ! -e ${path} ] || tail -c ${maxConsoleBytes} -- ${path} | tail -n ${lines}`,
    {
      attempting: `read the console of server ${id}`,
      signal,
    },
  );
  return stripVTControlCharacters(result.stdout).replaceAll(/[^\P{Cc}\n\t]/gu, "");
}
