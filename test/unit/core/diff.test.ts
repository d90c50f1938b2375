import { expect, test } from "vitest";
import { diffInputs } from "../../../providers/core/diff.ts";
import { image } from "../../../providers/images/image.ts";
import { server } from "../../../providers/servers/server.ts";

test("a field with a default that an older state lacks is no change", () => {
  const desired = { name: "guest", kernelArguments: "console=ttyS0", minDiskGib: 0 };
  expect(diffInputs(image, { name: "guest" }, desired)).toEqual({ action: "none", fields: [] });
});

test("a field that an older state lacks and that is given another value is one", () => {
  const change = diffInputs(image, { name: "guest" }, { name: "guest", kernelArguments: "quiet" });
  expect(change).toMatchObject({
    action: "replace",
    fields: [{ field: "kernelArguments", from: "console=ttyS0", to: "quiet", label: "replace" }],
  });
});

test("a group of fields that an older state lacks has their defaults", () => {
  const timeouts = { running: 60, address: 300, ssh: 300, cloudInit: 600, shutdown: 60 };
  expect(diffInputs(server, {}, { timeouts })).toMatchObject({ action: "none" });
});
