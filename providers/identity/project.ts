import { z } from "zod";
import { descriptionField, nameField, reserveName } from "../core/common-fields.ts";
import { field } from "../core/fields.ts";
import { quotaNames, quotas } from "../core/quota.ts";
import { defineResource } from "../core/resource.ts";

/** A limit of each quota; -1 is none. */
const limits = Object.fromEntries(
  quotaNames.map((name) => {
    const { preset, counts } = quotas[name];
    const doc = `Most ${counts}; -1 for no limit. Default ${String(preset)}.`;
    return [name, field(z.int().min(-1).max(2_147_483_647).default(preset), { doc })];
  }),
);

/** Who owns resources, and how many it may have (keystone: projects; nova and neutron: quota sets). */
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
        .strictObject(limits)
        .default(Object.fromEntries(quotaNames.map((name) => [name, quotas[name].preset]))),
      { doc: "Limits of the project, by OpenStack's quotas. A lower limit stops only what is new or grows." },
    ),
  }),
  outputs: z.strictObject({}),
  rules: [],
  reservations: ({ name }) => reserveName("project", "cloud", name),
  reconcile: [],
  remove: [],
});
