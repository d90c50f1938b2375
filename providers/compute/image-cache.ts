import { createReadStream } from "node:fs";
import { pipeline, Transform } from "node:stream";
import { describeSize, diskReserveBytes } from "../core/bytes.ts";
import { hasCode, StackyardError } from "../core/errors.ts";
import type { ResourceId } from "../core/ids.ts";
import type { CachedImage, ComputeHost, ImageSpec, ImagesPort } from "../core/ports.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import type { HostConnection } from "../hosts/connection.ts";
import { cleanJob, startJob, waitForJob } from "../hosts/job.ts";
import type { HostPool } from "../hosts/pool.ts";
import { localPath, openImageInspector, statFile } from "./image-source.ts";
import { imageLimits, listFiles, soundTime } from "./image-state.ts";
import type { ImageFile } from "./image-state.ts";
import { imageFolder, serversFolder, volumesFolder } from "./layout.ts";
import { scanImage } from "./scan.ts";

/** Longest that the bytes of an image may take to a host. */
const transferTimeoutMs = 3_600_000;
/** Redirects that a download follows. */
const maxRedirects = 5;
/** Exit code of a download that was ended since it brought more bytes than were inspected: 128 and SIGXFSZ. */
const tooLargeExitCode = 153;

/** Images of servers: read where the stack runs, kept once a host under their id. */
export function openImages(pool: HostPool): ImagesPort {
  const fetching = new Map<string, Promise<CachedImage>>();
  return {
    ...openImageInspector(),
    async ensureCached(host, image, progress, signal) {
      // Who takes the kernel alone shares nothing with who takes the disk.
      const key = [host.id, image.id, ...listFiles(image).map(({ name }) => name)].join(" ");
      for (;;) {
        const known = fetching.get(key);
        if (known === undefined) break;
        // Whoever started the fetch may give it up; then it is ours to start.
        const cached = await known.catch((error: unknown) => {
          if (!hasCode(error, "interrupted") || signal.aborted) throw error;
          return undefined;
        });
        if (cached !== undefined) return cached;
      }
      const work = fetchImage(pool, host, image, progress, signal).finally(() => fetching.delete(key));
      fetching.set(key, work);
      return work;
    },
    observeCached: (host, image, signal) => scanImage(pool, { host, image, deep: false }, signal),
    async removeCached(host, imageId, signal) {
      const connection = await pool.get(host.address, signal);
      const { stdout } = await connection.run(removeScript(host, imageId), {
        attempting: `remove image ${imageId}`,
        signal,
      });
      if (stdout.trim() === "") return;
      throw new StackyardError("in-use", {
        message: `Image ${imageId} on host ${host.name} is the base of disks: ${stdout.trim().split("\n").join(", ")}`,
      });
    },
  };
}

