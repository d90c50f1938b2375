import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { StackyardError } from "../core/errors.ts";
import type { ImageFacts, ImagesPort, ImageSource } from "../core/ports.ts";
import { detectFormat, headBytes, holdsClusters, holdsTables, tailBytes } from "./image-format.ts";
import type { DetectedFormat, Qcow2Header } from "./image-format.ts";

/** Reads images where the stack runs. Results of local files are kept while the file stays as it is. */
export type ImageInspector = Pick<ImagesPort, "inspectDisk" | "inspectFile">;

/** What one pass over a source finds. */
interface Contents {
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Of the source's own kind of checksum. */
  readonly sha512: string | undefined;
  readonly head: Buffer;
  readonly tail: Buffer;
}

export function openImageInspector(): ImageInspector {
  const known = new Map<string, Promise<Contents>>();

  /** One pass however many ask; a failure is not remembered. */
  async function read(source: ImageSource, field: string, signal: AbortSignal): Promise<Contents> {
    const { location } = source;
    const withSha512 = source.checksum?.startsWith("sha512:") === true;
    if (isUrl(location)) return readUrl(location, withSha512, field, signal);
    const path = toPath(location);
    const { size, mtimeMs } = await statFile(path, field);
    const key = JSON.stringify([path, size, mtimeMs, withSha512]);
    const reading = known.get(key) ?? readStream(createReadStream(path), withSha512, signal);
    known.set(key, reading);
    reading.catch(() => known.delete(key));
    const contents = await reading;
    if (contents.sizeBytes === size) return contents;
    // Such as files of /proc, which hold this process's environment.
    known.delete(key);
    throw new StackyardError("image-unreachable", {
      message: `${path} is no plain file, or was written while it was read`,
      field,
      value: path,
    });
  }

  async function readChecked(source: ImageSource, field: string, signal: AbortSignal): Promise<Contents> {
    const contents = await read(source, field, signal);
    requireChecksum(source, contents, field);
    return contents;
  }

  return {
    async inspectFile(source, field, signal) {
      const { sha256, sizeBytes } = await readChecked(source, field, signal);
      return { checksum: `sha256:${sha256}`, sizeBytes };
    },
    async inspectDisk(source, declared, signal) {
      const contents = await readChecked(source, declared.field, signal);
      const fault = (
        code: "image-format" | "image-unsafe" | "image-truncated",
        what: string,
      ): StackyardError =>
        new StackyardError(code, {
          message: `Image ${source.location} ${what}`,
          field: declared.field,
          value: source.location,
        });
      const detected = detectFormat(contents.head, contents.tail);
      const format = chooseFormat(detected, declared.format, contents, fault);
      if (detected.kind !== "qcow2" || format === "raw") {
        return toFacts("raw", contents, contents.sizeBytes);
      }
      await requireWhole(source, detected.header, contents, fault);
      return toFacts("qcow2", contents, detected.header.virtualSizeBytes);
    },
  };
}

/** The path of a local source; `undefined` for a URL. */
export function localPath(source: ImageSource): string | undefined {
  return isUrl(source.location) ? undefined : toPath(source.location);
}

/** `file:` is optional. */
function toPath(location: string): string {
  return location.replace(/^file:(\/\/)?/, "");
}

function isUrl(location: string): boolean {
  return /^https?:\/\//.test(location);
}

type Fault = (code: "image-format" | "image-unsafe" | "image-truncated", what: string) => StackyardError;

function chooseFormat(
  detected: DetectedFormat,
  declared: "qcow2" | "raw" | undefined,
  contents: Contents,
  fault: Fault,
): "qcow2" | "raw" {
  if (contents.sizeBytes === 0) throw fault("image-truncated", "is empty");
  switch (detected.kind) {
    case "other":
      throw fault("image-format", `is ${detected.name}, not a qcow2 or raw disk`);
    case "unknown":
      if (declared === "raw") return "raw";
      throw fault(
        "image-format",
        "has neither the signature of qcow2 nor what a raw disk begins with; declare its format if it is raw",
      );
    case "qcow2":
    case "raw":
      if (declared !== undefined && declared !== detected.kind) {
        throw fault("image-format", `is ${detected.kind}, but declared as ${declared}`);
      }
      return detected.kind;
  }
}

