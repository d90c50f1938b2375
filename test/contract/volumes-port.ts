import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { valueOf } from "../../providers/core/answer.ts";
import { deriveId } from "../../providers/core/ids.ts";
import type { DryRun } from "../../providers/core/dry-run.ts";
import type { ComputeHost, ScanPort } from "../../providers/core/ports.ts";
import type {
  VolumeObservation,
  VolumePlace,
  VolumeRef,
  VolumeSource,
  VolumeSpec,
  VolumesPort,
} from "../../providers/core/volume-backend.ts";

/** A host with a place for volumes, and the hands of somebody who knows the place. */
export interface VolumeStage {
  readonly volumes: VolumesPort;
  readonly scan: ScanPort;
  /** Begins a dry run over the same. */
  readonly dryRun: () => DryRun | Promise<DryRun>;
  readonly host: ComputeHost;
  readonly place: VolumePlace;
  /** Where what is not right cannot be reached: another host, or a cluster, that nobody answers for. */
  readonly gone: { readonly host: ComputeHost; readonly place: VolumePlace; readonly code: string };
  /** Files of {@link imageBytes} that hold {@link imageByte} in their first MiB. */
  readonly images: {
    readonly qcow2: Extract<VolumeSource, { kind: "image" }>;
    readonly raw: Extract<VolumeSource, { kind: "image" }>;
  };
  /** Whether volumes from a snapshot lie on it. */
  readonly clones: boolean;
  /** Whether what is done to snapshots and sizes is done while somebody has the volume open. */
  readonly live: boolean;
  /** Fills a MiB of a volume with a byte. */
  write(volume: VolumeRef, byte: number, atMib: number): Promise<void>;
  /** The byte that fills a MiB. */
  read(volume: VolumeRef, atMib: number): Promise<number>;
  /** Opens it in a process, until the answer is called. */
  hold(volume: VolumeRef): Promise<() => Promise<void>>;
  /** Files with two keys, on the machine of the tests. */
  readonly keyFiles: readonly [string, string];
  /** Whether what lies of a volume, in the place itself, has a run of this byte. */
  shows(volume: VolumeRef, byte: number): Promise<boolean>;
  /** Whether the key of its {@link VolumeRef.encryption} opens it. */
  opens(volume: VolumeRef): Promise<boolean>;
  /** Leaves what a process that died while it made the volume leaves, with wrong data in it. */
  leaveHalf(volume: VolumeRef): Promise<void>;
  close(): Promise<void>;
}

export const imageBytes = 32 * 1024 * 1024;
export const imageByte = 0x11;

const { signal } = new AbortController();
const silent = (): void => undefined;
const gib = 1024 ** 3;

