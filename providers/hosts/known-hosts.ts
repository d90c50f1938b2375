import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** One line of a known_hosts file (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). */
export interface KnownHost {
  /** Names with wildcards and negations, or one hashed name `|1|salt|hash`. */
  readonly names: string;
  readonly marker: "none" | "revoked" | "cert-authority";
  /** `ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256`, … */
  readonly keyType: string;
  readonly key: Buffer;
  /** `FILE:LINE`, for messages. */
  readonly source: string;
}

/** What the known_hosts files say of a key that a host showed. */
export type HostKeyVerdict =
  | { readonly verdict: "trusted" }
  /** `authorities`: lines that only vouch for certificates, which ssh2 cannot check. */
  | { readonly verdict: "unknown"; readonly authorities: readonly KnownHost[] }
  | { readonly verdict: "changed"; readonly known: readonly KnownHost[] }
  | { readonly verdict: "revoked"; readonly line: KnownHost };

/** Reads a known_hosts file; lines that are not understood are skipped, as ssh does. */
export function parseKnownHosts(text: string, file: string): readonly KnownHost[] {
  return text.split("\n").flatMap((line, index) => {
    const fields = line.trim().split(/[ \t]+/);
    const marker = toMarker(fields[0] ?? "");
    if (marker === undefined) return [];
    const [names, keyType, base64] = marker === "none" ? fields : fields.slice(1);
    if (names === undefined || names.startsWith("#") || keyType === undefined || base64 === undefined)
      return [];
    const key = Buffer.from(base64, "base64");
    if (typeOfKey(key) !== keyType) return [];
    return [{ names, marker, keyType, key, source: `${file}:${String(index + 1)}` }];
  });
}

/** Judges the key that a host showed. A host that is known by keys of another type only counts as changed. */
export function judgeHostKey(
  lines: readonly KnownHost[],
  host: string,
  port: number,
  key: Uint8Array,
): HostKeyVerdict {
  const about = lines.filter((line) => matchesHost(line.names, host, port));
  const revoked = about.find((line) => line.marker === "revoked" && line.key.equals(key));
  if (revoked !== undefined) return { verdict: "revoked", line: revoked };
  const known = about.filter((line) => line.marker === "none");
  if (known.some((line) => line.key.equals(key))) return { verdict: "trusted" };
  if (known.length > 0) return { verdict: "changed", known };
  return { verdict: "unknown", authorities: about.filter((line) => line.marker === "cert-authority") };
}

/** Types of the keys known of a host, so that the host is asked for one of them. */
export function knownKeyTypes(lines: readonly KnownHost[], host: string, port: number): readonly string[] {
  const known = lines.filter((line) => line.marker === "none" && matchesHost(line.names, host, port));
  return [...new Set(known.map((line) => line.keyType))];
}

/** `SHA256:…` as `ssh-keygen -l` prints it. */
export function fingerprint(key: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/** Type that a public key in wire form (RFC 4253, 6.6) names in its first field; empty if it is none. */
export function typeOfKey(key: Uint8Array): string {
  const bytes = Buffer.from(key);
  if (bytes.length < 4) return "";
  const length = bytes.readUInt32BE(0);
  return bytes.subarray(4, 4 + length).toString("latin1");
}

/** How known_hosts names a host: `[host]:port` where the port is not 22 (OpenSSH: misc.c, put_host_port). */
export function knownHostName(host: string, port: number): string {
  const name = host.toLowerCase();
  return port === 22 ? name : `[${name}]:${String(port)}`;
}

function toMarker(field: string): KnownHost["marker"] | undefined {
  if (!field.startsWith("@")) return "none";
  if (field === "@revoked") return "revoked";
  return field === "@cert-authority" ? "cert-authority" : undefined;
}

function matchesHost(names: string, host: string, port: number): boolean {
  const name = knownHostName(host, port);
  if (names.startsWith("|1|")) return matchesHash(names, name);
  const patterns = names.split(",");
  if (patterns.some((pattern) => pattern.startsWith("!") && matchesPattern(pattern.slice(1), name)))
    return false;
  return patterns.some((pattern) => !pattern.startsWith("!") && matchesPattern(pattern, name));
}

function matchesHash(hashed: string, name: string): boolean {
  const [salt, hash] = hashed.slice("|1|".length).split("|");
  if (salt === undefined || hash === undefined) return false;
  const expected = Buffer.from(hash, "base64");
  const actual = createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

function matchesPattern(pattern: string, name: string): boolean {
  const source = pattern
    .toLowerCase()
    .replace(/[\\^$.|+()[\]{}]/g, String.raw`\$&`)
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`).test(name);
}
