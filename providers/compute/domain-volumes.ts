import { StackyardError } from "../core/errors.ts";
import type { ResourceId } from "../core/ids.ts";
import type { ComputeHost, DomainsPort } from "../core/ports.ts";
import type { AttachedVolume } from "../core/volume-backend.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import { reachFunctions } from "./ceph-reach.ts";
import { nameSource, renderVolumeDisk } from "./disk-xml.ts";
import { enterServerFolder, refuseAs, requireDomain, scriptTimeoutMs } from "./domain-script.ts";
import type { RunOnServer } from "./domain-script.ts";

/** Last words of a script that goes no further. */
const refusals = ["device", "held", "no-disk"] as const;
type Refusal = (typeof refusals)[number];

/** Between two requests to a guest to let go of a disk: it may not have heard the first (nova: `device_detach_timeout` 20). */
const detachRetryMs = 5_000;

/** Volumes of servers, by `virsh`. A disk is known by its serial, the volume's id. */
export function openDomainVolumes(
  run: RunOnServer,
): Pick<DomainsPort, "attachVolume" | "detachVolume" | "resizeVolume"> {
  return {
    async attachVolume(host, id, attached, signal) {
      const xml = Buffer.from(renderVolumeDisk(host, attached));
      const body = script(
        requireDomain,
        diskFunctions,
        reachFunctions,
        enterServerFolder(host, id),
        receiveVolume(attached, xml),
        attachVolume(host, attached),
      );
      const output = await run(host, id, "attach a volume to server", body, signal, {
        stdin: xml,
        look: lookWithDisks,
      });
      throwIfRefused(output, host, id, attached.volume.id, attached.device);
    },
    async detachVolume(host, id, volumeId, limitMs, signal) {
      const body = script(
        sh`[ "$state" != absent ] || exit 0`,
        diskFunctions,
        detachVolume(volumeId, limitMs),
      );
      const output = await run(host, id, "detach a volume from server", body, signal, {
        timeoutMs: limitMs + scriptTimeoutMs,
        look: lookWithDisks,
      });
      throwIfRefused(output, host, id, volumeId, undefined);
    },
    async resizeVolume(host, id, volumeId, sizeBytes, signal) {
      const body = script(requireDomain, diskFunctions, resizeDisk(id, volumeId, sizeBytes));
      const output = await run(host, id, "tell a new size of a disk to server", body, signal);
      throwIfRefused(output, host, id, volumeId, undefined);
    },
  };
}

/**
 * `list_disks` prints `TARGET SERIAL ALIAS DEVICE SOURCE` of each disk that the domain has, or with `--inactive` is to have; `-` where there is none.
 * `read_disks` does so of XML. `pick` gives a column of that list, by serial. libvirt writes an element a line, and gives no other element in a disk these
 * names but the sources that lie below its own. `is_kept`: whether libvirt keeps the domain when it stops.
 */
export const diskFunctions: Shell = sh`list_disks() {
  xml=$(libvirt dumpxml "$name" "$@") || return
  printf '%s\n' "$xml" | read_disks
}
read_disks() {
  awk -F "'" '
    /^ *<disk / { target = serial = alias = source = "-"; device = /device=.cdrom/ ? "cdrom" : "disk" }
    /^ *<source / && source == "-" { source = /protocol=/ ? $2 " " $4 : $2 }
    /^ *<target dev=/ { target = $2 }
    /^ *<serial>/ { serial = $0; gsub(/^ *<serial>|<[/]serial>.*/, "", serial) }
    /^ *<alias name=/ { alias = $2 }
    /^ *<[/]disk>/ { print target, serial, alias, device, source }'
}
pick() { printf '%s\n' "$1" | awk -v serial="$2" -v column="$3" '$2 == serial { print $column }'; }
is_kept() { [ ! -d /etc/libvirt/qemu ] || [ -e "/etc/libvirt/qemu/$name.xml" ]; }
# How a list stands to a volume SERIAL at TARGET from SOURCE: it is there, its device is taken, or it is missing.
stands() {
  stand=$(printf '%s\n' "$1" | serial=$2 target=$3 source=$4 awk '
    { its = $0; sub(/^[^ ]+ [^ ]+ [^ ]+ [^ ]+ /, "", its) }
    $2 == ENVIRON["serial"] || its == ENVIRON["source"] { there = 1 }
    $1 == ENVIRON["target"] { taken = 1 }
    END { print there ? "there" : taken ? "taken" : "missing" }')
}`;

const lookWithDisks = sh`look_for_domain --disks`;

function nameFile({ volume }: AttachedVolume): string {
  return `volume-${volume.id}.xml`;
}

/** Takes the `<disk>` of a volume from standard input, in the server's folder. */
function receiveVolume(attached: AttachedVolume, xml: Buffer): Shell {
  const file = nameFile(attached);
  return sh`receive ${xml.length} ${file}
is_whole ${xml.length} ${file}`;
}

/** Both at once where both lack it: libvirt keeps a definition only when the guest has the disk. */
function attachVolume(host: ComputeHost, attached: AttachedVolume): Shell {
  const { volume, device } = attached;
  const wanted = sh`${volume.id} ${device} ${nameSource(host, volume)}`;
  const refused = refuse("device");
  const reach = volume.place.backend === "rbd" ? sh`start_reaching ${nameFile(attached)}` : sh`:`;
  return sh`set --
if is_on; then
  ${reach}
  disks=$(section 1 | read_disks)
  stands "$disks" ${wanted}
  case $stand in (taken) ${refused} ;; (missing) set -- --live ;; esac
fi
if is_kept; then
  disks=$(section 2 | read_disks)
  stands "$disks" ${wanted}
  case $stand in (taken) ${refused} ;; (missing) set -- "$@" --config ;; esac
fi
require_reached
[ $# -eq 0 ] || libvirt attach-device "$name" ${nameFile(attached)} "$@" > /dev/null
rm ${nameFile(attached)}`;
}

