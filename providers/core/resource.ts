import type { z } from "zod";
import type { ChangeLabel } from "./change.ts";
import { StackyardError, type ErrorCode } from "./errors.ts";
import type { Exclusive, Together } from "./exclusive.ts";
import type { CloudId, ResourceId, TaskId } from "./ids.ts";
import type { JsonObject } from "./json.ts";
import type { Ports } from "./ports.ts";
import type { QuotaName, QuotaUse } from "./quota.ts";
import type { RecordStatus, ResourceRecord } from "./record.ts";
import type { FlowStepNumber } from "./trace.ts";

/** Something about a resource that is not as declared. */
export interface Drift {
  /** Input or output path it concerns. */
  readonly field: string;
  readonly expected: string;
  readonly found: string;
  /** What the next apply does about it, in the third person: `starts it`. */
  readonly repair: string;
  /** What that does to a running server. Absent where the apply leaves it as it is, or stops at it. */
  readonly label?: ChangeLabel;
  /** Name of the host it was found on. */
  readonly host?: string;
}

/** What the world says of a resource. `undefined` in its place means: proved absent. */
export interface Observation<I, O> {
  /** Inputs as found, where they can be read back and differ from the record. */
  readonly inputs?: Partial<I>;
  readonly outputs?: Partial<O>;
  readonly drift: readonly Drift[];
}

/** A value that only one resource may hold, e.g. an address in a subnet. Held as long as the record lives. */
export interface Reservation {
  /** What is reserved: `address`, `mac`, `vni`, … */
  readonly kind: string;
  /** Within what it is unique: a subnet's id, a network's id, or `cloud`. */
  readonly scope: string;
  readonly value: string;
  /** Input path to blame when it is taken. */
  readonly field: string;
}

/** What is wrong with a field within the one that a rule is about. */
export interface Violation {
  /** Input path: `networks.0.address`. */
  readonly field: string;
  readonly problem: string;
}

/** A check that involves several fields or other resources. It describes itself in the docs. */
export interface Rule<I> {
  /** Code of the error. Default `invalid-input`. */
  readonly code?: ErrorCode;
  /** Input path to blame. */
  readonly field: string;
  /** What must hold, as shown to the user. */
  readonly says: string;
  /** Top-level inputs that it reads; it is skipped while one of them is unknown. */
  readonly reads: readonly string[];
  readonly remedy?: string;
  /** `undefined` when it holds, else what is wrong: with the field, or with a field in it. */
  violated(inputs: I, context: CompletionContext): string | Violation | undefined;
}

/** The cloud's resources as they are, and in a preview as they will be. Reads only. */
export interface World {
  find(type: string, id: string): WorldEntry | undefined;
  all(type: string): readonly WorldEntry[];
  /** Who holds a reserved value. */
  holder(kind: string, scope: string, value: string): ResourceId | undefined;
}

/** A stored or planned resource. */
export interface WorldEntry {
  readonly id: ResourceId;
  readonly type: string;
  readonly name: string;
  readonly projectId: ResourceId | null;
  readonly inputs: JsonObject;
  readonly outputs: JsonObject;
  /** Absent while the resource is only planned. */
  readonly status?: RecordStatus;
  /** The resource that made it for itself. */
  readonly owner?: ResourceId;
}

/** The resource of this id, which another refers to in `field`. Raises `unknown-reference` when it is not there any more. */
export function requireEntry(type: string, id: string, world: World, field?: string): WorldEntry {
  const entry = world.find(type, id);
  if (entry !== undefined) return entry;
  throw new StackyardError("unknown-reference", {
    message: `${type} ${id} does not exist any more`,
    ...(field === undefined ? {} : { field }),
    value: id,
  });
}

/** What `complete` may use to fill unset inputs. */
export interface CompletionContext {
  /** The resource's id: identity derived from it is the same in preview and apply. */
  readonly id: ResourceId;
  readonly world: World;
}

/** What a resource makes for itself: records of their own, whose flows are part of its task. */
export interface OwnedRecords {
  /**
   * Makes the record of this id, or changes inputs of the one that is there, and carries out the flow of its definition. Repeatable. Raises what its steps
   * raise, and `conflict` where another resource has the id, or a value that it reserves.
   */
  ensure(type: string, id: ResourceId, inputs: JsonObject): Promise<void>;
  /** Carries out its removal. Repeatable. Raises what its steps raise. */
  remove(id: ResourceId): Promise<void>;
  /** Leaves it to the project, as a resource that was declared, with these outputs beside those it has. Repeatable. */
  release(id: ResourceId, outputs: JsonObject): Promise<void>;
}

/** What a step of a flow is given. */
export interface StepContext<I, O> {
  readonly record: ResourceRecord<I, O>;
  readonly inputs: I;
  /** Outputs so far, those of earlier steps included. */
  readonly outputs: Partial<O>;
  readonly ports: Ports;
  /** Resources this one refers to. */
  readonly world: World;
  readonly signal: AbortSignal;
  readonly cloudId: CloudId;
  readonly taskId: TaskId;
  /** Validates the caller's token anew, as each service does. Raises `unauthenticated`. */
  readonly validateToken: () => Promise<void>;
  /** Runs work that must not overlap with other work of the same key, in any process on the store. The wait ends with the task's signal. */
  readonly exclusive: Exclusive;
  /**
   * Like {@link StepContext.exclusive}, for work that does the same for all who ask for it with one purpose: those of this process who come before
   * it begins share one run, and its failure.
   */
  readonly together: Together;
  readonly owned: OwnedRecords;
  /** One line for whoever waits. */
  readonly progress: (line: string) => void;
  /** Times a step of the 29 and records it. */
  readonly trace: <T>(number: FlowStepNumber, work: () => Promise<T> | T) => Promise<T>;
}

