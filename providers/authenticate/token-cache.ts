import type { Principal } from "./principal.ts";

/** How long a validated token is taken for valid without a look at its row (keystonemiddleware: token_cache_time). */
const lifetimeMs = 300_000;

/** Entries kept at most; the oldest goes first. */
const maxEntries = 10_000;

interface Entry {
  readonly principal: Principal;
  readonly identitySequence: string;
  readonly cachedAtMs: number;
}

/**
 * Validated tokens in front of the token table, by `tokens/<sha256 hex>` as in keystonemiddleware. Each entry is good for one identity sequence
 * of the store, which grows with every revocation and every change of a user, project or role: a hit is never staler than the store.
 */
export class TokenCache {
  readonly #entries = new Map<string, Entry>();
  #hits = 0;
  #misses = 0;

  /** The principal of a token, if it was validated at this identity sequence, lately, and has not expired. */
  get(tokenHash: string, identitySequence: string, nowMs: number): Principal | undefined {
    const key = `tokens/${tokenHash}`;
    const entry = this.#entries.get(key);
    const isGood =
      entry?.identitySequence === identitySequence &&
      nowMs - entry.cachedAtMs < lifetimeMs &&
      nowMs < entry.principal.expiresAtMs;
    if (isGood) {
      this.#hits += 1;
      return entry.principal;
    }
    this.#entries.delete(key);
    this.#misses += 1;
    return undefined;
  }

  /** Remembers a principal that was read no earlier than at this identity sequence. */
  put(principal: Principal, identitySequence: string, nowMs: number): void {
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined && this.#entries.size >= maxEntries) this.#entries.delete(oldest);
    this.#entries.set(`tokens/${principal.tokenHash}`, { principal, identitySequence, cachedAtMs: nowMs });
  }

  /** How often it could answer, and how often not. */
  get counts(): { readonly hits: number; readonly misses: number } {
    return { hits: this.#hits, misses: this.#misses };
  }
}
