import { z } from "zod";
import { escapeLines } from "./escape.ts";
import type { JsonObject } from "./json.ts";

/**
 * Every error a user can meet, by stable code. `status` is the HTTP status of the same fault in OpenStack's APIs;
 * `retryable` says whether the same call may succeed later without a change of the stack; `remedy` is the default way out.
 */
export const errorCatalogue = {
  // identity
  unauthenticated: {
    status: 401,
    retryable: false,
    remedy: "Check the user name, the password and the project of your credentials.",
  },
  forbidden: { status: 403, retryable: false, remedy: "Ask an administrator for a role on the project." },
  // input
  "invalid-input": { status: 400, retryable: false, remedy: "Correct the field and run again." },
  "unknown-reference": {
    status: 400,
    retryable: false,
    remedy: "Create the referenced resource first, or correct the id.",
  },
  "not-found": { status: 404, retryable: false, remedy: "Check the id or name." },
  conflict: {
    status: 409,
    retryable: false,
    remedy: "Choose another value, or remove the resource that holds it.",
  },
  "in-use": { status: 409, retryable: false, remedy: "Remove what uses it first." },
  "wrong-state": {
    status: 409,
    retryable: true,
    remedy: "Wait until the running task has ended, then run again.",
  },
  "quota-exceeded": {
    status: 403,
    retryable: false,
    remedy: "Raise the quota of the project, or remove what it counts.",
  },
  "not-ours": {
    status: 409,
    retryable: false,
    remedy: "Move or rename the foreign object, or choose another name.",
  },
  "foreign-cloud": { status: 409, retryable: false, remedy: "Un-enrol the host from its cloud first." },
  // placement
  "no-valid-host": {
    status: 500,
    retryable: true,
    remedy: "Add a host, free capacity, or loosen the request.",
  },
  "retries-exhausted": {
    status: 500,
    retryable: true,
    remedy: "See the journal of the task for the error of each host.",
  },
  // hosts
  "host-unreachable": {
    status: 503,
    retryable: true,
    remedy: "Check the address, the network and sshd on the host.",
  },
  "host-key-changed": {
    status: 503,
    retryable: false,
    remedy: "If the change is expected, remove the old key from known_hosts.",
  },
  "host-key-unknown": { status: 503, retryable: false, remedy: "Add the host's key to known_hosts." },
  "host-login-refused": {
    status: 503,
    retryable: false,
    remedy: "Put your public key into authorized_keys of that user on the host, or name another key.",
  },
  "host-unsuitable": { status: 409, retryable: false, remedy: "Install what is missing on the host." },
  "command-failed": { status: 500, retryable: true, remedy: "See the message of the command." },
  "command-timeout": {
    status: 504,
    retryable: true,
    remedy: "Check the load of the host, or raise the limit.",
  },
  "host-disk-full": {
    status: 507,
    retryable: true,
    remedy: "Free space on the host, or choose another host.",
  },
  // ceph
  "ceph-unreachable": {
    status: 503,
    retryable: true,
    remedy: "Check the monitors' addresses, the storage network and the cluster's health (ceph status).",
  },
  "ceph-refused": {
    status: 403,
    retryable: false,
    remedy: "Check the user and the key in its keyring file, and what the user may do (ceph auth get).",
  },
  // images
  "image-unreachable": { status: 400, retryable: true, remedy: "Check the URL or the path." },
  "image-checksum": {
    status: 400,
    retryable: false,
    remedy: "Correct the checksum, or fetch the image anew.",
  },
  "image-truncated": { status: 400, retryable: true, remedy: "Fetch the image anew." },
  "image-format": { status: 400, retryable: false, remedy: "Use a qcow2 or raw disk image." },
  "image-unsafe": {
    status: 400,
    retryable: false,
    remedy: "Flatten the image: qemu-img convert -O qcow2 in.qcow2 out.qcow2",
  },
  // servers
  "not-ready": {
    status: 504,
    retryable: true,
    remedy: "Read the console's tail below; raise the limit if the guest is only slow.",
  },
  // running
  interrupted: { status: 503, retryable: true, remedy: "Run again; the task is resumed from its journal." },
  internal: {
    status: 500,
    retryable: false,
    remedy: "This is a bug: report it with the message and the trace.",
  },
} as const satisfies Record<string, { status: number; retryable: boolean; remedy: string }>;

/** A code of {@link errorCatalogue}. Codes never change their meaning. */
export type ErrorCode = keyof typeof errorCatalogue;

/** All codes, in the order of the catalogue. */
export const errorCodes: readonly ErrorCode[] = Object.keys(errorCatalogue).filter(isErrorCode);

/** What work on a host may raise, whatever the work. */
export const hostCodes: readonly ErrorCode[] = [
  "host-unreachable",
  "host-key-changed",
  "host-key-unknown",
  "host-login-refused",
  "command-failed",
  "command-timeout",
];

