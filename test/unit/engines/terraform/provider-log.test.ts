import { expect, it } from "vitest";
import { createProviderLog } from "../../../../providers/engines/terraform/provider-log.ts";

it("a line is what Terraform parses: six digits of a second, and its own keys", () => {
  const lines: string[] = [];
  createProviderLog((line) => void lines.push(line))("info", "starting the domain", { name: "web\n" });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^[^\n]*\n$/);
  expect(JSON.parse(lines[0] ?? "")).toEqual({
    "@level": "info",
    "@message": "starting the domain",
    "@module": "stackyard",
    "@timestamp": expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/) as string,
    name: "web\n",
  });
});
