import {
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findPackageRoot } from "../../core/package-root.ts";
import { makeCertificate, type Certificate } from "./certificate.ts";
import type { Handler } from "./provider.ts";

/** Version of the protocol that this provider speaks. */
const protocolVersion = 6;

/** The file that defines it: as released with Terraform, for our sources and the published package alike. */
const protocolFile = "providers/engines/terraform/tfplugin6.proto";

/** Where a provider listens. */
export interface Listener {
  /** Path of a Unix socket. */
  readonly socket: string;
  /** The server's certificate, when the client has one. */
  readonly certificate: Certificate | undefined;
  close(): void;
}

/** How a provider is served. */
export interface ServeOptions {
  /** The handlers, loaded at the first call: until then the client only waits for the address. */
  readonly handlers: () => Promise<Readonly<Record<string, Handler>>>;
  /** The client's certificate (PEM): both sides then prove who they are (go-plugin: AutoMTLS). Without it the socket is open. */
  readonly clientCertificate: string | undefined;
  /** The client asks the process to end. */
  readonly onShutdown: () => void;
}

/** Serves a provider on a socket of its own, in a folder that only its user may enter. */
export async function serveProvider(options: ServeOptions): Promise<Listener> {
  const server = new Server({
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
  });
  const service = loadProviderService();
  server.addService(service, implement(service, options.handlers));
  server.addService(controller, {
    Shutdown: (_call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => {
      reply(null, Buffer.alloc(0));
      options.onShutdown();
    },
  });
  const folder = mkdtempSync(join(tmpdir(), "stackyard-terraform-"));
  const socket = join(folder, "provider.sock");
  const certificate = options.clientCertificate === undefined ? undefined : makeCertificate();
  await bind(server, `unix:${socket}`, toCredentials(certificate, options.clientCertificate));
  return {
    socket,
    certificate,
    close: () => {
      server.forceShutdown();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The line by which go-plugin's client finds its plugin (go-plugin: client.go, "CORE|APP|NETWORK|ADDRESS|grpc|CERTIFICATE"). */
export function writeHandshake({ socket, certificate }: Listener): string {
  // Go reads base64 without padding.
  const encoded = certificate?.der.toString("base64").replace(/=+$/, "") ?? "";
  return `1|${String(protocolVersion)}|unix|${socket}|grpc|${encoded}\n`;
}

function loadProviderService(): ServiceDefinition {
  const definitions = loadSync(join(findPackageRoot(), protocolFile), {
    keepCase: true,
    longs: Number,
    defaults: true,
  });
  const service = definitions["tfplugin6.Provider"];
  if (service === undefined || "format" in service) throw new Error(`${protocolFile} defines no provider`);
  return service;
}

/** The service that ends a plugin (go-plugin: internal/plugin/grpc_controller.proto). Both of its messages are empty. */
const controller: ServiceDefinition = {
  Shutdown: {
    path: "/plugin.GRPCController/Shutdown",
    requestStream: false,
    responseStream: false,
    requestSerialize: (message: Buffer) => message,
    requestDeserialize: (message: Buffer) => message,
    responseSerialize: (message: Buffer) => message,
    responseDeserialize: (message: Buffer) => message,
  },
};

function implement(
  service: ServiceDefinition,
  handlers: ServeOptions["handlers"],
): UntypedServiceImplementation {
  return Object.fromEntries(
    Object.keys(service).map((name) => [
      name,
      (call: ServerUnaryCall<unknown, object>, reply: sendUnaryData<object>): void => {
        void handlers()
          .then((all) => all[name]?.(call.request))
          .then(
            (response) =>
              response === undefined ? reply({ code: status.UNIMPLEMENTED }) : reply(null, response),
            (error: unknown) =>
              reply({
                code: status.INTERNAL,
                details: error instanceof Error ? error.message : String(error),
              }),
          );
      },
    ]),
  );
}

function toCredentials(
  certificate: Certificate | undefined,
  clientCertificate: string | undefined,
): ServerCredentials {
  if (certificate === undefined || clientCertificate === undefined) return ServerCredentials.createInsecure();
  const pair = {
    cert_chain: Buffer.from(certificate.certificatePem),
    private_key: Buffer.from(certificate.keyPem),
  };
  return ServerCredentials.createSsl(Buffer.from(clientCertificate), [pair], true);
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<void> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error) => (error === null ? resolve() : reject(error)));
  });
}
