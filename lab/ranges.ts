import { StackyardError } from "../providers/core/errors.ts";
import { findFreeRanges, holdersOf, overlaps, parseRange, parseUsedRanges } from "./addresses.ts";
import type { AddressRange, LabRanges, UsedRange } from "./addresses.ts";
import { expectProcess } from "./process.ts";
import type { Topology } from "./topology.ts";

/** What the machine's interfaces and routes hold now. */
export async function listUsedRanges(): Promise<UsedRange[]> {
  const [addresses, routes] = await Promise.all([
    expectProcess("listing addresses", "ip", ["-json", "address", "show"]),
    expectProcess("listing routes", "ip", ["-json", "-4", "route", "show", "table", "all"]),
  ]);
  return parseUsedRanges(addresses, routes);
}

/**
 * @param bridge of the network, whose range is not to be chosen.
 * @throws StackyardError `in-use` when something on the machine overlaps the range; a free one is proposed.
 */
export function refuseUsed(
  network: keyof LabRanges,
  range: AddressRange,
  used: readonly UsedRange[],
  taken: readonly AddressRange[],
  bridge?: string,
): void {
  const clash = used.find((other) => overlaps(other.range, range));
  if (clash === undefined) return;
  const free = findFreeRanges(taken)?.[network];
  throw new StackyardError("in-use", {
    message: `the ${network} range is in use on this machine: ${clash.range.cidr} belongs to ${clash.holder}`,
    field: `networks.${network}.cidr`,
    value: range.cidr,
    remedy:
      bridge !== undefined
        ? `Name the range of the network behind bridge ${bridge}, or another bridge.`
        : free === undefined
          ? "Choose a range that is free."
          : `Use a free one: ${free.cidr}, or leave the field out.`,
  });
}

/**
 * The ranges of a new lab: those that the topology fixes, the first free ones otherwise.
 * @param reserved ranges of other labs, whether they are up or not.
 * @throws StackyardError `in-use` when a fixed range overlaps an address, a route or another lab.
 */
export async function chooseRanges(topology: Topology, reserved: readonly UsedRange[]): Promise<LabRanges> {
  const used = [...(await listUsedRanges()), ...reserved];
  const fixed = {
    management: parseRange(topology.networks.management.cidr ?? ""),
    data: parseRange(topology.networks.data.cidr ?? ""),
  };
  const taken = [
    ...used.map((other) => other.range),
    ...Object.values(fixed).filter((range) => range !== undefined),
  ];
  for (const network of ["management", "data"] as const) {
    const { bridge } = topology.networks[network];
    // What a bridge has itself is the very network that hosts are to be in.
    const others =
      bridge === undefined ? used : used.filter(({ holder }) => !holdersOf(bridge).includes(holder));
    if (fixed[network] !== undefined) refuseUsed(network, fixed[network], others, taken, bridge);
  }
  const free = findFreeRanges(taken);
  const management = fixed.management ?? free?.management;
  const data = fixed.data ?? free?.data;
  if (management === undefined || data === undefined) {
    throw new StackyardError("in-use", {
      message: "no free address range was found for the lab",
      field: "networks.management.cidr",
      remedy: "Fix networks.management.cidr and networks.data.cidr in the topology.",
    });
  }
  return { management, data };
}
