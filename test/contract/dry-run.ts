import { beforeAll, describe, expect, test } from "vitest";
import type { DryRun } from "../../providers/core/dry-run.ts";
import type { ComputeHost } from "../../providers/core/ports.ts";
import { network, portOf, readinessOf } from "../support/compute-specimens.ts";
import type { ComputeStage } from "./compute-ports.ts";

const { signal } = new AbortController();
const silent = (): void => undefined;

/** Begins and ends with hosts that are enrolled and have nothing else. */
export function describeDryRun(onStage: () => ComputeStage): void {
  describe("a dry run", () => {
    let stage: ComputeStage;
    let host: ComputeHost;
    let run: DryRun;

    beforeAll(async () => {
      stage = onStage();
      [host] = stage.hosts;
      run = await stage.compute.dryRun();
    });

    test("notes what a build would do, and does none of it", async () => {
      const before = await stage.survey();
      const { images, switching, domains } = run.ports;
      const cached = await images.ensureCached(host, stage.image, silent, signal);
      await switching.ensureNetwork(host, network, [stage.hosts[1]], [portOf(1)], signal);
      const spec = stage.domainOf(1, cached);
      await domains.spawn(host, spec, true, signal);
      await domains.waitReady(host, spec.id, readinessOf(1, "ssh"), silent, signal);
      expect(run.commands.map((command) => command.host)).toContain(host.name);
      expect(run.domains).toEqual([
        { host: host.name, id: spec.id, xml: expect.stringContaining(spec.id) as unknown },
      ]);
      expect(await stage.survey()).toBe(before);
    });

    test("looks at what is there", async () => {
      const { images, domains } = stage.compute;
      const cached = await images.ensureCached(host, stage.image, silent, signal);
      const spec = { ...stage.domainOf(1, cached), interfaces: [] };
      await domains.spawn(host, spec, false, signal);
      const { ports, commands } = await stage.compute.dryRun();
      expect(await ports.images.ensureCached(host, stage.image, silent, signal)).toEqual(cached);
      expect(await ports.domains.observe(host, spec, signal)).toEqual(
        await domains.observe(host, spec, signal),
      );
      expect(commands).toEqual([]);
      await domains.remove(host, spec.id, signal);
      await images.removeCached(host, stage.image.id, signal);
    });

    test("reads no image: that may mean to download it", async () => {
      const { images } = run.ports;
      const reading = images.inspectDisk(stage.disk, { format: undefined, field: "disk" }, signal);
      await expect(reading).rejects.toMatchObject({ code: "wrong-state" });
    });
  });
}
