import { expect, test } from "vitest";
import { describeSize } from "../../../providers/core/bytes.ts";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1 KiB"],
  [1_572_864, "1.5 MiB"],
  [2 ** 30, "1 GiB"],
  [2 ** 50, "1024 TiB"],
])("%d bytes are %s", (bytes, text) => {
  expect(describeSize(bytes)).toBe(text);
});
