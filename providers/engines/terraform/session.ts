import type { Cloud } from "../../core/cloud.ts";
import { Claims } from "./claims.ts";
import type { ProviderLog } from "./provider-log.ts";

/** What a provider configuration is good for: one cloud, as one user, for one phase of a Terraform command. */
export interface Session {
  /** Tells the resources of one configuration from those of another in the same cloud. */
  readonly stack: string;
  readonly claims: Claims;
  /** Whether something was applied: the plan was shown before, and what is planned once more is not told again. */
  isApplying: boolean;
  readonly log: ProviderLog;
  /** Aborted when Terraform is interrupted. */
  readonly signal: AbortSignal;
  /** Opens the cloud and logs in, once. */
  openCloud(): Promise<Cloud>;
  close(): Promise<void>;
}

/** A session that opens its cloud at the first need: Terraform configures processes that never ask anything. */
export function openSession(
  options: Pick<Session, "stack" | "log" | "signal"> & { readonly open: () => Promise<Cloud> },
): Session {
  let opened: Promise<Cloud> | undefined;
  return {
    stack: options.stack,
    log: options.log,
    signal: options.signal,
    claims: new Claims(),
    isApplying: false,
    openCloud: () => (opened ??= options.open()),
    close: async () => {
      const cloud = await opened?.catch(() => undefined);
      opened = undefined;
      await cloud?.close();
    },
  };
}
