import { afterEach, beforeEach, expect, test } from "vitest";
import { addressOfHost, hostInputs, TestCloud } from "../../support/cloud.ts";

let test1: TestCloud;

beforeEach(async () => {
  test1 = await TestCloud.open();
  test1.compute.addMachine(addressOfHost(1));
  test1.compute.withMachine(addressOfHost(1), ({ lacks }) => lacks.push("genisoimage"));
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

/** What was installed on the host. */
function installed(): readonly string[] {
  return test1.compute.withMachine(addressOfHost(1), (machine) => [...machine.installed]);
}

test("a host is given the packages that it lacks, which stay when it is removed", async () => {
  const lines: string[] = [];
  const host = await test1.make("host", "h1", hostInputs(1), { onProgress: (line) => lines.push(line) });
  expect(lines).toContain("host h1 installs genisoimage");
  expect(installed()).toEqual(["genisoimage"]);
  expect(host.outputs).toMatchObject({ vcpus: 4 });
  await test1.cloud.remove("host", host.id);
  expect(installed()).toEqual(["genisoimage"]);
});

test("a host of which packages are required is refused, and nothing is installed", async () => {
  const inputs = { ...hostInputs(1), packages: "require" };
  await expect(test1.make("host", "h1", inputs)).rejects.toMatchObject({ code: "host-unsuitable" });
  expect(installed()).toEqual([]);
});

test("a host that lost a package shows it as drift, and is given it again", async () => {
  const host = await test1.make("host", "h1", hostInputs(1));
  test1.compute.withMachine(addressOfHost(1), ({ lacks }) => lacks.push("ethtool"));
  const { findings } = await test1.cloud.drift();
  expect(findings).toMatchObject([
    { resource: { id: host.id }, field: "packages", found: "ethtool is missing", label: "live" },
  ]);
  await test1.make("host", "h1", hostInputs(1));
  expect(installed()).toEqual(["genisoimage", "ethtool"]);
});

test("a mirror is refused where nothing is installed", async () => {
  const inputs = { ...hostInputs(1), packages: "require", packageMirror: "file:/srv/debian" };
  await expect(test1.make("host", "h1", inputs)).rejects.toMatchObject({
    code: "invalid-input",
    field: "packageMirror",
  });
});
