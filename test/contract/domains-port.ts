import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deriveId } from "../../providers/core/ids.ts";
import type {
  CachedImage,
  ComputeHost,
  DomainObservation,
  DomainSpec,
  DomainsPort,
  ReadinessRung,
} from "../../providers/core/ports.ts";
import type { AttachedVolume, VolumeRef } from "../../providers/core/volume-backend.ts";
import { network, portOf, readinessOf } from "../support/compute-specimens.ts";
import type { ComputeStage } from "./compute-ports.ts";

const { signal } = new AbortController();
const silent = (): void => undefined;
/** Nobody waits for a guest to power off by itself. */
const graceMs = 0;
/** For what will not come. */
const shortMs = 500;
/** For a guest that answers, on a busy machine. */
const longMs = 60_000;

function gib(count: number): number {
  return count * 1024 ** 3;
}

/** A volume in a file, as a server has it. */
function volumeOf(label: string, device: string): AttachedVolume {
  const volume = { place: { backend: "file" }, id: deriveId<"resource">("volume", label) } as const;
  return { volume, device, isReadOnly: false, isShared: false, qos: {} };
}

/** The server with another host name, which its guest is told by its config drive. */
function renameHost({ configDrive, ...rest }: DomainSpec, hostname: string): DomainSpec {
  const metaData = { ...configDrive.metaData, hostname };
  return { ...rest, hostname, configDrive: { ...configDrive, metaData } };
}

