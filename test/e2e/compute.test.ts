import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildGuest } from "../../lab/guest/build.ts";
import { changePower } from "../../lab/lab.ts";
import {
  nameDhcpPort,
  nameDomain,
  nameNamespace,
  nameTap,
  nameTunnel,
} from "../../providers/compute/marks.ts";
import type { Adoption } from "../../providers/core/adoption.ts";
import { deriveId } from "../../providers/core/ids.ts";
import type { CachedImage, DomainSpec, ImageSpec, NetworkSpec } from "../../providers/core/ports.ts";
import { describeGuestImage, openComputeLab } from "../support/compute-lab.ts";
import type { ComputeLab } from "../support/compute-lab.ts";
import { addressOf, network as vxlan, portOf, readinessOf } from "../support/compute-specimens.ts";

const { signal } = new AbortController();
const silent = (): void => undefined;
const graceMs = 60_000;
const labName = "compute";
/** The other tests of hosts have VXLAN. */
const network: NetworkSpec = { ...vxlan, networkType: "geneve" };

let lab: ComputeLab;
let before: string;
let guestImage: ImageSpec;
let cached: CachedImage;
let guest1: DomainSpec;
let guest2: DomainSpec;

beforeAll(async () => {
  lab = await openComputeLab(labName);
  before = await lab.survey();
  guestImage = await describeGuestImage((location) =>
    lab.compute.images.inspectFile({ location, checksum: undefined }, "kernel", signal),
  );
});

afterAll(async () => {
  await lab.close();
});

/** What is wrong with the network on the first host, by field. */
async function findDrift(): Promise<readonly string[]> {
  const { h1, h2, compute } = lab;
  const drift = await compute.switching.observeNetwork(h1.host, network, [h2.host], [portOf(1)], signal);
  return drift.map(({ field }) => field);
}

function ensure(): Promise<void> {
  const { h1, h2, compute } = lab;
  return compute.switching.ensureNetwork(h1.host, network, [h2.host], [portOf(1)], signal);
}

function waitFor(n: 1 | 2, until: "running" | "ssh" | "cloud-init"): Promise<void> {
  const host = n === 1 ? lab.h1 : lab.h2;
  return lab.compute.domains.waitReady(host.host, serverId(n), readinessOf(n, until), silent, signal);
}

const serverId = (n: number) => deriveId<"resource">("server", String(n));

describe("enrolment", () => {
  beforeAll(async () => {
    await Promise.all(
      [lab.h1, lab.h2].map(({ request }) => lab.compute.hosts.enrol(request, silent, signal)),
    );
  });

  test("names what was changed by hand, and mends it", async () => {
    await lab.h1.run("ovs-ofctl del-flows br-int; ip address flush dev br-underlay");
    const { drift } = await lab.compute.hosts.observe(lab.h1.request, signal);
    expect(drift.map(({ field }) => field)).toEqual(["br-int.flows", "tunnelAddress"]);
    await lab.compute.hosts.enrol(lab.h1.request, silent, signal);
    expect((await lab.compute.hosts.observe(lab.h1.request, signal)).drift).toEqual([]);
  });
});

