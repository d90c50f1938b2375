import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readConfig } from "../../../providers/config/config.ts";
import { readCredentials, writeCredentials } from "../../../providers/config/credentials.ts";
import { Secret } from "../../../providers/core/secret.ts";

let home: string;
let passwordFile: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "stackyard-credentials-"));
  passwordFile = join(home, "password");
});

afterEach(() => rm(home, { recursive: true }));

/** Password of the user whom these settings name. */
async function readPassword(settings: Readonly<Record<string, string>>): Promise<string> {
  const config = readConfig({
    STACKYARD_HOME: home,
    STACKYARD_USERNAME: "eve",
    ...settings,
  });
  return (await readCredentials(config)).password.reveal();
}

describe("the administrator's credentials", () => {
  let folder: string;

  beforeEach(async () => {
    folder = join(home, "default");
    await writeCredentials(folder, {
      username: "admin",
      password: new Secret("s3cret"),
      project: "admin",
    });
  });

  test("are those of whoever names no user", async () => {
    const { username, password, project } = await readCredentials(readConfig({ STACKYARD_HOME: home }));
    expect([username, password.reveal(), project]).toEqual(["admin", "s3cret", "admin"]);
  });

  test("can be read by nobody else", async () => {
    expect((await stat(join(folder, "credentials.json"))).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  test("are not those of a user who is named without a password", async () => {
    await expect(readPassword({})).rejects.toMatchObject({
      code: "unauthenticated",
      field: "STACKYARD_PASSWORD",
    });
  });
});

describe("a password", () => {
  test.each(["\n", "\r\n", ""])("in a file may end with %j", async (end) => {
    await writeFile(passwordFile, `s3cret ${end}`);
    expect(await readPassword({ STACKYARD_PASSWORD_FILE: passwordFile })).toBe("s3cret ");
  });

  test("that is given comes before that of a file", async () => {
    await writeFile(passwordFile, "of the file");
    const both = {
      STACKYARD_PASSWORD: "given",
      STACKYARD_PASSWORD_FILE: passwordFile,
    };
    expect(await readPassword(both)).toBe("given");
  });

  test("that is empty is none", async () => {
    await writeFile(passwordFile, "of the file");
    const both = { STACKYARD_PASSWORD: "", STACKYARD_PASSWORD_FILE: passwordFile };
    expect(await readPassword(both)).toBe("of the file");
  });

  test("whose file cannot be read is told by the setting", async () => {
    await expect(readPassword({ STACKYARD_PASSWORD_FILE: passwordFile })).rejects.toMatchObject({
      code: "unauthenticated",
      field: "STACKYARD_PASSWORD_FILE",
      value: passwordFile,
    });
  });

  test("of the environment, in whatever form, is not that of an engine's own user", async () => {
    await writeFile(passwordFile, "of the engine");
    const environment = {
      STACKYARD_HOME: home,
      STACKYARD_PASSWORD: "of the environment",
    };
    const own = {
      STACKYARD_USERNAME: "eve",
      STACKYARD_PASSWORD_FILE: passwordFile,
    };
    expect((await readCredentials(readConfig(environment, own))).password.reveal()).toBe("of the engine");
  });
});
