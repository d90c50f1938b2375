import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestSecret, type ScryptCost } from "../../providers/authenticate/password.ts";
import { newId, type ResourceId } from "../../providers/core/ids.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import type { Definition } from "../../providers/core/resource.ts";
import { Secret } from "../../providers/core/secret.ts";
import { parseInputs } from "../../providers/core/validate.ts";
import { project } from "../../providers/identity/project.ts";
import { roleAssignment } from "../../providers/identity/role-assignment.ts";
import { user } from "../../providers/identity/user.ts";
import { openDatabase, type Database } from "../../providers/store/database.ts";
import {
  deleteRecord,
  insertRecord,
  readRecord,
  reserve,
  updateRecord,
} from "../../providers/store/records.ts";

/** Cheap enough for tests that log in often. */
export const testCost: ScryptCost = { n: 16, r: 1, p: 1 };

const at = "2026-01-02T03:04:05.000Z";

/** A store in a folder of its own, and identity records in it as the API would write them. */
export class IdentityStore implements AsyncDisposable {
  readonly database: Database;
  readonly path: string;
  readonly #folder: string;
  readonly #connections: Database[];

  private constructor(folder: string, path: string, database: Database) {
    this.#folder = folder;
    this.path = path;
    this.database = database;
    this.#connections = [database];
  }

  static async open(): Promise<IdentityStore> {
    const folder = await mkdtemp(join(tmpdir(), "stackyard-identity-"));
    const path = join(folder, "store.sqlite");
    return new IdentityStore(folder, path, await openDatabase(path));
  }

  /** One more connection to the same file, as another process would have. */
  async connectAgain(): Promise<Database> {
    const database = await openDatabase(this.path);
    this.#connections.push(database);
    return database;
  }

  addProject(name: string, more: JsonObject = {}): Promise<ResourceId> {
    return this.#add(project, { name, ...more });
  }

  async addUser(name: string, password: string, more: JsonObject = {}): Promise<ResourceId> {
    return this.#add(user, { name, password: await digestSecret(new Secret(password), testCost), ...more });
  }

  /** Without a project: on the whole cloud. */
  grant(
    userId: ResourceId,
    role: "reader" | "member" | "admin",
    projectId?: ResourceId,
  ): Promise<ResourceId> {
    return this.#add(roleAssignment, {
      user: userId,
      role,
      ...(projectId === undefined ? {} : { project: projectId }),
    });
  }

  /** Changes some inputs of a record. */
  async change(id: ResourceId, inputs: JsonObject): Promise<void> {
    await this.database.transaction().execute(async (transaction) => {
      const record = await readRecord(transaction, id);
      await updateRecord(transaction, id, { inputs: { ...record?.inputs, ...inputs } }, at);
    });
  }

  async setPassword(userId: ResourceId, password: string): Promise<void> {
    await this.change(userId, { password: await digestSecret(new Secret(password), testCost) });
  }

  /** As the record is while its removal runs. */
  async startRemoval(id: ResourceId): Promise<void> {
    await this.database
      .transaction()
      .execute((transaction) => updateRecord(transaction, id, { status: "deleting" }, at));
  }

  async remove(id: ResourceId): Promise<void> {
    await this.database.transaction().execute((transaction) => deleteRecord(transaction, id));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) await connection.destroy();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #add(definition: Definition, given: JsonObject): Promise<ResourceId> {
    const id = newId<"resource">();
    const { inputs } = parseInputs(definition, given, []);
    await this.database.transaction().execute(async (transaction) => {
      const { type } = definition;
      await insertRecord(
        transaction,
        { id, type, projectId: null, name: type, inputs, outputs: {}, status: "active" },
        at,
      );
      await reserve(transaction, id, definition.reservations?.(inputs, id) ?? []);
    });
    return id;
  }
}
