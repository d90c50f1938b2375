import type { Duplex, Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { NodeSSH } from "node-ssh";
import type { Channel, Client, ClientChannel, ServerHostKeyAlgorithm } from "ssh2";
import { StackyardError } from "../core/errors.ts";
import { sh } from "./command.ts";
import { exitCodeOfSignal, interruption, makeConnection } from "./connection.ts";
import type { Ending, HostAddress, HostConnection, Listening, StartedCommand } from "./connection.ts";
import { fingerprint, judgeHostKey, knownHostName, knownKeyTypes, typeOfKey } from "./known-hosts.ts";
import type { HostKeyVerdict } from "./known-hosts.ts";
import { resolveSshTarget } from "./ssh-config.ts";
import type { SshEnvironment, SshTarget } from "./ssh-config.ts";
import { listAuthentication, readConfig, readKnownHosts } from "./ssh-files.ts";

/** How logins are made. */
export interface SshOptions {
  readonly environment: SshEnvironment;
  /** Commands at once over one connection; more wait. Default 8: sshd allows 10 (sshd_config(5), MaxSessions). */
  readonly maxChannels?: number;
}

const defaultMaxChannels = 8;
const keepaliveIntervalMs = 10_000;
const keepaliveCountMax = 3;
/** How long a host may take to take leave. */
const closeTimeoutMs = 2_000;
/** Hops through hops; a longer chain is taken for a loop. */
const maxJumpDepth = 8;

/**
 * Logs in to a host. The link is shared by all commands, kept alive, and opened again by the next command once it has died; a command is
 * never sent twice. Settings of ssh_config, the agent, known_hosts and ProxyJump are honoured as
 * {@link resolveSshTarget} says; host keys are always checked. The login shell of the user must be a POSIX one.
 *
 * Raises `host-unreachable`, `host-key-unknown`, `host-key-changed`, `host-login-refused`, `invalid-input` (settings, key files).
 */
export async function connectSsh(address: HostAddress, options: SshOptions): Promise<HostConnection> {
  const slots = makeSlots(options.maxChannels ?? defaultMaxChannels);
  /** The link in use or on its way; absent once it is down. */
  let current: Promise<Link> | undefined;
  let link: Link | undefined;
  const open = (): Promise<Link> => {
    if (current !== undefined) return current;
    const opening = openLink(address, options.environment);
    current = opening;
    const forget = (): void => {
      if (current === opening) current = undefined;
    };
    opening.then((opened) => {
      link = opened;
      void opened.closed.then(forget);
    }, forget);
    return opening;
  };
  await open();
  return makeConnection(address, {
    start: (text, signal) => startRemotely(address, open, slots, text, signal),
    openSocket: async (path) => openSocket(await open(), path),
    listenAt: async (path, accept) => listenAt(await open(), path, accept),
    isOpen: () => link?.isUp() === true,
    async close() {
      await current?.then(
        (opened) => opened.close(),
        () => undefined,
      );
    },
  });
}

/** A login, and those that it goes through. */
interface Link {
  readonly client: Client;
  /** Opens a TCP connection from the far end, for a login to the next host. */
  readonly forward: (host: string, port: number) => Promise<Channel>;
  /** Resolves with the reason once the link is down. */
  readonly closed: Promise<string>;
  isUp(): boolean;
  close(): Promise<void>;
}

async function openLink(address: HostAddress, environment: SshEnvironment, depth = 0): Promise<Link> {
  if (depth > maxJumpDepth) {
    throw new StackyardError("invalid-input", {
      message: `The way to host ${address.name} goes through more than ${maxJumpDepth} hosts`,
      field: "proxyJump",
      remedy: "Look for a loop of ProxyJump in ssh_config.",
    });
  }
  const config = readConfig(address, environment);
  const target = resolveSshTarget(config, address, environment);
  let via: Link | undefined;
  for (const jump of target.jumps) {
    const previous = via;
    const hop: HostAddress = {
      ...jump,
      name: `${address.name} (jump host ${jump.address})`,
      transport: "ssh",
      configFile: address.configFile,
      // As in OpenSSH, the keys named for the target are not offered to its jump hosts, yet one file may know all host keys.
      knownHostsFile: address.knownHostsFile,
      // Hops after the first are reached through the one before, whatever ssh_config says of them.
      ...(previous === undefined ? {} : { proxyJump: "none" }),
    };
    via =
      previous === undefined
        ? await openLink(hop, environment, depth + 1)
        : await loginThrough(hop, resolveSshTarget(config, hop, environment), previous);
  }
  return via === undefined ? login(address, target) : loginThrough(address, target, via);
}

async function loginThrough(address: HostAddress, target: SshTarget, via: Link): Promise<Link> {
  try {
    const tooLate = sleep(target.connectTimeoutMs, undefined, { ref: false }).then(() => {
      throw new Error(`no answer within ${target.connectTimeoutMs / 1000} s`);
    });
    const socket = await Promise.race([via.forward(target.host, target.port), tooLate]).catch(
      (cause: unknown) => {
        throw unreachable(address, target, cause);
      },
    );
    const link = await login(address, target, socket);
    void link.closed.then(() => via.close());
    return link;
  } catch (error) {
    await via.close();
    throw error;
  }
}

async function login(address: HostAddress, target: SshTarget, socket?: Readable): Promise<Link> {
  const knownHosts = await readKnownHosts(target.knownHostsFiles);
  const authentication = await listAuthentication(address, target);
  const ssh = new NodeSSH();
  let refusedKey: StackyardError | undefined;
  const connecting = ssh.connect({
    host: target.host,
    port: target.port,
    username: target.user,
    ...(socket === undefined ? {} : { sock: socket }),
    readyTimeout: target.connectTimeoutMs,
    keepaliveInterval: keepaliveIntervalMs,
    keepaliveCountMax,
    algorithms: {
      serverHostKey: orderHostKeyAlgorithms(knownKeyTypes(knownHosts, target.host, target.port)),
    },
    hostVerifier: (key: Buffer) => {
      const verdict = judgeHostKey(knownHosts, target.host, target.port, key);
      if (verdict.verdict === "trusted") return true;
      refusedKey = describeHostKey(address, target, key, verdict);
      return false;
    },
    authHandler: [...authentication],
  });
  const client = ssh.connection;
  if (client === null) throw new Error("node-ssh did not make its client before it connects");
  const { promise: closed, resolve: reportClosed } = Promise.withResolvers<string>();
  let reason = "the connection ended";
  // node-ssh drops its own listener once the login is done; an error event without one would end this process.
  client.on("error", (error: Error) => (reason = error.message));
  let isUp = true;
  client.once("close", () => {
    isUp = false;
    reportClosed(reason);
  });
  try {
    await connecting;
  } catch (cause) {
    client.destroy();
    throw refusedKey ?? describeLoginFailure(address, target, cause);
  }
  // Without it each command waits 40 ms: Nagle's algorithm against delayed acknowledgements.
  client.setNoDelay(true);
  return {
    client,
    forward: (host, port) => ssh.forwardOut("127.0.0.1", 0, host, port),
    closed,
    isUp: () => isUp,
    async close() {
      client.end();
      const limit = setTimeout(() => client.destroy(), closeTimeoutMs);
      await closed;
      clearTimeout(limit);
    },
  };
}

async function startRemotely(
  address: HostAddress,
  open: () => Promise<Link>,
  slots: Slots,
  text: string,
  signal: AbortSignal | undefined,
): Promise<StartedCommand> {
  for (;;) {
    await slots.acquire();
    try {
      if (signal?.aborted === true) throw interruption(address, "run a command");
      const command = await execute(await open(), text);
      void command.ended.then(() => slots.release());
      return command;
    } catch (error) {
      slots.release();
      if (error instanceof StackyardError) throw error;
      // The host has fewer sessions to give than we took it for: wait until one of ours has ended.
      const isRefused = error instanceof Error && "reason" in error;
      if (!isRefused || !slots.shrink()) {
        throw new StackyardError("host-unreachable", {
          message: `Host ${address.name} could not be given a command; it has not run`,
          cause: error,
        });
      }
    }
  }
}

function execute(link: Link, text: string): Promise<StartedCommand> {
  return new Promise((resolve, reject) => {
    void link.closed.then((reason) => reject(new Error(reason)));
    link.client.exec(text, (error, channel) => {
      // Listen at once: the end of a short command may be in the same packet as its beginning.
      if (error === undefined) resolve(listen(link, channel));
      else reject(error);
    });
  });
}

function listen(link: Link, channel: ClientChannel): StartedCommand {
  const { promise: ended, resolve } = Promise.withResolvers<Ending>();
  let exit: Ending | undefined;
  channel.once("exit", (code: number | null, signalName?: string) => {
    exit = { exitCode: code ?? exitCodeOfSignal(signalName ?? "") };
  });
  channel.once("close", () => resolve(exit ?? { lost: "the command's channel was closed" }));
  // An exit code alone is not the end: output may still have been on its way.
  void link.closed.then((lost) => resolve({ lost }));
  return {
    stdin: channel,
    stdout: channel,
    stderr: channel.stderr,
    ended,
    terminate(processId) {
      const kill = sh`kill -TERM ${processId}`.text;
      // Its own channel, without a slot: eight may be taken, sshd has ten. If the link is gone there is nobody to tell.
      if (link.isUp())
        link.client.exec(kill, (_error, killer: ClientChannel | undefined) => killer?.resume());
    },
    abandon: () => channel.close(),
  };
}

function openSocket({ client, closed }: Link, path: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    void closed.then((reason) => reject(new Error(reason)));
    client.openssh_forwardOutStreamLocal(path, (error, channel) => {
      if (error === undefined) resolve(channel);
      else reject(error);
    });
  });
}

