import { StackyardError } from "../core/errors.ts";
import type { JsonObject, JsonValue } from "../core/json.ts";
import { isJsonList } from "./json-value.ts";
import type { NumaDemand } from "./numa.ts";
import type { PciRequest } from "./pci.ts";

/** The flavor asked for. Sizes of 0 ask for nothing. */
export interface RequestedFlavor {
  readonly id: string;
  readonly name: string;
  readonly vcpus: number;
  readonly ramMib: number;
  readonly rootGib: number;
  readonly ephemeralGib: number;
  readonly swapMib: number;
  readonly extraSpecs: Readonly<Record<string, string>>;
}

/** The image asked for, with its properties by Glance's names. */
export interface RequestedImage {
  readonly id: string | null;
  readonly properties: JsonObject;
}

/** The server group that the instances belong to. */
export interface ServerGroup {
  readonly id: string;
  readonly policy: "affinity" | "anti-affinity" | "soft-affinity" | "soft-anti-affinity";
  /** Rule `max_server_per_host` of an anti-affinity group, default 1. */
  readonly maxServerPerHost: number;
  /** Ids of all members; those of the instances to place belong here too. */
  readonly members: readonly string[];
  /** Names of hosts that have members. */
  readonly hosts: readonly string[];
}

/** Where an operator or a move wants the instance. */
export interface RequestedDestination {
  readonly host: string | null;
  readonly node: string | null;
  readonly cell: string | null;
  readonly allowCrossCellMove: boolean;
}

/** What is asked of the scheduler: plain data (nova: objects/request_spec.py RequestSpec). */
export interface RequestSpec {
  readonly projectId: string;
  /** One host is chosen for each, all or none. */
  readonly instanceIds: readonly string[];
  readonly flavor: RequestedFlavor;
  readonly image: RequestedImage | null;
  /** The root disk is a volume, so that it takes no disk of the host. */
  readonly bootFromVolume: boolean;
  readonly availabilityZone: string | null;
  /** Scheduler hints by Nova's names: `same_host`, `different_host`, `build_near_host_ip`, `cidr`, `query`. */
  readonly hints: JsonObject;
  readonly group: ServerGroup | null;
  /** Names of the hosts that reach the storage of its root disk; `null`: all do. */
  readonly storageHosts: readonly string[] | null;
  /** Names, compared without case. */
  readonly ignoreHosts: readonly string[];
  /** Names, compared without case. Forced hosts skip the filters. */
  readonly forceHosts: readonly string[];
  readonly forceNodes: readonly string[];
  readonly destination: RequestedDestination | null;
  /** Hosts where this request has failed already; read by RetryFilter only. */
  readonly triedHosts: readonly { readonly name: string; readonly nodename: string }[];
  readonly pciRequests: readonly PciRequest[];
  readonly numa: NumaDemand | null;
  /**
   * Only checks whether the image may be rebuilt where the instance is: no placement, and only the filters that look at
   * the image.
   */
  readonly rebuild: boolean;
}

/** The request as filters and weighers see it: for one of its instances, after those before it were placed. */
export interface InstanceRequest extends RequestSpec {
  readonly instanceId: string;
}

/** A request with everything left out that is optional. */
export function requestSpecFrom(
  given: Pick<RequestSpec, "projectId" | "instanceIds"> &
    Partial<Omit<RequestSpec, "flavor">> & {
      readonly flavor: Pick<RequestedFlavor, "name" | "vcpus" | "ramMib"> & Partial<RequestedFlavor>;
    },
): RequestSpec {
  return {
    image: null,
    bootFromVolume: false,
    availabilityZone: null,
    hints: {},
    group: null,
    storageHosts: null,
    ignoreHosts: [],
    forceHosts: [],
    forceNodes: [],
    destination: null,
    triedHosts: [],
    pciRequests: [],
    numa: null,
    rebuild: false,
    ...given,
    flavor: {
      id: given.flavor.name,
      rootGib: 0,
      ephemeralGib: 0,
      swapMib: 0,
      extraSpecs: {},
      ...given.flavor,
    },
  };
}

/** A hint; a list of one is that one (nova: RequestSpec.get_scheduler_hint). */
function hintOf(request: RequestSpec, name: string): JsonValue | undefined {
  const hint = request.hints[name];
  return isJsonList(hint) && hint.length === 1 ? hint[0] : hint;
}

/** A hint that lists ids: one or several. */
export function hintedIds(request: RequestSpec, name: string): readonly string[] {
  const hint = hintOf(request, name);
  if (typeof hint === "string") return hint === "" ? [] : [hint];
  return isJsonList(hint) ? hint.filter((id): id is string => typeof id === "string") : [];
}

/** A hint that is one text; `undefined` when it is absent or empty. Raises `invalid-input` for anything else. */
export function hintedText(request: RequestSpec, name: string): string | undefined {
  const hint = hintOf(request, name);
  if (hint === undefined || hint === null || hint === "") return undefined;
  if (typeof hint === "string") return hint;
  throw new StackyardError("invalid-input", {
    message: `the hint ${name} must be one text`,
    field: `hints.${name}`,
    value: hint,
  });
}
