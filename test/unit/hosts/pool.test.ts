import { beforeEach, describe, expect, it, vi } from "vitest";
import type { HostAddress, HostConnection } from "../../../providers/hosts/connection.ts";
import { connectLocal } from "../../../providers/hosts/local.ts";
import { openHostPool } from "../../../providers/hosts/pool.ts";

const address: HostAddress = { name: "one", transport: "local", address: "one" };
const ssh = { environment: { home: "/nonexistent", user: "ada" } };
const connect = vi.fn<(host: HostAddress) => Promise<HostConnection>>();

beforeEach(() => {
  connect.mockReset();
  connect.mockImplementation((host) => Promise.resolve(connectLocal(host)));
});

describe("openHostPool", () => {
  it("connects once for all who ask, whatever the order of the address's fields", async () => {
    const pool = openHostPool({ ssh, connect });
    const same: HostAddress = { address: "one", transport: "local", name: "one" };
    const [first, second] = await Promise.all([pool.get(address), pool.get(same)]);
    expect(first).toBe(second);
    expect(connect).toHaveBeenCalledOnce();
  });

  it("connects to each host", async () => {
    const pool = openHostPool({ ssh, connect });
    const [first, second] = await Promise.all([pool.get(address), pool.get({ ...address, address: "two" })]);
    expect(first).not.toBe(second);
  });

  it("tries again after a failure", async () => {
    connect.mockRejectedValueOnce(new Error("no route"));
    const pool = openHostPool({ ssh, connect });
    await expect(pool.get(address)).rejects.toThrow("no route");
    await expect(pool.get(address)).resolves.toMatchObject({ host: address });
  });

  it("ends the wait of the caller that gives up, and not that of others", async () => {
    const { promise, resolve } = Promise.withResolvers<HostConnection>();
    connect.mockReturnValueOnce(promise);
    const pool = openHostPool({ ssh, connect });
    const controller = new AbortController();
    const impatient = pool.get(address, controller.signal);
    const patient = pool.get(address);
    controller.abort();
    await expect(impatient).rejects.toMatchObject({ code: "interrupted" });
    resolve(connectLocal(address));
    await expect(patient).resolves.toMatchObject({ host: address });
  });

  it("closes all connections, those on their way too", async () => {
    const { promise, resolve } = Promise.withResolvers<HostConnection>();
    connect.mockReturnValueOnce(promise);
    const pool = openHostPool({ ssh, connect });
    const opening = pool.get(address);
    const closed = pool.closeAll();
    resolve(connectLocal(address));
    await closed;
    expect((await opening).isOpen()).toBe(false);
  });

  it("runs local hosts without ssh", async () => {
    const pool = openHostPool({ ssh });
    expect((await pool.get(address)).isOpen()).toBe(true);
  });
});
