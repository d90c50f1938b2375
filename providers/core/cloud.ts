import type { AdoptionPreview, AdoptionRequest } from "./adoption.ts";
import type { ChangeLabel } from "./change.ts";
import type { ErrorCode, StackyardError } from "./errors.ts";
import type { HostAddress } from "./host.ts";
import type { PreviewDetail } from "./preview-detail.ts";
import type { ResourceId } from "./ids.ts";
import type { JsonObject, JsonValue } from "./json.ts";
import type { NotedCommand } from "./dry-run.ts";
import type { ResourceRecord } from "./record.ts";
import type { Drift } from "./resource.ts";
import type { Secret } from "./secret.ts";
import type { TraceEvent } from "./trace.ts";

/** What a user logs in with (keystone: POST /v3/auth/tokens, method password). */
export interface Credentials {
  readonly username: string;
  readonly password: Secret;
  /** Project by name or id; default: the user's only or default project. */
  readonly project?: string;
}

/** A wrong input, by path. */
export interface Issue {
  readonly code: ErrorCode;
  readonly field: string;
  readonly message: string;
  readonly value?: JsonValue;
  readonly remedy?: string;
}

/** One field that differs, and what changing it does. */
export interface FieldChange {
  readonly field: string;
  readonly from: JsonValue | undefined;
  readonly to: JsonValue | undefined;
  readonly label: ChangeLabel;
}

/** What applying would do. `label` is the worst of the fields'; absent when nothing changes. */
export interface Change {
  readonly action: "create" | "update" | "replace" | "none";
  readonly label?: ChangeLabel;
  readonly fields: readonly FieldChange[];
}

/** What a caller plans for one resource. */
export interface PlanRequest {
  readonly type: string;
  /** Inputs without the unknown ones. */
  readonly inputs: JsonObject;
  /** Top-level inputs whose value is not known yet. */
  readonly unknown?: readonly string[];
  /** Inputs of the last apply, for a resource that exists. */
  readonly prior?: JsonObject;
  /** Maker's own name for the resource (Pulumi: URN). A new resource's id follows from it; `undefined` while it is not known, as then the id. */
  readonly maker: string | undefined;
  /** Name if the inputs give none. */
  readonly defaultName: string;
}

/** The answer: completed inputs, or what is wrong with them. */
export interface Planned {
  /** Defaults and derived identity filled in; `id` among them, unless it depends on an unknown. */
  readonly inputs: JsonObject;
  readonly issues: readonly Issue[];
  readonly change: Change;
}

export interface ApplyRequest extends WaitOptions {
  readonly type: string;
  /** Inputs as {@link Cloud.plan} completed them. */
  readonly inputs: JsonObject;
  readonly maker: string;
  readonly defaultName: string;
}

/** A resource after a task, or as read. */
export interface ResourceView {
  readonly id: ResourceId;
  readonly type: string;
  readonly record: ResourceRecord;
  /** Inputs as found; equal to the record's when nothing drifted. */
  readonly inputs: JsonObject;
  readonly outputs: JsonObject;
  readonly drift: readonly Drift[];
}

export interface ReadOptions {
  /** Ask the hosts too. Default true; false answers from the record. */
  readonly observe?: boolean;
  readonly signal?: AbortSignal;
}

