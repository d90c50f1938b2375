import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildGuest } from "../../lab/guest/build.ts";
import { readInventory } from "../../lab/inventory.ts";
import { bringUp, cutLink, mendLink, runOnHost } from "../../lab/lab.ts";
import { parseTopology } from "../../lab/topology.ts";
import { openCompute } from "../../providers/compute/compute.ts";
import { nameDhcpPort, nameDomain, nameTap } from "../../providers/compute/marks.ts";
import { readConfig } from "../../providers/config/config.ts";
import type { Cloud, DriftReport, ResourceView } from "../../providers/core/cloud.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { openHostPool } from "../../providers/hosts/pool.ts";
import { connectSsh } from "../../providers/hosts/ssh.ts";
import { openCloud } from "../../providers/wiring.ts";
import { make, makerOf, textOf } from "../support/cloud.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";

const labName = "drift";
const servers = ["web", "db"] as const;
const hostOf = { web: "h1", db: "h2" } as const;

let labs: LabFolder;
let cloud: Cloud;
let web: ResourceView;
let image: ResourceView;
let network: ResourceView;
let imageInputs: JsonObject;
let inputs: JsonObject;
/** Commands that were run on hosts, in order. */
const asked: { readonly host: string; readonly isLook: boolean }[] = [];

beforeAll(async () => {
  labs = openLabFolder("drift");
  const [, guest] = await Promise.all([bringUp(parseTopology({ name: labName, hosts: 2 })), buildGuest()]);
  const config = readConfig({ STACKYARD_HOME: labs.path });
  const ssh = { environment: config.ssh };
  const pool = openHostPool({
    ssh,
    connect: async (address) => {
      const connection = await connectSsh(address, ssh);
      return {
        ...connection,
        run: (command, options) => {
          asked.push({ host: address.name, isLook: options?.readOnly === true });
          return connection.run(command, options);
        },
      };
    },
  });
  cloud = await openCloud({ config, compute: { ...openCompute({ pool }), close: () => pool.closeAll() } });
  const ids: string[] = [];
  for (const { name, ...host } of readInventory(labName).hosts)
    ids.push((await make(cloud, "host", name, { ...host, availabilityZone: name })).id);
  imageInputs = { disk: { location: guest.qcow2 } };
  image = await make(cloud, "image", "guest", imageInputs);
  network = await make(cloud, "network", "net");
  await make(cloud, "subnet", "subnet", { network: network.id, cidr: "10.60.0.0/24" });
  const flavor = await make(cloud, "flavor", "tiny", { vcpus: 2, ramMib: 160, diskGib: 1 });
  inputs = {
    flavor: flavor.id,
    image: image.id,
    networks: [{ network: network.id }],
    timeouts: { shutdown: 1 },
  };
  const made = await Promise.all(servers.map((name) => repairServer(name)));
  web = made[0] ?? web;
  const { id: volumeType } = await make(cloud, "volume-type", "files");
  const volume = await make(cloud, "volume", "data", { volumeType, host: ids[0] ?? "", sizeGib: 1 });
  await make(cloud, "snapshot", "kept", { volume: volume.id });
});

afterAll(async () => {
  await cloud.close();
  await labs.close();
});

function repairServer(name: (typeof servers)[number]): Promise<ResourceView> {
  return make(cloud, "server", name, { ...inputs, availabilityZone: hostOf[name] });
}

async function onHost(command: string): Promise<string> {
  const { exitCode, stdout, stderr } = await runOnHost(labName, "h1", ["sh", "-c", command]);
  if (exitCode !== 0) throw new Error(`${command}: ${String(exitCode)}\n${stderr}`);
  return stdout.trim();
}

/** Names that a command for the host needs. */
function names() {
  const [nic] = web.outputs["interfaces"] as readonly JsonObject[];
  const folder = "/var/lib/libvirt/images/stackyard";
  return {
    domain: nameDomain(web.id),
    mac: textOf(nic ?? {}, "mac"),
    tap: nameTap(textOf(nic ?? {}, "port")),
    dhcpPort: nameDhcpPort(network.id),
    folder: `${folder}/images`,
    disk: `${folder}/servers/${web.id}/disk`,
    base: `${folder}/images/${image.id}/disk`,
    pidFile: `${folder}/networks/${network.id}/pid`,
  };
}

function summarize({ findings }: DriftReport): readonly string[] {
  return findings.map(
    ({ resource, host, field, label }) =>
      `${resource.name} on ${host ?? "?"}: ${field.replace(/ports\.[^.]+/, "ports")} ${label ?? "stays"}`,
  );
}

