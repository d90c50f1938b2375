import { join } from "node:path";
import { runProcess } from "../../lab/process.ts";
import { diskFile, volumeFile } from "../../providers/compute/layout.ts";
import { nameTunnel } from "../../providers/compute/marks.ts";
import { deriveId } from "../../providers/core/ids.ts";
import {
  describeComputePorts,
  handmadeBytes,
  type ComputeStage,
  type HandmadeDomain,
  type StagedMeddling,
} from "../contract/compute-ports.ts";
import { describeGuestImage, openComputeLab } from "../support/compute-lab.ts";

const { signal } = new AbortController();

/** Disks of domains that somebody defined by hand. */
const handmadeDisks = "/var/lib/libvirt/images/legacy.*";

/** Nobody listens there. */
const deafPort = 1;

async function openLab(): Promise<ComputeStage> {
  const lab = await openComputeLab("ports");
  const { compute, h1, h2 } = lab;
  const location = join(lab.folder, "blank.qcow2");
  await runProcess("qemu-img", ["create", "-q", "-f", "qcow2", location, "2G"]);
  return {
    compute,
    requests: [h1.request, h2.request],
    hosts: [h1.host, h2.host],
    gone: {
      ...h2.host,
      id: deriveId<"host">("gone"),
      name: "gone",
      address: { ...h2.host.address, name: "gone", port: deafPort },
    },
    image: await describeGuestImage((path) =>
      compute.images.inspectFile({ location: path, checksum: undefined }, "kernel", signal),
    ),
    disk: { location, checksum: undefined },
    domainOf: (n, image) => lab.guestOf(n, image),
    meddle: async (id, how) => {
      await h1.run(describeMeddling(id, how, h1.host.folder));
    },
    defineByHand: async (domain) => {
      await h1.run(describeByHand(domain));
    },
    digestOf: (place) => {
      const [path, format] =
        "diskPath" in place ? [place.diskPath, place.format] : [diskFile(h1.host.folder, place.id), "qcow2"];
      const read = `qemu-img dd -U -f ${format} -O raw bs=1M count=64 if=${path} of=/tmp/read`;
      return h1.run(`${read} && sha256sum < /tmp/read; rm -f /tmp/read`);
    },
    hasOpen: async (id, volume) => {
      const file = volumeFile(h1.host.folder, volume.id);
      const open = await h1.run(
        `for pid in $(pgrep -f "guest=stackyard-[^ ]* .*${id}"); do find /proc/$pid/fd -lname ${file}; done`,
      );
      return open !== "";
    },
    capacityOf: async (id, device) =>
      Number(await h1.run(`virsh domblkinfo ${id} ${device} | sed -n 's/^Capacity: *//p'`)),
    bootOf: (n, host = h1.host) =>
      [h1, h2].find((one) => one.host.id === host.id)?.inGuest(n, "cat /proc/sys/kernel/random/boot_id") ??
      Promise.reject(new Error(`the lab has no host ${host.name}`)),
    hostnameOf: async (n) => (await h1.inGuest(n, "hostname")).trim(),
    survey: async () =>
      [await lab.survey(), await h1.run(`stat -c '%n %u %a' ${handmadeDisks} 2> /dev/null || true`)].join(
        "\n",
      ),
    close: () => lab.close(),
  };
}

/** The commands by which somebody defines a domain, with a secret in it, that is started with its host. */
function describeByHand({ id, name, mac, diskPath, format }: HandmadeDomain): string {
  const disk = `<disk type="file" device="disk"><driver name="qemu" type="${format}"/><source file="${diskPath}"/><target dev="vda" bus="virtio"/></disk>`;
  const nic = `<interface type="bridge"><mac address="${mac}"/><source bridge="br-int"/><virtualport type="openvswitch"/></interface>`;
  const devices = `<devices>${disk}${nic}<graphics type="vnc" passwd="sesame"/></devices>`;
  const xml = `<domain type="qemu"><name>${name}</name><uuid>${id}</uuid><memory unit="MiB">64</memory><os><type>hvm</type></os>${devices}</domain>`;
  return `qemu-img create -q -f ${format} ${diskPath} ${String(handmadeBytes)} &&
    qemu-io -f ${format} -c 'write -q -P 0x5a 1M 8M' ${diskPath} && chown 1234 ${diskPath} && chmod 644 ${diskPath} &&
    echo '${xml}' > /tmp/handmade.xml && virsh define /tmp/handmade.xml && virsh autostart ${id} && rm /tmp/handmade.xml`;
}

/** The commands by which somebody who knows the host does it. */
function describeMeddling(id: string, how: StagedMeddling, folder: string): string {
  const [networkId = "", other = ""] = id.split("/");
  const disk = `${folder}/servers/${id}/disk`;
  const ports = `$(ovs-vsctl --bare --columns=name find interface external_ids:vm-id=${id})`;
  switch (how) {
    case "stop":
      return `virsh destroy ${id}`;
    case "pause":
      return `virsh suspend ${id}`;
    case "undefine":
      return `virsh destroy ${id}; virsh undefine ${id}`;
    case "forget its definition":
      return `virsh undefine ${id}`;
    case "grow the disk":
      return `qemu-img resize -f qcow2 ${disk} +1G`;
    case "replace the disk":
      return `qemu-img rebase -u -f qcow2 -F raw -b /elsewhere ${disk}`;
    case "remove the disk":
      return `rm ${disk}`;
    case "detach the volume":
      return `virsh detach-disk ${networkId} ${other} --live; until ! virsh domblklist ${networkId} | grep -w ${other}; do sleep 0.1; done`;
    case "retag its ports":
      return `for port in ${ports}; do ovs-vsctl set port $port tag=4000; done`;
    case "remove its ports":
      return `for port in ${ports}; do ovs-vsctl del-port $port; done`;
    case "define a foreign domain":
      return `echo '<domain type="qemu"><name>foreign</name><uuid>${id}</uuid><memory>65536</memory><os><type>hvm</type></os></domain>' > /tmp/foreign.xml && virsh define /tmp/foreign.xml`;
    case "start the foreign domain":
      return `virsh start ${id}`;
    case "stop the foreign domain":
      return `virsh destroy ${id}`;
    case "undefine the foreign domain":
      return `path=$(virsh -q domblklist ${id} | sed -n 's/^ *vda *//p'); virsh undefine ${id}; rm "$path"`;
    case "kill its DHCP server":
      return `kill $(cat ${folder}/networks/${id}/pid); sleep 0.2`;
    case "remove its DHCP entry":
      return `rm ${folder}/networks/${networkId}/ports/${other}`;
    case "remove the tunnel":
      return `ovs-vsctl del-port br-int ${nameTunnel(networkId, other)}`;
    case "alter its files":
      return `for file in ${folder}/images/${id}/*; do printf X | dd of=$file bs=1 conv=notrunc; done`;
    case "leave it half-made":
      return `mkdir -p ${folder}/volumes/${id} && touch ${folder}/volumes/${id}/disk.part`;
    case "hide a tool":
      return "mv /usr/bin/genisoimage /root/genisoimage";
    case "give the tool back":
      return "mv /root/genisoimage /usr/bin/genisoimage";
    case "remove its mark":
      return `rm ${folder}/cloud.json`;
  }
}

describeComputePorts("compute on lab hosts", openLab);
