import { z } from "zod";
import { brandId, isUuid, type ResourceId } from "../core/ids.ts";
import type { Database } from "../store/database.ts";
import { expandRoles, type Role } from "./principal.ts";

/** A user as logging in needs it. */
export interface DirectoryUser {
  readonly id: ResourceId;
  readonly name: string;
  readonly passwordDigest: string;
  readonly defaultProject: string | undefined;
  readonly enabled: boolean;
}

export interface DirectoryProject {
  readonly id: ResourceId;
  readonly name: string;
  readonly enabled: boolean;
}

/** A role on a project, or (null) on the whole cloud. */
export interface Grant {
  readonly projectId: string | null;
  readonly role: Role;
}

const userInputs = z.object({
  name: z.string(),
  password: z.string(),
  defaultProject: z.string().optional(),
  enabled: z.boolean(),
});
const projectInputs = z.object({ name: z.string(), enabled: z.boolean() });
const grantInputs = z.object({ project: z.string().optional(), role: z.enum(["admin", "member", "reader"]) });

/** The user of this login name. */
export async function findUserByName(database: Database, name: string): Promise<DirectoryUser | undefined> {
  const id = await findHolder(database, "user-name", name);
  return id === undefined ? undefined : findUser(database, id);
}

/** The user of this id. */
export async function findUser(database: Database, id: string): Promise<DirectoryUser | undefined> {
  const inputs = await readInputs(database, "user", id);
  if (inputs === undefined) return undefined;
  const { name, password, defaultProject, enabled } = userInputs.parse(inputs);
  return { id: brandId(id), name, passwordDigest: password, defaultProject, enabled };
}

/** The project of this id. */
export async function findProject(database: Database, id: string): Promise<DirectoryProject | undefined> {
  const inputs = await readInputs(database, "project", id);
  return inputs === undefined ? undefined : { id: brandId(id), ...projectInputs.parse(inputs) };
}

/** The project of this id or name. */
export async function findProjectByIdOrName(
  database: Database,
  idOrName: string,
): Promise<DirectoryProject | undefined> {
  const id = isUuid(idOrName) ? idOrName : await findHolder(database, "project-name", idOrName);
  return id === undefined ? undefined : findProject(database, id);
}

/** Every role that the user was given. */
export async function listGrants(database: Database, userId: string): Promise<readonly Grant[]> {
  const rows = await database
    .selectFrom("reservations")
    .innerJoin("records", "records.id", "reservations.record_id")
    .select("records.inputs")
    .where("reservations.kind", "=", "role-assignment")
    .where("reservations.scope", "=", userId)
    .where("records.status", "!=", "deleting")
    .execute();
  return rows.map((row) => {
    const { project, role } = grantInputs.parse(JSON.parse(row.inputs));
    return { projectId: project ?? null, role };
  });
}

/** Roles on a project; on the whole cloud for null. Those on the whole cloud count on each project. */
export function rolesOn(projectId: string | null, grants: readonly Grant[]): readonly Role[] {
  return expandRoles(
    grants
      .filter((grant) => grant.projectId === null || grant.projectId === projectId)
      .map((grant) => grant.role),
  );
}

/** Names are unique by reservation (see the definitions in `identity/`), which is also their index. */
async function findHolder(
  database: Database,
  kind: "user-name" | "project-name",
  name: string,
): Promise<string | undefined> {
  const row = await database
    .selectFrom("reservations")
    .select("record_id")
    .where("kind", "=", kind)
    .where("scope", "=", "cloud")
    .where("value", "=", name)
    .executeTakeFirst();
  return row?.record_id;
}

async function readInputs(database: Database, type: "user" | "project", id: string): Promise<unknown> {
  const row = await database
    .selectFrom("records")
    .select("inputs")
    .where("id", "=", id)
    .where("type", "=", type)
    .where("status", "!=", "deleting")
    .executeTakeFirst();
  return row === undefined ? undefined : JSON.parse(row.inputs);
}