/** What work on a Ceph cluster may raise, whatever the work. */
export const cephCodes: readonly ErrorCode[] = ["ceph-unreachable", "ceph-refused"];

/** What an image's bytes, or fetching them, may raise. */
export const imageCodes: readonly ErrorCode[] = [
  "image-unreachable",
  "image-checksum",
  "image-truncated",
  "image-format",
  "image-unsafe",
];

/** What an error says beside its code. */
export interface ErrorDetail {
  /** One sentence: what was attempted and what is wrong. Never repeats the text of `cause`. */
  readonly message: string;
  /** Input path of the value at fault, e.g. `networks.0.address`. */
  readonly field?: string;
  /** The value at fault, as given. Never a secret. */
  readonly value?: unknown;
  /** The way out, where it is more exact than the catalogue's. */
  readonly remedy?: string;
  /** Further lines for the reader: console tail, eliminated hosts, … */
  readonly notes?: readonly string[];
  readonly cause?: unknown;
}

/** The one error class that users see. Anything else thrown is a bug and shown as `internal`. */
export class StackyardError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly value: unknown;
  readonly remedy: string;
  readonly notes: readonly string[];

  constructor(code: ErrorCode, detail: ErrorDetail) {
    super(detail.message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = "StackyardError";
    this.code = code;
    this.field = detail.field;
    this.value = detail.value;
    this.remedy = detail.remedy ?? errorCatalogue[code].remedy;
    this.notes = detail.notes ?? [];
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }

  get retryable(): boolean {
    return errorCatalogue[this.code].retryable;
  }
}

/** Whether `error` is ours with this code. */
export function hasCode(error: unknown, code: ErrorCode): error is StackyardError {
  return error instanceof StackyardError && error.code === code;
}

/** Wraps anything thrown, so that edges handle one class. Errors of ours pass through. */
export function toStackyardError(error: unknown, attempting: string): StackyardError {
  if (error instanceof StackyardError) return error;
  return new StackyardError("internal", { message: `${attempting} failed unexpectedly`, cause: error });
}

/** An error as plain data, for messages, the store and `--json`. Causes become notes. */
export function encodeError(error: StackyardError): JsonObject {
  return {
    code: error.code,
    message: error.message,
    remedy: error.remedy,
    notes: [...listCauses(error).map((cause) => `because: ${cause}`), ...error.notes],
    ...(error.field === undefined ? {} : { field: error.field }),
    ...(error.value === undefined ? {} : { value: encodeValue(error.value) }),
  };
}

/** The layout of {@link encodeError}. */
export const encodedError = z.object({
  code: z.string(),
  message: z.string(),
  remedy: z.string(),
  notes: z.array(z.string()),
  field: z.string().optional(),
  value: z.union([z.string(), z.number(), z.boolean(), z.null()]).optional(),
});

/** Reads what {@link encodeError} wrote. */
export function decodeError(data: JsonObject): StackyardError {
  const { code, message, remedy, notes, field, value } = encodedError.parse(data);
  return new StackyardError(isErrorCode(code) ? code : "internal", {
    message,
    remedy,
    notes,
    ...(field === undefined ? {} : { field }),
    ...(value === undefined ? {} : { value }),
  });
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCatalogue, code);
}

function listCauses(error: Error): readonly string[] {
  const causes: string[] = [];
  for (let cause = error.cause; cause instanceof Error && causes.length < 8; cause = cause.cause)
    causes.push(cause.message);
  return causes;
}

/** Longest rendering of a value in a message: a hostile name must not flood the terminal. */
const maxValueChars = 120;

function renderValue(value: unknown): string {
  return shorten(value === undefined ? "undefined" : JSON.stringify(value));
}

/** A value as data: what is no plain value as its text. */
function encodeValue(value: unknown): string | number | boolean | null {
  if (typeof value === "string") return shorten(value);
  return typeof value === "number" || typeof value === "boolean" || value === null
    ? value
    : renderValue(value);
}

function shorten(text: string): string {
  return text.length <= maxValueChars
    ? text
    : `${text.slice(0, maxValueChars)}… (${String(text.length)} characters)`;
}

/**
 * The whole chain as text for a person: code, field, value, causes, notes and remedy. Safe on a terminal, whoever prints it: what a host or a guest
 * has said may be in it.
 */
export function describeError(error: unknown): string {
  const lines: string[] = [];
  const top = toStackyardError(error, "the operation");
  const at =
    top.field === undefined
      ? ""
      : ` (field ${top.field}${top.value === undefined ? "" : ` = ${renderValue(top.value)}`})`;
  lines.push(`${top.message}${at} [${top.code}]`);
  for (const cause of listCauses(top)) lines.push(`  because: ${cause}`);
  for (const note of top.notes) lines.push(...note.split("\n").map((line) => `  ${line}`));
  lines.push(`  remedy: ${top.remedy}`);
  return escapeLines(lines.join("\n"));
}