/** One named, repeatable step: observe, ensure, sync. Its `undo` takes back what an abandoned create must not leave. */
export interface Step<I, O> {
  readonly name: string;
  /** Which service carries it out. Default `conductor`. */
  readonly on?: "conductor" | "compute";
  /** A failure here leaves what is built: the record goes to `error`, and the next apply goes on. */
  readonly keepOnFailure?: boolean;
  /** When a later step fails for the host's sake, the flow is undone to here and goes on from here, on another host. */
  readonly reschedulesHere?: boolean;
  /** A failure here tries another host, but is none of this host's failed builds. */
  readonly sparesHost?: boolean;
  /** Returns outputs to record; they are committed with the journal's entry. */
  run(context: StepContext<I, O>): Promise<Partial<O> | undefined>;
  undo?(context: StepContext<I, O>): Promise<void>;
}

/** Something to do with a resource that is no change of its inputs: reboot, read the console, … */
export type Action<I, O> = PlainAction<I, O> | TaskAction<I, O>;

/** What any action has. */
interface ActionHead {
  readonly doc: string;
  readonly input: z.ZodObject;
  /** Role that it needs. Default `member`. */
  readonly role?: "reader" | "member" | "admin";
}

/** One that is done within the call. Of the record it changes what looking at the resource finds. */
export interface PlainAction<I, O> extends ActionHead {
  run(context: StepContext<I, O>, input: JsonObject): Promise<JsonObject>;
}

/** One that changes outputs: a task, with steps, journal and lease as an apply has them. */
export interface TaskAction<I, O> extends ActionHead {
  /** Checks, changes nothing, and returns the intent: outputs that are written with the task. What it raises refuses the action. */
  begin(context: StepContext<I, O>, input: JsonObject): Promise<Partial<O>>;
  readonly steps: readonly Step<I, O>[];
  /**
   * Brings what a step that failed has left to one of its ends, whichever it is nearer to. Repeatable: after a crash the steps of `reconcile` and `remove` call it.
   * Returns outputs to record.
   */
  settle(context: StepContext<I, O>): Promise<Partial<O> | undefined>;
  answer(outputs: Partial<O>): JsonObject;
}

/** The action of this name, if there is one. Names come from outside, and every object has a `constructor`. */
export function findAction<I, O>(
  { actions = {} }: Pick<Definition<I, O>, "actions">,
  name: string,
): Action<I, O> | undefined {
  return Object.hasOwn(actions, name) ? actions[name] : undefined;
}

/** A resource type: what it looks like, and its life. No part of it knows an engine. */
export interface Definition<I = JsonObject, O = JsonObject> {
  /** Whether the one in its place needs something real that it holds, as a machine is one host: replaced, the old one goes first. Default false. */
  readonly goesFirst?: boolean;
  /** Singular, kebab-case: `server-group`. */
  readonly type: string;
  readonly plural: string;
  /** OpenStack service it belongs to. */
  readonly service: "identity" | "compute" | "image" | "network" | "block-storage";
  /** One sentence. */
  readonly summary: string;
  /** `cloud`: needs the admin role; `project`: belongs to a project. */
  readonly scope: "cloud" | "project";
  readonly inputs: z.ZodObject;
  readonly outputs: z.ZodObject;
  readonly rules: readonly Rule<I>[];
  /** Codes of the errors of its steps and of looking at it, for the docs; those that follow from the rest of the definition are not repeated. */
  readonly raises?: readonly ErrorCode[];
  readonly actions?: Readonly<Record<string, Action<I, O>>>;
  /** Fills unset inputs, purely. Called with inputs that may still miss unknown ones. */
  complete?(inputs: Partial<I>, context: CompletionContext): Partial<I>;
  reservations?(inputs: I, id: ResourceId): readonly Reservation[];
  /** What a resource takes of its project's quotas. */
  readonly quotas?: Readonly<Partial<Record<QuotaName, QuotaUse<I>>>>;
  /** Ids of resources that must not be removed before this one. Derived from `references` fields when absent. */
  readonly reconcile: readonly Step<I, O>[];
  readonly remove: readonly Step<I, O>[];
  /** Whether what a resource has made for itself stays when it is removed. Default: it goes too. */
  keepsOwned?(record: Pick<ResourceRecord<I, O>, "inputs" | "outputs">): boolean;
  /** Absent for resources that are nothing but their record. */
  observe?(context: StepContext<I, O>): Promise<Observation<I, O> | undefined>;
}

/** Gives a definition the types of its own schemas. */
export function defineResource<In extends z.ZodObject, Out extends z.ZodObject>(
  definition: Definition<z.infer<In>, z.infer<Out>> & { readonly inputs: In; readonly outputs: Out },
): Definition<z.infer<In>, z.infer<Out>> & { readonly inputs: In; readonly outputs: Out } {
  return definition;
}
