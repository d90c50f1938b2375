import { chmod, mkdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { StackyardError } from "../../core/errors.ts";
import { parseKeyring } from "../ceph-keyring.ts";
import { renderText } from "../render.ts";

/** The files of a cluster on the machine that made it. */
const names = {
  keyring: "ceph.client.admin.keyring",
  conf: "ceph.conf",
  cluster: "cluster.json",
} as const;

const clusterSchema = z.looseObject({ fsid: z.string() });

/** What is written for a cluster, and where. */
export interface BootstrapFiles {
  readonly keyringFile: string;
  readonly confFile: string;
}

/** Raises `conflict` for a folder that has files of another cluster, or of somebody else. */
export async function requireFreeFolder(folder: string, fsid: string | undefined): Promise<void> {
  const found = await readCluster(folder);
  if (found !== undefined && found === fsid) return;
  for (const name of Object.values(names)) {
    if ((await readIfThere(join(folder, name))) === undefined) continue;
    throw new StackyardError("conflict", {
      message: `the folder has ${name} already${found === undefined ? "" : `, of the cluster ${found}`}`,
      field: "--out",
      value: folder,
      remedy: "Name another folder.",
    });
  }
}

/** Writes the admin's keyring, a ceph.conf and what a stack needs to know, for their owner alone. Raises `internal` for a keyring without a key. */
export async function writeFolder(
  folder: string,
  cluster: { readonly name: string; readonly fsid: string; readonly monitors: readonly string[] },
  keyrings: string,
): Promise<BootstrapFiles> {
  const key = parseKeyring(keyrings).get("client.admin");
  if (key === undefined)
    throw new StackyardError("internal", { message: "the first host made no key of the admin" });
  const [keyringFile, confFile] = [join(folder, names.keyring), join(folder, names.conf)];
  const { name, fsid, monitors } = cluster;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // First, so that a run that is broken off leaves nothing that cannot be told whose it is.
    await replace(
      join(folder, names.cluster),
      `${JSON.stringify({ name, fsid, monitors, user: "admin", keyringFile }, undefined, 2)}\n`,
    );
    await replace(keyringFile, renderText("ceph/keyring", { user: "admin", key }));
    await replace(
      confFile,
      renderText("ceph/client.conf", {
        fsid,
        monitors: monitors.join(","),
        keyring: keyringFile,
        connectSeconds: 10,
        monitorSeconds: 15,
        storageSeconds: undefined,
      }),
    );
  } catch (cause) {
    if (cause instanceof StackyardError) throw cause;
    throw new StackyardError("invalid-input", {
      message: "the folder cannot be written to",
      field: "--out",
      value: folder,
      remedy: "Name a folder of your own, and run again: the cluster is there.",
      cause,
    });
  }
  return { keyringFile, confFile };
}

/** Removes the files of this cluster, and the folder if nothing else is in it. Files of others stay. */
export async function removeFolder(folder: string, fsid: string): Promise<void> {
  if ((await readCluster(folder)) !== fsid) return;
  for (const name of [names.keyring, names.conf, names.cluster])
    await rm(join(folder, name), { force: true });
  await rmdir(folder).catch((error: unknown) => {
    if (!hasErrno(error, "ENOTEMPTY")) throw error;
  });
}

async function readCluster(folder: string): Promise<string | undefined> {
  const text = await readIfThere(join(folder, names.cluster));
  if (text === undefined) return undefined;
  try {
    return clusterSchema.parse(JSON.parse(text)).fsid;
  } catch {
    return undefined; // Somebody else's file of that name.
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw new StackyardError("invalid-input", {
      message: "a file of the folder cannot be read",
      field: "--out",
      value: path,
      remedy: "Name a folder of your own.",
      cause: error,
    });
  }
}

function hasErrno(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

async function replace(path: string, text: string): Promise<void> {
  const part = `${path}.part`;
  await rm(part, { force: true });
  await writeFile(part, text, { mode: 0o600, flag: "wx" });
  await chmod(part, 0o600);
  await rename(part, path);
}
