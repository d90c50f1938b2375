import { z } from "zod";
import { containsAddress, overlaps, parseAddress, parseCidr } from "../core/cidr.ts";
import { reserveName } from "../core/common-fields.ts";
import { countOne } from "../core/quota.ts";
import { hostCodes } from "../core/errors.ts";
import { defineResource } from "../core/resource.ts";
import { rewireNetwork } from "../servers/rewire.ts";
import { defaultDhcpAddress, rejectAddress, subnetInputs } from "./subnet-fields.ts";

/** Longest prefix that leaves room for gateway, DHCP and a server. */
const maxPrefixLength = 29;

/** A range of addresses on a network. */
export const subnet = defineResource({
  type: "subnet",
  plural: "subnets",
  service: "network",
  summary: "A range of IPv4 addresses on a network, with DHCP on every host that has a port there.",
  scope: "project",
  inputs: subnetInputs,
  outputs: z.object({}),
  rules: [
    {
      field: "cidr",
      says: `The prefix is at most /${String(maxPrefixLength)}.`,
      reads: ["cidr"],
      violated: ({ cidr }) =>
        parseCidr(cidr).prefixLength > maxPrefixLength
          ? `leaves no room: the prefix is longer than /${String(maxPrefixLength)}`
          : undefined,
    },
    {
      field: "cidr",
      code: "conflict",
      says: "Subnets of one network do not overlap.",
      reads: ["cidr", "network"],
      violated: ({ cidr, network }, { id, world }) => {
        const other = world
          .all("subnet")
          .find(
            (entry) =>
              entry.id !== id &&
              entry.inputs["network"] === network &&
              overlaps(parseCidr(cidr), parseCidr(subnetInputs.parse(entry.inputs).cidr)),
          );
        return other === undefined
          ? undefined
          : `overlaps subnet ${JSON.stringify(other.name)} of the same network`;
      },
    },
    {
      field: "gateway",
      says: "The gateway lies in the subnet.",
      reads: ["gateway", "cidr"],
      violated: ({ gateway, cidr }) =>
        gateway !== undefined && !containsAddress(parseCidr(cidr), parseAddress(gateway))
          ? `lies outside its subnet ${cidr}`
          : undefined,
    },
    {
      field: "dhcpAddress",
      says: "The DHCP address lies in the subnet and is no other special address.",
      reads: ["gateway", "cidr", "dhcpAddress"],
      violated: (inputs) =>
        inputs.dhcpAddress === undefined
          ? undefined
          : rejectAddress({ ...inputs, enableDhcp: false }, inputs.dhcpAddress),
    },
    {
      field: "allocationPools",
      says: "Pools lie in the subnet, and each starts before it ends.",
      reads: ["allocationPools", "cidr"],
      violated: ({ allocationPools, cidr }) => {
        const range = parseCidr(cidr);
        const wrong = (allocationPools ?? []).find(({ start, end }) => {
          const [first, last] = [parseAddress(start), parseAddress(end)];
          return first > last || !containsAddress(range, first) || !containsAddress(range, last);
        });
        return wrong === undefined
          ? undefined
          : `has a pool ${wrong.start} to ${wrong.end} that is empty or lies outside ${cidr}`;
      },
    },
  ],
  complete: (draft) =>
    draft.dhcpAddress === undefined && draft.cidr !== undefined
      ? { ...draft, dhcpAddress: defaultDhcpAddress(draft.cidr) }
      : draft,
  reservations: (inputs) => reserveName("subnet", inputs.project, inputs.name),
  quotas: { subnets: countOne },
  raises: [...hostCodes, "host-unsuitable", "not-ours"],
  reconcile: [
    { name: "hosts", run: (context) => rewireNetwork(context, context.inputs.network).then(() => undefined) },
  ],
  remove: [],
});
