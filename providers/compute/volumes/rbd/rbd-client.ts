import type { ComputeHost } from "../../../core/ports.ts";
import type { RbdPlace } from "../../../core/volume-backend.ts";
import { nameImage } from "../../../core/volume-location.ts";
import { cephConfFile } from "../../layout.ts";
import { nameCephUser } from "../../marks.ts";
import { keySecret } from "../volume-key.ts";

/** Key of an image's metadata with {@link markOf}. A clone has its parent's until it gets its own. */
export const metaKey = "stackyard-owner";

/** Our mark of an image. */
export function markOf({ cloudId }: ComputeHost, id: string): string {
  return `${cloudId}:${id}`;
}

export { nameImage };

/** Ends the name of an image that is being made for a cloud: before it has metadata, its name is its mark. */
export function partSuffix(host: ComputeHost): string {
  return `.${host.cloudId}.part`;
}

/** A client of Ceph as a host has it. The key is in the keyring that the file names. */
export interface CephClient {
  /** Absolute path on the host. */
  readonly confFile: string;
  /** Without `client.`. */
  readonly user: string;
}

/** The cloud's user that works on the pool: Glance's where images are, else Cinder's. */
export function clientOf(
  { cloudId }: ComputeHost,
  { clusterId, content }: Pick<RbdPlace, "clusterId" | "content">,
): CephClient {
  const role = content === "images" ? "glance" : "cinder";
  return { confFile: cephConfFile(clusterId), user: nameCephUser(cloudId, role) };
}

/** An image as `qemu-img` opens it; no character of a name ends a word of it, as in `rbd:POOL/NAME:conf=FILE`. */
export function blockNode(host: ComputeHost, place: RbdPlace, image: string, snapshot?: string): string {
  return `json:${JSON.stringify({ driver: "raw", file: rbdNode(host, place, image, snapshot) })}`;
}

/** What is in an encrypted image, as `qemu-img` opens it with the key {@link keySecret}. */
export function luksNode(host: ComputeHost, place: RbdPlace, image: string): string {
  return `json:${JSON.stringify({ driver: "luks", "key-secret": keySecret, file: rbdNode(host, place, image) })}`;
}

function rbdNode(host: ComputeHost, place: RbdPlace, image: string, snapshot?: string) {
  const { confFile, user } = clientOf(host, place);
  return { driver: "rbd", pool: place.pool, image, snapshot, conf: confFile, user };
}