function pid(): Promise<string> {
  return onHost(`cat /run/libvirt/qemu/${names().domain}.pid || true`);
}

test("what was just made has no drift, and one round trip a host tells", async () => {
  asked.length = 0;
  const report = await cloud.drift();
  expect(report).toMatchObject({ findings: [], failures: [] });
  expect(asked.map(({ host }) => host).toSorted()).toEqual(["h1", "h2"]);
});

test("a preview names host, XML and commands of a change, and only looks at the host", async () => {
  const flavor = await make(cloud, "flavor", "small", { vcpus: 1, ramMib: 160, diskGib: 1 });
  const [before, files] = [await pid(), await onHost(`ls -lR --time-style=full-iso ${names().folder}`)];
  asked.length = 0;
  const preview = await cloud.preview({
    type: "server",
    inputs: { ...inputs, availabilityZone: "h1", flavor: flavor.id },
    prior: web.inputs,
    maker: makerOf("server", "web"),
    defaultName: "web",
  });
  expect(preview).toMatchObject({ change: { label: "restart" }, placement: { host: "h1", isKept: true } });
  expect(preview).not.toHaveProperty("incomplete");
  expect(preview.domains[0]?.before).toContain("<vcpu>2</vcpu>");
  expect(preview.domains[0]?.after).toContain("<vcpu>1</vcpu>");
  expect(preview.commands.map(({ purpose }) => purpose.replace(/ \S*-\S*$/, ""))).toEqual([
    "stop server",
    "build server",
    "wait for server",
  ]);
  expect(asked.filter(({ isLook }) => !isLook)).toEqual([]);
  expect([await pid(), await onHost(`ls -lR --time-style=full-iso ${names().folder}`)]).toEqual([
    before,
    files,
  ]);
});

test("images that are read whole are what they were", async () => {
  expect(await cloud.drift({ deep: true })).toMatchObject({ findings: [], failures: [] });
});

describe("what is done by hand is found, by the scan as by a read, and repaired as its label says", () => {
  test.each<{
    readonly what: string;
    readonly by: () => string;
    readonly found: readonly string[];
    readonly process: "same" | "other";
  }>([
    {
      what: "a server stopped",
      by: () => `virsh destroy ${names().domain}`,
      found: ["web on h1: running live"],
      process: "other",
    },
    {
      what: "a server paused",
      by: () => `virsh suspend ${names().domain}`,
      found: ["web on h1: running live"],
      process: "same",
    },
    {
      what: "a domain undefined",
      by: () => `virsh destroy ${names().domain}; virsh undefine ${names().domain}`,
      found: ["web on h1: domain live"],
      process: "other",
    },
    {
      what: "a running domain's definition gone",
      by: () => `virsh undefine ${names().domain}`,
      found: ["web on h1: definition live"],
      process: "same",
    },
    {
      what: "a processor taken from the definition",
      by: () => `virsh setvcpus ${names().domain} 1 --config`,
      found: ["web on h1: definition.vcpus live"],
      process: "same",
    },
    {
      what: "memory taken from the definition and the guest",
      by: () =>
        `virsh setmem ${names().domain} 131072 --config; virsh setmaxmem ${names().domain} 131072 --config; ` +
        `virsh destroy ${names().domain}; virsh start ${names().domain}`,
      found: ["web on h1: ramMib restart"],
      process: "other",
    },
    {
      what: "an interface detached from the definition and the guest",
      by: () =>
        `virsh detach-interface ${names().domain} bridge --mac ${names().mac} --config; ` +
        `virsh destroy ${names().domain}; virsh start ${names().domain}`,
      found: ["web on h1: interfaces restart"],
      process: "other",
    },
    {
      what: "a disk grown",
      by: () => `virsh blockresize ${names().domain} vda 2G`,
      found: ["web on h1: diskBytes live"],
      process: "same",
    },
    {
      what: "a port removed from Open vSwitch",
      by: () => `ovs-vsctl del-port br-int ${names().tap}`,
      found: ["web on h1: ports.device live"],
      process: "same",
    },
    {
      what: "ports retagged",
      by: () => `ovs-vsctl set port ${names().tap} tag=99 -- set port ${names().dhcpPort} tag=98`,
      found: ["web on h1: dhcp.tag live", "web on h1: ports.device live"],
      process: "same",
    },
    {
      what: "a DHCP server killed",
      by: () => `kill $(cat ${names().pidFile}); sleep 0.2`,
      found: ["web on h1: dhcp.server live"],
      process: "same",
    },
  ])("$what", async ({ by, found, process }) => {
    await onHost(by());
    const before = await pid();
    const report = await cloud.drift();
    expect(summarize(report)).toEqual(found);
    const alone = await cloud.read("server", web.id);
    expect(report.findings).toEqual(
      alone?.drift.map((drift) => ({ resource: { type: "server", id: web.id, name: "web" }, ...drift })),
    );
    await repairServer("web");
    expect((await pid()) === before ? "same" : "other").toBe(process);
    expect(await cloud.drift()).toMatchObject({ findings: [], failures: [] });
  });
});

