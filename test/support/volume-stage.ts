import { readFileSync } from "node:fs";
import type { DryRun } from "../../providers/core/dry-run.ts";
import type { ComputeHost, ScanPort } from "../../providers/core/ports.ts";
import type { RbdPlace, VolumeRef, VolumesPort } from "../../providers/core/volume-backend.ts";
import {
  blockNode,
  luksNode,
  nameImage,
  partSuffix,
} from "../../providers/compute/volumes/rbd/rbd-client.ts";
import { volumeFile, volumeFolder } from "../../providers/compute/layout.ts";
import { imageByte, imageBytes } from "../contract/volumes-port.ts";
import { listClientOptions } from "./rbd-options.ts";
import type { VolumeStage } from "../contract/volumes-port.ts";

/** A host whose shell a test has, with volumes on it. */
export interface VolumeHost {
  readonly host: ComputeHost;
  readonly volumes: VolumesPort;
  readonly scan: ScanPort;
  readonly dryRun: () => DryRun;
  /** Gives what a shell command prints; raises when it fails. */
  readonly run: (command: string) => Promise<string>;
  /** Files with keys of volumes, on this machine. */
  readonly keyFiles: readonly [string, string];
}

const mib = 1024 ** 2;

/** Makes the images of {@link VolumeStage} in the host's folder, where they can stay. */
export async function makeImages({ host, run }: VolumeHost): Promise<VolumeStage["images"]> {
  const folder = `${host.folder}/images/volume-test`;
  const size = String(imageBytes);
  await run(`mkdir -p ${folder} && cd ${folder} && for format in qcow2 raw; do
    qemu-img create -q -f $format $format ${size} && qemu-io -f $format -c 'write -q -P ${String(imageByte)} 0 1M' $format || exit 1; done`);
  const imageOf = (format: "qcow2" | "raw") =>
    ({ kind: "image", path: `${folder}/${format}`, format, virtualSizeBytes: imageBytes }) as const;
  return { qcow2: imageOf("qcow2"), raw: imageOf("raw") };
}

/** Files on the host; `gone` is one that cannot be reached. */
export async function stageFiles(on: VolumeHost, gone: ComputeHost): Promise<VolumeStage> {
  const { host, run } = on;
  const place = { backend: "file" } as const;
  return {
    ...describeHands(on, {
      nodeOf: (volume) => `-f qcow2 '${volumeFile(host.folder, volume.id)}'`,
      openedOf: ({ id }) =>
        `json:${JSON.stringify({
          driver: "qcow2",
          encrypt: { "key-secret": "key" },
          file: { driver: "file", filename: volumeFile(host.folder, id) },
        })}`,
      bytesOf: ({ id }) => `cat '${volumeFile(host.folder, id)}'`,
    }),
    place,
    gone: { host: gone, place, code: "host-unreachable" },
    images: await makeImages(on),
    clones: false,
    live: false,
    leaveHalf: async ({ id }) => {
      const file = `${volumeFile(host.folder, id)}.part`;
      await run(
        `mkdir -p ${volumeFolder(host.folder, id)} && qemu-img create -q -f qcow2 ${file} 1G && qemu-io -f qcow2 -c 'write -q -P 0x77 8M 1M' ${file}`,
      );
    },
  };
}

/** RBD images of a pool; no monitor answers at `deaf`. */
export async function stageRbd(on: VolumeHost, place: RbdPlace, deaf: RbdPlace): Promise<VolumeStage> {
  const { host, run } = on;
  return {
    ...describeHands(on, {
      nodeOf: (volume) => `'${blockNode(host, place, nameImage(volume))}'`,
      openedOf: (volume) => luksNode(host, place, nameImage(volume)),
      bytesOf: (volume) =>
        `${rbd(host, place)} export-diff --no-progress ${place.pool}/${nameImage(volume)} -`,
    }),
    place,
    gone: { host, place: deaf, code: "ceph-unreachable" },
    images: await makeImages(on),
    clones: true,
    live: true,
    leaveHalf: async (volume) => {
      const name = nameImage(volume) + partSuffix(host);
      await run(
        `${rbd(host, place)} create --size 1G ${place.pool}/${name} && qemu-io -c 'write -q -P 0x77 8M 1M' '${blockNode(host, place, name)}'`,
      );
    },
  };
}

/** The command `rbd` as a client's shell has it. */
export function rbd(host: ComputeHost, place: RbdPlace): string {
  return `rbd ${listClientOptions(host, place).join(" ")}`;
}

/** How a test's own hands reach a volume. */
interface Hands {
  /** As `qemu-io` opens what lies there. */
  readonly nodeOf: (volume: VolumeRef) => string;
  /** The same for what is in an encrypted one, with the secret `key`. */
  readonly openedOf: (volume: VolumeRef) => string;
  /** Prints what lies there. */
  readonly bytesOf: (volume: VolumeRef) => string;
}

/** Bytes of a run that no ciphertext has by chance. */
const runBytes = 64;

function describeHands(
  { host, volumes, scan, dryRun, run, keyFiles }: VolumeHost,
  { nodeOf, openedOf, bytesOf }: Hands,
): Pick<
  VolumeStage,
  | "host"
  | "volumes"
  | "scan"
  | "dryRun"
  | "write"
  | "read"
  | "keyFiles"
  | "shows"
  | "opens"
  | "hold"
  | "close"
> {
  const target = (volume: VolumeRef): string =>
    volume.encryption === undefined
      ? nodeOf(volume)
      : `--object secret,id=key,data=${readFileSync(volume.encryption.keyFile, "utf8").trim()} '${openedOf(volume)}'`;
  return {
    host,
    volumes,
    scan,
    dryRun,
    keyFiles,
    write: async (volume, byte, atMib) => {
      await run(`qemu-io -c 'write -q -P ${String(byte)} ${String(atMib)}M 1M' ${target(volume)}`);
    },
    read: async (volume, atMib) => {
      const at = String(atMib * mib);
      const byte = await run(
        `byte=$(qemu-io -r -c 'read -v ${at} 1' ${target(volume)} | sed -n 's/^[0-9a-f]*: *\\([0-9a-f][0-9a-f]\\).*/\\1/p')
        qemu-io -r -c "read -q -P 0x$byte ${at} 1M" ${target(volume)} && echo "$byte"`,
      );
      return Number.parseInt(byte, 16);
    },
    shows: async (volume, byte) => {
      const row = `^( ${byte.toString(16).padStart(2, "0")}){${String(runBytes)}}$`;
      const found = await run(
        `${bytesOf(volume)} | od -A n -t x1 -w${String(runBytes)} | grep -cE '${row}' || true`,
      );
      return Number(found) > 0;
    },
    opens: async (volume) => {
      const said = await run(`qemu-io -r -c length ${target(volume)} 2>&1 || true`);
      return !said.includes("Invalid password");
    },
    hold: async (volume) => {
      // By its own end: a client of RBD that is killed counts as there for 30 s.
      const ids = await run(
        `cd /tmp; rm -f held held.log; mkfifo held; (sleep 60 > held 2> /dev/null & echo $!)
        qemu-io ${nodeOf(volume)} < held > held.log 2>&1 & echo $!; until [ -s held.log ]; do sleep 0.05; done`,
      );
      const [keeper = "", holder = ""] = ids.trim().split("\n");
      return async () => {
        await run(
          `echo quit > /tmp/held; while [ -d /proc/${holder} ]; do sleep 0.05; done; kill ${keeper}; rm /tmp/held /tmp/held.log`,
        );
      };
    },
    close: () => Promise.resolve(),
  };
}
