import { expect, test } from "vitest";
import { formatCeph, parseStatus } from "../../../lab/ceph-commands.ts";

const answer = {
  fsid: "f\u001b[2J",
  health: { status: "HEALTH_OK\nfsid fake" },
  quorum_names: ["a\u202e"],
  osdmap: { num_osds: 3, num_up_osds: 2 },
  pgmap: { num_pools: 1, num_objects: 4 },
};

test("what a host says of its Ceph steers no terminal", () => {
  const text = formatCeph({ host: "c1", ...parseStatus("trial", JSON.stringify(answer)) });
  expect(text.split("\n")).toEqual([
    String.raw`HEALTH_OK\nfsid fake on c1`,
    String.raw`fsid      f\u001b[2J`,
    String.raw`monitors  a\u202e`,
    "osds      2 of 3 up",
    "pools     1 with 4 objects",
    "",
  ]);
});

test.each(["", "{}", "<html>"])("an answer that is no status is one error: %j", (text) => {
  expect(() => parseStatus("trial", text)).toThrow(expect.objectContaining({ code: "ceph-unreachable" }));
});