test("a disk that was replaced is told, and kept, as long as it is there", async () => {
  const { disk, domain } = names();
  await onHost(`virsh destroy ${domain}; mv ${disk} ${disk}.away; qemu-img create -q -f qcow2 ${disk} 2G`);
  expect(summarize(await cloud.drift())).toEqual(["web on h1: running live", "web on h1: disk stays"]);
  await onHost(`mv ${disk}.away ${disk}`);
  await repairServer("web");
  expect(await cloud.drift()).toMatchObject({ findings: [] });
});

test("a disk that was removed is made anew", async () => {
  const { disk, domain } = names();
  await onHost(`virsh destroy ${domain}; rm ${disk}`);
  expect(summarize(await cloud.drift())).toEqual(["web on h1: running live", "web on h1: disk data-loss"]);
  await repairServer("web");
  expect(await cloud.drift()).toMatchObject({ findings: [] });
});

test("an image that was altered in the cache is brought anew; one that was only touched is found right", async () => {
  const { base } = names();
  await onHost(`printf x | dd of=${base} bs=1 seek=100000 conv=notrunc status=none`);
  expect(summarize(await cloud.drift())).toEqual(["guest on h1: cache.disk live"]);
  expect(summarize(await cloud.drift({ deep: true }))).toEqual(["guest on h1: cache.disk live"]);
  await make(cloud, "image", "guest", imageInputs);
  expect(await cloud.drift({ deep: true })).toMatchObject({ findings: [] });
  await onHost(`touch ${base}`);
  expect(summarize(await cloud.drift())).toEqual(["guest on h1: cache.disk live"]);
  expect(summarize(await cloud.drift({ deep: true }))).toEqual([]);
  const inode = await onHost(`stat -c %i ${base}`);
  await make(cloud, "image", "guest", imageInputs);
  expect(await onHost(`stat -c %i ${base}`)).toBe(inode);
  expect(await cloud.drift()).toMatchObject({ findings: [] });
});

test("a host's wiring is its own drift", async () => {
  await onHost("ovs-ofctl del-flows br-int");
  expect(summarize(await cloud.drift())).toEqual([
    "h1 on h1: br-int.flows live",
    "web on h1: flows.normal live",
    "web on h1: flows.dhcp live",
  ]);
  await repairServer("web");
  expect(await cloud.drift()).toMatchObject({ findings: [] });
});

test("a foreign domain in a server's place is told, and left alone", async () => {
  const { domain } = names();
  const xml = `<domain type="qemu"><name>${domain}</name><memory>65536</memory><os><type>hvm</type></os></domain>`;
  await onHost(
    `virsh destroy ${domain}; virsh undefine ${domain}; echo '${xml}' > /tmp/foreign.xml; virsh define /tmp/foreign.xml`,
  );
  expect(summarize(await cloud.drift())).toEqual(["web on h1: domain stays"]);
  await expect(repairServer("web")).rejects.toMatchObject({ code: "not-ours" });
  await onHost(`virsh undefine ${domain}`);
  await repairServer("web");
  expect(await cloud.drift()).toMatchObject({ findings: [] });
});

test("a host that cannot be reached is a failure, and the other's findings are there", async () => {
  await onHost(`virsh destroy ${names().domain}`);
  await cutLink(labName, "h2", "management");
  const report = await cloud.drift();
  expect(summarize(report)).toEqual(["web on h1: running live"]);
  expect(
    report.failures.map(({ host, error, resources }) => [
      host,
      error.code,
      resources.map(({ name }) => name).toSorted(),
    ]),
  ).toEqual([["h2", "host-unreachable", ["db", "guest", "h2"]]]);
  await mendLink(labName, "h2", "management");
});
