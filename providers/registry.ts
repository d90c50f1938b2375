import type { Definition } from "./core/resource.ts";
import { project } from "./identity/project.ts";
import { roleAssignment } from "./identity/role-assignment.ts";
import { user } from "./identity/user.ts";
import { image } from "./images/image.ts";
import { network } from "./networks/network.ts";
import { port } from "./networks/port.ts";
import { subnet } from "./networks/subnet.ts";
import { flavor } from "./servers/flavor.ts";
import { host } from "./servers/host.ts";
import { keypair } from "./servers/keypair.ts";
import { server } from "./servers/server.ts";
import { serverGroup } from "./servers/server-group.ts";
import { cephCluster } from "./volumes/ceph-cluster.ts";
import { snapshot } from "./volumes/snapshot.ts";
import { storagePool } from "./volumes/storage-pool.ts";
import { volume } from "./volumes/volume.ts";
import { volumeAttachment } from "./volumes/volume-attachment.ts";
import { volumeType } from "./volumes/volume-type.ts";

/** Every definition. Engines, docs and laws walk this list; nothing else knows all nouns. */
export const definitions: readonly Definition[] = [
  project,
  user,
  roleAssignment,
  host,
  cephCluster,
  storagePool,
  volumeType,
  flavor,
  keypair,
  image,
  volume,
  snapshot,
  network,
  subnet,
  port,
  serverGroup,
  server,
  volumeAttachment,
];

/** The definition of a type. */
export function findDefinition(type: string): Definition | undefined {
  return definitions.find((definition) => definition.type === type);
}
