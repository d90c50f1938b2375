import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { sh } from "../../providers/hosts/command.ts";
import type { HostAddress, HostConnection } from "../../providers/hosts/connection.ts";
import { connectSsh } from "../../providers/hosts/ssh.ts";
import type { SshEnvironment } from "../../providers/hosts/ssh-config.ts";
import { findFreePort, startSshd } from "../support/sshd.ts";
import type { TestSshd } from "../support/sshd.ts";

const run = promisify(execFile);

describe("connectSsh", () => {
  let sshd: TestSshd;
  let gate: TestSshd;
  const connections: HostConnection[] = [];
  const at = (file: string): string => join(sshd.folder, file);

  async function connect(
    address: Partial<HostAddress> = {},
    environment: Partial<SshEnvironment> = {},
  ): Promise<HostConnection> {
    const connection = await connectSsh(
      { ...sshd.address, ...address },
      { environment: { ...sshd.environment, ...environment } },
    );
    connections.push(connection);
    return connection;
  }
  const greet = async (connection: HostConnection): Promise<string> =>
    (await connection.run(sh`echo hello`)).stdout;
  const knownAs = async (file: string, text: string): Promise<string> => {
    await writeFile(at(file), text);
    return at(file);
  };

  beforeAll(async () => {
    [sshd, gate] = await Promise.all([startSshd(), startSshd()]);
    await appendFile(join(gate.folder, "authorized_keys"), await readFile(`${sshd.identityFile}.pub`));
    await appendFile(sshd.knownHostsFile, await readFile(gate.knownHostsFile));
  });
  afterEach(async () => {
    await Promise.all(connections.splice(0).map((connection) => connection.close()));
  });
  afterAll(async () => {
    await Promise.all([sshd.stop(), gate.stop()]);
  });

  it("takes a few milliseconds a command, not Nagle's 40", async () => {
    const connection = await connect();
    const durations: number[] = [];
    for (let count = 0; count < 9; count++) durations.push((await connection.run(sh`:`)).durationMs);
    expect(durations.sort((a, b) => a - b)[2]).toBeLessThan(35);
  });

  describe("host keys", () => {
    it("refuses a host that known_hosts does not have, with the fingerprint and the way to add it", async () => {
      const file = await knownAs("empty", "");
      const { stdout } = await run("ssh-keygen", ["-lf", at("host_key.pub")]);
      await expect(connect({ knownHostsFile: file })).rejects.toMatchObject({
        code: "host-key-unknown",
        retryable: false,
        message: expect.stringContaining(stdout.split(" ")[1] ?? "no fingerprint") as string,
        remedy: expect.stringContaining(
          `ssh-keyscan -p '${String(sshd.port)}' '127.0.0.1' >> '${file}'`,
        ) as string,
      });
    });

    it("refuses a host whose key has changed, with both fingerprints", async () => {
      const file = await knownAs("changed", `[127.0.0.1]:${String(sshd.port)} ${gate.hostKey}\n`);
      const known = await run("ssh-keygen", ["-lf", join(gate.folder, "host_key.pub")]);
      await expect(connect({ knownHostsFile: file })).rejects.toMatchObject({
        code: "host-key-changed",
        notes: [`${file}:1: ssh-ed25519 ${known.stdout.split(" ")[1] ?? "no fingerprint"}`],
        remedy: expect.stringContaining(
          `ssh-keygen -R '[127.0.0.1]:${String(sshd.port)}' -f '${file}'`,
        ) as string,
      });
    });

    it("refuses a key that is revoked", async () => {
      const text = `[127.0.0.1]:* ${sshd.hostKey}\n@revoked * ${sshd.hostKey}\n`;
      await expect(connect({ knownHostsFile: await knownAs("revoked", text) })).rejects.toMatchObject({
        code: "host-key-changed",
        message: expect.stringContaining("revoked") as string,
      });
    });

    it("says that it cannot use a certificate authority", async () => {
      const file = await knownAs("authority", `@cert-authority * ${sshd.hostKey}\n`);
      await expect(connect({ knownHostsFile: file })).rejects.toMatchObject({
        code: "host-key-unknown",
        notes: [`${file}:1: @cert-authority lines are not supported`],
      });
    });

    it("takes a host whose name ssh-keygen has hashed", async () => {
      const file = await knownAs("hashed", await readFile(sshd.knownHostsFile, "utf8"));
      await run("ssh-keygen", ["-q", "-H", "-f", file]);
      expect(await greet(await connect({ knownHostsFile: file }))).toBe("hello\n");
    });

    it("logs in to no host before its key is known to be right", async () => {
      const file = await knownAs("none", "");
      await expect(connect({ knownHostsFile: file, user: "nobody-at-all" })).rejects.toMatchObject({
        code: "host-key-unknown",
      });
    });
  });

  describe("login", () => {
    it("is refused without the right key", async () => {
      await expect(connect({ identityFile: gate.identityFile })).rejects.toMatchObject({
        code: "host-login-refused",
        retryable: false,
        notes: [`keys tried: ${gate.identityFile}, no agent`],
      });
    });

    it("says which key file cannot be read", async () => {
      await expect(connect({ identityFile: at("missing") })).rejects.toMatchObject({
        code: "invalid-input",
        field: "identityFile",
        value: at("missing"),
      });
    });

    it("does not ask for a passphrase, and points to the agent", async () => {
      await writeFile(at("locked"), await readFile(sshd.identityFile), { mode: 0o600 });
      await run("ssh-keygen", ["-q", "-p", "-N", "secret phrase", "-f", at("locked")]);
      await expect(connect({ identityFile: at("locked") })).rejects.toMatchObject({
        code: "invalid-input",
        remedy: expect.stringContaining(`ssh-add '${at("locked")}'`) as string,
      });
    });

    it("uses the usual keys of the home folder where none is named", async () => {
      await mkdir(at("home/.ssh"), { recursive: true });
      await writeFile(at("home/.ssh/id_ed25519"), await readFile(sshd.identityFile), { mode: 0o600 });
      expect(await greet(await connect({ identityFile: undefined }, { home: at("home") }))).toBe("hello\n");
    });

    it("uses the agent for a key whose file is locked, and does without a dead one", async () => {
      const socket = at("agent");
      await writeFile(at("kept"), await readFile(sshd.identityFile), { mode: 0o600 });
      const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
      const ended = once(agent, "exit");
      await expect.poll(() => run("ssh-add", [at("kept")], { env: { SSH_AUTH_SOCK: socket } })).toBeDefined();
      await run("ssh-keygen", ["-q", "-p", "-N", "secret phrase", "-f", at("kept")]);
      expect(await greet(await connect({ identityFile: at("kept") }, { agentSocket: socket }))).toBe(
        "hello\n",
      );
      agent.kill();
      await ended;
      await writeFile(socket, "");
      expect(await greet(await connect({}, { agentSocket: socket }))).toBe("hello\n");
      await rm(socket);
    });
  });

  describe("ssh_config", () => {
    it("is honoured, with the files that it includes", async () => {
      await writeFile(at("included"), `Host kvm1\n  HostName 127.0.0.1\n  Port ${String(sshd.port)}\n`);
      const settings = [`IdentityFile ${sshd.identityFile}`, `UserKnownHostsFile ${sshd.knownHostsFile}`];
      await writeFile(at("config"), [`Include ${at("incl*")}`, "Host *", ...settings].join("\n"));
      const connection = await connectSsh(
        {
          name: "kvm1",
          transport: "ssh",
          address: "kvm1",
          configFile: at("config"),
          user: sshd.address.user,
        },
        { environment: sshd.environment },
      );
      connections.push(connection);
      expect(await greet(connection)).toBe("hello\n");
    });

    it("must be there when it is named", async () => {
      await expect(connect({ configFile: at("no-config") })).rejects.toMatchObject({
        code: "invalid-input",
        field: "configFile",
      });
    });
  });

  describe("ProxyJump", () => {
    const jumpConfig = async (extra: readonly string[] = []): Promise<string> => {
      const lines = [
        ...extra,
        `Host gate`,
        "  HostName 127.0.0.1",
        `  Port ${String(gate.port)}`,
        `  User ${String(gate.address.user)}`,
        `  IdentityFile ${gate.identityFile}`,
      ];
      await writeFile(at("jump-config"), lines.join("\n"));
      return at("jump-config");
    };

    it("goes through another host", async () => {
      const connection = await connect({ proxyJump: "gate", configFile: await jumpConfig() });
      const result = await connection.run(sh`echo "$SSH_CONNECTION"`);
      expect(result.stdout).toMatch(new RegExp(`^127.0.0.1 \\d+ 127.0.0.1 ${String(sshd.port)}\n$`));
    });

    it("goes through a chain, and opens it again when it was cut", async () => {
      const connection = await connect({ proxyJump: "gate,gate", configFile: await jumpConfig() });
      expect(await greet(connection)).toBe("hello\n");
      await gate.dropConnections();
      await expect.poll(() => connection.isOpen()).toBe(false);
      expect(await greet(connection)).toBe("hello\n");
    });

    it("checks the key of each hop", async () => {
      const file = await knownAs("target-only", `[127.0.0.1]:${String(sshd.port)} ${sshd.hostKey}\n`);
      const address = { proxyJump: "gate", configFile: await jumpConfig(), knownHostsFile: file };
      await expect(connect(address)).rejects.toMatchObject({
        code: "host-key-unknown",
        message: expect.stringContaining("jump host gate") as string,
      });
    });

    it("says so when the far host cannot be reached from the jump host", async () => {
      const address = { proxyJump: "gate", configFile: await jumpConfig(), port: await findFreePort() };
      await expect(connect(address)).rejects.toMatchObject({ code: "host-unreachable" });
    });

    it("ends at a loop", async () => {
      const configFile = await jumpConfig(["Host gate", "  ProxyJump gate"]);
      await expect(connect({ proxyJump: "gate", configFile })).rejects.toMatchObject({
        code: "invalid-input",
        field: "proxyJump",
      });
    });
  });

  it("raises host-unreachable where nobody listens", async () => {
    const port = await findFreePort();
    await expect(connect({ port })).rejects.toMatchObject({
      code: "host-unreachable",
      retryable: true,
      message: `Host sshd cannot be reached at [127.0.0.1]:${String(port)}`,
    });
  });
});

describe("sshd with few sessions", () => {
  it("is given no more commands at once than it takes", async () => {
    const sshd = await startSshd(["MaxSessions 2"]);
    const connection = await connectSsh(sshd.address, { environment: sshd.environment });
    const results = await Promise.all(
      [...Array(6).keys()].map((n) => connection.run(sh`sleep 0.1; echo ${n}`)),
    );
    expect(results.map(({ stdout }) => Number(stdout))).toEqual([...Array(6).keys()]);
    await connection.close();
    await sshd.stop();
  });
});
