import { afterEach, expect, test, vi } from "vitest";
import { bringUp } from "../../../lab/lab.ts";
import { requirePrograms } from "../../../lab/namespace/requirements.ts";
import { parseTopology } from "../../../lab/topology.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

test("a machine without the programs is told to run doctor", () => {
  expect(() => requirePrograms("/nonexistent")).toThrow(expect.objectContaining({ code: "host-unsuitable" }));
});

test("a machine needs the programs of Ceph for a Ceph only", () => {
  const naming = (text: unknown): unknown => expect.objectContaining({ message: text });
  expect(() => requirePrograms("/nonexistent", true)).toThrow(naming(expect.stringContaining("ceph-osd")));
  expect(() => requirePrograms("/nonexistent", false)).toThrow(naming(expect.not.stringContaining("ceph")));
});

test("a lab of namespaces is refused to a user who is not root, with the driver that needs none", async () => {
  vi.spyOn(process, "getuid").mockReturnValue(1000);
  const remedy = expect.stringMatching(/^Run the command as root, .* --driver nested\.$/) as unknown;
  const refusal = { code: "forbidden", remedy };
  await expect(bringUp(parseTopology({}))).rejects.toMatchObject(refusal);
});
