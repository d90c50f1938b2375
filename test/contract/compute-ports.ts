import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deriveId } from "../../providers/core/ids.ts";
import type {
  CachedImage,
  ComputeHost,
  DomainSpec,
  EnrolRequest,
  ImageSpec,
  NetworkSpec,
  PortSpec,
} from "../../providers/core/ports.ts";
import type { ComputePorts } from "../../providers/wiring.ts";

/** Two machines that are not enrolled, an image that they can fetch, and compute to drive them. */
export interface ComputeStage {
  readonly compute: Omit<ComputePorts, "close">;
  readonly requests: readonly [EnrolRequest, EnrolRequest];
  readonly hosts: readonly [ComputeHost, ComputeHost];
  readonly image: ImageSpec;
  /** The n-th server with the n-th port, on an image that is cached. */
  readonly domainOf: (n: number, image: CachedImage) => DomainSpec;
  readonly network: NetworkSpec;
  readonly portOf: (n: number) => PortSpec;
  /** Puts a domain of somebody else in the n-th server's place on the first host. */
  addForeignDomain(n: number): Promise<void>;
  removeForeignDomain(n: number): Promise<void>;
  close(): Promise<void>;
}

const { signal } = new AbortController();
const silent = (): void => undefined;
const graceMs = 1_000;