/** Begins and ends with a place that holds no volume of ours. */
export function describeVolumesPort(name: string, open: () => Promise<VolumeStage>): void {
  describe(name, () => {
    let stage: VolumeStage;
    let volumes: VolumesPort;
    let host: ComputeHost;

    beforeAll(async () => {
      stage = await open();
      ({ volumes, host } = stage);
    }, 120_000);
    afterAll(async () => {
      await stage.close();
    }, 60_000);

    const refOf = (label: string): VolumeRef => ({ place: stage.place, id: deriveId<"resource">(label) });
    const specOf = (label: string, source: VolumeSource = { kind: "blank" }, sizeGib = 1): VolumeSpec => ({
      ...refOf(label),
      sizeGib,
      source,
    });
    const firstSnapshot = deriveId<"resource">("first snapshot");
    const fromSnapshot = (label: string): VolumeSource => ({
      kind: "snapshot",
      volume: refOf(label),
      snapshotId: firstSnapshot,
    });
    const ensure = (spec: VolumeSpec): Promise<void> => volumes.ensureVolume(host, spec, silent, signal);
    const observe = (label: string): Promise<VolumeObservation | undefined> =>
      volumes.observeVolume(host, refOf(label), signal);
    const remove = (label: string): Promise<void> => volumes.removeVolume(host, refOf(label), signal);
    const snapshot = (label: string): Promise<void> =>
      volumes.ensureSnapshot(host, refOf(label), firstSnapshot, signal);
    const unsnapshot = (label: string): Promise<void> =>
      volumes.removeSnapshot(host, refOf(label), firstSnapshot, signal);

    describe("volumes that are not there", () => {
      test("are observed as absent, and may be removed, and their snapshots", async () => {
        await remove("nothing");
        await unsnapshot("nothing");
        expect(await observe("nothing")).toBeUndefined();
      });

      test("have no snapshot made, no clones, no size to grow, no base", async () => {
        const code = "not-found";
        const volume = refOf("nothing");
        await expect(snapshot("nothing")).rejects.toMatchObject({ code });
        await expect(volumes.listChildren(host, volume, signal)).rejects.toMatchObject({ code });
        await expect(volumes.growVolume(host, volume, 2, signal)).rejects.toMatchObject({ code });
        await expect(volumes.flattenVolume(host, volume, silent, signal)).rejects.toMatchObject({ code });
      });

      test("are no source", async () => {
        const copy: VolumeSource = { kind: "volume", volume: refOf("nothing") };
        const code = "not-found";
        await expect(ensure(specOf("copy", copy))).rejects.toMatchObject({ code });
        await expect(ensure(specOf("copy", fromSnapshot("nothing")))).rejects.toMatchObject({ code });
        expect(await observe("copy")).toBeUndefined();
      });

      test("nor are snapshots and files that are not there, and nothing is left of the try", async () => {
        const code = "not-found";
        await ensure(specOf("plain"));
        await expect(ensure(specOf("copy", fromSnapshot("plain")))).rejects.toMatchObject({ code });
        for (const image of [stage.images.qcow2, stage.images.raw]) {
          const gone = { ...image, path: `${image.path}.gone` };
          await expect(ensure(specOf("copy", gone))).rejects.toMatchObject({ code });
        }
        await remove("plain");
        expect(await volumes.listVolumes(host, stage.place, signal)).toEqual([]);
      });

      test("where nobody answers are an error, never absent", async () => {
        const { gone } = stage;
        const volumeOf = (label: string): VolumeRef => ({ ...refOf(label), place: gone.place });
        const { code } = gone;
        await Promise.all([
          expect(volumes.observeVolume(gone.host, volumeOf("nothing"), signal)).rejects.toMatchObject({
            code,
          }),
          expect(volumes.removeVolume(gone.host, volumeOf("none"), signal)).rejects.toMatchObject({ code }),
          expect(volumes.listVolumes(gone.host, gone.place, signal)).rejects.toMatchObject({ code }),
        ]);
      }, 60_000);
    });

    describe("a dry run", () => {
      test("notes what would make volumes and images, and makes none", async () => {
        const { ports, commands } = await stage.dryRun();
        const volume = refOf("planned");
        await ports.volumes.ensureVolume(host, specOf("planned"), silent, signal);
        await ports.volumes.ensureSnapshot(host, volume, firstSnapshot, signal);
        await ports.volumes.growVolume(host, volume, 2, signal);
        await ports.volumes.flattenVolume(host, volume, silent, signal);
        await ports.volumes.removeSnapshot(host, volume, firstSnapshot, signal);
        await ports.volumes.removeVolume(host, volume, signal);
        expect(commands.length).toBeGreaterThanOrEqual(6);
        expect(await volumes.listVolumes(host, stage.place, signal)).toEqual([]);
      });

      test("looks at what is there", async () => {
        await ensure(specOf("seen"));
        await snapshot("seen");
        const { ports, commands } = await stage.dryRun();
        expect(await ports.volumes.observeVolume(host, refOf("seen"), signal)).toEqual(await observe("seen"));
        expect(await ports.volumes.observeVolume(host, refOf("nothing"), signal)).toBeUndefined();
        expect(await ports.volumes.listChildren(host, refOf("seen"), signal)).toEqual([]);
        expect(await ports.volumes.listVolumes(host, stage.place, signal)).toHaveLength(1);
        expect(commands).toEqual([]);
        await unsnapshot("seen");
        await remove("seen");
      });
    });

    describe("a blank volume", () => {
      test("is made once, of its size", async () => {
        await ensure(specOf("blank"));
        await stage.write(refOf("blank"), 0x22, 5);
        await ensure(specOf("blank"));
        expect(await stage.read(refOf("blank"), 5)).toBe(0x22);
        expect(await observe("blank")).toMatchObject({
          sizeBytes: gib,
          parent: undefined,
          snapshots: [],
          holders: [],
        });
      });

      test("is listed with its mark", async () => {
        const listed = await volumes.listVolumes(host, stage.place, signal);
        expect(listed).toMatchObject([{ id: refOf("blank").id, isWhole: true }]);
      });

      test("is held by none of those who look at it at the same time", async () => {
        const looks = await Promise.all(Array.from({ length: 24 }, () => observe("blank")));
        expect(looks.flatMap((found) => found?.holders)).toEqual([]);
      });

      test("grows, and keeps its data", async () => {
        await volumes.growVolume(host, refOf("blank"), 2, signal);
        await ensure(specOf("blank", { kind: "blank" }, 3));
        expect(await observe("blank")).toMatchObject({ sizeBytes: 3 * gib });
        expect(await stage.read(refOf("blank"), 5)).toBe(0x22);
      });

      test("is not shrunk", async () => {
        const refused = { code: "invalid-input", field: "sizeGib", value: 1 };
        const message = expect.stringMatching(/1 GiB.*3 GiB/) as unknown;
        await expect(ensure(specOf("blank"))).rejects.toMatchObject({ ...refused, message });
        const growing = volumes.growVolume(host, refOf("blank"), 1, signal);
        await expect(growing).rejects.toMatchObject({ ...refused, message });
        expect(await observe("blank")).toMatchObject({ sizeBytes: 3 * gib });
      });

      test("is not removed while somebody has it open, who is named", async () => {
        const letGo = await stage.hold(refOf("blank"));
        const found = await observe("blank");
        const removing = remove("blank");
        const holder = expect.stringContaining(found?.holders[0] ?? "a holder") as unknown;
        await expect(removing).rejects.toMatchObject({ code: "in-use", message: holder });
        await letGo();
        expect(await stage.read(refOf("blank"), 5)).toBe(0x22);
      });

      test("is removed, and stays so", async () => {
        await remove("blank");
        await remove("blank");
        expect(await observe("blank")).toBeUndefined();
        expect(await volumes.listVolumes(host, stage.place, signal)).toEqual([]);
      });
    });

    describe("a scan", () => {
      const scan = async (on: ComputeHost, ...asked: readonly VolumeRef[]) => {
        const nothing = { enrolments: [], domains: [], networks: [], images: [], cephClients: [] };
        const questions = { ...nothing, volumes: asked.map((volume) => ({ host: on, volume })) };
        return (await stage.scan.ask(on.address, questions, signal)).volumes;
      };

      test("answers of many volumes as each alone would be, those that are not there too", async () => {
        await ensure(specOf("from image", stage.images.qcow2));
        await ensure(specOf("snapped"));
        await snapshot("snapped");
        const letGo = await stage.hold(refOf("from image"));
        const labels = ["snapped", "nothing", "from image", "snapped"];
        const alone = await Promise.all(labels.map(observe));
        expect(await scan(host, ...labels.map(refOf))).toEqual(alone.map((value) => ({ value })));
        expect(alone[2]?.holders).toHaveLength(1);
        await letGo();
        await unsnapshot("snapped");
        await remove("snapped");
        await remove("from image");
      });

      test("where nobody answers is an error, never absence", async () => {
        const { gone } = stage;
        const asking = scan(gone.host, { ...refOf("nothing"), place: gone.place });
        await expect(asking.then(([found]) => valueOf(found))).rejects.toMatchObject({ code: gone.code });
      }, 60_000);
    });

    describe("a volume from an image", () => {
      test.each(["qcow2", "raw"] as const)(
        "of format %s has its data, and the rest blank",
        async (format) => {
          await ensure(specOf(format, stage.images[format]));
          expect(await stage.read(refOf(format), 0)).toBe(imageByte);
          expect(await stage.read(refOf(format), 900)).toBe(0);
          expect(await observe(format)).toMatchObject({ sizeBytes: gib });
          await remove(format);
        },
      );

      test("is as large as the image where no size is asked for", async () => {
        await ensure(specOf("sizeless", stage.images.qcow2, 0));
        expect(await observe("sizeless")).toMatchObject({ sizeBytes: imageBytes });
        await remove("sizeless");
      });

      test("is not smaller than the image", async () => {
        const source = { ...stage.images.qcow2, virtualSizeBytes: 2 * gib };
        const refused = {
          code: "invalid-input",
          field: "sizeGib",
          message: expect.stringMatching(/1 GiB.*2 GiB/) as unknown,
        };
        await expect(ensure(specOf("small", source))).rejects.toMatchObject(refused);
        expect(await observe("small")).toBeUndefined();
      });

      test("is one, when two make it at the same time", async () => {
        const spec = specOf("both", stage.images.qcow2);
        await Promise.all([ensure(spec), ensure(spec)]);
        expect(await stage.read(spec, 0)).toBe(imageByte);
        expect(await volumes.listVolumes(host, stage.place, signal)).toHaveLength(1);
        await remove("both");
      });

      test("is whole after a making that was broken off", async () => {
        const spec = specOf("broken", stage.images.qcow2);
        await stage.leaveHalf(spec);
        expect(await observe("broken")).toBeUndefined();
        expect(await volumes.listVolumes(host, stage.place, signal)).toMatchObject([
          { id: spec.id, isWhole: false },
        ]);
        await ensure(spec);
        expect(await stage.read(spec, 0)).toBe(imageByte);
        expect(await stage.read(spec, 8)).toBe(0);
        await remove("broken");
      });

      test("loses what is half-made of it, and nothing that is whole", async () => {
        const [half, whole] = [refOf("half"), refOf("whole")];
        await stage.leaveHalf(half);
        await ensure(specOf("whole"));
        for (const volume of [half, whole, half]) await volumes.removeHalfMade(host, volume, signal);
        expect(await volumes.listVolumes(host, stage.place, signal)).toMatchObject([
          { id: whole.id, isWhole: true },
        ]);
        await remove("whole");
      });

      test("leaves nothing when it is removed half-made", async () => {
        await stage.leaveHalf(refOf("broken"));
        await remove("broken");
        expect(await volumes.listVolumes(host, stage.place, signal)).toEqual([]);
      });

      test("needs its image no more once it is flat", async () => {
        await ensure(specOf("flat", stage.images.raw));
        await volumes.flattenVolume(host, refOf("flat"), silent, signal);
        await volumes.flattenVolume(host, refOf("flat"), silent, signal);
        expect(await observe("flat")).toMatchObject({ parent: undefined });
        expect(await stage.read(refOf("flat"), 0)).toBe(imageByte);
        await remove("flat");
      });
    });

    describe("a snapshot", () => {
      beforeAll(async () => {
        await ensure(specOf("origin"));
        await stage.write(refOf("origin"), 0x33, 7);
        await snapshot("origin");
      });

      test("is made once", async () => {
        await snapshot("origin");
        expect(await observe("origin")).toMatchObject({ snapshots: [{ name: `snapshot-${firstSnapshot}` }] });
      });

      test("keeps its volume from being removed, and is named", async () => {
        const message = expect.stringContaining(`snapshot-${firstSnapshot}`) as unknown;
        await expect(remove("origin")).rejects.toMatchObject({ code: "in-use", message });
        expect(await stage.read(refOf("origin"), 7)).toBe(0x33);
      });

      test("has what was there when it was made, in volumes from it", async () => {
        await stage.write(refOf("origin"), 0x44, 7);
        await ensure(specOf("restored", fromSnapshot("origin"), 2));
        await stage.write(refOf("restored"), 0x55, 8);
        await ensure(specOf("restored", fromSnapshot("origin"), 2));
        expect(await stage.read(refOf("restored"), 7)).toBe(0x33);
        expect(await stage.read(refOf("restored"), 8)).toBe(0x55);
        expect(await stage.read(refOf("origin"), 7)).toBe(0x44);
        expect(await stage.read(refOf("origin"), 8)).toBe(0);
        expect(await observe("restored")).toMatchObject({ sizeBytes: 2 * gib, snapshots: [] });
      });

      test("that others lie on is kept, and they are named, until they are flat", async () => {
        const children = await volumes.listChildren(host, refOf("origin"), signal);
        expect(children.length > 0).toBe(stage.clones);
        const removing = unsnapshot("origin").then(
          () => ({ code: "removed" }),
          (error: unknown) => error,
        );
        const refused = { code: "in-use", message: expect.stringContaining(children.join(", ")) as unknown };
        expect(await removing).toMatchObject(stage.clones ? refused : { code: "removed" });
        await volumes.flattenVolume(host, refOf("restored"), silent, signal);
        await unsnapshot("origin");
        await unsnapshot("origin");
        expect(await volumes.listChildren(host, refOf("origin"), signal)).toEqual([]);
        expect(await observe("origin")).toMatchObject({ snapshots: [] });
        expect(await stage.read(refOf("restored"), 7)).toBe(0x33);
      });

      test("of an open volume is made and removed, or refused by who has it open", async () => {
        const letGo = await stage.hold(refOf("origin"));
        const outcomeOf = (work: Promise<void>): Promise<string> =>
          work.then(
            () => "done",
            (error: unknown) => String(Reflect.get(Object(error), "code")),
          );
        const expected = stage.live ? "done" : "wrong-state";
        expect(await outcomeOf(snapshot("origin"))).toBe(expected);
        expect(await outcomeOf(volumes.growVolume(host, refOf("origin"), 2, signal))).toBe(expected);
        await letGo();
        await unsnapshot("origin");
      });

      test("is no source for what is smaller", async () => {
        await snapshot("restored");
        const spec = specOf("smaller", fromSnapshot("restored"));
        const refused = {
          code: "invalid-input",
          field: "sizeGib",
          message: expect.stringMatching(/1 GiB.*2 GiB/) as unknown,
        };
        await expect(ensure(spec)).rejects.toMatchObject(refused);
        await unsnapshot("restored");
      });
    });

    describe("a copy of a volume", () => {
      const fromRestored = (): VolumeSource => ({ kind: "volume", volume: refOf("restored") });

      test("has its data, and lives without it", async () => {
        await ensure(specOf("twin", fromRestored(), 0));
        await ensure(specOf("twin", fromRestored(), 0));
        await stage.write(refOf("restored"), 0x66, 7);
        expect(await stage.read(refOf("twin"), 7)).toBe(0x33);
        expect(await observe("twin")).toMatchObject({ sizeBytes: 2 * gib, parent: undefined });
        await remove("restored");
        expect(await stage.read(refOf("twin"), 8)).toBe(0x55);
      });

      test("of an open one is made, or refused by who has it open, and nothing is left of the try", async () => {
        const letGo = await stage.hold(refOf("twin"));
        const copying = ensure(specOf("open", { kind: "volume", volume: refOf("twin") }, 0)).then(
          () => ({ code: "done" }),
          (error: unknown) => error,
        );
        const [holder = "a holder"] = (await observe("twin"))?.holders ?? [];
        const refused = { code: "wrong-state", message: expect.stringContaining(holder) as unknown };
        expect(await copying).toMatchObject(stage.live ? { code: "done" } : refused);
        await letGo();
        expect((await observe("open")) !== undefined).toBe(stage.live);
        await remove("open");
      });

      test("is begun anew after one that was broken off", async () => {
        const spec = specOf("second", { kind: "volume", volume: refOf("twin") }, 2);
        await stage.leaveHalf(spec);
        await ensure(spec);
        expect(await stage.read(spec, 7)).toBe(0x33);
        await remove("second");
      });

      test("leaves nothing behind on what it was copied from", async () => {
        await remove("twin");
        await remove("origin");
        expect(await volumes.listVolumes(host, stage.place, signal)).toEqual([]);
      });
    });
  });
}

