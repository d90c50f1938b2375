import { readFile, stat } from "node:fs/promises";
import type { CephCluster } from "../core/ceph.ts";
import { StackyardError } from "../core/errors.ts";

/** What a key of Ceph looks like: base64 of a type, a time, a length and at least 16 bytes (ceph: `CryptoKey::encode`). */
const keyPattern = /^[A-Za-z0-9+/]{36,}={0,2}$/;

/** Whether text is a key of Ceph. */
export function isCephKey(text: string): boolean {
  return keyPattern.test(text);
}

/**
 * The key of the cluster's user, from its keyring file on this machine. Raises `invalid-input` for the field `keyringFile`: a file that is not there or
 * cannot be read, that everybody may read, or that has no key of the user. No error holds any of its text.
 */
export async function readAdminKey({ keyringFile, user }: CephCluster): Promise<string> {
  const refuse = (problem: string, remedy: string, cause?: unknown): StackyardError =>
    new StackyardError("invalid-input", {
      message: `The keyring file ${problem}`,
      field: "keyringFile",
      value: keyringFile,
      remedy,
      cause,
    });
  let text: string;
  let mode: number;
  try {
    [text, { mode }] = await Promise.all([readFile(keyringFile, "utf8"), stat(keyringFile)]);
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    throw refuse(
      isMissing ? "is not there" : "cannot be read",
      isMissing
        ? "Put the keyring there, on the machine that runs the stack, or name where it is."
        : "Make it a file that the user who runs the stack may read.",
      cause,
    );
  }
  if ((mode & 0o007) !== 0)
    throw refuse(
      "can be read or written by everybody",
      "Close it: chmod o= FILE. If others had it, renew the key.",
    );
  const key = parseKeyring(text).get(`client.${user}`);
  if (key === undefined)
    throw refuse(
      `has no key of client.${user}`,
      "Name the user whose key it holds, or export the keyring anew: ceph auth get client.USER.",
    );
  return key;
}

/** Keys by entity of a keyring file (ceph: `KeyRing::decode_plaintext`); what is no key is passed over. */
export function parseKeyring(text: string): ReadonlyMap<string, string> {
  const keys = new Map<string, string>();
  let entity: string | undefined;
  for (const line of text.split("\n").map((raw) => raw.trim())) {
    const header = /^\[(.+)\]$/.exec(line)?.[1];
    if (header !== undefined) entity = header.trim();
    const key = /^key\s*=\s*"?([^"\s]+)"?$/.exec(line)?.[1];
    if (key !== undefined && entity !== undefined && isCephKey(key)) keys.set(entity, key);
  }
  return keys;
}
