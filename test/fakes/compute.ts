import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { renderDomain } from "../../providers/compute/domain-xml.ts";
import { answerWith } from "../../providers/core/answer.ts";
import { parseAddress, parseCidr } from "../../providers/core/cidr.ts";
import { StackyardError, type ErrorCode } from "../../providers/core/errors.ts";
import type { CloudId, ResourceId } from "../../providers/core/ids.ts";
import type {
  CachedImage,
  ComputeHost,
  DomainObservation,
  DomainSpec,
  DomainsPort,
  DryRun,
  EnrolRequest,
  HostInventory,
  HostObservation,
  HostsPort,
  ImageFacts,
  ImageSpec,
  ImagesPort,
  LeftoversPort,
  MarkedThing,
  NetworkSpec,
  NotedCommand,
  NotedDomain,
  PortSpec,
  ScanPort,
  SwitchingPort,
} from "../../providers/core/ports.ts";
import type { Drift } from "../../providers/core/resource.ts";
import type { ComputePorts } from "../../providers/wiring.ts";

/** A method of one of the ports, as faults and counts name it. */
export type ComputeMethod =
  | `hosts.${"enrol" | "observe" | "release"}`
  | `images.${"inspectDisk" | "inspectFile" | "ensureCached" | "observeCached" | "removeCached"}`
  | `switching.${"ensureNetwork" | "releaseNetwork" | "observeNetwork"}`
  | `domains.${"spawn" | "start" | "stop" | "reboot" | "remove" | "observe" | "readConsole" | "waitReady"}`
  | `leftovers.${"list" | "remove"}`
  | "scan.ask";

/** Methods that change something on a host. */
export const changingMethods = [
  "hosts.enrol",
  "hosts.release",
  "images.ensureCached",
  "images.removeCached",
  "switching.ensureNetwork",
  "switching.releaseNetwork",
  "domains.spawn",
  "domains.start",
  "domains.stop",
  "domains.reboot",
  "domains.remove",
  "leftovers.remove",
] as const satisfies readonly ComputeMethod[];

/** One call that came in. */
export interface ComputeCall {
  readonly method: ComputeMethod;
  /** Address of the host, or location of an image's source. */
  readonly at: string;
}

/** When a fault strikes: before the command has run on the host, or after it, as when the connection is lost on the way back. */
export type Moment = "before" | "after";

interface Fault {
  readonly method: ComputeMethod;
  readonly moment: Moment;
  readonly at: string | undefined;
  /** Raises an error; or waits until aborted, or until the test goes on. */
  readonly strike: (signal: AbortSignal) => Promise<void>;
  left: number;
}

/** What the fake's hosts hold, as plain data. */
interface FakeState {
  readonly hosts: Record<string, FakeHost>;
}

interface FakeHost {
  inventory: HostInventory;
  enrolment?: { cloudId: CloudId; hostId: string; tunnelAddress: string; folder: string } | undefined;
  readonly images: Record<string, FakeFile[]>;
  readonly networks: Record<string, FakeNetwork>;
  /** `NETWORK/PEER` to the peer's tunnel address. */
  readonly tunnels: Record<string, string>;
  readonly domains: Record<string, FakeDomain>;
  /** VLAN tag of each guest's port that is on the integration bridge. */
  readonly tags: Record<string, number>;
  /** Processes started so far: each start of a domain is one more. */
  processes: number;
}

interface FakeFile {
  readonly path: string;
  readonly sizeBytes: number;
  checksum: string;
  /** Whether it is as it was brought. */
  isSound: boolean;
}

interface FakeNetwork {
  isServing: boolean;
  vni: number;
  localVlan: number;
  mtuBytes: number;
  subnets: string;
  /** DHCP entry of each port. */
  readonly entries: Record<string, string>;
}

interface FakeDomain {
  readonly cloudId: string;
  name: string;
  vcpus: number;
  ramMib: number;
  interfaces: FakeInterface[];
  /** Whether libvirt keeps it when it stops. */
  isPersistent: boolean;
  state: "running" | "shut-off" | "paused";
  processId: number | undefined;
  disk: FakeDisk | undefined;
  configDrive: string;
}

interface FakeDisk {
  /** What it lies on; absent for a blank one. */
  imagePath?: string | undefined;
  sizeBytes: number;
}

type FakeInterface = Pick<DomainSpec["interfaces"][number], "portId" | "mac" | "localVlan" | "mtuBytes">;

/** What happens to a server behind the cloud's back. */
export type Meddling =
  | "stop"
  | "pause"
  | "undefine"
  | "forget its definition"
  | "take a processor"
  | "take memory"
  | "grow the disk"
  | "replace the disk"
  | "remove the disk"
  | "detach an interface"
  | "retag its ports"
  | "remove its ports";

const bytesPerGib = 1024 ** 3;

/** What a host offers unless told otherwise. */
const defaultInventory: HostInventory = {
  datapath: "netdev",
  virtType: "qemu",
  architecture: "x86_64",
  vcpus: 4,
  ramMib: 8192,
  diskGib: 100,
  hypervisorVersion: 7_002_000,
  libvirtVersion: "9.0.0",
  openvswitchVersion: "3.1.0",
};

