import { spawnSync } from "node:child_process";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  openAuthenticate,
  type Authenticate,
  type Session,
} from "../../../providers/authenticate/authenticate.ts";
import type { ResourceId } from "../../../providers/core/ids.ts";
import { Secret } from "../../../providers/core/secret.ts";
import { IdentityStore, testCost } from "../../support/identity-store.ts";

let store: IdentityStore;
let authenticate: Authenticate;
let demoProject: ResourceId;
let demoUser: ResourceId;
let demoGrant: ResourceId;
let session: Session;
let nowMs: number;

beforeEach(async () => {
  store = await IdentityStore.open();
  nowMs = Date.parse("2026-01-02T03:04:05Z");
  authenticate = openAuthenticate(store.database, { clock: () => nowMs, scryptCost: testCost });
  demoProject = await store.addProject("demo");
  demoUser = await store.addUser("demo", "opensesame");
  demoGrant = await store.grant(demoUser, "member", demoProject);
  session = await authenticate.login({ username: "demo", password: new Secret("opensesame") });
});

afterEach(() => store[Symbol.asyncDispose]());

const refused = { code: "unauthenticated" };

test("a token stands for who logged in", async () => {
  expect(await authenticate.validate(session.token)).toEqual(session.principal);
});

test("an unknown token is refused without being shown", async () => {
  const error: unknown = await authenticate
    .validate(new Secret("stolen-token"))
    .catch((thrown: unknown) => thrown);

  expect(error).toMatchObject(refused);
  expect(JSON.stringify(error)).not.toContain("stolen-token");
});

test("a token ends at its expiry, though it is in the cache", async () => {
  nowMs += 3_599_999;
  await authenticate.validate(session.token);
  nowMs += 1;

  await expect(authenticate.validate(session.token)).rejects.toMatchObject(refused);
});

test("a revoked token stops at once, though it is in the cache", async () => {
  await authenticate.validate(session.token);

  await authenticate.revoke(session.token);

  await expect(authenticate.validate(session.token)).rejects.toMatchObject(refused);
});

test("a token revoked over another connection stops at once", async () => {
  await authenticate.validate(session.token);

  await openAuthenticate(await store.connectAgain()).revoke(session.token);

  await expect(authenticate.validate(session.token)).rejects.toMatchObject(refused);
});

test("a token revoked by another process stops at once", async () => {
  await authenticate.validate(session.token);

  const { stderr } = spawnSync(process.execPath, ["test/support/revoke-token.ts", store.path], {
    input: session.token.reveal(),
    encoding: "utf8",
  });

  expect(stderr).not.toContain("Error");
  await expect(authenticate.validate(session.token)).rejects.toMatchObject(refused);
});

test("a token is valid in another process's cache too", async () => {
  const other = openAuthenticate(await store.connectAgain(), { clock: () => nowMs });

  expect(await other.validate(session.token)).toEqual(session.principal);
});

test("revoking an unknown token is fine", async () => {
  await authenticate.revoke(new Secret("unknown"));

  expect(await authenticate.validate(session.token)).toEqual(session.principal);
});

test("revoking a user's tokens ends all of the user's sessions", async () => {
  const second = await authenticate.login({ username: "demo", password: new Secret("opensesame") });

  await authenticate.revokeUser(demoUser);

  await expect(authenticate.validate(session.token)).rejects.toMatchObject(refused);
  await expect(authenticate.validate(second.token)).rejects.toMatchObject(refused);
});

test("revoking a user's tokens leaves those of others", async () => {
  const other = await store.addUser("other", "password");

  await authenticate.revokeUser(other);

  expect(await authenticate.validate(session.token)).toEqual(session.principal);
});

test("a removed role stops the token at once", async () => {
  await authenticate.validate(session.token);

  await store.remove(demoGrant);

  await expect(authenticate.validate(session.token)).rejects.toMatchObject(refused);
});