describe("images", () => {
  test("reach a host once, however many ask at the same time", async () => {
    const lines: string[] = [];
    const ask = () =>
      lab.compute.images.ensureCached(lab.h1.host, guestImage, (line) => lines.push(line), signal);
    const [first, second] = await Promise.all([
      ask(),
      ask(),
      lab.compute.images.ensureCached(lab.h2.host, guestImage, silent, signal),
    ]);
    cached = first;
    expect(second).toEqual(first);
    expect(lines.filter((line) => line.startsWith("bringing"))).toHaveLength(2);
  });

  describe("from a server", () => {
    let server: Server;
    let location: string;

    beforeAll(async () => {
      const { qcow2 } = await buildGuest();
      server = createServer((_request, response) => createReadStream(qcow2).pipe(response));
      const { gateway } = lab.inventory.networks.management;
      await new Promise<void>((resolve) => server.listen(0, gateway, resolve));
      const address = server.address();
      location = `http://${gateway}:${String(typeof address === "object" ? address?.port : 0)}/guest.qcow2`;
    });

    afterAll(() => server.close());

    test("are fetched by the host itself, checked there, and disks lie on them", async () => {
      const { compute, h1 } = lab;
      const source = { location, checksum: undefined };
      const facts = await compute.images.inspectDisk(source, { format: "qcow2", field: "disk" }, signal);
      const id = deriveId<"resource">("served image");
      const spec = { id, name: "served", disk: { source, facts }, kernel: undefined, initrd: undefined };
      const disk = await compute.images.ensureCached(h1.host, spec, silent, signal);
      const server3 = lab.guestOf(3, disk);
      const bare = { ...server3, interfaces: [], image: { ...server3.image, diskFormat: "qcow2" as const } };
      await compute.domains.spawn(h1.host, bare, false, signal);
      const info = await h1.run(`qemu-img info --output=json ${h1.host.folder}/servers/${bare.id}/disk`);
      expect(JSON.parse(info)).toMatchObject({
        "virtual-size": 1024 ** 3,
        "backing-filename": disk.diskPath,
      });
      await compute.domains.spawn(h1.host, { ...bare, diskGib: 2 }, false, signal);
      const grown = await h1.run(`qemu-img info --output=json ${h1.host.folder}/servers/${bare.id}/disk`);
      expect(JSON.parse(grown)).toMatchObject({ "virtual-size": 2 * 1024 ** 3 });
      await compute.domains.remove(h1.host, bare.id, signal);
      await compute.images.removeCached(h1.host, id, signal);
      expect(await h1.run(`ls ${h1.host.folder}/images ${h1.host.folder}/jobs`)).not.toContain(id);
    });

    test("that changed after they were looked at are refused", async () => {
      const source = { location, checksum: undefined };
      const facts = {
        format: "qcow2",
        sizeBytes: 1,
        virtualSizeBytes: 1,
        checksum: `sha256:${"0".repeat(64)}`,
      } as const;
      const id = deriveId<"resource">("changed image");
      const spec = { id, name: "changed", disk: { source, facts }, kernel: undefined, initrd: undefined };
      await expect(lab.compute.images.ensureCached(lab.h1.host, spec, silent, signal)).rejects.toMatchObject({
        code: "image-checksum",
      });
      await lab.compute.images.removeCached(lab.h1.host, id, signal);
    });
  });
});

describe("a domain that is taken over", () => {
  const id = serverId(8);
  const diskPath = "/var/lib/libvirt/images/legacy.qcow2";
  let adoption: Adoption;

  beforeAll(async () => {
    const disk = `<disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="${diskPath}"/><target dev="vda"/></disk>`;
    const xml = `<domain type="qemu"><name>legacy</name><uuid>${id}</uuid><memory>65536</memory><os><type>hvm</type></os><devices>${disk}<graphics type="vnc" passwd="sesame"/></devices></domain>`;
    await lab.h1.run(
      `qemu-img create -q -f qcow2 ${diskPath} 1M; echo '${xml}' > /tmp/legacy.xml; virsh define /tmp/legacy.xml`,
    );
    const found = await lab.compute.domains.lookAtForeign(lab.h1.host, "legacy", signal);
    adoption = {
      hostId: lab.h1.host.id,
      domain: "legacy",
      fingerprint: found?.fingerprint ?? "",
      diskPath,
      diskFormat: "qcow2",
      transfer: "move",
      diskBytes: 1024 ** 2,
    };
  });

  const takeOver = () => lab.compute.domains.takeOver(lab.h1.host, id, adoption, silent, signal);
  const giveBack = () => lab.compute.domains.giveBack(lab.h1.host, id, adoption, 0, signal);
  const folder = () => `${lab.h1.host.folder}/servers/${id}`;
  const listFiles = () => lab.h1.run(`ls ${folder()} ${diskPath} 2> /dev/null || true`);

  test("is taken over to the end by one who comes after the host was killed between its definition and its disk", async () => {
    await lab.h1.run(
      `mkdir -p ${folder()}; virsh dumpxml --inactive --security-info ${id} > ${folder()}/adopted.xml; virsh undefine ${id}`,
    );
    await takeOver();
    expect(await listFiles()).toBe(`${folder()}:\nadopted.owner\nadopted.xml\ndisk`);
  });

  test("and by one who comes after it was killed while the disk had two names", async () => {
    await lab.h1.run(`ln ${folder()}/disk ${diskPath}`);
    await takeOver();
    expect(await listFiles()).toBe(`${folder()}:\nadopted.owner\nadopted.xml\ndisk`);
  });

  test("is not put over another file in its disk's place", async () => {
    await lab.h1.run(`echo other > ${diskPath}`);
    await expect(giveBack()).rejects.toMatchObject({ code: "conflict", value: diskPath });
    expect(await lab.h1.run(`cat ${diskPath}; rm ${diskPath}; ls ${folder()}`)).toBe(
      "other\nadopted.owner\nadopted.xml\ndisk",
    );
  });

  test("is given back with the secrets of its definition", async () => {
    await giveBack();
    expect(await listFiles()).toBe(diskPath);
    const xml = await lab.h1.run(`virsh dumpxml --security-info ${id}; virsh undefine ${id}; rm ${diskPath}`);
    expect(xml).toContain("passwd='sesame'");
  });
});