const asked = { value: undefined };

/** The bytes of every image that the fake serves, by location. */
const sources: Readonly<Record<string, ImageFacts>> = {
  "/images/cirros.qcow2": {
    format: "qcow2",
    sizeBytes: 16_777_216,
    virtualSizeBytes: 117_440_512,
    checksum: `sha256:${"a".repeat(64)}`,
  },
  "/images/vmlinuz": {
    format: "raw",
    sizeBytes: 8_388_608,
    virtualSizeBytes: 8_388_608,
    checksum: `sha256:${"b".repeat(64)}`,
  },
};

/**
 * Compute over hosts that are plain data. It is strict: a call that the real hosts could not carry out, or that speaks of something that is not
 * there, fails; what was not foreseen fails with an error that is none of ours, which the cloud shows as `internal`. With a file, what the hosts
 * hold outlives the process, as it does in the real world.
 */
export class FakeCompute implements ComputePorts {
  readonly calls: ComputeCall[] = [];
  /** Addresses of hosts that cannot be reached. */
  readonly unreachable = new Set<string>();
  /** Called at both moments of every call: a test that kills its process does it here. */
  onMoment: (method: ComputeMethod, moment: Moment) => void = () => undefined;
  readonly #file: string | undefined;
  readonly #state: FakeState;
  readonly #faults: Fault[] = [];
  #failing: { first: number; last: number; moment: Moment; code: ErrorCode } | undefined;
  readonly #fetching = new Map<string, Promise<CachedImage>>();

  constructor(file?: string) {
    this.#file = file;
    this.#state =
      file !== undefined && existsSync(file)
        ? (JSON.parse(readFileSync(file, "utf8")) as FakeState)
        : { hosts: {} };
  }

