import { createHash } from "node:crypto";

/** A uuid of version 8 (free form) that is the same for the same text. */
export function uuidOf(text: string): string {
  const hash = createHash("sha256").update(text).digest("hex");
  return [
    hash.slice(0, 8),
    hash.slice(8, 12),
    `8${hash.slice(13, 16)}`,
    `8${hash.slice(17, 20)}`,
    hash.slice(20, 32),
  ].join("-");
}

const networkOctets = { management: "00", data: "01", storage: "02" } as const;

/**
 * The MAC of a host's NIC, of the locally administered ones: fixed, so that a host made again is reachable at once (a
 * changed MAC stays in ARP caches), and another in each lab.
 * @param folder the lab's.
 * @param index counts hosts from 1.
 */
export function macOf(folder: string, network: keyof typeof networkOctets, index: number): string {
  const hash = createHash("sha256").update(folder).digest("hex");
  return [
    "02",
    hash.slice(0, 2),
    hash.slice(2, 4),
    hash.slice(4, 6),
    networkOctets[network],
    index.toString(16).padStart(2, "0"),
  ].join(":");
}
