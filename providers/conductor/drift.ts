import { valueOf, type Answer } from "../core/answer.ts";
import type { HostFailure, OnWaiting } from "../core/cloud.ts";
import { toStackyardError, type StackyardError } from "../core/errors.ts";
import type { HostAddress } from "../core/host.ts";
import type { JsonObject } from "../core/json.ts";
import type { HostAnswers, HostPorts, HostQuestions, ScanPort } from "../core/ports.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { Definition, Observation, StepContext } from "../core/resource.ts";
import { askHosts } from "./host-waits.ts";

/** What the hosts say of a resource, or why they do not. `observation` is `undefined` for one that is proved absent. */
export type Observed =
  | {
      readonly record: ResourceRecord;
      readonly observation: Observation<JsonObject, JsonObject> | undefined;
    }
  | { readonly record: ResourceRecord; readonly error: StackyardError };

/**
 * Observes resources as each would be alone, in one round trip a host: their definitions' own `observe` is given ports that gather what is asked of
 * each host, and ask it once.
 */
export async function observeTogether(
  records: readonly ResourceRecord[],
  {
    scan,
    ports,
    definitionOf,
    contextOf,
    deep,
    signal,
    onWaiting,
  }: {
    readonly scan: ScanPort;
    readonly ports: HostPorts;
    readonly definitionOf: (type: string) => Definition;
    /** The context that the record's `observe` is given, but for the ports. */
    readonly contextOf: (record: ResourceRecord, ports: HostPorts) => StepContext<JsonObject, JsonObject>;
    /** Read files of images whole. */
    readonly deep: boolean;
    readonly signal: AbortSignal;
    readonly onWaiting: OnWaiting | undefined;
  },
): Promise<{ readonly observed: readonly Observed[]; readonly failures: readonly HostFailure[] }> {
  const gathering = new Gathering(scan, deep, signal, onWaiting);
  const gathered = gathering.over(ports);
  const observed = await Promise.all(
    records.map(async (record): Promise<Observed> => {
      try {
        const observation = await definitionOf(record.type).observe?.(contextOf(record, gathered));
        return { record, observation };
      } catch (error) {
        return { record, error: toStackyardError(error, `observing ${record.type} ${record.name}`) };
      }
    }),
  );
  signal.throwIfAborted();
  return { observed, failures: gathering.failures };
}

/** Questions to one host, and where each answer goes. */
interface Batch {
  readonly address: HostAddress;
  readonly questions: { -readonly [Kind in keyof HostQuestions]: HostQuestions[Kind][number][] };
  readonly answered: PromiseWithResolvers<HostAnswers>;
}

/** Gathers the questions of one turn of the event loop, and asks each host once. */
class Gathering {
  readonly failures: HostFailure[] = [];
  readonly #scan: ScanPort;
  readonly #deep: boolean;
  readonly #signal: AbortSignal;
  readonly #onWaiting: OnWaiting | undefined;
  #batches = new Map<string, Batch>();

  constructor(scan: ScanPort, deep: boolean, signal: AbortSignal, onWaiting: OnWaiting | undefined) {
    this.#scan = scan;
    this.#deep = deep;
    this.#signal = signal;
    this.#onWaiting = onWaiting;
  }

  /** The ports, with observations that are gathered. */
  over({ hosts, domains, switching, images, ceph, volumes }: HostPorts): HostPorts {
    const deep = this.#deep;
    return {
      hosts: {
        ...hosts,
        observe: (request) =>
          this.#ask(
            request.address,
            ({ enrolments }) => enrolments.push(request),
            ({ enrolments }, index) => enrolments[index],
          ),
      },
      domains: {
        ...domains,
        observe: (host, spec) =>
          this.#ask(
            host.address,
            (questions) => questions.domains.push({ host, spec }),
            (answers, index) => answers.domains[index],
          ),
      },
      switching: {
        ...switching,
        observeNetwork: (host, network, peers, ports) =>
          this.#ask(
            host.address,
            ({ networks }) => networks.push({ host, network, peers, ports }),
            ({ networks }, index) => networks[index],
          ),
      },
      images: {
        ...images,
        observeCached: (host, image) =>
          this.#ask(
            host.address,
            (questions) => questions.images.push({ host, image, deep }),
            (answers, index) => answers.images[index],
          ),
      },
      ceph: {
        ...ceph,
        observeClient: (host, cluster) =>
          this.#ask(
            host.address,
            ({ cephClients }) => cephClients.push({ host, cluster }),
            ({ cephClients }, index) => cephClients[index],
          ),
      },
      volumes: {
        ...volumes,
        observeVolume: (host, volume) =>
          this.#ask(
            host.address,
            (questions) => questions.volumes.push({ host, volume }),
            (answers, index) => answers.volumes[index],
          ),
      },
    };
  }

  async #ask<T>(
    address: HostAddress,
    put: (questions: Batch["questions"]) => number,
    take: (answers: HostAnswers, index: number) => Answer<T> | undefined,
  ): Promise<T> {
    const batch = this.#batchOf(address);
    const index = put(batch.questions) - 1;
    return valueOf(take(await batch.answered.promise, index));
  }

  #batchOf(address: HostAddress): Batch {
    const key = JSON.stringify(address);
    const known = this.#batches.get(key);
    if (known !== undefined) return known;
    if (this.#batches.size === 0) setImmediate(() => this.#send());
    const questions = { enrolments: [], domains: [], networks: [], images: [], cephClients: [], volumes: [] };
    const batch = { address, questions, answered: Promise.withResolvers<HostAnswers>() };
    this.#batches.set(key, batch);
    return batch;
  }

  #send(): void {
    const batches = [...this.#batches.values()];
    this.#batches = new Map();
    void askHosts(batches, {
      nameOf: ({ address }) => address.name,
      onWaiting: this.#onWaiting,
      ask: (batch) => this.#sendOne(batch),
    });
  }

  /** Never raises: an error is the answer to every question. */
  async #sendOne({ address, questions, answered }: Batch): Promise<void> {
    try {
      answered.resolve(await this.#scan.ask(address, questions, this.#signal));
    } catch (cause) {
      const error = toStackyardError(cause, `looking at host ${address.name}`);
      this.failures.push({ host: address.name, error });
      answered.reject(error);
    }
  }
}
