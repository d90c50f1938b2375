import type { HostRole } from "../../topology.ts";
export interface ImageRecipe {
  readonly distribution: "debian-12" | "debian-13";
  readonly roles: readonly HostRole[];
  readonly mirror?: string | undefined;
}
