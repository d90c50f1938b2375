/**
 * The switch of a lab of virtual machines, as a process of its own: it outlives the command that started it. It connects
 * to the NICs' sockets, which QEMU holds, again and again, so that either may be started anew. Its one argument is the
 * file with its ports; a client of its control socket makes it read that file again.
 */
import { readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { readSwitchFile } from "./switch-file.ts";
import type { SwitchFile } from "./switch-file.ts";
import { createFrameReader, createSwitch } from "./switch.ts";
import type { SwitchPort } from "./switch.ts";

const retryMs = 100;
const [file = ""] = process.argv.slice(2);
let settings: SwitchFile = readSwitchFile(readFileSync(file, "utf8"));
const frames = createSwitch();

function serve(socketPath: string): void {
  const entry = (): SwitchFile["ports"][number] | undefined =>
    settings.ports.find((port) => port.socket === socketPath);
  const segment = entry()?.segment ?? "";
  const socket = connect(socketPath);
  const port: SwitchPort = {
    segment,
    quality: () => entry() ?? { delayMs: 0, lossPercent: 0 },
    write: (bytes) => {
      // Frames of one turn travel in one system call.
      if (socket.writableCorked === 0) {
        socket.cork();
        process.nextTick(() => socket.uncork());
      }
      socket.write(bytes);
    },
    queuedBytes: () => socket.writableLength,
  };
  let unplug: (() => void) | undefined;
  const read = createFrameReader((framed) => frames.receive(port, framed));
  socket.on("connect", () => (unplug = frames.plug(port)));
  socket.on("data", (chunk) => {
    try {
      read(chunk);
    } catch {
      socket.destroy(); // and begin anew
    }
  });
  socket.on("error", () => undefined); // `close` follows
  socket.on("close", () => {
    unplug?.();
    setTimeout(() => serve(socketPath), retryMs);
  });
}

for (const { socket } of settings.ports) serve(socket);

rmSync(settings.controlSocket, { force: true });
createServer((client) => {
  client.on("error", () => undefined);
  try {
    settings = readSwitchFile(readFileSync(file, "utf8"));
    client.end("ok\n");
  } catch {
    client.end("refused\n");
  }
}).listen(settings.controlSocket);