/** Raises `image-unsafe` for what reads files beside the image, `image-truncated` for one that ends too early. */
async function requireWhole(
  source: ImageSource,
  header: Qcow2Header,
  contents: Contents,
  fault: Fault,
): Promise<void> {
  if (header.hasBackingFile) throw fault("image-unsafe", "reads from a backing file");
  if (header.hasDataFile) throw fault("image-unsafe", "keeps its data in a file outside");
  if (header.isEncrypted) throw fault("image-unsafe", "is encrypted");
  if (!holdsTables(header, contents.sizeBytes)) throw fault("image-truncated", "ends before its tables do");
  const path = localPath(source);
  if (path === undefined) return;
  await using file = await open(path);
  const isWhole = await holdsClusters(header, contents.sizeBytes, async (offset, length) => {
    const buffer = Buffer.alloc(length);
    await file.read(buffer, 0, length, offset);
    return buffer;
  });
  if (!isWhole) throw fault("image-truncated", "ends before its data does");
}

function toFacts(format: "qcow2" | "raw", contents: Contents, virtualSizeBytes: number): ImageFacts {
  return { format, sizeBytes: contents.sizeBytes, virtualSizeBytes, checksum: `sha256:${contents.sha256}` };
}

function requireChecksum(source: ImageSource, contents: Contents, field: string): void {
  if (source.checksum === undefined) return;
  const found = source.checksum.startsWith("sha512:")
    ? `sha512:${contents.sha512 ?? ""}`
    : `sha256:${contents.sha256}`;
  if (found === source.checksum.toLowerCase()) return;
  throw new StackyardError("image-checksum", {
    message: `Image ${source.location} has the checksum ${found}, not ${source.checksum}`,
    field,
    value: source.location,
  });
}

/** Raises `image-unreachable` for what is no file, or is not there. */
export async function statFile(path: string, field: string): Promise<{ size: number; mtimeMs: number }> {
  try {
    const found = await stat(path);
    if (found.isFile()) return found;
  } catch (cause) {
    throw new StackyardError("image-unreachable", {
      message: `Cannot read the image file ${path}`,
      field,
      value: path,
      cause,
    });
  }
  throw new StackyardError("image-unreachable", { message: `${path} is no file`, field, value: path });
}

async function readUrl(
  url: string,
  withSha512: boolean,
  field: string,
  signal: AbortSignal,
): Promise<Contents> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new StackyardError("image-unreachable", {
      message: `Cannot reach ${url}`,
      field,
      value: url,
      cause,
    });
  }
  if (!response.ok || response.body === null) {
    throw new StackyardError("image-unreachable", {
      message: `Cannot fetch ${url}: the server answers ${String(response.status)} ${response.statusText}`,
      field,
      value: url,
    });
  }
  try {
    return await readStream(Readable.fromWeb(response.body), withSha512, signal);
  } catch (cause) {
    signal.throwIfAborted();
    throw new StackyardError("image-truncated", {
      message: `The server of ${url} broke off before the end`,
      field,
      value: url,
      cause,
    });
  }
}

/** Reads once: hashes, counts, and keeps the begin and the end. */
async function readStream(stream: Readable, withSha512: boolean, signal: AbortSignal): Promise<Contents> {
  const sha256 = createHash("sha256");
  const sha512 = withSha512 ? createHash("sha512") : undefined;
  const head: Buffer[] = [];
  let tail = Buffer.alloc(0);
  let sizeBytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    signal.throwIfAborted();
    if (sizeBytes < headBytes) head.push(chunk.subarray(0, headBytes - sizeBytes));
    tail = Buffer.concat([tail, chunk.subarray(-tailBytes)]).subarray(-tailBytes);
    sizeBytes += chunk.length;
    sha256.update(chunk);
    sha512?.update(chunk);
  }
  return {
    sizeBytes,
    sha256: sha256.digest("hex"),
    sha512: sha512?.digest("hex"),
    head: Buffer.concat(head),
    tail,
  };
}
