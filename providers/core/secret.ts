import { inspect } from "node:util";

const hidden = "[secret]";

/** A value that cannot be printed by accident: every rendering shows `[secret]`; only {@link Secret.reveal} gives it. */
export class Secret<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself. Call it only where the value leaves for its destination (standard input, a hash, an engine's secret). */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return hidden;
  }

  toJSON(): string {
    return hidden;
  }

  [inspect.custom](): string {
    return hidden;
  }
}
