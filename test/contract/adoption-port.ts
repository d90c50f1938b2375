import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Adoption, ForeignDomain } from "../../providers/core/adoption.ts";
import { deriveId } from "../../providers/core/ids.ts";
import type { ComputeHost, DomainObservation, DomainSpec, DomainsPort } from "../../providers/core/ports.ts";
import { handmadeBytes, type ComputeStage, type HandmadeDomain } from "./compute-ports.ts";

const { signal } = new AbortController();
const silent = (): void => undefined;
/** Nobody waits for a guest to power off by itself. */
const graceMs = 0;
const imageId = deriveId<"resource">("image of adopted servers");
const folder = "/var/lib/libvirt/images";
const mac = "52:54:00:00:77:01";

/** Begins and ends with hosts that are enrolled and have nothing else. */
export function describeAdoptionPort(onStage: () => ComputeStage): void {
  describe("domains of somebody else", () => {
    let stage: ComputeStage;
    let domains: DomainsPort;
    let host: ComputeHost;
    let spec: DomainSpec;
    let handmade: HandmadeDomain;
    let adoption: Adoption;

    beforeAll(async () => {
      stage = onStage();
      const { compute, disk: source } = stage;
      domains = compute.domains;
      [host] = stage.hosts;
      const facts = await compute.images.inspectDisk(source, { format: undefined, field: "disk" }, signal);
      const disk = { source, facts };
      const image = { id: imageId, name: "disk", disk, kernel: undefined, initrd: undefined };
      const cached = await compute.images.ensureCached(host, image, silent, signal);
      const { image: options, ...rest } = stage.domainOf(8, cached);
      spec = {
        ...rest,
        interfaces: [],
        diskGib: 2,
        isDiskAdopted: true,
        image: { ...options, diskFormat: "qcow2" },
      };
    });

    const look = (nameOrId: string): Promise<ForeignDomain | undefined> =>
      domains.lookAtForeign(host, nameOrId, signal);
    const takeOver = (wanted = adoption): Promise<void> =>
      domains.takeOver(host, spec.id, wanted, silent, signal);
    const giveBack = (): Promise<void> => domains.giveBack(host, spec.id, adoption, graceMs, signal);
    const build = (start: boolean): Promise<void> => domains.spawn(host, spec, start, signal);
    const observe = (): Promise<DomainObservation | undefined> => domains.observe(host, spec, signal);

    test("that are not there are absent", async () => {
      expect(await look("absent")).toBeUndefined();
      expect(await look(deriveId("absent"))).toBeUndefined();
    });

    test("on a host that does not answer are an error, never absent", async () => {
      const asking = domains.lookAtForeign(stage.gone, "absent", signal);
      await expect(asking).rejects.toMatchObject({ code: "host-unreachable" });
    });

    describe.each([
      { format: "qcow2", transfer: "move" },
      { format: "raw", transfer: "copy" },
    ] as const)("on a $format disk", ({ format, transfer }) => {
      let digest: string;
      let before: string;

      beforeEach(async () => {
        const diskPath = `${folder}/legacy.${format}`;
        handmade = { id: spec.id, name: "legacy", mac, diskPath, format };
        await stage.defineByHand(handmade);
        digest = await stage.digestOf(handmade);
        before = await stage.survey();
        const found = await look("legacy");
        adoption = {
          hostId: host.id,
          domain: "legacy",
          fingerprint: found?.fingerprint ?? "",
          diskPath,
          diskFormat: format,
          transfer,
          diskBytes: handmadeBytes,
        };
      });

      afterEach(async () => {
        await giveBack();
        await stage.meddle(spec.id, "undefine the foreign domain");
      });

      test("are looked at by name and by uuid", async () => {
        const found = await look("legacy");
        expect(found).toMatchObject({
          id: spec.id,
          state: "shut-off",
          vcpus: 1,
          ramMib: 64,
          disks: [
            {
              target: "vda",
              bus: "virtio",
              source: handmade.diskPath,
              isFile: true,
              format,
              file: { sizeBytes: handmadeBytes, isEncrypted: false, transfer },
              usedBy: [],
            },
          ],
          interfaces: [{ mac, source: "bridge br-int" }],
          isAutostarted: true,
          isPersistent: true,
          hasSavedMemory: false,
          ties: [],
          serverDiskPath: `${host.folder}/servers/${spec.id}/disk`,
        });
        expect(found).not.toHaveProperty("owner");
        expect(found?.devices).toContain("graphics vnc");
        expect(await look(spec.id)).toMatchObject({ name: "legacy", fingerprint: found?.fingerprint });
      });

      test("are gone once they are taken over, and their disk is the server's", async () => {
        await takeOver();
        expect(await look("legacy")).toBeUndefined();
        expect(await stage.digestOf(spec)).toBe(digest);
      });

      test("run as servers then, without drift, and are left alone by a second take-over", async () => {
        await takeOver();
        await takeOver();
        await build(true);
        await takeOver();
        expect(await observe()).toMatchObject({ state: "running", drift: [] });
        expect(await stage.digestOf(spec)).toBe(digest);
        expect(await look(spec.id)).toMatchObject({ owner: { cloudId: host.cloudId } });
      });

      test("are given back as they were", async () => {
        const was = await look("legacy");
        await takeOver();
        await giveBack();
        await giveBack();
        expect(await stage.survey()).toBe(before);
        expect(await stage.digestOf(handmade)).toBe(digest);
        expect(await look("legacy")).toMatchObject({
          fingerprint: was?.fingerprint,
          isAutostarted: true,
          disks: [{ file: { sizeBytes: handmadeBytes, transfer } }],
        });
      });

      test("are given back as they were by a server that was built and never ran, and grew", async () => {
        await takeOver();
        await build(false);
        expect(await observe()).toMatchObject({ diskBytes: 2 * 1024 ** 3 });
        await giveBack();
        expect(await stage.digestOf(handmade)).toBe(digest);
        expect(await look("legacy")).toMatchObject({ disks: [{ file: { sizeBytes: handmadeBytes } }] });
      });

      test("are given back by a server that runs", async () => {
        await takeOver();
        await build(true);
        await giveBack();
        expect(await observe().catch((error: unknown) => error)).toMatchObject({ code: "not-ours" });
        expect(await stage.digestOf(handmade)).toBe(digest);
      });

      test("that run stay as they are", async () => {
        await stage.meddle(spec.id, "start the foreign domain");
        expect(await look("legacy")).toMatchObject({ state: "running" });
        await expect(takeOver()).rejects.toMatchObject({ code: "wrong-state" });
        expect(await look("legacy")).toMatchObject({ state: "running" });
        await stage.meddle(spec.id, "stop the foreign domain");
        expect(await stage.survey()).toBe(before);
      });

      test("that are not what was looked at stay as they are", async () => {
        const other = { ...adoption, fingerprint: "0".repeat(64) };
        await expect(takeOver(other)).rejects.toMatchObject({ code: "wrong-state" });
        expect(await stage.survey()).toBe(before);
      });

      test("that were not taken over stay as they are when they are given back", async () => {
        await giveBack();
        expect(await stage.survey()).toBe(before);
      });
    });

    test("that are gone before they are taken over are not found", async () => {
      await expect(takeOver()).rejects.toMatchObject({ code: "not-found" });
    });

    test("leave nothing behind", async () => {
      const { images, leftovers } = stage.compute;
      await images.removeCached(host, imageId, signal);
      expect(await leftovers.list(host, signal)).toEqual([]);
    });
  });
}
