import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ComputeHost, DomainSpec, DomainsPort } from "../../providers/core/ports.ts";
import { network, portOf, readinessOf } from "../support/compute-specimens.ts";
import type { ComputeStage } from "./compute-ports.ts";

const { signal } = new AbortController();
const silent = (): void => undefined;
/** For what goes well, on a busy machine. */
const longMs = 120_000;

/** Begins and ends with hosts that are enrolled and have nothing else. */
export function describeMigrationPort(onStage: () => ComputeStage): void {
  describe("moves of guests", () => {
    let stage: ComputeStage;
    let domains: DomainsPort;
    let here: ComputeHost;
    let there: ComputeHost;
    /** Boots a kernel, and has no disk that could not move. */
    let spec: DomainSpec;

    const wire = (host: ComputeHost, peer: ComputeHost): Promise<void> =>
      stage.compute.switching.ensureNetwork(host, network, [peer], [portOf(1)], signal);
    const migrate = (from = here, to = there, by: AbortSignal = signal): Promise<void> =>
      domains.migrate(from, to, spec.id, longMs, silent, by);
    const waitUntilBooted = (host: ComputeHost): Promise<void> =>
      domains.waitReady(host, spec.id, readinessOf(1, "cloud-init"), silent, signal);

    beforeAll(async () => {
      stage = onStage();
      domains = stage.compute.domains;
      [here, there] = stage.hosts;
      const [cached] = await Promise.all(
        stage.hosts.map((host) => stage.compute.images.ensureCached(host, stage.image, silent, signal)),
      );
      if (cached === undefined) throw new Error("there are no hosts");
      spec = { ...stage.domainOf(1, { ...cached, diskPath: undefined }), diskGib: 0 };
      await wire(here, there);
      await wire(there, here);
      await domains.spawn(here, spec, true, signal);
      await waitUntilBooted(here);
    });

    afterAll(async () => {
      for (const host of [here, there]) await domains.remove(host, spec.id, signal);
      await stage.compute.switching.releaseNetwork(here, network, [there], [portOf(1).id], signal);
      await stage.compute.switching.releaseNetwork(there, network, [here], [portOf(1).id], signal);
      for (const host of [here, there]) await stage.compute.images.removeCached(host, stage.image.id, signal);
      for (const host of [here, there]) expect(await stage.compute.leftovers.list(host, signal)).toEqual([]);
    });

    test("of what is not there are refused, and there is nothing to end", async () => {
      const code = "not-found";
      await expect(domains.copyFiles(there, here, spec.id, signal)).rejects.toMatchObject({ code });
      await expect(migrate(there, here)).rejects.toMatchObject({ code });
      await domains.abortMigration(there, spec.id, signal);
      await domains.abortMigration(here, spec.id, signal);
    });

    test("to where a domain of the server is are refused", async () => {
      await expect(domains.copyFiles(here, here, spec.id, signal)).rejects.toMatchObject({
        code: "conflict",
        field: "host",
      });
    });

    test("that are given up leave the guest where it was", async () => {
      await domains.copyFiles(here, there, spec.id, signal);
      await expect(migrate(here, there, AbortSignal.abort())).rejects.toMatchObject({ code: "interrupted" });
      expect(await domains.observe(here, spec, signal)).toMatchObject({ state: "running", drift: [] });
      expect(await domains.observe(there, spec, signal)).toBeUndefined();
    });

    test("to a host that does not answer leave it there too", async () => {
      await expect(migrate(here, stage.gone)).rejects.toMatchObject({ code: "host-unreachable" });
      expect(await domains.observe(here, spec, signal)).toMatchObject({ state: "running", drift: [] });
    });

    test("take the guest along as it is, with its definition and its console", async () => {
      const boot = await stage.bootOf(1);
      const console = await domains.readConsole(here, spec.id, 10_000, signal);
      await domains.copyFiles(here, there, spec.id, signal);
      await domains.copyFiles(here, there, spec.id, signal);
      const lines: string[] = [];
      await domains.migrate(here, there, spec.id, longMs, (line) => lines.push(line), signal);
      expect(await domains.observe(here, spec, signal)).toBeUndefined();
      expect(await domains.observe(there, spec, signal)).toMatchObject({ state: "running", drift: [] });
      expect(await domains.readConsole(there, spec.id, 10_000, signal)).toContain(console.trimEnd());
      await waitUntilBooted(there);
      await domains.remove(here, spec.id, signal);
      expect(await stage.bootOf(1, there)).toBe(boot);
    });

    test("can be made back, and the guest can be stopped and started", async () => {
      const boot = await stage.bootOf(1, there);
      await domains.copyFiles(there, here, spec.id, signal);
      await migrate(there, here);
      expect(await stage.bootOf(1)).toBe(boot);
      await domains.stop(here, spec.id, 0, signal);
      expect(await domains.observe(here, spec, signal)).toMatchObject({ state: "shut-off", drift: [] });
      await domains.start(here, spec.id, signal);
      await waitUntilBooted(here);
      expect(await stage.bootOf(1)).not.toBe(boot);
    });
  });
}
