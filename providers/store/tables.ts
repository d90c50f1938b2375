import type { Generated } from "kysely";

/** The store's tables. JSON is text, times are ISO 8601 text, durations and leases are numbers of milliseconds. */
export interface Tables {
  settings: SettingsTable;
  records: RecordsTable;
  tombstones: TombstonesTable;
  reservations: ReservationsTable;
  tasks: TasksTable;
  locks: LocksTable;
  journal: JournalTable;
  trace_events: TraceEventsTable;
  providers: ProvidersTable;
  inventories: InventoriesTable;
  allocations: AllocationsTable;
  login_failures: LoginFailuresTable;
  tokens: TokensTable;
}

/** `cloud_id`, `schema_version`, `sequence`: the number of the last write, and `identity_sequence`: grows when someone's rights may have changed. */
export interface SettingsTable {
  key: string;
  value: string;
}

export interface RecordsTable {
  id: string;
  type: string;
  project_id: string | null;
  name: string;
  inputs: string;
  outputs: string;
  applied: string | null;
  status: string;
  fault: string | null;
  maker: string | null;
  /** Record whose resource made this one for itself. */
  owner: string | null;
  revision: number;
  /** Number of the write that last touched it; mirrors read what is newer than they are. */
  sequence: number;
  created_at: string;
  updated_at: string;
}

/** Ids of removed records, for mirrors. */
export interface TombstonesTable {
  id: string;
  sequence: number;
}

export interface ReservationsTable {
  kind: string;
  scope: string;
  value: string;
  record_id: string;
}

export interface TasksTable {
  id: string;
  record_id: string;
  type: string;
  kind: string;
  state: string;
  error: string | null;
  /** Process that works on it, and until when it may be taken for alive. */
  worker: string | null;
  lease_until_ms: number;
  created_at: string;
  finished_at: string | null;
}

/** Places in the queues for locks: the first of a name holds it, the others wait in their order. */
export interface LocksTable {
  /** Grows, and is never given twice. */
  ticket: Generated<number>;
  name: string;
  /** Process that holds or waits, and until when it may be taken for alive. */
  worker: string;
  lease_until_ms: number;
}

export interface JournalTable {
  sequence: Generated<number>;
  task_id: string;
  step: string;
  /** `intent` before, `result` after, `failure`, `undo` when taken back. */
  phase: string;
  at: string;
  detail: string | null;
}

export interface TraceEventsTable {
  record_id: string;
  number: number;
  host: string | null;
  started_at_ms: number;
  duration_ms: number;
}

/** Resource providers as Placement's: one a host. */
export interface ProvidersTable {
  host_id: string;
  /** Changes with every claim; a claim names the generation it saw. */
  generation: number;
  /** Builds that failed here since the last one that did not (nova: compute/stats.py). */
  failed_builds: number;
}

export interface InventoriesTable {
  host_id: string;
  resource_class: string;
  total: number;
  reserved: number;
  allocation_ratio: number;
  min_unit: number;
  max_unit: number;
  step_size: number;
}

export interface AllocationsTable {
  consumer_id: string;
  host_id: string;
  resource_class: string;
  used: number;
}

/** Wrong passwords in a row; passwords themselves are digests in the inputs of users. */
export interface LoginFailuresTable {
  user_id: string;
  failed_attempts: number;
  failed_at_ms: number;
}

export interface TokensTable {
  /** SHA-256 of the token, hex. */
  hash: string;
  user_id: string;
  project_id: string | null;
  /** Digest of the user's password digest at login: the token ends with the password. */
  password_mark: string;
  issued_at_ms: number;
  expires_at_ms: number;
  /** How long issuing took, for the trace. */
  issue_duration_ms: number;
  revoked: number;
}
