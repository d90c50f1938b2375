import { expect, test } from "vitest";
import { makeExclusive, makeTogether } from "../../../providers/core/exclusive.ts";

test("work of one key runs one at a time, in the order of the calls", async () => {
  const exclusive = makeExclusive();
  const seen: string[] = [];
  const work = (name: string) => async () => {
    seen.push(`${name} begins`);
    await Promise.resolve();
    seen.push(`${name} ends`);
  };
  await Promise.all([exclusive("key", work("first")), exclusive("key", work("second"))]);
  expect(seen).toEqual(["first begins", "first ends", "second begins", "second ends"]);
});

test("those who come before shared work begins share one run; who comes later gets another", async () => {
  const together = makeTogether(makeExclusive());
  const gate = Promise.withResolvers<undefined>();
  let runs = 0;
  const work = async (): Promise<void> => {
    runs++;
    await gate.promise;
  };
  const first = together("key", "purpose", work);
  await new Promise(setImmediate);
  const later = [together("key", "purpose", work), together("key", "purpose", work)];
  gate.resolve(undefined);
  await Promise.all([first, ...later]);
  expect(runs).toBe(2);
});

test("work of another purpose is run on its own, in its turn", async () => {
  const together = makeTogether(makeExclusive());
  const seen: string[] = [];
  const note = (name: string) => async () => {
    await Promise.resolve();
    seen.push(name);
  };
  await Promise.all([together("key", "a", note("a")), together("key", "b", note("b"))]);
  expect(seen).toEqual(["a", "b"]);
});

test("a failure of shared work reaches all who wait for it, and not those after", async () => {
  const together = makeTogether(makeExclusive());
  const fail = () => Promise.reject(new Error("broken"));
  const outcomes = await Promise.allSettled([together("key", "p", fail), together("key", "p", fail)]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  await expect(together("key", "p", () => Promise.resolve())).resolves.toBeUndefined();
});
