import { expect, test } from "vitest";
import type { Principal } from "../../../providers/authenticate/principal.ts";
import { TokenCache } from "../../../providers/authenticate/token-cache.ts";
import { newId } from "../../../providers/core/ids.ts";

const principal: Principal = {
  userId: newId(),
  userName: "demo",
  projectId: null,
  projectName: null,
  roles: ["reader"],
  isAdmin: false,
  tokenHash: "first",
  issuedAtMs: 0,
  expiresAtMs: 3_600_000,
  issueDurationMs: 1,
};

test("an entry is given back at the same identity sequence", () => {
  const cache = new TokenCache();
  cache.put(principal, "1", 0);

  expect(cache.get("first", "1", 299_999)).toBe(principal);
});

test("an entry is not given back at another identity sequence", () => {
  const cache = new TokenCache();
  cache.put(principal, "1", 0);

  expect(cache.get("first", "2", 1)).toBeUndefined();
});

test("an entry is not given back after 300 seconds", () => {
  const cache = new TokenCache();
  cache.put(principal, "1", 0);

  expect(cache.get("first", "1", 300_000)).toBeUndefined();
});

test("an entry is not given back when the token has expired", () => {
  const cache = new TokenCache();
  cache.put({ ...principal, expiresAtMs: 100 }, "1", 0);

  expect(cache.get("first", "1", 100)).toBeUndefined();
});

test("the oldest entry makes room for the 10,001st", () => {
  const cache = new TokenCache();
  cache.put(principal, "1", 0);
  for (let index = 0; index < 10_000; index += 1)
    cache.put({ ...principal, tokenHash: String(index) }, "1", 0);

  expect(cache.get("first", "1", 1)).toBeUndefined();
  expect(cache.get("0", "1", 1)).toBeDefined();
});
