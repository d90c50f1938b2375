import { execFileSync, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describePublicKey, generateKeypair, publicKeyProblem } from "../../../providers/servers/ssh-key.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-ssh-key-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function wire(...fields: readonly (string | Buffer)[]): string {
  const parts = fields.flatMap((entry) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(entry));
    return [length, Buffer.from(entry)];
  });
  return Buffer.concat(parts).toString("base64");
}

const point = Buffer.alloc(32, 7);
const key = wire("ssh-ed25519", point);

describe("a generated pair", () => {
  test("is one that ssh-keygen reads, with the same public part", () => {
    const pair = generateKeypair("demo");
    const file = join(folder, "generated");
    writeFileSync(file, pair.privateKey.reveal(), { mode: 0o600 });

    expect(execFileSync("ssh-keygen", ["-y", "-f", file], { encoding: "utf8" }).trim()).toBe(pair.publicKey);
  });

  test("has the fingerprint that ssh-keygen shows", () => {
    const { publicKey } = generateKeypair("demo");
    const shown = execFileSync("ssh-keygen", ["-l", "-f", "-"], { input: publicKey, encoding: "utf8" });

    expect(shown).toContain(` ${describePublicKey(publicKey).fingerprint} `);
  });

  test("signs what its public part verifies, whatever the length of the comment", () => {
    const pair = generateKeypair("$(reboot) 'quoted' größer");
    const file = join(folder, "signer");
    writeFileSync(file, pair.privateKey.reveal(), { mode: 0o600 });
    writeFileSync(join(folder, "allowed"), `demo ${pair.publicKey}\n`);
    const signature = execFileSync("ssh-keygen", ["-Y", "sign", "-f", file, "-n", "test", "-q"], {
      input: "text",
    });
    writeFileSync(join(folder, "signature"), signature);

    const verified = spawnSync(
      "ssh-keygen",
      [
        "-Y",
        "verify",
        "-f",
        join(folder, "allowed"),
        "-I",
        "demo",
        "-n",
        "test",
        "-s",
        join(folder, "signature"),
      ],
      { input: "text" },
    );

    expect(verified.status).toBe(0);
  });

  test("cannot be printed by accident", () => {
    expect(JSON.stringify(generateKeypair("demo"))).not.toContain("PRIVATE KEY");
  });

  test("is accepted as a given key", () => {
    expect(publicKeyProblem(generateKeypair("demo").publicKey)).toBeUndefined();
  });
});

describe("keys that ssh-keygen makes are accepted", () => {
  test.each([
    { type: "ed25519", bits: "256" },
    { type: "rsa", bits: "1024" },
    { type: "rsa", bits: "3072" },
    { type: "ecdsa", bits: "256" },
    { type: "ecdsa", bits: "384" },
    { type: "ecdsa", bits: "521" },
  ])("$type $bits", ({ type, bits }) => {
    const file = join(folder, `${type}-${bits}`);
    execFileSync("ssh-keygen", ["-q", "-t", type, "-b", bits, "-N", "", "-C", "me@here", "-f", file]);
    const line = execFileSync("cat", [`${file}.pub`], { encoding: "utf8" });

    expect(publicKeyProblem(line)).toBeUndefined();
  });
});

describe("security keys are accepted", () => {
  test.each([
    `sk-ssh-ed25519@openssh.com ${wire("sk-ssh-ed25519@openssh.com", point, "ssh:")}`,
    `sk-ecdsa-sha2-nistp256@openssh.com ${wire("sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", Buffer.alloc(65, 4), "ssh:")}`,
  ])("%s", (line) => {
    expect(publicKeyProblem(line)).toBeUndefined();
  });
});

describe("layouts of one line", () => {
  test.each([
    { what: "without a comment", line: `ssh-ed25519 ${key}` },
    { what: "with blanks in the comment", line: `ssh-ed25519 ${key} me at home` },
    { what: "with a line break at the end, as files have it", line: `ssh-ed25519 ${key} me\n` },
    { what: "with Windows' line break at the end", line: `ssh-ed25519 ${key} me\r\n` },
    { what: "with a tab", line: `ssh-ed25519\t${key}` },
  ])("$what", ({ line }) => {
    expect(publicKeyProblem(line)).toBeUndefined();
  });
});

describe("what is no public key says why", () => {
  test.each([
    { line: "", problem: "Must begin with the algorithm" },
    { line: "hello world", problem: "Must begin with the algorithm" },
    { line: `command="reboot" ssh-ed25519 ${key}`, problem: "Must begin with the algorithm" },
    { line: `no-pty ssh-ed25519 ${key}`, problem: "Must begin with the algorithm" },
    { line: `ssh-dss ${wire("ssh-dss", "p", "q", "g", "y")}`, problem: "Must begin with the algorithm" },
    { line: `constructor ${key}`, problem: "Must begin with the algorithm" },
    { line: ` ssh-ed25519 ${key}`, problem: "Must begin with the algorithm" },
    { line: `ssh-ed25519 ${key}\nssh-ed25519 ${key}`, problem: "Must be one line" },
    { line: `ssh-ed25519 ${key} me\n\n`, problem: "Must be one line" },
    { line: `ssh-ed25519 ${key} me\u0000`, problem: "Must be one line" },
    { line: "ssh-ed25519", problem: "Must have the key in base64" },
    { line: "ssh-ed25519 not*base64", problem: "Must have the key in base64" },
    { line: `ssh-ed25519 ${key.slice(0, 40)}`, problem: "Must hold a whole ssh-ed25519 key" },
    { line: `ssh-rsa ${key}`, problem: "Must hold a whole ssh-rsa key" },
    {
      line: `ssh-ed25519 ${wire("ssh-ed25519", Buffer.alloc(31))}`,
      problem: "Must hold a valid ssh-ed25519 key",
    },
    {
      line: `ssh-ed25519 ${wire("ssh-ed25519", point, "more")}`,
      problem: "Must hold a valid ssh-ed25519 key",
    },
    {
      line: `ssh-rsa ${wire("ssh-rsa", "\u0003", Buffer.alloc(64, 0x7f))}`,
      problem: "Must hold a valid ssh-rsa key",
    },
    {
      line: `ecdsa-sha2-nistp256 ${wire("ecdsa-sha2-nistp256", "nistp384", Buffer.alloc(65))}`,
      problem: "Must hold a valid ecdsa-sha2-nistp256 key",
    },
  ])("$problem: $line", ({ line, problem }) => {
    expect(publicKeyProblem(line)).toContain(problem);
  });

  test("a private key", () => {
    const pem = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();

    expect(publicKeyProblem(pem)).toBe("Must be the public key, not the private one");
  });
});

test("whatever the bytes of a key are, a verdict comes and nothing is thrown", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const line = `ssh-rsa ${Buffer.from(bytes).toString("base64")}`;
      return publicKeyProblem(line) !== undefined;
    }),
  );
});

test("two generated pairs differ", () => {
  expect(generateKeypair("demo").publicKey).not.toBe(generateKeypair("demo").publicKey);
});
