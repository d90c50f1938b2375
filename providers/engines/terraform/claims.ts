import { StackyardError } from "../../core/errors.ts";

/** What is known of an id that some resource of the state has. */
interface Existing {
  /** The name that it will have, once it was planned. */
  readonly name?: string;
}

/** What a create of an id is, going by what else this process was asked about. */
export type CreateKind =
  /** Nothing else has it. */
  | "first"
  /** The resource that has it is made anew, though no input asks for it (`-replace`, a tainted one). */
  | "forced"
  /** The resource that has it is being renamed, and this one takes its old name. */
  | "succeeding";

/**
 * Which resource has which id, as far as Terraform has told this process: it never tells a resource's address, so that two blocks of one
 * type, project and name would be one resource to us. A process lives for one phase of a command.
 */
export class Claims {
  readonly #existing = new Map<string, Existing>();
  readonly #makers = new Set<string>();
  /** Names of planned creates by their ids. */
  readonly #creates = new Map<string, string>();
  /** Ids that a create found to be there and whole: what it replaces has the same id, and is not to be destroyed after it. */
  readonly #takenUp = new Set<string>();

  /**
   * A resource of the state was read, or planned. Raises `conflict` when it is planned and another block was planned to be made under its id. One that
   * is only read may be on its way out: a block that was renamed, or an instance whose key was, is destroyed, and the other one takes its place.
   * Answers whether it was planned before: the state has it under two addresses.
   */
  noteExisting(id: string, name?: string): boolean {
    const created = this.#creates.get(id);
    if (created !== undefined && name !== undefined) throw duplicateError(created);
    const before = this.#existing.get(id);
    this.#existing.set(id, name === undefined ? { ...before } : { name });
    return name !== undefined && before?.name !== undefined;
  }

  /**
   * A resource was planned to be made, or to be made anew (`isReplacement`). Raises `conflict` when another block has the same type, project and
   * name.
   */
  noteCreate(maker: string, id: string | undefined, name: string, isReplacement: boolean): CreateKind {
    if (this.#makers.has(maker)) throw duplicateError(name);
    this.#makers.add(maker);
    const existing = id === undefined ? undefined : this.#existing.get(id);
    if (existing?.name !== undefined && existing.name !== name) return "succeeding";
    if (existing?.name !== undefined && !isReplacement) throw duplicateError(name);
    if (id !== undefined) this.#creates.set(id, name);
    return existing === undefined ? "first" : "forced";
  }

  /** A create has taken up what was there. */
  noteTakenUp(id: string): void {
    this.#takenUp.add(id);
  }

  /** Whether a destroy of this id would destroy what a create has just taken up. Answers so once. */
  isTakenUp(id: string): boolean {
    return this.#takenUp.delete(id);
  }
}

function duplicateError(name: string): StackyardError {
  return new StackyardError("conflict", {
    message: "two resources of this configuration have the same type, project and name",
    field: "name",
    value: name,
    remedy:
      "Give one of them another name. Where one takes the name that another gives up in the same apply, let it depend on the other: depends_on.",
  });
}
