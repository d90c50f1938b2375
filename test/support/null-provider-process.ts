/** The process of the stand-in for hashicorp/null, which Terraform starts; see null-provider.ts. */
import { serveProvider, writeHandshake } from "../../providers/engines/terraform/serve.ts";
import { nullProviderHandlers } from "./null-provider.ts";

process.on("SIGINT", () => undefined);
const listener = await serveProvider({
  handlers: () => Promise.resolve(nullProviderHandlers),
  clientCertificate: process.env["PLUGIN_CLIENT_CERT"],
  onShutdown: () => void setImmediate(end),
});
process.on("SIGTERM", end);
process.stdout.write(writeHandshake(listener));

function end(): void {
  listener.close();
  process.exit();
}

// Terraform that is killed says nothing.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) end();
}, 2000).unref();
