import type { Authenticate, Session } from "../authenticate/authenticate.ts";
import { authorize, isAllowed, type Verb } from "../authenticate/policy.ts";
import type { Principal } from "../authenticate/principal.ts";
import { StackyardError } from "../core/errors.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { Definition, WorldEntry } from "../core/resource.ts";
import type { Secret } from "../core/secret.ts";
import type { RecordMirror } from "../store/mirror.ts";
import type { Planner } from "./plan.ts";

/** What access is given by. */
export interface AccessServices {
  readonly mirror: RecordMirror;
  readonly authenticate: Authenticate;
  readonly definitions: readonly Definition[];
}

/** Who calls, what they may do, and which records are there for them. */
export interface Access {
  /** Begins a call: validates the token, which may be renewed first, and reads what others wrote. Raises `unauthenticated`. */
  readonly begin: () => Promise<Principal>;
  /** The token as it is now. */
  readonly token: () => Secret;
  /** Ends the session: the token is revoked, and none takes its place. */
  readonly end: () => Promise<void>;
  /** Raises `not-found` with the types that there are. */
  readonly definitionOf: (type: string) => Definition;
  readonly mayDo: (principal: Principal, verb: Verb, entry: WorldEntry) => boolean;
  /** Raises `forbidden`. */
  readonly permit: (
    principal: Principal,
    verb: Verb,
    definition: Definition,
    record: Pick<ResourceRecord, "id" | "projectId">,
  ) => void;
  readonly plannerFor: (principal: Principal) => Planner;
  /** A record by its id, whoever may read it. */
  readonly stored: (type: string, id: string) => ResourceRecord | undefined;
  /** By id, else by name; of several of one name, the one of the principal's own project. Raises `not-found`, `conflict`. */
  readonly findVisible: (principal: Principal, type: string, idOrName: string) => ResourceRecord;
  /** Begins a call about one record. Raises `not-found`, `forbidden`. */
  readonly requireRecord: (type: string, id: string, verb: Verb) => Promise<ResourceRecord>;
}

/**
 * The access of one user's session. A token in the second half of its life is renewed by `logIn`, so that a long update outlives its first one, and a
 * build has at least half a life for all the services that validate it (keystoneauth: identity/base.py; nova has service tokens for the latter).
 */
export function openAccess(
  { mirror, authenticate, definitions }: AccessServices,
  opened: Session,
  logIn: () => Promise<Session>,
): Access {
  let session = opened;
  let renewal: Promise<Session> | undefined;
  let isEnded = false;

  async function renewToken(): Promise<void> {
    const { issuedAtMs, expiresAtMs } = session.principal;
    if (isEnded || Date.now() < (issuedAtMs + expiresAtMs) / 2) return;
    renewal ??= logIn().finally(() => (renewal = undefined));
    session = await renewal;
  }

  const access: Access = {
    begin: async () => {
      await renewToken();
      const principal = await authenticate.validate(session.token);
      await mirror.refresh();
      return principal;
    },
    token: () => session.token,
    end: () => {
      isEnded = true;
      return authenticate.revoke(session.token);
    },
    definitionOf: (type) => {
      const definition = definitions.find((candidate) => candidate.type === type);
      if (definition !== undefined) return definition;
      throw new StackyardError("not-found", {
        message: `there is no resource type ${JSON.stringify(type)}`,
        remedy: `Types: ${definitions.map((candidate) => candidate.type).join(", ")}.`,
      });
    },
    mayDo: (principal, verb, { type, projectId, id }) =>
      isAllowed(principal, { verb, definition: access.definitionOf(type), projectId, id }),
    permit: (principal, verb, definition, { projectId, id }) => {
      authorize(principal, { verb, definition, projectId, id });
    },
    plannerFor: (principal) => ({
      principal,
      mayRead: (entry) => access.mayDo(principal, "read", entry),
      mayUpdate: (entry) => access.mayDo(principal, "update", entry),
    }),
    stored: (type, id) => {
      const record = mirror.find(id);
      return record?.type === type ? record : undefined;
    },
    findVisible: (principal, type, idOrName) => {
      const { plural } = access.definitionOf(type);
      const visible = mirror.all(type).filter((record) => access.mayDo(principal, "read", record));
      const matches = visible.filter((record) => record.id === idOrName);
      const named = matches.length > 0 ? matches : visible.filter((record) => record.name === idOrName);
      const own = named.filter((record) => record.projectId === principal.projectId);
      const [record, ...more] = named.length > 1 && own.length === 1 ? own : named;
      if (record === undefined)
        throw new StackyardError("not-found", {
          message: `there is no ${type} ${JSON.stringify(idOrName)}`,
          field: type,
          value: idOrName,
        });
      if (more.length > 0)
        throw new StackyardError("conflict", {
          message: `${String(more.length + 1)} ${plural} are called ${JSON.stringify(idOrName)}`,
          remedy: `Use the id: ${[record, ...more].map((match) => match.id).join(", ")}.`,
        });
      return record;
    },
    requireRecord: async (type, id, verb) => {
      const principal = await access.begin();
      const record = access.stored(type, id);
      if (record === undefined)
        throw new StackyardError("not-found", { message: `there is no ${type} ${id}`, value: id });
      access.permit(principal, verb, access.definitionOf(type), record);
      return record;
    },
  };
  return access;
}