describe("servers on two hosts", () => {
  beforeAll(async () => {
    const { compute, h1, h2 } = lab;
    guest1 = { ...lab.guestOf(1, cached), autostart: true };
    guest2 = lab.guestOf(2, cached);
    await Promise.all([
      compute.switching.ensureNetwork(h1.host, network, [h2.host], [portOf(1)], signal),
      compute.switching.ensureNetwork(h2.host, network, [h1.host], [portOf(2)], signal),
    ]);
    await Promise.all([
      compute.domains.spawn(h1.host, guest1, true, signal).then(() => waitFor(1, "cloud-init")),
      compute.domains.spawn(h2.host, guest2, true, signal).then(() => waitFor(2, "cloud-init")),
    ]);
  });

  test("reach each other through the tunnel, by the addresses and names that DHCP gave", async () => {
    const answer = await lab.h1.inGuest(1, `hostname; ping -c 1 -W 5 ${addressOf(2)}`);
    expect(answer).toMatch(/^guest1\n[^]*1 packets received/);
  });

  test("have a DHCP server that writes nothing that grows", async () => {
    expect(await lab.h1.run(`ls ${lab.h1.host.folder}/networks/${network.id}`)).toBe(
      "boot\ndnsmasq.conf\nleases\npid\nports",
    );
  });

  test("get their tunnel, their DHCP namespace and their flows back", async () => {
    const tunnel = nameTunnel(network.id, lab.h2.host.id);
    const namespace = nameNamespace(network.id);
    await lab.h1.run(`ovs-vsctl del-port ${tunnel}; ovs-ofctl del-flows br-int`);
    await lab.h1.run(
      `kill $(cat ${lab.h1.host.folder}/networks/${network.id}/pid); ip netns delete ${namespace}; sleep 0.2`,
    );
    expect(await findDrift()).toEqual([
      "tunnels.h2",
      "flows.normal",
      "flows.dhcp",
      "dhcp.device",
      "dhcp.server",
    ]);
    await ensure();
    expect(await findDrift()).toEqual([]);
    await waitFor(1, "ssh");
  });

  test("get their own port back, with its tag, while they run", async () => {
    const tap = nameTap(portOf(1).id);
    await lab.h1.run(`ovs-vsctl del-port br-int ${tap}`);
    expect(await findDrift()).toEqual([`ports.${portOf(1).id}.device`]);
    await ensure();
    expect(
      await lab.h1.run(`ovs-vsctl get port ${tap} tag; ovs-vsctl get interface ${tap} external_ids:iface-id`),
    ).toBe(`1\n"${portOf(1).id}"`);
    await waitFor(1, "ssh");
  });

  test("get the right tag back on ports that were retagged", async () => {
    await lab.h1.run(
      `ovs-vsctl set port ${nameTap(portOf(1).id)} tag=99; ovs-vsctl set port ${nameDhcpPort(network.id)} tag=98`,
    );
    expect(await findDrift()).toEqual(["dhcp.tag", `ports.${portOf(1).id}.device`]);
    await ensure();
    expect(await findDrift()).toEqual([]);
  });

  test("power off by themselves when they are asked to stop", async () => {
    const { compute, h1 } = lab;
    await compute.domains.stop(h1.host, guest1.id, graceMs, signal);
    expect(await h1.run(`virsh domstate --reason ${guest1.id}`)).toBe("shut off (shutdown)");
  });

  test("that stop while they are waited for fail at once, with the end of their console", async () => {
    const { compute, h1 } = lab;
    await compute.domains.start(h1.host, guest1.id, signal);
    const waiting = expect(waitFor(1, "cloud-init")).rejects.toMatchObject({
      code: "not-ready",
      message: expect.stringContaining("the domain is shut off (destroyed)") as unknown,
      notes: [expect.stringContaining("console")],
    });
    await h1.run(`sleep 1; virsh destroy ${nameDomain(guest1.id)}`);
    await waiting;
  });

  test("and a foreign domain of the same name is left alone", async () => {
    const { compute, h1 } = lab;
    const id = deriveId<"resource">("server", "5");
    const xml = `<domain type="qemu"><name>${nameDomain(id)}</name><memory>65536</memory><os><type>hvm</type></os></domain>`;
    await h1.run(`echo '${xml}' > /tmp/foreign.xml; virsh define /tmp/foreign.xml`);
    const made = await lab.survey();
    const spec = { ...lab.guestOf(5, cached), interfaces: [] };
    await expect(compute.domains.spawn(h1.host, spec, true, signal)).rejects.toMatchObject({
      code: "not-ours",
    });
    await expect(compute.domains.remove(h1.host, id, signal)).rejects.toMatchObject({ code: "not-ours" });
    expect(await lab.survey()).toBe(made);
    await h1.run(`virsh undefine ${nameDomain(id)}`);
  });
});

