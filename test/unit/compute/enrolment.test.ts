import { expect, test } from "vitest";
import { openHosts } from "../../../providers/compute/enrolment.ts";
import { brandId } from "../../../providers/core/ids.ts";
import type { EnrolRequest } from "../../../providers/core/ports.ts";
import { openCannedPool, printBridges } from "../../support/canned-host.ts";

const facts = `hostname kvm1
arch x86_64
kernel 6.1.0
bootId 4cda6a31-fc41-42ab-9697-eac43d615428
cpus 8
ramKib 16777216
diskKib 104857600
freeKib 83886080
kvm absent
cpuFlags 8
ovsVersion 3.1.0
datapaths [netdev]
libvirtVersion 9.0.0
qemuVersion 7.2.22
@@ addresses
[{"ifname":"eth0","addr_info":[{"local":"10.0.0.1","prefixlen":24,"scope":"global"}]}]
@@ capabilities
<capabilities><host><cpu><arch>x86_64</arch></cpu></host></capabilities>`;

/** What an unmarked host says of its wiring, with these lines for its folder. */
function printWiring(folder: string): string {
  const marks = JSON.stringify({ headings: ["external_ids"], data: [[["map", []]]] });
  return ["", folder, `${marks}\n`, printBridges(), "", "", "", "-\n"].join("<>\n");
}

const request: EnrolRequest = {
  id: brandId("11111111-1111-4111-8111-111111111111"),
  cloudId: brandId("22222222-2222-4222-8222-222222222222"),
  address: { name: "kvm1", transport: "ssh", address: "kvm1" },
  datapath: "netdev",
  virtType: undefined,
  tunnelAddress: "10.1.0.1/24",
  tunnelInterface: undefined,
  folder: "/var/lib/libvirt",
};

test("a folder in which someone else keeps what release would remove is refused before anything is written", async () => {
  const pool = openCannedPool({
    "look at how the host is wired": `${facts}\n<<wiring>>\n${printWiring("folder\nimages\n")}\n<<>> 0\n`,
  });

  await expect(openHosts(pool).enrol(request, new AbortController().signal)).rejects.toMatchObject({
    code: "not-ours",
    field: "folder",
    value: "/var/lib/libvirt",
  });
});
