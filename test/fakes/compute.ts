import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { describeRbdImage } from "../../providers/compute/leftovers.ts";
import { answerWith } from "../../providers/core/answer.ts";
import { hasCode, StackyardError } from "../../providers/core/errors.ts";
import type { DryRun } from "../../providers/core/dry-run.ts";
import type {
  CachedImage,
  ComputeHost,
  DomainsPort,
  HostInventory,
  HostsPort,
  ImageFacts,
  ImagesPort,
  LeftoversPort,
  ScanPort,
  SwitchingPort,
} from "../../providers/core/ports.ts";
import type { ComputePorts } from "../../providers/wiring.ts";
import {
  attachVolume,
  buildDomain,
  copyFiles,
  detachVolume,
  migrateDomain,
  observeDomain,
  rebootDomain,
  removeDomain,
  requireDomain,
  requireReady,
  resizeVolume,
  startDomain,
  stopDomain,
} from "./domain.ts";
import { observeClient } from "./ceph-client.ts";
import { findCeph, openFakeCeph, type FakeCeph } from "./ceph.ts";
import { openFakeDryRun } from "./dry-run.ts";
import { Faults, type ComputeMethod } from "./fault.ts";
import { giveBack, lookAtForeign, takeOver } from "./foreign.ts";
import { makeHost, type FakeDomain, type FakeForeign, type FakeHost } from "./host.ts";
import { compareImage, fetchImage, findSource, removeImage, requireChecksum } from "./image.ts";
import {
  enrolHost,
  listBareFolders,
  listMarked,
  observeHost,
  removeMarked,
  requireEnrolled,
  requireUnused,
} from "./mark.ts";
import { meddleWith, type Meddling } from "./meddling.ts";
import { isImported, listImages, openRbdShelf } from "./rbd.ts";
import { compareNetwork, releasePorts, wireNetwork } from "./network.ts";
import { observeFakeVolume, openFakeVolumes } from "./volume.ts";

const asked = { value: undefined };

/** The fake's hosts by address, as plain data. */
interface FakeState {
  readonly hosts: Record<string, FakeHost>;
  /** By fsid. */
  readonly cephs: Record<string, FakeCeph>;
}

/**
 * Compute over hosts that are plain data. It is strict: a call that the real hosts could not carry out, or that speaks of something that is not
 * there, fails; what was not foreseen fails with an error that is none of ours, which the cloud shows as `internal`. With a file, what the hosts
 * hold outlives the process, as it does in the real world.
 */
export class FakeCompute extends Faults implements ComputePorts {
  /** Addresses of hosts that cannot be reached. */
  readonly unreachable = new Set<string>();
  readonly #file: string | undefined;
  readonly #state: FakeState;
  readonly #fetching = new Map<string, Promise<CachedImage>>();

  constructor(file?: string) {
    super();
    this.#file = file;
    this.#state =
      file !== undefined && existsSync(file)
        ? (JSON.parse(readFileSync(file, "utf8")) as FakeState)
        : { hosts: {}, cephs: {} };
  }

  /** Puts a machine there that is not enrolled yet. */
  addMachine(address: string, offers: Partial<HostInventory> = {}): void {
    this.#state.hosts[address] = makeHost(offers);
    this.#save();
  }

