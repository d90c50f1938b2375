import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { chooseAcceleration, judgeAcceleration, requireKvm } from "../../../lab/nested/acceleration.ts";
import type { KernelFacts } from "../../../lab/nested/acceleration.ts";
import { probeBoot } from "../../../lab/nested/boot-probe.ts";
import type { ProbeOutcome } from "../../../lab/nested/boot-probe.ts";
import type { ProcessOptions, ProcessResult } from "../../../lab/process.ts";

const able: KernelFacts = { device: "opens", flag: "svm", nested: true };
const ran: ProbeOutcome = { state: "ran", nested: "svm" };
const bare: ProbeOutcome = { state: "ran", nested: undefined };
const failed: ProbeOutcome = { state: "failed", said: "failed to set MSR 0x10a" };

test.each<[string, Partial<KernelFacts>, ProbeOutcome | undefined, "kvm" | "tcg", string]>([
  ["nested SVM", {}, ran, "kvm", "nested SVM"],
  ["nested VMX", { flag: "vmx" }, { state: "ran", nested: "vmx" }, "kvm", "nested VMX"],
  ["no /dev/kvm", { device: "absent" }, undefined, "tcg", "has no /dev/kvm"],
  ["a /dev/kvm of others", { device: "closed" }, undefined, "tcg", "group kvm"],
  ["a KVM on which nothing runs", {}, failed, "tcg", "did not run: failed to set MSR 0x10a"],
  ["a KVM without vmx or svm", { flag: undefined }, bare, "tcg", "neither vmx nor svm"],
  ["nesting that is off", { nested: false }, bare, "tcg", "kvm_amd with nested=1"],
  [
    "nesting that is off on Intel",
    { flag: "vmx", nested: undefined },
    bare,
    "tcg",
    "kvm_intel with nested=1",
  ],
  ["nesting that is on, and does not reach a host", {}, bare, "tcg", "finds neither VMX nor SVM"],
])("a machine with %s is judged", (_, facts, probe, acceleration, reason) => {
  const finding = judgeAcceleration({ ...able, ...facts }, probe);
  expect(finding.acceleration).toBe(acceleration);
  expect(finding.reason).toContain(reason);
});

describe("the acceleration of a lab", () => {
  const choose = (wanted: "auto" | "kvm" | "tcg", outcome: ProbeOutcome, facts: KernelFacts = able) => {
    let starts = 0;
    const probe = () => {
      starts++;
      return Promise.resolve(outcome);
    };
    return { found: chooseAcceleration(wanted, { facts, probe }), countStarts: () => starts };
  };

  test("is KVM where a machine ran on it, and emulation where that is asked for, without trying", async () => {
    expect(await choose("auto", ran).found).toMatchObject({ acceleration: "kvm" });
    const { found, countStarts } = choose("tcg", ran);
    expect(await found).toMatchObject({ acceleration: "tcg" });
    expect(countStarts()).toBe(0);
  });

  test("is emulation where KVM does not work, with why, and a refusal when KVM is asked for", async () => {
    expect(await choose("auto", failed).found).toEqual({
      acceleration: "tcg",
      reason: "/dev/kvm opens, but a machine started on it did not run: failed to set MSR 0x10a",
    });
    await expect(choose("kvm", failed).found).rejects.toMatchObject({
      code: "host-unsuitable",
      field: "virtualization",
      value: "kvm",
      message: expect.stringContaining("failed to set MSR 0x10a") as unknown,
    });
  });

  test("is found without a start where there is nothing to start on", async () => {
    const { found, countStarts } = choose("auto", ran, { ...able, device: "absent" });
    expect(await found).toMatchObject({ acceleration: "tcg" });
    expect(countStarts()).toBe(0);
  });

  test("that was KVM is insisted on: hosts made for it are not started where it is gone", async () => {
    const options = { facts: able, probe: () => Promise.resolve(failed) };
    await expect(requireKvm(options)).rejects.toMatchObject({ code: "host-unsuitable" });
    await requireKvm({ ...options, probe: () => Promise.resolve(ran) });
  });
});

describe("a boot that is tried", () => {
  interface Start {
    readonly words: readonly string[];
    readonly options: ProcessOptions;
    readonly disk: Buffer;
  }

  /** Tries a boot with a QEMU that ends like this. */
  async function probe(end: Partial<ProcessResult>, signal?: AbortSignal, onStart?: () => void) {
    const starts: Start[] = [];
    const run = (file: string, words: readonly string[], options: ProcessOptions = {}) => {
      expect(file).toBe("qemu-system-x86_64");
      const disk = readFileSync(join(options.cwd ?? "", "boot.raw"));
      starts.push({ words, options, disk });
      onStart?.();
      return Promise.resolve({ exitCode: 0, stdout: "", stderr: "", ...end });
    };
    const outcome = await probeBoot("kvm", { run, signal }).catch((error: unknown) => error);
    const [start] = starts;
    if (start === undefined) throw new Error("QEMU was not started");
    return { outcome, start };
  }

  test("is of a boot sector, on the processor that hosts have, and leaves nothing", async () => {
    const { start } = await probe({ exitCode: 73 });
    expect(start.disk.subarray(510, 512).toString("hex")).toBe("55aa");
    expect(start.words.join(" ")).toContain("-accel kvm -cpu host");
    expect(start.options.timeoutMs).toBeLessThanOrEqual(10_000);
    expect(() => readdirSync(start.options.cwd ?? "")).toThrow("ENOENT");
  });

  test.each<[number, ProbeOutcome]>([
    [65, { state: "ran", nested: undefined }],
    [67, { state: "ran", nested: "vmx" }],
    [73, { state: "ran", nested: "svm" }],
  ])("has run when QEMU ends with %i", async (exitCode, outcome) => {
    expect((await probe({ exitCode })).outcome).toEqual(outcome);
  });

  test.each<[string, Partial<ProcessResult>, string]>([
    [
      "says why",
      { exitCode: 1, stderr: "qemu-system-x86_64: failed to initialize kvm\n" },
      "failed to initialize kvm",
    ],
    ["aborts", { exitCode: 128, stderr: "error: MSR 0x10a\nended by SIGABRT" }, "error: MSR 0x10a"],
    [
      "aborts without a word",
      { exitCode: 128, stderr: "ended by SIGABRT" },
      "ended without a word, with SIGABRT",
    ],
    ["goes on for ever", { exitCode: 128, stderr: "ended by SIGKILL" }, "nothing ran in it within 5 s"],
    ["ends as if nothing were", { exitCode: 0 }, "ended without a word, with 0"],
    ["ends otherwise", { exitCode: 1 }, "ended without a word, with 1"],
  ])("has not when QEMU %s", async (_, end, said) => {
    expect((await probe(end)).outcome).toEqual({
      state: "failed",
      said: expect.stringContaining(said) as unknown,
    });
  });

  test("ends with the work that it is part of, and leaves nothing", async () => {
    const abort = new AbortController();
    const { outcome, start } = await probe({ exitCode: 128, stderr: "ended by SIGKILL" }, abort.signal, () =>
      abort.abort(),
    );
    expect(outcome).toMatchObject({ name: "AbortError" });
    expect(start.options.signal).toBe(abort.signal);
    expect(() => readdirSync(start.options.cwd ?? "")).toThrow("ENOENT");
  });
});
