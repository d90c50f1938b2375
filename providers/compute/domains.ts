import type { AdoptionPort } from "../core/adoption.ts";
import type { ResourceId } from "../core/ids.ts";
import type { ComputeHost, DomainSpec, DomainsPort } from "../core/ports.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import type { HostPool } from "../hosts/pool.ts";
import { reachFunctions } from "./ceph-reach.ts";
import { hashDrive, listDriveFiles } from "./config-drive.ts";
import type { DriveFile } from "./config-drive.ts";
import { enterServerFolder, openRunner, refuse, requireDomain, scriptTimeoutMs } from "./domain-script.ts";
import { readDiskSize } from "./domain-state.ts";
import { openDomainVolumes, sendVolumes } from "./domain-volumes.ts";
import { hasFileDisk, renderDomain } from "./domain-xml.ts";
import { configDriveFile, consoleFile, lastRebootFile, serverFolder } from "./layout.ts";
import { domainPrefix } from "./marks.ts";
import { openMigration } from "./migration.ts";
import { readConsole, waitReady } from "./readiness.ts";
import { scanDomain } from "./scan.ts";

/** How long a guest may take to restart by itself before it is reset (nova: `wait_soft_reboot_seconds` 120). */
const softRebootSeconds = 120;
/** Between two requests to shut down (nova: `shutdown_retry_interval`). */
const shutdownRetrySeconds = 10;

/** Servers on hosts, by `virsh` and `qemu-img`, but for domains that others made. */
export function openDomains(pool: HostPool): Omit<DomainsPort, keyof AdoptionPort> {
  const run = openRunner(pool);
  return {
    async spawn(host, spec, start, signal) {
      const xml = Buffer.from(renderDomain(host, spec));
      const files = listDriveFiles(spec.configDrive);
      const volumes = sendVolumes(host, spec.volumes ?? []);
      const stdin = Buffer.concat([xml, ...volumes.stdin, ...files.map((file) => file.content)]);
      const body = script(
        reachFunctions,
        enterServerFolder(host, spec.id),
        sh`receive ${xml.length} domain.xml
is_whole ${xml.length} domain.xml`,
        isInCeph(spec) ? sh`start_reaching domain.xml` : sh`:`,
        volumes.receive,
        hasFileDisk(spec) ? ensureDisk(spec) : sh`:`,
        ensureConfigDrive(files),
        hasFileDisk(spec) ? finishDisk : sh`:`,
        volumes.prepare,
        sh`require_reached`,
        defineDomain(start, spec.autostart === true),
        volumes.attach,
      );
      await run(host, spec.id, "build server", body, signal, { stdin, look: lookBeforeBuild });
    },
    async start(host, id, signal) {
      await run(host, id, "start server", script(requireDomain, reachFunctions, bringOn), signal);
    },
    async stop(host, id, graceMs, signal) {
      const seconds = Math.ceil(graceMs / 1000);
      await run(host, id, "stop server", script(requireDomain, stopDomain(seconds)), signal, {
        timeoutMs: graceMs + scriptTimeoutMs,
      });
    },
    async reboot(host, id, kind, signal) {
      const body = kind === "soft" ? softReboot(host, id) : hardReboot;
      await run(host, id, "reboot server", script(requireDomain, reachFunctions, body), signal, {
        timeoutMs: softRebootSeconds * 1000 + scriptTimeoutMs,
      });
    },
    async remove(host, id, signal) {
      await run(host, id, "remove server", removeDomain(serverFolder(host.folder, id)), signal);
    },
    observe: (host, spec, signal) => scanDomain(pool, { host, spec }, signal),
    async readConsole(host, id, lines, signal) {
      return readConsole(await pool.get(host.address, signal), host, id, lines, signal);
    },
    waitReady: (host, id, request, progress, signal) => waitReady(pool, host, id, request, progress, signal),
    ...openDomainVolumes(run),
    ...openMigration(pool, run),
  };
}

/**
 * Looks for the domain before a build, without the cost of a `virsh` where libvirt keeps no file of that name: such a domain is new, and libvirt itself
 * refuses a definition whose uuid another domain has. Only the files of a build are written before that is known.
 */
