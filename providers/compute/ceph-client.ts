import { createHash } from "node:crypto";
import type { CephCluster, NamedCluster } from "../core/ceph.ts";
import type { CloudId } from "../core/ids.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import { cephClientFolder, cephFolder } from "./layout.ts";
import {
  cephRoles,
  describeSecret,
  nameCephSecret,
  nameCephUser,
  nameSecretUsage,
  type CephRole,
} from "./marks.ts";
import { renderText, renderXml } from "./render.ts";

/** Keys of the cloud's users. */
export type CephKeys = Readonly<Record<CephRole, string>>;

/** A file of a client as it must be on the host. */
export interface ClientFile {
  readonly name: string;
  /** In octal, as `stat` prints it. */
  readonly mode: "644" | "600";
  readonly content: string;
}

/** After this a client gives a monitor up, so that a dead one is an error in seconds (ceph's default: 300). */
const connectSeconds = 10;
/** The same for one question to it (ceph's default: none). */
const monitorSeconds = 15;

/** Name of the file in a client's folder that tells whose it is and what was put there. */
export const clientMark = "client.json";
export const confName = "ceph.conf";

/**
 * A ceph.conf. Commands of ours take `storageSeconds`, after which they give a storage daemon up; what guests use has no such limit, since to them it
 * would be an I/O error.
 */
export function renderConf(
  { fsid, monitors }: CephCluster,
  { keyring, storageSeconds }: { readonly keyring?: string; readonly storageSeconds?: number },
): string {
  return renderText("ceph/client.conf", {
    fsid,
    monitors: monitors.map(bracketAddress).join(","),
    keyring,
    connectSeconds,
    monitorSeconds,
    storageSeconds,
  });
}

/** A bare IPv6 address goes in brackets. */
function bracketAddress(monitor: string): string {
  return /^[^[]*:[^\]]*:/.test(monitor) ? `[${monitor}]` : monitor;
}

/** The client's ceph.conf. Ceph puts `client.NAME` in the place of `$name`. */
export function renderClientConf(cluster: CephCluster): string {
  return renderConf(cluster, {
    keyring: `${cephClientFolder(cluster.id)}/ceph.$name.keyring`,
  });
}

/** Name of a user's keyring in the client's folder. */
export function nameKeyring({ cloudId }: NamedCluster, role: CephRole): string {
  return `ceph.client.${nameCephUser(cloudId, role)}.keyring`;
}

