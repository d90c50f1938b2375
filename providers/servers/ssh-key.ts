import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { Secret } from "../core/secret.ts";

/** Smallest RSA modulus that OpenSSH accepts by default, in bits (ssh_config: RequiredRSASize). */
const minRsaBits = 1024;

/** Algorithms that today's OpenSSH lets in, with a check of what follows the algorithm's name in the key. */
const algorithms: Readonly<Record<string, (fields: readonly Buffer[]) => boolean>> = {
  "ssh-ed25519": (fields) => hasLengths(fields, 32),
  "ssh-rsa": ([exponent, modulus, ...rest]) =>
    exponent !== undefined && modulus !== undefined && rest.length === 0 && countBits(modulus) >= minRsaBits,
  "ecdsa-sha2-nistp256": ([curve, ...rest]) => isText(curve, "nistp256") && hasLengths(rest, 65),
  "ecdsa-sha2-nistp384": ([curve, ...rest]) => isText(curve, "nistp384") && hasLengths(rest, 97),
  "ecdsa-sha2-nistp521": ([curve, ...rest]) => isText(curve, "nistp521") && hasLengths(rest, 133),
  "sk-ssh-ed25519@openssh.com": ([key, ...application]) => key?.length === 32 && application.length === 1,
  "sk-ecdsa-sha2-nistp256@openssh.com": ([curve, key, ...application]) =>
    isText(curve, "nistp256") && key?.length === 65 && application.length === 1,
};

/**
 * What is wrong with a public key line (`algorithm base64 comment`), or `undefined`. The line must begin with the algorithm, so that
 * no authorized_keys option comes in with it, and must be one line; a line break at its end, as key files have it, is fine.
 */
export function publicKeyProblem(line: string): string | undefined {
  const text = line.replace(/\r?\n$/, "");
  if (text.includes("PRIVATE KEY")) return "Must be the public key, not the private one";
  if (/[\p{Cc}\u2028\u2029]/u.test(text.replaceAll("\t", " ")))
    return "Must be one line without control characters";
  const [algorithm = "", base64 = ""] = text.split(/[ \t]+/, 2);
  const check = Object.hasOwn(algorithms, algorithm) ? algorithms[algorithm] : undefined;
  if (check === undefined)
    return `Must begin with the algorithm: one of ${Object.keys(algorithms).join(", ")}`;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return "Must have the key in base64 after the algorithm";
  const fields = splitWire(Buffer.from(base64, "base64"));
  const [name, ...rest] = fields ?? [];
  if (!isText(name, algorithm)) return `Must hold a whole ${algorithm} key; it is cut off or damaged`;
  return check(rest) ? undefined : `Must hold a valid ${algorithm} key`;
}

/** Algorithm and SHA-256 fingerprint (as `ssh-keygen -l`) of a public key line that has been checked. */
export function describePublicKey(line: string): {
  readonly algorithm: string;
  readonly fingerprint: string;
} {
  const [algorithm = "", base64 = ""] = line.trim().split(/[ \t]+/, 2);
  const hash = createHash("sha256").update(Buffer.from(base64, "base64")).digest("base64");
  return { algorithm, fingerprint: `SHA256:${hash.replace(/=+$/, "")}` };
}

/** A new ed25519 pair in OpenSSH's formats. */
export function generateKeypair(comment: string): {
  readonly publicKey: string;
  readonly privateKey: Secret;
} {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const seed = readJwkBytes(privateKey.export({ format: "jwk" }).d);
  const point = readJwkBytes(publicKey.export({ format: "jwk" }).x);
  const blob = Buffer.concat([encodeText("ssh-ed25519"), encodeBytes(point)]);
  return {
    publicKey: `ssh-ed25519 ${blob.toString("base64")} ${comment}`,
    privateKey: new Secret(encodePrivateKey(blob, seed, point, comment)),
  };
}

/** OpenSSH's unencrypted private key file (openssh: PROTOCOL.key). */
function encodePrivateKey(publicBlob: Buffer, seed: Buffer, point: Buffer, comment: string): string {
  const check = randomBytes(4);
  const secrets = Buffer.concat([
    check,
    check,
    publicBlob,
    encodeBytes(Buffer.concat([seed, point])),
    encodeText(comment),
  ]);
  // Padded with 1, 2, 3, … to the block size of "none".
  const padding = Buffer.from(
    Array.from({ length: (8 - (secrets.length % 8)) % 8 }, (_, index) => index + 1),
  );
  const file = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    encodeText("none"),
    encodeText("none"),
    encodeText(""),
    encodeLength(1),
    encodeBytes(publicBlob),
    encodeBytes(Buffer.concat([secrets, padding])),
  ]);
  const lines = file.toString("base64").match(/.{1,70}/g) ?? [];
  return ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join(
    "\n",
  );
}

/** Fields of a key in SSH's wire encoding (RFC 4251 section 5: length, bytes); `undefined` when it is cut off or nothing. */
function splitWire(blob: Buffer): readonly Buffer[] | undefined {
  const fields: Buffer[] = [];
  let at = 0;
  while (at < blob.length) {
    if (at + 4 > blob.length) return undefined;
    const end = at + 4 + blob.readUInt32BE(at);
    if (end > blob.length) return undefined;
    fields.push(blob.subarray(at + 4, end));
    at = end;
  }
  return fields;
}

function hasLengths(fields: readonly Buffer[], ...lengths: readonly number[]): boolean {
  return fields.length === lengths.length && fields.every((entry, index) => entry.length === lengths[index]);
}

function isText(bytes: Buffer | undefined, text: string): boolean {
  return bytes?.equals(Buffer.from(text)) === true;
}

/** Bits of a positive number in two's complement with leading zeros. */
function countBits(bytes: Buffer): number {
  const hex = bytes.toString("hex").replace(/^0+/, "");
  return hex === "" ? 0 : (hex.length - 1) * 4 + Number.parseInt(hex.charAt(0), 16).toString(2).length;
}

function encodeLength(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
}

function encodeBytes(bytes: Buffer): Buffer {
  return Buffer.concat([encodeLength(bytes.length), bytes]);
}

function encodeText(text: string): Buffer {
  return encodeBytes(Buffer.from(text));
}

function readJwkBytes(text: string | undefined): Buffer {
  if (text === undefined) throw new TypeError("node:crypto exported an ed25519 key without its bytes");
  return Buffer.from(text, "base64url");
}
