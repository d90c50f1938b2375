import { interruption } from "./connection.ts";
import type { HostAddress, HostConnection } from "./connection.ts";
import { connectLocal } from "./local.ts";
import type { SshOptions } from "./ssh.ts";

/** The connections of one process: one a host, shared by all who ask. */
export interface HostPool {
  /**
   * The connection to a host, opened by the first caller. A failed attempt is not remembered. `signal` ends this caller's wait alone, with
   * `interrupted`. Raises what `connectSsh` raises.
   */
  get(address: HostAddress, signal?: AbortSignal): Promise<HostConnection>;
  /** Closes all connections, those still being opened too. */
  closeAll(): Promise<void>;
}

/** How hosts are reached. */
export interface HostPoolOptions {
  readonly ssh: SshOptions;
  /** Opens a connection. Default: by the address's transport. */
  readonly connect?: (address: HostAddress) => Promise<HostConnection>;
}

/** Opens nothing yet; connections come by need. */
export function openHostPool(options: HostPoolOptions): HostPool {
  const connect = options.connect ?? ((address) => connectHost(address, options.ssh));
  const connections = new Map<string, Promise<HostConnection>>();
  const open = (address: HostAddress): Promise<HostConnection> => {
    const key = JSON.stringify(address, Object.keys(address).sort());
    const known = connections.get(key);
    if (known !== undefined) return known;
    const opening = connect(address);
    connections.set(key, opening);
    opening.catch(() => {
      if (connections.get(key) === opening) connections.delete(key);
    });
    return opening;
  };
  return {
    get: (address, signal) => waitFor(open(address), address, signal),
    async closeAll() {
      const all = [...connections.values()];
      connections.clear();
      await Promise.allSettled(all.map(async (opening) => (await opening).close()));
    },
  };
}

async function waitFor<T>(
  promise: Promise<T>,
  host: HostAddress,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(interruption(host, "connect"));
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", onAbort));
}

async function connectHost(address: HostAddress, ssh: SshOptions): Promise<HostConnection> {
  switch (address.transport) {
    case "local":
      return connectLocal(address);
    case "ssh":
      // A plan of what needs no host is spared the time that the library takes to load.
      return (await import("./ssh.ts")).connectSsh(address, ssh);
  }
}
