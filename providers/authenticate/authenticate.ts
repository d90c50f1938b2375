import type { Credentials } from "../core/cloud.ts";
import { StackyardError } from "../core/errors.ts";
import type { ResourceId } from "../core/ids.ts";
import type { Secret } from "../core/secret.ts";
import type { Database } from "../store/database.ts";
import { readSetting } from "../store/settings.ts";
import {
  findProject,
  findProjectByIdOrName,
  findUserByName,
  listGrants,
  rolesOn,
  type DirectoryProject,
  type DirectoryUser,
  type Grant,
} from "./directory.ts";
import { countFailure, forgetFailures, isLockedOut, type LockoutRule } from "./lockout.ts";
import { defaultScryptCost, makeDummyDigest, verifySecret, type ScryptCost } from "./password.ts";
import type { Principal } from "./principal.ts";
import { TokenCache } from "./token-cache.ts";
import {
  flushTokens,
  hashToken,
  issueToken,
  readPrincipal,
  revokeToken,
  revokeTokensOfUser,
} from "./token.ts";

export interface AuthenticateOptions {
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
  /** How long a token lives. Default 3600 (keystone: conf/token.py expiration). */
  readonly expirySeconds?: number;
  /** Cost of a check for an unknown user; that of a known one is in the digest. */
  readonly scryptCost?: ScryptCost;
  /** Wrong passwords in a row that lock a user out. Default: no lock-out. */
  readonly lockoutFailureAttempts?: number;
  /** How long a lock lasts. Default 1800. */
  readonly lockoutDurationSeconds?: number;
}

/** A login that succeeded. */
export interface Session {
  readonly token: Secret;
  readonly principal: Principal;
}

/** Step 1 of the flow: who is asking. */
export interface Authenticate {
  /**
   * Checks name and password, chooses the project and issues a token. Raises `unauthenticated`: in the same words for an unknown user,
   * a wrong password and a locked user; more exactly only to whoever gave the right password.
   */
  login(credentials: Credentials): Promise<Session>;
  /** Who a token stands for, right now. Raises `unauthenticated`. */
  validate(token: Secret): Promise<Principal>;
  /** Ends a session, in every process at once. An unknown token is fine. */
  revoke(token: Secret): Promise<void>;
  /** Ends all sessions of a user. */
  revokeUser(userId: ResourceId): Promise<void>;
  /** Deletes expired tokens; returns how many. */
  flush(): Promise<number>;
  /** How many validations the cache answered, and how many the store. */
  readonly cacheCounts: { readonly hits: number; readonly misses: number };
}

