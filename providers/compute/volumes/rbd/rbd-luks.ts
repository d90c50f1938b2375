import type { VolumeRef, VolumeSpec } from "../../../core/volume-backend.ts";
import { readSize } from "../volume-backend.ts";
import { keySecret, stretchMs } from "../volume-key.ts";
import type { RbdLuks } from "./rbd-program.ts";

/**
 * The container that an encrypted volume is in. Before its data are 4096 bytes of header and eight key slots of 504 sectors (qemu: `crypto/block-luks.c`),
 * as follows from QEMU's defaults, which therefore are named. The image is that much larger than the volume, so that a guest sees all that was asked for;
 * in Cinder one of an image loses them (cinder: `rbd.py` `_copy_image_to_volume`, `_resize`).
 */
const container: RbdLuks = {
  bytes: 4040 * 512,
  options: `key-secret=${keySecret},cipher-alg=aes-256,cipher-mode=xts,ivgen-alg=plain64,hash-alg=sha256,iter-time=${String(stretchMs)}`,
};

/** The container that is made for a volume; nothing for one that is not encrypted. */
export function luksOf({ encryption }: Pick<VolumeRef, "encryption">): { readonly luks?: RbdLuks } {
  return encryption === undefined ? {} : { luks: container };
}

/** What of an image is no data of its volume. */
export function overheadOf({ encryption }: Pick<VolumeRef, "encryption">): number {
  return encryption === undefined ? 0 : container.bytes;
}

/** Size of the image of a volume; 0 where any is right. */
export function imageSize(spec: Pick<VolumeSpec, "sizeGib" | "encryption">): number {
  return spec.sizeGib === 0 ? 0 : readSize(spec) + overheadOf(spec);
}
