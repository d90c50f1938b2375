import ipaddr from "ipaddr.js";

import { StackyardError } from "../../core/errors.ts";
import type { Filter } from "../filter.ts";
import { hintedText } from "../request.ts";

/**
 * The host's address is in the network of hints `build_near_host_ip` and `cidr` (`/24` when absent; a mask will do)
 * (nova: scheduler/filters/affinity_filter.py). A host without address is out, where Nova would fail the request.
 */
export const simpleCidrAffinity: Filter = {
  name: "SimpleCIDRAffinityFilter",
  oncePerRequest: true,
  runsOnRebuild: false,
  prepare: (request) => {
    const near = hintedText(request, "build_near_host_ip");
    if (near === undefined) return undefined;
    const network = parseNetwork(near, hintedText(request, "cidr") ?? "/24");
    return ({ hostIp }) => {
      if (hostIp === null || !isAddress(hostIp)) return false;
      const address = ipaddr.parse(hostIp);
      return address.kind() === network[0].kind() && address.match(network);
    };
  },
};

function parseNetwork(address: string, suffix: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  const size = suffix.replace(/^\//, "");
  if (isAddress(address)) {
    if (ipaddr.IPv4.isValidFourPartDecimal(size)) {
      const prefix = ipaddr.IPv4.parse(size).prefixLengthFromSubnetMask();
      if (prefix !== null) return [ipaddr.parse(address), prefix];
    }
    if (ipaddr.isValidCIDR(`${address}/${size}`)) return ipaddr.parseCIDR(`${address}/${size}`);
  }
  throw new StackyardError("invalid-input", {
    message: "the hints build_near_host_ip and cidr name no network; wanted: 192.0.2.7 and /24 or the like",
    field: "hints.build_near_host_ip",
    value: `${address}${suffix}`,
  });
}

/** Short forms of IPv4 such as 10.1 are no addresses here. */
function isAddress(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text);
}
