import type { Adoption, AdoptionPort } from "../core/adoption.ts";
import { diskReserveBytes } from "../core/bytes.ts";
import { StackyardError } from "../core/errors.ts";
import type { ResourceId } from "../core/ids.ts";
import type { ComputeHost } from "../core/ports.ts";
import { script, sh, type Shell } from "../hosts/command.ts";
import { cleanJob, startJob, waitForJob, type Job } from "../hosts/job.ts";
import type { HostPool } from "../hosts/pool.ts";
import {
  defineFunctions,
  enterServerFolder,
  lockServer,
  refuseAs,
  scriptTimeoutMs,
} from "./domain-script.ts";
import { stopDomain, undefineDomain } from "./domains.ts";
import { digestDefinition, lookAtForeign } from "./foreign-domain.ts";
import { imageSeconds } from "./foreign-file.ts";
import { serverFolder } from "./layout.ts";

/** Longest that the copy of a disk may take. */
const copyTimeoutMs = 24 * 3_600_000;

/** Last words of a script that goes no further; it has changed nothing then. */
const refusals = ["foreign", "absent", "on", "changed", "leftover", "full", "occupied", "forgotten"] as const;
type Refusal = (typeof refusals)[number];

function refuse(refusal: Refusal): Shell {
  return refuseAs(refusal);
}

/** Domains that others made, by `virsh` and `qemu-img`. What is kept of one lies in its server's folder, as `adopted.xml`. */
export function openAdoption(pool: HostPool): AdoptionPort {
  return {
    lookAtForeign: (host, nameOrId, signal) => lookAtForeign(pool, host, nameOrId, signal),
    async takeOver(host, id, adoption, progress, signal) {
      const connection = await pool.get(host.address, signal);
      const attempting = `take over domain ${adoption.domain} as server`;
      const { stdout } = await connection.run(takeOverScript(host, id, adoption), {
        attempting: `${attempting} ${id}`,
        timeoutMs: scriptTimeoutMs,
        signal,
      });
      throwIfRefused(stdout, host, id, adoption, attempting);
      if (adoption.transfer === "move") return;
      const job = copyJob(host, id);
      await startJob(connection, { ...job, command: copyDisk(host, id, adoption) });
      try {
        const log = await waitForJob(connection, job, {
          timeoutMs: copyTimeoutMs,
          signal,
          onProgress: (text) => progress(`copying the disk: ${readPercent(text)} %`),
        });
        throwIfRefused(log, host, id, adoption, attempting);
      } finally {
        if (!signal.aborted) await cleanJob(connection, job);
      }
    },
    async giveBack(host, id, adoption, graceMs, signal) {
      const connection = await pool.get(host.address, signal);
      if (adoption.transfer === "copy") await cleanJob(connection, copyJob(host, id));
      const attempting = `give domain ${adoption.domain} back from server`;
      const { stdout } = await connection.run(giveBackScript(host, id, adoption, graceMs), {
        attempting: `${attempting} ${id}`,
        timeoutMs: graceMs + scriptTimeoutMs,
        signal,
      });
      throwIfRefused(stdout, host, id, adoption, attempting);
    },
  };
}

function copyJob(host: ComputeHost, id: ResourceId): Job {
  return { name: `adopt-${id}`, folder: `${host.folder}/jobs` };
}

/**
 * Sets `$state`: whether the domain `$id` is `present` as our own, `foreign`, or `absent`. A domain of our name without our mark ends the script.
 */
const lookForEither = sh`uuid=$id
either() {
  seen=$(libvirt "list --all --uuid --name")
  case $(printf '%s\n' "$seen" | grep "^$id " || true) in
    '') state=absent ;;
    *" $name"|*" $name "*) look_for_domain ;;
    *) state=foreign ;;
  esac
}
either`;

/**
 * First it is made sure of that the domain is as it was looked at; then its definition is kept, in full; then it is undefined, so that nobody starts it on
 * a disk that goes away. Whoever was quicker has it running without a definition, and it gets that back. Its disk comes last. A second name is given
 * to the file before the first is taken away: unlike a move, that never turns into a copy that may break off. Whose it was is kept, and it is root's then, as
 * every server's disk: libvirt lends it to QEMU.
 */