async function fetchImage(
  pool: HostPool,
  host: ComputeHost,
  image: ImageSpec,
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<CachedImage> {
  const connection = await pool.get(host.address, signal);
  const folder = imageFolder(host.folder, image.id);
  const files = listFiles(image);
  const differences = await scanImage(pool, { host, image, deep: false }, signal);
  const missing = differences.length === 0 ? [] : await findMissing(connection, folder, image, files, signal);
  for (const file of missing) {
    const from = localPath(file.source);
    progress(
      `bringing ${file.name} of image ${image.name} to host ${host.name} (${describeSize(file.sizeBytes)})`,
    );
    const refusal = await (from === undefined
      ? download(connection, host, folder, image, file, progress, signal)
      : upload(connection, folder, from, file, progress, signal));
    throwIfRefused(refusal, host, image, file);
  }
  const pathOf = (name: ImageFile["name"]): string | undefined =>
    files.some((file) => file.name === name) ? `${folder}/${name}` : undefined;
  return { diskPath: pathOf("disk"), kernelPath: pathOf("kernel"), initrdPath: pathOf("initrd") };
}

/**
 * Which files the host lacks, or has otherwise than they were brought. One that was only touched is found right by its checksum, and is kept. Raises
 * `host-disk-full` when they do not fit, before anything is sent.
 */
async function findMissing(
  connection: HostConnection,
  folder: string,
  image: ImageSpec,
  files: readonly ImageFile[],
  signal: AbortSignal,
): Promise<readonly ImageFile[]> {
  const checks = files.map(
    ({ name, sizeBytes, checksum }) =>
      sh`is_sound ${name} ${`${String(sizeBytes)} ${String(soundTime)}`} ${digestOf(checksum)} || missing="$missing "${name}`,
  );
  const { stdout } = await connection.run(
    script(
      sh`umask 022
[ -d ${folder} ] || mkdir -p -- ${folder}
cd -- ${folder}
missing=
is_sound() {
  [ -e "$1" ] || return 1
  found=$(stat -c '%s %Y' -- "$1")
  [ "$found" != "$2" ] || return 0
  size=$(stat -c %s -- "$1")
  case $2 in ("$size "*) ;; (*) return 1 ;; esac
  [ "$(sha256sum -- "$1" | cut -d ' ' -f 1)" = "$3" ] || return 1
  touch -m -d @${soundTime} -- "$1"
}`,
      ...checks,
      sh`[ -n "$missing" ] || exit 0
df -P -B 1 . | tail -n 1 | { read -r device size used free rest; echo "$free$missing"; }`,
    ),
    {
      attempting: `look for image ${image.name}`,
      timeoutMs: transferTimeoutMs,
      assumed: [Number.MAX_SAFE_INTEGER, ...files.map(({ name }) => name)].join(" "),
      signal,
    },
  );
  const [free, ...names] = stdout.trim().split(" ");
  const missing = files.filter(({ name }) => names.includes(name));
  const neededBytes = missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, diskReserveBytes);
  if (missing.length > 0 && Number(free) < neededBytes) {
    throw new StackyardError("host-disk-full", {
      message: `Image ${image.name} does not fit on host ${connection.host.name}: ${describeSize(neededBytes)} needed, ${describeSize(Number(free))} free in ${folder}`,
    });
  }
  return missing;
}

