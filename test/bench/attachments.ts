import { renderVolumeDisk } from "../../providers/compute/disk-xml.ts";
import { nameDomain } from "../../providers/compute/marks.ts";
import { brandId } from "../../providers/core/ids.ts";
import type { AttachedVolume } from "../../providers/core/volume-backend.ts";
import { script, sh } from "../../providers/hosts/command.ts";
import type { CephStage } from "./ceph.ts";
import { compare, timeMs } from "./measurement.ts";
import type { Measurement } from "./measurement.ts";
import { virsh } from "./servers.ts";

/** Goal of plugging in and out, as a ratio to the bare command. */
const attachGoal = 1.3;
const runs = 5;
const detachLimitMs = 60_000;

/** Plugs a volume of a pool into a guest that runs, and out again. */
export async function benchAttachments(stage: CephStage): Promise<readonly Measurement[]> {
  const { bench, host, connection, project, poolIds, volumes: place, signal } = stage;
  const { cloud, make, compute } = bench;
  const flavor = await stage.flavorOf(1, poolIds.vms, 128);
  const network = await make("network", "net", { project });
  await make("subnet", "subnet", { project, network: network.id, cidr: "10.99.0.0/24" });
  const networks = [{ network: network.id }];
  const inputs = { project, flavor, image: stage.guestId, networks, waitFor: "ssh" };
  const server = await make("server", "guest", inputs);
  const type = await make("volume-type", "pool", { storagePool: poolIds.volumes });
  const volume = await make("volume", "data", { project, volumeType: type.id, sizeGib: 1 });
  const request = { type: "volume-attachment", maker: "bench/attachment", defaultName: "data" };
  const plan = await cloud.plan({
    ...request,
    inputs: { project, server: server.id, volume: volume.id, device: "vdc" },
  });
  const attached: AttachedVolume = {
    volume: { place, id: volume.id },
    device: "vdc",
    isReadOnly: false,
    isShared: false,
    qos: {},
  };
  const name = nameDomain(brandId<"resource">(server.id));
  const attachByHand = script(
    sh`cat > /tmp/bench-disk.xml`,
    virsh("attach-device", name, "/tmp/bench-disk.xml", "--live", "--config"),
  );
  const detachByHand = script(virsh("detach-disk", name, "vdc", "--live", "--config"));
  const took = {
    attach: { facade: new Array<number>(), port: new Array<number>(), bare: new Array<number>() },
    detach: { facade: new Array<number>(), port: new Array<number>(), bare: new Array<number>() },
  };
  for (let run = -1; run < runs; run++) {
    let id = "";
    const facadeMs = await timeMs(async () => {
      ({ id } = await cloud.apply({ ...request, inputs: plan.inputs }));
    });
    const facadeEndMs = await timeMs(() => cloud.remove("volume-attachment", id));
    const portMs = await timeMs(() => compute.domains.attachVolume(host, server.id, attached, signal));
    const portEndMs = await timeMs(() =>
      compute.domains.detachVolume(host, server.id, volume.id, detachLimitMs, signal),
    );
    const stdin = renderVolumeDisk(host, attached);
    const bareMs = await timeMs(() => connection.run(attachByHand, { stdin, attempting: "attach by hand" }));
    const bareEndMs = await timeMs(() => connection.run(detachByHand, { attempting: "detach by hand" }));
    if (run < 0) continue;
    took.attach.facade.push(facadeMs);
    took.attach.port.push(portMs);
    took.attach.bare.push(bareMs);
    took.detach.facade.push(facadeEndMs);
    took.detach.port.push(portEndMs);
    took.detach.bare.push(bareEndMs);
  }
  const row = (
    name: string,
    what: "attach" | "detach",
    by: "facade" | "port",
    against: string,
  ): Measurement => ({
    name,
    unit: "ms",
    ...compare(
      { own: took[what][by], baseline: took[what].bare },
      { name: against, ...(by === "port" ? { goal: attachGoal } : {}) },
    ),
  });
  const attach = "virsh attach-device of the same XML";
  const detach = "virsh detach-disk";
  return [
    row("attachment of a volume to a guest that runs, from the call", "attach", "facade", attach),
    row("the same attachment, on the host", "attach", "port", attach),
    row("removal of the attachment, from the call until the guest has let go", "detach", "facade", detach),
    row("the same removal, on the host", "detach", "port", detach),
  ];
}
