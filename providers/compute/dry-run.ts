import { Readable } from "node:stream";
import { StackyardError } from "../core/errors.ts";
import type { HostAddress } from "../core/host.ts";
import type { DryRun, NotedCommand, NotedDomain } from "../core/dry-run.ts";
import type { HostPorts } from "../core/ports.ts";
import type { Shell } from "../hosts/command.ts";
import type { HostConnection, RunOptions } from "../hosts/connection.ts";
import type { HostPool } from "../hosts/pool.ts";
import { renderDomain } from "./domain-xml.ts";

/**
 * The ports over a pool that carries out only what looks. `open` makes ports over a pool: they are the real ones, so that what is noted is what would
 * run. The sources of images are not read: that may mean to download them.
 */
export function openDryRun(pool: HostPool, open: (pool: HostPool) => HostPorts): DryRun {
  const commands: NotedCommand[] = [];
  const domains: NotedDomain[] = [];
  const ports = open(noteCommands(pool, commands));
  return {
    commands,
    domains,
    ports: {
      ...ports,
      images: { ...ports.images, inspectDisk: refuseToRead, inspectFile: refuseToRead },
      domains: {
        ...ports.domains,
        async spawn(host, spec, start, signal) {
          domains.push({ host: host.name, id: spec.id, xml: renderDomain(host, spec) });
          await ports.domains.spawn(host, spec, start, signal);
        },
      },
    },
  };
}

function refuseToRead(): Promise<never> {
  return Promise.reject(
    new StackyardError("wrong-state", { message: "the image is read when it is applied, and not before" }),
  );
}

function noteCommands(pool: HostPool, commands: NotedCommand[]): HostPool {
  return {
    get: (address) => Promise.resolve(noteCommandsOf(pool, address, commands)),
    closeAll: () => Promise.resolve(),
  };
}

function noteCommandsOf(pool: HostPool, host: HostAddress, commands: NotedCommand[]): HostConnection {
  return {
    host,
    async run(command, options = {}) {
      if (options.readOnly === true) return (await pool.get(host, options.signal)).run(command, options);
      commands.push(note(host, command, options));
      return { exitCode: 0, stdout: options.assumed ?? "", stderr: "", durationMs: 0 };
    },
    openSocket: refuseSocket,
    listenAt: refuseSocket,
    isOpen: () => true,
    close: () => Promise.resolve(),
  };
}

function refuseSocket(): Promise<never> {
  return Promise.reject(
    new StackyardError("wrong-state", { message: "a dry run connects nothing on a host" }),
  );
}

function note(host: HostAddress, command: Shell, { stdin, attempting = "" }: RunOptions): NotedCommand {
  const noted = { host: host.name, purpose: attempting, command: command.text };
  if (stdin === undefined) return { ...noted, inputBytes: 0 };
  if (typeof stdin === "string" || stdin instanceof Uint8Array)
    return { ...noted, inputBytes: Buffer.byteLength(stdin) };
  // Nobody reads it; what feeds it is let go of.
  if (stdin instanceof Readable) stdin.destroy();
  return noted;
}
