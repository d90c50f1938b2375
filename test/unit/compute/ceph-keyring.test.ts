import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parseKeyring, readAdminKey } from "../../../providers/compute/ceph-keyring.ts";
import { describeError } from "../../../providers/core/errors.ts";
import { makeCephKey } from "../../support/ceph-keyring.ts";
import { sampleCluster } from "../../support/ceph-samples.ts";

const folder = mkdtempSync(join(tmpdir(), "stackyard-keyring-"));
const key = makeCephKey();
const file = join(folder, "keyring");

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function write(text: string, mode = 0o600): void {
  writeFileSync(file, text);
  chmodSync(file, mode);
}

function read(user = "admin", keyringFile = file): Promise<string> {
  return readAdminKey({ ...sampleCluster, user, keyringFile });
}

test("a keyring has keys by entity, as ceph and ceph-authtool write them", () => {
  const other = makeCephKey();
  const text = `[client.admin]\n\tkey = ${key}\n\tcaps mds = "allow *"\n\n[client.b]\nkey="${other}"\n[mon.]\nkey = none\n`;
  expect([...parseKeyring(text)]).toEqual([
    ["client.admin", key],
    ["client.b", other],
  ]);
});

test("the key of the named user is read, from a file that its group may read too", async () => {
  write(`[client.other]\nkey = ${makeCephKey()}\n[client.admin]\nkey = ${key}\n`, 0o640);
  expect(await read()).toBe(key);
});

test.each([
  ["is not there", "admin", join(folder, "none"), 0o600],
  ["cannot be read", "admin", folder, 0o600],
  ["has no key of client.bob", "bob", file, 0o600],
  ["can be read or written by everybody", "admin", file, 0o644],
])("a keyring that %s is refused by its field, without a word of it", async (problem, user, path, mode) => {
  write(`[client.admin]\nkey = ${key}\n`, mode);
  const error: unknown = await read(user, path).catch((cause: unknown) => cause);
  expect(error).toMatchObject({ code: "invalid-input", field: "keyringFile", value: path });
  expect(describeError(error)).toContain(problem);
  expect(describeError(error)).not.toContain(key);
});
