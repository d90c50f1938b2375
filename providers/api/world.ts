import type { ResourceId } from "../core/ids.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { Reservation, World, WorldEntry } from "../core/resource.ts";
import { keyOf, type RecordMirror } from "../store/mirror.ts";

/** A planned resource with the values it will hold. */
export interface PlannedEntry extends WorldEntry {
  readonly maker: string;
  readonly reservations: readonly Reservation[];
}

/**
 * The store with this session's plans laid over it, so that a resource can refer to one that is only planned. It lives in memory:
 * a preview writes nothing.
 */
export class PlannedWorld implements World {
  readonly #mirror: RecordMirror;
  readonly #planned = new Map<string, PlannedEntry>();
  readonly #incomplete = new Set<string>();
  readonly #makers = new Map<string, string>();
  readonly #holders = new Map<string, ResourceId>();
  readonly #replaced = new Set<string>();

  constructor(mirror: RecordMirror) {
    this.#mirror = mirror;
  }

  /** Takes a plan in. It replaces what the same maker planned before. */
  add(entry: PlannedEntry): void {
    const before = this.#makers.get(entry.maker);
    if (before !== undefined) this.drop(before);
    this.#replaced.delete(entry.id);
    this.#planned.set(entry.id, entry);
    this.#makers.set(entry.maker, entry.id);
    for (const reservation of entry.reservations) this.#holders.set(keyOf(reservation), entry.id);
  }

  /** Notes a planned resource of which something is unknown: others may refer to it, but nothing can be read from it. */
  addIncomplete(id: string): void {
    this.#incomplete.add(id);
  }

  /** Whether the resource is planned with something unknown. */
  isIncomplete(id: string): boolean {
    return this.#incomplete.has(id);
  }

  /** Notes that the stored resource is to be made anew under another id: what it holds is free for its replacement. */
  addReplaced(id: string): void {
    this.drop(id);
    this.#replaced.add(id);
  }

  /** Resources that this session makes anew: what they hold goes over to their replacements. */
  get replaced(): ReadonlySet<string> {
    return this.#replaced;
  }

  /** Forgets the plan for a resource: the store knows better now. */
  drop(id: string): void {
    this.#incomplete.delete(id);
    const entry = this.#planned.get(id);
    if (entry === undefined) return;
    this.#planned.delete(id);
    for (const reservation of entry.reservations) {
      if (this.#holders.get(keyOf(reservation)) === entry.id) this.#holders.delete(keyOf(reservation));
    }
  }

  /**
   * This world as `id` is planned in it: without what the same maker had under another id, which it replaces. Of what `mayRead` refuses nothing is
   * found by its id; it still counts where resources must not collide.
   */
  seenBy(id: ResourceId, maker: string, mayRead: (entry: WorldEntry) => boolean): World {
    return {
      find: (type, other) => {
        const entry = this.find(type, other);
        return entry !== undefined && mayRead(entry) ? entry : undefined;
      },
      all: (type) =>
        this.all(type).filter((entry) => entry.id === id || !("maker" in entry) || entry.maker !== maker),
      holder: (kind, scope, value) => this.holder(kind, scope, value),
    };
  }

  /** What the store has under an id, whatever is planned for it. */
  stored(id: string): ResourceRecord | undefined {
    return this.#mirror.find(id);
  }

  find(type: string, id: string): WorldEntry | undefined {
    const entry = this.#planned.get(id) ?? this.#mirror.find(id);
    return entry?.type === type ? entry : undefined;
  }

  all(type: string): readonly WorldEntry[] {
    const planned = [...this.#planned.values()].filter((entry) => entry.type === type);
    const stored = this.#mirror.all(type).filter((record) => !this.#isReplanned(record));
    return [...stored, ...planned];
  }

  holder(kind: string, scope: string, value: string): ResourceId | undefined {
    const planned = this.#holders.get(keyOf({ kind, scope, value }));
    if (planned !== undefined) return planned;
    const id = this.#mirror.holder(kind, scope, value);
    const record = id === undefined ? undefined : this.#mirror.find(id);
    return record === undefined || this.#isReplanned(record) ? undefined : id;
  }

  /** Whether a plan of this session takes the stored record's place: the same resource, or its replacement. */
  #isReplanned({ id, maker }: ResourceRecord): boolean {
    const successor = maker === undefined ? undefined : this.#makers.get(maker);
    return this.#planned.has(id) || this.#replaced.has(id) || (successor !== undefined && successor !== id);
  }
}