const lookBeforeBuild = sh`state=absent
if [ ! -d /etc/libvirt/qemu ] || [ -e "/etc/libvirt/qemu/$name.xml" ] || [ -e "/run/libvirt/qemu/$name.xml" ]; then look_for_domain; fi`;

/**
 * The root disk: an overlay on the cached image, or blank. One that is there is kept, since it holds the guest's data, and only grows. It is
 * renamed into place when whole, so that a broken attempt never looks like a disk. A virtual size of qcow2 is the 8 bytes at 24 (qemu:
 * `docs/interop/qcow2.txt`).
 */
function ensureDisk(spec: DomainSpec): Shell {
  const size = sh`size=${readDiskSize(spec)}
virtual_size() { od -A n -t u8 -j 24 -N 8 --endian=big -- "$1" | tr -d ' '; }`;
  const create = createDisk(spec);
  return sh`${size}
making=
if [ ! -e disk ]; then
  ${create} &
  making=$!
elif ! is_on && [ "$(virtual_size disk)" -lt "$size" ]; then
  qemu-img resize -q -f qcow2 disk "$size"
fi`;
}

/** Waits for a disk that is being made beside the config drive. */
const finishDisk = sh`[ -z "$making" ] || { wait "$making"; mv disk.part disk; }`;

function createDisk(spec: DomainSpec): Shell {
  const { diskPath, diskFormat } = spec.image;
  if (diskPath === undefined) return sh`qemu-img create -q -f qcow2 disk.part "$size"`;
  const format = diskFormat ?? "qcow2";
  const baseSize = format === "raw" ? sh`stat -c %s -- ${diskPath}` : sh`virtual_size ${diskPath}`;
  if (readDiskSize(spec) === 0) return sh`qemu-img create -q -f qcow2 -b ${diskPath} -F ${format} disk.part`;
  return sh`[ "$(${baseSize})" -le "$size" ] || ${refuse("disk-too-small")}
  qemu-img create -q -f qcow2 -b ${diskPath} -F ${format} disk.part "$size"`;
}

/** The config drive, from the rest of standard input; kept as it is when it was made from the same files. */
function ensureConfigDrive(files: readonly DriveFile[]): Shell {
  const sized = files.map(
    ({ name, content }) => sh`${content.length} ${`config-drive.new/openstack/latest/${name}`}`,
  );
  const last = sized.slice(-1).map((file) => sh`is_whole ${file}`);
  return sh`if [ ! -e config-drive.iso ] || [ "$(cat config-drive.sha256)" != ${hashDrive(files)} ]; then
[ ! -e config-drive.new ] || rm -rf config-drive.new
mkdir -p config-drive.new/openstack/latest
${script(...sized.map((file) => sh`receive ${file}`), ...last)}
genisoimage -quiet -input-charset utf-8 -V config-2 -J -r -o config-drive.part config-drive.new < /dev/null
rm -rf config-drive.new
mv config-drive.part config-drive.iso
printf '%s' ${hashDrive(files)} > config-drive.sha256
fi`;
}

/**
 * A new domain is defined and started by one `virsh`; a start after a failed definition finds no domain and fails too. If it fails, a foreign
 * domain may be the reason.
 */
function defineDomain(start: boolean, autostart: boolean): Shell {
  const startToo = start
    ? sh`libvirt "define domain.xml; autostart $name $disable; start $name"`
    : sh`libvirt "define domain.xml; autostart $name $disable"`;
  return sh`disable=${autostart ? "" : "--disable"}
if [ "$state" = absent ]; then
  ${startToo} > /dev/null || { look_for_domain; exit 1; }
else
  libvirt "define domain.xml" > /dev/null
  libvirt "autostart $name $disable" > /dev/null
  ${start ? startDomain : sh`:`}
fi
rm domain.xml`;
}

/** Before QEMU opens the disks of the definition. */
const reachDisks = sh`disks=$(libvirt dumpxml --inactive "$name" 2> /dev/null) || disks=
printf '%s\n' "$disks" | reach_clusters >&2`;

/** A paused guest goes on. */
const startDomain = sh`if is_on; then
  ! is_paused || libvirt "resume $name" > /dev/null
else
  libvirt "start $name" > /dev/null
fi`;

