import type { Duplex } from "node:stream";
import type { JsonObject } from "./json.ts";
import type { Task } from "./record.ts";

/** What operators ask of a cloud beside its resources. Part of the facade; each call validates the token and authorises. */
export interface Operations {
  /**
   * What the scheduler would choose for servers like this, and why; claims and writes nothing. When no host is left, `selected` is
   * empty and the trace says why. Raises `unknown-reference`, `invalid-input`.
   */
  explainPlacement(query: PlacementQuery): Promise<PlacementAnswer>;
  /** What carries the cloud's mark on its hosts, but no record owns. Needs the admin role. */
  listLeftovers(signal?: AbortSignal): Promise<LeftoverListing>;
  /** Removes a leftover, after checking again that it has our mark and no record. Needs the admin role. */
  removeLeftover(leftover: Leftover, signal?: AbortSignal): Promise<void>;
  /**
   * A byte stream to a TCP port of a server, relayed by its host. Raises `wrong-state` when the server does not run or has no
   * address, `host-unreachable`, `not-ready` when nothing listens.
   */
  openGuestRelay(serverId: string, port: number, signal?: AbortSignal): Promise<Duplex>;
  /** The tasks of a resource with their steps, oldest first; those of a resource that is gone too. */
  journal(resourceId: string): Promise<readonly TaskJournal[]>;
}

/** Servers that might be built. Resources by id. */
export interface PlacementQuery {
  readonly flavor: string;
  readonly image?: string;
  readonly serverGroup?: string;
  readonly availabilityZone?: string;
  /** How many servers. */
  readonly count: number;
  /** Also give the weights of every host. */
  readonly weights: boolean;
}

/** Where they would go. */
export interface PlacementAnswer {
  /** One host for each server; empty when not all of them found one. */
  readonly selected: readonly PlacedHost[];
  /** For each server, the hosts that would be tried next. */
  readonly alternates: readonly (readonly PlacedHost[])[];
  readonly trace: PlacementTrace;
}

export interface PlacedHost {
  readonly hostId: string;
  readonly name: string;
}

/** Why: each pass of filters and weighers. */
export interface PlacementTrace {
  /** Hosts of the cloud. */
  readonly hosts: number;
  readonly rounds: readonly PlacementRound[];
}

export interface PlacementRound {
  readonly purpose: "choice" | "alternates";
  /** Filters in their order: hosts that reached it, and names of those that it took away. */
  readonly stages: readonly {
    readonly name: string;
    readonly before: number;
    readonly removed: readonly string[];
  }[];
  /** Best first, when weights were asked for. `contribution` is `multiplier * normalised`. */
  readonly weighed:
    | readonly {
        readonly name: string;
        readonly weight: number;
        readonly parts: readonly {
          readonly weigher: string;
          readonly raw: number;
          readonly normalised: number;
          readonly multiplier: number;
          readonly contribution: number;
        }[];
      }[]
    | undefined;
  readonly chosen: string | undefined;
}

/** Something on a host that is ours and that no record owns. */
export interface Leftover {
  /** Name of the host. */
  readonly host: string;
  /** `domain`, `server folder`, `image`, `tunnel`, … */
  readonly kind: string;
  readonly id: string;
  readonly description: string;
}

export interface LeftoverListing {
  readonly leftovers: readonly Leftover[];
  /** Hosts that could not be asked. What is on them is not known. */
  readonly unreachable: readonly { readonly host: string; readonly message: string }[];
}

/** A task with what its journal holds. */
export interface TaskJournal {
  readonly id: string;
  readonly kind: Task["kind"];
  readonly state: Task["state"];
  readonly createdAt: string;
  readonly finishedAt?: string;
  /** Why it failed: code and message. */
  readonly error?: JsonObject;
  readonly entries: readonly JournalEntry[];
}

export interface JournalEntry {
  readonly step: string;
  /** Before a step, after it, when it failed, and when it was taken back. */
  readonly phase: "intent" | "result" | "failure" | "undo";
  readonly at: string;
  readonly detail?: string;
}
