import { expect, it } from "vitest";
import { serialisedProvider } from "../../../../providers/engines/pulumi/serialised-provider.ts";

it("is one line that never changes: it is written in users' state", () => {
  expect(serialisedProvider("server-group")).toBe(
    'exports.handler = () => require("stackyard/pulumi-provider").provider("server-group");',
  );
});
