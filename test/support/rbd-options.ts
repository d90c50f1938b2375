import type { ComputeHost } from "../../providers/core/ports.ts";
import type { RbdPlace } from "../../providers/core/volume-backend.ts";
import { clientOf } from "../../providers/compute/volumes/rbd/rbd-client.ts";

/** Options with which `rbd` works as the host's client. */
export function listClientOptions(host: ComputeHost, place: RbdPlace): readonly string[] {
  const { confFile, user } = clientOf(host, place);
  return ["--conf", confFile, "--id", user];
}
