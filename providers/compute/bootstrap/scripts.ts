import { script, sh } from "../../hosts/command.ts";
import type { Shell } from "../../hosts/command.ts";
import {
  daemonFolder,
  hostPaths,
  listMonitors,
  renderHostConf,
  type Deployment,
  type HostDaemons,
} from "./deployment.ts";

/** Folders that the distribution's packages make, or that we make where they did not. A folder comes before what is in it. */
const sharedFolders = [
  "/etc/ceph",
  "/var/lib/ceph",
  "/var/lib/ceph/mon",
  "/var/lib/ceph/mgr",
  "/var/lib/ceph/osd",
  "/var/log/ceph",
  "/run/ceph",
] as const;

/** Keys of the monitors and of the admin, on the first host, for monitors that are still to be made. */
const firstKeyring = "/var/lib/ceph/stackyard.keyring";
/** Name of the file in an OSD's folder with its uuid. */
const uuidFile = "stackyard.uuid";
/** Seconds after which a monitor that does not answer is given up. */
const connectSeconds = 30;
/** BlueStore's label, and whatever else tools look for at the beginning of a device. */
const labelMib = 10;

/**
 * Shell functions over daemons: `runs KIND ID`, `start_daemon KIND ID`, `end_daemon KIND ID`. Where systemd runs, the distribution's units have them,
 * also after a boot; elsewhere they are started here. The process of a pid file is the daemon only if its command line says so.
 */
function daemonFunctions(): Shell {
  return sh`runs() {
  [ -e "/run/ceph/$1.$2.pid" ] || return 1
  pid=$(cat "/run/ceph/$1.$2.pid")
  [ -n "$pid" ] && [ -e "/proc/$pid/cmdline" ] || return 1
  tr '\0' ' ' < "/proc/$pid/cmdline" | grep -q "ceph-$1 .*--id $2 "
}
start_daemon() {
  if [ -d /run/systemd/system ]; then
    systemctl reset-failed "ceph-$1@$2" 2> /dev/null || :
    systemctl --quiet enable --now "ceph-$1@$2"
    return
  fi
  if runs "$1" "$2"; then return; fi
  "ceph-$1" --id "$2" --setuser ceph --setgroup ceph > "/run/ceph/$1.$2.out" 2>&1 < /dev/null || {
    tail -n 5 "/run/ceph/$1.$2.out" >&2
    exit 1
  }
  rm -f "/run/ceph/$1.$2.out"
}
end_daemon() {
  if [ -d /run/systemd/system ]; then systemctl --quiet disable --now "ceph-$1@$2" || :; fi
  if runs "$1" "$2"; then
    kill "$pid"
    waits=0
    while [ -e "/proc/$pid" ] && [ "$waits" -lt 200 ]; do
      sleep 0.1
      waits=$((waits + 1))
    done
    [ ! -e "/proc/$pid" ] || kill -9 "$pid"
    while [ -e "/proc/$pid" ]; do sleep 0.1; done
  fi
  rm -f "/run/ceph/$1.$2.pid" "/run/ceph/$1.$2.asok" "/run/ceph/$1.$2.out"
}`;
}

/** Marks the host as part of the cluster, before all else, and gives it folders and settings. Refuses a mark of another by exit code 3. */
export function prepareHost(deployment: Deployment, index: number): Shell {
  const mark = JSON.stringify(deployment);
  return script(sh`umask 022
mark=${hostPaths.mark} folders=${hostPaths.madeFolders}
if [ ! -e "$mark" ]; then
  if [ ! -e "$folders" ]; then
    made=$(for folder in ${sharedFolders}; do [ -d "$folder" ] || echo "$folder"; done)
    mkdir -p /etc/ceph
    printf '%s\n' "$made" > "$folders.part"
    mv "$folders.part" "$folders"
  fi
  printf '%s\n' ${mark} > "$mark.part"
  mv "$mark.part" "$mark"
fi
[ "$(cat "$mark")" = ${mark} ] || { echo 'the mark of another cluster has come' >&2; exit 3; }
for folder in ${[...sharedFolders.filter((folder) => folder !== "/etc/ceph"), hostPaths.logs]}; do
  [ -d "$folder" ] || { mkdir "$folder"; chown ceph:ceph "$folder"; }
done
printf '%s' ${renderHostConf(deployment, index)} > /etc/ceph/ceph.conf.part
mv /etc/ceph/ceph.conf.part ${hostPaths.conf}`);
}

