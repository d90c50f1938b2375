import { beforeAll, describe, expect, test } from "vitest";
import { deriveId } from "../../providers/core/ids.ts";
import type { ComputeHost, ImageSpec, ImagesPort } from "../../providers/core/ports.ts";
import type { ComputeStage } from "./compute-ports.ts";

const { signal } = new AbortController();
const silent = (): void => undefined;
const wrongChecksum = `sha256:${"0".repeat(64)}`;
const absent = "/images/absent";
const moved = { source: { location: absent, checksum: undefined } };

/** Begins and ends with hosts that are enrolled and have no image. */
export function describeImagesPort(onStage: () => ComputeStage): void {
  describe("images", () => {
    let stage: ComputeStage;
    let images: ImagesPort;
    let host: ComputeHost;
    let broken: ImageSpec;

    beforeAll(() => {
      stage = onStage();
      images = stage.compute.images;
      [host] = stage.hosts;
      broken = { ...stage.image, id: deriveId<"resource">("broken image"), initrd: undefined };
    });

    test("a disk is known by its bytes", async () => {
      const facts = await images.inspectDisk(stage.disk, { format: undefined, field: "disk" }, signal);
      expect(facts).toMatchObject({ format: "qcow2", virtualSizeBytes: 2 * 1024 ** 3 });
      const checked = { ...stage.disk, checksum: facts.checksum };
      expect(await images.inspectDisk(checked, { format: "qcow2", field: "disk" }, signal)).toEqual(facts);
    });

    test.each([
      ["that is not there", { location: absent }, undefined, "image-unreachable"],
      ["with another checksum", { checksum: wrongChecksum }, undefined, "image-checksum"],
      ["of another format", {}, "raw", "image-format"],
    ] as const)("a disk %s is refused by its field", async (_what, change, format, code) => {
      const source = { ...stage.disk, ...change };
      await expect(images.inspectDisk(source, { format, field: "disk" }, signal)).rejects.toMatchObject({
        code,
        field: "disk",
        value: source.location,
      });
    });

    test.each([
      ["that is not there", { location: absent }, "image-unreachable"],
      ["with another checksum", { checksum: wrongChecksum }, "image-checksum"],
    ] as const)("a file %s is refused by its field", async (_what, change, code) => {
      const source = { ...stage.disk, ...change };
      await expect(images.inspectFile(source, "kernel", signal)).rejects.toMatchObject({
        code,
        field: "kernel",
        value: source.location,
      });
    });

    test("an image is brought for another who waits when the first who asked gives up", async () => {
      const { abort, signal: givenUp } = makeAbort();
      const first = images.ensureCached(host, stage.image, silent, givenUp);
      const second = images.ensureCached(host, stage.image, silent, signal);
      abort();
      await expect(first).rejects.toMatchObject({ code: "interrupted" });
      expect(await second).toMatchObject({
        diskPath: undefined,
        kernelPath: expect.stringContaining(stage.image.id) as unknown,
      });
    });

    test("an image is under the same paths on every host, however often it is asked for", async () => {
      const [first, ...others] = await Promise.all(
        [host, host, stage.hosts[1]].map((each) => images.ensureCached(each, stage.image, silent, signal)),
      );
      expect(others).toEqual([first, first]);
    });

    test("who takes a part of an image, and who takes all of it, get what they asked for", async () => {
      const { image } = stage;
      await images.removeCached(host, image.id, signal);
      const [part, all] = await Promise.all(
        [{ ...image, kernel: undefined }, image].map((each) =>
          images.ensureCached(host, each, silent, signal),
        ),
      );
      expect(part?.kernelPath).toBeUndefined();
      expect(all?.kernelPath).toContain(image.id);
    });

    test("an image that is there needs its source no more", async () => {
      const { kernel, ...others } = stage.image;
      const elsewhere = { ...others, kernel: kernel && { ...kernel, ...moved } };
      expect(await images.ensureCached(host, elsewhere, silent, signal)).toEqual(
        await images.ensureCached(host, stage.image, silent, signal),
      );
    });

    test("an image is seen to be as it was brought, to be altered, and to be missing", async () => {
      const { image } = stage;
      expect(await images.observeCached(host, image, signal)).toEqual([]);
      await stage.meddle(image.id, "alter its files");
      const altered = await images.observeCached(host, image, signal);
      expect(altered).toContainEqual(expect.objectContaining({ field: "cache.kernel", label: "live" }));
      expect(await images.observeCached(host, broken, signal)).toMatchObject([
        { field: "cache.kernel", found: "missing", label: "live" },
      ]);
    });

    test("an image that was altered is brought anew", async () => {
      await images.ensureCached(host, stage.image, silent, signal);
      expect(await images.observeCached(host, stage.image, signal)).toEqual([]);
    });

    test.each([
      ["does not fit", { sizeBytes: 2 ** 50, ...moved }, "host-disk-full"],
      ["changed since it was looked at", { checksum: wrongChecksum }, "image-checksum"],
      ["has gone since it was looked at", moved, "image-unreachable"],
    ] as const)("an image that %s is not brought", async (_what, change, code) => {
      const { kernel } = broken;
      const wrong = { ...broken, kernel: kernel && { ...kernel, ...change } };
      await expect(images.ensureCached(host, wrong, silent, signal)).rejects.toMatchObject({ code });
      await images.removeCached(host, broken.id, signal);
    });

    test("a host that does not answer is an error", async () => {
      const { image, gone } = stage;
      const code = "host-unreachable";
      await expect(images.ensureCached(gone, image, silent, signal)).rejects.toMatchObject({ code });
      await expect(images.observeCached(gone, image, signal)).rejects.toMatchObject({ code });
      await expect(images.removeCached(gone, image.id, signal)).rejects.toMatchObject({ code });
    });

    test("an image that a volume lies on is kept, and the volume named", async () => {
      const { volumes } = stage.compute;
      const facts = await images.inspectDisk(stage.disk, { format: undefined, field: "disk" }, signal);
      const id = deriveId<"resource">("base of a volume");
      const disk = { source: stage.disk, facts };
      const base = { id, name: "base", disk, kernel: undefined, initrd: undefined };
      const { diskPath: path = "" } = await images.ensureCached(host, base, silent, signal);
      const { format, virtualSizeBytes } = facts;
      const volume = { id: deriveId<"resource">("volume on a base"), place: { backend: "file" } } as const;
      const source = { kind: "image", path, format, virtualSizeBytes } as const;
      await volumes.ensureVolume(host, { ...volume, sizeGib: 0, source }, silent, signal);
      await expect(images.removeCached(host, id, signal)).rejects.toMatchObject({
        code: "in-use",
        message: expect.stringContaining(`volume ${volume.id}`) as unknown,
      });
      expect(await images.observeCached(host, base, signal)).toEqual([]);
      await volumes.removeVolume(host, volume, signal);
      await images.removeCached(host, id, signal);
      expect(await images.observeCached(host, base, signal)).toMatchObject([{ found: "missing" }]);
    });

    test("an image is removed, and removed again", async () => {
      await images.removeCached(host, stage.image.id, signal);
      await images.removeCached(host, stage.image.id, signal);
      await images.removeCached(stage.hosts[1], stage.image.id, signal);
      expect(await stage.compute.leftovers.list(host, signal)).toEqual([]);
    });
  });
}

function makeAbort(): { readonly abort: () => void; readonly signal: AbortSignal } {
  const controller = new AbortController();
  return { abort: () => controller.abort(), signal: controller.signal };
}
