import { afterEach, beforeEach, expect, test } from "vitest";
import { openAuthenticate } from "../../../providers/authenticate/authenticate.ts";
import { bootstrap, type Administrator } from "../../../providers/authenticate/bootstrap.ts";
import { IdentityStore, testCost } from "../../support/identity-store.ts";

let store: IdentityStore;
let delivered: Administrator[];

beforeEach(async () => {
  store = await IdentityStore.open();
  delivered = [];
});

afterEach(() => store[Symbol.asyncDispose]());

const options = {
  scryptCost: testCost,
  deliver: (administrator: Administrator) => {
    delivered.push(administrator);
    return Promise.resolve();
  },
};

test("the administrator of a new cloud can log in and administers it", async () => {
  await bootstrap(store.database, options);
  const [administrator] = delivered;

  const { principal } = await openAuthenticate(store.database, { scryptCost: testCost }).login(
    administrator ?? expect.fail("no administrator was delivered"),
  );

  expect(principal).toMatchObject({ userName: "admin", projectName: "admin", isAdmin: true });
});

test("a cloud that has users is left alone", async () => {
  await bootstrap(store.database, options);

  expect(await bootstrap(store.database, options)).toBe(false);
  expect(delivered).toHaveLength(1);
});

test("of two processes that open a new cloud, one makes the administrator", async () => {
  const other = await store.connectAgain();

  const done = await Promise.all([bootstrap(store.database, options), bootstrap(other, options)]);

  expect(done.toSorted()).toEqual([false, true]);
  expect(delivered).toHaveLength(1);
});

test("credentials that could not be delivered are not valid", async () => {
  const failing = { ...options, deliver: () => Promise.reject(new Error("disk full")) };

  await expect(bootstrap(store.database, failing)).rejects.toThrow("disk full");
  expect(await bootstrap(store.database, options)).toBe(true);
});

test("the records are whole: applied, active, without the password", async () => {
  await bootstrap(store.database, options);
  const rows = await store.database.selectFrom("records").selectAll().orderBy("type").execute();

  expect(rows.map(({ type, name, status }) => ({ type, name, status }))).toEqual([
    { type: "project", name: "admin", status: "active" },
    { type: "role-assignment", name: "admin", status: "active" },
    { type: "user", name: "admin", status: "active" },
  ]);
  expect(rows.every((row) => row.applied === row.inputs)).toBe(true);
  expect(JSON.stringify(rows)).not.toContain(delivered[0]?.password.reveal());
});
