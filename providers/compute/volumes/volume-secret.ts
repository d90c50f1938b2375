import type { CloudId, ResourceId } from "../../core/ids.ts";
import type { ComputeHost } from "../../core/ports.ts";
import type { VolumesPort } from "../../core/volume-backend.ts";
import { script, sh } from "../../hosts/command.ts";
import type { Shell } from "../../hosts/command.ts";
import type { HostPool } from "../../hosts/pool.ts";
import { describeSecret, nameVolumeSecret, nameVolumeSecretUsage } from "../marks.ts";
import { renderXml } from "../render.ts";
import { readVolumeKey } from "./volume-key.ts";

/** Keys of encrypted volumes in the libvirt of hosts: a secret a volume (nova: `virt/libvirt/host.py` `create_secret`, usage type `volume`). */
export function openVolumeSecrets(pool: HostPool): Pick<VolumesPort, "attachEncryptor" | "detachEncryptor"> {
  return {
    async attachEncryptor(host, { id, encryption }, signal) {
      if (encryption === undefined) return;
      const key = Buffer.from(await readVolumeKey(encryption)).toString("base64");
      const connection = await pool.get(host.address, signal);
      await connection.run(putSecret(host, id), {
        attempting: `give the key of volume ${id} to libvirt`,
        stdin: `${key}\n`,
        signal,
      });
    },
    async detachEncryptor(host, id, signal) {
      const connection = await pool.get(host.address, signal);
      await connection.run(removeSecret(id), {
        attempting: `take the key of volume ${id} from libvirt`,
        signal,
      });
    },
  };
}

/** The key is never an argument: `printf` and `read` are the shell's own. virsh takes it in base64. */
function putSecret({ cloudId }: ComputeHost, id: ResourceId): Shell {
  const secretId = nameVolumeSecret(id);
  const xml = renderXml("secret", {
    description: describeSecret(cloudId, "volume", id),
    id: secretId,
    ceph: undefined,
    volume: nameVolumeSecretUsage(cloudId, id),
  });
  return script(sh`read -r key
libvirt() { virsh -q -c qemu:///system "$@" > /dev/null; }
printf '%s' ${xml} | libvirt secret-define /dev/stdin
printf '%s' "$key" | libvirt secret-set-value ${secretId} --file /dev/stdin`);
}

function removeSecret(id: ResourceId): Shell {
  const secretId = nameVolumeSecret(id);
  return script(sh`libvirt() { virsh -q -c qemu:///system "$@" < /dev/null; }
secrets=$(libvirt secret-list)
case $secrets in (*${secretId}*) libvirt secret-undefine ${secretId} > /dev/null ;; esac`);
}

/** Ids of the volumes whose keys the host's libvirt has with the cloud's mark, a line each. */
export function listVolumeSecrets(cloudId: CloudId): Shell {
  const mark = describeSecret(cloudId, "volume", "");
  return sh`libvirt() { virsh -q -c qemu:///system "$@" < /dev/null; }
secrets=$(libvirt secret-list)
printf '%s\n' "$secrets" | while read -r id rest; do
  case $rest in (*${nameVolumeSecretUsage(cloudId, "")}*) ;; (*) continue ;; esac
  libvirt secret-dumpxml "$id" | sed -n ${`s/.*<description>${mark}\\([0-9a-f-]*\\)<.*/\\1/p`}
done`;
}
