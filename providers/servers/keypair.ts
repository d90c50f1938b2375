import { z } from "zod";
import { nameField, projectField, reserveName } from "../core/common-fields.ts";
import { field } from "../core/fields.ts";
import { defineResource } from "../core/resource.ts";
import { describePublicKey, generateKeypair, publicKeyProblem } from "./ssh-key.ts";

/** A key for logging in to servers, given or generated (nova: keypairs). */
export const keypair = defineResource({
  type: "keypair",
  plural: "keypairs",
  service: "compute",
  summary: "An SSH key that servers let in: your own public key, or a pair that is generated.",
  scope: "project",
  inputs: z.strictObject({
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
  }),
  outputs: z.strictObject({
    publicKey: field(z.string(), { doc: "Public key in OpenSSH's one-line format." }),
    algorithm: field(z.string(), { doc: "Algorithm of the key, e.g. `ssh-ed25519`." }),
    fingerprint: field(z.string(), { doc: "SHA-256 fingerprint, as `ssh-keygen -l` shows it." }),
    privateKey: field(z.string().optional(), {
      doc: "Private key in OpenSSH's format, if the pair was generated. Given once and not kept by the cloud.",
      secret: true,
      onceOnly: true,
    }),
  }),
  rules: [],
  reservations: ({ name, project }) => reserveName("keypair", project, name),
  reconcile: [
    {
      name: "generate key",
      run: ({ inputs, outputs, record }) => {
        if (inputs.publicKey !== undefined)
          return Promise.resolve({ publicKey: inputs.publicKey, ...describePublicKey(inputs.publicKey) });
        // A pair whose private part is lost before anyone was given it is of no use to anyone.
        const delivered = record.applied !== undefined;
        if (outputs.publicKey !== undefined && (delivered || outputs.privateKey !== undefined))
          return Promise.resolve(undefined);
        const pair = generateKeypair(inputs.name ?? record.name);
        return Promise.resolve({
          publicKey: pair.publicKey,
          ...describePublicKey(pair.publicKey),
          privateKey: pair.privateKey.reveal(),
        });
      },
    },
  ],
  remove: [],
});
