import { afterEach, beforeEach, expect, test } from "vitest";
import { openAuthenticate, type Authenticate } from "../../../providers/authenticate/authenticate.ts";
import type { ResourceId } from "../../../providers/core/ids.ts";
import { Secret } from "../../../providers/core/secret.ts";
import { IdentityStore, testCost } from "../../support/identity-store.ts";

let store: IdentityStore;
let authenticate: Authenticate;
let demoProject: ResourceId;
let demoUser: ResourceId;
let nowMs: number;

beforeEach(async () => {
  store = await IdentityStore.open();
  nowMs = Date.parse("2026-01-02T03:04:05Z");
  authenticate = openAuthenticate(store.database, { clock: () => nowMs, scryptCost: testCost });
  demoProject = await store.addProject("demo");
  demoUser = await store.addUser("demo", "opensesame");
});

afterEach(() => store[Symbol.asyncDispose]());

const right = { username: "demo", password: new Secret("opensesame") };
const wrong = { username: "demo", password: new Secret("opensesam") };
const refused = { code: "unauthenticated", message: "The request you have made requires authentication." };

test("the right password gives a token for the project asked for", async () => {
  await store.grant(demoUser, "member", demoProject);

  const { principal } = await authenticate.login({ ...right, project: "demo" });

  expect(principal).toMatchObject({
    userId: demoUser,
    userName: "demo",
    projectId: demoProject,
    projectName: "demo",
    roles: ["member", "reader"],
    isAdmin: false,
    issuedAtMs: nowMs,
    expiresAtMs: nowMs + 3_600_000,
  });
});

test("a project can be asked for by id", async () => {
  await store.grant(demoUser, "reader", demoProject);

  const { principal } = await authenticate.login({ ...right, project: demoProject });

  expect(principal.projectName).toBe("demo");
});

test("a token is 256 bits that cannot be printed by accident", async () => {
  await store.grant(demoUser, "member", demoProject);

  const { token } = await authenticate.login(right);

  expect(token.reveal()).toMatch(/^[\w-]{43}$/);
  expect(JSON.stringify({ token })).toBe('{"token":"[secret]"}');
});

test("the store never holds the token itself", async () => {
  await store.grant(demoUser, "member", demoProject);

  const { token, principal } = await authenticate.login(right);
  const rows = await store.database.selectFrom("tokens").selectAll().execute();

  expect(rows).toMatchObject([{ hash: principal.tokenHash, revoked: 0 }]);
  expect(JSON.stringify(rows)).not.toContain(token.reveal());
});

test("a wrong password is refused in the words for an unknown user", async () => {
  await store.grant(demoUser, "member", demoProject);

  await expect(authenticate.login(wrong)).rejects.toMatchObject(refused);
  await expect(authenticate.login({ ...right, username: "nobody" })).rejects.toMatchObject(refused);
});

test("a user who is being removed is unknown", async () => {
  await store.grant(demoUser, "member", demoProject);
  await store.startRemoval(demoUser);

  await expect(authenticate.login(right)).rejects.toMatchObject(refused);
});

test("a disabled user with a wrong password learns nothing", async () => {
  await store.change(demoUser, { enabled: false });

  await expect(authenticate.login(wrong)).rejects.toMatchObject(refused);
});

test("a disabled user with the right password is told", async () => {
  await store.change(demoUser, { enabled: false });

  await expect(authenticate.login(right)).rejects.toMatchObject({
    code: "unauthenticated",
    message: `The account is disabled for user: ${demoUser}.`,
  });
});

test("an unknown project is named in the refusal", async () => {
  await store.grant(demoUser, "member", demoProject);

  await expect(authenticate.login({ ...right, project: "$(reboot)" })).rejects.toMatchObject({
    code: "unauthenticated",
    field: "project",
    value: "$(reboot)",
  });
});

test("a project without a role is refused in the words for an unknown one", async () => {
  await store.grant(demoUser, "member", demoProject);
  await store.addProject("other");

  const unknown = await authenticate.login({ ...right, project: "unknown" }).catch(String);
  const other = await authenticate.login({ ...right, project: "other" }).catch(String);

  expect(other).toBe(unknown);
});

test("a disabled project is refused to those who have a role on it", async () => {
  await store.grant(demoUser, "member", demoProject);
  await store.change(demoProject, { enabled: false });

  await expect(authenticate.login({ ...right, project: "demo" })).rejects.toMatchObject({
    code: "unauthenticated",
    message: `Project is disabled: ${demoProject}.`,
  });
});

