import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import {
  defineQemuImg,
  nameKeyFault,
  packKey,
  readVolumeKey,
} from "../../../providers/compute/volumes/volume-key.ts";
import { describeError, StackyardError } from "../../../providers/core/errors.ts";
import { script, sh } from "../../../providers/hosts/command.ts";

const folder = mkdtempSync(join(tmpdir(), "stackyard-volume-key-"));
const keyFile = join(folder, "key");
const key = "correct-horse-battery-staple-0123456789";

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function write(content: string | Uint8Array, mode = 0o600): void {
  writeFileSync(keyFile, content);
  chmodSync(keyFile, mode);
}

test.each([
  ["as it is", key],
  ["without the line break at its end", `${key}\n`],
  ["without that of another system", `${key}\r\n`],
])("a key is read %s", async (_, content) => {
  write(content, 0o640);
  expect(await readVolumeKey({ keyFile })).toBe(key);
});

test("a key of 512 bytes is the longest", async () => {
  write("é".repeat(256));
  expect(await readVolumeKey({ keyFile })).toHaveLength(256);
});

test.each([
  ["is empty", "\n", 0o600],
  ["holds fewer than 32 characters", "k".repeat(31), 0o600],
  ["holds more than 512 bytes", `${"é".repeat(256)}k`, 0o600],
  ["holds more than one line of printable text", `${key}\n${key}\n`, 0o600],
  ["holds more than one line of printable text", `${key}\0`, 0o600],
  ["holds no UTF-8 text", Buffer.alloc(64, 0xff), 0o600],
  ["can be read or written by everybody", key, 0o604],
  ["is larger than 1 MiB", key.repeat(40_000), 0o600],
])("a file that %s is refused by its field, without a word of it", async (problem, content, mode) => {
  write(content, mode);
  const error: unknown = await readVolumeKey({ keyFile }).catch((cause: unknown) => cause);
  expect(error).toMatchObject({ code: "invalid-input", field: "encryption.keyFile", value: keyFile });
  expect(describeError(error)).toContain(problem);
  expect(describeError(error)).not.toContain(key);
});

test.each([
  ["is not there", join(folder, "none")],
  ["cannot be read: it is a folder", join(folder, "sub")],
  ["is a pipe or a device, which cannot be read more than once", join(folder, "pipe")],
  ["is a pipe or a device, which cannot be read more than once", "/dev/zero"],
])("a path that %s is refused by its field", async (problem, path) => {
  mkdirSync(join(folder, "sub"), { recursive: true });
  execFileSync("sh", ["-c", '[ -p "$1" ] || mkfifo -m 600 "$1"', "sh", join(folder, "pipe")]);
  await expect(readVolumeKey({ keyFile: path })).rejects.toMatchObject({
    code: "invalid-input",
    field: "encryption.keyFile",
    value: path,
    message: `The key file ${problem}`,
  });
});

test("qemu-img is given the key as it is in its file, blanks at its ends and backslashes too", async () => {
  const odd = `  ${key}\\n'"$HOME\u00a0 `;
  write(`${odd}\n`);
  const tools = join(folder, "tools");
  mkdirSync(tools);
  writeFileSync(join(tools, "qemu-img"), "#!/bin/sh\nexec cat\n", { mode: 0o700 });
  const { text } = script(defineQemuImg({ encryption: { keyFile } }), sh`qemu_img info`);
  const input = (await packKey({ encryption: { keyFile } })) ?? "";
  const env = { PATH: `${tools}:${process.env["PATH"] ?? ""}` };
  expect(execFileSync("/bin/sh", ["-c", text], { input, env, encoding: "utf8" })).toBe(odd);
});

test("a key that opens no slot of a volume is told from other failures", () => {
  const failed = (note: string): StackyardError =>
    new StackyardError("command-failed", { message: "Could not start server 1", notes: [note] });
  const wrong = failed("error: internal error: Invalid password, cannot unlock any keyslot");
  expect(nameKeyFault(wrong)).toMatchObject({ code: "invalid-input", field: "encryption.keyFile" });
  const other = failed("error: no such file");
  expect(nameKeyFault(other)).toBe(other);
});