function takeOverScript(host: ComputeHost, id: ResourceId, adoption: Adoption): Shell {
  const { fingerprint, diskPath, transfer } = adoption;
  const folder = serverFolder(host.folder, id);
  const move = sh`if [ ! -e disk ]; then
  stat -c '%u:%g %a' -- ${diskPath} > owner.part
  mv owner.part adopted.owner
  ln -T -- ${diskPath} disk
  [ ! -L disk ] || { rm -- disk; echo 'the disk became a symbolic link' >&2; exit 1; }
fi
if [ disk -ef ${diskPath} ]; then
  chown 0:0 disk
  chmod 600 disk
  rm -- ${diskPath}
fi`;
  return script(
    lockServer(host, id),
    defineFunctions(host, id),
    lookForEither,
    sh`folder=${folder}
if [ "$state" = absent ]; then [ -e "$folder/adopted.xml" ] || ${refuse("absent")}; fi
if [ "$state" = foreign ]; then
  [ -e "$folder/adopted.xml" ] || [ ! -e "$folder/disk" ] || ${refuse("leftover")}
  [ "$(libvirt "domstate $id")" = "shut off" ] || ${refuse("on")}
  ${digestDefinition}
  [ "$digest" = ${fingerprint} ] || ${refuse("changed")}
  [ -e "$folder/disk" ] || { ${refuseOtherDisk(adoption)}; }
fi`,
    enterServerFolder(host, id),
    sh`if [ "$state" = foreign ]; then
  libvirt "dumpxml --inactive --security-info $id" > adopted.part
  [ -s adopted.part ]
  if libvirt "list --all --autostart --uuid" | grep -qx "$id"; then : > adopted.autostart; else rm -f adopted.autostart; fi
  mv adopted.part adopted.xml
  libvirt "undefine $id" > /dev/null
  if libvirt "list --all --uuid" | grep -qx "$id"; then
    libvirt "define adopted.xml" > /dev/null
    [ ! -e adopted.autostart ] || libvirt "autostart $id" > /dev/null
    [ -e disk ] || rm -rf -- "$folder"
    ${refuse("on")}
  fi
fi
${transfer === "move" ? move : sh`:`}`,
  );
}

/** Whoever may write a disk of somebody else's can change what it is after the look: what root then reads or moves must still be that file alone. */
function refuseOtherDisk({ diskPath, diskFormat, transfer }: Adoption): Shell {
  const others = transfer === "move" ? String.raw`"data-file"\|"backing-filename"` : '"data-file"';
  const isFile =
    transfer === "move" ? sh`[ -f ${diskPath} ] && [ ! -L ${diskPath} ]` : sh`[ -f ${diskPath} ]`;
  return sh`${isFile} || ${refuse("changed")}
  seen=$(timeout ${imageSeconds} qemu-img info -U --backing-chain --output=json -f ${diskFormat} ${diskPath})
  ! printf '%s\n' "$seen" | grep -q ${others} || ${refuse("changed")}`;
}

/** Copies the disk into a qcow2 without a base, renamed into place when it is whole and on the host's own disk. */
function copyDisk(host: ComputeHost, id: ResourceId, { diskPath, diskFormat }: Adoption): Shell {
  return script(sh`umask 066
cd -- ${serverFolder(host.folder, id)}
[ ! -e disk ] || exit 0
rm -f -- adopted-disk.part
reserve=${diskReserveBytes}
needed=$(qemu-img measure --output=json -f ${diskFormat} -O qcow2 ${diskPath} | grep -o '"required": *[0-9]*' | grep -o '[0-9]*$')
free=$(df -P -B 1 . | tail -n 1 | { read -r device size used free rest; echo "$free"; })
[ "$((needed + reserve))" -le "$free" ] || ${refuse("full")}
qemu-img convert -p -t writeback -f ${diskFormat} -O qcow2 ${diskPath} adopted-disk.part
mv adopted-disk.part disk`);
}

/** What `qemu-img convert -p` said last: `(12.34/100%)`. */
function readPercent(log: string): string {
  return [...log.matchAll(/\((\d+)\.\d+\/100%\)/g)].at(-1)?.[1] ?? "0";
}