  /** Puts a Ceph cluster there whose user `admin` has this key. */
  addCeph({ fsid, monitors, key }: Pick<FakeCeph, "fsid" | "monitors"> & { readonly key: string }): void {
    this.#state.cephs[fsid] = {
      fsid,
      monitors,
      admins: { admin: key, operator: key },
      pools: {},
      users: {},
      isDown: false,
      mayDelete: true,
      keysMade: 0,
    };
    this.#save();
  }

  /** Does something to a Ceph cluster, or reads from it, behind the cloud's back. */
  withCeph<T>(fsid: string, work: (ceph: FakeCeph) => T): T {
    const ceph = this.#state.cephs[fsid];
    if (ceph === undefined) throw new Error(`there is no Ceph cluster ${fsid}`);
    return this.#work(() => work(ceph));
  }

  /** Does something on a host, or reads from it, behind the cloud's back. */
  withMachine<T>(address: string, work: (machine: FakeHost) => T): T {
    return this.#work(() => work(this.#machine(address)));
  }

  /**
   * All that is on the hosts of servers, volumes and networks, by host, and in Ceph clusters of disks and volumes, by cluster; what enrolment and
   * caches of images left is not of it.
   */
  survey(): Readonly<Record<string, readonly string[]>> {
    return Object.fromEntries<readonly string[]>([
      ...Object.entries(this.#state.hosts).map(([address, host]): [string, readonly string[]] => [
        address,
        [
          ...Object.entries(host.domains).map(([id, domain]) => `server ${id} ${domain.state}`),
          ...Object.values(host.foreign).map((domain) => `foreign ${JSON.stringify(domain)}`),
          ...Object.entries(host.files).map(([path, file]) => `file ${path} ${JSON.stringify(file)}`),
          ...listBareFolders(host).map((id) => `disks ${id}`),
          ...Object.keys(host.tunnels).map((tunnel) => `tunnel ${tunnel}`),
          ...Object.keys(host.cephClients).map((id) => `ceph client ${id}`),
          ...Object.keys(host.volumeSecrets).map((id) => `secret of volume ${id}`),
          ...Object.entries(host.volumes).map(([id, folder]) => `volume ${id} ${JSON.stringify(folder)}`),
          ...Object.entries(host.networks).flatMap(([id, network]) => [
            `network ${id}`,
            ...Object.keys(network.entries).map((port) => `port ${port}`),
          ]),
        ].toSorted(),
      ]),
      ...Object.values(this.#state.cephs).map((ceph): [string, readonly string[]] => [
        `ceph ${ceph.fsid}`,
        listImages(ceph)
          .filter(({ name, image }) => !isImported(image, name))
          .map(({ path, image }) => `image ${path} ${JSON.stringify(image)}`)
          .toSorted(),
      ]),
    ]);
  }

  /** Everything on all hosts, to be compared as text. */
  dump(): string {
    return JSON.stringify(this.#state);
  }

  /** Defines a domain that is shut off, with one disk that holds something, as somebody else would. */
  defineForeign(address: string, domain: FakeForeign, content: string): void {
    const machine = this.#machine(address);
    machine.foreign[domain.id] = domain;
    for (const { source, file } of domain.disks)
      machine.files[source] = { sizeBytes: file?.sizeBytes ?? 0, content };
    this.#save();
  }

  /** What is written on the disk of a server, or in a file of somebody else's. */
  contentOf(address: string, idOrPath: string): string | undefined {
    const machine = this.#machine(address);
    return (machine.folders[idOrPath]?.disk ?? machine.files[idOrPath])?.content;
  }

  /** Does something on a host behind the cloud's back. What it is done to must be there. */
  meddle(address: string, id: string, how: Meddling): void {
    meddleWith(this.#machine(address), id, how);
    this.#save();
  }

  /** Number of the process that runs a server, wherever it is; `undefined` when none does. */
  processOf(serverId: string): number | undefined {
    return this.#domainOf(serverId)?.processId;
  }

  /** How often a server's guest has booted, wherever it is; `undefined` for what has none. */
  bootsOf(serverId: string): number | undefined {
    return this.#domainOf(serverId)?.boots;
  }

  /** Host name that a server's guest took when it booted last. */
  hostnameOf(serverId: string): string | undefined {
    return this.#domainOf(serverId)?.hostname;
  }

  readonly hosts: HostsPort = {
    enrol: (request, progress, signal) =>
      this.#carryOut("hosts.enrol", request.address.address, signal, (host) =>
        enrolHost(host, request, progress),
      ),
    observe: (request, signal) =>
      this.#carryOut("hosts.observe", request.address.address, signal, (host) => observeHost(host, request)),
    release: (request, signal) =>
      this.#carryOut("hosts.release", request.address.address, signal, (host) => {
        if (host.enrolment?.cloudId !== request.cloudId || host.enrolment.hostId !== request.id) return;
        requireUnused(host, request);
        host.enrolment = undefined;
        for (const held of [host.images, host.networks, host.tunnels]) empty(held);
      }),
  };

  readonly images: ImagesPort = {
    inspectDisk: (source, declared, signal) =>
      this.#inspect("images.inspectDisk", source.location, declared.field, signal, (facts) => {
        if (declared.format !== undefined && declared.format !== facts.format)
          throw new StackyardError("image-format", {
            message: `${source.location} is ${facts.format}, not ${declared.format}`,
            field: declared.field,
            value: source.location,
          });
        requireChecksum(source.checksum, facts, source.location, declared.field);
        return facts;
      }),
    inspectFile: (source, field, signal) =>
      this.#inspect("images.inspectFile", source.location, field, signal, (facts) => {
        requireChecksum(source.checksum, facts, source.location, field);
        return { checksum: facts.checksum, sizeBytes: facts.sizeBytes };
      }),
    ensureCached: async (host, image, _progress, signal) => {
      const parts = [image.disk, image.kernel, image.initrd].map((part) => part !== undefined);
      const key = `${host.id} ${image.id} ${parts.join(" ")}`;
      for (;;) {
        const known = this.#fetching.get(key);
        if (known === undefined) break;
        // Whoever started the fetch may give it up; then it is ours to start.
        const cached = await known.catch((error: unknown) => {
          if (!hasCode(error, "interrupted") || signal.aborted) throw error;
          return undefined;
        });
        if (cached !== undefined) return cached;
      }
      const work = this.#carryOut("images.ensureCached", host.address.address, signal, (machine) => {
        requireEnrolled(host, machine);
        return fetchImage(machine, host, image);
      }).finally(() => this.#fetching.delete(key));
      this.#fetching.set(key, work);
      return work;
    },
    observeCached: (host, image, signal) =>
      this.#carryOut("images.observeCached", host.address.address, signal, (machine) =>
        compareImage(machine, { host, image, deep: false }),
      ),
    removeCached: (host, imageId, signal) =>
      this.#carryOut("images.removeCached", host.address.address, signal, (machine) =>
        removeImage(machine, host, imageId),
      ),
  };

  readonly switching: SwitchingPort = {
    ensureNetwork: (host, network, peers, ports, signal) =>
      this.#carryOut("switching.ensureNetwork", host.address.address, signal, (machine) => {
        requireEnrolled(host, machine);
        const strangers = ports.filter((port) => port.networkId !== network.id);
        if (strangers.length > 0)
          throw new Error(`ports of another network: ${strangers.map(({ id }) => id).join(", ")}`);
        if (peers.some((peer) => peer.id === host.id)) throw new Error("a host is no peer of itself");
        wireNetwork(machine, network, ports);
        for (const peer of peers) {
          const tunnel = `${network.id}/${peer.id}`;
          const far = this.#reach(peer.address.address);
          if (far === undefined || machine.tunnels[tunnel] === peer.tunnelAddress) continue;
          far.tunnels[`${network.id}/${host.id}`] = host.tunnelAddress;
          machine.tunnels[tunnel] = peer.tunnelAddress;
        }
      }),
    releaseNetwork: (host, network, peers, leaving, signal) =>
      this.#carryOut("switching.releaseNetwork", host.address.address, signal, (machine) => {
        if (!releasePorts(machine, network.id, leaving)) return;
        for (const peer of peers) {
          const far = this.#reach(peer.address.address);
          if (far !== undefined) Reflect.deleteProperty(far.tunnels, `${network.id}/${host.id}`);
        }
      }),
    observeNetwork: (host, network, peers, ports, signal) =>
      this.#carryOut("switching.observeNetwork", host.address.address, signal, (machine) =>
        compareNetwork(machine, network, peers, ports),
      ),
  };

  readonly domains: DomainsPort = {
    spawn: (host, spec, start, signal) =>
      this.#carryOut("domains.spawn", host.address.address, signal, (machine) => {
        requireEnrolled(host, machine);
        const domain = buildDomain(machine, host, spec);
        if (start) startDomain(machine, spec.id, domain);
      }),
    start: (host, id, signal) =>
      this.#carryOut("domains.start", host.address.address, signal, (machine) =>
        startDomain(machine, id, requireDomain(machine, host, id)),
      ),
    stop: (host, id, _graceMs, signal) =>
      this.#carryOut("domains.stop", host.address.address, signal, (machine) =>
        stopDomain(machine, id, requireDomain(machine, host, id)),
      ),
    reboot: (host, id, kind, signal) =>
      this.#carryOut("domains.reboot", host.address.address, signal, (machine) => {
        const domain = requireDomain(machine, host, id);
        if (kind === "hard") stopDomain(machine, id, domain);
        if (domain.live === undefined) startDomain(machine, id, domain);
        else rebootDomain(machine, id, domain, domain.live);
      }),
    remove: (host, id, signal) =>
      this.#carryOut("domains.remove", host.address.address, signal, (machine) =>
        removeDomain(machine, host, id),
      ),
    observe: (host, spec, signal) =>
      this.#carryOut("domains.observe", host.address.address, signal, (machine) =>
        observeDomain(machine, host, spec),
      ),
    lookAtForeign: (host, nameOrId, signal) =>
      this.#carryOut("domains.lookAtForeign", host.address.address, signal, (machine) =>
        lookAtForeign(machine, host, nameOrId),
      ),
    takeOver: (host, id, adoption, _progress, signal) =>
      this.#carryOut("domains.takeOver", host.address.address, signal, (machine) => {
        requireEnrolled(host, machine);
        takeOver(machine, host, id, adoption);
      }),
    giveBack: (host, id, adoption, _graceMs, signal) =>
      this.#carryOut("domains.giveBack", host.address.address, signal, (machine) =>
        giveBack(machine, host, id, adoption),
      ),
    readConsole: (host, id, lines, signal) =>
      this.#carryOut("domains.readConsole", host.address.address, signal, (machine) =>
        (machine.folders[id]?.console ?? []).slice(-lines).join("\n"),
      ),
    waitReady: (host, id, request, _progress, signal) =>
      this.#carryOut("domains.waitReady", host.address.address, signal, (machine) =>
        requireReady(machine, host, id, request),
      ),
    attachVolume: (host, id, volume, signal) =>
      this.#carryOut("domains.attachVolume", host.address.address, signal, (machine) =>
        attachVolume(machine, host, id, volume),
      ),
    detachVolume: (host, id, volumeId, _limitMs, signal) =>
      this.#carryOut("domains.detachVolume", host.address.address, signal, (machine) =>
        detachVolume(machine, host, id, volumeId),
      ),
    resizeVolume: (host, id, volumeId, sizeBytes, signal) =>
      this.#carryOut("domains.resizeVolume", host.address.address, signal, (machine) =>
        resizeVolume(machine, host, id, volumeId, sizeBytes),
      ),
    copyFiles: (source, target, id, signal) =>
      this.#carryOut("domains.copyFiles", target.address.address, signal, (machine) =>
        copyFiles(this.#requireReached(source), source, machine, target, id),
      ),
    migrate: (source, target, id, _limitMs, progress, signal) =>
      this.#carryOut("domains.migrate", source.address.address, signal, (machine) => {
        progress("moved 1 MiB of memory, 0 B left");
        migrateDomain(machine, source, this.#requireReached(target), id);
      }),
    abortMigration: (host, _id, signal) =>
      this.#carryOut("domains.abortMigration", host.address.address, signal, () => undefined),
  };

  readonly ceph = openFakeCeph({
    onCluster: (method, via, cluster, key, signal, work) =>
      this.#carryOut(method, via.address.address, signal, () =>
        work(findCeph(Object.values(this.#state.cephs), cluster, key)),
      ),
    onHost: (method, host, signal, work) => this.#carryOut(method, host.address.address, signal, work),
    machineOf: (host) => this.#reach(host.address.address),
    listHosts: () => this.#state.hosts,
  });

  readonly volumes = openFakeVolumes({
    onHost: (method, host, signal, work) => this.#carryOut(method, host.address.address, signal, work),
    listCephs: () => Object.values(this.#state.cephs),
    listHosts: () => Object.values(this.#state.hosts),
  });

  readonly leftovers: LeftoversPort = {
    list: (host, signal) =>
      this.#carryOut("leftovers.list", host.address.address, signal, (machine) =>
        listMarked(machine, host.cloudId),
      ),
    listPool: (host, place, signal) =>
      this.#carryOut("leftovers.listPool", host.address.address, signal, (machine) =>
        openRbdShelf({ machine, host, place, ...this.#everything() })
          .list()
          .map((image) => describeRbdImage(place, image)),
      ),
    remove: (host, thing, signal) =>
      this.#carryOut("leftovers.remove", host.address.address, signal, (machine) =>
        removeMarked(machine, host, thing, this.#everything()),
      ),
  };

  readonly scan: ScanPort = {
    ask: (address, { enrolments, domains, networks, images, cephClients, volumes }, signal) =>
      this.#carryOut("scan.ask", address.address, signal, (machine) => ({
        enrolments: enrolments.map((request) => answerWith(asked, () => observeHost(machine, request))),
        domains: domains.map(({ host, spec }) => answerWith(asked, () => observeDomain(machine, host, spec))),
        networks: networks.map(({ network, peers, ports }) =>
          answerWith(asked, () => compareNetwork(machine, network, peers, ports)),
        ),
        images: images.map((question) => answerWith(asked, () => compareImage(machine, question))),
        cephClients: cephClients.map(({ cluster }) =>
          answerWith(asked, () => observeClient(machine, cluster)),
        ),
        volumes: volumes.map(({ host, volume }) =>
          answerWith(asked, () => observeFakeVolume({ machine, host, ...this.#everything() }, volume)),
        ),
      })),
  };

  #everything(): { readonly cephs: readonly FakeCeph[]; readonly hosts: readonly FakeHost[] } {
    return { cephs: Object.values(this.#state.cephs), hosts: Object.values(this.#state.hosts) };
  }

  readonly dryRun = (): DryRun => openFakeDryRun(this);

  readonly close = (): Promise<void> => Promise.resolve();

  /** One call: counted, and struck by faults before and after its effect. */
  async #carryOut<T>(
    method: ComputeMethod,
    address: string,
    signal: AbortSignal,
    work: (host: FakeHost) => T,
  ): Promise<T> {
    const number = await this.begin(method, address, signal);
    const machine = this.#reach(address);
    if (machine === undefined) {
      throw new StackyardError("host-unreachable", {
        message: `Cannot reach host ${address}`,
        field: "address",
        value: address,
      });
    }
    const result = this.#work(() => work(machine));
    await this.strike(number, method, "after", address, signal);
    // An error in an answer is no plain data.
    return method === "scan.ask" ? result : structuredClone(result);
  }

  #inspect<T>(
    method: "images.inspectDisk" | "images.inspectFile",
    location: string,
    field: string,
    signal: AbortSignal,
    work: (facts: ImageFacts) => T,
  ): Promise<T> {
    return this.begin(method, location, signal).then(async (number) => {
      const result = work(findSource(location, field));
      await this.strike(number, method, "after", location, signal);
      return result;
    });
  }

  #domainOf(serverId: string): FakeDomain | undefined {
    return Object.values(this.#state.hosts).find((host) => serverId in host.domains)?.domains[serverId];
  }

  #machine(address: string): FakeHost {
    const host = this.#state.hosts[address];
    if (host === undefined) throw new Error(`there is no machine ${address}`);
    return host;
  }

  #requireReached({ address: { address } }: ComputeHost): FakeHost {
    const machine = this.#reach(address);
    if (machine === undefined)
      throw new StackyardError("host-unreachable", { message: `Cannot reach host ${address}` });
    return machine;
  }

  #reach(address: string): FakeHost | undefined {
    return this.unreachable.has(address) ? undefined : this.#state.hosts[address];
  }

  /** What a command did before it failed stays done. */
  #work<T>(work: () => T): T {
    try {
      return work();
    } finally {
      this.#save();
    }
  }

  #save(): void {
    if (this.#file === undefined) return;
    writeFileSync(`${this.#file}.part`, JSON.stringify(this.#state));
    renameSync(`${this.#file}.part`, this.#file);
  }
}

function empty(held: Record<string, unknown>): void {
  for (const key of Object.keys(held)) Reflect.deleteProperty(held, key);
}
