import { createHash, randomUUID } from "node:crypto";

declare const kind: unique symbol;

/** A uuid whose type says what it names, so that a server's id is never passed where a host's is meant. */
export type Id<Kind extends string> = string & { readonly [kind]: Kind };

export type ResourceId = Id<"resource">;
export type HostId = Id<"host">;
export type TaskId = Id<"task">;
export type CloudId = Id<"cloud">;

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether text is a lower-case uuid. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

/** A random id (uuid version 4). */
export function newId<Kind extends string>(): Id<Kind> {
  return brandId<Kind>(randomUUID());
}

/** Gives a uuid its kind. Throws a RangeError when the text is no uuid: callers validate first. */
export function brandId<Kind extends string>(text: string): Id<Kind> {
  if (!isUuid(text)) throw new RangeError(`not a uuid: ${JSON.stringify(text)}`);
  return text as Id<Kind>;
}

/** Namespace of ids derived by {@link deriveId}. */
const namespace = Buffer.from("4f0c1a2e6d5b4c7b9a3e5d1f7b8c9a01", "hex");

/**
 * An id that follows from its parts (uuid version 5, RFC 9562), so that a preview, the update after it, and a
 * repetition after a crash all name the same thing.
 */
export function deriveId<Kind extends string>(...parts: readonly string[]): Id<Kind> {
  const bytes = createHash("sha1").update(namespace).update(JSON.stringify(parts)).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString("hex");
  return brandId<Kind>(
    [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-"),
  );
}

/** Where a uuid is cut in two: its first three groups, then the other two. */
const cut = 18;

/**
 * An id that follows from its parts, as {@link deriveId}'s, and shows whose it is: its first half follows from the second and the owner. So an id that
 * somebody brings along can be told from one that was made for the owner, by {@link isOwnedId}, and by nothing but the id.
 */
export function deriveOwnedId<Kind extends string>(owner: string, ...parts: readonly string[]): Id<Kind> {
  const end = deriveId(...parts).slice(cut);
  return brandId(deriveFront(owner, end) + end);
}

/** Whether an id was made for this owner. To make one that begins like a given other takes about 2^40 attempts for ten digits, 2^56 for fifteen. */
export function isOwnedId(owner: string, id: string): boolean {
  return id.slice(0, cut) === deriveFront(owner, id.slice(cut));
}

function deriveFront(owner: string, end: string): string {
  return deriveId(owner, end).slice(0, cut);
}

/** The device of a port, or of a network's DHCP server (nova: `nova/network/model.py`, `tap` and 11 characters of the id; Linux allows 15). */
export function nameDevice(id: string): string {
  return `tap${id.slice(0, 11)}`;
}

/** A MAC address that follows from its parts, in Neutron's range (neutron: `base_mac` fa:16:3e:00:00:00). */
export function deriveMac(...parts: readonly string[]): string {
  const hash = createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  return ["fa", "16", "3e", hash.slice(0, 2), hash.slice(2, 4), hash.slice(4, 6)].join(":");
}
