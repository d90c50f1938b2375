import { describe, expect, it } from "vitest";
import { parseBridges } from "../../../providers/hosts/ovs.ts";

/** As ovs-vsctl 3.1 printed it. */
const output = [
  String.raw`{"data":[["br-int","netdev",["set",[["uuid","p1"],["uuid","p2"]]],["map",[["stackyard-cloud","a \"b\" ,=$(x)"]]]],["br-ex","",["uuid","p3"],["map",[]]]],"headings":["name","datapath_type","ports","external_ids"]}`,
  `{"data":[[["uuid","p1"],"br-int",["set",[]],false,["uuid","i1"],["map",[]]],[["uuid","p2"],"vx2",101,true,["uuid","i2"],["map",[]]],[["uuid","p3"],"bond",["set",[7]],false,["set",[["uuid","i1"],["uuid","i2"]]],["map",[]]]],"headings":["_uuid","name","tag","protected","interfaces","external_ids"]}`,
  `{"data":[[["uuid","i1"],"",["map",[]]],[["uuid","i2"],"geneve",["map",[["key","1001"],["remote_ip","10.78.0.12"]]]]],"headings":["_uuid","type","options"]}`,
  "",
].join("\n");

describe("parseBridges", () => {
  const [integration, external] = parseBridges(output);

  it("reads a bridge", () => {
    expect(integration).toMatchObject({
      name: "br-int",
      datapathType: "netdev",
      externalIds: { "stackyard-cloud": 'a "b" ,=$(x)' },
    });
  });

  it("reads ports and their interfaces", () => {
    expect(integration?.ports[1]).toEqual({
      name: "vx2",
      tag: 101,
      protected: true,
      externalIds: {},
      interfaces: [{ type: "geneve", options: { key: "1001", remote_ip: "10.78.0.12" } }],
    });
  });

  it("takes the empty datapath type for the kernel's", () => {
    expect(external?.datapathType).toBe("system");
  });

  it("reads sets with and without the brackets that one element may lack", () => {
    expect(external?.ports.map(({ name, tag, interfaces }) => [name, tag, interfaces.length])).toEqual([
      ["bond", 7, 2],
    ]);
  });

  it.each(["", "ovs-vsctl: unix:db.sock: database connection failed", "{}\n{}\n{}"])("refuses %j", (text) => {
    expect(() => parseBridges(text)).toThrow(expect.objectContaining({ code: "command-failed" }) as Error);
  });
});
