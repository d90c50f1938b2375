import { expect, test } from "vitest";
import { deferCompute } from "../../../providers/compute/deferred-compute.ts";
import { openCompute } from "../../../providers/compute/compute.ts";
import { sampleHost, sampleServer } from "../../support/domain-samples.ts";
import { openCannedPool } from "../../support/canned-host.ts";

const { signal } = new AbortController();
const pool = openCannedPool({});

test("every port has the calls of the one that it stands for", () => {
  const calls = (compute: object): readonly string[] =>
    Object.entries(compute).flatMap(([port, value]) =>
      typeof value === "function" ? [port] : Object.keys(value as object).map((call) => `${port}.${call}`),
    );
  expect(calls(deferCompute({ pool })).toSorted()).toEqual(calls(openCompute({ pool })).toSorted());
});

test("a call reaches the host with what it was given, and its error comes back", async () => {
  const { domains } = deferCompute({ pool });
  await expect(domains.observe(sampleHost, sampleServer, signal)).rejects.toThrow(
    `observe server ${sampleServer.id}`,
  );
});

test("a dry run is begun anew each time", async () => {
  const { dryRun } = deferCompute({ pool });
  const run = await dryRun();
  await run.ports.domains.spawn(sampleHost, sampleServer, true, signal);
  expect(run.commands).toHaveLength(1);
  expect((await dryRun()).commands).toEqual([]);
});
