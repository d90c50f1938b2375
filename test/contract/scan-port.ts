import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deriveId } from "../../providers/core/ids.ts";
import type { ComputeHost, DomainSpec, HostQuestions } from "../../providers/core/ports.ts";
import { network, portOf } from "../support/compute-specimens.ts";
import type { ComputeStage } from "./compute-ports.ts";

const { signal } = new AbortController();
const silent = (): void => undefined;
const nothing: HostQuestions = {
  enrolments: [],
  domains: [],
  networks: [],
  images: [],
  cephClients: [],
  volumes: [],
};

/** Begins and ends with hosts that are enrolled and have nothing else. */
export function describeScanPort(onStage: () => ComputeStage): void {
  describe("a scan", () => {
    let stage: ComputeStage;
    let host: ComputeHost;
    let peer: ComputeHost;
    let here: DomainSpec;
    let absent: DomainSpec;
    let foreign: DomainSpec;

    beforeAll(async () => {
      stage = onStage();
      [host, peer] = stage.hosts;
      const { images, switching, domains } = stage.compute;
      const cached = await images.ensureCached(host, stage.image, silent, signal);
      [here, absent, foreign] = [
        stage.domainOf(1, cached),
        stage.domainOf(4, cached),
        stage.domainOf(5, cached),
      ];
      await switching.ensureNetwork(host, network, [peer], [portOf(1)], signal);
      await domains.spawn(host, here, false, signal);
      await stage.meddle(foreign.id, "define a foreign domain");
    });

    afterAll(async () => {
      const { images, switching, domains } = stage.compute;
      await stage.meddle(foreign.id, "undefine");
      await domains.remove(host, here.id, signal);
      await switching.releaseNetwork(host, network, [peer], [portOf(1).id], signal);
      await images.removeCached(host, stage.image.id, signal);
    });

    test("answers of enrolments as each alone would be, the errors too", async () => {
      const [request] = stage.requests;
      const other = { ...request, cloudId: deriveId<"cloud">("another") };
      const enrolments = [request, other];
      const answers = await stage.compute.scan.ask(host.address, { ...nothing, enrolments }, signal);
      expect(answers.enrolments).toMatchObject([
        { value: await stage.compute.hosts.observe(request, signal) },
        { error: { code: "foreign-cloud" } },
      ]);
    });

    test("answers of domains, those that are not there or not ours too", async () => {
      const specs = [{ ...here, ramMib: 176 }, absent, foreign];
      const questions = { ...nothing, domains: specs.map((spec) => ({ host, spec })) };
      const answers = await stage.compute.scan.ask(host.address, questions, signal);
      expect(answers.domains).toMatchObject([
        { value: await stage.compute.domains.observe(host, { ...here, ramMib: 176 }, signal) },
        { value: undefined },
        { error: { code: "not-ours" } },
      ]);
    });

    test("answers of networks and images", async () => {
      const { switching, images, scan } = stage.compute;
      const ports = [portOf(1), portOf(3)];
      const lost = { ...stage.image, id: deriveId<"resource">("lost image") };
      const answers = await scan.ask(
        host.address,
        {
          ...nothing,
          networks: [{ host, network, peers: [peer], ports }],
          images: [stage.image, lost].map((image) => ({ host, image, deep: true })),
        },
        signal,
      );
      expect(answers).toMatchObject({
        networks: [{ value: await switching.observeNetwork(host, network, [peer], ports, signal) }],
        images: [{ value: [] }, { value: await images.observeCached(host, lost, signal) }],
      });
    });

    test("sees what is altered by the bytes, when it is to look deep", async () => {
      const { images, scan } = stage.compute;
      await stage.meddle(stage.image.id, "alter its files");
      const questions = { ...nothing, images: [{ host, image: stage.image, deep: true }] };
      const answers = await scan.ask(host.address, questions, signal);
      expect(answers.images).not.toEqual([{ value: [] }]);
      await images.ensureCached(host, stage.image, silent, signal);
      expect((await scan.ask(host.address, questions, signal)).images).toEqual([{ value: [] }]);
    });

    test("of a host that does not answer is an error", async () => {
      const asking = stage.compute.scan.ask(stage.gone.address, nothing, signal);
      await expect(asking).rejects.toMatchObject({ code: "host-unreachable" });
    });
  });
}
