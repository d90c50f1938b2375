import { z } from "zod";
import { nameField, reserveName } from "../../providers/core/common-fields.ts";
import { field } from "../../providers/core/fields.ts";
import { deriveMac } from "../../providers/core/ids.ts";
import { defineResource, type Definition } from "../../providers/core/resource.ts";

/** A resource that others refer to. */
export const shelf = defineResource({
  type: "shelf",
  plural: "shelves",
  service: "compute",
  summary: "Holds boxes.",
  scope: "cloud",
  inputs: z.strictObject({
    name: nameField({ doc: "Name of the shelf." }),
    room: field(z.string(), { doc: "Where it stands.", change: "replace" }),
  }),
  outputs: z.strictObject({}),
  rules: [],
  reservations: ({ name }) => reserveName("shelf", "cloud", name),
  reconcile: [],
  remove: [],
});

/** A resource with one field of every kind that an engine treats in its own way. */
export const deepBox = defineResource({
  type: "deep-box",
  plural: "deep-boxes",
  service: "compute",
  summary: "A box on a shelf.",
  scope: "project",
  inputs: z.strictObject({
    name: nameField({ doc: "Name of the box." }),
    shelf: field(z.string(), { doc: "Shelf it stands on.", references: "shelf", change: "replace" }),
    ramMib: field(z.int().min(1).default(64), { doc: "Memory in MiB.", change: "restart" }),
    color: field(z.enum(["red", "blue"]).optional(), { doc: "Paint." }),
    mac: field(z.string().optional(), { doc: "MAC address.", computed: "plan", change: "replace" }),
    owner: field(z.string().optional(), { doc: "Owner.", computed: "apply", change: "replace" }),
    passphrase: field(z.string().optional(), { doc: "Opens the box.", secret: true }),
    neighbours: field(z.array(z.string()).default([]), { doc: "Other shelves.", references: "shelf" }),
    sides: field(
      z
        .array(
          z.strictObject({
            label: field(z.string(), { doc: "Text on the side." }),
            faces: field(z.string().optional(), { doc: "Shelf it faces.", references: "shelf" }),
          }),
        )
        .default([]),
      { doc: "Its sides.", change: "reboot" },
    ),
    labels: field(z.record(z.string(), z.string()).default({}), { doc: "Labels." }),
  }),
  outputs: z.strictObject({
    address: field(z.string(), { doc: "Where it answers." }),
    owner: field(z.string(), { doc: "Owner." }),
    privateKey: field(z.string().optional(), { doc: "Its key.", secret: true, onceOnly: true }),
  }),
  rules: [
    {
      field: "ramMib",
      says: "The box is not too large.",
      reads: ["ramMib"],
      remedy: "Use at most 4096.",
      violated: ({ ramMib }) => (ramMib > 4096 ? "is larger than 4096 MiB" : undefined),
    },
  ],
  complete: ({ mac }, { id }) => ({ mac: mac ?? deriveMac(id) }),
  reconcile: [{ name: "fold", run: () => Promise.resolve(undefined) }],
  remove: [{ name: "unfold", run: () => Promise.resolve(undefined) }],
  observe: () => Promise.resolve({ drift: [] }),
});

export const sampleDefinitions: readonly Definition[] = [shelf, deepBox];
