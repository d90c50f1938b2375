import { basename } from "node:path";
import type { FakeHostModel } from "./model.ts";

/** A program that a script on the fake host has called. */
export interface ToolCall {
  readonly tool: string;
  readonly args: readonly string[];
  /** Working folder, as the host sees it. */
  readonly folder: string;
  /** All of standard input; the program reads none where this is not called. */
  stdin(): Promise<string>;
}

/** What a program prints, and its exit code. */
export interface ToolAnswer {
  readonly exitCode?: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

/** Stands for a program of the host. Raises {@link UnexpectedCall} for a call that it does not know. */
export type FakeTool = (call: ToolCall, model: FakeHostModel) => ToolAnswer | Promise<ToolAnswer>;

/** A call that no fake tool answers. */
export class UnexpectedCall extends Error {
  constructor(call: ToolCall, at: string) {
    super(
      `the fake host does not know: ${[call.tool, ...call.args].join(" ")}\n` +
        `Add it to ${at}, with what the real program answers (exit code, output, error text).`,
    );
    this.name = "UnexpectedCall";
  }
}

/** A path of an argument, seen from the root of the host. */
export function pathOf(call: ToolCall, argument: string): string {
  return argument.startsWith("/") ? argument : `${call.folder}/${argument}`;
}

/** Programs whose answers are facts about the host. */
export const systemTools: Readonly<Record<string, FakeTool>> = {
  uname(call) {
    const facts: Readonly<Record<string, string>> = { "-n": "fake", "-m": "x86_64", "-r": "6.1.0-fake" };
    const fact = facts[call.args.join(" ")];
    if (fact === undefined) throw new UnexpectedCall(call, "systemTools of test/fakes/host/tools.ts");
    return { stdout: `${fact}\n` };
  },
  nproc: () => ({ stdout: "8\n" }),
  df: () => ({
    stdout:
      "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 104857600 1 83886080 1% /\n",
  }),
  modprobe: () => ({ exitCode: 1, stderr: "modprobe: FATAL: Module openvswitch not found\n" }),
  ip(call) {
    if (call.args.join(" ") !== "-json address show") {
      throw new UnexpectedCall(call, "systemTools of test/fakes/host/tools.ts");
    }
    const address = { family: "inet", local: "192.0.2.10", prefixlen: 24, scope: "global" };
    return { stdout: `${JSON.stringify([{ ifname: "eth0", addr_info: [address] }])}\n` };
  },
};

/** Writes the tree as JSON of path and text, so that a test can read what is on the disc. */
export const genisoimage: FakeTool = (call, model) => {
  const output = call.args[call.args.indexOf("-o") + 1];
  const folder = call.args.at(-1);
  if (!call.args.includes("-o") || output === undefined || folder === undefined) {
    throw new UnexpectedCall(call, "genisoimage of test/fakes/host/tools.ts");
  }
  model.writeFile(
    pathOf(call, output),
    JSON.stringify({
      volume: call.args[call.args.indexOf("-V") + 1],
      files: model.readTree(pathOf(call, folder)),
    }),
  );
  return {};
};

/** Images are real files: a qcow2 has its true header, so that whoever reads it by its bytes is answered too. */
export const qemuImg: FakeTool = (call, model) => {
  const [command, ...rest] = call.args;
  const { options, operands } = readOptions(rest, ["-f", "-F", "-b", "-O"]);
  const path = (index: number): string => {
    const operand = operands[index];
    if (operand === undefined) throw new UnexpectedCall(call, "qemuImg of test/fakes/host/tools.ts");
    return pathOf(call, operand);
  };
  switch (command) {
    case "create": {
      const backing = options.get("-b");
      const size = operands[1];
      const base = backing === undefined ? undefined : readImage(model, pathOf(call, backing));
      const bytes = size === undefined ? base?.virtualBytes : toBytes(size);
      if (bytes === undefined)
        return fails(`qemu-img: ${basename(path(0))}: Image creation needs a size parameter`);
      const isRaw = options.get("-f") === "raw";
      model.writeFile(path(0), isRaw ? Buffer.alloc(0) : writeHeader(bytes, backing));
      if (isRaw) model.truncate(path(0), bytes);
      return {};
    }
    case "resize": {
      const { backing } = readImage(model, path(0));
      model.writeFile(path(0), writeHeader(toBytes(operands[1] ?? ""), backing));
      return {};
    }
    case "convert": {
      const { virtualBytes } = readImage(model, path(0));
      const isRaw = options.get("-O") === "raw";
      model.writeFile(path(1), isRaw ? Buffer.alloc(0) : writeHeader(virtualBytes));
      if (isRaw) model.truncate(path(1), virtualBytes);
      return { stdout: "    (100.00/100%)\r\n" };
    }
    case "info": {
      const image = readImage(model, path(0));
      return {
        stdout: JSON.stringify({
          filename: path(0),
          format: image.format,
          "virtual-size": image.virtualBytes,
          "actual-size": 200704,
          ...(image.backing === undefined ? {} : { "backing-filename": image.backing }),
        }),
      };
    }
    case undefined:
    default:
      throw new UnexpectedCall(call, "qemuImg of test/fakes/host/tools.ts");
  }
};

function fails(message: string): ToolAnswer {
  return { exitCode: 1, stderr: `${message}\n` };
}

/** Splits arguments into options, of which some take a value, and the rest. */
export function readOptions(
  args: readonly string[],
  withValue: readonly string[],
): { readonly options: ReadonlyMap<string, string>; readonly operands: readonly string[] } {
  const options = new Map<string, string>();
  const operands: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const argument = args[at] ?? "";
    if (argument === "--") {
      operands.push(...args.slice(at + 1));
      break;
    }
    if (withValue.includes(argument)) options.set(argument, args[++at] ?? "");
    else if (argument.startsWith("-") && argument !== "-") options.set(argument, "");
    else operands.push(argument);
  }
  return { options, operands };
}

const units: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

function toBytes(size: string): number {
  const [, count, unit = ""] = /^(\d+)([KMG]?)$/.exec(size) ?? [];
  return Number(count) * (units[unit] ?? Number.NaN);
}

const magic = Buffer.from("QFI\xfb", "latin1");
const headerBytes = 104;

/** Header of a qcow2, version 3 (qemu: docs/interop/qcow2.txt). */
function writeHeader(virtualBytes: number, backing = ""): Buffer {
  const header = Buffer.alloc(headerBytes + backing.length);
  magic.copy(header);
  header.writeUInt32BE(3, 4);
  header.writeBigUInt64BE(BigInt(backing === "" ? 0 : headerBytes), 8);
  header.writeUInt32BE(backing.length, 16);
  header.writeBigUInt64BE(BigInt(virtualBytes), 24);
  header.write(backing, headerBytes, "latin1");
  return header;
}

interface FakeImage {
  readonly format: "qcow2" | "raw";
  readonly virtualBytes: number;
  readonly backing: string | undefined;
}

function readImage(model: FakeHostModel, path: string): FakeImage {
  const { head, bytes } = model.readHead(path);
  if (!head.subarray(0, 4).equals(magic)) return { format: "raw", virtualBytes: bytes, backing: undefined };
  const at = Number(head.readBigUInt64BE(8));
  return {
    format: "qcow2",
    virtualBytes: Number(head.readBigUInt64BE(24)),
    backing: at === 0 ? undefined : head.subarray(at, at + head.readUInt32BE(16)).toString("latin1"),
  };
}
