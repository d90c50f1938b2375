import { StackyardError, type ErrorCode } from "../../providers/core/errors.ts";

/** A method of one of the ports, as faults and counts name it. */
export type ComputeMethod =
  | `hosts.${"enrol" | "observe" | "release"}`
  | `images.${"inspectDisk" | "inspectFile" | "ensureCached" | "observeCached" | "removeCached"}`
  | `switching.${"ensureNetwork" | "releaseNetwork" | "observeNetwork"}`
  | `domains.${"spawn" | "start" | "stop" | "reboot" | "remove" | "observe" | "readConsole" | "waitReady" | "lookAtForeign" | "takeOver" | "giveBack" | "attachVolume" | "detachVolume" | "resizeVolume" | "copyFiles" | "migrate" | "abortMigration"}`
  | `ceph.${"ensureTools" | "inspect" | "ensurePool" | "observePool" | "removePool" | "ensureUsers" | "removeUsers" | "ensureClient" | "observeClient" | "removeClient" | "fence"}`
  | `volumes.${"ensureVolume" | "observeVolume" | "removeVolume" | "removeHalfMade" | "ensureSnapshot" | "removeSnapshot" | "listChildren" | "flattenVolume" | "growVolume" | "attachEncryptor" | "detachEncryptor" | "listVolumes" | "importImage" | "findImage" | "removeImage"}`
  | `leftovers.${"list" | "listPool" | "remove"}`
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
  "domains.takeOver",
  "domains.giveBack",
  "domains.attachVolume",
  "domains.detachVolume",
  "domains.resizeVolume",
  "domains.copyFiles",
  "domains.migrate",
  "domains.abortMigration",
  "ceph.ensureTools",
  "ceph.ensurePool",
  "ceph.removePool",
  "ceph.ensureUsers",
  "ceph.removeUsers",
  "ceph.ensureClient",
  "ceph.removeClient",
  "ceph.fence",
  "volumes.ensureVolume",
  "volumes.removeVolume",
  "volumes.removeHalfMade",
  "volumes.ensureSnapshot",
  "volumes.removeSnapshot",
  "volumes.flattenVolume",
  "volumes.growVolume",
  "volumes.attachEncryptor",
  "volumes.detachEncryptor",
  "volumes.importImage",
  "volumes.removeImage",
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

/** Calls of the ports, counted, and the faults that strike them. */
export class Faults {
  readonly calls: ComputeCall[] = [];
  /** Called at both moments of every call: a test that kills its process does it here. */
  onMoment: (method: ComputeMethod, moment: Moment) => void = () => undefined;
  readonly #faults: Fault[] = [];
  #failing: { first: number; last: number; moment: Moment; code: ErrorCode } | undefined;

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

  /** A call comes in. Returns its number, from 1. */
  protected async begin(method: ComputeMethod, at: string, signal: AbortSignal): Promise<number> {
    const number = this.calls.push({ method, at });
    // Whatever reaches a host lets other work go on meanwhile.
    await new Promise((resolve) => setImmediate(resolve));
    if (signal.aborted) throw interruptedError(method);
    await this.strike(number, method, "before", at, signal);
    return number;
  }

  protected async strike(
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
}

function interruptedError(method: ComputeMethod): StackyardError {
  return new StackyardError("interrupted", { message: `${method} was interrupted` });
}
