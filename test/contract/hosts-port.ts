import { beforeAll, describe, expect, test } from "vitest";
import { deriveId } from "../../providers/core/ids.ts";
import type { ComputeHost, EnrolRequest, HostsPort } from "../../providers/core/ports.ts";
import { network, portOf } from "../support/compute-specimens.ts";
import type { ComputeStage } from "./compute-ports.ts";

const { signal } = new AbortController();
const silent = (): void => undefined;

/** Another cloud that wants the same host. */
function foreign(request: EnrolRequest): EnrolRequest {
  return { ...request, cloudId: deriveId<"cloud">("another") };
}

/** The same host under another id. */
function twin(request: EnrolRequest): EnrolRequest {
  return { ...request, id: deriveId<"host">("another") };
}

function missingMark({ cloudId }: EnrolRequest) {
  return { field: "mark", expected: cloudId, found: "missing", label: "live" };
}

/** Begins with machines that are in no cloud, and leaves them enrolled. */
export function describeHostsPort(onStage: () => ComputeStage): void {
  describe("hosts", () => {
    let stage: ComputeStage;
    let hosts: HostsPort;
    let request: EnrolRequest;

    beforeAll(() => {
      stage = onStage();
      hosts = stage.compute.hosts;
      request = stage.requests[0];
    });

    test("one that is in no cloud tells what it offers, and lacks the mark", async () => {
      const { inventory, drift } = await hosts.observe(request, signal);
      expect(inventory).toMatchObject({ datapath: "netdev", virtType: "qemu", architecture: "x86_64" });
      expect(drift).toContainEqual(expect.objectContaining(missingMark(request)));
    });

    test.each([
      ["a datapath", { datapath: "system" }, "host-unsuitable", "datapath"],
      ["an interface", { tunnelInterface: "absent0" }, "host-unsuitable", "tunnelInterface"],
      ["the name of an interface", { tunnelInterface: undefined }, "invalid-input", "tunnelInterface"],
    ] as const)("one that lacks %s is refused", async (_what, lacking, code, field) => {
      const unfit = { ...request, ...lacking };
      await expect(hosts.enrol(unfit, silent, signal)).rejects.toMatchObject({ code, field });
      await expect(hosts.observe(unfit, signal)).rejects.toMatchObject({ code, field });
    });

    test("one that lacks a package is refused where packages are required, and tells what is installed where they are not", async () => {
      await stage.meddle(request.id, "hide a tool");
      const needs = { code: "host-unsuitable", message: expect.stringContaining("genisoimage") as unknown };
      await expect(hosts.enrol(request, silent, signal)).rejects.toMatchObject(needs);
      await expect(hosts.observe(request, signal)).rejects.toMatchObject(needs);
      const installing = { ...request, packages: { mirror: undefined } };
      expect(await hosts.observe(installing, signal)).toEqual({
        drift: [
          {
            field: "packages",
            expected: "installed",
            found: "genisoimage is missing",
            repair: "installs genisoimage, then wires the host",
            label: "live",
          },
        ],
      });
      await stage.meddle(request.id, "give the tool back");
      await hosts.observe(request, signal);
    });

    test("one is enrolled, again without a change, and has no drift then", async () => {
      const first = await hosts.enrol(request, silent, signal);
      expect(await hosts.enrol(request, silent, signal)).toEqual(first);
      expect(await hosts.observe(request, signal)).toEqual({ inventory: first, drift: [] });
      await hosts.enrol(stage.requests[1], silent, signal);
    });

    test("one that is enrolled is refused to another cloud, and under another id", async () => {
      await expect(hosts.enrol(foreign(request), silent, signal)).rejects.toMatchObject({
        code: "foreign-cloud",
      });
      await expect(hosts.observe(foreign(request), signal)).rejects.toMatchObject({ code: "foreign-cloud" });
      await expect(hosts.enrol(twin(request), silent, signal)).rejects.toMatchObject({ code: "conflict" });
    });

    test("what was refused takes nothing back", async () => {
      await hosts.release(foreign(request), signal);
      await hosts.release(twin(request), signal);
      expect(await hosts.observe(request, signal)).toMatchObject({ drift: [] });
    });

    test("one whose mark was removed is still this cloud's, and gets its mark back", async () => {
      await stage.meddle(request.id, "remove its mark");
      const { drift } = await hosts.observe(request, signal);
      expect(drift).toMatchObject([missingMark(request)]);
      await expect(hosts.enrol(foreign(request), silent, signal)).rejects.toMatchObject({
        code: "foreign-cloud",
      });
      await hosts.enrol(request, silent, signal);
      expect(await hosts.observe(request, signal)).toMatchObject({ drift: [] });
    });

    test.each(["enrol", "observe", "release"] as const)(
      "one that does not answer is an error of %s, and so is a call that was given up",
      async (method) => {
        const unreachable = { ...request, address: stage.gone.address };
        const call = (asked: EnrolRequest, until: AbortSignal): Promise<unknown> =>
          method === "enrol" ? hosts.enrol(asked, silent, until) : hosts[method](asked, until);
        await expect(call(unreachable, signal)).rejects.toMatchObject({ code: "host-unreachable" });
        await expect(call(request, AbortSignal.abort())).rejects.toMatchObject({ code: "interrupted" });
      },
    );
  });
}

/** Begins with hosts that are enrolled, and leaves them in no cloud. */
export function describeRelease(onStage: () => ComputeStage): void {
  describe("hosts that are given back", () => {
    let stage: ComputeStage;
    let hosts: HostsPort;
    let host: ComputeHost;
    let request: EnrolRequest;

    beforeAll(() => {
      stage = onStage();
      hosts = stage.compute.hosts;
      [host] = stage.hosts;
      [request] = stage.requests;
    });

    test("have no volumes, which are named", async () => {
      const { volumes } = stage.compute;
      const volume = { id: deriveId<"resource">("left volume"), place: { backend: "file" } } as const;
      const spec = { ...volume, sizeGib: 1, source: { kind: "blank" } } as const;
      await volumes.ensureVolume(host, spec, silent, signal);
      await expect(hosts.release(request, signal)).rejects.toMatchObject({
        code: "in-use",
        message: expect.stringContaining(volume.id) as unknown,
      });
      expect(await hosts.observe(request, signal)).toMatchObject({ drift: [] });
      expect(await volumes.observeVolume(host, volume, signal)).toBeDefined();
      await volumes.removeVolume(host, volume, signal);
    });

    test("have nothing of the cloud any more, and may be given back again", async () => {
      const { images, switching, leftovers } = stage.compute;
      await images.ensureCached(host, stage.image, silent, signal);
      await switching.ensureNetwork(host, network, [], [portOf(1)], signal);
      await hosts.release(stage.requests[1], signal);
      await hosts.release(request, signal);
      await hosts.release(request, signal);
      expect(await leftovers.list(host, signal)).toEqual([]);
      const { drift } = await hosts.observe(request, signal);
      expect(drift).toContainEqual(expect.objectContaining(missingMark(request)));
    });

    test("may be another cloud's", async () => {
      await hosts.enrol(foreign(request), silent, signal);
      await expect(hosts.enrol(request, silent, signal)).rejects.toMatchObject({ code: "foreign-cloud" });
      await hosts.release(foreign(request), signal);
    });

    test("may be another cloud's also when their mark was lost", async () => {
      await hosts.enrol(request, silent, signal);
      await stage.meddle(request.id, "remove its mark");
      await hosts.release(request, signal);
      await hosts.enrol(foreign(request), silent, signal);
      await hosts.release(foreign(request), signal);
    });
  });
}
