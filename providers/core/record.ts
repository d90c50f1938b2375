import type { ResourceId } from "./ids.ts";
import type { JsonObject } from "./json.ts";

/** Where a record stands. `building` and `deleting` have a task that is running or can be resumed. */
export type RecordStatus = "building" | "active" | "error" | "deleting";

/** Whether a task on the resource has not ended: what is not there then is not there yet, or no more. */
export function isUnfinished({ status }: Pick<ResourceRecord, "status">): boolean {
  return status === "building" || status === "deleting";
}

/** One resource as the cloud knows it. */
export interface ResourceRecord<I = JsonObject, O = JsonObject> {
  readonly id: ResourceId;
  /** Type of its definition, e.g. `server`. */
  readonly type: string;
  /** Owning project; null for resources of the whole cloud. */
  readonly projectId: ResourceId | null;
  readonly name: string;
  /** Desired. */
  readonly inputs: I;
  /** Known so far; complete once `active`. */
  readonly outputs: Partial<O>;
  /** The inputs of the last task that ended well; absent before the first. */
  readonly applied?: I;
  readonly status: RecordStatus;
  /** Why it is in `error`. */
  readonly fault?: Fault;
  /** Who made it, e.g. a Pulumi URN: the same maker may take up its own unfinished create. */
  readonly maker?: string;
  /** The resource that made it for itself; absent for one that was declared. */
  readonly owner?: ResourceId;
  /** Grows with each write; compare-and-swap. */
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A failed task's error, as users may see it. */
export interface Fault {
  readonly code: string;
  readonly message: string;
  readonly at: string;
}
