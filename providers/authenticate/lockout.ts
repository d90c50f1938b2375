import type { ResourceId } from "../core/ids.ts";
import type { Database } from "../store/database.ts";

/** When a user who failed too often is kept out (keystone: conf/security_compliance.py lockout_failure_attempts, lockout_duration). */
export interface LockoutRule {
  readonly failureAttempts: number;
  readonly durationSeconds: number;
}

/** Whether the user failed too often, too short ago. */
export async function isLockedOut(
  database: Database,
  rule: LockoutRule,
  userId: ResourceId,
  nowMs: number,
): Promise<boolean> {
  const row = await database
    .selectFrom("login_failures")
    .selectAll()
    .where("user_id", "=", userId)
    .executeTakeFirst();
  return (
    row !== undefined &&
    row.failed_attempts >= rule.failureAttempts &&
    nowMs - row.failed_at_ms < rule.durationSeconds * 1000
  );
}

/** Counts a wrong password. A count that has led to a lock starts anew when the lock is over. */
export async function countFailure(
  database: Database,
  rule: LockoutRule,
  userId: ResourceId,
  nowMs: number,
): Promise<void> {
  await database
    .insertInto("login_failures")
    .values({ user_id: userId, failed_attempts: 1, failed_at_ms: nowMs })
    .onConflict((conflict) =>
      conflict.column("user_id").doUpdateSet((row) => ({
        failed_at_ms: nowMs,
        failed_attempts: row
          .case()
          .when("login_failures.failed_attempts", ">=", rule.failureAttempts)
          .then(1)
          .else(row("login_failures.failed_attempts", "+", 1))
          .end(),
      })),
    )
    .execute();
}

/** Forgets the failures of a user who has logged in. */
export async function forgetFailures(database: Database, userId: ResourceId): Promise<void> {
  await database.deleteFrom("login_failures").where("user_id", "=", userId).execute();
}