test("without a project asked for, the default project is taken", async () => {
  const other = await store.addProject("other");
  await store.grant(demoUser, "member", demoProject);
  await store.grant(demoUser, "member", other);
  await store.change(demoUser, { defaultProject: other });

  expect((await authenticate.login(right)).principal.projectId).toBe(other);
});

test("a default project without a role is passed over", async () => {
  const other = await store.addProject("other");
  await store.grant(demoUser, "member", demoProject);
  await store.change(demoUser, { defaultProject: other });

  expect((await authenticate.login(right)).principal.projectId).toBe(demoProject);
});

test("with roles on several projects and no default, the project must be named", async () => {
  await store.grant(demoUser, "member", demoProject);
  await store.grant(demoUser, "member", await store.addProject("other"));

  await expect(authenticate.login(right)).rejects.toMatchObject({
    code: "unauthenticated",
    field: "project",
    remedy: "Name a project in your credentials, or have a default project set for the user.",
  });
});

test("a user without any role is told", async () => {
  await expect(authenticate.login(right)).rejects.toMatchObject({
    code: "unauthenticated",
    message: 'User "demo" has no role on any enabled project.',
  });
});

test("a role on the whole cloud gives a token for the whole cloud", async () => {
  await store.grant(demoUser, "admin");

  expect((await authenticate.login(right)).principal).toMatchObject({
    projectId: null,
    projectName: null,
    roles: ["admin", "member", "reader"],
    isAdmin: true,
  });
});

test("a role on the whole cloud counts on each project", async () => {
  await store.grant(demoUser, "member");

  expect((await authenticate.login({ ...right, project: "demo" })).principal).toMatchObject({
    projectId: demoProject,
    roles: ["member", "reader"],
    isAdmin: false,
  });
});

test("the role admin on a project does not administer the cloud", async () => {
  await store.grant(demoUser, "admin", demoProject);

  expect((await authenticate.login(right)).principal).toMatchObject({
    roles: ["admin", "member", "reader"],
    isAdmin: false,
  });
});

test("too many wrong passwords lock the user out, in the same words", async () => {
  await store.grant(demoUser, "member", demoProject);
  const strict = openAuthenticate(store.database, {
    clock: () => nowMs,
    scryptCost: testCost,
    lockoutFailureAttempts: 2,
  });
  await expect(strict.login(wrong)).rejects.toMatchObject(refused);
  await expect(strict.login(wrong)).rejects.toMatchObject(refused);

  await expect(strict.login(right)).rejects.toMatchObject(refused);
});

test("a lock ends after its duration", async () => {
  await store.grant(demoUser, "member", demoProject);
  const strict = openAuthenticate(store.database, {
    clock: () => nowMs,
    scryptCost: testCost,
    lockoutFailureAttempts: 1,
    lockoutDurationSeconds: 60,
  });
  await expect(strict.login(wrong)).rejects.toMatchObject(refused);
  nowMs += 60_000;

  expect((await strict.login(right)).principal.userId).toBe(demoUser);
});

test("after a lock the count starts anew", async () => {
  await store.grant(demoUser, "member", demoProject);
  const strict = openAuthenticate(store.database, {
    clock: () => nowMs,
    scryptCost: testCost,
    lockoutFailureAttempts: 2,
  });
  await expect(strict.login(wrong)).rejects.toMatchObject(refused);
  await expect(strict.login(wrong)).rejects.toMatchObject(refused);
  nowMs += 1_800_000;
  await expect(strict.login(wrong)).rejects.toMatchObject(refused);

  expect((await strict.login(right)).principal.userId).toBe(demoUser);
});

test("a right password takes the count back", async () => {
  await store.grant(demoUser, "member", demoProject);
  const strict = openAuthenticate(store.database, {
    clock: () => nowMs,
    scryptCost: testCost,
    lockoutFailureAttempts: 2,
  });
  await expect(strict.login(wrong)).rejects.toMatchObject(refused);
  await strict.login(right);
  await expect(strict.login(wrong)).rejects.toMatchObject(refused);

  expect((await strict.login(right)).principal.userId).toBe(demoUser);
});

test("by default nobody is locked out", async () => {
  await expect(authenticate.login(wrong)).rejects.toMatchObject(refused);

  expect(await store.database.selectFrom("login_failures").selectAll().execute()).toEqual([]);
});
