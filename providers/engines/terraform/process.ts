#!/usr/bin/env node
/**
 * The provider's process, which Terraform starts for each phase of a command. What is not needed for the handshake is loaded after it.
 */
import { keepCompiledCode } from "../../config/compile-cache.ts";
import { createProviderLog } from "./provider-log.ts";
import type { Provider } from "./provider.ts";

/** What tells a plugin that it is started by Terraform (terraform: internal/plugin/serve.go, `Handshake`). */
const cookie = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/** How often the process looks whether Terraform is still there, in milliseconds. */
const watchIntervalMs = 2000;

/** What Terraform takes for the reason when a plugin dies (terraform: internal/logging/panic.go). */
function panic(error: unknown): never {
  process.stderr.write(`panic: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(2);
}

process.on("uncaughtException", panic);
process.on("unhandledRejection", panic);
// Ctrl-C reaches the whole process group; Terraform itself says when to stop.
process.on("SIGINT", () => undefined);

if (process.env["TF_PLUGIN_MAGIC_COOKIE"] !== cookie) {
  process.stderr.write(
    "This is the Terraform provider of Stackyard: Terraform starts it. See: stackyard terraform install\n",
  );
  process.exit(1);
}

// Before the code that it is for.
keepCompiledCode();
const { serveProvider, writeHandshake } = await import("./serve.ts");

let provider: Promise<Provider> | undefined;

async function load(): Promise<Provider> {
  const [{ createProvider }, { definitions }, { openProviderCloud, describeDefaultStack }] =
    await Promise.all([import("./provider.ts"), import("../../registry.ts"), import("./provider-cloud.ts")]);
  return createProvider({
    definitions,
    log: createProviderLog((line) => void process.stderr.write(line)),
    openCloud: openProviderCloud,
    defaultStack: describeDefaultStack,
  });
}

let isEnding = false;

function end(): void {
  if (isEnding) return;
  isEnding = true;
  listener.close();
  void provider?.then((loaded) => loaded.close()).finally(() => process.exit());
  if (provider === undefined) process.exit();
}

const listener = await serveProvider({
  handlers: async () => (await (provider ??= load())).handlers,
  clientCertificate: process.env["PLUGIN_CLIENT_CERT"],
  // The answer must leave first.
  onShutdown: () => void setImmediate(end),
});
process.on("SIGTERM", end);
process.stdout.write(writeHandshake(listener));
provider ??= load();

// Terraform that is killed says nothing, and its providers would live on, holding the tasks that they work on.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) end();
}, watchIntervalMs).unref();