/** The same, where the clusters of its disks answer. */
const bringOn = sh`is_on || { ${reachDisks}; }
${startDomain}`;

/** Whether a disk of the server is an image of Ceph. */
function isInCeph({ rootVolume, volumes = [] }: DomainSpec): boolean {
  const refs = [rootVolume, ...volumes.map(({ volume }) => volume)];
  return refs.some((volume) => volume?.place.backend === "rbd");
}

/** Asks the guest to power off, again and again as nova does, then takes the power. */
export function stopDomain(graceSeconds: number): Shell {
  return sh`grace=${graceSeconds} retry=${shutdownRetrySeconds} ask=0
end=$(($(date +%s) + grace))
while is_on; do
  now=$(date +%s)
  [ "$now" -lt "$end" ] || break
  if [ "$now" -ge "$ask" ]; then
    libvirt "shutdown $name" > /dev/null 2>&1 || true
    ask=$((now + retry))
  fi
  sleep 0.1
done
! is_on || libvirt "destroy $name" > /dev/null
# One without a definition went with its process.
look_for_domain
[ "$state" = absent ] || [ "$(libvirt "domstate $name")" = "shut off" ]`;
}

/**
 * The guest restarts by itself, and is reset if it does not within nova's limit. What it was told, it has from its config drive: the domain's metadata
 * say so as long as the process lives, and follow the definition only when the guest has booted. Broken off anywhere, it can be done again.
 */
function softReboot(host: ComputeHost, id: ResourceId): Shell {
  return sh`is_on || { ${bringOn}; exit 0; }
# A paused guest answers no request.
! is_paused || libvirt "resume $name" > /dev/null
told=$(libvirt metadata "$name" "$uri" --config 2> /dev/null) || told=
${giveDrive(configDriveFile(host.folder, id))}
limit=${softRebootSeconds}
libvirt "event $name reboot --timeout $limit" > /dev/null 2>&1 & watch=$!
sleep 0.1
libvirt "reboot $name" > /dev/null
wait "$watch" || libvirt "reset $name" > /dev/null
printf '%s %s\n' "$pid" "$(stat -c %s -- ${consoleFile(host.folder, id)})" > ${lastRebootFile(host.folder, id)}
[ -z "$told" ] || [ -z "$given" ] || libvirt metadata "$name" "$uri" --live --key ${domainPrefix} --set "$told" > /dev/null`;
}

/**
 * Puts the config drive into the running guest, which else keeps the file that it was started with, though another took its name; sets `$given` if it
 * did. To libvirt a medium of the same name is the same: an update would do nothing, so that it is taken out and put in. By force, since a guest may
 * lock the tray. A drive with a medium of somebody else is left alone, and its guest counts as not told. The definition needs nothing: a name for each
 * content would make every rename a change of it.
 */
function giveDrive(file: string): Shell {
  return sh`drive=${file}
drives=$(libvirt "domblklist $name --details")
given=$(printf '%s\n' "$drives" | while read -r _ device target medium; do
  case $device:$medium in "cdrom:$drive" | cdrom:-) ;; *) continue ;; esac
  [ -e "$drive" ] || continue
  [ "$medium" = - ] || libvirt change-media "$name" "$target" --eject --force --live > /dev/null
  libvirt change-media "$name" "$target" "$drive" --insert --live > /dev/null
  echo yes
done)`;
}

const hardReboot = sh`${reachDisks}
! is_on || libvirt "destroy $name" > /dev/null
libvirt "start $name" > /dev/null`;

function removeDomain(folder: string): Shell {
  return sh`${undefineDomain}
rm -rf -- ${folder}`;
}

/** Flags for all that libvirt keeps beside a domain; without them it refuses to let go of one that has it. */
export const undefineDomain: Shell = sh`if [ "$state" != absent ]; then
  ! is_on || libvirt "destroy $name" > /dev/null || true
  libvirt "undefine $name --nvram --managed-save --snapshots-metadata --checkpoints-metadata" > /dev/null || {
    # One without a definition went with its process.
    look_for_domain
    [ "$state" = absent ] || exit 1
  }
fi`;
