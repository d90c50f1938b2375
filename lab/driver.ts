import type { UsedRange } from "./addresses.ts";
import type { Inventory } from "./inventory.ts";
import type { HostRole } from "./topology.ts";

/** Networks that a host can be connected to. */
export const labNetworks = ["management", "data", "storage"] as const;

export type LabNetwork = (typeof labNetworks)[number];

/** `on`, `off` by the power button, `reset` by the reset button, `cut`: power loss. */
export const powerActions = ["on", "off", "reset", "cut"] as const;

export type PowerAction = (typeof powerActions)[number];

/** `up`: runs and has finished its start; `starting`: runs, not ready; `down`: does not run. */
export type HostState = "up" | "starting" | "down";

/** `cut`: no carrier. `bad`: slower, or losing frames; of virtual machines alone. `absent`: the host is off, or the lab's switch is. */
export type LinkState = "up" | "cut" | "bad" | "absent";

/** How a cable is. */
export interface CableState {
  readonly cut: boolean;
  /** Added to each frame that passes it, in milliseconds. */
  readonly delayMs: number;
  /** Of 100 frames how many are lost. */
  readonly lossPercent: number;
}

/** What is to be with a cable; what is left out stays. */
export type LinkChange = Partial<CableState>;

/** What labs hold of the machine: address ranges of namespaces and on bridges, ports of virtual machines. */
export interface Reserved {
  readonly ranges: readonly UsedRange[];
  readonly ports: readonly number[];
}

/** Options of the verbs that take time. */
export interface LabOptions {
  /** Told what has been done, and what is waited for. */
  readonly onProgress?: (message: string) => void;
  /** Ends the waiting. What was made stays for the next `up` or `down`. */
  readonly signal?: AbortSignal | undefined;
}

/** A host as `status` shows it. */
export interface HostDescription {
  readonly name: string;
  readonly roles: readonly string[];
  readonly state: HostState;
  /** Its first process as the machine sees it: PID 1 of its namespaces, or QEMU; null while it is down. */
  readonly pid: number | null;
  /** Where its sshd listens for this machine. */
  readonly address: string;
  readonly port: number;
  readonly tunnelAddress: string;
  readonly links: Readonly<Partial<Record<LabNetwork, LinkState>>>;
}

/** A network of the lab. `bridge` is the machine's, null where the hosts' network is not the machine's. */
export interface NetworkDescription {
  readonly cidr: string;
  readonly bridge: string | null;
}

/** The networks as `status` shows them. `gateway` is this machine's address as hosts see it. */
export interface NetworkDescriptions {
  readonly management: NetworkDescription & { readonly gateway: string };
  readonly data: NetworkDescription & { readonly mtuBytes: number };
  readonly storage?: NetworkDescription & { readonly mtuBytes: number };
}

/** A text that a host has written, and its name. */
export interface HostLog {
  readonly title: string;
  readonly text: string;
}

/** A moment of a lab that it can be brought back to. */
export interface SnapshotDescription {
  readonly name: string;
  /** ISO 8601, UTC. */
  readonly takenAt: string;
  /** Hosts that were on, with the size of their memory's file; those that were off have none. */
  readonly hosts: readonly { readonly name: string; readonly memoryBytes: number | null }[];
}

/** What a driver that keeps moments of its labs can do. Errors are those of `lab/nested/snapshot.ts`. */
export interface LabSnapshots {
  list(): readonly SnapshotDescription[];
  take(name: string, options: LabOptions): Promise<SnapshotDescription>;
  restore(name: string, options: LabOptions): Promise<void>;
  remove(name: string): Promise<void>;
}

/** A host as its lab's record has it. */
export interface DrivenHost {
  readonly name: string;
  readonly roles: readonly HostRole[];
  /** Where its sshd listens for this machine. */
  readonly address: string;
  readonly port: number;
}

/** One lab, as its driver carries it. Everything of it follows from its record. */
export interface DrivenLab {
  readonly hosts: readonly DrivenHost[];
  readonly networks: NetworkDescriptions;
  /** What stacks read of the lab. */
  readonly inventory: Inventory;
  /** Name of the host of its Ceph. */
  readonly cephHost: string | undefined;
  /**
   * Takes what nothing else may take meanwhile. Runs once, when the record has been written, under the lock of the
   * machine's networks.
   */
  claim(): Promise<void>;
  /**
   * Brings up what is down.
   * @throws StackyardError `host-unsuitable` when a host does not start.
   */
  bringUp(options: LabOptions): Promise<void>;
  /**
   * The hosts as they are now.
   * @param known hosts that have got through their start are known to answer, as a moment ago, and are not asked again.
   */
  describeHosts(known?: "answering"): Promise<readonly HostDescription[]>;
  /** @throws StackyardError `invalid-input` for an action that the driver has not. */
  changePower(host: string, action: PowerAction, options: LabOptions): Promise<void>;
  /**
   * Pulls a host's cable, puts it back, or makes it bad. Gives how it is then.
   * @throws StackyardError `invalid-input` for what the driver cannot do to it.
   */
  setLink(host: string, network: LabNetwork, change: LinkChange): Promise<CableState>;
  /** The Unix socket of a host's serial console; absent where hosts have none. */
  readonly consoleSocket?: (host: string) => string;
  readLogs(host: string): Promise<readonly HostLog[]>;
  /** Absent where the driver has none. */
  readonly snapshots?: LabSnapshots;
  /** Ends processes, takes links and mounts away, and what is outside the lab's own folder. */
  remove(options: LabOptions): Promise<void>;
}
