import { describe, expect, it } from "vitest";
import { parseBridges, replaceFlows, transact } from "../../../providers/hosts/ovs.ts";

/** As ovs-vsctl 3.1 printed it. */
const output = [
  String.raw`{"data":[["br-int","netdev","secure",["set",[["uuid","p1"],["uuid","p2"]]],["map",[["stackyard-cloud","a \"b\" ,=$(x)"]]],["map",[]]],["br-ex","",["set",[]],["uuid","p3"],["map",[]],["map",[["hwaddr","02:00"]]]]],"headings":["name","datapath_type","fail_mode","ports","external_ids","other_config"]}`,
  `{"data":[[["uuid","p1"],"br-int",["set",[]],["set",[]],false,["uuid","i1"],["map",[]]],[["uuid","p2"],"vx2",101,["set",[3,4]],true,["uuid","i2"],["map",[]]],[["uuid","p3"],"bond",["set",[]],7,false,["set",[["uuid","i1"],["uuid","i2"]]],["map",[]]]],"headings":["_uuid","name","tag","trunks","protected","interfaces","external_ids"]}`,
  `{"data":[[["uuid","i1"],"br-int","internal",65534,["set",[]],["map",[]],["map",[]]],[["uuid","i2"],"vx2","vxlan",-1,"no such device",["map",[["key","1001"],["remote_ip","10.78.0.12"]]],["map",[]]]],"headings":["_uuid","name","type","ofport","error","options","external_ids"]}`,
  "",
].join("\n");

describe("parseBridges", () => {
  const [integration, external] = parseBridges(output);

  it("reads a bridge", () => {
    expect(integration).toMatchObject({
      name: "br-int",
      datapathType: "netdev",
      failMode: "secure",
      externalIds: { "stackyard-cloud": 'a "b" ,=$(x)' },
    });
  });

  it("reads ports and their interfaces", () => {
    expect(integration?.ports[1]).toEqual({
      name: "vx2",
      tag: 101,
      trunks: [3, 4],
      protected: true,
      externalIds: {},
      interfaces: [
        {
          name: "vx2",
          type: "vxlan",
          ofport: -1,
          error: "no such device",
          options: { key: "1001", remote_ip: "10.78.0.12" },
          externalIds: {},
        },
      ],
    });
  });

  it("takes the empty datapath type for the kernel's", () => {
    expect(external).toMatchObject({
      datapathType: "system",
      failMode: undefined,
      otherConfig: { hwaddr: "02:00" },
    });
  });

  it("reads sets of one that are written without their set", () => {
    expect(external?.ports.map(({ name, trunks }) => [name, trunks])).toEqual([["bond", [7]]]);
  });

  it.each(["", "ovs-vsctl: unix:db.sock: database connection failed", "{}\n{}\n{}"])("refuses %j", (text) => {
    expect(() => parseBridges(text)).toThrow(expect.objectContaining({ code: "command-failed" }) as Error);
  });
});

describe("transact", () => {
  it("makes one transaction of all steps", () => {
    const command = transact([
      { op: "add-bridge", bridge: "br-int" },
      { op: "add-port", bridge: "br-int", port: "vx" },
      { op: "set", table: "port", record: "vx", columns: { tag: 101, protected: true, trunks: [3, 4] } },
      { op: "set", table: "interface", record: "vx", columns: { type: "vxlan", options: { key: "7" } } },
      { op: "clear", table: "port", record: "vx", columns: ["tag", "trunks"] },
      { op: "remove-port", bridge: "br-int", port: "vx" },
      { op: "remove-bridge", bridge: "br-int" },
    ]);
    expect(command.text.replaceAll("'", "")).toBe(
      [
        "ovs-vsctl --timeout=10",
        "--may-exist add-br br-int",
        "--may-exist add-port br-int vx",
        "set port vx tag=101 protected=true trunks=[3,4]",
        'set interface vx type="vxlan" options:"key"="7"',
        "clear port vx tag trunks",
        "--if-exists del-port br-int vx",
        "--if-exists del-br br-int",
      ].join(" -- "),
    );
  });

  it("quotes a hostile value for Open vSwitch and for the shell", () => {
    const columns = { external_ids: { name: `"$(reboot)"'` } };
    expect(transact([{ op: "set", table: "bridge", record: "b", columns }]).text).toContain(
      String.raw`'external_ids:"name"="\"$(reboot)\"'\''"'`,
    );
  });
});

describe("replaceFlows", () => {
  it("takes the flows from standard input, all or none", () => {
    expect(replaceFlows("br-int").text).toBe("ovs-ofctl -O OpenFlow13 --bundle replace-flows -- 'br-int' -");
  });
});
