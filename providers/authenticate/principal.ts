import type { ResourceId } from "../core/ids.ts";

/** Roles, each followed by those that it includes (keystone: cmd/bootstrap.py, Zed). */
const rolesByRank = ["admin", "member", "reader"] as const;
export type Role = (typeof rolesByRank)[number];

/** Who is asking, and what they may do: a token that has just been validated. */
export interface Principal {
  readonly userId: ResourceId;
  readonly userName: string;
  /** The project that the token is for; null: the whole cloud. */
  readonly projectId: ResourceId | null;
  readonly projectName: string | null;
  /** Roles on the project, those included by others too. Never empty. */
  readonly roles: readonly Role[];
  /** Has the role admin on the whole cloud. */
  readonly isAdmin: boolean;
  /** SHA-256 of the token, hex: names the session in journals without giving it away. */
  readonly tokenHash: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  /** How long the login took, in milliseconds. */
  readonly issueDurationMs: number;
}

/** Assigned roles with all that they include, strongest first. */
export function expandRoles(assigned: readonly Role[]): readonly Role[] {
  const strongest = Math.min(...assigned.map((role) => rolesByRank.indexOf(role)), rolesByRank.length);
  return rolesByRank.slice(strongest);
}