/** The host's sshd makes the socket's file, readable by its user alone (sshd_config(5), StreamLocalBindMask). */
function listenAt(link: Link, path: string, accept: (socket: Duplex) => void): Promise<Listening> {
  const { client, closed } = link;
  const onConnection = (
    { socketPath }: { readonly socketPath: string },
    acceptChannel: () => Duplex,
  ): void => {
    if (socketPath === path) accept(acceptChannel());
  };
  return new Promise((resolve, reject) => {
    void closed.then((reason) => reject(new Error(reason)));
    client.on("unix connection", onConnection);
    client.openssh_forwardInStreamLocal(path, (error) => {
      if (error !== undefined) {
        client.off("unix connection", onConnection);
        reject(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      resolve({
        close: () =>
          new Promise((done) => {
            client.off("unix connection", onConnection);
            if (!link.isUp()) {
              done();
              return;
            }
            void closed.then(() => done());
            client.openssh_unforwardInStreamLocal(path, () => done());
          }),
      });
    });
  });
}

/** Bounds the commands at once. */
interface Slots {
  acquire(): Promise<void>;
  release(): void;
  /** Takes the number in use now for the limit; false if none is in use. */
  shrink(): boolean;
}

function makeSlots(max: number): Slots {
  const waiting: (() => void)[] = [];
  let limit = max;
  let used = 0;
  const admit = (): void => {
    while (used < limit) {
      const next = waiting.shift();
      if (next === undefined) return;
      used++;
      next();
    }
  };
  return {
    acquire() {
      const { promise, resolve: admitted } = Promise.withResolvers<undefined>();
      waiting.push(() => admitted(undefined));
      admit();
      return promise;
    },
    release() {
      used--;
      admit();
    },
    shrink() {
      if (used === 0) return false;
      limit = used;
      return true;
    },
  };
}

/** Known types first: a host that has several keys then shows one that we can check. */
function orderHostKeyAlgorithms(knownTypes: readonly string[]): ServerHostKeyAlgorithm[] {
  const isKnown = (algorithm: ServerHostKeyAlgorithm): boolean =>
    knownTypes.includes(algorithm.startsWith("rsa-") ? "ssh-rsa" : algorithm);
  return [...hostKeyAlgorithms.filter(isKnown), ...hostKeyAlgorithms.filter((name) => !isKnown(name))];
}

/** All that ssh2 checks by default, without RSA signatures over SHA-1. */
const hostKeyAlgorithms: readonly ServerHostKeyAlgorithm[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
];

function describeHostKey(
  address: HostAddress,
  target: SshTarget,
  key: Buffer,
  verdict: Exclude<HostKeyVerdict, { verdict: "trusted" }>,
): StackyardError {
  const shown = `${typeOfKey(key)} ${fingerprint(key)}`;
  const name = knownHostName(target.host, target.port);
  const file = target.knownHostsFiles[0] ?? "known_hosts";
  const scan = sh`ssh-keyscan -p ${target.port} ${target.host} >> ${file}`.text;
  switch (verdict.verdict) {
    case "unknown":
      return new StackyardError("host-key-unknown", {
        message: `The key of host ${address.name} is not known: ${name} shows ${shown}`,
        notes: verdict.authorities.map((line) => `${line.source}: @cert-authority lines are not supported`),
        remedy: `Compare the fingerprint with that of "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" on the host, then: ${scan}`,
      });
    case "changed":
      return new StackyardError("host-key-changed", {
        message: `The key of host ${address.name} has changed: ${name} shows ${shown}`,
        notes: verdict.known.map((line) => `${line.source}: ${line.keyType} ${fingerprint(line.key)}`),
        remedy: `Someone may be between you and the host. If the change is expected: ${sh`ssh-keygen -R ${name} -f ${file}`.text} && ${scan}`,
      });
    case "revoked":
      return new StackyardError("host-key-changed", {
        message: `The key of host ${address.name} is revoked: ${name} shows ${shown}`,
        notes: [`${verdict.line.source}: @revoked`],
        remedy: "Give the host a new key.",
      });
  }
}

function describeLoginFailure(address: HostAddress, target: SshTarget, cause: unknown): StackyardError {
  const level = cause instanceof Error && "level" in cause ? cause.level : undefined;
  if (level !== "client-authentication") return unreachable(address, target, cause);
  return new StackyardError("host-login-refused", {
    message: `Host ${address.name} refused the login of ${target.user} at ${knownHostName(target.host, target.port)}`,
    notes: [`keys tried: ${[...target.identityFiles, target.agentSocket ?? "no agent"].join(", ")}`],
  });
}

function unreachable(address: HostAddress, target: SshTarget, cause: unknown): StackyardError {
  return new StackyardError("host-unreachable", {
    message: `Host ${address.name} cannot be reached at ${knownHostName(target.host, target.port)}`,
    cause,
  });
}