/**
 * Our own domain goes first, then the disk is where it was, then the domain is defined again; what was kept of it goes last. A disk that grew is as
 * large as before again, unless a guest has run on it, which would lose what lies behind: that shows by its console.
 */
function giveBackScript(
  host: ComputeHost,
  id: ResourceId,
  { diskPath, diskBytes, transfer }: Adoption,
  graceMs: number,
): Shell {
  const folder = serverFolder(host.folder, id);
  const putBack = sh`if [ -e disk ]; then
  if [ -e adopted.owner ]; then
    read -r owner mode < adopted.owner
    chown "$owner" disk
    chmod "$mode" disk
  fi
  if [ ! disk -ef ${diskPath} ]; then
    [ ! -e ${diskPath} ] || ${refuse("occupied")}
    size=$(od -A n -t u8 -j 24 -N 8 --endian=big disk | tr -d ' ')
    if [ ! -e console.log ] && [ "$size" -gt ${diskBytes} ]; then qemu-img resize -q -f qcow2 --shrink disk ${diskBytes}; fi
    ln -T -- disk ${diskPath}
  fi
  rm -- disk
fi`;
  const check = sh`[ ! -e disk ] || [ disk -ef ${diskPath} ] || [ ! -e ${diskPath} ] || ${refuse("occupied")}`;
  return script(
    lockServer(host, id),
    defineFunctions(host, id),
    sh`folder=${folder}
[ -d "$folder" ] || exit 0
cd -- "$folder"
if [ ! -e adopted.xml ]; then
  # Nothing was taken yet.
  [ ! -e disk ] || ${refuse("forgotten")}
  rm -rf -- "$folder"
  exit 0
fi`,
    lookForEither,
    transfer === "move" ? check : sh`:`,
    sh`if [ "$state" = present ]; then
  ${stopDomain(Math.ceil(graceMs / 1000))}
  ${undefineDomain}
  either
fi`,
    transfer === "move" ? putBack : sh`:`,
    sh`[ "$state" = foreign ] || libvirt "define adopted.xml" > /dev/null
[ ! -e adopted.autostart ] || libvirt "autostart $id" > /dev/null
rm -rf -- "$folder"`,
  );
}

function throwIfRefused(
  output: string,
  host: ComputeHost,
  id: ResourceId,
  { domain, diskPath }: Adoption,
  attempting: string,
): void {
  const cannot = `Cannot ${attempting} ${id} on host ${host.name}`;
  const folder = serverFolder(host.folder, id);
  switch (refusals.find((refusal) => output.trim().endsWith(`refused ${refusal}`))) {
    case "foreign":
      throw new StackyardError("not-ours", {
        message: `${cannot}: another domain has the name that the server's is to have`,
        remedy: "Rename it on the host: virsh domrename",
      });
    case "absent":
      throw new StackyardError("not-found", { message: `${cannot}: libvirt has no such domain any more` });
    case "on":
      throw new StackyardError("wrong-state", {
        message: `${cannot}: it is not shut off`,
        field: "domain",
        value: domain,
        remedy: `Shut it down on the host, and run again: virsh shutdown ${id}`,
      });
    case "changed":
      throw new StackyardError("wrong-state", {
        message: `${cannot}: it changed since it was looked at`,
        field: "domain",
        value: domain,
        remedy: "Run again.",
      });
    case "leftover":
      throw new StackyardError("not-ours", {
        message: `${cannot}: there is a disk already in the folder ${folder}`,
        remedy: "See what it is, and move it away: stackyard gc lists what no record owns.",
      });
    case "full":
      throw new StackyardError("host-disk-full", {
        message: `${cannot}: a copy of its disk ${diskPath} does not fit`,
      });
    case "occupied":
      throw new StackyardError("conflict", {
        message: `${cannot}: there is another file in its disk's place ${diskPath}`,
        value: diskPath,
        remedy: "Move that file away, and run again.",
      });
    case "forgotten":
      throw new StackyardError("wrong-state", {
        message: `${cannot}: how it was defined is gone from ${folder}/adopted.xml`,
        remedy: `Its disk is ${folder}/disk: move it where it belongs, and run again.`,
      });
    case undefined:
  }
}
