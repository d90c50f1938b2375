import SSHConfig from "ssh-config";
import type { HostAddress } from "../core/host.ts";
import { StackyardError } from "../core/errors.ts";

/** What of this machine a login depends on. */
export interface SshEnvironment {
  /** Home folder, absolute. */
  readonly home: string;
  /** Name of the local user. */
  readonly user: string;
  /** SSH_AUTH_SOCK. */
  readonly agentSocket?: string | undefined;
}

/** All that is needed to log in to a host. Paths are absolute. */
export interface SshTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Keys named by the address or by ssh_config, in order. */
  readonly identityFiles: readonly string[];
  /** Keys to try where none is named and they exist, newest kind first (ssh_config(5), IdentityFile). */
  readonly usualIdentityFiles: readonly string[];
  readonly agentSocket: string | undefined;
  readonly knownHostsFiles: readonly string[];
  /** Hosts to go through, first one first. */
  readonly jumps: readonly Jump[];
  readonly connectTimeoutMs: number;
}

/** One hop of a ProxyJump. */
export interface Jump {
  readonly address: string;
  readonly port?: number;
  readonly user?: string;
}

const defaultConnectTimeoutMs = 15_000;

/**
 * Puts together an address and the text of ssh_config; what the address says wins. Honoured: Host and Match blocks, HostName, Port, User,
 * IdentityFile, IdentityAgent, UserKnownHostsFile, ProxyJump, ConnectTimeout. The user is root where neither says one.
 *
 * Raises `invalid-input` for a ProxyJump or a Port that cannot be read, and for ProxyCommand, which is not supported.
 */
export function resolveSshTarget(
  configText: string,
  address: Pick<
    HostAddress,
    "name" | "address" | "port" | "user" | "identityFile" | "knownHostsFile" | "proxyJump"
  >,
  environment: SshEnvironment,
): SshTarget {
  const query =
    address.user === undefined ? { Host: address.address } : { Host: address.address, User: address.user };
  // `Match exec` would run what the file says: such blocks do not apply.
  const config = SSHConfig.parse(configText).compute(query, { ignoreCase: true, matchExec: false });
  const values = (key: string): readonly string[] => {
    const value = config[key];
    return value === undefined ? [] : typeof value === "string" ? [value] : value;
  };
  const first = (key: string): string | undefined => values(key)[0];

  const host = (first("hostname") ?? address.address).replaceAll("%h", address.address).replaceAll("%%", "%");
  const port = address.port ?? toPort(first("port") ?? "22", address);
  const user = address.user ?? first("user") ?? "root";
  const expand = (path: string): string => expandPath(path, { host, port, user }, environment);

  const proxyJump = address.proxyJump ?? first("proxyjump") ?? "none";
  if (proxyJump === "none" && (first("proxycommand") ?? "none") !== "none") {
    throw invalid(address, "ProxyCommand", first("proxycommand"), "Use ProxyJump.");
  }
  const knownHostsFiles =
    address.knownHostsFile === undefined ? values("userknownhostsfile") : [address.knownHostsFile];
  return {
    host,
    port,
    user,
    identityFiles: (address.identityFile === undefined ? values("identityfile") : [address.identityFile]).map(
      expand,
    ),
    usualIdentityFiles: ["~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"].map(expand),
    agentSocket: toAgentSocket(first("identityagent"), environment, expand),
    knownHostsFiles:
      knownHostsFiles.length === 0
        ? ["~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts"].map(expand)
        : knownHostsFiles.map(expand),
    jumps: proxyJump === "none" ? [] : proxyJump.split(",").map((hop) => parseJump(hop.trim(), address)),
    connectTimeoutMs: toTimeoutMs(first("connecttimeout")),
  };
}

/**
 * Replaces the Include lines at the top level of an ssh_config (those inside a Host or Match block are left out). `read` gives the texts of
 * the files that a pattern names. Depth is bounded as in OpenSSH (readconf.c: READCONF_MAX_DEPTH).
 */
export function expandIncludes(
  text: string,
  read: (pattern: string) => readonly string[],
  depth = 0,
): string {
  let isTopLevel = true;
  return text
    .split("\n")
    .map((line) => {
      if (/^\s*(Host|Match)\b/i.test(line)) isTopLevel = false;
      const patterns = /^\s*Include[\s=]+(.+)$/i.exec(line)?.[1];
      if (patterns === undefined) return line;
      if (!isTopLevel || depth >= 16) return "";
      const texts = patterns
        .trim()
        .split(/\s+/)
        .flatMap((pattern) => read(pattern.replaceAll('"', "")));
      // The last block of an included file ends with the file.
      return texts.map((included) => `${expandIncludes(included, read, depth + 1)}\nHost *`).join("\n");
    })
    .join("\n");
}

/** Whether a private key needs a passphrase (PEM headers; OpenSSH: PROTOCOL.key). */
export function isEncryptedKey(text: string): boolean {
  if (/^Proc-Type: 4,ENCRYPTED|BEGIN ENCRYPTED PRIVATE KEY/m.test(text)) return true;
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(text)?.[1];
  if (body === undefined) return false;
  const bytes = Buffer.from(body, "base64");
  const magic = "openssh-key-v1\0";
  const cipher = bytes.subarray(magic.length + 4, magic.length + 4 + "none".length).toString("latin1");
  return cipher !== "none";
}

function parseJump(hop: string, address: { readonly name: string }): Jump {
  const match = /^(?:ssh:\/\/)?(?:([^@\s]+)@)?(?:\[([^\]\s]+)\]|([^:[\]\s]+))(?::(\d+))?\/?$/.exec(hop);
  const [, user, bracketed, plain, port] = match ?? [];
  const host = bracketed ?? plain;
  if (host === undefined)
    throw invalid(address, "proxyJump", hop, "Write user@host:port, several with commas.");
  return {
    address: host,
    ...(port === undefined ? {} : { port: toPort(port, address) }),
    ...(user === undefined ? {} : { user }),
  };
}

function toPort(text: string, address: { readonly name: string }): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw invalid(address, "port", text, "Use a number from 1 to 65535.");
  }
  return port;
}

function toTimeoutMs(seconds: string | undefined): number {
  const value = Number(seconds);
  return Number.isInteger(value) && value > 0 ? value * 1000 : defaultConnectTimeoutMs;
}

function toAgentSocket(
  identityAgent: string | undefined,
  environment: SshEnvironment,
  expand: (path: string) => string,
): string | undefined {
  if (
    identityAgent === undefined ||
    identityAgent === "SSH_AUTH_SOCK" ||
    identityAgent === "$SSH_AUTH_SOCK"
  ) {
    return environment.agentSocket;
  }
  return identityAgent === "none" ? undefined : expand(identityAgent);
}

function expandPath(
  path: string,
  target: { readonly host: string; readonly port: number; readonly user: string },
  environment: SshEnvironment,
): string {
  const tokens: Readonly<Record<string, string>> = {
    "%%": "%",
    "%d": environment.home,
    "%h": target.host,
    "%p": String(target.port),
    "%r": target.user,
    "%u": environment.user,
  };
  return path.replace(/^~(?=\/|$)/, environment.home).replace(/%./g, (token) => tokens[token] ?? token);
}

function invalid(
  address: { readonly name: string },
  field: string,
  value: unknown,
  remedy: string,
): StackyardError {
  return new StackyardError("invalid-input", {
    message: `The ssh settings of host ${address.name} cannot be used`,
    field,
    value,
    remedy,
  });
}
