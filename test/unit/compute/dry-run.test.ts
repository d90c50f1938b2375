import { expect, test } from "vitest";
import { openCompute } from "../../../providers/compute/compute.ts";
import { deriveId } from "../../../providers/core/ids.ts";
import type { ImageSpec } from "../../../providers/core/ports.ts";
import { sampleHost, sampleServer } from "../../support/domain-samples.ts";
import { openCannedPool } from "../../support/canned-host.ts";

const { signal } = new AbortController();
const silent = (): void => undefined;
const secret = "only-for-the-guest";

/** A host that answers what it is asked to look at, and refuses anything else. */
function begin(answers: Readonly<Record<string, string>> = {}) {
  return openCompute({ pool: openCannedPool(answers) }).dryRun();
}

function fileOf(location: string): ImageSpec {
  const kernel = { source: { location, checksum: undefined }, checksum: "sha256:0", sizeBytes: 10 };
  return { id: deriveId("image"), name: "guest", disk: undefined, kernel, initrd: undefined };
}

test("a server that would be built is told by its script and its XML; what the script reads is not shown", async () => {
  const run = begin();
  const configDrive = { ...sampleServer.configDrive, userData: secret };
  await run.ports.domains.spawn(sampleHost, { ...sampleServer, configDrive }, true, signal);
  expect(run.commands).toMatchObject([
    {
      host: "sample",
      purpose: `build server ${sampleServer.id}`,
      command: expect.stringContaining("virsh") as string,
    },
  ]);
  expect(run.commands[0]?.inputBytes).toBeGreaterThan(secret.length);
  expect(run.domains).toMatchObject([{ host: "sample", id: sampleServer.id }]);
  expect(JSON.stringify(run)).not.toContain(secret);
});

test("what only looks is really asked of the host", async () => {
  const { id } = sampleServer;
  const run = begin({ [`observe server ${id}`]: "\n<<disks>>\n\n<<>> 0\n" });
  expect(await run.ports.domains.observe(sampleHost, sampleServer, signal)).toBeUndefined();
  expect(run.commands).toEqual([]);
});

test("an image that is in the cache takes no command", async () => {
  const image = fileOf("/vmlinuz");
  const run = begin({ "look at image guest": `10 1 ${image.id}/kernel\n<>\n\n<<>> 0\n` });
  await run.ports.images.ensureCached(sampleHost, image, silent, signal);
  expect(run.commands).toEqual([]);
});

test.each([
  [
    "is on this machine",
    import.meta.filename,
    ["look for image guest", expect.stringMatching(/^bring kernel/)],
  ],
  [
    "is a URL",
    "https://example.org/vmlinuz",
    [
      "look for image guest",
      expect.stringMatching(/^start job/),
      expect.stringMatching(/^wait for job/),
      expect.stringMatching(/^clean job/),
    ],
  ],
])("an image that %s would be brought", async (_where, location, purposes) => {
  const run = begin({ "look at image guest": "<>\n\n<<>> 0\n" });
  await run.ports.images.ensureCached(sampleHost, fileOf(location), silent, signal);
  expect(run.commands.map(({ purpose }) => purpose)).toEqual(purposes);
});

test("waiting for a server takes no time", async () => {
  const run = begin();
  const limitsMs = { running: 1, address: 1, ssh: 1, "cloud-init": 1 };
  await run.ports.domains.waitReady(
    sampleHost,
    sampleServer.id,
    { until: "cloud-init", limitsMs, address: undefined },
    silent,
    signal,
  );
  expect(run.commands).toHaveLength(2);
});

test("sources of images are not read", async () => {
  const source = { location: "/absent", checksum: undefined };
  await expect(begin().ports.images.inspectFile(source, "kernel", signal)).rejects.toMatchObject({
    code: "wrong-state",
  });
});
