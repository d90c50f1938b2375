import { expect, test } from "vitest";
import { renderText, renderTransaction } from "../../../providers/compute/render.ts";

const tunnel = {
  bridge: "br-int",
  name: "vx0",
  localVlan: 7,
  cloudId: "c",
  networkId: "n",
  peerId: "p",
  type: "geneve",
  vni: 1007,
  localAddress: "10.0.0.1",
  remoteAddress: "10.0.0.2",
};

test("a transaction is words, one operation after another", () => {
  expect(renderTransaction("ovs/tunnel", tunnel).join(" ")).toBe(
    "-- --may-exist add-port br-int vx0" +
      " -- set port vx0 tag=7 protected=true external_ids:stackyard-cloud=c external_ids:stackyard-network=n external_ids:stackyard-peer=p" +
      " -- set interface vx0 type=geneve options:key=1007 options:local_ip=10.0.0.1 options:remote_ip=10.0.0.2",
  );
});

test("a value with a blank is refused in a transaction, since it would be two words", () => {
  expect(() => renderTransaction("ovs/tunnel", { ...tunnel, name: "vx0 -- del-br br-int" })).toThrow(
    expect.objectContaining({ code: "invalid-input", field: "name" }),
  );
});

test("a field that a template names and nobody gave is an error", () => {
  expect(() => renderTransaction("ovs/tunnel", { bridge: "br-int" })).toThrow(/not defined/);
});

test("flows drop what comes out of the network's tunnels from a DHCP server, and to one", () => {
  expect(renderText("ovs/network-flows", { cookie: "0x1", vni: 1007, dhcpMac: "fa:16:3e:00:00:01" })).toBe(
    "cookie=0x1,table=0,priority=200,tun_id=1007,dl_src=fa:16:3e:00:00:01,actions=drop\n" +
      "cookie=0x1,table=0,priority=200,tun_id=1007,udp,tp_dst=67,actions=drop\n",
  );
});

const dhcp = {
  networkId: "n",
  interface: "tap0",
  folder: "/f",
  domain: "d",
  leaseSeconds: 60,
  mtuBytes: 1450,
  subnets: [
    {
      id: "s1",
      base: "10.0.0.0",
      netmask: "255.255.255.0",
      gateway: "10.0.0.1",
      dnsServers: "9.9.9.9,1.1.1.1",
    },
    { id: "s2", base: "10.0.1.0", netmask: "255.255.255.0", gateway: undefined, dnsServers: "" },
  ],
};

test("the settings of DHCP are as before", async () => {
  await expect(renderText("dnsmasq/network.conf", dhcp)).toMatchFileSnapshot(
    "../../fixtures/compute/dnsmasq.conf",
  );
});

test("DHCP keeps no log file, which guests could fill the host's disk with", () => {
  expect(renderText("dnsmasq/network.conf", dhcp)).not.toContain("log-facility");
});

test("a value with a line break is refused in settings, since it would be a setting of its own", () => {
  expect(() => renderText("dnsmasq/network.conf", { ...dhcp, domain: "d\ndhcp-script=/x" })).toThrow(
    expect.objectContaining({ code: "invalid-input", field: "domain" }),
  );
});

test("a field deep inside is named by its path", () => {
  const subnets = [{ ...dhcp.subnets[0], gateway: "\n" }];
  expect(() => renderText("dnsmasq/network.conf", { ...dhcp, subnets })).toThrow(
    expect.objectContaining({ field: "subnets.0.gateway" }),
  );
});
