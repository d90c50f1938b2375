import { z } from "zod";
import { descriptionField, nameField, reserveName } from "../core/common-fields.ts";
import { field } from "../core/fields.ts";
import { defineResource } from "../core/resource.ts";

/** A limit of a quota; -1 is none. */
function limitField(what: string, preset: number): z.ZodDefault<z.ZodInt> {
  return field(z.int().min(-1).max(2_147_483_647).default(preset), {
    doc: `Most ${what} that the project's servers may have together; -1 for no limit. Default ${String(preset)}.`,
  });
}

/** Defaults of Nova (nova: `conf/quota.py` instances, cores, ram). */
const defaultQuota = { instances: 10, cores: 20, ramMib: 51_200 };

/** Who owns resources, and how many it may have (keystone: projects; nova: quota sets). */
export const project = defineResource({
  type: "project",
  plural: "projects",
  service: "identity",
  summary: "Owns servers, networks and what belongs to them, within a quota.",
  scope: "cloud",
  inputs: z.strictObject({
    name: nameField({ doc: "Name, unique in the cloud." }),
    description: descriptionField(),
    enabled: field(z.boolean().default(true), {
      doc: "Whether users may log in to it. Tokens of a disabled project stop working at once; its servers go on running. Default true.",
    }),
    quota: field(
      z
        .strictObject({
          instances: limitField("servers", defaultQuota.instances),
          cores: limitField("virtual processors", defaultQuota.cores),
          ramMib: limitField("memory in MiB", defaultQuota.ramMib),
        })
        .default(defaultQuota),
      { doc: "Limits of the project. A lower limit stops new servers only." },
    ),
  }),
  outputs: z.strictObject({}),
  rules: [],
  reservations: ({ name }) => reserveName("project", "cloud", name),
  reconcile: [],
  remove: [],
});