describe("a host that lost its power", () => {
  test("comes back as it was declared: its wiring, its networks, and the server that is to run", async () => {
    const { compute, h1 } = lab;
    await changePower(labName, "h1", "cut");
    await changePower(labName, "h1", "on");
    await waitFor(1, "cloud-init");
    expect((await compute.hosts.observe(h1.request, signal)).drift).toEqual([]);
    expect(await findDrift()).toEqual([]);
    const found = await compute.domains.observe(h1.host, guest1, signal);
    expect(found).toMatchObject({ state: "running", drift: [] });
  });

  test("leaves a server off that is not to run", async () => {
    const { compute, h1 } = lab;
    await compute.domains.stop(h1.host, guest1.id, 0, signal);
    const off = { ...guest1, autostart: false };
    await compute.domains.spawn(h1.host, off, false, signal);
    await changePower(labName, "h1", "cut");
    await changePower(labName, "h1", "on");
    expect(await findDrift()).toEqual([]);
    const found = await compute.domains.observe(h1.host, off, signal);
    expect(found).toMatchObject({ state: "shut-off", drift: [] });
  });
});

describe("removal", () => {
  test("tolerates absence, and leaves the hosts as they were before", async () => {
    const { compute, h1, h2 } = lab;
    await compute.domains.remove(h1.host, guest1.id, signal);
    await compute.domains.remove(h2.host, guest2.id, signal);
    await compute.domains.remove(h2.host, guest2.id, signal);
    expect(await compute.domains.observe(h2.host, guest2, signal)).toBeUndefined();
    await compute.switching.releaseNetwork(h1.host, network, [h2.host], [portOf(1).id], signal);
    await compute.switching.releaseNetwork(h2.host, network, [], [portOf(2).id], signal);
    await compute.switching.releaseNetwork(h2.host, network, [], [portOf(2).id], signal);
    await compute.images.removeCached(h1.host, guestImage.id, signal);
    await compute.hosts.release(h1.request, signal);
    await compute.hosts.release(h2.request, signal);
    await compute.hosts.release(h2.request, signal);
    expect(await lab.survey()).toBe(before);
  });
});
