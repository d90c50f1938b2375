import { expect, test } from "vitest";
import { chooseAcceleration, judgeAcceleration } from "../../../lab/nested/acceleration.ts";
import type { KernelFacts } from "../../../lab/nested/acceleration.ts";

const able: KernelFacts = { device: "opens", flag: "svm", nested: true };

test.each<[string, Partial<KernelFacts>, "kvm" | "tcg", string]>([
  ["nested SVM", {}, "kvm", "nested SVM"],
  ["nested VMX", { flag: "vmx" }, "kvm", "nested VMX"],
  ["no /dev/kvm", { device: "absent" }, "tcg", "has no /dev/kvm"],
  ["a /dev/kvm of others", { device: "closed" }, "tcg", "group kvm"],
  ["a /dev/kvm that opens without vmx or svm", { flag: undefined }, "tcg", "neither vmx nor svm"],
  ["nesting that is off", { nested: false }, "tcg", "kvm_amd with nested=1"],
  ["nesting that is off on Intel", { flag: "vmx", nested: undefined }, "tcg", "kvm_intel with nested=1"],
])("a machine with %s is judged", (_, facts, acceleration, reason) => {
  const finding = judgeAcceleration({ ...able, ...facts });
  expect(finding.acceleration).toBe(acceleration);
  expect(finding.reason).toContain(reason);
});

test("emulation can be asked for where KVM works", () => {
  expect(chooseAcceleration("tcg", able).acceleration).toBe("tcg");
  expect(chooseAcceleration("auto", able).acceleration).toBe("kvm");
});

test("KVM that does not work is refused when it is asked for, with why", () => {
  const choose = () => chooseAcceleration("kvm", { ...able, flag: undefined });
  expect(choose).toThrow(expect.objectContaining({ code: "host-unsuitable", field: "virtualization" }));
  expect(choose).toThrow("neither vmx nor svm");
});
