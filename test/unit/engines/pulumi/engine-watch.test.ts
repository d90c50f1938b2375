import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { watchEngine } from "../../../../providers/engines/pulumi/engine-watch.ts";

let engine: Server;
let address: string;

beforeEach(async () => {
  engine = createServer().listen(0, "127.0.0.1");
  await once(engine, "listening");
  address = `127.0.0.1:${String((engine.address() as AddressInfo).port)}`;
});

afterEach(() => {
  engine.close();
});

it("says nothing while the engine listens", async () => {
  const onGone = vi.fn();
  watchEngine(address, onGone, 10);
  await once(engine, "connection");
  await once(engine, "connection");
  expect(onGone).not.toHaveBeenCalled();
});

it("says once that the engine is gone", async () => {
  const onGone = vi.fn();
  watchEngine(address, onGone, 10);
  await once(engine, "connection");
  engine.close();
  await vi.waitFor(() => expect(onGone).toHaveBeenCalled());
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(onGone).toHaveBeenCalledTimes(1);
});
