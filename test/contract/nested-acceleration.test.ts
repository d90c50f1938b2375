import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { chooseAcceleration, judgeAcceleration, readKernelFacts } from "../../lab/nested/acceleration.ts";
import { probeBoot } from "../../lab/nested/boot-probe.ts";

const listLeft = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith("stackyard-probe-"));

test("a machine that is emulated boots, and finds the SVM that hosts are to have", async () => {
  expect(await probeBoot("tcg")).toEqual({ state: "ran", nested: "svm" });
});

test("a machine on this one's KVM does what the choice for hosts says of it, and leaves nothing", async () => {
  const before = listLeft();
  const facts = readKernelFacts();
  const outcome = facts.device === "opens" ? await probeBoot("kvm") : undefined;
  const { acceleration } = judgeAcceleration(facts, outcome);
  expect(await chooseAcceleration("auto")).toMatchObject({ acceleration });
  expect(listLeft().filter((name) => !before.includes(name))).toEqual([]);
});

test("a boot that is interrupted ends at once", async () => {
  const abort = new AbortController();
  const probing = probeBoot("tcg", { signal: abort.signal });
  abort.abort(new Error("enough"));
  await expect(probing).rejects.toThrow("enough");
});
