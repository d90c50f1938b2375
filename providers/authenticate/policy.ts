import { StackyardError } from "../core/errors.ts";
import { findAction, type Definition } from "../core/resource.ts";
import type { Principal, Role } from "./principal.ts";

/** What is to be done with a resource. `act` runs one of its definition's actions. */
export type Verb = "create" | "read" | "update" | "remove" | { readonly act: string };

/** A wish to do something with a resource. */
export interface AccessRequest {
  readonly verb: Verb;
  readonly definition: Pick<Definition, "type" | "plural" | "scope" | "actions">;
  /** Project that owns the resource; null for those of the whole cloud. */
  readonly projectId: string | null;
  /** The resource; absent when it is about to be made. */
  readonly id?: string;
}

/**
 * Resources of the whole cloud that every user may read, since their servers and volumes refer to them (nova: flavors have no policy for reading;
 * cinder: policies/volume_type.py).
 */
const readableByAll: ReadonlySet<string> = new Set(["flavor", "volume-type"]);

/** Raises `forbidden`, in Nova's words, with the role that is missing. */
export function authorize(principal: Principal, request: AccessRequest): void {
  if (isAllowed(principal, request)) return;
  const action = typeof request.verb === "string" ? request.verb : request.verb.act;
  throw forbiddenError(principal, {
    rule: `${request.definition.plural}:${action}`,
    role: requiredRole(request),
    projectId: request.projectId,
  });
}

/**
 * Whether the principal may. Resources of a project: `reader` reads, `member` writes, within the token's project, or in each when the
 * token is for the whole cloud. Resources of the cloud: the administrator's, except {@link readableByAll} and one's own user and project.
 * An administrator of the cloud may do anything (nova: policies/base.py PROJECT_READER_OR_ADMIN, PROJECT_MEMBER_OR_ADMIN, ADMIN).
 */
export function isAllowed(principal: Principal, request: AccessRequest): boolean {
  if (principal.isAdmin) return true;
  if (request.definition.scope === "project") {
    const isInScope = principal.projectId === null || principal.projectId === request.projectId;
    return isInScope && principal.roles.includes(requiredRole(request));
  }
  if (request.verb !== "read") return false;
  return readableByAll.has(request.definition.type) || isOwn(principal, request);
}

/** Raises `forbidden` unless the principal administers the cloud: for what concerns no single resource. `rule` names it, e.g. `tokens:flush`. */
export function authorizeAdministration(principal: Principal, rule: string): void {
  if (!principal.isAdmin) throw forbiddenError(principal, { rule, role: "admin", projectId: null });
}

function requiredRole({ definition, verb }: AccessRequest): Role {
  if (typeof verb === "object") return findAction(definition, verb.act)?.role ?? "member";
  if (definition.scope === "cloud") return "admin";
  return verb === "read" ? "reader" : "member";
}

/** keystone: policies/user.py and project.py let everyone see themselves, and a reader of the whole cloud every project. */
function isOwn(principal: Principal, { definition, id }: AccessRequest): boolean {
  switch (definition.type) {
    case "user":
      return id === principal.userId;
    case "project":
      return principal.projectId === null || id === principal.projectId;
    default:
      return false;
  }
}

function forbiddenError(
  principal: Principal,
  missing: { readonly rule: string; readonly role: Role; readonly projectId: string | null },
): StackyardError {
  const user = JSON.stringify(principal.userName);
  const where = missing.projectId === null ? "the whole cloud" : `project ${missing.projectId}`;
  const has = `${principal.roles.join(", ")} on ${principal.projectId === null ? "the whole cloud" : `project ${principal.projectId}`}`;
  return new StackyardError("forbidden", {
    message: `Policy doesn't allow ${missing.rule} to be performed.`,
    remedy: `Ask an administrator to give user ${user} the role ${missing.role} on ${where}.`,
    notes: [`It takes the role ${missing.role} on ${where}; user ${user} has ${has}.`],
  });
}