/** The same stage; ends with a place that holds no volume of ours. */
export function describeEncryptedVolumes(name: string, open: () => Promise<VolumeStage>): void {
  describe(name, () => {
    let stage: VolumeStage;
    let volumes: VolumesPort;
    let host: ComputeHost;

    beforeAll(async () => {
      stage = await open();
      ({ volumes, host } = stage);
    }, 120_000);
    afterAll(async () => {
      expect(await volumes.listVolumes(host, stage.place, signal)).toEqual([]);
      await stage.close();
    }, 60_000);

    const refOf = (label: string, keyFile = stage.keyFiles[0]): VolumeRef => ({
      place: stage.place,
      id: deriveId<"resource">("encrypted", label),
      encryption: { keyFile },
    });
    const ensure = (label: string, source: VolumeSource, sizeGib = 1): Promise<void> =>
      volumes.ensureVolume(host, { ...refOf(label), sizeGib, source }, silent, signal);
    const remove = (label: string): Promise<void> => volumes.removeVolume(host, refOf(label), signal);
    const observe = (label: string): Promise<VolumeObservation | undefined> =>
      volumes.observeVolume(host, refOf(label), signal);
    const snapshotId = deriveId<"resource">("encrypted snapshot");

    test("a blank one has its whole size for its data, which only its key opens, and which lies nowhere as it is", async () => {
      await ensure("blank", { kind: "blank" });
      await stage.write(refOf("blank"), 0x5a, 1023);
      expect(await stage.read(refOf("blank"), 1023)).toBe(0x5a);
      expect(await observe("blank")).toMatchObject({ sizeBytes: gib, parent: undefined, holders: [] });
      expect(await stage.shows(refOf("blank"), 0x5a)).toBe(false);
      expect(await stage.opens(refOf("blank"))).toBe(true);
      expect(await stage.opens(refOf("blank", stage.keyFiles[1]))).toBe(false);
    });

    test("it grows, keeps its data, and never shrinks", async () => {
      await volumes.growVolume(host, refOf("blank"), 2, signal);
      await ensure("blank", { kind: "blank" }, 3);
      expect(await observe("blank")).toMatchObject({ sizeBytes: 3 * gib });
      expect(await stage.read(refOf("blank"), 1023)).toBe(0x5a);
      await stage.write(refOf("blank"), 0x5b, 3071);
      await expect(ensure("blank", { kind: "blank" })).rejects.toMatchObject({
        code: "invalid-input",
        field: "sizeGib",
        message: expect.stringMatching(/1 GiB.*3 GiB/) as unknown,
      });
    });

    test("what comes from its snapshot, or is a copy of it, has its data, as ciphertext", async () => {
      await volumes.ensureSnapshot(host, refOf("blank"), snapshotId, signal);
      await stage.write(refOf("blank"), 0x44, 1023);
      const { id } = refOf("blank");
      await Promise.all([
        ensure("restored", { kind: "snapshot", volume: { id }, snapshotId }, 4),
        ensure("twin", { kind: "volume", volume: { id } }, 0),
      ]);
      expect(await stage.read(refOf("restored"), 1023)).toBe(0x5a);
      expect(await stage.read(refOf("twin"), 1023)).toBe(0x44);
      expect(await observe("restored")).toMatchObject({ sizeBytes: 4 * gib });
      expect(await observe("twin")).toMatchObject({ sizeBytes: 3 * gib, parent: undefined });
      expect(await stage.shows(refOf("twin"), 0x44)).toBe(false);
      await volumes.flattenVolume(host, refOf("restored"), silent, signal);
      await volumes.removeSnapshot(host, refOf("blank"), snapshotId, signal);
      await remove("blank");
      expect(await stage.read(refOf("restored"), 1023)).toBe(0x5a);
      await remove("restored");
      await remove("twin");
    });

    test("one of an image has its data and its holes, after a making that was broken off, and needs it no more once it is flat", async () => {
      await stage.leaveHalf(refOf("system"));
      await ensure("system", stage.images.qcow2);
      await stage.write(refOf("system"), 0x66, 40);
      await volumes.flattenVolume(host, refOf("system"), silent, signal);
      expect(await observe("system")).toMatchObject({ sizeBytes: gib, parent: undefined });
      for (const [atMib, byte] of [
        [0, imageByte],
        [8, 0],
        [40, 0x66],
      ] as const)
        expect(await stage.read(refOf("system"), atMib)).toBe(byte);
      expect(await stage.shows(refOf("system"), imageByte)).toBe(false);
      await remove("system");
    });

    test("one of an image is as large as that where no size is asked for, and never smaller", async () => {
      await ensure("sizeless", stage.images.raw, 0);
      expect(await observe("sizeless")).toMatchObject({ sizeBytes: imageBytes });
      await remove("sizeless");
      const large = { ...stage.images.qcow2, virtualSizeBytes: 2 * gib };
      await expect(ensure("small", large)).rejects.toMatchObject({
        code: "invalid-input",
        field: "sizeGib",
        message: expect.stringMatching(/1 GiB.*2 GiB/) as unknown,
      });
    });

    test("without the file of its key none is made", async () => {
      const spec = { ...refOf("keyless", "/nowhere/key"), sizeGib: 1, source: { kind: "blank" } as const };
      await expect(volumes.ensureVolume(host, spec, silent, signal)).rejects.toMatchObject({
        code: "invalid-input",
        field: "encryption.keyFile",
        value: "/nowhere/key",
      });
    });

    test("a dry run notes its making and its key, without either", async () => {
      const { ports, commands } = await stage.dryRun();
      const planned: VolumeSpec = { ...refOf("planned"), sizeGib: 1, source: { kind: "blank" } };
      await ports.volumes.ensureVolume(host, planned, silent, signal);
      await ports.volumes.attachEncryptor(host, planned, signal);
      expect(commands.length).toBeGreaterThanOrEqual(2);
      expect(await observe("planned")).toBeUndefined();
      const [text = ""] = stage.keyFiles.map((file) => readFileSync(file, "utf8").trim());
      expect(JSON.stringify(commands)).not.toContain(text);
    });
  });
}