/** The volumes of a build, as it sends them. */
export interface SentVolumes {
  readonly stdin: readonly Buffer[];
  /** Takes them from standard input, in the server's folder. */
  readonly receive: Shell;
  /** Before the domain is defined. */
  readonly prepare: Shell;
  /** Gives a guest that has been on those that it lacks. What somebody attached stays, and so does a volume whose device that took. */
  readonly attach: Shell;
}

/** Volumes that a build gives to a guest which is on: one that it starts has them from its definition. */
export function sendVolumes(host: ComputeHost, volumes: readonly AttachedVolume[]): SentVolumes {
  if (volumes.length === 0) return { stdin: [], receive: sh`:`, prepare: sh`:`, attach: sh`:` };
  const sent = volumes.map((attached) => ({ attached, xml: Buffer.from(renderVolumeDisk(host, attached)) }));
  const attach = sent.map(
    ({
      attached,
    }) => sh`stands "$disks" ${attached.volume.id} ${attached.device} ${nameSource(host, attached.volume)}
[ "$stand" != missing ] || libvirt attach-device "$name" ${nameFile(attached)} --live > /dev/null`,
  );
  return {
    stdin: sent.map(({ xml }) => xml),
    receive: join(sent.map(({ attached, xml }) => receiveVolume(attached, xml))),
    prepare: sh`${diskFunctions}
was_on=no
! is_on || was_on=yes`,
    attach: sh`if [ "$was_on" = yes ] && is_on; then
disks=$(list_disks)
${join(attach)}
fi
rm ${volumes.map(nameFile)}`,
  };
}

function join(commands: readonly Shell[]): Shell {
  return commands.reduce(
    (all, command) => sh`${all}
${command}`,
  );
}

/**
 * The guest is asked, again and again as nova does (nova: `virt/libvirt/driver.py`, `_detach_with_retry`), until its process has no such disk; only then
 * the definition loses it, so that a guest which keeps it has nothing to be given back. A request that the guest did not answer stays with QEMU, which
 * refuses another one: it is taken for heard. A reboot lets go of the disk then, too.
 */
function detachVolume(volumeId: ResourceId, limitMs: number): Shell {
  return sh`serial=${volumeId} limit=${limitMs} retry=${detachRetryMs} ask=0 said=
now_ms() { date +%s%3N; }
end=$(($(now_ms) + limit))
while is_on; do
  disks=$(section 1 | read_disks)
  alias=$(pick "$disks" "$serial" 3)
  [ -n "$alias" ] || break
  now=$(now_ms)
  if [ "$now" -ge "$ask" ]; then
    said=$(libvirt detach-device-alias "$name" "$alias" --live 2>&1) || true
    ask=$((now + retry))
  fi
  [ "$now" -lt "$end" ] || { printf '%s\n' "$said"; ${refuse("held")}; }
  sleep 0.1
  ${lookWithDisks}
  [ "$state" != absent ] || exit 0
done
# One without a definition went with its process.
is_on || ${lookWithDisks}
if [ "$state" != absent ] && is_kept; then
  disks=$(section 2 | read_disks)
  target=$(pick "$disks" "$serial" 1)
  [ -z "$target" ] || libvirt detach-disk "$name" "$target" --config > /dev/null
fi`;
}

/** Never smaller: `blockresize` would cut data off. A root disk that is a file has no serial. */
function resizeDisk(id: ResourceId, volumeId: ResourceId, sizeBytes: number): Shell {
  const rootToo = sh`[ -n "$target" ] || target=$(printf '%s\n' "$disks" | awk '$2 == "-" && $4 == "disk" { print $1; exit }')`;
  return sh`size=${sizeBytes}
is_on || exit 0
disks=$(list_disks)
target=$(pick "$disks" ${volumeId} 1)
${id === volumeId ? rootToo : sh`:`}
[ -n "$target" ] || ${refuse("no-disk")}
has=$(libvirt domblkinfo "$name" "$target" | sed -n 's/^Capacity: *//p')
[ "$has" -ge "$size" ] || libvirt blockresize "$name" "$target" "$size"B > /dev/null`;
}

function refuse(refusal: Refusal): Shell {
  return refuseAs(refusal);
}

function throwIfRefused(
  stdout: string,
  host: ComputeHost,
  id: ResourceId,
  volumeId: ResourceId,
  device: string | undefined,
): void {
  const lines = stdout.trim().split("\n");
  const where = `server ${id} on host ${host.name}`;
  switch (refusals.find((refusal) => lines.at(-1) === `refused ${refusal}`)) {
    case "device":
      throw new StackyardError("conflict", {
        message: `Cannot attach volume ${volumeId}: another disk of ${where} is ${device ?? "there"}`,
        field: "device",
        value: device,
        remedy: "Choose another device, or detach that disk.",
      });
    case "held":
      throw new StackyardError("in-use", {
        message: `Cannot detach volume ${volumeId}: the guest of ${where} does not let go of it`,
        notes: lines.slice(0, -1).filter((line) => line !== ""),
        remedy:
          "Unmount it in the guest and run again, or stop the server first. A guest that was busy may still let go of it later.",
      });
    case "no-disk":
      throw new StackyardError("not-found", {
        message: `There is no disk of volume ${volumeId} in ${where}`,
        remedy: "Attach the volume first.",
      });
    case undefined:
  }
}
