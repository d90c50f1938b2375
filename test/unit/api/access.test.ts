import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Cloud } from "../../../providers/core/cloud.ts";
import type { ErrorCode } from "../../../providers/core/errors.ts";
import { flowSteps } from "../../../providers/core/trace.ts";
import { definitions } from "../../../providers/registry.ts";
import {
  make,
  makeFullWorld,
  nameOfHost,
  passwordOf,
  TestCloud,
  type FullWorld,
} from "../../support/cloud.ts";
import { specimenName, specimenOf } from "../../support/specimens.ts";

let test1: TestCloud;
let world: FullWorld;
let serverId: string;
/** Sessions for the project that owns the world, by role, and one for another project. */
let reader: Cloud;
let member: Cloud;
let stranger: Cloud;

beforeAll(async () => {
  test1 = await TestCloud.open();
  world = await makeFullWorld(test1);
  const { id, record } = await test1.make("server", "web", world.server);
  serverId = id;
  const other = await test1.make("project", "other");
  reader = await test1.logIn("rea", "reader", record.projectId ?? "");
  member = await test1.logIn("mem", "member", record.projectId ?? "");
  stranger = await test1.logIn("str", "member", other.id);
});

afterAll(async () => {
  await test1[Symbol.asyncDispose]();
});

/** Every method of the facade that does something for a login, on the server of another. */
const calls: Readonly<Record<string, (cloud: Cloud) => Promise<unknown>>> = {
  plan: (cloud) => cloud.plan({ type: "network", inputs: {}, maker: "test:x", defaultName: "x" }),
  preview: (cloud) => cloud.preview({ type: "network", inputs: {}, maker: "test:x", defaultName: "x" }),
  apply: (cloud) => cloud.apply({ type: "network", inputs: {}, maker: "test:x", defaultName: "x" }),
  previewAdoption: (cloud) => cloud.previewAdoption({ host: "h1", domain: "legacy", inputs: {} }),
  adopt: (cloud) => cloud.adopt({ host: "h1", domain: "legacy", inputs: {} }),
  read: (cloud) => cloud.read("server", serverId),
  drift: (cloud) => cloud.drift({ resource: { type: "server", id: serverId } }),
  remove: (cloud) => cloud.remove("server", serverId),
  list: (cloud) => cloud.list("server"),
  find: (cloud) => cloud.find("server", "web"),
  act: (cloud) => cloud.act("server", serverId, "reboot", {}),
  trace: (cloud) => cloud.trace(serverId),
  explainPlacement: (cloud) => cloud.explainPlacement({ flavor: "tiny" }),
  journal: (cloud) => cloud.journal(serverId),
  listLeftovers: (cloud) => cloud.listLeftovers(),
  removeLeftover: (cloud) =>
    cloud.removeLeftover({ hostId: undefined, host: "-", kind: "record", id: serverId, description: "" }),
  guestAccess: (cloud) => cloud.guestAccess(serverId),
  flushTokens: (cloud) => cloud.flushTokens(),
};

/** What ends a login needs none. */
const endings = ["revoke", "close"];

test("the walk below names every method of the facade", () => {
  const methods = Object.entries(test1.cloud).flatMap(([name, member]) =>
    typeof member === "function" ? [name] : [],
  );
  expect([...Object.keys(calls), ...endings].toSorted()).toEqual(methods.toSorted());
});

describe.each(Object.entries(calls))("%s", (_name, call) => {
  test("is refused to a token that was revoked, and does nothing", async () => {
    const session = await test1.open();
    await session.revoke();
    const before = await test1.holdings();
    const changes = test1.compute.changes.length;

    await expect(call(session)).rejects.toMatchObject({ code: "unauthenticated" });

    expect(await test1.holdings()).toEqual(before);
    expect(test1.compute.changes).toHaveLength(changes);
  });
});

/** What each role is refused, of another's server and of what concerns the cloud. Everything else it may. */
const refusals: readonly (readonly [
  who: string,
  session: () => Cloud,
  Readonly<Record<string, ErrorCode>>,
])[] = [
  [
    "a reader of the project",
    () => reader,
    {
      apply: "forbidden",
      remove: "forbidden",
      act: "forbidden",
      previewAdoption: "forbidden",
      adopt: "forbidden",
      explainPlacement: "forbidden",
      listLeftovers: "forbidden",
      removeLeftover: "forbidden",
      flushTokens: "forbidden",
    },
  ],
  [
    "a member of another project",
    () => stranger,
    {
      read: "forbidden",
      drift: "forbidden",
      remove: "forbidden",
      find: "not-found",
      act: "forbidden",
      trace: "forbidden",
      previewAdoption: "forbidden",
      adopt: "forbidden",
      explainPlacement: "forbidden",
      journal: "forbidden",
      guestAccess: "forbidden",
      listLeftovers: "forbidden",
      removeLeftover: "forbidden",
      flushTokens: "forbidden",
    },
  ],
];

describe.each(refusals)("%s", (_who, session, codes) => {
  test.each(Object.entries(codes))("is refused to %s: %s", async (name, code) => {
    await expect(calls[name]?.(session())).rejects.toMatchObject({ code });
    expect(test1.compute.survey()["h1.test"]).toContain(`server ${serverId} running`);
  });
});

