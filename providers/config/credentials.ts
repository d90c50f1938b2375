import { readFile, rename, writeFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Credentials } from "../core/cloud.ts";
import { StackyardError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import type { Config } from "./config.ts";

const credentialsFile = z.object({ username: z.string(), password: z.string(), project: z.string() });

/** Where the administrator's credentials are kept, mode 0600. */
function credentialsPath(folder: string): string {
  return join(folder, "credentials.json");
}

/** Writes the administrator's credentials, readable by their owner only. */
export async function writeCredentials(
  folder: string,
  {
    username,
    password,
    project,
  }: { readonly username: string; readonly password: Secret; readonly project: string },
): Promise<void> {
  const path = credentialsPath(folder);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const text = `${JSON.stringify({ username, password: password.reveal(), project }, null, 2)}\n`;
  await writeFile(`${path}.part`, text, { mode: 0o600 });
  await rename(`${path}.part`, path);
}

/** Who logs in: the user of the settings, else the cloud's administrator. Raises `unauthenticated` when there is nobody. */
export async function readCredentials(config: Config): Promise<Credentials> {
  if (config.username === undefined) {
    const { username, password, project } = await readAdministrator(config.folder);
    return { username, password: new Secret(password), project: config.project ?? project };
  }
  const password =
    config.password ??
    (config.passwordFile === undefined ? undefined : await readPassword(config.passwordFile));
  if (password === undefined) {
    throw new StackyardError("unauthenticated", {
      message: `there is no password for user ${JSON.stringify(config.username)}`,
      field: "STACKYARD_PASSWORD",
      remedy: "Set STACKYARD_PASSWORD or STACKYARD_PASSWORD_FILE.",
    });
  }
  return {
    username: config.username,
    password: new Secret(password),
    ...(config.project === undefined ? {} : { project: config.project }),
  };
}

async function readAdministrator(folder: string): Promise<z.infer<typeof credentialsFile>> {
  const path = credentialsPath(folder);
  try {
    return credentialsFile.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw new StackyardError("unauthenticated", {
      message: `the administrator's credentials in ${path} cannot be read`,
      remedy: "Set STACKYARD_USERNAME and STACKYARD_PASSWORD, or restore the file.",
      cause,
    });
  }
}

async function readPassword(path: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).replace(/\r?\n$/, "");
  } catch (cause) {
    throw new StackyardError("unauthenticated", {
      message: `the password file ${path} cannot be read`,
      field: "STACKYARD_PASSWORD_FILE",
      value: path,
      cause,
    });
  }
}
