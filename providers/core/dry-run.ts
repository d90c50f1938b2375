import type { ResourceId } from "./ids.ts";
import type { HostPorts } from "./ports.ts";

/** A command that would run on a host. It holds no secret: those go by standard input, of which only the length is told. */
export interface NotedCommand {
  /** Name of the host. */
  readonly host: string;
  /** What it is for: `build server …`. */
  readonly purpose: string;
  /** Text for the host's shell. */
  readonly command: string;
  /** What it would read, bytes; absent where that is not known before. */
  readonly inputBytes?: number;
}

/** A domain as it would be defined. */
export interface NotedDomain {
  /** Name of the host. */
  readonly host: string;
  readonly id: ResourceId;
  readonly xml: string;
}

/** Ports that look at hosts, and note what they would do to them instead of doing it. */
export interface DryRun {
  readonly ports: HostPorts;
  /** So far, in order. */
  readonly commands: readonly NotedCommand[];
  readonly domains: readonly NotedDomain[];
}