/** Begins and ends with hosts that are enrolled and have nothing else. */
export function describeDomainsPort(onStage: () => ComputeStage): void {
  describe("domains", () => {
    let stage: ComputeStage;
    let domains: DomainsPort;
    let host: ComputeHost;
    let cached: CachedImage;
    let spec: DomainSpec;

    beforeAll(async () => {
      stage = onStage();
      domains = stage.compute.domains;
      [host] = stage.hosts;
      cached = await stage.compute.images.ensureCached(host, stage.image, silent, signal);
      spec = stage.domainOf(1, cached);
      await wire();
    });

    /** Makes a blank volume of 1 GiB. */
    const makeVolume = (volume: VolumeRef): Promise<void> =>
      stage.compute.volumes.ensureVolume(
        host,
        { ...volume, sizeGib: 1, source: { kind: "blank" } },
        silent,
        signal,
      );
    /** Fails while somebody has it open. */
    const dropVolume = (volume: VolumeRef): Promise<void> =>
      stage.compute.volumes.removeVolume(host, volume, signal);
    const wire = (): Promise<void> =>
      stage.compute.switching.ensureNetwork(host, network, [], [portOf(1)], signal);
    const build = (wanted = spec): Promise<void> => domains.spawn(host, wanted, true, signal);
    const stop = (): Promise<void> => domains.stop(host, spec.id, graceMs, signal);
    const observe = (wanted = spec): Promise<DomainObservation | undefined> =>
      domains.observe(host, wanted, signal);
    const wait = (until: ReadinessRung): Promise<void> =>
      domains.waitReady(host, spec.id, readinessOf(1, until), silent, signal);

    /** By what the guest's console says alone: what it said in an earlier boot does not count. */
    function waitUntilBooted(): Promise<void> {
      const request = { ...readinessOf(1, "cloud-init"), address: undefined };
      return domains.waitReady(host, spec.id, request, silent, signal);
    }

    /** Waits for what will not come. */
    function waitInVain(until: ReadinessRung): Promise<void> {
      const request = readinessOf(1, until);
      const limitsMs = { ...request.limitsMs, running: shortMs, address: shortMs };
      return domains.waitReady(host, spec.id, { ...request, limitsMs }, silent, signal);
    }

    describe("that are not there", () => {
      test("are observed as absent, and may be removed", async () => {
        await domains.remove(host, spec.id, signal);
        expect(await observe()).toBeUndefined();
      });

      test("cannot be started, stopped nor rebooted", async () => {
        const code = "not-found";
        await expect(domains.start(host, spec.id, signal)).rejects.toMatchObject({ code });
        await expect(stop()).rejects.toMatchObject({ code });
        await expect(domains.reboot(host, spec.id, "soft", signal)).rejects.toMatchObject({ code });
        await expect(domains.reboot(host, spec.id, "hard", signal)).rejects.toMatchObject({ code });
      });

      test("let go of volumes, and take none", async () => {
        const code = "not-found";
        const { volume } = volumeOf("none", "vdb");
        await domains.detachVolume(host, spec.id, volume.id, shortMs, signal);
        const attaching = domains.attachVolume(host, spec.id, volumeOf("none", "vdb"), signal);
        await expect(attaching).rejects.toMatchObject({ code });
        const resizing = domains.resizeVolume(host, spec.id, volume.id, gib(2), signal);
        await expect(resizing).rejects.toMatchObject({ code });
        expect(await observe()).toBeUndefined();
      });

      test("have an empty console, and do not get ready", async () => {
        expect(await domains.readConsole(host, spec.id, 10, signal)).toBe("");
        await expect(wait("ssh")).rejects.toMatchObject({
          code: "not-ready",
          field: "ready",
          value: "running",
        });
      });

      test("are not begun by a call that was given up", async () => {
        const building = domains.spawn(host, spec, true, AbortSignal.abort());
        await expect(building).rejects.toMatchObject({ code: "interrupted" });
        expect(await observe()).toBeUndefined();
      });

      test("on a host that does not answer are an error, never absent", async () => {
        const { gone } = stage;
        const code = "host-unreachable";
        await expect(domains.observe(gone, spec, signal)).rejects.toMatchObject({ code });
        await expect(domains.spawn(gone, spec, true, signal)).rejects.toMatchObject({ code });
        await expect(domains.remove(gone, spec.id, signal)).rejects.toMatchObject({ code });
        await expect(
          domains.waitReady(gone, spec.id, readinessOf(1, "running"), silent, signal),
        ).rejects.toMatchObject({ code });
      });
    });

    describe("that are built", () => {
      test("run, and are left alone by a second build", async () => {
        await build();
        const found = await observe();
        expect(found).toMatchObject({ state: "running", drift: [] });
        await build();
        expect(await observe()).toEqual(found);
      });

      test("are started by their host as the build says, and tell where they are not", async () => {
        const wanted = { ...spec, autostart: true };
        const off = { field: "autostart", expected: "on", found: "off", label: "live" };
        const before = await observe();
        expect((await observe(wanted))?.drift).toMatchObject([off]);
        await build(wanted);
        expect(await observe(wanted)).toEqual(before);
        expect((await observe())?.drift).toMatchObject([{ ...off, expected: "off", found: "on" }]);
        await build();
        expect(await observe()).toEqual(before);
      });

      test("get ready, and tell of it on their console", async () => {
        await wait("cloud-init");
        expect(await domains.readConsole(host, spec.id, 50, signal)).toContain("ready");
        const lastLine = await domains.readConsole(host, spec.id, 1, signal);
        expect(lastLine.trimEnd().split("\n")).toHaveLength(1);
      });

      test("reboot softly in the same process", async () => {
        const was = await observe();
        const boot = await stage.bootOf(1);
        await domains.reboot(host, spec.id, "soft", signal);
        await wait("ssh");
        expect(await observe()).toEqual(was);
        expect(await stage.bootOf(1)).not.toBe(boot);
      });

      test("reboot hard in another process", async () => {
        const was = await observe();
        await domains.reboot(host, spec.id, "hard", signal);
        const is = await observe();
        expect(is).toMatchObject({ state: "running", drift: [] });
        expect(is?.processId).not.toBe(was?.processId);
      });

      test("stop, and stay stopped when they are stopped again", async () => {
        await stop();
        await stop();
        expect(await observe()).toMatchObject({ state: "shut-off", processId: undefined, drift: [] });
      });

      test("start, and are left alone by a second start", async () => {
        await domains.start(host, spec.id, signal);
        const found = await observe();
        expect(found).toMatchObject({ state: "running", drift: [] });
        await domains.start(host, spec.id, signal);
        expect(await observe()).toEqual(found);
      });

      test.each(["soft", "hard"] as const)("and are off are started by a %s reboot", async (kind) => {
        await stop();
        await domains.reboot(host, spec.id, kind, signal);
        expect(await observe()).toMatchObject({ state: "running" });
      });

      test("keep their host from being given back", async () => {
        const releasing = stage.compute.hosts.release(stage.requests[0], signal);
        await expect(releasing).rejects.toMatchObject({ code: "in-use" });
      });
    });

    describe("with volumes", () => {
      const first = volumeOf("first", "vdb");
      const second = volumeOf("second", "vdc");
      const attach = (attached = first): Promise<void> =>
        domains.attachVolume(host, spec.id, attached, signal);
      const detach = ({ volume } = first, limitMs = longMs): Promise<void> =>
        domains.detachVolume(host, spec.id, volume.id, limitMs, signal);
      const observeWith = (...volumes: readonly AttachedVolume[]): Promise<DomainObservation | undefined> =>
        observe({ ...spec, volumes });
      const has = ({ volume } = first): Promise<boolean> => stage.hasOpen(spec.id, volume);

      beforeAll(async () => {
        for (const { volume } of [first, second]) await makeVolume(volume);
        await domains.start(host, spec.id, signal);
        await waitUntilBooted();
      });

      test("which they are given while they are on have them at once, and at their next start", async () => {
        const was = await observe();
        await attach();
        expect(await has()).toBe(true);
        await expect(dropVolume(first.volume)).rejects.toMatchObject({ code: "in-use" });
        expect(await observeWith(first)).toEqual(was);
        await attach();
        expect(await observeWith(first)).toEqual(was);
        await stop();
        expect(await has()).toBe(false);
        expect(await observeWith(first)).toMatchObject({ state: "shut-off", drift: [] });
        await domains.start(host, spec.id, signal);
        await waitUntilBooted();
        expect(await has()).toBe(true);
      });

      test("are seen to have them otherwise than they should, and what that takes", async () => {
        const label = "restart";
        const other = { ...first, volume: second.volume };
        for (const wanted of [[], [{ ...first, isReadOnly: true }], [{ ...first, device: "vdd" }], [other]]) {
          expect(await observeWith(...wanted)).toMatchObject({ drift: [{ field: "volumes", label }] });
        }
        expect(await observeWith(first, second)).toMatchObject({
          drift: [{ field: "volumes", label: "live" }],
        });
      });

      test("get no other in the place of one", async () => {
        const inItsPlace = { ...second, device: first.device };
        await expect(attach(inItsPlace)).rejects.toMatchObject({ code: "conflict", field: "device" });
        expect(await has(second)).toBe(false);
        expect(await observeWith(first)).toMatchObject({ drift: [] });
      });

      test("are told how large they have become, and never that they are smaller", async () => {
        const resize = (bytes: number): Promise<void> =>
          domains.resizeVolume(host, spec.id, first.volume.id, bytes, signal);
        await resize(gib(2));
        await resize(gib(1));
        expect(await stage.capacityOf(spec.id, first.device)).toBe(gib(2));
        const found = await stage.compute.volumes.observeVolume(host, first.volume, signal);
        expect(found).toMatchObject({ sizeBytes: gib(2) });
        const resizing = domains.resizeVolume(host, spec.id, second.volume.id, gib(2), signal);
        await expect(resizing).rejects.toMatchObject({ code: "not-found" });
      });

      test("get back what somebody detached, by a build, in the same process", async () => {
        const was = await observeWith(first);
        await stage.meddle(`${spec.id}/${first.device}`, "detach the volume");
        expect(await observeWith(first)).toMatchObject({ drift: [{ field: "volumes", label: "live" }] });
        await build({ ...spec, volumes: [first] });
        expect(await observeWith(first)).toEqual(was);
        expect(await has()).toBe(true);
      });

      test("keep them while they do not answer, and let go of them later", async () => {
        await stage.meddle(spec.id, "pause");
        await expect(detach(first, shortMs)).rejects.toMatchObject({ code: "in-use" });
        expect(await observeWith(first)).toMatchObject({ state: "paused", drift: [] });
        expect(await has()).toBe(true);
        await domains.start(host, spec.id, signal);
        await detach();
        expect(await has()).toBe(false);
      });

      test("that are taken from them have them no more, now and at their next start", async () => {
        expect(await observe()).toMatchObject({ state: "running", drift: [] });
        await attach();
        await detach();
        await detach();
        expect(await has()).toBe(false);
        expect(await observe()).toMatchObject({ state: "running", drift: [] });
        await stop();
        expect(await observe()).toMatchObject({ state: "shut-off", drift: [] });
      });

      test("take and lose them while they are off", async () => {
        await attach();
        await attach(second);
        await attach(second);
        const inItsPlace = { ...volumeOf("third", "vdb"), device: first.device };
        await expect(attach(inItsPlace)).rejects.toMatchObject({ code: "conflict" });
        await detach();
        await domains.resizeVolume(host, spec.id, second.volume.id, gib(2), signal);
        expect(await observeWith(second)).toMatchObject({ state: "shut-off", drift: [] });
        await domains.start(host, spec.id, signal);
        expect([await has(first), await has(second)]).toEqual([false, true]);
        await stop();
        await detach(second);
        expect(await observe()).toMatchObject({ drift: [] });
      });

      test("cannot start without a file that they should have", async () => {
        const none = volumeOf("none", "vdb");
        await expect(build({ ...spec, volumes: [none] })).rejects.toMatchObject({ code: "command-failed" });
        expect(await observe({ ...spec, volumes: [none] })).toMatchObject({ state: "shut-off", drift: [] });
      });

      test("start with those that they are built with", async () => {
        await build({ ...spec, volumes: [first, { ...second, isReadOnly: true }] });
        expect([await has(first), await has(second)]).toEqual([true, true]);
        expect(await observeWith(first, { ...second, isReadOnly: true })).toMatchObject({ drift: [] });
        await stop();
        await build();
        expect([await has(first), await has(second)]).toEqual([false, false]);
        expect(await observe()).toMatchObject({ state: "running", drift: [] });
      });

      test("take them without a definition, too", async () => {
        await stage.meddle(spec.id, "forget its definition");
        await attach();
        expect(await has()).toBe(true);
        const fields = (await observeWith(first))?.drift.map(({ field }) => field);
        expect(fields).toContain("definition");
        expect(fields).not.toContain("volumes");
        await build({ ...spec, volumes: [first] });
        expect(await observeWith(first)).toMatchObject({ drift: [] });
        await stop();
        await detach();
        await build();
      });

      test("as root disks have no other disk, and lose none by their removal", async () => {
        const root = volumeOf("root", "vda").volume;
        const before = await stage.survey();
        await makeVolume(root);
        const other = { ...stage.domainOf(4, cached), interfaces: [], rootVolume: root };
        await build(other);
        await build(other);
        expect(await observe(other)).toMatchObject({ state: "running", diskBytes: undefined, drift: [] });
        expect(await stage.hasOpen(other.id, root)).toBe(true);
        const drift = (await observe({ ...other, rootVolume: undefined }))?.drift;
        expect(drift).toEqual(
          expect.arrayContaining([
            expect.objectContaining({ field: "disks", label: "restart" }),
            expect.objectContaining({ field: "disk", label: "data-loss" }),
          ]),
        );
        await domains.resizeVolume(host, other.id, root.id, gib(2), signal);
        expect(await stage.capacityOf(other.id, "vda")).toBe(gib(2));
        await domains.remove(host, other.id, signal);
        const kept = await stage.compute.volumes.observeVolume(host, root, signal);
        expect(kept).toMatchObject({ sizeBytes: gib(2) });
        await dropVolume(root);
        expect(await stage.survey()).toBe(before);
      });

      test("or without have a root disk that grows while they are on", async () => {
        const other = { ...stage.domainOf(4, cached), interfaces: [] };
        await build(other);
        await domains.resizeVolume(host, other.id, other.id, gib(2), signal);
        expect(await stage.capacityOf(other.id, "vda")).toBe(gib(2));
        expect(await observe({ ...other, diskBytes: gib(2) })).toMatchObject({
          diskBytes: gib(2),
          drift: [],
        });
        await domains.remove(host, other.id, signal);
      });

      test("of a machine with PCI Express take several while they are on", async () => {
        const was = stage.domainOf(4, cached);
        const other = { ...was, interfaces: [], hardware: { ...was.hardware, machine: "q35" } };
        await build(other);
        for (const attached of [first, second]) await domains.attachVolume(host, other.id, attached, signal);
        const found = await observe({ ...other, volumes: [first, second] });
        expect(found).toMatchObject({ state: "running", drift: [] });
        await domains.remove(host, other.id, signal);
      });

      afterAll(async () => {
        for (const { volume } of [first, second]) await dropVolume(volume);
      });
    });

    describe("that are to be otherwise", () => {
      test.each([
        ["vcpus", "restart", (was: DomainSpec) => ({ ...was, vcpus: 2 })],
        ["ramMib", "restart", (was: DomainSpec) => ({ ...was, ramMib: 176 })],
        [
          "disks",
          "restart",
          (was: DomainSpec) => ({ ...was, hardware: { ...was.hardware, diskBus: "scsi" as const } }),
        ],
        [
          "interfaces",
          "restart",
          (was: DomainSpec) => ({
            ...was,
            interfaces: was.interfaces.map((nic) => ({ ...nic, mac: portOf(9).mac })),
          }),
        ],
        ["interfaces", "restart", (was: DomainSpec) => ({ ...was, interfaces: [] })],
        ["hostname", "reboot", (was: DomainSpec) => renameHost(was, "renamed")],
      ])("in %s are seen to be so, and what that takes: %s", async (field, label, change) => {
        const drift = (await observe(change(spec)))?.drift;
        expect(drift?.map((entry) => [entry.field, entry.label])).toEqual([[field, label]]);
      });

      test("in the MTU of their network are not: it holds from their next start", async () => {
        const interfaces = spec.interfaces.map((nic) => ({ ...nic, mtuBytes: 1400 }));
        expect(await observe({ ...spec, interfaces })).toMatchObject({ drift: [] });
      });

      test("in their host name are told it by a soft reboot, and not before", async () => {
        const renamed = renameHost(spec, "renamed");
        await waitUntilBooted();
        const was = await observe();
        const boot = await stage.bootOf(1);
        await build(renamed);
        expect(await observe(renamed)).toMatchObject({
          processId: was?.processId,
          drift: [{ field: "hostname", expected: "renamed", found: spec.hostname, label: "reboot" }],
        });
        expect([await stage.bootOf(1), await stage.hostnameOf(1)]).toEqual([boot, spec.hostname]);
        await domains.reboot(host, spec.id, "soft", signal);
        await waitUntilBooted();
        expect(await observe(renamed)).toEqual(was);
        expect(await stage.hostnameOf(1)).toBe("renamed");
        expect(await stage.bootOf(1)).not.toBe(boot);
      });

      test("in their host name are told it by their next start, too", async () => {
        await stop();
        await build();
        await waitUntilBooted();
        expect(await observe()).toMatchObject({ state: "running", drift: [] });
        expect(await stage.hostnameOf(1)).toBe(spec.hostname);
      });

      test("become so with their next start, and not before", async () => {
        const larger = { ...spec, ramMib: 176 };
        await build(larger);
        expect(await observe(larger)).toMatchObject({ drift: [{ field: "ramMib", label: "restart" }] });
        expect(await observe()).toMatchObject({ drift: [{ field: "definition.ramMib", label: "live" }] });
        await stop();
        expect(await observe()).toMatchObject({ drift: [{ field: "ramMib", label: "live" }] });
        await domains.start(host, spec.id, signal);
        expect(await observe(larger)).toMatchObject({ state: "running", drift: [] });
      });
    });

    describe("with which somebody meddled", () => {
      test.each(["retag its ports", "remove its ports"] as const)(
        "to %s are cut off, until their network is wired again",
        async (how) => {
          const { switching } = stage.compute;
          const findDrift = () => switching.observeNetwork(host, network, [], [portOf(1)], signal);
          await stage.meddle(spec.id, how);
          expect(await findDrift()).toMatchObject([{ field: `ports.${portOf(1).id}.device`, label: "live" }]);
          await expect(waitInVain("ssh")).rejects.toMatchObject({ code: "not-ready", value: "address" });
          await wire();
          expect(await findDrift()).toEqual([]);
        },
      );

      test("and are paused do not count as running", async () => {
        await stage.meddle(spec.id, "pause");
        expect(await observe()).toMatchObject({ state: "paused" });
        await expect(waitInVain("running")).rejects.toMatchObject({ code: "not-ready", value: "running" });
      });

      test("and are paused go on by a start, and by a build", async () => {
        const was = await observe();
        await domains.start(host, spec.id, signal);
        expect(await observe()).toEqual({ ...was, state: "running" });
        await stage.meddle(spec.id, "pause");
        await build({ ...spec, ramMib: 176 });
        expect(await observe()).toEqual({ ...was, state: "running" });
      });

      test("and are paused go on and boot by a soft reboot, in the same process", async () => {
        await waitUntilBooted();
        const was = await observe();
        const boot = await stage.bootOf(1);
        await stage.meddle(spec.id, "pause");
        await domains.reboot(host, spec.id, "soft", signal);
        await wait("ssh");
        expect(await observe()).toEqual(was);
        expect(await stage.bootOf(1)).not.toBe(boot);
      });

      test("and are off are seen so, and do not get ready", async () => {
        await stage.meddle(spec.id, "stop");
        expect(await observe()).toMatchObject({ state: "shut-off", processId: undefined });
        await expect(wait("ssh")).rejects.toMatchObject({ code: "not-ready", value: "running" });
      });

      test("and whose definition is forgotten run on, and are defined again by a build", async () => {
        await build();
        const was = await observe();
        await stage.meddle(spec.id, "forget its definition");
        expect(await observe()).toMatchObject({
          processId: was?.processId,
          drift: [{ field: "definition", label: "live" }],
        });
        await build();
        expect(await observe()).toEqual(was);
      });

      test("and whose definition is forgotten are gone once they are stopped, or removed", async () => {
        await stage.meddle(spec.id, "forget its definition");
        await stop();
        expect(await observe()).toBeUndefined();
        await build();
        await stage.meddle(spec.id, "forget its definition");
        await domains.remove(host, spec.id, signal);
        expect(await observe()).toBeUndefined();
      });

      test("and are undefined are absent, yet keep their host, and are built again", async () => {
        await build();
        await stage.meddle(spec.id, "undefine");
        expect(await observe()).toBeUndefined();
        const releasing = stage.compute.hosts.release(stage.requests[0], signal);
        await expect(releasing).rejects.toMatchObject({ code: "in-use" });
        await build();
        expect(await observe()).toMatchObject({ state: "running", drift: [] });
      });
    });

    describe("that cannot be built", () => {
      test("because somebody has their uuid are not ours, and nothing of them stays", async () => {
        const other = { ...stage.domainOf(5, cached), interfaces: [] };
        const code = "not-ours";
        await stage.meddle(other.id, "define a foreign domain");
        const before = await stage.survey();
        await expect(build(other)).rejects.toMatchObject({ code });
        await expect(observe(other)).rejects.toMatchObject({ code });
        await expect(domains.start(host, other.id, signal)).rejects.toMatchObject({ code });
        await expect(domains.remove(host, other.id, signal)).rejects.toMatchObject({ code });
        expect(await stage.survey()).toBe(before);
        await stage.meddle(other.id, "undefine");
      });

      test("because a file is not there are defined at most, and are removed", async () => {
        const other = { ...stage.domainOf(6, { ...cached, kernelPath: "/absent" }), interfaces: [] };
        const before = await stage.survey();
        await expect(build(other)).rejects.toMatchObject({ code: "command-failed" });
        expect(await observe(other)).toMatchObject({ state: "shut-off" });
        await domains.remove(host, other.id, signal);
        expect(await stage.survey()).toBe(before);
      });
    });

    describe("on a disk image", () => {
      let other: DomainSpec;
      const imageId = deriveId<"resource">("disk image");

      beforeAll(async () => {
        const { images } = stage.compute;
        const facts = await images.inspectDisk(stage.disk, { format: undefined, field: "disk" }, signal);
        const disk = { source: stage.disk, facts };
        const image = { id: imageId, name: "disk", disk, kernel: undefined, initrd: undefined };
        const paths = await images.ensureCached(host, image, silent, signal);
        const { image: options, ...rest } = stage.domainOf(7, paths);
        other = { ...rest, interfaces: [], diskGib: 2, image: { ...options, diskFormat: "qcow2" } };
      });

      test("that is larger than their disk are refused by the flavor's field", async () => {
        await expect(build({ ...other, diskGib: 1 })).rejects.toMatchObject({
          code: "invalid-input",
          field: "flavor.diskGib",
        });
        expect(await observe(other)).toBeUndefined();
        await domains.remove(host, other.id, signal);
      });

      test("are as large as they are to be", async () => {
        await domains.spawn(host, other, false, signal);
        expect(await observe(other)).toMatchObject({ state: "shut-off", diskBytes: gib(2), drift: [] });
      });

      test("keep it on their host as long as they are there", async () => {
        const removing = stage.compute.images.removeCached(host, imageId, signal);
        await expect(removing).rejects.toMatchObject({ code: "in-use" });
      });

      test("which grows are not shrunk, and have no drift once that is noted", async () => {
        await stage.meddle(other.id, "grow the disk");
        expect(await observe(other)).toMatchObject({
          diskBytes: gib(3),
          drift: [{ field: "diskBytes", expected: String(gib(2)), found: String(gib(3)), label: "live" }],
        });
        await domains.spawn(host, other, false, signal);
        expect(await observe({ ...other, diskBytes: gib(3) })).toMatchObject({
          diskBytes: gib(3),
          drift: [],
        });
      });

      test("which is smaller than was noted grow to that", async () => {
        const noted = { ...other, diskBytes: gib(4) };
        expect(await observe(noted)).toMatchObject({ drift: [{ field: "diskBytes", label: "live" }] });
        await domains.spawn(host, noted, false, signal);
        expect(await observe(noted)).toMatchObject({ diskBytes: gib(4), drift: [] });
      });

      test("which is lost get another of the size that was noted", async () => {
        const noted = { ...other, diskBytes: gib(4) };
        await stage.meddle(other.id, "remove the disk");
        expect(await observe(noted)).toMatchObject({ drift: [{ field: "disk", label: "data-loss" }] });
        await domains.spawn(host, noted, false, signal);
        expect(await observe(noted)).toMatchObject({ diskBytes: gib(4), drift: [] });
      });

      test("which is replaced keep it, and it is told", async () => {
        const noted = { ...other, diskBytes: gib(4) };
        await stage.meddle(other.id, "replace the disk");
        await domains.spawn(host, noted, false, signal);
        const drift = (await observe(noted))?.drift;
        expect(drift?.map(({ field, label }) => [field, label])).toEqual([["disk", undefined]]);
      });

      test("let go of it when they are removed", async () => {
        await domains.remove(host, other.id, signal);
        await stage.compute.images.removeCached(host, imageId, signal);
        expect(await observe(other)).toBeUndefined();
      });
    });

    test("are removed with all that they had, and removed again", async () => {
      const { images, switching, leftovers } = stage.compute;
      await domains.remove(host, spec.id, signal);
      await domains.remove(host, spec.id, signal);
      expect(await observe()).toBeUndefined();
      expect(await domains.readConsole(host, spec.id, 10, signal)).toBe("");
      await switching.releaseNetwork(host, network, [], [portOf(1).id], signal);
      await images.removeCached(host, stage.image.id, signal);
      expect(await leftovers.list(host, signal)).toEqual([]);
    });
  });
}
