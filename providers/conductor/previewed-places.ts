import { makeExclusive } from "../core/exclusive.ts";
import { textOf } from "../core/json.ts";
import type { HostState } from "../scheduler/host-state.ts";
import type { SchedulerOptions } from "../scheduler/options.ts";
import { resourcesOf } from "../scheduler/placement.ts";
import type { RequestSpec } from "../scheduler/request.ts";
import type { RecordMirror } from "../store/mirror.ts";

/** Where a server would be, and what it asks for there. */
interface Place {
  readonly hostId: string;
  readonly host: string;
  readonly request: RequestSpec;
}

/**
 * Where the previews of this process would place new servers, so that each is previewed beside those before it: claims that are written nowhere. The
 * order is that of the previews; an apply in another order may give two servers each other's hosts.
 */
export class PreviewedPlaces {
  readonly #places = new Map<string, Place>();
  readonly #exclusive = makeExclusive();
  readonly #mirror: RecordMirror;

  constructor(mirror: RecordMirror) {
    this.#mirror = mirror;
  }

  /** Runs a choice after those before it have been noted. */
  inTurn<T>(choose: () => Promise<T>): Promise<T> {
    return this.#exclusive("placement", choose);
  }

  /** A server would be placed there; `undefined`: nowhere. */
  note(serverId: string, place: Place | undefined): void {
    if (place === undefined) this.#places.delete(serverId);
    else this.#places.set(serverId, place);
  }

  /** The request as the scheduler sees it with the others of its group where they would be. */
  join(serverId: string, request: RequestSpec): RequestSpec {
    const { group } = request;
    if (group === null) return request;
    const hosts = this.#others(serverId)
      .filter((place) => place.request.group?.id === group.id)
      .map(({ host }) => host);
    return { ...request, group: { ...group, hosts: [...new Set([...group.hosts, ...hosts])] } };
  }

  /** The hosts as they would be with the other servers on them. */
  async fill(
    serverId: string,
    hosts: readonly HostState[],
    options: SchedulerOptions,
  ): Promise<readonly HostState[]> {
    const others = this.#others(serverId);
    if (others.length === 0) return hosts;
    // Most processes place nothing.
    const { consume } = await import("../scheduler/consume.ts");
    return hosts.map((host) =>
      others
        .filter(({ hostId }) => hostId === host.hostId)
        .reduce(
          (filled, { request }) =>
            consume(
              filled,
              { ...request, instanceId: request.instanceIds[0] ?? "" },
              resourcesOf(request),
              options,
            ),
          host,
        ),
    );
  }

  /** What was applied meanwhile has a claim in the store. */
  #others(serverId: string): readonly Place[] {
    return [...this.#places]
      .filter(
        ([id]) => id !== serverId && textOf(this.#mirror.find(id)?.outputs ?? {}, "hostId") === undefined,
      )
      .map(([, place]) => place);
  }
}
