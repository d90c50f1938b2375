import { expect, test } from "vitest";
import { openCompute } from "../../../providers/compute/compute.ts";
import { deriveId } from "../../../providers/core/ids.ts";
import type { ImageSpec, NetworkSpec } from "../../../providers/core/ports.ts";
import { cannedStderr, openCannedPool } from "../../support/canned-host.ts";
import { sampleHost, sampleServer } from "../../support/domain-samples.ts";

const { signal } = new AbortController();
const checksum = `sha256:${"a".repeat(64)}`;
const image: ImageSpec = {
  id: deriveId("image"),
  name: "guest",
  disk: undefined,
  kernel: { source: { location: "/vmlinuz", checksum: undefined }, checksum, sizeBytes: 100 },
  initrd: undefined,
};
const network: NetworkSpec = {
  id: deriveId("network"),
  name: "net",
  networkType: "vxlan",
  vni: 1,
  localVlan: 1,
  mtuBytes: 1450,
  subnets: [],
};

/** What a host answers to a look at servers and an image. */
function ask(output: string) {
  const { scan } = openCompute({ pool: openCannedPool({ "look at what is on the host": output }) });
  return scan.ask(
    sampleHost.address,
    {
      enrolments: [],
      domains: [{ host: sampleHost, spec: sampleServer }],
      networks: [{ host: sampleHost, network, peers: [], ports: [] }],
      images: [{ host: sampleHost, image, deep: false }],
      cephClients: [],
      volumes: [],
    },
    signal,
  );
}

const servers = "\n<<disks>>\n\n<<>> 0\n";
const files = `100 1 ${image.id}/kernel\n<>\n\n<<>> 0\n`;

test("a look that failed on the host is the error of its own questions", async () => {
  const answers = await ask(`${servers}ovs-vsctl died\n<<>> 1\n${files}`);
  expect(answers.domains).toEqual([{ value: undefined }]);
  expect(answers.networks).toMatchObject([{ error: { code: "command-failed", notes: [cannedStderr] } }]);
  expect(answers.images).toEqual([{ value: [] }]);
});

test("a look at files that failed does not make them missing", async () => {
  const answers = await ask(`${servers}\n<<>> 0\n\n<<>> 1\n`);
  expect(answers.images).toMatchObject([{ error: { code: "command-failed" } }]);
});

test("an answer that breaks off is no answer to what comes after it", async () => {
  const answers = await ask(servers);
  expect(answers.domains).toEqual([{ value: undefined }]);
  expect(answers.images).toMatchObject([{ error: { code: "command-failed" } }]);
});

test.each([
  ["shorter", `99 1 ${image.id}/kernel\n<>\n`, "99 bytes"],
  ["written to since", `100 86400 ${image.id}/kernel\n<>\n`, "altered at 1970-01-02T00:00:00.000Z"],
  ["gone", "<>\n", "missing"],
  [
    "other by its checksum",
    `100 1 ${image.id}/kernel\n<>\n${"b".repeat(64)}  ${image.id}/kernel\n`,
    `sha256:${"b".repeat(64)}`,
  ],
])("a file of an image that is %s is drift", async (_how, output, found) => {
  const answers = await ask(`${servers}\n<<>> 1\n${output}\n<<>> 0\n`);
  expect(answers.images).toMatchObject([{ value: [{ field: "cache.kernel", found, label: "live" }] }]);
});

test("a file that was only touched is right by its checksum", async () => {
  const touched = `100 86400 ${image.id}/kernel\n<>\n${"a".repeat(64)}  ${image.id}/kernel\n`;
  const answers = await ask(`${servers}\n<<>> 1\n${touched}\n<<>> 0\n`);
  expect(answers.images).toEqual([{ value: [] }]);
});
