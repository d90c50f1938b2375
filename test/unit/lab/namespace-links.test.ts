import { expect, test } from "vitest";
import { parseQuality } from "../../../lab/namespace/links.ts";

test("a cable is as slow and lossy as netem says, and good without it", () => {
  const netem = (options: object): string => JSON.stringify([{ kind: "netem", root: true, options }]);
  const delay = { delay: 0.05, jitter: 0, correlation: 0 };
  const loss = { loss: 0.07, correlation: 0 };
  expect(parseQuality(netem({ limit: 1000, delay, "loss-random": loss, gap: 0 }))).toEqual({
    delayMs: 50,
    lossPercent: 7,
  });
  expect(parseQuality(netem({ limit: 1000, delay }))).toEqual({ delayMs: 50, lossPercent: 0 });
  expect(parseQuality('[{"kind":"noqueue","root":true,"options":{}}]')).toEqual({
    delayMs: 0,
    lossPercent: 0,
  });
  expect(parseQuality("[]")).toEqual({ delayMs: 0, lossPercent: 0 });
});
