import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { cacheFolder } from "../../folders.ts";
import { listProcesses } from "../../process.ts";
import { findStateIn, listStates } from "../../state.ts";
import type { LabState } from "../../state.ts";
import { listBases } from "../disks.ts";
import { listSnapshots } from "../snapshot-file.ts";
import { hashRecipe, recipeOf } from "./recipe.ts";

/** A lab that an image is kept for, or a host that runs without a lab on record. */
export interface ImageUser {
  /** Hash of the image. */
  readonly image: string;
  /** `lab NAME` or `process PID`. */
  readonly name: string;
  /** Whether disks stand on the image already, or will only. */
  readonly hasDisks: boolean;
}

/** Where images are kept: what can be built again at any time, but for the disks that stand on it. */
export function imagesFolder(): string {
  return join(cacheFolder(), "lab", "images");
}

/** Folders of the labs that take images of this cache, a file each: their state folders may be others than ours. */
function usersFolder(): string {
  return join(cacheFolder(), "lab", "image-users");
}

/** Makes a lab known to those who remove images, whatever its state folder is. Comes before its first image. */
export async function registerUser(labFolder: string): Promise<void> {
  const name = createHash("sha256").update(labFolder).digest("hex").slice(0, 16);
  await mkdir(usersFolder(), { recursive: true });
  await writeFile(join(usersFolder(), name), labFolder);
}

function listRegistered(): { readonly file: string; readonly labFolder: string }[] {
  const folder = usersFolder();
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((name) => {
    const file = join(folder, name);
    return { file, labFolder: readFileSync(file, "utf8") };
  });
}

/** Forgets labs that are gone. */
export async function pruneUsers(): Promise<void> {
  for (const { file, labFolder } of listRegistered())
    if (findStateIn(labFolder) === undefined) await rm(file, { force: true });
}

/** All that uses images of this cache: labs of ours and of other state folders, their snapshots, hosts that run. */
export async function listImageUsers(): Promise<readonly ImageUser[]> {
  const states = new Map<string, LabState>();
  for (const state of listStates()) states.set(state.plan.folder, state);
  for (const { labFolder } of listRegistered()) {
    const state = findStateIn(labFolder);
    if (state !== undefined) states.set(labFolder, state);
  }
  const labs = await Promise.all([...states.values()].map(listOfLab));
  const users = labs.flat();
  const processes = listProcesses()
    .flatMap(({ identity, words }) =>
      words
        .filter((word) => dirname(dirname(word)) === imagesFolder())
        .map((word) => ({
          image: basename(dirname(word)),
          name: `process ${String(identity.pid)}`,
          hasDisks: true,
        })),
    )
    .filter(({ image }) => !users.some((user) => user.image === image));
  const all = [...users, ...processes];
  return all.filter(
    ({ image, name }, index) =>
      all.findIndex((other) => other.image === image && other.name === name) === index,
  );
}

async function listOfLab(state: LabState): Promise<ImageUser[]> {
  if (state.driver !== "nested") return [];
  const { plan } = state;
  const name = `lab ${plan.name}`;
  const ofHosts = await Promise.all(
    plan.hosts.map(async (host): Promise<ImageUser[]> => {
      const images = (await listBases(host))
        .filter((path) => dirname(dirname(path)) === imagesFolder())
        .map((path) => basename(dirname(path)));
      return images.length > 0
        ? images.map((image) => ({ image, name, hasDisks: true }))
        : [{ image: hashRecipe(recipeOf(plan, host.roles)), name, hasDisks: false }];
    }),
  );
  const ofSnapshots = listSnapshots(plan).flatMap(({ hosts }) =>
    hosts.map(({ image }) => ({ image, name, hasDisks: true })),
  );
  return [...ofHosts.flat(), ...ofSnapshots].sort((a, b) => Number(b.hasDisks) - Number(a.hasDisks));
}