test("an added role counts at once", async () => {
  await authenticate.validate(session.token);

  await store.grant(demoUser, "admin");

  expect(await authenticate.validate(session.token)).toMatchObject({
    roles: ["admin", "member", "reader"],
    isAdmin: true,
  });
});

test("a role that is being removed no longer counts", async () => {
  await store.startRemoval(demoGrant);

  await expect(authenticate.validate(session.token)).rejects.toMatchObject(refused);
});

test("a disabled user's token stops at once", async () => {
  await authenticate.validate(session.token);

  await store.change(demoUser, { enabled: false });

  await expect(authenticate.validate(session.token)).rejects.toMatchObject(refused);
});

test("a disabled project's token stops at once", async () => {
  await authenticate.validate(session.token);

  await store.change(demoProject, { enabled: false });

  await expect(authenticate.validate(session.token)).rejects.toMatchObject(refused);
});

test("a changed password ends the sessions of the old one", async () => {
  await authenticate.validate(session.token);

  await store.setPassword(demoUser, "new password");

  await expect(authenticate.validate(session.token)).rejects.toMatchObject(refused);
});

test("a removed user's tokens go with the user", async () => {
  await authenticate.validate(session.token);

  await store.remove(demoUser);

  await expect(authenticate.validate(session.token)).rejects.toMatchObject(refused);
  expect(await store.database.selectFrom("tokens").selectAll().execute()).toEqual([]);
});

test("a new project name is seen at once", async () => {
  await store.change(demoProject, { name: "renamed" });

  expect((await authenticate.validate(session.token)).projectName).toBe("renamed");
});

test("the first validation is answered by the store, the next by the cache", async () => {
  const fresh = openAuthenticate(store.database, { clock: () => nowMs });

  await fresh.validate(session.token);
  await fresh.validate(session.token);
  await fresh.validate(session.token);

  expect(fresh.cacheCounts).toEqual({ hits: 2, misses: 1 });
});

test("the login already fills the cache", async () => {
  await authenticate.validate(session.token);

  expect(authenticate.cacheCounts).toEqual({ hits: 1, misses: 1 });
});

test("the cache asks the store again after 300 seconds", async () => {
  nowMs += 300_000;

  await authenticate.validate(session.token);

  expect(authenticate.cacheCounts).toEqual({ hits: 0, misses: 2 });
});

test("a change of another kind of record leaves the cache", async () => {
  const { database } = store;
  await database.updateTable("settings").set({ value: "77" }).where("key", "=", "sequence").execute();

  await authenticate.validate(session.token);

  expect(authenticate.cacheCounts).toEqual({ hits: 1, misses: 1 });
});

test("refusals are not cached", async () => {
  await store.change(demoUser, { enabled: false });
  await expect(authenticate.validate(session.token)).rejects.toMatchObject(refused);

  await store.change(demoUser, { enabled: true });

  expect(await authenticate.validate(session.token)).toEqual(session.principal);
});

test("a flush deletes what has expired, more than one batch of it", async () => {
  const row = await store.database.selectFrom("tokens").selectAll().executeTakeFirstOrThrow();
  const expired = Array.from({ length: 2500 }, (_, index) => ({
    ...row,
    hash: `expired-${String(index)}`,
    expires_at_ms: nowMs,
  }));
  await store.database.insertInto("tokens").values(expired).execute();

  expect(await authenticate.flush()).toBe(2500);
});

test("a flush leaves what has not expired", async () => {
  expect(await authenticate.flush()).toBe(0);
  expect(await authenticate.validate(session.token)).toEqual(session.principal);
});

test("the expiry is configurable", async () => {
  const short = openAuthenticate(store.database, { clock: () => nowMs, expirySeconds: 60 });

  const { principal } = await short.login({ username: "demo", password: new Secret("opensesame") });

  expect(principal.expiresAtMs).toBe(nowMs + 60_000);
});
