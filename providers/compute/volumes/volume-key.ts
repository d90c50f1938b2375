import { isUtf8 } from "node:buffer";
import { hasCode, StackyardError } from "../../core/errors.ts";
import type { VolumeEncryption, VolumeRef } from "../../core/volume-backend.ts";
import { sh } from "../../hosts/command.ts";
import type { Shell } from "../../hosts/command.ts";
import { readSecretFile, refuseFile, type SecretFile } from "../secret-file.ts";

/** Longest passphrase, bytes: what cryptsetup takes too, so that a volume can be opened without us (cryptsetup: `--with-passphrase-size-max` 512). */
const maxKeyBytes = 512;

/** Shortest, bytes: 128 bits in hexadecimal digits. It is made by a machine, so that {@link stretchMs} need not make up for one that is guessed. */
const minKeyBytes = 32;

/**
 * How long a host derives the key of a slot from the passphrase (qemu: `iter-time`, 2000 there). QEMU's only thread for devices does it, and a guest that
 * is on stands still meanwhile.
 */
export const stretchMs = 100;

/** Field of a volume type that names the file. */
const field = "encryption.keyFile";

/**
 * The passphrase of a volume, from its file on this machine: one line of UTF-8, since QEMU takes it as text (qemu: `crypto/block-luks.c`,
 * `qcrypto_secret_lookup_as_utf8`); a line break at the end is none of it. Raises `invalid-input` (encryption.keyFile) for a file that is not there,
 * cannot be read, is open to everybody, empty, too short or too long, or no line of text. No error holds any of it.
 */
export async function readVolumeKey({ keyFile }: VolumeEncryption): Promise<string> {
  const file: SecretFile = { path: keyFile, field, content: "key" };
  const bytes = await readSecretFile(file);
  const remedy = "Make one that nobody can guess: openssl rand -base64 48 > FILE";
  if (!isUtf8(bytes)) throw refuseFile(file, "holds no UTF-8 text", remedy);
  const key = bytes.toString("utf8").replace(/\r?\n$/, "");
  if (key === "") throw refuseFile(file, "is empty", remedy);
  if (/\p{Cc}/u.test(key)) throw refuseFile(file, "holds more than one line of printable text", remedy);
  const length = Buffer.byteLength(key);
  if (length < minKeyBytes)
    throw refuseFile(file, `holds fewer than ${String(minKeyBytes)} characters`, remedy);
  if (length > maxKeyBytes) throw refuseFile(file, `holds more than ${String(maxKeyBytes)} bytes`, remedy);
  return key;
}

/** What a script about a volume is given on its standard input: the key's line, or nothing. */
export async function packKey({ encryption }: Pick<VolumeRef, "encryption">): Promise<string | undefined> {
  return encryption === undefined ? undefined : `${await readVolumeKey(encryption)}\n`;
}

/** Name by which `qemu-img` and its nodes know the key. */
export const keySecret = "key";

/** How often a header is begun anew: each time QEMU may find that the clock of its thread stood still. */
const maxTries = 20;

/**
 * Defines `qemu_img`, which is `qemu-img` with the key of an encrypted volume as its secret; the key is read from the standard input of the script, and
 * is in no argument: `read` and `printf` are the shell's own. To choose how often it hashes a passphrase QEMU measures 8 ms of its own work, by a clock
 * that on many machines ticks every 4 ms or not at all while others have the processor (qemu: `crypto/pbkdf.c`): that is tried again.
 */
export function defineQemuImg({ encryption }: Pick<VolumeRef, "encryption">): Shell {
  if (encryption === undefined) return sh`qemu_img() { qemu-img "$@"; }`;
  return sh`IFS= read -r key
qemu_img() {
  verb=$1 tries=0
  shift
  while :; do
    tries=$((tries + 1)) code=0
    { said=$(printf '%s' "$key" | qemu-img "$verb" --object ${`secret,id=${keySecret},file=/dev/stdin`} "$@" 2>&1 >&3 3>&-) || code=$?; } 3>&1
    case $code:$said in
      (1:*'Unable to get accurate CPU usage'*) [ "$tries" -eq ${maxTries} ] || continue ;;
    esac
    [ -z "$said" ] || printf '%s\n' "$said" >&2
    return "$code"
  done
}`;
}

/** A command that failed because the key is none of the volume's, by that; any other as it is. */
export function nameKeyFault(error: unknown): unknown {
  if (!hasCode(error, "command-failed")) return error;
  if (!/Invalid password, cannot unlock any keyslot/.test(error.notes.join("\n"))) return error;
  return new StackyardError("invalid-input", {
    message: `${error.message}: the key of the volume's type is not the one that the volume was made with`,
    field,
    notes: error.notes,
    remedy: "Name the file with the key that the volume was made with.",
  });
}
