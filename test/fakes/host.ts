import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Transform } from "node:stream";
import { StackyardError } from "../../providers/core/errors.ts";
import { makeConnection } from "../../providers/hosts/connection.ts";
import type { HostAddress, HostConnection, StartedCommand } from "../../providers/hosts/connection.ts";
import { startLocally } from "../../providers/hosts/local.ts";
import { hostTools } from "../../providers/hosts/probe.ts";
import { FakeHostModel } from "./host/model.ts";
import { ovsOfctl, ovsVsctl } from "./host/ovs.ts";
import { genisoimage, qemuImg, systemTools, UnexpectedCall } from "./host/tools.ts";
import type { FakeTool, ToolAnswer } from "./host/tools.ts";
import { virsh } from "./host/virsh.ts";

export { FakeHostModel } from "./host/model.ts";

/** What goes wrong with a command. */
export type Fault =
  /** The host cannot be reached: nothing runs. */
  | { readonly kind: "unreachable" }
  /** The command fails before it does anything. */
  | { readonly kind: "fails"; readonly exitCode: number; readonly stderr: string }
  /** The command runs to its end, and nobody hears of it. */
  | { readonly kind: "lost" };

/** Which commands a fault strikes. */
export interface FaultRule {
  readonly fault: Fault;
  /** Text that the command has. Default: any. */
  readonly matching?: string;
  /** Commands that match are let through so many times first. Default 0. */
  readonly after?: number;
  /** How many are struck. Default 1. */
  readonly times?: number;
}

/** A host that is a folder: scripts are run for real by `/bin/sh`, on programs that talk to a model of the host. */
export interface FakeHost {
  readonly address: HostAddress;
  readonly model: FakeHostModel;
  /** Text of each command that was sent, those that a fault struck among them. */
  readonly commands: readonly string[];
  connect(): HostConnection;
  strike(rule: FaultRule): void;
  /** Removes the host. Raises when a script called what the fake does not know: the message says what to add. */
  close(): Promise<void>;
}

/** How a fake host is made. */
export interface FakeHostOptions {
  readonly name?: string;
  /** Further programs, or others for those that there are. */
  readonly tools?: Readonly<Record<string, FakeTool>>;
}

/** Real programs that scripts may call; all others are fakes, or are not there. */
const realTools = `base64 basename bash cat chmod cmp cp cut date dd dirname env false find flock grep head id kill ln ls mkdir mktemp mv od
printf pwd readlink realpath rm rmdir sed seq setsid sh sha256sum sha512sum sleep sort stat tail tee test timeout touch tr true truncate uniq wc xargs`;

/** Folders and files of the host that lie under its own root. Programs, devices and processes stay those of this machine. */
const ownPaths = [
  "/var/lib",
  "/var/log",
  "/var/cache",
  "/run",
  "/etc",
  "/srv",
  "/sys/class/net",
  "/sys/module",
  "/proc/cpuinfo",
  "/proc/meminfo",
  "/proc/sys/kernel/random/boot_id",
  "/dev/kvm",
];
const ownPath = new RegExp(String.raw`(?<![\w.~/-])(?=(?:${ownPaths.join("|")})(?![\w.-]))`, "g");

const unknownTool: FakeTool = (call) => {
  throw new UnexpectedCall(call, "the tools given to startFakeHost");
};

const fakeTools: Readonly<Record<string, FakeTool>> = {
  ...Object.fromEntries(hostTools.filter((tool) => tool !== "flock").map((tool) => [tool, unknownTool])),
  ...systemTools,
  genisoimage,
  "ovs-ofctl": ovsOfctl,
  "ovs-vsctl": ovsVsctl,
  "qemu-img": qemuImg,
  virsh,
};

/** Starts a fake host. */
export async function startFakeHost(options: FakeHostOptions = {}): Promise<FakeHost> {
  const tools = { ...fakeTools, ...options.tools };
  const root = mkdtempSync(join(tmpdir(), "stackyard-fake-"));
  const model = new FakeHostModel(join(root, "host"));
  for (const folder of ["var/lib", "var/log", "run/libvirt/qemu", "etc", "srv"]) {
    mkdirSync(join(model.root, folder), { recursive: true });
  }
  model.writeFile("/proc/meminfo", "MemTotal:       16777216 kB\n");
  model.writeFile("/proc/cpuinfo", "flags\t\t: fpu sse2\n");
  model.writeFile("/proc/sys/kernel/random/boot_id", "00000000-0000-4000-8000-000000000001\n");
  const relocate = (text: string): string => text.replaceAll(ownPath, model.root);
  const restore = (text: string): string => text.replaceAll(model.root, "");
  const problems: string[] = [];
  const server = await serveTools(tools, model, { relocate, restore, problems });
  const bin = join(root, "bin");
  installTools(bin, Object.keys(tools), server.port);
  const commands: string[] = [];
  const rules: { rule: FaultRule; seen: number }[] = [];
  const address: HostAddress = {
    name: options.name ?? "fake",
    transport: "local",
    address: options.name ?? "fake",
  };

  const pickFault = (text: string): Fault | undefined => {
    for (const entry of rules) {
      if (!text.includes(entry.rule.matching ?? "")) continue;
      entry.seen++;
      const first = (entry.rule.after ?? 0) + 1;
      if (entry.seen >= first && entry.seen < first + (entry.rule.times ?? 1)) return entry.rule.fault;
    }
    return undefined;
  };

  const start = (text: string): Promise<StartedCommand> => {
    commands.push(text);
    const fault = pickFault(text);
    if (fault?.kind === "unreachable") {
      return Promise.reject(
        new StackyardError("host-unreachable", { message: `Host ${address.name} cannot be reached` }),
      );
    }
    const effective =
      fault?.kind === "fails"
        ? `echo '${fault.stderr}' >&2; exit ${String(fault.exitCode)}`
        : `cd "$HOME"; ${relocate(text)}`;
    const command = startLocally(effective, { PATH: bin, HOME: model.root });
    return Promise.resolve({
      ...command,
      stdout: command.stdout.pipe(mapLines(restore)),
      stderr: command.stderr.pipe(mapLines((line) => noteMissing(restore(line), problems))),
      ended:
        fault?.kind === "lost"
          ? command.ended.then(() => ({ lost: "the connection was cut" }))
          : command.ended,
    });
  };

  return {
    address,
    model,
    commands,
    connect: () => makeConnection(address, { start, isOpen: () => true, close: () => Promise.resolve() }),
    strike: (rule) => rules.push({ rule, seen: 0 }),
    async close() {
      model.close();
      await server.close();
      rmSync(root, { recursive: true, force: true });
      if (problems.length > 0) throw new Error(problems.join("\n"));
    },
  };
}

