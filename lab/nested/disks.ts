import { existsSync, readdirSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { expectProcess } from "../process.ts";
import type { NestedHost } from "./plan.ts";

/** What is known of a host where its disks are looked after. */
export type DiskOwner = Pick<NestedHost, "name" | "diskGib" | "dataDisksGib" | "diskFolder">;

/** One disk of a host: its name, its size, and whether it begins as the image. */
export interface DiskSlot {
  readonly slot: string;
  readonly sizeGib: number;
}

/** The disks of a host: `root`, then `data1` and so on. */
export function diskSlots(host: DiskOwner): readonly DiskSlot[] {
  return [
    { slot: "root", sizeGib: host.diskGib },
    ...host.dataDisksGib.map((sizeGib, index) => ({ slot: `data${String(index + 1)}`, sizeGib })),
  ];
}

/**
 * Layers of a disk, oldest first. A disk is a chain of qcow2 files `SLOT.N.qcow2`; the host writes to the one of the
 * highest number, whatever process was killed when. What a snapshot holds is never the highest.
 */
function listLayers(
  host: DiskOwner,
  slot: string,
): readonly { readonly path: string; readonly number: number }[] {
  if (!existsSync(host.diskFolder)) return [];
  return readdirSync(host.diskFolder)
    .map((name) => ({ name, match: /^(\w+)\.(\d+)\.qcow2$/.exec(name) }))
    .filter(({ match }) => match?.[1] === slot)
    .map(({ name, match }) => ({ path: join(host.diskFolder, name), number: Number(match?.[2]) }))
    .sort((a, b) => a.number - b.number);
}

/** The file that the host writes to; undefined for a host that was never started. */
export function activeLayer(host: DiskOwner, slot: string): string | undefined {
  return listLayers(host, slot).at(-1)?.path;
}

/** @throws TypeError for a host without disks. */
export function requireLayer(host: DiskOwner, slot: string): string {
  const path = activeLayer(host, slot);
  if (path === undefined) throw new TypeError(`host ${host.name} has no disk ${slot}`);
  return path;
}

/** Path of the layer that would be written to next. */
export function nextLayer(host: DiskOwner, slot: string): string {
  const last = listLayers(host, slot).at(-1)?.number ?? 0;
  return join(host.diskFolder, `${slot}.${String(last + 1)}.qcow2`);
}

/**
 * Makes a layer of nothing over a file, or an empty disk. It is whole when it has its name.
 * @param backing is not opened: a host may be writing to it.
 */
export async function makeLayer(
  path: string,
  sizeGib: number,
  backing?: { readonly path: string; readonly format: "raw" | "qcow2" },
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const part = `${path}.part`;
  await expectProcess(`making the disk ${basename(path)}`, "qemu-img", [
    ...["create", "-q", "-f", "qcow2"],
    ...(backing === undefined ? [] : ["-u", "-F", backing.format, "-b", backing.path]),
    ...[part, `${String(sizeGib)}G`],
  ]);
  await rename(part, path);
}

/** The layer of each disk that the host writes to, by slot; or will, from its next start on. */
export function layersOf(host: DiskOwner): Record<string, string> {
  return Object.fromEntries(diskSlots(host).map(({ slot }) => [slot, requireLayer(host, slot)]));
}

/** Makes new layers of the highest numbers, which the host writes to from its next start on, or when its QEMU takes them. */
export async function addLayers(
  host: DiskOwner,
  base: Readonly<Record<string, string>> = layersOf(host),
): Promise<void> {
  for (const { slot, sizeGib } of diskSlots(host)) {
    const path = base[slot];
    if (path === undefined) throw new TypeError(`no layer of disk ${slot}`);
    await makeLayer(nextLayer(host, slot), sizeGib, { path, format: "qcow2" });
  }
}

/** The host's disks: an overlay of the image, and empty ones. What is there stays. */
export async function ensureDisks(host: DiskOwner, image: { readonly root: string }): Promise<void> {
  for (const { slot, sizeGib } of diskSlots(host)) {
    if (activeLayer(host, slot) !== undefined) continue;
    const backing = slot === "root" ? { path: image.root, format: "raw" as const } : undefined;
    await makeLayer(nextLayer(host, slot), sizeGib, backing);
  }
}

const baseSchema = z.object({ "full-backing-filename": z.string().optional() });

/** Files outside the host's own folder that its disks stand on: those of images. A host may be writing to its disks. */
export async function listBases(host: DiskOwner): Promise<string[]> {
  const bases = await Promise.all(
    diskSlots(host)
      .flatMap(({ slot }) => listLayers(host, slot))
      .map(async ({ path }) => {
        const output = await expectProcess("looking at a disk", "qemu-img", [
          ...["info", "-U", "--output=json", path],
        ]);
        return baseSchema.parse(JSON.parse(output))["full-backing-filename"];
      }),
  );
  return [...new Set(bases)]
    .filter((path) => path !== undefined)
    .filter((path) => dirname(path) !== host.diskFolder);
}

const chainSchema = z.array(z.object({ filename: z.string() }));

/** The files that a layer stands on, itself first. A host may be writing to it. */
export async function listChain(path: string): Promise<string[]> {
  const output = await expectProcess("looking at a disk", "qemu-img", [
    ...["info", "-U", "--backing-chain", "--output=json", path],
  ]);
  return chainSchema.parse(JSON.parse(output)).map(({ filename }) => filename);
}

/** Removes layers of the host that neither it nor any of `kept` stands on. */
export async function pruneLayers(host: DiskOwner, kept: readonly string[]): Promise<void> {
  for (const { slot } of diskSlots(host)) {
    const layers = listLayers(host, slot).map(({ path }) => path);
    const heads = layers.filter((path, index) => index === layers.length - 1 || kept.includes(path));
    const needed = new Set((await Promise.all(heads.map(listChain))).flat());
    for (const path of layers) if (!needed.has(path)) await rm(path);
  }
}
