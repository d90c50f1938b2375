import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";

/** A key as Ceph makes them: type AES, time, length, 16 bytes (ceph: `CryptoKey::encode`). */
export function makeCephKey(): string {
  return Buffer.concat([
    Buffer.from("0100000000000000000010", "hex"),
    Buffer.alloc(1),
    randomBytes(16),
  ]).toString("base64");
}

/** Writes a keyring with a key that is that of `admin` and of `operator`, closed to others. */
export function writeKeyring(path: string, key: string, mode = 0o600): void {
  writeFileSync(
    path,
    `[client.admin]\n\tkey = ${key}\n\tcaps mon = "allow *"\n[client.operator]\n\tkey = ${key}\n`,
    { mode },
  );
}
