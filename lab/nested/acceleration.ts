import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { StackyardError } from "../../providers/core/errors.ts";
import type { LabOptions } from "../driver.ts";
import { probeBoot } from "./boot-probe.ts";
import type { ProbeOutcome } from "./boot-probe.ts";

/** What runs the hosts' processors: the machine's KVM, or QEMU's emulation with an emulated SVM. */
export const accelerations = ["kvm", "tcg"] as const;

export type Acceleration = (typeof accelerations)[number];

/** What this machine can do for hosts, and why. */
export interface AccelerationFinding {
  readonly acceleration: Acceleration;
  /** Of what was found, for a person. */
  readonly reason: string;
}

/** Where the kernel tells what it can do. */
export interface KernelFacts {
  readonly device: "absent" | "closed" | "opens";
  /** `vmx` (Intel), `svm` (AMD), or neither. */
  readonly flag: "vmx" | "svm" | undefined;
  /** What the module's `nested` parameter says; undefined without a module. */
  readonly nested: boolean | undefined;
}

/** Reads what the kernel tells of this machine's KVM. */
export function readKernelFacts(): KernelFacts {
  const flags = /^flags\s*:(.*)$/m.exec(readText("/proc/cpuinfo"))?.[1]?.split(" ") ?? [];
  const flag = flags.includes("vmx") ? "vmx" : flags.includes("svm") ? "svm" : undefined;
  const parameter = readText(
    `/sys/module/${flag === "vmx" ? "kvm_intel" : "kvm_amd"}/parameters/nested`,
  ).trim();
  return {
    device: lookAtDevice(),
    flag,
    nested: parameter === "" ? undefined : ["1", "Y", "y"].includes(parameter),
  };
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function lookAtDevice(): KernelFacts["device"] {
  if (!existsSync("/dev/kvm")) return "absent";
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
    return "opens";
  } catch {
    return "closed";
  }
}

/**
 * Judges what the hosts can run on, by what a machine did that was started on /dev/kvm. One that opens is no proof: in a
 * microVM whose hypervisor offers a KVM of its own (kvm_pvm) it runs firmware, and no kernel of a distribution; such a
 * one offers neither VMX nor SVM.
 */
export function judgeAcceleration(
  { device, flag, nested }: KernelFacts,
  probe: ProbeOutcome | undefined,
): AccelerationFinding {
  const emulated = (reason: string): AccelerationFinding => ({ acceleration: "tcg", reason });
  if (device === "absent") return emulated("this machine has no /dev/kvm");
  if (device === "closed")
    return emulated("/dev/kvm is not yours to open: add your user to the group kvm and log in anew");
  if (probe?.state !== "ran")
    return emulated(
      `/dev/kvm opens, but a machine started on it did not run: ${probe?.said ?? "none was started"}`,
    );
  if (probe.nested !== undefined)
    return { acceleration: "kvm", reason: `KVM with nested ${probe.nested.toUpperCase()}` };
  if (flag === undefined)
    return emulated(
      "/dev/kvm opens, but the processors have neither vmx nor svm, so that hosts on it had no KVM of their own",
    );
  if (nested !== true)
    return emulated(
      `nested virtualisation is off: load ${flag === "vmx" ? "kvm_intel" : "kvm_amd"} with nested=1`,
    );
  return emulated("a machine started on /dev/kvm finds neither VMX nor SVM in its processors");
}

/** What became of the one machine that this process has started on KVM. */
let probed: Promise<ProbeOutcome> | undefined;

function probeOnce(signal: AbortSignal | undefined): Promise<ProbeOutcome> {
  probed ??= probeBoot("kvm", { signal });
  probed.catch(() => (probed = undefined)); // One that was interrupted tells nothing.
  return probed;
}

/**
 * The acceleration that the topology asks for. Starts a machine on /dev/kvm for some seconds at most where there is one, once a process.
 * @throws StackyardError `host-unsuitable` when it wants KVM and this machine's does not do.
 */
export async function chooseAcceleration(
  wanted: "auto" | Acceleration,
  {
    signal,
    facts = readKernelFacts(),
    probe = () => probeOnce(signal),
  }: Pick<LabOptions, "signal"> & {
    readonly facts?: KernelFacts;
    readonly probe?: () => Promise<ProbeOutcome>;
  } = {},
): Promise<AccelerationFinding> {
  if (wanted === "tcg") return { acceleration: "tcg", reason: "the topology asks for emulation" };
  const found = judgeAcceleration(facts, facts.device === "opens" ? await probe() : undefined);
  if (wanted === "kvm" && found.acceleration !== "kvm") {
    throw new StackyardError("host-unsuitable", {
      message: `the lab's hosts cannot run on this machine's KVM: ${found.reason}`,
      field: "virtualization",
      value: wanted,
      remedy:
        "Mend it, or set virtualization to tcg: emulated hosts work everywhere and are some ten times slower.",
    });
  }
  return found;
}

/**
 * Refuses to start hosts that were planned on KVM where it does not work any more.
 * @throws StackyardError `host-unsuitable`.
 */
export async function requireKvm(options: Parameters<typeof chooseAcceleration>[1]): Promise<void> {
  const { acceleration, reason } = await chooseAcceleration("auto", options);
  if (acceleration === "kvm") return;
  throw new StackyardError("host-unsuitable", {
    message: `the lab's hosts run on KVM, which does not work here any more: ${reason}`,
    remedy: "Mend it, or take the lab down and up again: its hosts are then emulated.",
  });
}
