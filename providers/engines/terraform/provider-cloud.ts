import type { Cloud } from "../../core/cloud.ts";
import type { ProviderSettings } from "./provider-settings.ts";

/** Opens the cloud that a provider block names, on top of the environment. */
export async function openProviderCloud({ variables }: ProviderSettings): Promise<Cloud> {
  const { openCloud } = await import("../../wiring.ts");
  return openCloud({ settings: variables });
}

/** The stack of this working directory and workspace. */
export async function describeDefaultStack(): Promise<string> {
  const { describeStack } = await import("../../wiring.ts");
  return describeStack();
}
