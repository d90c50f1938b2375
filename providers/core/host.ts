/** How to reach a host. */
export interface HostAddress {
  /** Name for messages. */
  readonly name: string;
  /** `ssh` to a host, `local` for this machine. */
  readonly transport: "ssh" | "local";
  /** Name or address that ssh connects to; aliases of `~/.ssh/config` are honoured. */
  readonly address: string;
  /** Default 22, or what ssh_config says. */
  readonly port?: number | undefined;
  /** Default root, or what ssh_config says. */
  readonly user?: string | undefined;
  readonly identityFile?: string | undefined;
  readonly knownHostsFile?: string | undefined;
  /** `user@host:port`, comma-separated chain, as ssh's ProxyJump. */
  readonly proxyJump?: string | undefined;
  /** ssh_config to read instead of `~/.ssh/config`. */
  readonly configFile?: string | undefined;
}
