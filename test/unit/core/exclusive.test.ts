import { describe, expect, test } from "vitest";
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

describe("a signal", () => {
  /** Work that goes on until it is told to end, and another's place behind it, with the signal. */
  async function queue() {
    const exclusive = makeExclusive();
    const stop = new AbortController();
    const gate = Promise.withResolvers<undefined>();
    const seen: string[] = [];
    const note = (line: string) => () => {
      seen.push(line);
      return Promise.resolve();
    };
    const first = exclusive("key", () => gate.promise.then(note("first")));
    const second = exclusive("key", note("second"), { signal: stop.signal });
    const third = exclusive("key", note("third"));
    await new Promise(setImmediate);
    return { stop, gate, seen, first, second, third };
  }

  test("ends the wait of whom it belongs to, and those behind wait on for those before", async () => {
    const { stop, gate, seen, first, second, third } = await queue();

    stop.abort();

    await expect(second).rejects.toMatchObject({ code: "interrupted" });
    expect(seen).toEqual([]);
    gate.resolve(undefined);
    await Promise.all([first, third]);
    expect(seen).toEqual(["first", "third"]);
  });

  test("that came before lets nothing begin", async () => {
    let runs = 0;
    const attempt = makeExclusive()("key", () => Promise.resolve(runs++), { signal: AbortSignal.abort() });
    await expect(attempt).rejects.toMatchObject({ code: "interrupted" });
    expect(runs).toBe(0);
  });

  test("of whoever shares a run ends that one's wait only", async () => {
    const together = makeTogether(makeExclusive());
    const stop = new AbortController();
    const gate = Promise.withResolvers<undefined>();
    const first = together("key", "purpose", () => gate.promise);
    const second = together("key", "purpose", () => gate.promise, { signal: stop.signal });

    stop.abort();

    await expect(second).rejects.toMatchObject({ code: "interrupted" });
    gate.resolve(undefined);
    await expect(first).resolves.toBeUndefined();
  });

  test("of whom a shared run belongs to ends it before it begins, and the next call begins another", async () => {
    const exclusive = makeExclusive();
    const together = makeTogether(exclusive);
    const stop = new AbortController();
    const gate = Promise.withResolvers<undefined>();
    let runs = 0;
    const work = (): Promise<void> => {
      runs++;
      return Promise.resolve();
    };
    const before = exclusive("key", () => gate.promise);
    const shared = [
      together("key", "purpose", work, { signal: stop.signal }),
      together("key", "purpose", work),
    ];

    stop.abort();

    const outcomes = await Promise.allSettled(shared);
    expect(outcomes).toMatchObject([
      { reason: { code: "interrupted" } },
      { reason: { code: "interrupted" } },
    ]);
    const again = together("key", "purpose", work);
    gate.resolve(undefined);
    await Promise.all([before, again]);
    expect(runs).toBe(1);
  });
});