/** Makes the keys of the monitors and the admin on the first host, once, and prints both keyrings: this answer is secret. */
export function ensureFirstKeys(): Shell {
  return script(sh`umask 077
keyring=${firstKeyring} admin=${hostPaths.adminKeyring}
if [ ! -e "$keyring" ]; then
  rm -f "$keyring.part"
  ceph-authtool --create-keyring "$keyring.part" --gen-key --name client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' > /dev/null
  ceph-authtool "$keyring.part" --gen-key --name mon. --cap mon 'allow *' > /dev/null
  mv "$keyring.part" "$keyring"
fi
if [ ! -e "$admin" ]; then
  printf '[client.admin]\n\tkey = %s\n' "$(ceph-authtool --print-key --name client.admin "$keyring")" > "$admin.part"
  mv "$admin.part" "$admin"
fi
cat "$keyring"`);
}

/** Makes a monitor, once, of the keys on standard input, and starts it. */
export function ensureMonitor(deployment: Deployment, id: string): Shell {
  const members = listMonitors(deployment).flatMap((address, index) => [
    "--addv",
    "abc".charAt(index),
    `[v2:${address}:3300,v1:${address}:6789]`,
  ]);
  return script(
    daemonFunctions(),
    sh`umask 077
data=${daemonFolder("mon", id)} keyring=/run/ceph/stackyard.keyring map=/run/ceph/stackyard.monmap
trap 'rm -f "$keyring" "$map"' EXIT
if [ ! -e "$data/stackyard.made" ]; then
  rm -rf -- "$data"
  mkdir "$data"
  cat > "$keyring"
  monmaptool --create --clobber ${members} --fsid ${deployment.fsid} "$map" > /dev/null
  chown ceph:ceph "$data" "$keyring" "$map"
  ceph-mon --mkfs --id ${id} --monmap "$map" --keyring "$keyring" --setuser ceph --setgroup ceph
  touch "$data/stackyard.made"
fi
start_daemon mon ${id}`,
  );
}

/** Waits until the monitors have a quorum; then makes the manager, once, and starts it. Runs on the first host. */
export function ensureManager(id: string): Shell {
  return script(
    daemonFunctions(),
    sh`umask 077
data=${daemonFolder("mgr", id)}
ceph --connect-timeout ${connectSeconds} mon stat > /dev/null
mkdir -p "$data"
if [ ! -e "$data/keyring" ]; then
  ceph --connect-timeout ${connectSeconds} auth get-or-create ${`mgr.${id}`} mon 'allow profile mgr' osd 'allow *' mds 'allow *' -o "$data/keyring.part"
  mv "$data/keyring.part" "$data/keyring"
fi
chown -hR ceph:ceph "$data"
start_daemon mgr ${id}`,
  );
}

/** Makes the uuid and the key of an OSD, once, and prints both, a line each: this answer is secret. */
export function ensureOsdKey(osd: number): Shell {
  return script(sh`umask 077
data=${daemonFolder("osd", osd)}
mkdir -p "$data"
cd "$data"
if [ ! -e ${uuidFile} ]; then
  cat /proc/sys/kernel/random/uuid > ${`${uuidFile}.part`}
  mv ${`${uuidFile}.part`} ${uuidFile}
fi
if [ ! -e keyring ]; then
  rm -f keyring.part
  ceph-authtool --create-keyring keyring.part --gen-key --name ${`osd.${String(osd)}`} > /dev/null
  mv keyring.part keyring
fi
cat ${uuidFile}
ceph-authtool --print-key --name ${`osd.${String(osd)}`} keyring`);
}

/** Tells the monitors of an OSD, whose key is on standard input as Ceph's JSON. The same again is no error. Runs on the first host. */
export function registerOsd(osd: number, uuid: string): Shell {
  return script(sh`ceph --connect-timeout ${connectSeconds} osd new ${uuid} ${osd} -i - > /dev/null`);
}

