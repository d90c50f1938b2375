import { expect, test } from "vitest";
import { z } from "zod";
import { nameFault, readAnswer } from "../../../providers/compute/volumes/rbd/rbd-program.ts";
import { StackyardError } from "../../../providers/core/errors.ts";
import { deriveId } from "../../../providers/core/ids.ts";
import type { RbdPlace } from "../../../providers/core/volume-backend.ts";
import { sampleHost } from "../../support/domain-samples.ts";

const place: RbdPlace = {
  backend: "rbd",
  clusterId: deriveId<"resource">("cluster"),
  monitors: ["mon.test"],
  pool: "vms",
  content: "vms",
};

const codeOf = (stderr: string): unknown => {
  const notes = ["command: …", stderr];
  const error = new StackyardError("command-failed", { message: "exit code 1", notes });
  return nameFault(error, sampleHost, place, "make volume v");
};
const failed = (step: string, errno: number, reason: string | null = null): string => {
  const text = "[errno] words";
  return `librbd: something\n\n${JSON.stringify({ failed: { step, about: "images", errno, text, reason } })}`;
};

test.each(['{"failed":}', '{"failed":{"step":"elsewhere"}}'])(
  "a failure in words that nobody knows stays as it is: %s",
  (line) => {
    expect(codeOf(line)).toMatchObject({ code: "command-failed" });
  },
);

test.each([
  ["connect", 2, "ceph-refused"],
  ["connect", 13, "ceph-refused"],
  ["connect", 95, "ceph-refused"],
  ["connect", 110, "ceph-unreachable"],
  ["pool", 1, "ceph-refused"],
  ["pool", 2, "not-found"],
  ["work", 1, "ceph-refused"],
  ["work", 2, "command-failed"],
  ["work", 16, "in-use"],
  ["work", 28, "host-disk-full"],
  ["work", 110, "ceph-unreachable"],
  ["work", 122, "host-disk-full"],
  ["limit", 0, "ceph-unreachable"],
])("a failure in step %s with errno %i is %s", (step, errno, code) => {
  expect(codeOf(failed(step, errno))).toMatchObject({ code });
});

test.each([
  ["full", "host-disk-full", "pool vms"],
  ["storage", "ceph-unreachable", "storage daemons"],
  ["silent", "ceph-unreachable", "did not answer in time"],
])("storage that does not answer is told by the reason %s", (reason, code, words) => {
  const message = expect.stringContaining(words) as unknown;
  expect(codeOf(failed("work", 110, reason))).toMatchObject({ code, message });
  expect(codeOf(failed("limit", 0, reason))).toMatchObject({ code, message });
});

test("a failure names the pool that could not be opened", () => {
  expect(codeOf(failed("pool", 2))).toMatchObject({
    message: expect.stringMatching(/no pool images$/) as unknown,
  });
});

test.each([
  "no bindings of Ceph for Python: No module named 'rados'",
  "/bin/sh: 1: /usr/bin/python3: not found",
])("a host that says %j is told what to install", (text) => {
  expect(codeOf(text)).toMatchObject({
    code: "host-unsuitable",
    remedy: expect.stringContaining("python3-rbd") as unknown,
  });
});

const read = (output: string): unknown =>
  readAnswer(output, {
    attempting: "look",
    answer: z.boolean(),
    onRefusal: ({ why }) => {
      throw new StackyardError("in-use", { message: why });
    },
  });

test("an answer is found after what programs printed", () => {
  expect(read('    (50.00/100%)\r    (100.00/100%)\r\n\n{"answer": true}\n')).toBe(true);
});

test.each([
  ['{"refused": {"why": "held", "detail": ["client.1 at 10.0.0.1:0/5"]}}', "in-use"],
  ['{"refused": {"why": "moon", "detail": ""}}', "command-failed"],
  ['{"answer": "yes"}', "command-failed"],
  ["", "command-failed"],
])("%s is an error", (output, code) => {
  expect(() => read(output)).toThrow(expect.objectContaining({ code }) as Error);
});
