import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProcess, type ProcessResult } from "../process.ts";
import type { Acceleration } from "./acceleration.ts";

/** What became of a machine that was started to see whether any runs. */
export type ProbeOutcome =
  | {
      readonly state: "ran";
      /** What its processor offers for KVM of its own. */ readonly nested: "vmx" | "svm" | undefined;
    }
  | { readonly state: "failed"; /** Of what QEMU said, for a person. */ readonly said: string };

/** A machine that runs takes a quarter of a second on KVM, and hardly more where it is emulated. */
const limitMs = 5_000;
const maxSaidChars = 300;

/** What the program below tells by: bit 0 stands for VMX, bit 2 for SVM. */
const ranMark = 0x20;
const exitPort = 0xf4;

/** A boot sector in 16-bit code: asks the processor for VMX and SVM, and ends QEMU with the answer. */
const program: readonly number[] = [
  ...[0x66, 0xb8, 0x01, 0x00, 0x00, 0x00], // mov eax, 1
  ...[0x0f, 0xa2], // cpuid
  ...[0x66, 0xc1, 0xe9, 0x05], // shr ecx, 5: VMX is bit 5
  ...[0x83, 0xe1, 0x01], // and cx, 1
  ...[0x89, 0xce], // mov si, cx
  ...[0x66, 0xb8, 0x01, 0x00, 0x00, 0x80], // mov eax, 0x80000001
  ...[0x0f, 0xa2], // cpuid
  ...[0x80, 0xe1, 0x04], // and cl, 4: SVM is bit 2
  ...[0x88, 0xc8], // mov al, cl
  ...[0x89, 0xf1], // mov cx, si
  ...[0x08, 0xc8], // or al, cl
  ...[0x0c, ranMark], // or al, ranMark
  ...[0xe6, exitPort], // out exitPort, al: isa-debug-exit ends QEMU with 2 * al + 1
  0xf4, // hlt
  ...[0xeb, 0xfd], // jmp to the hlt
];

/** A disk that the firmware boots: the program, and the mark of a boot sector. The firmware reads no disk of less than a cylinder. */
function writeBootDisk(path: string): Promise<void> {
  const disk = Buffer.alloc(1024 ** 2);
  disk.set(program);
  disk.set([0x55, 0xaa], 510);
  return writeFile(path, disk);
}

/** The words after `qemu-system-x86_64`: processor and firmware are those of a host. */
function describeProbe(acceleration: Acceleration, disk: string): string[] {
  return [
    ...["-machine", "pc", "-no-user-config", "-nodefaults", "-display", "none", "-m", "32"],
    ...accelerationWords(acceleration),
    ...["-device", `isa-debug-exit,iobase=${String(exitPort)},iosize=1`],
    "-blockdev",
    JSON.stringify({
      driver: "raw",
      "node-name": "boot",
      "read-only": true,
      file: { driver: "file", filename: disk },
    }),
    ...["-device", "virtio-blk-pci,drive=boot"],
  ];
}

/** QEMU's words for what runs the processors of hosts, and which processors those are. */
export function accelerationWords(acceleration: Acceleration): readonly string[] {
  return acceleration === "kvm"
    ? ["-accel", "kvm", "-cpu", "host"]
    : ["-accel", "tcg,thread=multi", "-cpu", "max,+svm"];
}

/**
 * Starts a machine for some seconds at most, whose firmware boots a program of ours, and sees whether that runs. Nothing is left of it.
 * @throws the signal's reason.
 */
export async function probeBoot(
  acceleration: Acceleration,
  options: { readonly signal?: AbortSignal | undefined; readonly run?: typeof runProcess } = {},
): Promise<ProbeOutcome> {
  const { signal, run = runProcess } = options;
  signal?.throwIfAborted();
  const folder = await mkdtemp(join(tmpdir(), "stackyard-probe-"));
  try {
    const disk = join(folder, "boot.raw");
    await writeBootDisk(disk);
    const words = describeProbe(acceleration, disk);
    // A QEMU that aborts may leave its memory where it was started.
    const result = await run("qemu-system-x86_64", words, { cwd: folder, timeoutMs: limitMs, signal });
    signal?.throwIfAborted();
    const answer = (result.exitCode - 1) / 2 - ranMark;
    if ([0, 1, 4, 5].includes(answer))
      return { state: "ran", nested: answer === 0 ? undefined : answer === 4 ? "svm" : "vmx" };
    return { state: "failed", said: describeFailure(result) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What QEMU said, as one line without its own path, and how it ended where it said nothing. */
function describeFailure({ exitCode, stderr }: ProcessResult): string {
  const lines = stderr.split("\n").map((line) => line.replace(/^\S*qemu-system-x86_64: /, "").trim());
  const ending = lines.find((line) => /ended by SIG\w+$/.test(line));
  const said = lines
    .map((line) => line.replace(/ended by SIG\w+$/, ""))
    .filter((line) => line !== "")
    .join("; ")
    .slice(-maxSaidChars);
  const note = said === "" ? "" : ` (${said})`;
  if (ending?.endsWith("SIGKILL") === true)
    return `nothing ran in it within ${String(limitMs / 1000)} s${note}`;
  return said === "" ? `QEMU ended without a word, with ${ending?.slice(9) ?? String(exitCode)}` : said;
}
