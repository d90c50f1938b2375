import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { cephClientFolder, cephConfFile } from "../../providers/compute/layout.ts";
import { cephRoles, nameCephSecret, nameCephUser } from "../../providers/compute/marks.ts";
import { describeCephPort, type CephStage } from "../contract/ceph-port.ts";
import type { ClientMeddling } from "../fakes/ceph-client.ts";
import { openCephLab, readKey } from "../support/ceph-lab.ts";
import { makeCephKey, writeKeyring } from "../support/ceph-keyring.ts";

async function openLab(): Promise<CephStage> {
  const lab = await openCephLab("ceph-port");
  const { cluster, run, administer } = lab;
  const userOf = (role: (typeof cephRoles)[number]): string => nameCephUser(cluster.cloudId, role);
  const wrongKeyringFile = join(lab.folder, "wrong.keyring");
  writeKeyring(wrongKeyringFile, makeCephKey());
  await run(watchArguments);
  return {
    compute: lab.compute,
    host: lab.host,
    cluster,
    wrongKeyringFile,
    // The host itself answers there, and has no monitor.
    deafMonitor: `${lab.host.address.address}:3300`,
    survey: async () => {
      const pools = await administer("ceph", "osd", "pool", "ls", "detail");
      const users = await administer("ceph", "auth", "ls");
      return [pools, users, await run(surveyClient)].join("\n");
    },
    async makePool(name) {
      await administer("ceph", "osd", "pool", "create", name, "8");
      await administer("rbd", "pool", "init", name);
    },
    async putImage(pool, name) {
      await administer("rbd", "create", "--size", "1M", `${pool}/${name}`);
    },
    async throwImageAway(pool, name) {
      await administer("rbd", "trash", "mv", `${pool}/${name}`);
    },
    async emptyTrash(pool) {
      await administer("rbd", "trash", "purge", "--no-progress", pool);
    },
    async forbidDeletion(isForbidden) {
      const value = isForbidden ? "false" : "true";
      await administer("ceph", "tell", "mon.*", "config", "set", "mon_allow_pool_delete", value);
    },
    async tryOut(role, action, pool) {
      const rbd = `rbd --conf ${cephConfFile(cluster.id)} --id ${userOf(role)}`;
      const image = `${pool}/probe`;
      const attempt = {
        list: `${rbd} ls ${pool}`,
        write: `${rbd} create --size 1M ${image} && ${rbd} rm --no-progress ${image}`,
      };
      const output = await run(`{ ${attempt[action]}; } 2>&1 > /dev/null && echo done || true`);
      if (output.trim() === "done") return true;
      if (/not permitted|permission denied/i.test(output)) return false;
      throw new Error(`${role} could neither ${action} ${pool} nor was refused: ${output}`);
    },
    async meddle(how) {
      const keyring = `${cephClientFolder(cluster.id)}/ceph.client.${userOf("cinder")}.keyring`;
      await run(describeMeddling(how, cephConfFile(cluster.id), keyring, cluster.id));
    },
    async renewKey(role) {
      const [entity, file] = [`client.${userOf(role)}`, join(lab.folder, "renewed")];
      const keyring = await administer("ceph", "auth", "get", entity);
      writeFileSync(file, keyring.replace(/key = .*/, `key = ${makeCephKey()}`), { mode: 0o600 });
      await administer("ceph", "auth", "import", "-i", file);
    },
    async useSecret(isUsed) {
      await run(
        isUsed
          ? `echo '${describeUser(cluster.id)}' > /tmp/user.xml && virsh define /tmp/user.xml`
          : "virsh undefine user",
      );
    },
    async keys() {
      const users = await Promise.all(
        cephRoles.map((role) => administer("ceph", "auth", "get-key", `client.${userOf(role)}`)),
      );
      return [readKey(cluster.keyringFile), ...users];
    },
    transcript: async () =>
      [...lab.commands, await run("rm /run/watching; tr '\\0' '\\n' < /run/seen | sort -u")].join("\n"),
    close: () => lab.close(),
  };
}

/** Writes down the arguments of all processes of the host, over and over, as long as a file is there. */
const watchArguments = `touch /run/watching
nohup sh -c 'while [ -e /run/watching ]; do cat /proc/[0-9]*/cmdline; sleep 0.005; done' > /run/seen 2> /dev/null < /dev/null &`;

const surveyClient = `virsh -q secret-list
virsh -q list --all
find /etc/stackyard /run -maxdepth 3 -path '*tackyard*' -type f -exec sha256sum {} + -exec stat -c '%n %a %u' {} + 2> /dev/null | sort`;

/** A domain with a disk in the cluster. */
function describeUser(clusterId: Parameters<typeof nameCephSecret>[0]): string {
  const auth = `<auth username="any"><secret type="ceph" uuid="${nameCephSecret(clusterId)}"/></auth>`;
  const source = `<source protocol="rbd" name="volumes/any"><host name="127.0.0.1"/></source>`;
  const disk = `<disk type="network" device="disk">${auth}${source}<target dev="vda" bus="virtio"/></disk>`;
  return `<domain type="qemu"><name>user</name><memory>65536</memory><os><type>hvm</type></os><devices>${disk}</devices></domain>`;
}

/** The commands by which somebody who knows the host does it. */
function describeMeddling(
  how: ClientMeddling,
  conf: string,
  keyring: string,
  clusterId: Parameters<typeof nameCephSecret>[0],
): string {
  switch (how) {
    case "remove the conf":
      return `rm ${conf}`;
    case "alter the conf":
      return `echo '# altered' >> ${conf}`;
    case "remove a keyring":
      return `rm ${keyring}`;
    case "alter a keyring":
      return `echo '# altered' >> ${keyring}`;
    case "open a keyring":
      return `chmod 644 ${keyring}`;
    case "remove the mark":
      return `rm ${cephClientFolder(clusterId)}/client.json`;
    case "hide a tool":
      return "mv /usr/bin/rbd /root/rbd";
    case "give the tool back":
      return "mv /root/rbd /usr/bin/rbd";
    case "undefine the secret":
      return `virsh secret-undefine ${nameCephSecret(clusterId)}`;
  }
}

describeCephPort("Ceph in a lab", openLab);