/** Sends a local file. The lock on the host lets one of several processes send; the others find it done. */
async function upload(
  connection: HostConnection,
  folder: string,
  from: string,
  file: ImageFile,
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<string> {
  await statFile(from, file.name);
  const receive = sh`${skipIfSound(file)}
cat > ${`${file.name}.part`}`;
  const { stdout } = await connection.run(
    script(
      sh`umask 022
cd -- ${folder}
exec 9> lock
flock 9`,
      receive,
      keepIfRight(file),
    ),
    {
      // Not `pipe`: whoever lets go of the bytes closes the file.
      stdin: pipeline(createReadStream(from), countBytes(file, progress), () => undefined),
      timeoutMs: transferTimeoutMs,
      attempting: `bring ${file.name} to ${folder}`,
      signal,
    },
  );
  return stdout.trim();
}

/** Leaves a script when another process has brought the file meanwhile. */
function skipIfSound({ name, sizeBytes }: ImageFile): Shell {
  return sh`if [ -e ${name} ] && [ "$(stat -c '%s %Y' -- ${name})" = ${`${String(sizeBytes)} ${String(soundTime)}`} ]; then exit 0; fi`;
}

/** Lets the host fetch a URL itself, as a job that outlives our connection. */
async function download(
  connection: HostConnection,
  host: ComputeHost,
  folder: string,
  image: ImageSpec,
  file: ImageFile,
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const part = `${file.name}.part`;
  const job = { name: `image-${image.id}-${file.name}`, folder: `${host.folder}/jobs` };
  const command = script(
    sh`umask 022
cd -- ${folder}
${skipIfSound(file)}
prlimit ${`--fsize=${String(file.sizeBytes)}`} curl --globoff --fail --silent --show-error --location --max-redirs ${maxRedirects} --proto =http,https --retry 3 --continue-at - --output ${part} -- ${file.source.location} || {
  code=$?
  rm -f -- ${part}
  [ "$code" -ne ${tooLargeExitCode} ] || { echo 'refused checksum'; exit 0; }
  exit "$code"
}`,
    keepIfRight(file),
  );
  await startJob(connection, { ...job, command });
  const report = throttle(progress);
  try {
    const log = await waitForJob(connection, job, {
      timeoutMs: transferTimeoutMs,
      signal,
      onProgress: () => report(`host ${host.name} fetches ${file.source.location}`),
    });
    return log.trim();
  } finally {
    if (!signal.aborted) await cleanJob(connection, job);
  }
}

/** Last words of a script that found something wrong with what arrived. */
const refusals = ["checksum", "unreadable", "unsafe", "truncated"] as const;

/** Keeps what arrived if it is what was wanted, else takes it away and says why. */
function keepIfRight({ name, checksum, format }: ImageFile): Shell {
  const part = `${name}.part`;
  const drop = sh`refuse() { rm -f -- ${part}; echo "refused $1"; exit 0; }
[ "$(sha256sum -- ${part} | cut -d ' ' -f 1)" = ${digestOf(checksum)} ] || refuse checksum`;
  const inspect =
    format === undefined
      ? sh`:`
      : sh`info=$(prlimit ${imageLimits} qemu-img info -f ${format} --output=json -- ${part}) || refuse unreadable
case $info in
  *'"backing-filename"'*|*'"data-file"'*) refuse unsafe ;;
esac`;
  const check =
    format === "qcow2"
      ? sh`prlimit ${imageLimits} qemu-img check -q -f qcow2 -- ${part} > /dev/null 2>&1 || [ $? -eq 3 ] || refuse truncated`
      : sh`:`;
  return sh`${drop}
${inspect}
${check}
touch -m -d @${soundTime} -- ${part}
mv -- ${part} ${name}`;
}

function digestOf(checksum: string): string {
  return checksum.replace(/^sha256:/, "");
}

function throwIfRefused(answer: string, host: ComputeHost, image: ImageSpec, file: ImageFile): void {
  const what = `The ${file.name} of image ${image.name} that arrived on host ${host.name}`;
  switch (refusals.find((refusal) => answer.endsWith(`refused ${refusal}`))) {
    case "checksum":
      throw new StackyardError("image-checksum", {
        message: `${what} is not what was inspected: its checksum is not ${file.checksum}`,
        remedy: "The source changed in the meantime: apply again.",
      });
    case "unreadable":
      throw new StackyardError("image-format", {
        message: `${what} cannot be read by qemu-img within the limits for images`,
      });
    case "unsafe":
      throw new StackyardError("image-unsafe", { message: `${what} reads from a file outside` });
    case "truncated":
      throw new StackyardError("image-truncated", { message: `${what} refers to data beyond its end` });
    case undefined:
  }
}

function countBytes(file: ImageFile, progress: (line: string) => void): Transform {
  const report = throttle(progress);
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      report(
        `${file.name}: ${String(Math.floor((bytes / file.sizeBytes) * 100))} % of ${describeSize(file.sizeBytes)}`,
      );
      done(null, chunk);
    },
  });
}

const progressIntervalMs = 2_000;

function throttle(progress: (line: string) => void): (line: string) => void {
  let lastAt = performance.now();
  return (line) => {
    if (performance.now() - lastAt < progressIntervalMs) return;
    lastAt = performance.now();
    progress(line);
  };
}

/** Prints the servers and volumes whose disks lie on the image; removes it when there are none. The name of the base is in the first cluster of an overlay. */
function removeScript(host: ComputeHost, imageId: ResourceId): Shell {
  const folder = imageFolder(host.folder, imageId);
  return script(sh`used=
look() {
  [ -e "$2" ] || return 0
  if head -c 65536 -- "$2" | grep -aqF ${`${folder}/disk`}; then echo "$1 $(basename "$(dirname "$2")")"; used=yes; fi
}
for disk in ${serversFolder(host.folder)}/*/disk; do look server "$disk"; done
for disk in ${volumesFolder(host.folder)}/*/disk; do look volume "$disk"; done
[ -n "$used" ] || rm -rf -- ${folder}`);
}
