import { expect, test } from "vitest";
import { parseNetworkStates, type NetworkState } from "../../../providers/compute/network-state.ts";

const emptyMap = ["map", []];
const tables = [
  {
    headings: ["name", "datapath_type", "ports", "external_ids"],
    data: [["br-int", "netdev", ["uuid", "p1"], emptyMap]],
  },
  {
    headings: ["_uuid", "name", "tag", "protected", "interfaces", "external_ids"],
    data: [[["uuid", "p1"], "vx1", 7, true, ["uuid", "i1"], emptyMap]],
  },
  {
    headings: ["_uuid", "type", "options"],
    data: [[["uuid", "i1"], "vxlan", ["map", [["key", "1007"]]]]],
  },
];
const bridges = tables.map((table) => `${JSON.stringify(table)}\n`).join("");
const addresses = JSON.stringify([
  {
    ifname: "tap0",
    addr_info: [
      { family: "inet", local: "10.0.0.2", prefixlen: 24 },
      { family: "inet6", local: "fe80::1", prefixlen: 64 },
    ],
  },
]);

/** The state of the one network that was asked about. */
function read(output: string): NetworkState {
  const state = parseNetworkStates(output, ["n1"]).get("n1");
  if (state === undefined) throw new Error("the network was not read");
  return state;
}

test("a network that is there is read", () => {
  const parts = [
    bridges,
    " cookie=0x1, priority=200 actions=drop\n",
    `${addresses}\n`,
    "serving\n",
    "port=0\n",
  ];
  const output = [...parts, "P1:# port P1\nP1:mac,10.0.0.3,h,1s\nP2:# port P2\n", "tap1\n"].join("<>\n");
  const { ports, ...state } = read(output);
  expect(ports.get("vx1")).toMatchObject({
    tag: 7,
    protected: true,
    interfaces: [{ type: "vxlan", options: { key: "1007" } }],
  });
  expect(state).toEqual({
    flows: [" cookie=0x1, priority=200 actions=drop"],
    addresses: ["10.0.0.2/24"],
    isServing: true,
    settings: "port=0\n",
    entries: new Map([
      ["P1", "# port P1\nmac,10.0.0.3,h,1s\n"],
      ["P2", "# port P2\n"],
    ]),
    taps: new Set(["tap1"]),
  });
});

test("a network that is not there is read", () => {
  const { ports, ...state } = read([bridges, "", "", "", "", "", ""].join("<>\n"));
  expect(ports.size).toBe(1);
  expect(state).toEqual({
    flows: [],
    addresses: undefined,
    isServing: false,
    settings: "",
    entries: new Map(),
    taps: new Set(),
  });
});

test.each(["", "nonsense", "{}<>\n<>\n", `${bridges}<>\n<>\n{"not": "a list"}\n<>\n<>\n<>\n<>\n`])(
  "%j is refused",
  (output) => {
    expect(() => read(output)).toThrow(expect.objectContaining({ code: "command-failed" }));
  },
);

test("each of several networks has its own parts, and those of the host", () => {
  const one = ["", "serving\n", "port=1\n", ""];
  const other = ["", "", "port=2\n", "P1:# port P1\n"];
  const output = [bridges, "flow\n", ...one, ...other, "tap1\n"].join("<>\n");
  const states = parseNetworkStates(output, ["n1", "n2"]);
  expect(
    [...states].map(([id, { isServing, settings, taps }]) => [id, isServing, settings, [...taps]]),
  ).toEqual([
    ["n1", true, "port=1\n", ["tap1"]],
    ["n2", false, "port=2\n", ["tap1"]],
  ]);
});
