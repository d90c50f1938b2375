import { createHash, randomBytes } from "node:crypto";
import { brandId, type ResourceId } from "../core/ids.ts";
import { Secret } from "../core/secret.ts";
import type { Database } from "../store/database.ts";
import { findProject, findUser, listGrants, rolesOn, type DirectoryUser } from "./directory.ts";
import type { Principal } from "./principal.ts";

/** Expired tokens that one flush transaction deletes (keystone: token_flush). */
const flushBatch = 1000;

/** Makes a token for a user who has been let in: 256 random bits, of which the store keeps the SHA-256 only. */
export async function issueToken(
  database: Database,
  session: {
    readonly user: DirectoryUser;
    readonly projectId: ResourceId | null;
    readonly issuedAtMs: number;
    readonly expiresAtMs: number;
    readonly issueDurationMs: number;
  },
): Promise<Secret> {
  const token = new Secret(randomBytes(32).toString("base64url"));
  await database
    .insertInto("tokens")
    .values({
      hash: hashToken(token),
      user_id: session.user.id,
      project_id: session.projectId,
      password_mark: markPassword(session.user),
      issued_at_ms: session.issuedAtMs,
      expires_at_ms: session.expiresAtMs,
      issue_duration_ms: session.issueDurationMs,
      revoked: 0,
    })
    .execute();
  return token;
}

/** SHA-256 of a token, hex. */
export function hashToken(token: Secret): string {
  return createHash("sha256").update(token.reveal()).digest("hex");
}

/**
 * Who a token stands for at `nowMs`, read from the store; `undefined` unless it is known, neither expired nor revoked, its user and project are
 * enabled, the password is the one that it was issued for, and the user still has a role (keystone: models/token_model.py).
 */
export async function readPrincipal(
  database: Database,
  tokenHash: string,
  nowMs: number,
): Promise<Principal | undefined> {
  const token = await database
    .selectFrom("tokens")
    .selectAll()
    .where("hash", "=", tokenHash)
    .executeTakeFirst();
  if (token === undefined || token.revoked !== 0 || token.expires_at_ms <= nowMs) return undefined;
  const user = await findUser(database, token.user_id);
  if (user?.enabled !== true || token.password_mark !== markPassword(user)) return undefined;
  const project = token.project_id === null ? undefined : await findProject(database, token.project_id);
  if (token.project_id !== null && project?.enabled !== true) return undefined;
  const grants = await listGrants(database, user.id);
  const roles = rolesOn(token.project_id, grants);
  if (roles.length === 0) return undefined;
  return {
    userId: user.id,
    userName: user.name,
    projectId: token.project_id === null ? null : brandId(token.project_id),
    projectName: project?.name ?? null,
    roles,
    isAdmin: rolesOn(null, grants).includes("admin"),
    tokenHash,
    issuedAtMs: token.issued_at_ms,
    expiresAtMs: token.expires_at_ms,
    issueDurationMs: token.issue_duration_ms,
  };
}

/** Ends a session. Unknown tokens are fine. */
export async function revokeToken(database: Database, tokenHash: string): Promise<void> {
  await database.updateTable("tokens").set({ revoked: 1 }).where("hash", "=", tokenHash).execute();
}

/** Ends all sessions of a user. */
export async function revokeTokensOfUser(database: Database, userId: ResourceId): Promise<void> {
  await database.updateTable("tokens").set({ revoked: 1 }).where("user_id", "=", userId).execute();
}

/** Deletes expired tokens, 1000 a transaction, so that logins never wait long. Returns how many. */
export async function flushTokens(database: Database, nowMs: number): Promise<number> {
  let flushed = 0;
  for (;;) {
    const result = await database
      .deleteFrom("tokens")
      .where("hash", "in", (query) =>
        query.selectFrom("tokens").select("hash").where("expires_at_ms", "<=", nowMs).limit(flushBatch),
      )
      .executeTakeFirst();
    const deleted = Number(result.numDeletedRows);
    flushed += deleted;
    if (deleted < flushBatch) return flushed;
  }
}

/** Changes with the password, so that a token ends with the password it was issued for. */
function markPassword(user: DirectoryUser): string {
  return createHash("sha256").update(user.passwordDigest).digest("hex").slice(0, 32);
}