  /** Puts a machine there that is not enrolled yet. */
  addMachine(address: string, offers: Partial<HostInventory> = {}): void {
    this.#state.hosts[address] = {
      inventory: { ...defaultInventory, ...offers },
      images: {},
      networks: {},
      tunnels: {},
      domains: {},
      tags: {},
      processes: 0,
    };
    this.#save();
  }

  /** The next `times` calls of a method fail with this code; on one host, or on whichever is asked. */
  fail(
    method: ComputeMethod,
    {
      moment = "before",
      code = "command-failed",
      at,
      times = 1,
    }: { moment?: Moment; code?: ErrorCode; at?: string; times?: number } = {},
  ): void {
    const strike = (): Promise<void> =>
      Promise.reject(
        new StackyardError(code, { message: `${method} was made to fail ${moment} its effect` }),
      );
    this.#faults.push({ method, moment, at, strike, left: times });
  }

  /** The n-th call from now, counted from 1, and the `times - 1` after it fail, whatever they are. */
  failCall(n: number, moment: Moment, code: ErrorCode, times = 1): void {
    const first = this.calls.length + n;
    this.#failing = { first, last: first + times - 1, moment, code };
  }

  /** Takes all faults away that have not struck. */
  mend(): void {
    this.#faults.length = 0;
    this.#failing = undefined;
  }

  /** The next call of a method stops there until `goOn` is called or the task is aborted. `reached` tells that it has come. */
  hold(
    method: ComputeMethod,
    moment: Moment = "before",
  ): { readonly reached: Promise<undefined>; readonly goOn: () => void } {
    const reached = Promise.withResolvers<undefined>();
    const released = Promise.withResolvers<undefined>();
    const strike = (signal: AbortSignal): Promise<void> => {
      reached.resolve(undefined);
      signal.addEventListener("abort", () => released.reject(interruptedError(method)), { once: true });
      return released.promise;
    };
    this.#faults.push({ method, moment, at: undefined, strike, left: 1 });
    return { reached: reached.promise, goOn: () => released.resolve(undefined) };
  }

  /** Calls that changed something, or might have. */
  get changes(): readonly ComputeCall[] {
    const changing: readonly ComputeMethod[] = changingMethods;
    return this.calls.filter((call) => changing.includes(call.method));
  }

  /** All that is on the hosts of servers and networks, by host; what enrolment and caches of images left is not of it. */
  survey(): Readonly<Record<string, readonly string[]>> {
    return Object.fromEntries(
      Object.entries(this.#state.hosts).map(([address, host]) => [
        address,
        [
          ...Object.entries(host.domains).map(([id, domain]) => `server ${id} ${domain.state}`),
          ...Object.keys(host.tunnels).map((tunnel) => `tunnel ${tunnel}`),
          ...Object.entries(host.networks).flatMap(([id, network]) => [
            `network ${id}`,
            ...Object.keys(network.entries).map((port) => `port ${port}`),
          ]),
        ].toSorted(),
      ]),
    );
  }

  /** Everything on all hosts, to be compared as text. */
  dump(): string {
    return JSON.stringify(this.#state.hosts);
  }

  /** Number of the process that runs a server, wherever it is; `undefined` when none does. */
  processOf(serverId: string): number | undefined {
    return Object.values(this.#state.hosts).find((host) => serverId in host.domains)?.domains[serverId]
      ?.processId;
  }

  /** Does something to a server behind the cloud's back. */
  meddle(address: string, serverId: string, how: Meddling): void {
    const host = this.#machine(address);
    const domain = host.domains[serverId];
    if (domain === undefined) throw new Error(`there is no domain ${serverId} on ${address}`);
    meddleWith(host, serverId, domain, how);
    this.#save();
  }

  /** Ends the DHCP server of a network on a host. */
  killDhcp(address: string, networkId: string): void {
    const network = this.#machine(address).networks[networkId];
    if (network === undefined) throw new Error(`there is no network ${networkId} on ${address}`);
    network.isServing = false;
    this.#save();
  }

  /** Writes to every file of an image in a host's cache. */
  alterImage(address: string, imageId: string): void {
    for (const file of this.#machine(address).images[imageId] ?? []) {
      file.isSound = false;
      file.checksum = `sha256:${"f".repeat(64)}`;
    }
    this.#save();
  }

  /** Puts a domain on a host that somebody else made under this server's uuid. */
  addForeignDomain(address: string, serverId: string): void {
    this.#machine(address).domains[serverId] = {
      cloudId: "someone else",
      name: "foreign",
      vcpus: 1,
      ramMib: 64,
      interfaces: [],
      isPersistent: true,
      state: "running",
      processId: 1,
      disk: { sizeBytes: bytesPerGib },
      configDrive: "",
    };
  }

  readonly hosts: HostsPort = {
    enrol: (request, signal) =>
      this.#carryOut("hosts.enrol", request.address.address, signal, (host) => {
        requireOurs(request, host);
        host.enrolment = {
          cloudId: request.cloudId,
          hostId: request.id,
          tunnelAddress: request.tunnelAddress,
          folder: request.folder,
        };
        return { ...host.inventory, ...definedOf(request) };
      }),
    observe: (request, signal) =>
      this.#carryOut("hosts.observe", request.address.address, signal, (host) => observeHost(host, request)),
    release: (request, signal) =>
      this.#carryOut("hosts.release", request.address.address, signal, (host) => {
        if (host.enrolment?.cloudId !== request.cloudId || host.enrolment.hostId !== request.id) return;
        const left = Object.values(host.domains).filter((domain) => domain.cloudId === request.cloudId);
        if (left.length > 0)
          throw new StackyardError("in-use", {
            message: `Host ${request.address.name} still has servers: ${left.map(({ name }) => name).join(", ")}`,
          });
        host.enrolment = undefined;
        for (const held of [host.images, host.networks, host.tunnels]) empty(held);
      }),
  };

  readonly images: ImagesPort = {
    inspectDisk: (source, declared, signal) =>
      this.#inspect("images.inspectDisk", source.location, signal, (facts) => {
        if (declared.format !== undefined && declared.format !== facts.format)
          throw new StackyardError("image-format", {
            message: `${source.location} is ${facts.format}, not ${declared.format}`,
            field: `${declared.field}.format`,
            value: declared.format,
          });
        requireChecksum(source.checksum, facts, source.location, declared.field);
        return facts;
      }),
    inspectFile: (source, field, signal) =>
      this.#inspect("images.inspectFile", source.location, signal, (facts) => {
        requireChecksum(source.checksum, facts, source.location, field);
        return { checksum: facts.checksum, sizeBytes: facts.sizeBytes };
      }),
    ensureCached: (host, image, _progress, signal) => {
      const key = `${host.id} ${image.id}`;
      const known = this.#fetching.get(key);
      if (known !== undefined) return known;
      const work = this.#carryOut("images.ensureCached", host.address.address, signal, (machine) => {
        requireEnrolled(host, machine);
        machine.images[image.id] = listFiles(host, image);
        return toCachedImage(host, image);
      }).finally(() => this.#fetching.delete(key));
      this.#fetching.set(key, work);
      return work;
    },
    observeCached: (host, image, signal) =>
      this.#carryOut("images.observeCached", host.address.address, signal, (machine) =>
        compareImage(machine, host, image, false),
      ),
    removeCached: (host, imageId, signal) =>
      this.#carryOut("images.removeCached", host.address.address, signal, (machine) => {
        const files = machine.images[imageId] ?? [];
        const users = Object.entries(machine.domains).filter(([, { disk }]) =>
          files.some(({ path }) => path === disk?.imagePath),
        );
        if (users.length > 0)
          throw new StackyardError("in-use", {
            message: `Image ${imageId} on host ${host.name} is the base of the disks of servers: ${users.map(([id]) => id).join(", ")}`,
          });
        Reflect.deleteProperty(machine.images, imageId);
      }),
  };

  readonly switching: SwitchingPort = {
    ensureNetwork: (host, network, peers, ports, signal) =>
      this.#carryOut("switching.ensureNetwork", host.address.address, signal, (machine) => {
        requireEnrolled(host, machine);
        const strangers = ports.filter((port) => port.networkId !== network.id);
        if (strangers.length > 0)
          throw new Error(`ports of another network: ${strangers.map(({ id }) => id).join(", ")}`);
        if (peers.some((peer) => peer.id === host.id)) throw new Error("a host is no peer of itself");
        const here = wireNetwork(machine, network);
        for (const port of ports) here.entries[port.id] = describeEntry(port, network);
        for (const { id } of ports.filter(({ serverId }) => isOn(machine, serverId)))
          machine.tags[id] = network.localVlan;
        for (const peer of peers) {
          machine.tunnels[`${network.id}/${peer.id}`] = peer.tunnelAddress;
          if (this.unreachable.has(peer.address.address)) continue;
          this.#machine(peer.address.address).tunnels[`${network.id}/${host.id}`] = host.tunnelAddress;
        }
      }),
    releaseNetwork: (host, network, peers, leaving, signal) =>
      this.#carryOut("switching.releaseNetwork", host.address.address, signal, (machine) => {
        const here = machine.networks[network.id];
        for (const id of leaving) Reflect.deleteProperty(here?.entries ?? {}, id);
        if (Object.keys(here?.entries ?? {}).length > 0) return;
        removeNetwork(machine, network.id);
        for (const peer of peers) {
          if (this.unreachable.has(peer.address.address)) continue;
          Reflect.deleteProperty(this.#machine(peer.address.address).tunnels, `${network.id}/${host.id}`);
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
        const known = findDomain(machine, host, spec.id);
        requireFiles(machine, spec);
        requireNetworks(machine, spec);
        const domain: FakeDomain = known ?? {
          cloudId: host.cloudId,
          name: spec.name,
          vcpus: spec.vcpus,
          ramMib: spec.ramMib,
          interfaces: [],
          isPersistent: true,
          state: "shut-off",
          processId: undefined,
          disk: undefined,
          configDrive: "",
        };
        machine.domains[spec.id] = domain;
        domain.name = spec.name;
        domain.isPersistent = true;
        domain.configDrive = JSON.stringify(spec.configDrive);
        if (domain.state === "shut-off") {
          // libvirt gives a running guest what it was started with until its next start.
          Object.assign(domain, {
            vcpus: spec.vcpus,
            ramMib: spec.ramMib,
            interfaces: spec.interfaces.map(({ portId, mac, localVlan, mtuBytes }) => ({
              portId,
              mac,
              localVlan,
              mtuBytes,
            })),
          });
          domain.disk ??= { imagePath: spec.image.diskPath, sizeBytes: sizeOf(spec) };
          domain.disk.sizeBytes = Math.max(domain.disk.sizeBytes, spec.diskGib * bytesPerGib);
        }
        if (start) startDomain(machine, domain);
      }),
    start: (host, id, signal) =>
      this.#carryOut("domains.start", host.address.address, signal, (machine) =>
        startDomain(machine, requireDomain(machine, host, id)),
      ),
    stop: (host, id, _graceMs, signal) =>
      this.#carryOut("domains.stop", host.address.address, signal, (machine) => {
        stopDomain(machine, id, requireDomain(machine, host, id));
      }),
    reboot: (host, id, kind, signal) =>
      this.#carryOut("domains.reboot", host.address.address, signal, (machine) => {
        const domain = requireDomain(machine, host, id);
        if (kind === "hard") stopDomain(machine, id, domain);
        startDomain(machine, domain);
      }),
    remove: (host, id, signal) =>
      this.#carryOut("domains.remove", host.address.address, signal, (machine) => {
        findDomain(machine, host, id);
        Reflect.deleteProperty(machine.domains, id);
      }),
    observe: (host, spec, signal) =>
      this.#carryOut("domains.observe", host.address.address, signal, (machine) =>
        observeDomain(machine, host, spec),
      ),
    readConsole: (host, id, lines, signal) =>
      this.#carryOut("domains.readConsole", host.address.address, signal, (machine) => {
        requireDomain(machine, host, id);
        return Array.from({ length: lines }, (_, line) => `console line ${String(line + 1)}`).join("\n");
      }),
    waitReady: (host, id, request, _progress, signal) =>
      this.#carryOut("domains.waitReady", host.address.address, signal, (machine) => {
        const domain = requireDomain(machine, host, id);
        if (domain.state === "running") return;
        throw new StackyardError("not-ready", {
          message: `Server ${id} on host ${host.name}: ${request.until} was not reached, it is ${domain.state}`,
          notes: ["console line 1"],
        });
      }),
  };

  readonly leftovers: LeftoversPort = {
    list: (host, signal) =>
      this.#carryOut("leftovers.list", host.address.address, signal, (machine) =>
        listMarked(machine, host.cloudId),
      ),
    remove: (host, thing, signal) =>
      this.#carryOut("leftovers.remove", host.address.address, signal, (machine) =>
        removeMarked(machine, thing),
      ),
  };

  readonly scan: ScanPort = {
    ask: (address, { enrolments, domains, networks, images }, signal) =>
      this.#carryOut("scan.ask", address.address, signal, (machine) => ({
        enrolments: enrolments.map((request) => answerWith(asked, () => observeHost(machine, request))),
        domains: domains.map(({ host, spec }) => answerWith(asked, () => observeDomain(machine, host, spec))),
        networks: networks.map(({ network, peers, ports }) =>
          answerWith(asked, () => compareNetwork(machine, network, peers, ports)),
        ),
        images: images.map(({ host, image, deep }) =>
          answerWith(asked, () => compareImage(machine, host, image, deep)),
        ),
      })),
  };

  /** Looks like the ports themselves; a call that would change something is noted by its method. */
  readonly dryRun = (): DryRun => {
    const commands: NotedCommand[] = [];
    const domains: NotedDomain[] = [];
    const note = ({ name }: ComputeHost, method: ComputeMethod): Promise<void> => {
      commands.push({ host: name, purpose: method, command: method, inputBytes: 0 });
      return Promise.resolve();
    };
    const unread = (): Promise<never> =>
      Promise.reject(new StackyardError("wrong-state", { message: "the image is read when it is applied" }));
    return {
      commands,
      domains,
      ports: {
        hosts: {
          observe: (request, signal) => this.hosts.observe(request, signal),
          enrol: async (request, signal) => {
            const { inventory } = await this.hosts.observe(request, signal);
            commands.push({ host: request.address.name, purpose: "hosts.enrol", command: "hosts.enrol" });
            return inventory;
          },
          release: () => Promise.reject(new Error("a dry run releases no host")),
        },
        images: {
          inspectDisk: unread,
          inspectFile: unread,
          observeCached: (host, image, signal) => this.images.observeCached(host, image, signal),
          ensureCached: async (host, image, _progress, signal) => {
            const drift = await this.images.observeCached(host, image, signal);
            if (drift.length > 0) await note(host, "images.ensureCached");
            return toCachedImage(host, image);
          },
          removeCached: (host) => note(host, "images.removeCached"),
        },
        switching: {
          observeNetwork: (...asked) => this.switching.observeNetwork(...asked),
          ensureNetwork: async (host, network, peers, ports, signal) => {
            const drift = await this.switching.observeNetwork(host, network, peers, ports, signal);
            if (drift.length > 0) await note(host, "switching.ensureNetwork");
          },
          releaseNetwork: (host) => note(host, "switching.releaseNetwork"),
        },
        domains: {
          observe: (host, spec, signal) => this.domains.observe(host, spec, signal),
          readConsole: (...asked) => this.domains.readConsole(...asked),
          spawn: (host, spec) => {
            domains.push({ host: host.name, id: spec.id, xml: renderDomain(host, spec) });
            return note(host, "domains.spawn");
          },
          start: (host) => note(host, "domains.start"),
          stop: (host) => note(host, "domains.stop"),
          reboot: (host) => note(host, "domains.reboot"),
          remove: (host) => note(host, "domains.remove"),
          waitReady: (host) => note(host, "domains.waitReady"),
        },
      },
    };
  };

  readonly close = (): Promise<void> => Promise.resolve();

  /** One call: counted, and struck by faults before and after its effect. */
  async #carryOut<T>(
    method: ComputeMethod,
    address: string,
    signal: AbortSignal,
    work: (host: FakeHost) => T,
  ): Promise<T> {
    const number = await this.#begin(method, address, signal);
    if (this.unreachable.has(address) || this.#state.hosts[address] === undefined) {
      throw new StackyardError("host-unreachable", {
        message: `Cannot reach host ${address}`,
        field: "address",
        value: address,
      });
    }
    const result = work(this.#machine(address));
    this.#save();
    await this.#strike(number, method, "after", address, signal);
    // An error in an answer is no plain data.
    return method === "scan.ask" ? result : structuredClone(result);
  }

  #inspect<T>(
    method: "images.inspectDisk" | "images.inspectFile",
    location: string,
    signal: AbortSignal,
    work: (facts: ImageFacts) => T,
  ): Promise<T> {
    return this.#begin(method, location, signal).then(async (number) => {
      const facts = sources[location];
      if (facts === undefined)
        throw new StackyardError("image-unreachable", {
          message: `There is no image at ${location}`,
          value: location,
        });
      const result = work(facts);
      await this.#strike(number, method, "after", location, signal);
      return result;
    });
  }

  /** Returns the call's number, from 1. */
  async #begin(method: ComputeMethod, at: string, signal: AbortSignal): Promise<number> {
    const number = this.calls.push({ method, at });
    if (signal.aborted) throw interruptedError(method);
    // Whatever reaches a host lets other work go on meanwhile.
    await new Promise((resolve) => setImmediate(resolve));
    await this.#strike(number, method, "before", at, signal);
    return number;
  }

  async #strike(
    number: number,
    method: ComputeMethod,
    moment: Moment,
    at: string,
    signal: AbortSignal,
  ): Promise<void> {
    this.onMoment(method, moment);
    const failing = this.#failing;
    if (failing?.moment === moment && number >= failing.first && number <= failing.last)
      throw new StackyardError(failing.code, {
        message: `${method} was made to fail ${moment} its effect`,
      });
    const fault = this.#faults.find(
      (candidate) =>
        candidate.method === method &&
        candidate.moment === moment &&
        candidate.left > 0 &&
        (candidate.at ?? at) === at,
    );
    if (fault === undefined) return;
    fault.left -= 1;
    await fault.strike(signal);
  }

  #machine(address: string): FakeHost {
    const host = this.#state.hosts[address];
    if (host === undefined) throw new Error(`there is no machine ${address}`);
    return host;
  }

  #save(): void {
    if (this.#file === undefined) return;
    writeFileSync(`${this.#file}.part`, JSON.stringify(this.#state));
    renameSync(`${this.#file}.part`, this.#file);
  }
}

function interruptedError(method: ComputeMethod): StackyardError {
  return new StackyardError("interrupted", { message: `${method} was interrupted` });
}

function definedOf({ datapath, virtType }: EnrolRequest): Partial<HostInventory> {
  return { ...(datapath === undefined ? {} : { datapath }), ...(virtType === undefined ? {} : { virtType }) };
}

function requireOurs(request: EnrolRequest, { enrolment }: FakeHost): void {
  const { name, address } = request.address;
  if (enrolment !== undefined && enrolment.cloudId !== request.cloudId)
    throw new StackyardError("foreign-cloud", {
      message: `Host ${name} belongs to cloud ${enrolment.cloudId}, not to ${request.cloudId}`,
      field: "address",
      value: address,
    });
  if (enrolment !== undefined && enrolment.hostId !== request.id)
    throw new StackyardError("conflict", {
      message: `Host ${name} is enrolled in this cloud already, as ${enrolment.hostId}`,
      field: "address",
      value: address,
    });
}

function requireEnrolled(host: ComputeHost, { enrolment }: FakeHost): void {
  if (enrolment?.cloudId !== host.cloudId || enrolment.hostId !== host.id)
    throw new Error(`host ${host.name} is not enrolled as ${host.id} of ${host.cloudId}`);
}

function requireChecksum(
  expected: string | undefined,
  facts: ImageFacts,
  location: string,
  field: string,
): void {
  if (expected === undefined || expected === facts.checksum) return;
  throw new StackyardError("image-checksum", {
    message: `${location} has the checksum ${facts.checksum}`,
    field: `${field}.checksum`,
    value: expected,
  });
}

function toCachedImage(host: ComputeHost, image: ImageSpec): CachedImage {
  const pathOf = (part: "disk" | "kernel" | "initrd"): string | undefined =>
    image[part] === undefined ? undefined : `${host.folder}/images/${image.id}/${part}`;
  return { diskPath: pathOf("disk"), kernelPath: pathOf("kernel"), initrdPath: pathOf("initrd") };
}

function listFiles(host: ComputeHost, { id, disk, kernel, initrd }: ImageSpec): FakeFile[] {
  return Object.entries({ disk: disk?.facts, kernel, initrd }).flatMap(([name, facts]) =>
    facts === undefined
      ? []
      : [
          {
            path: `${host.folder}/images/${id}/${name}`,
            sizeBytes: facts.sizeBytes,
            checksum: facts.checksum,
            isSound: true,
          },
        ],
  );
}

function compareImage(
  machine: FakeHost,
  host: ComputeHost,
  image: ImageSpec,
  deep: boolean,
): readonly Drift[] {
  const files = machine.images[image.id] ?? [];
  return listFiles(host, image).flatMap((wanted): readonly Drift[] => {
    const found = files.find(({ path }) => path === wanted.path);
    const field = `cache.${wanted.path.replace(/.*\//, "")}`;
    const change = { field, repair: "brings it anew", label: "live" } as const;
    if (found === undefined) return [{ ...change, expected: "present", found: "missing" }];
    if (found.sizeBytes !== wanted.sizeBytes)
      return [{ ...change, expected: String(wanted.sizeBytes), found: String(found.sizeBytes) }];
    const isRight = deep ? found.checksum === wanted.checksum : found.isSound;
    return isRight ? [] : [{ ...change, expected: "unaltered", found: "altered" }];
  });
}

/** The server's own domain. Raises `not-ours` for one of the same uuid that is not this cloud's. */
function findDomain(machine: FakeHost, host: ComputeHost, id: ResourceId): FakeDomain | undefined {
  const domain = machine.domains[id];
  if (domain === undefined || domain.cloudId === host.cloudId) return domain;
  throw new StackyardError("not-ours", {
    message: `a domain with the uuid ${id} on host ${host.name} is not of this cloud`,
  });
}

function requireDomain(machine: FakeHost, host: ComputeHost, id: ResourceId): FakeDomain {
  const domain = findDomain(machine, host, id);
  if (domain === undefined)
    throw new StackyardError("not-found", { message: `libvirt on host ${host.name} has no domain ${id}` });
  return domain;
}

function requireFiles(machine: FakeHost, { image }: DomainSpec): void {
  const cached = Object.values(machine.images)
    .flat()
    .map(({ path }) => path);
  for (const path of [image.diskPath, image.kernelPath, image.initrdPath]) {
    if (path !== undefined && !cached.includes(path))
      throw new StackyardError("command-failed", { message: `${path}: No such file or directory` });
  }
}

/** A guest's port is useless on a host that does not carry its network. */
function requireNetworks(machine: FakeHost, spec: DomainSpec): void {
  for (const { portId, localVlan, mac } of spec.interfaces) {
    const network = Object.values(machine.networks).find((candidate) => candidate.localVlan === localVlan);
    const entry = network?.entries[portId];
    if (entry?.startsWith(mac) !== true)
      throw new Error(`port ${portId} with MAC ${mac} is not wired with VLAN ${String(localVlan)}`);
  }
}

function describeInterface({ portId, mac, localVlan, mtuBytes }: FakeInterface): string {
  return `${portId} ${mac} vlan ${String(localVlan)} mtu ${String(mtuBytes)}`;
}

function startDomain(machine: FakeHost, domain: FakeDomain): void {
  if (domain.state === "shut-off") {
    machine.processes += 1;
    domain.processId = machine.processes;
    for (const { portId, localVlan } of domain.interfaces) machine.tags[portId] = localVlan;
  }
  domain.state = "running";
}

function stopDomain(machine: FakeHost, id: string, domain: FakeDomain): void {
  domain.state = "shut-off";
  domain.processId = undefined;
  for (const { portId } of domain.interfaces) Reflect.deleteProperty(machine.tags, portId);
  if (!domain.isPersistent) Reflect.deleteProperty(machine.domains, id);
}

function isOn(machine: FakeHost, serverId: string): boolean {
  return (machine.domains[serverId]?.state ?? "shut-off") !== "shut-off";
}

function sizeOf({ diskBytes, diskGib }: DomainSpec): number {
  return diskBytes ?? diskGib * bytesPerGib;
}

function meddleWith(machine: FakeHost, id: string, domain: FakeDomain, how: Meddling): void {
  const ports = domain.interfaces.map(({ portId }) => portId);
  switch (how) {
    case "stop":
      stopDomain(machine, id, domain);
      return;
    case "pause":
      domain.state = "paused";
      return;
    case "undefine":
      stopDomain(machine, id, domain);
      Reflect.deleteProperty(machine.domains, id);
      return;
    case "forget its definition":
      domain.isPersistent = false;
      return;
    case "take a processor":
      domain.vcpus -= 1;
      return;
    case "take memory":
      domain.ramMib -= 1;
      return;
    case "grow the disk":
      domain.disk = { ...domain.disk, sizeBytes: (domain.disk?.sizeBytes ?? 0) + bytesPerGib };
      return;
    case "replace the disk":
      domain.disk = { imagePath: "/elsewhere", sizeBytes: domain.disk?.sizeBytes ?? 0 };
      return;
    case "remove the disk":
      domain.disk = undefined;
      return;
    case "detach an interface":
      domain.interfaces.pop();
      return;
    case "retag its ports":
      for (const port of ports) machine.tags[port] = 4000;
      return;
    case "remove its ports":
      for (const port of ports) Reflect.deleteProperty(machine.tags, port);
      return;
  }
}

function observeHost(machine: FakeHost, request: EnrolRequest): HostObservation {
  requireOurs(request, machine);
  const drift =
    machine.enrolment === undefined
      ? [
          {
            field: "mark",
            expected: request.cloudId,
            found: "none",
            repair: "wires the host anew",
            label: "live" as const,
          },
        ]
      : [];
  return { inventory: { ...machine.inventory, ...definedOf(request) }, drift };
}

function observeDomain(
  machine: FakeHost,
  host: ComputeHost,
  spec: DomainSpec,
): DomainObservation | undefined {
  const domain = findDomain(machine, host, spec.id);
  return domain === undefined ? undefined : describeDomain(domain, spec);
}

function describeDomain(domain: FakeDomain, spec: DomainSpec): DomainObservation {
  const isOff = domain.state === "shut-off";
  const aspects: readonly (readonly [field: string, expected: string, found: string])[] = [
    ["vcpus", String(spec.vcpus), String(domain.vcpus)],
    ["ramMib", String(spec.ramMib), String(domain.ramMib)],
    ["interfaces", describeAll(spec.interfaces), describeAll(domain.interfaces)],
  ];
  const drift: Drift[] = aspects
    .filter(([, expected, found]) => expected !== found)
    .map(([field, expected, found]) => ({
      field,
      expected,
      found,
      repair: isOff ? "defines it anew" : "power-cycles it with its own definition",
      label: isOff ? "live" : "restart",
    }));
  if (!domain.isPersistent)
    drift.push({
      field: "definition",
      expected: "persistent",
      found: "undefined",
      repair: "defines it anew",
      label: "live",
    });
  return {
    state: domain.state,
    processId: domain.processId,
    diskBytes: domain.disk?.sizeBytes,
    drift: [...drift, ...compareDisk(domain.disk, spec, isOff)],
  };
}

function describeAll(interfaces: readonly FakeInterface[]): string {
  return interfaces.map(describeInterface).join(", ");
}

function compareDisk(disk: FakeDisk | undefined, spec: DomainSpec, isOff: boolean): readonly Drift[] {
  if (disk === undefined) {
    const lost = { expected: "present", found: "missing", repair: "makes it anew" };
    return [{ field: "disk", ...lost, label: "data-loss" }];
  }
  const expected = String(spec.image.diskPath);
  const found = String(disk.imagePath);
  const size = Math.max(sizeOf(spec), spec.diskGib * bytesPerGib);
  const growth = disk.sizeBytes < size && !isOff ? "restart" : "live";
  return [
    ...(found === expected
      ? []
      : [{ field: "disk", expected, found, repair: "keeps it, since it holds data" }]),
    ...(disk.sizeBytes === size
      ? []
      : [
          {
            field: "diskBytes",
            expected: String(size),
            found: String(disk.sizeBytes),
            repair: disk.sizeBytes < size ? "grows it" : "keeps it, and takes note of its size",
            label: growth,
          } as const,
        ]),
  ];
}

/** Makes the network present. Two networks with one VLAN on a host would be one. */
function wireNetwork(machine: FakeHost, network: NetworkSpec): FakeNetwork {
  const { vni, localVlan, mtuBytes } = network;
  const twin = Object.entries(machine.networks).find(
    ([id, other]) => id !== network.id && (other.localVlan === localVlan || other.vni === vni),
  );
  if (twin !== undefined) throw new Error(`network ${twin[0]} has the VLAN or VNI of ${network.id}`);
  const here = { vni, localVlan, mtuBytes, subnets: JSON.stringify(network.subnets), isServing: true };
  const known = machine.networks[network.id];
  const wired = known === undefined ? { ...here, entries: {} } : Object.assign(known, here);
  machine.networks[network.id] = wired;
  return wired;
}

function describeEntry(port: PortSpec, network: NetworkSpec): string {
  const addresses = port.addresses.map(({ subnetId, address }) => {
    const subnet = network.subnets.find((candidate) => candidate.id === subnetId);
    if (subnet === undefined) throw new Error(`the network has no subnet ${subnetId}`);
    const { first, last } = parseCidr(subnet.cidr);
    if (parseAddress(address) < first || parseAddress(address) > last)
      throw new Error(`${address} is not in ${subnet.cidr}`);
    return address;
  });
  return `${port.mac} ${addresses.join(" ")} ${port.hostname}`;
}

function removeNetwork(machine: FakeHost, networkId: string): void {
  Reflect.deleteProperty(machine.networks, networkId);
  for (const tunnel of Object.keys(machine.tunnels)) {
    if (tunnel.startsWith(`${networkId}/`)) Reflect.deleteProperty(machine.tunnels, tunnel);
  }
}

function compareNetwork(
  machine: FakeHost,
  network: NetworkSpec,
  peers: readonly ComputeHost[],
  ports: readonly PortSpec[],
): readonly Drift[] {
  const here = machine.networks[network.id];
  const entries = here?.entries ?? {};
  const pairs: readonly (readonly [field: string, expected: string, found: string | undefined])[] = [
    ...peers.map(
      (peer) =>
        [`tunnels.${peer.name}`, peer.tunnelAddress, machine.tunnels[`${network.id}/${peer.id}`]] as const,
    ),
    ...(ports.length === 0 && here === undefined
      ? []
      : ([["dhcp.settings", JSON.stringify(network.subnets), here?.subnets]] as const)),
    ...(here === undefined ? [] : ([["dhcp.server", "true", String(here.isServing)]] as const)),
    ...ports.map((port) => [`ports.${port.id}`, describeEntry(port, network), entries[port.id]] as const),
    ...ports
      .filter(({ serverId }) => isOn(machine, serverId))
      .map(
        ({ id }) => [`ports.${id}.device`, String(network.localVlan), machine.tags[id]?.toString()] as const,
      ),
  ];
  return pairs
    .filter(([, expected, found]) => expected !== found)
    .map(([field, expected, found]) => ({
      field,
      expected,
      found: found ?? "missing",
      repair: "wires it anew",
      label: "live",
    }));
}

function listMarked(machine: FakeHost, cloudId: string): readonly MarkedThing[] {
  return [
    ...Object.entries(machine.domains)
      .filter(([, domain]) => domain.cloudId === cloudId)
      .map(([id, domain]) => describeThing("server", id, [id], `server ${domain.name}`)),
    ...Object.keys(machine.images).map((id) => describeThing("image", id, [id], `image ${id}`)),
    ...Object.entries(machine.networks).flatMap(([id, network]) => [
      describeThing("network", id, [id], `network ${id}`),
      ...Object.keys(network.entries).map((port) =>
        describeThing("port", `${id}/${port}`, [id, port], `DHCP entry of port ${port}`),
      ),
    ]),
    ...Object.keys(machine.tunnels).map((id) => describeThing("tunnel", id, id.split("/"), `tunnel ${id}`)),
  ];
}

function describeThing(
  kind: MarkedThing["kind"],
  id: string,
  ownerIds: readonly string[],
  description: string,
): MarkedThing {
  return { kind, id, ownerIds, description };
}

function removeMarked(machine: FakeHost, { kind, id }: MarkedThing): void {
  const [networkId = "", other = ""] = id.split("/");
  switch (kind) {
    case "server":
      Reflect.deleteProperty(machine.domains, id);
      return;
    case "image":
      Reflect.deleteProperty(machine.images, id);
      return;
    case "network":
      removeNetwork(machine, id);
      return;
    case "port":
      Reflect.deleteProperty(machine.networks[networkId]?.entries ?? {}, other);
      return;
    case "tunnel":
      Reflect.deleteProperty(machine.tunnels, id);
      return;
  }
}

function empty(held: Record<string, unknown>): void {
  for (const key of Object.keys(held)) Reflect.deleteProperty(held, key);
}
