import { z } from "zod";
import {
  addressSchema,
  cidrSchema,
  containsAddress,
  formatAddress,
  parseAddress,
  parseCidr,
} from "../core/cidr.ts";
import { idSchema, nameField, projectField } from "../core/common-fields.ts";
import { field } from "../core/fields.ts";
import type { ResourceId } from "../core/ids.ts";
import type { SubnetSpec } from "../core/ports.ts";

/** What a subnet is declared with. */
export const subnetInputs = z.object({
  name: nameField({ doc: "Name, unique among the project's subnets." }),
  project: projectField(),
  network: field(idSchema(), {
    doc: "Network that it belongs to.",
    change: "replace",
    references: "network",
  }),
  cidr: field(cidrSchema(), { doc: "Addresses, e.g. `10.0.0.0/24`. IPv4.", change: "replace" }),
  gateway: field(addressSchema().optional(), {
    doc: "Default route that DHCP hands out. Default none; the first address is kept free for one. Guests take a change with their next lease.",
    change: "live",
  }),
  enableDhcp: field(z.boolean().default(true), {
    doc: "Serve addresses by DHCP. Default true.",
    change: "live",
  }),
  dhcpAddress: field(addressSchema().optional(), {
    doc: "The DHCP servers' own address, the same on every host. Default: the second address.",
    change: "replace",
    computed: "plan",
  }),
  dnsServers: field(z.array(addressSchema()).default([]), {
    doc: "Name servers that DHCP hands out. Default none.",
    change: "live",
  }),
  allocationPools: field(
    z
      .array(
        z.object({
          start: field(addressSchema(), { doc: "First address of the pool." }),
          end: field(addressSchema(), { doc: "Last address of the pool." }),
        }),
      )
      .optional(),
    {
      doc: "Ranges that addresses are chosen from. Default: all but the first (gateway), the DHCP servers', network and broadcast.",
      change: "live",
    },
  ),
});

export type SubnetInputs = z.infer<typeof subnetInputs>;

/** The subnet as hosts serve it. */
export function toSubnetSpec(id: ResourceId, subnet: SubnetInputs): SubnetSpec {
  return {
    id,
    cidr: subnet.cidr,
    gateway: subnet.gateway,
    dhcpAddress: subnet.enableDhcp ? subnet.dhcpAddress : undefined,
    dnsServers: subnet.dnsServers,
  };
}

/** The address that DHCP servers take unless told: the second usable one (the first is the gateway's, as in Neutron). */
export function defaultDhcpAddress(cidr: string): string {
  return formatAddress(parseCidr(cidr).first + 2);
}

/** Ranges that addresses are chosen from, as numbers (neutron: ipam/utils.py generate_pools). */
export function listPools(
  subnet: SubnetInputs,
): readonly { readonly first: number; readonly last: number }[] {
  if (subnet.allocationPools !== undefined) {
    return subnet.allocationPools.map((pool) => ({
      first: parseAddress(pool.start),
      last: parseAddress(pool.end),
    }));
  }
  const cidr = parseCidr(subnet.cidr);
  return [{ first: cidr.first + 2, last: cidr.last - 1 }];
}

/** What is wrong with giving this address to a port; `undefined` when nothing is. */
export function rejectAddress(subnet: SubnetInputs, address: string): string | undefined {
  const cidr = parseCidr(subnet.cidr);
  const number = parseAddress(address);
  if (!containsAddress(cidr, number)) return `lies outside its subnet ${subnet.cidr}`;
  if (number === cidr.first) return `is the network address of ${subnet.cidr}`;
  if (number === cidr.last) return `is the broadcast address of ${subnet.cidr}`;
  if (address === subnet.gateway) return `is the gateway of ${subnet.cidr}`;
  if (subnet.enableDhcp && address === subnet.dhcpAddress)
    return `is the address of the DHCP servers of ${subnet.cidr}`;
  return undefined;
}
