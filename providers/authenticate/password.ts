import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { Secret } from "../core/secret.ts";

/** What one digest costs: `n` iterations (a power of two), block size `r`, `p` lanes; 128 * n * r bytes of memory. */
export interface ScryptCost {
  readonly n: number;
  readonly r: number;
  readonly p: number;
}

/** 32 MiB and about 0.1 s of one processor: every start of a program logs in, so that a dearer one would be felt. */
export const defaultScryptCost: ScryptCost = { n: 2 ** 15, r: 8, p: 1 };

const saltBytes = 16;
const keyBytes = 32;

interface Digest {
  readonly cost: ScryptCost;
  readonly salt: Buffer;
  readonly key: Buffer;
}

/**
 * What a record keeps of a secret: `scrypt$n$r$p$salt$key`, salt and key in base64url. Given the digest that the record has,
 * returns that one as long as it is of the same secret and of today's cost: so nothing changes unless something changed.
 */
export async function digestSecret(value: Secret, cost: ScryptCost, previous?: string): Promise<string> {
  if (previous !== undefined && isOfCost(previous, cost) && (await verifySecret(previous, value)))
    return previous;
  const salt = randomBytes(saltBytes);
  return encodeDigest({ cost, salt, key: await deriveKey(value, salt, cost) });
}

/** Whether `digest` is of this secret. Takes as long for a wrong one as for the right one. */
export async function verifySecret(digest: string, value: Secret): Promise<boolean> {
  const { cost, salt, key } = parseDigest(digest);
  return timingSafeEqual(key, await deriveKey(value, salt, cost));
}

/** A digest of no secret: checking against it takes as long as against a user's. */
export function makeDummyDigest(cost: ScryptCost): string {
  return encodeDigest({ cost, salt: randomBytes(saltBytes), key: randomBytes(keyBytes) });
}

/** A random password of 256 bits. */
export function generatePassword(): Secret {
  return new Secret(randomBytes(32).toString("base64url"));
}

function isOfCost(digest: string, cost: ScryptCost): boolean {
  const has = parseDigest(digest).cost;
  return has.n === cost.n && has.r === cost.r && has.p === cost.p;
}

function encodeDigest({ cost, salt, key }: Digest): string {
  return ["scrypt", cost.n, cost.r, cost.p, salt.toString("base64url"), key.toString("base64url")].join("$");
}

const digestPattern = /^scrypt\$(\d+)\$(\d+)\$(\d+)\$([A-Za-z0-9_-]+)\$([A-Za-z0-9_-]+)$/;

function parseDigest(digest: string): Digest {
  const [, n, r, p, salt, key] = digestPattern.exec(digest) ?? [];
  const parsed: Digest = {
    cost: { n: Number(n), r: Number(r), p: Number(p) },
    salt: Buffer.from(salt ?? "", "base64url"),
    key: Buffer.from(key ?? "", "base64url"),
  };
  if (parsed.key.length !== keyBytes)
    throw new TypeError("the store holds a digest that is no scrypt digest");
  return parsed;
}

function deriveKey(value: Secret, salt: Buffer, cost: ScryptCost): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // Node's limit of 32 MiB is a few bytes below what the default cost takes.
    const options = { N: cost.n, r: cost.r, p: cost.p, maxmem: 256 * cost.n * cost.r * cost.p };
    scrypt(value.reveal(), salt, keyBytes, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}
