import { Client, credentials } from "@grpc/grpc-js";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { makeCertificate } from "../../providers/engines/terraform/certificate.ts";
import { compare } from "./measurement.ts";
import type { Measurement } from "./measurement.ts";

const runs = 9;

/** What tells a plugin that it is started by Terraform (terraform: internal/plugin/serve.go, `Handshake`). */
const cookie = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/** Both as Terraform's mirror holds them. */
export interface Launchers {
  readonly launcher: string;
  /** Of a trivial provider. */
  readonly floorLauncher: string;
}

/** Times the start of the provider as Terraform starts it, with certificates on both sides, beside that of a trivial one. */
export async function benchProviderStart({
  launcher,
  floorLauncher,
}: Launchers): Promise<readonly Measurement[]> {
  const own: Start[] = [];
  const floor: Start[] = [];
  for (let run = -1; run < runs; run++) {
    const ownStart = await startProvider(launcher);
    const floorStart = await startProvider(floorLauncher);
    if (run < 0) continue;
    own.push(ownStart);
    floor.push(floorStart);
  }
  const against = (of: (start: Start) => number) =>
    compare({ own: own.map(of), baseline: floor.map(of) }, { name: "a trivial provider" });
  return [
    {
      name: "Terraform provider, from its start to the handshake",
      unit: "ms",
      ...against(({ handshakeMs }) => handshakeMs),
      note: "From the spawn of the launcher to the line that names the socket.",
    },
    {
      name: "Terraform provider, from its start to its first reply",
      unit: "ms",
      ...against(({ replyMs }) => replyMs),
      note: "To the whole answer to GetProviderSchema over mutual TLS. A CLI starts the provider two or three times for each plan.",
    },
  ];
}

/** Times since the spawn, in milliseconds. */
interface Start {
  readonly handshakeMs: number;
  readonly replyMs: number;
}

async function startProvider(launcher: string): Promise<Start> {
  const certificate = makeCertificate();
  const env = {
    ...process.env,
    TF_PLUGIN_MAGIC_COOKIE: cookie,
    PLUGIN_CLIENT_CERT: certificate.certificatePem,
  };
  const startedAtMs = performance.now();
  const child = spawn(launcher, [], { env, stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(child, "close");
  try {
    const line = await readLine(child.stdout);
    const handshakeMs = performance.now() - startedAtMs;
    const [, , , socket = "", , encoded = ""] = line.split("|");
    const authority = `-----BEGIN CERTIFICATE-----\n${Buffer.from(encoded, "base64").toString("base64")}\n-----END CERTIFICATE-----\n`;
    const client = new Client(
      `unix:${socket}`,
      credentials.createSsl(
        Buffer.from(authority),
        Buffer.from(certificate.keyPem),
        Buffer.from(certificate.certificatePem),
      ),
      { "grpc.ssl_target_name_override": "localhost", "grpc.max_receive_message_length": -1 },
    );
    try {
      await askForSchema(client);
      return { handshakeMs, replyMs: performance.now() - startedAtMs };
    } finally {
      client.close();
    }
  } finally {
    child.kill("SIGTERM");
    await ended;
  }
}

/** The first line that a plugin prints. */
async function readLine(stdout: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stdout })) return line;
  throw new Error("the provider has ended without a handshake");
}

/** Asks with an empty message, as Terraform does, and leaves the answer in bytes. */
function askForSchema(client: Client): Promise<Buffer> {
  const pass = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      "/tfplugin6.Provider/GetProviderSchema",
      pass,
      pass,
      Buffer.alloc(0),
      (error, answer) => {
        if (answer === undefined) reject(error ?? new Error("the provider has answered nothing"));
        else resolve(answer);
      },
    );
  });
}