/** How a caller waits. */
export interface WaitOptions {
  /** One line for each step, and for what it waits for. */
  readonly onProgress?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** A question to the scheduler that places nothing. */
export interface PlacementQuestion {
  /** Ids or names. */
  readonly flavor: string;
  readonly image?: string;
  readonly serverGroup?: string;
  readonly availabilityZone?: string;
  readonly hints?: Readonly<Record<string, string>>;
  /** How many servers. Default 1. */
  readonly count?: number;
}

/** The scheduler's answer, with its reasons. */
export interface PlacementAnswer {
  /** Host names, one a server; empty when not all found one. */
  readonly selected: readonly string[];
  /** What each filter removed and what each host weighs, line by line. */
  readonly explanation: readonly string[];
}

/** Hears the names of the hosts that are waited for: at first of all, then whenever one answers, until none is left. */
export type OnWaiting = (hosts: readonly string[]) => void;

/** What is looked for drift. */
export interface DriftOptions extends LookOptions {
  /** One resource. Default: every one that the user may read. */
  readonly resource?: { readonly type: string; readonly id: string };
  /** Read the files of images on hosts whole, and compare their checksums. Default false: sizes and times of change tell. */
  readonly deep?: boolean;
}

/** A resource as reports name it. */
export interface ResourceName {
  readonly type: string;
  readonly id: ResourceId;
  readonly name: string;
}

/** One thing that is not as declared, and whose. */
export interface DriftFinding extends Drift {
  readonly resource: ResourceName;
}

/** What a process was at when it ended before its work did. */
export type InterruptedWork = "creation" | "change" | "removal";

/** A resource whose task was broken off by the end of its process: nobody is at work on it. */
export interface Interruption {
  readonly resource: ResourceName;
  readonly was: InterruptedWork;
}

/** Why resources could not be looked at. Says nothing of how they are. */
export interface DriftFailure {
  /** Name of the host that did not answer; absent where it is not a host's. */
  readonly host?: string;
  readonly error: StackyardError;
  readonly resources: readonly ResourceName[];
}

export interface DriftReport {
  /** How many resources the hosts were asked about, those of failures included. */
  readonly checked: number;
  /** How many resources were left out since a task is making, changing or removing them. */
  readonly inWork: number;
  /** Resources that were left out since a task on them was broken off, and nothing is at work on them. */
  readonly interrupted: readonly Interruption[];
  readonly findings: readonly DriftFinding[];
  readonly failures: readonly DriftFailure[];
}

/** Where a server would be, and why there. */
export interface PlacementPreview {
  /** Name of the host; absent when there is none for it. */
  readonly host?: string;
  /** Whether it is there already, so that nothing was chosen. */
  readonly isKept: boolean;
  /** How many hosts there were to choose from. */
  readonly hosts: number;
  /** What each filter took away, in their order. */
  readonly filters: readonly {
    readonly name: string;
    /** Hosts that reached it. */
    readonly before: number;
    readonly removed: number;
  }[];
}

/** A domain that would be defined. */
export interface DomainPreview {
  readonly host: string;
  /** Name of its server. */
  readonly name: string;
  /** XML that it was defined with; absent for a new one. */
  readonly before?: string;
  readonly after: string;
}

/** A command that would run on a host. */
export interface CommandPreview extends NotedCommand {
  /** Step of the flow that it belongs to. */
  readonly step: string;
}

/** A plan, and what carrying it out would do on the hosts. */
export interface Preview extends Planned {
  readonly placement?: PlacementPreview;
  readonly domains: readonly DomainPreview[];
  readonly commands: readonly CommandPreview[];
  /** Where the preview ends before the flow does, and why. */
  readonly incomplete?: { readonly step: string; readonly error: StackyardError };
}

/** What a task does: of an action, which one. */
export type TaskKind = "reconcile" | "remove" | `act ${string}`;

/** One entry of a task's journal. */
export interface JournalEntry {
  readonly taskId: string;
  readonly kind: TaskKind;
  readonly state: "pending" | "running" | "succeeded" | "failed";
  readonly step: string;
  /** `intent` before a step, `result` after it, `failure`, `undo` when it was taken back. */
  readonly phase: string;
  readonly at: string;
  readonly detail: string | undefined;
}

/** Something on a host, or in the store, that carries this cloud's mark and that no record owns. */
export interface Leftover {
  readonly hostId: string | undefined;
  readonly host: string;
  /** As a marked thing has it, such as `server`, `volume` or `rbd-image`; or `record`. */
  readonly kind: string;
  readonly id: string;
  readonly description: string;
  /** Of a `record`: whose it is, and what was broken off. */
  readonly interruption?: Interruption;
}

/** A host that did not answer. */
export interface HostFailure {
  readonly host: string;
  readonly error: StackyardError;
}

/** What no record owns, as far as hosts answered. */
export interface LeftoverReport {
  readonly leftovers: readonly Leftover[];
  /** Nothing is known of what is on these. */
  readonly failures: readonly HostFailure[];
}

/** How hosts are looked at. */
export interface LookOptions {
  readonly signal?: AbortSignal;
  readonly onWaiting?: OnWaiting;
}

/** How to reach a guest through its host. */
export interface GuestAccess {
  readonly host: HostAddress;
  readonly address: string;
  /** Command for the host's shell that relays standard input and output to the guest's SSH port. */
  readonly relayCommand: string;
}

/** A logged-in user's way to the cloud: the one facade that every engine uses. Each call validates the token and authorises. */
export interface Cloud {
  /** How much of a preview engines tell beside their plans: the user's setting. */
  readonly previewDetail: PreviewDetail;
  /** Validates and completes inputs and says what applying them would do. Writes nothing anywhere. */
  plan(request: PlanRequest): Promise<Planned>;
  /**
   * A plan, and what applying it would do on the hosts: the flow itself over ports that note their commands. Looks at hosts and writes nothing
   * anywhere. Who does not administer the cloud is not told of hosts.
   */
  preview(request: PlanRequest, signal?: AbortSignal): Promise<Preview>;
  /** Creates, changes or repairs. Waits until the task has ended. */
  apply(request: ApplyRequest): Promise<ResourceView>;
  /** `undefined` when there is no such resource; an unreachable host is an error. */
  read(type: string, id: string, options?: ReadOptions): Promise<ResourceView | undefined>;
  /**
   * What is not as declared, of one resource or of all that the user may read, in one round trip a host. A host that does not answer is a failure in
   * the report; what the others say is there.
   */
  drift(options?: DriftOptions): Promise<DriftReport>;
  /**
   * What making a server of a domain that others made would do. Looks at the host and writes nothing anywhere. Raises what keeps the domain from being
   * adopted. For administrators.
   */
  previewAdoption(request: AdoptionRequest, signal?: AbortSignal): Promise<AdoptionPreview>;
  /** Does that: the domain becomes a server under its own uuid. One that was broken off is taken up. For administrators. */
  adopt(request: AdoptionRequest, options?: WaitOptions): Promise<ResourceView>;
  /** Removes; absent is fine. Waits until it is gone. */
  remove(type: string, id: string, options?: WaitOptions): Promise<void>;
  list(type: string): Promise<readonly ResourceView[]>;
  /** Resource by id, or by name within the caller's project. Raises `not-found`, or `conflict` when the name is ambiguous. */
  find(type: string, idOrName: string): Promise<ResourceView>;
  /** Runs one of the definition's actions. Raises `wrong-state` while the resource is built, changed or removed. */
  act(
    type: string,
    id: string,
    action: string,
    input: JsonObject,
    options?: WaitOptions,
  ): Promise<JsonObject>;
  /** Steps of the last build of a server, in the order of their number. */
  trace(serverId: string): Promise<readonly TraceEvent[]>;
  /** Where a server would be placed, and why. For administrators: the answer names hosts, and tells how full they are (placement: allocation candidates). */
  explainPlacement(question: PlacementQuestion): Promise<PlacementAnswer>;
  /** What was done to a resource, removed ones included, oldest first. */
  journal(id: string): Promise<readonly JournalEntry[]>;
  /** What no record owns, on all hosts that answer, and in the store. */
  listLeftovers(options?: LookOptions): Promise<LeftoverReport>;
  removeLeftover(leftover: Leftover, signal?: AbortSignal): Promise<void>;
  guestAccess(serverId: string): Promise<GuestAccess>;
  /** Ends the login: its token is no longer valid. */
  revoke(): Promise<void>;
  /** Deletes expired tokens; returns how many. */
  flushTokens(): Promise<number>;
  /**
   * Ends the session: stops workers, closes connections. A task in work is left for the next session to finish. What this one is finishing for an
   * earlier one it finishes first, unless it is to end `now`.
   */
  close(options?: { readonly now?: boolean }): Promise<void>;
}