test.each(["constructor", "toString", "__proto__"])(
  "%s, which every object has, is no action",
  async (action) => {
    await expect(test1.cloud.act("server", serverId, action, {})).rejects.toMatchObject({
      code: "not-found",
    });
  },
);

test.each([0, 1.5, 1e9])("a question about %d servers is refused", async (count) => {
  await expect(test1.cloud.explainPlacement({ flavor: "tiny", count })).rejects.toMatchObject({
    code: "invalid-input",
    field: "count",
  });
});

test("a stranger's list shows nothing of other projects, but the flavors and volume types of all", async () => {
  const lists = await Promise.all(
    definitions.map(async ({ type }) => [type, await stranger.list(type)] as const),
  );

  expect(lists.filter(([, views]) => views.length > 0).map(([type]) => type)).toEqual([
    "project",
    "user",
    "volume-type",
    "flavor",
  ]);
});

test("a reader sees, and reads the console", async () => {
  expect(await reader.find("server", "web")).toMatchObject({ id: serverId });
  expect(await reader.act("server", serverId, "console-log", { lines: 1 })).toEqual({
    text: "ready",
  });
});

test("a member reboots", async () => {
  await expect(member.act("server", serverId, "reboot", { kind: "hard" })).resolves.toEqual({});
});

describe.each(definitions.filter(({ scope }) => scope === "cloud"))("a member", ({ type, plural }) => {
  test(`makes no ${plural}: they are the administrator's`, async () => {
    const { inputs } = specimenOf(type, test1, world);

    await expect(make(member, type, `${specimenName} of a member`, inputs)).rejects.toMatchObject({
      code: expect.stringMatching(/^(forbidden|unknown-reference)$/) as unknown,
    });
  });
});

describe("a login", () => {
  test.each([
    ["a wrong password", { STACKYARD_USERNAME: "mem", STACKYARD_PASSWORD: "wrong" }, "username"],
    ["an unknown user", { STACKYARD_USERNAME: "nemo", STACKYARD_PASSWORD: "wrong" }, "username"],
    [
      "an unknown project",
      { STACKYARD_USERNAME: "mem", STACKYARD_PASSWORD: passwordOf("mem"), STACKYARD_PROJECT: "atlantis" },
      "project",
    ],
    [
      "a project without a role",
      { STACKYARD_USERNAME: "mem", STACKYARD_PASSWORD: passwordOf("mem"), STACKYARD_PROJECT: "other" },
      "project",
    ],
    [
      "a user without any role",
      { STACKYARD_USERNAME: "nobody", STACKYARD_PASSWORD: passwordOf("nobody") },
      "project",
    ],
    ["no password", { STACKYARD_USERNAME: "mem" }, "STACKYARD_PASSWORD"],
  ])("with %s is refused, with the field to correct", async (_what, environment, field) => {
    await expect(test1.open(environment)).rejects.toMatchObject({
      code: "unauthenticated",
      field,
      remedy: expect.stringMatching(/\S/) as unknown,
    });
  });
});

describe("a removed resource's journal", () => {
  test("is the administrator's to read", async () => {
    const { id } = await test1.make("server", "gone", world.server);
    await test1.cloud.remove("server", id);

    await expect(member.journal(id)).rejects.toMatchObject({ code: "forbidden" });
    expect((await test1.cloud.journal(id)).at(-1)).toMatchObject({ kind: "remove", state: "succeeded" });
  });
});

describe("the trace of a build", () => {
  test("has all 29 steps, in order", async () => {
    const events = await test1.cloud.trace(serverId);

    expect(events.map(({ number }) => number)).toEqual(flowSteps.map(({ number }) => number));
  });

  test("names the host of the steps that run there, and of no other", async () => {
    const events = await test1.cloud.trace(serverId);
    const there = flowSteps.filter(({ number }) => number === 13 || number === 14 || number >= 18);

    expect(events.filter(({ host }) => host !== undefined).map(({ number }) => number)).toEqual(
      there.map(({ number }) => number),
    );
    expect(new Set(events.flatMap(({ host }) => host ?? []))).toEqual(new Set([nameOfHost(1)]));
  });

  test("tells when each step began: none before the one that caused it", async () => {
    const events = await test1.cloud.trace(serverId);
    const order = [
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 28, 29,
    ];
    const starts = order.map((number) => events.find((event) => event.number === number)?.startedAtMs ?? 0);

    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    expect(events.filter(({ durationMs }) => durationMs < 0)).toEqual([]);
  });
});

test("a user who failed too often is kept out, if that is set", async () => {
  const environment = { STACKYARD_USERNAME: "mem", STACKYARD_LOCKOUT_FAILURE_ATTEMPTS: "2" };
  const attempt = (password: string) => test1.open({ ...environment, STACKYARD_PASSWORD: password });
  await expect(attempt("wrong")).rejects.toMatchObject({ code: "unauthenticated" });
  await expect(attempt("wrong")).rejects.toMatchObject({ code: "unauthenticated" });

  await expect(attempt(passwordOf("mem"))).rejects.toMatchObject({ code: "unauthenticated" });
});
