import type { Shell } from "../../providers/hosts/command.ts";
import type { RunOptions } from "../../providers/hosts/connection.ts";
import type { HostPool } from "../../providers/hosts/pool.ts";

/** The pool, with `before` called ahead of each command on its hosts. */
export function watchCommands(
  pool: HostPool,
  before: (command: Shell, options: RunOptions | undefined) => Promise<void> | void,
): HostPool {
  return {
    async get(address, signal) {
      const connection = await pool.get(address, signal);
      return {
        ...connection,
        async run(command, options) {
          await before(command, options);
          return connection.run(command, options);
        },
      };
    },
    closeAll: () => pool.closeAll(),
  };
}
