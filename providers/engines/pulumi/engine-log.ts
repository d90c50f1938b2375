import type * as grpcJs from "@grpc/grpc-js";
import type * as engineService from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import type * as engineMessages from "@pulumi/pulumi/proto/engine_pb.js";
import { createRequire } from "node:module";

/** Pulumi's display, one resource at a time. */
export interface EngineLog {
  /** Shows the lines that `work` reports in the resource's Info column while it runs; the latest wins. */
  follow<T>(urn: string, work: (onProgress: (line: string) => void) => Promise<T>): Promise<T>;
  /** Lines about the resource, kept in the diagnostics. */
  inform(urn: string, message: string): void;
  /** A warning beside the resource, kept in the diagnostics. */
  warn(urn: string, message: string): void;
}

/** A message for the engine. `ephemeral` ones are shown only until the next. */
export interface EngineMessage {
  readonly urn: string;
  readonly severity: "info" | "warning";
  readonly text: string;
  readonly ephemeral: boolean;
}

/** Lines of one resource are shown at most this often. */
const followIntervalMs = 250;

/** A log over `send`. Lines that come faster than four a second wait, and only the latest is sent. */
export function createEngineLog(send: (message: EngineMessage) => void): EngineLog {
  return {
    async follow(urn, work) {
      let waiting: string | undefined;
      let timer: NodeJS.Timeout | undefined;
      const show = (line: string): void => {
        if (timer !== undefined) {
          waiting = line;
          return;
        }
        send({ urn, severity: "info", text: line, ephemeral: true });
        timer = setTimeout(() => {
          timer = undefined;
          const next = waiting;
          waiting = undefined;
          if (next !== undefined) show(next);
        }, followIntervalMs);
      };
      try {
        return await work(show);
      } finally {
        clearTimeout(timer);
      }
    },
    inform: (urn, message) => send({ urn, severity: "info", text: message, ephemeral: false }),
    warn: (urn, message) => send({ urn, severity: "warning", text: message, ephemeral: false }),
  };
}

/**
 * Sends messages to the engine at `address`, which the dynamic provider's process is given as its first argument. The link opens with
 * the first message. Messages are a convenience: when the engine or the SDK's stubs are not there, they are dropped.
 */
export function connectEngineLog(address: string | undefined): EngineLog {
  let sender: ((message: EngineMessage) => void) | undefined;
  return createEngineLog((message) => {
    sender ??= address === undefined ? dropMessage : openSender(address);
    sender(message);
  });
}

function dropMessage(): void {
  // Nobody listens: run outside Pulumi.
}

/** The part of the SDK's gRPC stubs that a message needs. */
interface Stubs {
  readonly grpc: typeof grpcJs;
  readonly service: typeof engineService;
  readonly messages: typeof engineMessages;
}

function openSender(address: string): (message: EngineMessage) => void {
  const stubs = loadStubs();
  if (stubs === undefined) return dropMessage;
  const { grpc, service, messages } = stubs;
  const client = new service.EngineClient(address, grpc.credentials.createInsecure());
  return ({ urn, severity, text, ephemeral }) => {
    const request = new messages.LogRequest();
    request.setUrn(urn);
    request.setSeverity(severity === "info" ? messages.LogSeverity.INFO : messages.LogSeverity.WARNING);
    request.setMessage(text);
    request.setEphemeral(ephemeral);
    client.log(request, dropMessage);
  };
}

/** Loads the copies of the program's SDK: client and credentials must come from one copy of grpc-js. */
function loadStubs(): Stubs | undefined {
  try {
    const fromSdk = createRequire(createRequire(import.meta.url).resolve("@pulumi/pulumi"));
    const loaded: Loaded = {
      grpc: fromSdk("@grpc/grpc-js"),
      service: fromSdk("./proto/engine_grpc_pb.js"),
      messages: fromSdk("./proto/engine_pb.js"),
    };
    return areStubs(loaded) ? loaded : undefined;
  } catch {
    return undefined;
  }
}

type Loaded = Readonly<Record<keyof Stubs, unknown>>;

function areStubs(loaded: Loaded): loaded is Loaded & Stubs {
  return (
    hasKey(loaded.grpc, "credentials") &&
    hasKey(loaded.service, "EngineClient") &&
    hasKey(loaded.messages, "LogRequest")
  );
}

function hasKey(module: unknown, key: string): boolean {
  return typeof module === "object" && module !== null && key in module;
}
