import { expect, test } from "vitest";
import {
  defaultScryptCost,
  digestSecret,
  makeDummyDigest,
  verifySecret,
} from "../../../providers/authenticate/password.ts";
import { Secret } from "../../../providers/core/secret.ts";
import { testCost } from "../../support/identity-store.ts";

const right = new Secret("correct horse");
const wrong = new Secret("correct hors");

test("a digest verifies its own secret", async () => {
  const digest = await digestSecret(right, testCost);

  expect(await verifySecret(digest, right)).toBe(true);
});

test("a digest refuses another secret", async () => {
  const digest = await digestSecret(right, testCost);

  expect(await verifySecret(digest, wrong)).toBe(false);
});

test("a digest names its cost and does not hold the secret", async () => {
  const digest = await digestSecret(right, testCost);

  expect(digest).toMatch(/^scrypt\$16\$1\$1\$[\w-]{22}\$[\w-]{43}$/);
});

test("two digests of one secret differ by their salt", async () => {
  expect(await digestSecret(right, testCost)).not.toBe(await digestSecret(right, testCost));
});

test("the default cost stays within Node's memory limit that it sets", async () => {
  const digest = await digestSecret(right, defaultScryptCost);

  expect(await verifySecret(digest, right)).toBe(true);
});

test("digests are scrypt as others compute it", async () => {
  // RFC 7914 section 12, second vector, first 32 bytes: password, NaCl, N 1024, r 8, p 16.
  const digest = `scrypt$1024$8$16$${Buffer.from("NaCl").toString("base64url")}$_bq-HJ00cgB4VucZDQHp_nxq18vII3gw53N2Y0s3MWI`;

  expect(await verifySecret(digest, new Secret("password"))).toBe(true);
});

test("an unchanged secret keeps its digest", async () => {
  const digest = await digestSecret(right, testCost);

  expect(await digestSecret(right, testCost, digest)).toBe(digest);
});

test("a changed secret gets a new digest", async () => {
  const digest = await digestSecret(right, testCost);

  expect(await verifySecret(await digestSecret(wrong, testCost, digest), wrong)).toBe(true);
});

test("an unchanged secret gets a new digest when the cost changed", async () => {
  const digest = await digestSecret(right, testCost);

  expect(await digestSecret(right, { ...testCost, n: 32 }, digest)).toMatch(/^scrypt\$32\$/);
});

test("the dummy digest is of no secret but can be checked like any other", async () => {
  expect(await verifySecret(makeDummyDigest(testCost), right)).toBe(false);
});

test("what is no digest is a bug, not a wrong password", async () => {
  await expect(verifySecret("correct horse", right)).rejects.toThrow("no scrypt digest");
});
