import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { HostAddress } from "../../providers/core/host.ts";
import type { SshEnvironment } from "../../providers/hosts/ssh-config.ts";

const run = promisify(execFile);

/** A real sshd on loopback with its own host key, and all that a client needs to log in to it as the user of this process. */
export interface TestSshd {
  readonly port: number;
  readonly folder: string;
  readonly address: HostAddress;
  /** A home folder without ssh_config, keys or agent. */
  readonly environment: SshEnvironment;
  readonly knownHostsFile: string;
  readonly identityFile: string;
  /** Public host key as in known_hosts: type and base64. */
  readonly hostKey: string;
  /** Ends all connections, as if the network had failed. */
  dropConnections(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts an sshd. `settings` are further lines of sshd_config. */
export async function startSshd(settings: readonly string[] = []): Promise<TestSshd> {
  const folder = await mkdtemp(join(tmpdir(), "stackyard-sshd-"));
  await chmod(folder, 0o700);
  const at = (name: string): string => join(folder, name);
  await Promise.all(
    ["host_key", "id"].map((name) => run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(name)])),
  );
  const hostKey = (await readFile(at("host_key.pub"), "utf8")).split(" ").slice(0, 2).join(" ").trim();
  const port = await findFreePort();
  await writeFile(at("authorized_keys"), await readFile(at("id.pub")), { mode: 0o600 });
  await writeFile(at("known_hosts"), `[127.0.0.1]:${String(port)} ${hostKey}\n`);
  await writeFile(
    at("sshd_config"),
    [
      `Port ${String(port)}`,
      "ListenAddress 127.0.0.1",
      `HostKey ${at("host_key")}`,
      `AuthorizedKeysFile ${at("authorized_keys")}`,
      `PidFile ${at("sshd.pid")}`,
      "StrictModes no",
      "UsePAM no",
      "UseDNS no",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      // A shell reads start-up files of the one who runs the tests otherwise.
      `SetEnv HOME=${folder}`,
      ...settings,
    ].join("\n"),
  );
  // sshd refuses to start without it; the package's own service makes it at boot.
  await run("mkdir", ["-p", "/run/sshd"]).catch(() => undefined);
  const sshd = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", at("sshd_config")], { stdio: "ignore" });
  const exited = once(sshd, "exit");
  await waitForPort(port);
  return {
    port,
    folder,
    hostKey,
    knownHostsFile: at("known_hosts"),
    identityFile: at("id"),
    address: {
      name: "sshd",
      transport: "ssh",
      address: "127.0.0.1",
      port,
      user: userInfo().username,
      identityFile: at("id"),
      knownHostsFile: at("known_hosts"),
    },
    environment: { home: folder, user: userInfo().username },
    async dropConnections() {
      for (const child of await childrenOf(sshd.pid ?? 0)) await killServers(child);
    },
    async stop() {
      sshd.kill("SIGTERM");
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A TCP port of loopback that nobody listens on now. */
export async function findFreePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

async function waitForPort(port: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    try {
      await run("ssh-keyscan", ["-p", String(port), "-T", "2", "127.0.0.1"]);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(20);
    }
  }
}

async function childrenOf(processId: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${String(processId)}/task/${String(processId)}/children`, "utf8").catch(
    () => "",
  );
  return text.trim().split(" ").filter(Boolean).map(Number);
}

/** Only the servers: what a session has started goes on, as when the network fails. */
async function killServers(processId: number): Promise<void> {
  const name = await readFile(`/proc/${String(processId)}/comm`, "utf8").catch(() => "");
  if (!name.startsWith("sshd")) return;
  const children = await childrenOf(processId);
  try {
    process.kill(processId, "SIGKILL");
  } catch {
    return; // it ended by itself meanwhile
  }
  for (const child of children) await killServers(child);
}
