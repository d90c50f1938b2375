import { z } from "zod";
import { nameField, projectField, reserveName } from "../core/common-fields.ts";
import { field } from "../core/fields.ts";
import { countOne } from "../core/quota.ts";
import { defineResource, type StepContext } from "../core/resource.ts";
import { describePublicKey, generateKeypair, publicKeyProblem } from "./ssh-key.ts";

const inputs = z.strictObject({
  name: nameField({ doc: "Name, unique in the project." }),
  project: projectField(),
  publicKey: field(
    z
      .string()
      .max(16_384, "Must have at most 16384 characters")
      .superRefine((line, context) => {
        const problem = publicKeyProblem(line);
        if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
      })
      .optional(),
    {
      doc: "Public key in OpenSSH's one-line format, as in `id_ed25519.pub`. Default: an ed25519 pair is generated.",
      change: "replace",
      computed: "apply",
    },
  ),
});

const outputs = z.strictObject({
  publicKey: field(z.string(), { doc: "Public key in OpenSSH's one-line format." }),
  algorithm: field(z.string(), {
    doc: "Algorithm of the key, e.g. `ssh-ed25519`.",
    follows: ["publicKey"],
  }),
  fingerprint: field(z.string(), {
    doc: "SHA-256 fingerprint, as `ssh-keygen -l` shows it.",
    follows: ["publicKey"],
  }),
  privateKey: field(z.string().optional(), {
    doc: "Private key in OpenSSH's format, if the pair was generated. Given once and not kept by the cloud.",
    secret: true,
    onceOnly: true,
    follows: ["publicKey"],
  }),
});

export type KeypairInputs = z.infer<typeof inputs>;
export type KeypairOutputs = z.infer<typeof outputs>;

/** A key for logging in to servers, given or generated (nova: keypairs; there they belong to a user, here to a project). */
export const keypair = defineResource({
  type: "keypair",
  plural: "keypairs",
  service: "compute",
  summary: "An SSH key that servers let in: your own public key, or a pair that is generated.",
  scope: "project",
  inputs,
  outputs,
  rules: [],
  reservations: ({ name, project }) => reserveName("keypair", project, name),
  quotas: { keyPairs: countOne },
  reconcile: [{ name: "ensure key", run: (context) => Promise.resolve(ensureKey(context)) }],
  remove: [],
});

/** Describes the given key, or generates a pair unless there is one; `undefined` when nothing is to be done. */
export function ensureKey({
  inputs: { name, publicKey },
  outputs: known,
  record,
}: Pick<StepContext<KeypairInputs, KeypairOutputs>, "inputs" | "outputs" | "record">):
  KeypairOutputs | undefined {
  if (publicKey !== undefined) return { publicKey: publicKey.trim(), ...describePublicKey(publicKey) };
  // A pair whose private part was lost before the create had ended has been given to nobody: a new one takes its place.
  const isUsable = record.applied !== undefined || known.privateKey !== undefined;
  if (known.publicKey !== undefined && isUsable) return undefined;
  const pair = generateKeypair(name ?? record.name);
  return {
    publicKey: pair.publicKey,
    ...describePublicKey(pair.publicKey),
    privateKey: pair.privateKey.reveal(),
  };
}
