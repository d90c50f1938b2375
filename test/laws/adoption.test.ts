import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { AdoptionRequest } from "../../providers/core/adoption.ts";
import type { ErrorCode } from "../../providers/core/errors.ts";
import type { Moment } from "../fakes/fault.ts";
import { addressOfHost, makeSmallWorld, nameOfHost, TestCloud } from "../support/cloud.ts";
import { foreignDomain, foreignRaw } from "../support/foreign-domain.ts";

/** Fail at every call, then run again: adopted. Fail and give up: the domain is as it was, with what its disk holds. */

const content = "what somebody wrote";
const address = addressOfHost(1);
const { id } = foreignDomain;
const codes: readonly ErrorCode[] = ["command-failed", "image-format"];
const moments: readonly Moment[] = ["before", "after"];

async function countCalls(): Promise<number> {
  await using cloud = await TestCloud.open();
  const request = await prepare(cloud, foreignDomain);
  const before = cloud.compute.calls.length;
  await cloud.cloud.adopt(request);
  return cloud.compute.calls.length - before;
}

async function prepare(cloud: TestCloud, domain: typeof foreignDomain): Promise<AdoptionRequest> {
  const world = await makeSmallWorld(cloud, 2);
  cloud.compute.defineForeign(address, domain, content);
  return { host: nameOfHost(1), domain: domain.name, inputs: { ...world.server, name: "web" } };
}

const calls = await countCalls();
/** A failure of one call, or of that and the next: then what takes things back fails too. */
const failures = Array.from({ length: calls }, (_, index) => index + 1).flatMap((call) =>
  moments.flatMap((moment) =>
    codes.flatMap((code) => [1, 2].map((times) => ({ call, moment, code, times }))),
  ),
);

describe.each([
  { format: "qcow2", domain: foreignDomain, failures },
  // What differs is what becomes of the disk: one kind of error shows it.
  {
    format: "raw",
    domain: foreignRaw,
    failures: failures.filter(({ code, times }) => code === codes[0] && times === 1),
  },
])("the adoption of a domain on a $format disk", ({ domain, failures: ones }) => {
  let test1: TestCloud;
  let request: AdoptionRequest;
  let bare: readonly string[];

  beforeAll(async () => {
    test1 = await TestCloud.open();
    request = await prepare(test1, domain);
    bare = await test1.holdings();
  });

  afterAll(async () => {
    await test1[Symbol.asyncDispose]();
  });

  describe.each(ones)("whose call $call fails $moment it, $times x $code,", (failure) => {
    const { call, moment, code, times } = failure;

    beforeEach(async () => {
      test1.compute.failCall(call, moment, code, times);
      await expect(test1.cloud.adopt(request)).rejects.toMatchObject({ name: "StackyardError" });
      test1.compute.mend();
    });

    afterEach(async () => {
      await test1.cloud.remove("server", id);
      test1.compute.defineForeign(address, domain, content);
    });

    test("is done by the same request again", async () => {
      await test1.cloud.adopt(request);

      expect(await test1.cloud.drift()).toMatchObject({ interrupted: [], findings: [], failures: [] });
      expect((await test1.cloud.find("server", "web")).record.status).toBe("active");
      expect(test1.compute.contentOf(address, id)).toBe(content);
    });

    test("gives the domain back when it is given up, and was nowhere else", async () => {
      await test1.cloud.remove("server", id);

      expect(await test1.holdings()).toEqual(bare);
      expect(test1.compute.changes.filter(({ at }) => at === addressOfHost(2))).toEqual([
        { method: "hosts.enrol", at: addressOfHost(2) },
      ]);
    });
  });
});
