import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Command } from "commander";
import type { GuestAccess, ResourceView } from "../../core/cloud.ts";
import { StackyardError } from "../../core/errors.ts";
import { describeCommand } from "./command-help.ts";
import type { CommandContext } from "./context.ts";

interface SshOptions {
  readonly user: string;
  readonly identity?: string;
}

/** Adds `server ssh`: the OpenSSH client, relayed by the server's host, since guests are on networks of their own. */
export function registerGuestSshCommand(group: Command, context: CommandContext): void {
  const command = group
    .command("ssh")
    .argument("<id-or-name>", "the server")
    .argument("[command...]", "what to run there, after --; default: a shell")
    .option("--user <name>", "who to log in as", "root")
    .option("--identity <path>", "private key; default: ssh's own choice")
    .action(async (idOrName: string, words: readonly string[], options: SshOptions) => {
      const call = await context.withCloud(async (cloud) => {
        const view = await cloud.find("server", idOrName);
        return planSshCall(view, await cloud.guestAccess(view.id), options, words);
      });
      context.exitCode = await runSsh(call);
    });
  describeCommand(
    command,
    "log in to a server by SSH through its host; ends with the exit code of the remote command, 255 if ssh itself failed",
    [
      "server ssh my-server",
      "server ssh my-server --user debian --identity ~/.ssh/id_ed25519",
      "server ssh my-server -- uname -a",
    ],
  );
}

/** How the OpenSSH client is started. */
export interface SshCall {
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * The relay, as ssh's ProxyCommand. It is a constant that finds its values in the environment, so that no value is ever part of
 * a command's text. ssh puts `exec` before it and runs it by $SHELL, which is set to a POSIX shell.
 */
const relayThroughHost = [
  "ssh -T -o StrictHostKeyChecking=yes -o BatchMode=yes -o ConnectTimeout=15",
  '${STACKYARD_RELAY_CONFIG:+-F "$STACKYARD_RELAY_CONFIG"}',
  '${STACKYARD_RELAY_PORT:+-p "$STACKYARD_RELAY_PORT"}',
  '${STACKYARD_RELAY_USER:+-l "$STACKYARD_RELAY_USER"}',
  '${STACKYARD_RELAY_IDENTITY:+-i "$STACKYARD_RELAY_IDENTITY"}',
  '${STACKYARD_RELAY_KNOWN_HOSTS:+-o "$STACKYARD_RELAY_KNOWN_HOSTS"}',
  '${STACKYARD_RELAY_JUMP:+-J "$STACKYARD_RELAY_JUMP"}',
  '-- "$STACKYARD_RELAY_HOST" "$STACKYARD_RELAY_COMMAND"',
].join(" ");

const relayHere = 'sh -c "$STACKYARD_RELAY_COMMAND"';

/** Plans the call of ssh that reaches a server. Pure. */
export function planSshCall(
  view: ResourceView,
  access: GuestAccess,
  options: SshOptions,
  words: readonly string[],
): SshCall {
  const { host, address, relayCommand } = access;
  const isLocal = host.transport === "local";
  // A server that was made anew under the same id has new host keys: the time of creation tells the two apart.
  const alias = `stackyard-${view.id}-${String(Date.parse(view.record.createdAt))}`;
  return {
    arguments: [
      ...["-o", `ProxyCommand=${isLocal ? relayHere : relayThroughHost}`],
      ...["-o", `HostKeyAlias=${alias}`, "-o", "StrictHostKeyChecking=accept-new", "-o", "LogLevel=ERROR"],
      ...(options.identity === undefined ? [] : ["-i", options.identity, "-o", "IdentitiesOnly=yes"]),
      ...["-l", options.user, "--", address, ...words],
    ],
    environment: {
      SHELL: "/bin/sh",
      STACKYARD_RELAY_COMMAND: relayCommand,
      STACKYARD_RELAY_HOST: host.address,
      ...(host.configFile === undefined ? {} : { STACKYARD_RELAY_CONFIG: host.configFile }),
      ...(host.port === undefined ? {} : { STACKYARD_RELAY_PORT: String(host.port) }),
      ...(host.user === undefined ? {} : { STACKYARD_RELAY_USER: host.user }),
      ...(host.identityFile === undefined ? {} : { STACKYARD_RELAY_IDENTITY: host.identityFile }),
      ...(host.knownHostsFile === undefined
        ? {}
        : { STACKYARD_RELAY_KNOWN_HOSTS: `UserKnownHostsFile="${host.knownHostsFile}"` }),
      ...(host.proxyJump === undefined ? {} : { STACKYARD_RELAY_JUMP: host.proxyJump }),
    },
  };
}

/** What ssh itself ends with when it fails; also for one that a signal ended. */
const sshFailed = 255;

async function runSsh(call: SshCall): Promise<number> {
  const child = spawn("ssh", call.arguments, {
    stdio: "inherit",
    env: { ...process.env, ...call.environment },
  });
  try {
    await once(child, "exit");
    return child.exitCode ?? sshFailed;
  } catch (cause) {
    throw new StackyardError("command-failed", {
      message: "cannot start the program ssh",
      remedy: "Install the OpenSSH client: apt-get install openssh-client",
      cause,
    });
  }
}
