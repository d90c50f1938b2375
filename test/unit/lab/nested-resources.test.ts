import { statfsSync } from "node:fs";
import { expect, test } from "vitest";
import { planBelow } from "../../support/nested-plan.ts";
import { requireDisk, requireMemory, requireResources } from "../../../lab/nested/resources.ts";

const meminfo = "MemTotal:  24684212 kB\nMemFree:  1000 kB\nMemAvailable:  4505600 kB\n";

test("hosts that fit the memory are let through, with the numbers", () => {
  expect(requireMemory([{ name: "h1", ramMib: 4200 }], meminfo)).toBe("4400 MiB of 4400 MiB");
});

test("hosts that do not fit are refused with the numbers", () => {
  const hosts = ["h1", "h2"].map((name) => ({ name, ramMib: 2048 }));
  expect(() => requireMemory(hosts, meminfo)).toThrow(
    expect.objectContaining({ code: "host-unsuitable", field: "hosts.ramMib" }),
  );
  expect(() => requireMemory(hosts, meminfo)).toThrow(
    "h1, h2) need 4496 MiB of memory, and 4400 MiB are free",
  );
});

test("disks are looked for where they will be, though the folder is not there yet", async () => {
  expect(await requireDisk("/tmp/stackyard-nowhere/disks", 0)).toMatch(/^0 MiB of \d+ MiB in \/tmp$/);
  await expect(requireDisk("/tmp/stackyard-nowhere/disks", 10 ** 9)).rejects.toMatchObject({
    code: "host-disk-full",
    field: "diskFolder",
    value: "/tmp",
  });
});

test("disks are counted by hosts, and against what is free in bytes", async () => {
  const { bavail, bsize } = statfsSync("/tmp");
  const freeMib = (bavail * bsize) / 1024 ** 2;
  const [, wanted = "", free = ""] = /^(\d+) MiB of (\d+) MiB in/.exec(await requireDisk("/tmp", 2)) ?? [];
  expect(Number(wanted)).toBe(2048);
  expect(Number(free) / freeMib).toBeCloseTo(1, 1); // Others write meanwhile.
});

test("hosts are refused for want of memory, or of room where their disks are", async () => {
  const { hosts } = planBelow("/proc/stackyard", { hosts: [{ name: "h1", ramMib: 768 }] });
  await expect(requireResources(hosts)).rejects.toMatchObject({ code: "host-disk-full", value: "/proc" });
  await expect(requireResources(hosts.map((host) => ({ ...host, ramMib: 1_048_576 })))).rejects.toMatchObject(
    { code: "host-unsuitable" },
  );
  await requireResources([]);
});
