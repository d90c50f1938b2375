import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeSmallWorld, TestCloud, type SmallWorld } from "../../support/cloud.ts";

let test1: TestCloud;
let world: SmallWorld;
let serverId: string;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1);
  ({ id: serverId } = await test1.make("server", "web", world.server));
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

test("lists show what an action has changed, without asking a host", async () => {
  await test1.cloud.act("server", serverId, "stop", {});
  const stopped = await test1.cloud.list("server");
  await test1.cloud.act("server", serverId, "start", {});

  expect(stopped[0]?.outputs["status"]).toBe("SHUTOFF");
  expect((await test1.cloud.list("server"))[0]?.outputs["status"]).toBe("ACTIVE");
});

test("an action says what it waits for", async () => {
  const lines: string[] = [];

  await test1.cloud.act("server", serverId, "reboot", {}, { onProgress: (line) => lines.push(line) });

  expect(lines).toContain("rebooting the guest");
});

test.each([
  ["soft", {}, "same"],
  ["soft", { kind: "soft" }, "same"],
  ["hard", { kind: "hard" }, "other"],
])("a %s reboot, asked for by %j, leaves the server in the %s process", async (_kind, input, process) => {
  const before = test1.compute.processOf(serverId);

  await test1.cloud.act("server", serverId, "reboot", input);

  expect(test1.compute.processOf(serverId) === before ? "same" : "other").toBe(process);
});

test("a stop gives the guest the time that is declared, in milliseconds", async () => {
  const stop = vi.spyOn(test1.compute.domains, "stop");
  await test1.make("server", "web", { ...world.server, timeouts: { shutdown: 7 } });

  await test1.cloud.act("server", serverId, "stop", {});

  expect(stop.mock.lastCall?.[2]).toBe(7_000);
});

test("an action is stopped by its signal", async () => {
  const stop = new AbortController();
  const held = test1.compute.hold("domains.stop");
  const stopping = test1.cloud.act("server", serverId, "stop", {}, { signal: stop.signal });
  await held.reached;

  stop.abort();

  await expect(stopping).rejects.toMatchObject({ code: "interrupted" });
});

test("nothing is done to a server that is being changed, but its console is read", async () => {
  const large = await test1.make("flavor", "large", { vcpus: 2, ramMib: 512, diskGib: 1 });
  const held = test1.compute.hold("domains.stop");
  const changing = test1.make("server", "web", { ...world.server, flavor: large.id });
  await held.reached;
  const acting = test1.cloud.act("server", serverId, "reboot", {});

  await expect(acting).rejects.toMatchObject({
    code: "wrong-state",
    message: expect.stringContaining("building") as unknown,
  });
  await expect(test1.cloud.act("server", serverId, "console-log", {})).resolves.toHaveProperty("text");
  held.goOn();
  await changing;
});