/** What every implementation of the ports to the hosts does. Its tests follow each other. */
export function describeComputePorts(name: string, open: () => Promise<ComputeStage>): void {
  describe(name, () => {
    let stage: ComputeStage;
    let cached: CachedImage;

    beforeAll(async () => {
      stage = await open();
    });

    afterAll(async () => {
      await stage.close();
    });

    test("a host is enrolled, again without a change, and has no drift then", async () => {
      const { compute, requests } = stage;
      const first = await compute.hosts.enrol(requests[0], signal);
      expect(await compute.hosts.enrol(requests[0], signal)).toEqual(first);
      await compute.hosts.enrol(requests[1], signal);
      expect(await compute.hosts.observe(requests[0], signal)).toEqual({ inventory: first, drift: [] });
    });

    test("a host that is enrolled is refused to another cloud, and under another id", async () => {
      const { compute, requests } = stage;
      const [request] = requests;
      const foreign = { ...request, cloudId: deriveId<"cloud">("another") };
      const twin = { ...request, id: deriveId<"host">("another") };
      await expect(compute.hosts.enrol(foreign, signal)).rejects.toMatchObject({ code: "foreign-cloud" });
      await expect(compute.hosts.observe(foreign, signal)).rejects.toMatchObject({ code: "foreign-cloud" });
      await expect(compute.hosts.enrol(twin, signal)).rejects.toMatchObject({ code: "conflict" });
    });

    test("an image is in the cache of both hosts, under the same paths however often it is asked for", async () => {
      const { compute, hosts, image } = stage;
      const ensure = (host: ComputeHost) => compute.images.ensureCached(host, image, silent, signal);
      const [first, second] = await Promise.all([ensure(hosts[0]), ensure(hosts[0])]);
      await ensure(hosts[1]);
      expect(second).toEqual(first);
      cached = first;
    });

    test("a network without ports is wired nowhere, and then says what is missing", async () => {
      const { compute, hosts, network, portOf } = stage;
      const drift = await compute.switching.observeNetwork(
        hosts[0],
        network,
        [hosts[1]],
        [portOf(1)],
        signal,
      );
      expect(drift.map(({ found }) => found)).toContain("missing");
    });

    test("a network is wired for its ports, and again without a change", async () => {
      const { compute, hosts, network, portOf } = stage;
      const ensure = () =>
        compute.switching.ensureNetwork(hosts[0], network, [hosts[1]], [portOf(1)], signal);
      await ensure();
      await ensure();
      await compute.switching.ensureNetwork(hosts[1], network, [hosts[0]], [portOf(2)], signal);
      const observe = compute.switching.observeNetwork(hosts[0], network, [hosts[1]], [portOf(1)], signal);
      expect(await observe).toEqual([]);
    });

    test("a domain is absent until it is built", async () => {
      const { compute, hosts, domainOf } = stage;
      expect(await compute.domains.observe(hosts[0], domainOf(1, cached), signal)).toBeUndefined();
      await expect(compute.domains.start(hosts[0], domainOf(1, cached).id, signal)).rejects.toMatchObject({
        code: "not-found",
      });
    });

    test("a domain that is built runs, and is left alone by a second build", async () => {
      const { compute, hosts, domainOf } = stage;
      const spec = domainOf(1, cached);
      await compute.domains.spawn(hosts[0], spec, true, signal);
      const found = await compute.domains.observe(hosts[0], spec, signal);
      expect(found).toMatchObject({ state: "running", drift: [] });
      await compute.domains.spawn(hosts[0], spec, true, signal);
      expect(await compute.domains.observe(hosts[0], spec, signal)).toEqual(found);
    });

    test("a domain stops, and starts as another process", async () => {
      const { compute, hosts, domainOf } = stage;
      const spec = domainOf(1, cached);
      const before = await compute.domains.observe(hosts[0], spec, signal);
      await compute.domains.stop(hosts[0], spec.id, graceMs, signal);
      expect(await compute.domains.observe(hosts[0], spec, signal)).toMatchObject({ state: "shut-off" });
      await compute.domains.start(hosts[0], spec.id, signal);
      const after = await compute.domains.observe(hosts[0], spec, signal);
      expect(after).toMatchObject({ state: "running", drift: [] });
      expect(after?.processId).not.toBe(before?.processId);
    });

    test("a domain that is to have more memory drifts until its next start", async () => {
      const { compute, hosts, domainOf } = stage;
      const spec = { ...domainOf(1, cached), ramMib: domainOf(1, cached).ramMib + 16 };
      expect(await compute.domains.observe(hosts[0], spec, signal)).toMatchObject({
        drift: [{ field: "ramMib", expected: String(spec.ramMib) }],
      });
      await compute.domains.stop(hosts[0], spec.id, graceMs, signal);
      await compute.domains.spawn(hosts[0], spec, true, signal);
      expect(await compute.domains.observe(hosts[0], spec, signal)).toMatchObject({ drift: [] });
    });

    test("a domain without an interface that it is to have drifts until its next start", async () => {
      const { compute, hosts, domainOf } = stage;
      const spec = domainOf(1, cached);
      const more = {
        ...spec,
        ramMib: spec.ramMib + 16,
        interfaces: [...spec.interfaces, ...domainOf(2, cached).interfaces],
      };
      expect(await compute.domains.observe(hosts[0], more, signal)).toMatchObject({
        drift: [{ field: "interfaces", label: "restart" }],
      });
    });

    test("a disk that is smaller than it is to be drifts until it is grown, a larger one until that is noted", async () => {
      const { compute, hosts, domainOf } = stage;
      const spec = { ...domainOf(1, cached), ramMib: domainOf(1, cached).ramMib + 16 };
      const found = await compute.domains.observe(hosts[0], spec, signal);
      const diskBytes = found?.diskBytes ?? 0;
      const larger = { ...spec, diskBytes: diskBytes * 2 };
      expect(await compute.domains.observe(hosts[0], larger, signal)).toMatchObject({
        drift: [
          { field: "diskBytes", expected: String(diskBytes * 2), found: String(diskBytes), label: "restart" },
        ],
      });
      const smaller = { ...spec, diskGib: 0, diskBytes: diskBytes / 2 };
      expect(await compute.domains.observe(hosts[0], smaller, signal)).toMatchObject({
        drift: [{ field: "diskBytes", found: String(diskBytes), label: "live" }],
      });
    });

    test("a disk on another base than it is to be is told, and left alone", async () => {
      const { compute, hosts, domainOf } = stage;
      const spec = { ...domainOf(1, cached), ramMib: domainOf(1, cached).ramMib + 16 };
      const other = { ...spec, image: { ...spec.image, diskPath: "/elsewhere" } };
      const found = await compute.domains.observe(hosts[0], other, signal);
      expect(found?.drift).toEqual([expect.objectContaining({ field: "disk" })]);
      expect(found?.drift[0]).not.toHaveProperty("label");
    });

    test("an image in the cache is as it was brought; another of its name would not be", async () => {
      const { compute, hosts, image } = stage;
      expect(await compute.images.observeCached(hosts[0], image, signal)).toEqual([]);
      const longer = (file: typeof image.kernel) =>
        file === undefined ? undefined : { ...file, sizeBytes: file.sizeBytes + 1 };
      const drift = await compute.images.observeCached(
        hosts[0],
        { ...image, kernel: longer(image.kernel) },
        signal,
      );
      expect(drift).toMatchObject([{ field: "cache.kernel", label: "live" }]);
    });

    test("an image that is in no cache is missing there", async () => {
      const { compute, hosts, image } = stage;
      const absent = {
        ...image,
        id: deriveId<"resource">("absent image"),
        disk: undefined,
        initrd: undefined,
      };
      expect(await compute.images.observeCached(hosts[0], absent, signal)).toMatchObject([
        { field: "cache.kernel", found: "missing" },
      ]);
    });

    test("what is asked of a host in one go is answered as it is alone, the errors too", async () => {
      const { compute, hosts, requests, network, portOf, domainOf, image } = stage;
      const [host] = hosts;
      const [request] = requests;
      const foreign = { ...request, cloudId: deriveId<"cloud">("another") };
      const specs = [domainOf(1, cached), domainOf(4, cached)];
      const answers = await compute.scan.ask(
        host.address,
        {
          enrolments: [request, foreign],
          domains: specs.map((spec) => ({ host, spec })),
          networks: [{ host, network, peers: [hosts[1]], ports: [portOf(1), portOf(3)] }],
          images: [{ host, image, deep: true }],
        },
        signal,
      );
      expect(answers.enrolments).toMatchObject([
        { value: await compute.hosts.observe(request, signal) },
        { error: { code: "foreign-cloud" } },
      ]);
      expect(answers.domains).toEqual([
        { value: await compute.domains.observe(host, domainOf(1, cached), signal) },
        { value: undefined },
      ]);
      const alone = compute.switching.observeNetwork(
        host,
        network,
        [hosts[1]],
        [portOf(1), portOf(3)],
        signal,
      );
      expect(answers.networks).toEqual([{ value: await alone }]);
      expect(answers.images).toEqual([{ value: [] }]);
    });

    test("a domain of somebody else is neither built over nor removed", async () => {
      const { compute, hosts, domainOf } = stage;
      const spec = { ...domainOf(5, cached), interfaces: [] };
      await stage.addForeignDomain(5);
      await expect(compute.domains.spawn(hosts[0], spec, true, signal)).rejects.toMatchObject({
        code: "not-ours",
      });
      await expect(compute.domains.remove(hosts[0], spec.id, signal)).rejects.toMatchObject({
        code: "not-ours",
      });
      await expect(compute.domains.observe(hosts[0], spec, signal)).rejects.toMatchObject({
        code: "not-ours",
      });
      await stage.removeForeignDomain(5);
    });

    test("a domain on files that are not there cannot start", async () => {
      const { compute, hosts, domainOf } = stage;
      const spec = { ...domainOf(6, { ...cached, kernelPath: "/absent" }), interfaces: [] };
      await expect(compute.domains.spawn(hosts[0], spec, true, signal)).rejects.toMatchObject({
        code: "command-failed",
      });
      await compute.domains.remove(hosts[0], spec.id, signal);
    });

    test("what carries the cloud's mark is listed, with whom it is for", async () => {
      const { compute, hosts, network, portOf, domainOf, image } = stage;
      const things = await compute.leftovers.list(hosts[0], signal);
      expect(things.map(({ kind, ownerIds }) => [kind, ...ownerIds].join(" ")).toSorted()).toEqual(
        [
          `server ${domainOf(1, cached).id}`,
          `image ${image.id}`,
          `network ${network.id}`,
          `port ${network.id} ${portOf(1).id}`,
          `tunnel ${network.id} ${hosts[1].id}`,
        ].toSorted(),
      );
    });

    test("a host with a server is not released", async () => {
      const { compute, requests } = stage;
      await expect(compute.hosts.release(requests[0], signal)).rejects.toMatchObject({ code: "in-use" });
    });

    test("a domain is removed, and removed again", async () => {
      const { compute, hosts, domainOf } = stage;
      const spec = domainOf(1, cached);
      await compute.domains.remove(hosts[0], spec.id, signal);
      await compute.domains.remove(hosts[0], spec.id, signal);
      expect(await compute.domains.observe(hosts[0], spec, signal)).toBeUndefined();
    });

    test("a network goes with its last port, and with it the tunnels to the host", async () => {
      const { compute, hosts, network, portOf } = stage;
      const release = () =>
        compute.switching.releaseNetwork(hosts[0], network, [hosts[1]], [portOf(1).id], signal);
      await release();
      await release();
      const kinds = async (host: ComputeHost) =>
        (await compute.leftovers.list(host, signal)).map(({ kind }) => kind).toSorted();
      expect(await kinds(hosts[0])).toEqual(["image"]);
      expect(await kinds(hosts[1])).toEqual(["image", "network", "port"]);
      await compute.switching.releaseNetwork(hosts[1], network, [], [portOf(2).id], signal);
    });

    test("an image is removed, and hosts are given back, each twice", async () => {
      const { compute, hosts, requests, image } = stage;
      await compute.images.removeCached(hosts[0], image.id, signal);
      await compute.images.removeCached(hosts[0], image.id, signal);
      expect(await compute.leftovers.list(hosts[0], signal)).toEqual([]);
      for (const request of [...requests, ...requests]) await compute.hosts.release(request, signal);
    });

    test("a host that was given back may be another cloud's", async () => {
      const { compute, requests } = stage;
      const other = { ...requests[0], cloudId: deriveId<"cloud">("another") };
      await compute.hosts.enrol(other, signal);
      await compute.hosts.release(other, signal);
    });
  });
}
