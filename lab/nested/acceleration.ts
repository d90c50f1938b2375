import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { StackyardError } from "../../providers/core/errors.ts";

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

/** Looks at this machine's KVM without starting anything. */
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
 * Judges what the hosts can run on. A /dev/kvm that opens is no proof: without vmx or svm in /proc/cpuinfo it is one
 * that cannot run a kernel of a distribution, as in microVMs whose hypervisor offers a KVM of its own (kvm_pvm).
 */
export function judgeAcceleration({ device, flag, nested }: KernelFacts): AccelerationFinding {
  if (device === "absent") return { acceleration: "tcg", reason: "this machine has no /dev/kvm" };
  if (device === "closed")
    return {
      acceleration: "tcg",
      reason: "/dev/kvm is not yours to open: add your user to the group kvm and log in anew",
    };
  if (flag === undefined)
    return {
      acceleration: "tcg",
      reason: "/dev/kvm opens, but the processors have neither vmx nor svm, so that it cannot run a kernel",
    };
  if (nested !== true)
    return {
      acceleration: "tcg",
      reason: `nested virtualisation is off: load ${flag === "vmx" ? "kvm_intel" : "kvm_amd"} with nested=1`,
    };
  return { acceleration: "kvm", reason: `KVM with nested ${flag === "vmx" ? "VMX" : "SVM"}` };
}

/**
 * The acceleration that the topology asks for.
 * @throws StackyardError `host-unsuitable` when it wants KVM and this machine's does not do.
 */
export function chooseAcceleration(
  wanted: "auto" | Acceleration,
  facts: KernelFacts = readKernelFacts(),
): AccelerationFinding {
  const found = judgeAcceleration(facts);
  if (wanted === "tcg") return { acceleration: "tcg", reason: "the topology asks for emulation" };
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
