import { newId, type ResourceId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Definition } from "../core/resource.ts";
import type { Secret } from "../core/secret.ts";
import { parseInputs } from "../core/validate.ts";
import { project } from "../identity/project.ts";
import { roleAssignment } from "../identity/role-assignment.ts";
import { user } from "../identity/user.ts";
import type { Database } from "../store/database.ts";
import { insertRecord, reserve, updateRecord, type StoreTransaction } from "../store/records.ts";
import { defaultScryptCost, digestSecret, generatePassword, type ScryptCost } from "./password.ts";

/** The first administrator, as handed over once. */
export interface Administrator {
  readonly username: string;
  readonly password: Secret;
  readonly project: string;
}

export interface BootstrapOptions {
  /** Puts the credentials where they will be found. Runs before they become valid, so that a crash in between never locks everyone out. */
  readonly deliver: (administrator: Administrator) => Promise<void>;
  readonly scryptCost?: ScryptCost;
}

/**
 * Gives a cloud without users its first: project `admin`, user `admin` with a random password, and the role admin on the
 * whole cloud (keystone: cmd/bootstrap.py). Of several processes that try, one does it. Returns whether it did.
 */
export async function bootstrap(database: Database, options: BootstrapOptions): Promise<boolean> {
  if (await hasUsers(database)) return false;
  const administrator: Administrator = { username: "admin", password: generatePassword(), project: "admin" };
  const digest = await digestSecret(administrator.password, options.scryptCost ?? defaultScryptCost);
  return database.transaction().execute(async (transaction) => {
    if (await hasUsers(transaction)) return false;
    const projectId = await create(transaction, project, administrator.project, {
      name: administrator.project,
    });
    const userId = await create(transaction, user, administrator.username, {
      name: administrator.username,
      password: digest,
      defaultProject: projectId,
    });
    await create(transaction, roleAssignment, "admin", { user: userId, role: "admin" });
    await options.deliver(administrator);
    return true;
  });
}

async function hasUsers(database: Database | StoreTransaction): Promise<boolean> {
  const row = await database
    .selectFrom("records")
    .select("id")
    .where("type", "=", "user")
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

async function create(
  transaction: StoreTransaction,
  definition: Definition,
  name: string,
  given: JsonObject,
): Promise<ResourceId> {
  const id = newId<"resource">();
  const { inputs } = parseInputs(definition, given, []);
  const at = new Date().toISOString();
  await insertRecord(
    transaction,
    { id, type: definition.type, projectId: null, name, inputs, outputs: {}, status: "active" },
    at,
  );
  await updateRecord(transaction, id, { applied: inputs }, at);
  await reserve(transaction, id, definition.reservations?.(inputs, id) ?? []);
  return id;
}
