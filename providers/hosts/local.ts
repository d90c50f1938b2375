import { spawn } from "node:child_process";
import { once } from "node:events";
import { createConnection, createServer } from "node:net";
import type { Duplex } from "node:stream";
import { exitCodeOfSignal, makeConnection } from "./connection.ts";
import type { Ending, HostAddress, HostConnection, Listening, StartedCommand } from "./connection.ts";

/**
 * Starts its argument without this process's environment, as sshd would: passwords and passphrases in it are nothing for commands, least of all
 * for those that go on running. SSH_CONNECTION tells by which interface whoever runs this came.
 */
const withoutEnvironment =
  'exec env -i PATH="$PATH" ${HOME:+HOME="$HOME"} ${SSH_CONNECTION:+SSH_CONNECTION="$SSH_CONNECTION"} /bin/sh -c "$1"';

/** This machine as a host: the same commands by `/bin/sh`, without ssh. */
export function connectLocal(host: HostAddress): HostConnection {
  return makeConnection(host, {
    start: (text) => Promise.resolve(startLocally(text)),
    openSocket,
    listenAt,
    isOpen: () => true,
    close: () => Promise.resolve(),
  });
}

async function openSocket(path: string): Promise<Duplex> {
  const socket = createConnection(path);
  await once(socket, "connect");
  return socket;
}

async function listenAt(path: string, accept: (socket: Duplex) => void): Promise<Listening> {
  // What one side has sent last must not cut off what the other still sends.
  const server = createServer({ allowHalfOpen: true }, accept);
  server.listen(path);
  await once(server, "listening");
  return {
    close() {
      server.close();
      return Promise.resolve();
    },
  };
}

function startLocally(text: string): StartedCommand {
  // Detached: a group of its own, so that Ctrl-C at our terminal does not reach it.
  const child = spawn("/bin/sh", ["-c", withoutEnvironment, "sh", text], { stdio: "pipe", detached: true });
  const { promise: ended, resolve } = Promise.withResolvers<Ending>();
  child.once("error", (error) => resolve({ lost: error.message }));
  child.once("close", (code, signal) => resolve({ exitCode: code ?? exitCodeOfSignal(signal ?? "") }));
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    ended,
    terminate: () => child.kill("SIGTERM"),
    abandon() {
      child.kill("SIGKILL");
      child.stdout.destroy();
      child.stderr.destroy();
    },
  };
}
