import { createHash } from "node:crypto";
import { formatAddress, parseAddress } from "../core/cidr.ts";
import { deriveMac } from "../core/ids.ts";
import type { CompletionContext, Reservation, World, WorldEntry } from "../core/resource.ts";
import { listPools, rejectAddress, subnetInputs, type SubnetInputs } from "./subnet-fields.ts";

/** What a port, or a server's own interface, says of its place on a network. Unset parts are filled by {@link completeAttachment}. */
export interface Attachment {
  readonly network?: string | undefined;
  readonly subnet?: string | undefined;
  readonly address?: string | undefined;
  readonly mac?: string | undefined;
}

/**
 * Fills network, subnet, MAC and address, the same ones for the same `seed` while they are free. What depends on an unknown stays unset. `beside` are
 * the other attachments of the same resource, whose addresses are not free either.
 */
export function completeAttachment<A extends Attachment>(
  attachment: A,
  seed: string,
  { id, world }: CompletionContext,
  beside: readonly Attachment[] = [],
): A {
  const mac = attachment.mac ?? deriveMac(seed);
  const subnet = findSubnet(attachment, world);
  if (subnet === undefined) return { ...attachment, mac };
  const inputs = subnetInputs.parse(subnet.inputs);
  const isFree = (candidate: string): boolean => {
    const holder = world.holder("address", subnet.id, candidate);
    return (
      (holder === undefined || holder === id) &&
      rejectAddress(inputs, candidate) === undefined &&
      !beside.some((other) => other.address === candidate && (other.subnet ?? subnet.id) === subnet.id)
    );
  };
  const address = attachment.address ?? chooseAddress(inputs, seed, isFree);
  return {
    ...attachment,
    mac,
    network: attachment.network ?? inputs.network,
    subnet: subnet.id,
    ...(address === undefined ? {} : { address }),
  };
}

/** The subnet named, or the network's only one. */
function findSubnet(attachment: Attachment, world: World): WorldEntry | undefined {
  if (attachment.subnet !== undefined) return world.find("subnet", attachment.subnet);
  if (attachment.network === undefined) return undefined;
  const candidates = world.all("subnet").filter((entry) => entry.inputs["network"] === attachment.network);
  return candidates.length === 1 ? candidates[0] : undefined;
}

/** A free address of the subnet's pools: starts at a place that follows from the seed and goes round. `undefined` when none is left. */
function chooseAddress(
  inputs: SubnetInputs,
  seed: string,
  isFree: (address: string) => boolean,
): string | undefined {
  const pools = listPools(inputs);
  const total = pools.reduce((sum, pool) => sum + pool.last - pool.first + 1, 0);
  const start = total === 0 ? 0 : createHash("sha256").update(seed).digest().readUInt32BE(0) % total;
  for (let step = 0; step < total; step++) {
    let offset = (start + step) % total;
    const pool = pools.find(({ first, last }) => {
      const size = last - first + 1;
      if (offset < size) return true;
      offset -= size;
      return false;
    });
    if (pool === undefined) return undefined;
    const address = formatAddress(pool.first + offset);
    if (isFree(address)) return address;
  }
  return undefined;
}

/** What is wrong with an attachment; `undefined` when nothing is. */
export function rejectAttachment(
  attachment: Attachment,
  world: World,
): { readonly field: keyof Attachment; readonly problem: string } | undefined {
  if (attachment.network === undefined && attachment.subnet === undefined) {
    return { field: "subnet", problem: "is missing: name a network or a subnet" };
  }
  const subnet = findSubnet(attachment, world);
  if (subnet === undefined) {
    return { field: "subnet", problem: "is missing: the network has no subnet, or several to choose from" };
  }
  const inputs = subnetInputs.parse(subnet.inputs);
  if (attachment.network !== undefined && attachment.network !== inputs.network) {
    return { field: "subnet", problem: `belongs to another network (${inputs.network})` };
  }
  if (attachment.address === undefined)
    return { field: "address", problem: `cannot be chosen: the pools of subnet ${inputs.cidr} are full` };
  const problem = rejectAddress(inputs, attachment.address);
  return problem === undefined ? undefined : { field: "address", problem };
}

/** Address and MAC are each held by one resource. `path` leads to the attachment within the inputs. */
export function reserveAttachment(attachment: Attachment, path: string): readonly Reservation[] {
  const at = (key: string): string => (path === "" ? key : `${path}.${key}`);
  const { subnet, network, address, mac } = attachment;
  return [
    ...(subnet === undefined || address === undefined
      ? []
      : [
          {
            kind: "address",
            scope: subnet,
            value: formatAddress(parseAddress(address)),
            field: at("address"),
          },
        ]),
    ...(network === undefined || mac === undefined
      ? []
      : [{ kind: "mac", scope: "cloud", value: mac, field: at("mac") }]),
  ];
}