/** `sha256:<hex>`. Of a key it tells nothing: keys are random. */
export function digest(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

/** The files of a client. The mark is last: what is there without it was not brought whole. */
export function listClientFiles(cluster: CephCluster, keys: CephKeys): readonly ClientFile[] {
  const keyrings = cephRoles.map((role): ClientFile => ({
    name: nameKeyring(cluster, role),
    mode: "600",
    content: renderText("ceph/keyring", {
      user: nameCephUser(cluster.cloudId, role),
      key: keys[role],
    }),
  }));
  const files: readonly ClientFile[] = [
    { name: confName, mode: "644", content: renderClientConf(cluster) },
    ...keyrings,
  ];
  const mark = {
    cloudId: cluster.cloudId,
    clusterId: cluster.id,
    secretId: nameCephSecret(cluster.id),
    files: Object.fromEntries(files.map(({ name, content }) => [name, digest(content)])),
  };
  return [...files, { name: clientMark, mode: "644", content: `${JSON.stringify(mark)}\n` }];
}

function renderSecret({ cloudId, id }: CephCluster): string {
  return renderXml("secret", {
    description: describeSecret(cloudId, "cluster", id),
    id: nameCephSecret(id),
    ceph: nameSecretUsage(cloudId, id),
    volume: undefined,
  });
}

/** What {@link putClient} reads: a line a file with name, mode and content, then the key of the secret. */
export function packClient(cluster: CephCluster, keys: CephKeys): string {
  const lines = listClientFiles(cluster, keys).map(
    ({ name, mode, content }) => `${name} ${mode} ${Buffer.from(content).toString("base64")}`,
  );
  return [`secret 600 ${Buffer.from(keys.libvirt).toString("base64")}`, ...lines, ""].join("\n");
}

/** Puts the files and the secret there. A key is never an argument: `printf` and `read` are the shell's own. */
export function putClient(cluster: CephCluster): Shell {
  const secretId = nameCephSecret(cluster.id);
  return script(sh`umask 022
mkdir -p -- ${cephClientFolder(cluster.id)}
cd -- ${cephClientFolder(cluster.id)}
chmod 755 .
umask 077
session=$(mktemp -d /run/stackyard-ceph.XXXXXXXXXX)
trap 'rm -rf -- "$session"' EXIT
trap 'exit 143' HUP INT TERM
libvirt() { virsh -q -c qemu:///system "$@" < /dev/null > /dev/null; }
read -r name mode content
printf '%s' "$content" | base64 -d > "$session/key"
printf '%s' ${renderSecret(cluster)} > "$session/secret.xml"
libvirt secret-define "$session/secret.xml"
libvirt secret-set-value ${secretId} --file "$session/key"
while read -r name mode content; do
  printf '%s' "$content" | base64 -d > "$name.part"
  chmod "$mode" "$name.part"
  mv -fT -- "$name.part" "$name"
done`);
}

/** Asks which Debian packages a client lacks, a line a name, and then for `apt` where they could be installed. QEMU's driver is a package of its own on Debian alone. */
export function lookForTools(): Shell {
  return script(sh`{ command -v ceph && command -v rbd; } > /dev/null || echo ceph-common
/usr/bin/python3 -I -c 'import rbd' > /dev/null 2>&1 || echo python3-rbd
if command -v apt-get > /dev/null; then
  [ -n "$(find /usr/lib -maxdepth 3 -path '*/qemu/block-rbd.so' -print -quit)" ] || echo qemu-block-extra
  echo apt
fi`);
}

/** Takes both away. Prints the domains that use the secret instead, a line a name, if there are any. */
export function removeClient(cluster: NamedCluster): Shell {
  const secretId = nameCephSecret(cluster.id);
  const folder = cephClientFolder(cluster.id);
  return script(sh`libvirt() { virsh -q -c qemu:///system "$@" < /dev/null; }
secrets=$(libvirt secret-list)
case $secrets in (*${secretId}*)
  domains=$(libvirt list --all --uuid)
  users=$(for domain in $domains; do
    xml=$(libvirt dumpxml "$domain") && xml=$xml$(libvirt dumpxml --inactive "$domain" 2> /dev/null || :) || {
      libvirt domstate "$domain" > /dev/null 2>&1 || continue
      exit 1
    }
    case $xml in (*${secretId}*) libvirt domname "$domain" ;; esac
  done)
  if [ -n "$users" ]; then printf '%s\n' "$users"; exit 0; fi
  libvirt secret-undefine ${secretId} > /dev/null
;; esac
rm -rf -- ${folder}
for parent in ${[cephFolder, "/etc/stackyard"]}; do
  [ ! -d "$parent" ] || rmdir --ignore-fail-on-non-empty -- "$parent"
done`);
}

/** Ids of the clusters that the host has something of a client of, with the cloud's mark: a folder, or a libvirt secret. */
export function listClients(cloudId: CloudId): Shell {
  const mark = describeSecret(cloudId, "cluster", "");
  return sh`libvirt() { virsh -q -c qemu:///system "$@" < /dev/null; }
for file in ${cephFolder}/*/${clientMark}; do
  [ ! -f "$file" ] || ! grep -qsF ${`"cloudId":${JSON.stringify(cloudId)}`} "$file" || basename "$(dirname "$file")"
done
secrets=$(libvirt secret-list)
printf '%s\n' "$secrets" | while read -r id rest; do
  case $rest in (*${nameCephUser(cloudId, "libvirt")}*) ;; (*) continue ;; esac
  libvirt secret-dumpxml "$id" | sed -n ${`s/.*<description>${mark}\\([0-9a-f-]*\\)<.*/\\1/p`}
done`;
}