/** Authentication over the identity records of a store. */
export function openAuthenticate(database: Database, options: AuthenticateOptions = {}): Authenticate {
  const clock = options.clock ?? Date.now;
  const expiryMs = (options.expirySeconds ?? 3600) * 1000;
  const dummyDigest = makeDummyDigest(options.scryptCost ?? defaultScryptCost);
  const lockout: LockoutRule | undefined =
    options.lockoutFailureAttempts === undefined
      ? undefined
      : {
          failureAttempts: options.lockoutFailureAttempts,
          durationSeconds: options.lockoutDurationSeconds ?? 1800,
        };
  const cache = new TokenCache();

  async function login(credentials: Credentials): Promise<Session> {
    const issuedAtMs = clock();
    const startedMs = performance.now();
    const user = await checkPassword(credentials);
    const projectId = await chooseProject(database, user, credentials.project);
    const token = await issueToken(database, {
      user,
      projectId,
      issuedAtMs,
      expiresAtMs: issuedAtMs + expiryMs,
      issueDurationMs: performance.now() - startedMs,
    });
    return { token, principal: await validate(token) };
  }

  // Order of keystone: identity/backends/sql.py authenticate.
  async function checkPassword({ username, password }: Credentials): Promise<DirectoryUser> {
    const user = await findUserByName(database, username);
    const mayTry =
      user !== undefined &&
      (lockout === undefined || !(await isLockedOut(database, lockout, user.id, clock())));
    const isRight = await verifySecret(mayTry ? user.passwordDigest : dummyDigest, password);
    if (!mayTry || !isRight) {
      if (mayTry && lockout !== undefined) await countFailure(database, lockout, user.id, clock());
      throw new StackyardError("unauthenticated", {
        message: "The request you have made requires authentication.",
        field: "username",
        value: username,
      });
    }
    if (lockout !== undefined) await forgetFailures(database, user.id);
    if (!user.enabled) {
      throw new StackyardError("unauthenticated", {
        message: `The account is disabled for user: ${user.id}.`,
        field: "username",
        value: username,
        remedy: "Ask an administrator to enable the user.",
      });
    }
    return user;
  }

  async function validate(token: Secret): Promise<Principal> {
    const hash = hashToken(token);
    // Before the row: what is read after it can only be newer, and then the next call finds a newer sequence and reads again.
    // It grows with every revocation and every change of a user, project or role (triggers of `store/migrations.ts`).
    const sequence = await readSetting(database, "identity_sequence");
    const now = clock();
    const cached = cache.get(hash, sequence, now);
    if (cached !== undefined) return cached;
    const principal = await readPrincipal(database, hash, now);
    if (principal === undefined) {
      throw new StackyardError("unauthenticated", {
        message: "The token has expired, was revoked, or is none of this cloud's.",
        remedy: "Log in again; if that is refused, ask an administrator about your user, project and role.",
      });
    }
    cache.put(principal, sequence, now);
    return principal;
  }

  return {
    login,
    validate,
    revoke: (token) => revokeToken(database, hashToken(token)),
    revokeUser: (userId) => revokeTokensOfUser(database, userId),
    flush: () => flushTokens(database, clock()),
    get cacheCounts() {
      return cache.counts;
    },
  };
}

/**
 * The project of a login: the one asked for; else the user's default, if it can be used; else the only one where the user has a role; else none, for
 * a user with a role on the whole cloud. Raises `unauthenticated` when there is none (keystone: api/_shared/authentication.py).
 */
async function chooseProject(
  database: Database,
  user: DirectoryUser,
  asked: string | undefined,
): Promise<ResourceId | null> {
  const grants = await listGrants(database, user.id);
  if (asked !== undefined)
    return chooseAsked(await findProjectByIdOrName(database, asked), user, asked, grants);
  if (user.defaultProject !== undefined) {
    const preferred = await findProject(database, user.defaultProject);
    if (preferred?.enabled === true && rolesOn(preferred.id, grants).length > 0) return preferred.id;
  }
  const granted = new Set(grants.map((grant) => grant.projectId).filter((id) => id !== null));
  const [only, ...others] = granted;
  if (only !== undefined && others.length === 0) {
    const project = await findProject(database, only);
    if (project?.enabled === true) return project.id;
  }
  if (rolesOn(null, grants).length > 0) return null;
  throw new StackyardError("unauthenticated", {
    message:
      granted.size > 1
        ? `User ${JSON.stringify(user.name)} has roles on several projects, and the credentials name none.`
        : `User ${JSON.stringify(user.name)} has no role on any enabled project.`,
    field: "project",
    remedy:
      granted.size > 1
        ? "Name a project in your credentials, or have a default project set for the user."
        : "Ask an administrator for a role on a project.",
  });
}

function chooseAsked(
  project: DirectoryProject | undefined,
  user: DirectoryUser,
  asked: string,
  grants: readonly Grant[],
): ResourceId {
  // The same words for both: a user must not find out which projects there are.
  if (project === undefined || rolesOn(project.id, grants).length === 0) {
    throw new StackyardError("unauthenticated", {
      message: `There is no such project, or user ${JSON.stringify(user.name)} has no role on it.`,
      field: "project",
      value: asked,
      remedy: "Check the project of your credentials, or ask an administrator for a role on it.",
    });
  }
  if (!project.enabled) {
    throw new StackyardError("unauthenticated", {
      message: `Project is disabled: ${project.id}.`,
      field: "project",
      value: asked,
      remedy: "Ask an administrator to enable the project.",
    });
  }
  return project.id;
}
