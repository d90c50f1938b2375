import { describe, expect, test } from "vitest";
import { diffInputs } from "../../../providers/core/diff.ts";
import { newId } from "../../../providers/core/ids.ts";
import type { ResourceRecord } from "../../../providers/core/record.ts";
import { parseInputs } from "../../../providers/core/validate.ts";
import {
  ensureKey,
  keypair,
  type KeypairInputs,
  type KeypairOutputs,
} from "../../../providers/servers/keypair.ts";
import { generateKeypair } from "../../../providers/servers/ssh-key.ts";

const { publicKey } = generateKeypair("given");

const building: ResourceRecord<KeypairInputs, KeypairOutputs> = {
  id: newId(),
  type: "keypair",
  projectId: newId(),
  name: "demo",
  inputs: { name: "demo" },
  outputs: {},
  status: "building",
  revision: 1,
  createdAt: "2026-01-02T03:04:05.000Z",
  updatedAt: "2026-01-02T03:04:05.000Z",
};
const applied = { ...building, applied: building.inputs };
const delivered = { publicKey, algorithm: "ssh-ed25519", fingerprint: "SHA256:x" };
const generated = { ...delivered, privateKey: "private" };

test("a given key is described and has no private part", () => {
  expect(ensureKey({ inputs: { publicKey }, outputs: {}, record: building })).toEqual({
    publicKey,
    algorithm: "ssh-ed25519",
    fingerprint: expect.stringMatching(/^SHA256:[A-Za-z0-9+/]{43}$/) as unknown,
  });
});

test("a given key loses the line break of its file", () => {
  expect(ensureKey({ inputs: { publicKey: `${publicKey}\n` }, outputs: {}, record: building })).toMatchObject(
    {
      publicKey,
    },
  );
});

test("without a given key a pair is generated, named in its comment", () => {
  expect(ensureKey({ inputs: { name: "demo" }, outputs: {}, record: building })).toMatchObject({
    publicKey: expect.stringMatching(/^ssh-ed25519 \S+ demo$/) as unknown,
    algorithm: "ssh-ed25519",
    privateKey: expect.stringContaining("BEGIN OPENSSH PRIVATE KEY") as unknown,
  });
});

describe("a generated pair is kept", () => {
  test("when the create is repeated", () => {
    expect(ensureKey({ inputs: {}, outputs: generated, record: building })).toBeUndefined();
  });

  test("when something else changes, its private part long given away", () => {
    expect(ensureKey({ inputs: { name: "renamed" }, outputs: delivered, record: applied })).toBeUndefined();
  });
});

test("a pair whose private part nobody was given is generated anew", () => {
  const anew = ensureKey({ inputs: {}, outputs: delivered, record: building });

  expect(anew?.privateKey).toBeDefined();
  expect(anew?.publicKey).not.toBe(publicKey);
});

test("a wrong key is refused by its field", () => {
  expect(parseInputs(keypair, { publicKey: 'command="reboot" ssh-ed25519 AAAA' }, []).issues).toMatchObject([
    { code: "invalid-input", field: "publicKey", message: expect.stringContaining("algorithm") as unknown },
  ]);
});

test("a key of 20,000 characters is refused", () => {
  expect(parseInputs(keypair, { publicKey: `${publicKey} ${"x".repeat(20_000)}` }, []).issues).toMatchObject([
    { field: "publicKey", message: "must have at most 16384 characters" },
  ]);
});

test("another key replaces the keypair", () => {
  const other = generateKeypair("other").publicKey;

  expect(diffInputs(keypair, { publicKey }, { publicKey: other })).toMatchObject({ action: "replace" });
});

test("a name is unique in its project", () => {
  const project = "4f0c1a2e-6d5b-4c7b-9a3e-5d1f7b8c9a02";

  expect(keypair.reservations?.({ name: "demo", project }, newId())).toEqual([
    { kind: "keypair-name", scope: project, value: "demo", field: "name" },
  ]);
});
