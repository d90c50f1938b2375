import { listInterrupted, type Interrupted } from "../conductor/interrupted.ts";
import { describeError, hasCode } from "../core/errors.ts";
import type { ResourceId, TaskId } from "../core/ids.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { Definition } from "../core/resource.ts";
import type { Secret } from "../core/secret.ts";
import { updateRecord } from "../store/records.ts";
import { insertTask, runTask, supersedeTasks, type TaskServices } from "./task.ts";

/** What recovery works with. */
export interface RecoveryServices extends TaskServices {
  readonly definitions: readonly Definition[];
  /** One line for whoever runs the session. */
  readonly notify: (line: string) => void;
}

/** Raises `in-use` when something depends on the record. */
export type RefuseReferenced = (record: ResourceRecord) => void;

/**
 * Finishes what killed processes left, once a session: what was being created is taken back, what was being changed is brought to its end, what was
 * being removed is gone. It begins when the session's own work has ended for the first time: whoever repeats a broken run takes up what belongs to
 * it, and only the rest is left over. A session that changes nothing finishes nothing.
 */
export class Recovery {
  readonly #services: RecoveryServices;
  readonly #refuseReferenced: RefuseReferenced;
  #atWork = 0;
  #hasBegun = false;
  #isStopped = false;
  #run: Promise<void> = Promise.resolve();
  #current: { readonly id: ResourceId; readonly ended: Promise<void> } | undefined;

  constructor(services: RecoveryServices, refuseReferenced: RefuseReferenced) {
    this.#services = services;
    this.#refuseReferenced = refuseReferenced;
  }

  /** Runs work of the session's own on a resource, after what is being finished there. `tokenOf` gives the token to finish with. */
  async follow<T>(id: ResourceId, tokenOf: () => Secret, work: () => Promise<T>): Promise<T> {
    this.#atWork++;
    try {
      if (this.#current?.id === id) await this.#current.ended;
      return await work();
    } finally {
      this.#atWork--;
      if (this.#atWork === 0 && !this.#hasBegun && !this.#isStopped) {
        this.#hasBegun = true;
        this.#run = this.#finishAll(tokenOf);
      }
    }
  }

  /** Waits until nothing is being finished. */
  settle(): Promise<void> {
    return this.#run;
  }

  /** Begins nothing more. */
  stop(): void {
    this.#isStopped = true;
  }

  async #finishAll(tokenOf: () => Secret): Promise<void> {
    const { database, definitions, notify } = this.#services;
    try {
      const found = await database.transaction().execute((transaction) => listInterrupted(transaction));
      for (const interrupted of inOrder(found, definitions)) {
        if (this.#isStopped) return;
        const ended = this.#finish(interrupted, tokenOf());
        this.#current = { id: interrupted.record.id, ended };
        await ended;
      }
    } catch (error) {
      notify(`what earlier runs left could not be looked at: ${describeError(error)}`);
    } finally {
      this.#current = undefined;
    }
  }

  /** Never raises: what cannot be finished is told, and is left to `gc` or to the next session. */
  async #finish(interrupted: Interrupted, token: Secret): Promise<void> {
    const { notify } = this.#services;
    const { record, was } = interrupted;
    const what = `${record.type} ${JSON.stringify(record.name)}`;
    try {
      const taskId = await this.#takeUp(interrupted);
      if (taskId === undefined) return;
      notify(`an earlier run was killed in the ${was} of ${what}: ${consequences[was]}`);
      await runTask(this.#services, taskId, token, {});
    } catch (error) {
      if (this.#isStopped || hasCode(error, "wrong-state")) return;
      notify(
        `the ${was} of ${what}, which an earlier run began, could not be finished: ${describeError(error)}`,
      );
    }
  }

  /** Writes the task that finishes, unless somebody else was quicker. */
  async #takeUp({ record, was }: Interrupted): Promise<TaskId | undefined> {
    const { database } = this.#services;
    if (was !== "change") this.#refuseReferenced(record);
    const taskId = await database.transaction().execute(async (transaction) => {
      const [still] = await listInterrupted(transaction, record.id);
      if (still === undefined) return undefined;
      await supersedeTasks(transaction, record.id);
      if (was === "change") return insertTask(transaction, record, "reconcile");
      await updateRecord(transaction, record.id, { status: "deleting" }, new Date().toISOString());
      return insertTask(transaction, record, "remove");
    });
    await this.#services.mirror.refresh();
    return taskId;
  }
}

const consequences: Readonly<Record<Interrupted["was"], string>> = {
  creation: "taking it back",
  change: "finishing it",
  removal: "finishing it",
};

/** Changes first, each after what it refers to; then what goes, each before what it refers to. */
function inOrder(found: readonly Interrupted[], definitions: readonly Definition[]): readonly Interrupted[] {
  const rank = ({ record }: Interrupted): number => definitions.findIndex(({ type }) => type === record.type);
  const changes = found.filter(({ was }) => was === "change").toSorted((a, b) => rank(a) - rank(b));
  const goings = found.filter(({ was }) => was !== "change").toSorted((a, b) => rank(b) - rank(a));
  return [...changes, ...goings];
}
