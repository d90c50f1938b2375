import { expect, it } from "vitest";
import { Keypair } from "../../../../providers/engines/pulumi/resources.gen.ts";

it("tells where a resource was declared that cannot be made", async () => {
  const declaring = Promise.resolve().then(() => new Keypair("", {}));
  await expect(declaring).rejects.toHaveProperty("stack", expect.stringContaining("stack-trace.test.ts"));
});

it("leaves the program's own stack traces as long as they were", () => {
  const before = Error.stackTraceLimit;
  expect(() => new Keypair("", {})).toThrow();
  expect(Error.stackTraceLimit).toBe(before);
});
