import { readFileSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { basename, dirname, join, resolve } from "node:path";
import type { AnyAuthMethod } from "ssh2";
import { glob } from "ssh-config";
import { StackyardError } from "../core/errors.ts";
import { sh } from "./command.ts";
import type { HostAddress } from "./connection.ts";
import { parseKnownHosts, type KnownHost } from "./known-hosts.ts";
import { expandIncludes, isEncryptedKey, type SshEnvironment, type SshTarget } from "./ssh-config.ts";

/** The text of the OpenSSH configuration, with what it includes. Raises `invalid-input` for one that was named and cannot be read. */
export function readConfig(address: HostAddress, environment: SshEnvironment): string {
  const folder = join(environment.home, ".ssh");
  const read = (pattern: string): readonly string[] => {
    const path = resolve(folder, pattern.replace(/^~(?=\/)/, environment.home));
    const names = listFolder(dirname(path)).filter((name) => glob(basename(path), name));
    return names.map((name) => readFileSync(join(dirname(path), name), "utf8"));
  };
  const path = address.configFile ?? join(folder, "config");
  try {
    return expandIncludes(readFileSync(path, "utf8"), read);
  } catch (cause) {
    if (address.configFile === undefined && isAbsent(cause)) return "";
    throw unreadable(address, "configFile", path, cause);
  }
}

function listFolder(path: string): readonly string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** All entries of the files that are there. */
export async function readKnownHosts(files: readonly string[]): Promise<readonly KnownHost[]> {
  const texts = await Promise.all(
    files.map(async (file) => {
      try {
        return parseKnownHosts(await readFile(file, "utf8"), file);
      } catch (error) {
        if (isAbsent(error)) return [];
        throw error;
      }
    }),
  );
  return texts.flat();
}

/**
 * Named keys first, then the agent, then the usual keys: a server gives up after a few wrong ones. Raises `invalid-input` for a named key that cannot be
 * read, or needs a passphrase, while no agent answers.
 */
export async function listAuthentication(
  address: HostAddress,
  target: SshTarget,
): Promise<readonly AnyAuthMethod[]> {
  const username = target.user;
  const agent = target.agentSocket;
  const hasAgent = agent !== undefined && (await answers(agent));
  const methods: AnyAuthMethod[] = [];
  for (const path of target.identityFiles) {
    // An agent may hold a key whose file is locked, or is not on this machine.
    const key = await readFile(path, "utf8").catch((cause: unknown) => {
      if (hasAgent) return undefined;
      throw unreadable(address, "identityFile", path, cause);
    });
    if (key === undefined) continue;
    if (!isEncryptedKey(key)) methods.push({ type: "publickey", username, key });
    else if (!hasAgent) throw encrypted(address, path);
  }
  if (hasAgent) methods.push({ type: "agent", username, agent });
  if (target.identityFiles.length > 0) return methods;
  for (const path of target.usualIdentityFiles) {
    const key = await readFile(path, "utf8").catch(() => undefined);
    if (key !== undefined && !isEncryptedKey(key)) methods.push({ type: "publickey", username, key });
  }
  return methods;
}

/** Whether someone listens on a socket; ssh2 takes a dead agent for the end of the login. */
function answers(socketPath: string): Promise<boolean> {
  return new Promise((answer) => {
    const socket = createConnection(socketPath);
    socket.once("connect", () => {
      socket.end();
      answer(true);
    });
    socket.once("error", () => answer(false));
  });
}

function unreadable(address: HostAddress, field: string, value: string, cause: unknown): StackyardError {
  return new StackyardError("invalid-input", {
    message: `A file for the login to host ${address.name} cannot be read`,
    field,
    value,
    cause,
  });
}

function encrypted(address: HostAddress, path: string): StackyardError {
  return new StackyardError("invalid-input", {
    message: `The key for the login to host ${address.name} needs a passphrase, and no agent answers`,
    field: "identityFile",
    value: path,
    remedy: `Give the key to an agent: eval "$(ssh-agent)" && ${sh`ssh-add ${path}`.text}`,
  });
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
