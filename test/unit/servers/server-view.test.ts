import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { nameTap } from "../../../providers/compute/marks.ts";
import type { JsonObject } from "../../../providers/core/json.ts";
import type { DomainSpec } from "../../../providers/core/ports.ts";
import { declaredBytes } from "../../../providers/servers/server-view.ts";
import { hostInputs, makeSmallWorld, nameOfHost, TestCloud, type SmallWorld } from "../../support/cloud.ts";

let test1: TestCloud;
let world: SmallWorld;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1);
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

/** What the host is asked to build for a server with these inputs. */
async function buildWith(inputs: JsonObject): Promise<DomainSpec | undefined> {
  const spawn = vi.spyOn(test1.compute.domains, "spawn");
  await test1.make("server", "web", { ...world.server, ...inputs });
  return spawn.mock.lastCall?.[1];
}

/** A network with one subnet. */
async function networkWith(subnet: JsonObject): Promise<string> {
  const { id } = await test1.make("network", "other");
  await test1.make("subnet", "other", { network: id, cidr: "10.8.0.0/23", ...subnet });
  return id;
}

describe("network_data.json", () => {
  test("leaves a subnet with DHCP to DHCP", async () => {
    const network = await networkWith({ gateway: "10.8.0.1" });
    const spec = await buildWith({ networks: [{ network }] });
    expect(spec?.configDrive.networkData).toMatchObject({
      networks: [{ id: "network0", network_id: network, type: "ipv4_dhcp" }],
    });
  });

  test("tells address, mask and default route where there is no DHCP", async () => {
    const network = await networkWith({ enableDhcp: false, gateway: "10.8.0.1" });
    const spec = await buildWith({ networks: [{ network, address: "10.8.0.7" }] });
    expect(spec?.configDrive.networkData).toMatchObject({
      networks: [
        {
          type: "ipv4",
          ip_address: "10.8.0.7",
          netmask: "255.255.254.0",
          routes: [{ network: "0.0.0.0", netmask: "0.0.0.0", gateway: "10.8.0.1" }],
        },
      ],
    });
  });

  test("names each name server once", async () => {
    const network = await networkWith({ dnsServers: ["10.8.0.2", "10.8.0.3"] });
    const spec = await buildWith({ networks: [{ network }, { network }] });
    expect(spec?.configDrive.networkData).toMatchObject({
      services: [
        { type: "dns", address: "10.8.0.2" },
        { type: "dns", address: "10.8.0.3" },
      ],
    });
  });
});

test("meta_data.json has the zone of the host that was chosen", async () => {
  await test1.make("host", nameOfHost(1), { ...hostInputs(1), availabilityZone: "attic" });
  const spec = await buildWith({});
  expect(spec?.configDrive.metaData).toMatchObject({ availability_zone: "attic" });
});

describe("a switch in any of Nova's spellings", () => {
  test.each(["yes", "True", "1", "on"])("%s gives a channel to the guest's agent", async (value) => {
    const image = await test1.make("image", "agent", {
      disk: { location: "/images/cirros.qcow2" },
      properties: { hw_qemu_guest_agent: value },
    });
    expect((await buildWith({ image: image.id }))?.hardware.guestAgent).toBe(true);
  });

  test.each(["False", "no", "0"])("%s takes the random number generator away", async (value) => {
    const flavor = await test1.make("flavor", "plain", {
      vcpus: 1,
      ramMib: 256,
      diskGib: 1,
      extraSpecs: { "hw_rng:allowed": value },
    });
    expect((await buildWith({ flavor: flavor.id }))?.hardware.rng).toBe(false);
  });

  test("left out gives the generator and no channel", async () => {
    expect((await buildWith({}))?.hardware).toMatchObject({ rng: true, guestAgent: false });
  });
});

test("interfaces of one server have devices of their own", async () => {
  const spec = await buildWith({ networks: [{ network: world.network.id }, { network: world.network.id }] });
  expect(new Set(spec?.interfaces.map(({ portId }) => nameTap(portId))).size).toBe(2);
});

test.each([
  ["hw_disk_bus", "fdc"],
  ["hw_vif_model", "ivshmem-plain"],
])("an image whose %s is %s builds nothing", async (key, value) => {
  const disk = { location: "/images/cirros.qcow2" };
  const image = await test1.make("image", "odd", { disk, properties: { [key]: value } });
  await expect(buildWith({ image: image.id })).rejects.toThrow(
    `image has the property ${key} ${value}: not one of`,
  );
});

test.each([
  ["the flavor's", 2, 5, 2 * 2 ** 30],
  ["the image's with a flavor of 0 GiB", 0, 5, 5],
  ["open without either", 0, undefined, undefined],
])("the size of a new root disk is %s", (_whose, diskGib, imageBytes, bytes) => {
  expect(declaredBytes(diskGib, imageBytes)).toBe(bytes);
});