/** dash and bash say so of a program that is not there. */
function noteMissing(line: string, problems: string[]): string {
  const tool = /: (?:\d+: )?(\S+): (?:command )?not found$/.exec(line.trimEnd())?.[1];
  if (tool !== undefined) {
    problems.push(
      `the fake host has no program ${tool}: add it to realTools or to the tools of test/fakes/host.ts`,
    );
  }
  return line;
}

function mapLines(map: (line: string) => string): Transform {
  let rest = "";
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const lines = (rest + chunk.toString("latin1")).split("\n");
      rest = lines.pop() ?? "";
      done(null, Buffer.from(lines.map((line) => map(`${line}\n`)).join(""), "latin1"));
    },
    flush(done) {
      done(null, Buffer.from(map(rest), "latin1"));
    },
  });
}

/** Each fake program is one and the same script: it asks this process, by the name under which it was called. */
function installTools(bin: string, fakes: readonly string[], port: number): void {
  mkdirSync(bin);
  for (const tool of realTools.split(/\s+/)) {
    if (!fakes.includes(tool)) symlinkSync(findProgram(tool), join(bin, tool));
  }
  const shim = join(bin, ".fake");
  writeFileSync(
    shim,
    `#!${findProgram("bash")}
exec 8<> /dev/tcp/127.0.0.1/${String(port)}
# One write a message: a second one would wait for the first one's acknowledgement.
say() { message=$(base64 -w 0); printf '%s\\n' "$message" >&8; }
printf '%s\\0' "\${0##*/}" "$PWD" "$@" | say
while IFS=' ' read -r verb value <&8; do
  case $verb in
    stdin) say ;;
    stdout) printf %s "$value" | base64 -d ;;
    stderr) printf %s "$value" | base64 -d >&2 ;;
    exit) exit "$value" ;;
  esac
done
exit 127
`,
  );
  chmodSync(shim, 0o755);
  for (const tool of fakes) symlinkSync(shim, join(bin, tool));
}

function findProgram(name: string): string {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, name);
    if (!existsSync(path)) continue;
    accessSync(path, constants.X_OK);
    return path;
  }
  throw new Error(`this machine has no program ${name}`);
}

async function serveTools(
  tools: Readonly<Record<string, FakeTool>>,
  model: FakeHostModel,
  host: { relocate(text: string): string; restore(text: string): string; problems: string[] },
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.setNoDelay());
    socket.on("error", () => undefined);
    void answer(socket, tools, model, host).finally(() => {
      sockets.delete(socket);
      socket.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return {
    port: address.port,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

async function answer(
  socket: Socket,
  tools: Readonly<Record<string, FakeTool>>,
  model: FakeHostModel,
  host: { relocate(text: string): string; restore(text: string): string; problems: string[] },
): Promise<void> {
  const lines = readLines(socket);
  const readText = async (): Promise<string> => {
    const line = await lines.next();
    return line.done === true ? "" : Buffer.from(line.value, "base64").toString("utf8");
  };
  const [tool = "", folder = "", ...args] = host
    .restore(await readText())
    .split("\0")
    .slice(0, -1);
  const call = {
    tool,
    folder,
    args,
    stdin: async () => {
      socket.write("stdin\n");
      return readText();
    },
  };
  let reply: ToolAnswer;
  try {
    const fake = tools[tool];
    if (fake === undefined) throw new UnexpectedCall(call, "the tools of test/fakes/host.ts");
    reply = await fake(call, model);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    host.problems.push(message);
    reply = { exitCode: 127, stderr: `${message}\n` };
  }
  const encode = (text = ""): string => Buffer.from(host.relocate(text)).toString("base64");
  const output = reply.stdout === undefined ? "" : `stdout ${encode(reply.stdout)}\n`;
  const errors = reply.stderr === undefined ? "" : `stderr ${encode(reply.stderr)}\n`;
  socket.write(`${output}${errors}exit ${String(reply.exitCode ?? 0)}\n`);
}

async function* readLines(socket: Socket): AsyncGenerator<string, undefined> {
  let rest = "";
  for await (const chunk of socket.setEncoding("latin1")) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  return undefined;
}
