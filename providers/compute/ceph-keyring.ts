import type { CephCluster } from "../core/ceph.ts";
import { readSecretFile, refuseFile, type SecretFile } from "./secret-file.ts";

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
  const file: SecretFile = { path: keyringFile, field: "keyringFile", content: "keyring" };
  const text = (await readSecretFile(file)).toString("utf8");
  const key = parseKeyring(text).get(`client.${user}`);
  if (key !== undefined) return key;
  throw refuseFile(
    file,
    `has no key of client.${user}`,
    "Name the user whose key it holds, or export the keyring anew: ceph auth get client.USER.",
  );
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
