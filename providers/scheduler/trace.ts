import type { WeigherName } from "./weigher.ts";

/** What one stage did: a filter by its name, `placement`, or `requested hosts` (ignored, forced, destination). */
export interface StageTrace {
  readonly name: string;
  /** Hosts that reached the stage. */
  readonly before: number;
  /** Names of the hosts that it took away. */
  readonly removed: readonly string[];
}

/** What one weigher made of one host: `contribution` is `multiplier * normalised`. */
export interface WeigherTrace {
  readonly weigher: WeigherName;
  readonly raw: number;
  readonly normalised: number;
  readonly multiplier: number;
  readonly contribution: number;
}

/** A host that passed, with the sum of its weights. */
export interface WeighedHost {
  readonly name: string;
  readonly weight: number;
  /** One for each weigher that told hosts apart or could have; empty for a single host, which is not weighed. */
  readonly parts: readonly WeigherTrace[];
}

/** One pass of filters and weighers: for an instance, or for the alternates of several. */
export interface RoundTrace {
  /** Id of the instance that the pass was made for. */
  readonly instanceId: string;
  readonly purpose: "choice" | "alternates";
  readonly stages: readonly StageTrace[];
  /** Best first; `null` unless asked for. */
  readonly weighed: readonly WeighedHost[] | null;
  /** The host chosen; `null` when none was left, and for alternates. */
  readonly chosen: string | null;
}

/** Why a request went where it went. */
export interface ScheduleTrace {
  readonly hosts: number;
  readonly rounds: readonly RoundTrace[];
}