/** Makes the store of an OSD, once, in a file or on a device, and starts it. */
export function ensureOsd(osd: number, device: string | undefined): Shell {
  return script(
    daemonFunctions(),
    sh`umask 077
data=${daemonFolder("osd", osd)} log=${`${hostPaths.logs}/mkfs.${String(osd)}.log`}
if [ ! -e "$data/stackyard.made" ]; then
  find "$data" -mindepth 1 ! -name keyring ! -name ${uuidFile} -delete`,
    device === undefined
      ? sh`:`
      : sh`dd if=/dev/zero ${`of=${device}`} bs=1M ${`count=${String(labelMib)}`} conv=fsync 2> /dev/null
  chown ceph:ceph ${device}
  ln -s ${device} "$data/block"`,
    sh`  chown -hR ceph:ceph "$data"
  ceph-osd --id ${osd} --mkfs --osd-uuid "$(cat "$data"/${uuidFile})" --setuser ceph --setgroup ceph > "$log" 2>&1 || {
    tail -n 5 "$log" >&2
    exit 1
  }
  touch "$data/stackyard.made"
fi`,
    device === undefined ? sh`:` : ownDevice(osd, device),
    sh`start_daemon osd ${osd}`,
  );
}

/** Gives the device to the daemon's user; a boot takes it back, so that the unit does it too. */
function ownDevice(osd: number, device: string): Shell {
  return sh`chown ceph:ceph ${device}
if [ -d /run/systemd/system ]; then
  mkdir -p ${unitFolder(osd)}
  printf '[Service]\nExecStartPre=+/bin/chown ceph:ceph %s\n' ${device} > ${`${unitFolder(osd)}/stackyard.conf`}
  systemctl daemon-reload
fi`;
}

function unitFolder(osd: number): string {
  return `/etc/systemd/system/ceph-osd@${String(osd)}.service.d`;
}

/** Asks the cluster how it is, as JSON. Runs on the first host. */
export function askStatus(): Shell {
  return script(sh`ceph --connect-timeout ${connectSeconds} --format json status`);
}

/** Ends the daemons of a host and takes back what was made on it; the mark goes last, so that a run that was broken off can be repeated. */
export function removeFromHost(
  fsid: string,
  { monitor, manager, osd, device }: HostDaemons & { readonly device: string | undefined },
): Shell {
  const daemons = [
    ["osd", osd] as const,
    ...(manager === undefined ? [] : [["mgr", manager] as const]),
    ...(monitor === undefined ? [] : [["mon", monitor] as const]),
  ];
  return script(
    daemonFunctions(),
    sh`mark=${hostPaths.mark} folders=${hostPaths.madeFolders}
grep -q ${`"fsid":"${fsid}"`} "$mark" || { echo 'the mark of the cluster has gone' >&2; exit 3; }
made=$(tac "$folders")`,
    ...daemons.map(([kind, id]) => sh`end_daemon ${kind} ${id}`),
    device === undefined
      ? sh`:`
      : sh`if [ -e ${`${daemonFolder("osd", osd)}/block`} ]; then
  dd if=/dev/zero ${`of=${device}`} bs=1M ${`count=${String(labelMib)}`} conv=fsync 2> /dev/null
  chown root:disk ${device}
fi
if [ -e ${unitFolder(osd)} ]; then
  rm -f ${`${unitFolder(osd)}/stackyard.conf`}
  rmdir --ignore-fail-on-non-empty ${unitFolder(osd)}
  systemctl daemon-reload
fi`,
    sh`rm -rf -- ${[...daemons.map(([kind, id]) => daemonFolder(kind, id)), hostPaths.logs]}
rm -f -- ${[firstKeyring, `${firstKeyring}.part`, hostPaths.adminKeyring, `${hostPaths.adminKeyring}.part`]}
rm -f -- ${[hostPaths.conf, `${hostPaths.conf}.part`, `${hostPaths.mark}.part`, `${hostPaths.madeFolders}.part`]}
for folder in $made; do
  [ "$folder" = /etc/ceph ] || [ ! -d "$folder" ] || rmdir --ignore-fail-on-non-empty "$folder"
done
rm -f -- "$mark" "$folders"
case " $made " in *"/etc/ceph "*) rmdir --ignore-fail-on-non-empty /etc/ceph ;; esac`,
  );
}
