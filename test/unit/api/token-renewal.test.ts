import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TestCloud } from "../../support/cloud.ts";

const hourMs = 3_600_000;
let test1: TestCloud;

beforeEach(async () => {
  test1 = await TestCloud.open();
});

afterEach(async () => {
  vi.useRealTimers();
  await test1[Symbol.asyncDispose]();
});

/** Lets time pass, in which a token of an hour's life was issued at the start. */
function pass(timeMs: number): void {
  const now = Date.now();
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(now + timeMs);
}

/** How many tokens the store has. */
async function countTokens(): Promise<number> {
  const database = await test1.database();
  return (await database.selectFrom("tokens").select("hash").execute()).length;
}

test("a session outlives its first token", async () => {
  pass(2 * hourMs);
  await expect(test1.cloud.list("server")).resolves.toEqual([]);
});

test("calls at once renew a token once", async () => {
  const before = await countTokens();
  pass(0.6 * hourMs);
  await Promise.all([test1.cloud.list("server"), test1.cloud.list("host")]);
  expect(await countTokens()).toBe(before + 1);
});

test("a token in the first half of its life is kept", async () => {
  const before = await countTokens();
  pass(0.4 * hourMs);
  await test1.cloud.list("server");
  expect(await countTokens()).toBe(before);
});

test("a session that was ended is not renewed", async () => {
  await test1.cloud.revoke();
  pass(2 * hourMs);
  await expect(test1.cloud.list("server")).rejects.toMatchObject({ code: "unauthenticated" });
});

test("a user whose password has changed cannot renew", async () => {
  await test1.make("user", "ada", { password: "first one" });
  const project = await test1.make("project", "demo");
  const user = await test1.cloud.find("user", "ada");
  await test1.make("role-assignment", "ada", { user: user.id, project: project.id, role: "member" });
  const session = await test1.open({ STACKYARD_USERNAME: "ada", STACKYARD_PASSWORD: "first one" });
  await test1.make("user", "ada", { password: "second one" });
  pass(2 * hourMs);
  await expect(session.list("server")).rejects.toMatchObject({ code: "unauthenticated" });
});
