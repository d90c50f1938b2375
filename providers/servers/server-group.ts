import { z } from "zod";
import { nameField, projectField } from "../core/common-fields.ts";
import { field } from "../core/fields.ts";
import { countOne } from "../core/quota.ts";
import { defineResource } from "../core/resource.ts";

/** Servers that are placed with regard to each other (nova: server groups). */
export const serverGroup = defineResource({
  type: "server-group",
  plural: "server-groups",
  service: "compute",
  summary: "Keeps its servers together on one host, or apart on different hosts.",
  scope: "project",
  inputs: z.strictObject({
    name: nameField({ doc: "Name." }),
    project: projectField(),
    policy: field(z.enum(["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]), {
      doc: "`affinity`: all on one host; `anti-affinity`: each on another; the `soft-` ones prefer that, and otherwise place the server anyway.",
      change: "replace",
    }),
    maxServersPerHost: field(z.int().min(1).max(2_147_483_647).optional(), {
      doc: "With `anti-affinity`: how many servers of the group one host may have. Default 1. A change concerns servers placed later.",
    }),
  }),
  outputs: z.strictObject({}),
  rules: [
    {
      // nova: api/openstack/compute/server_groups.py, rules of microversion 2.64
      field: "maxServersPerHost",
      says: "maxServersPerHost goes with the policy anti-affinity only.",
      reads: ["policy", "maxServersPerHost"],
      remedy: "Leave maxServersPerHost out, or set the policy to anti-affinity.",
      violated: ({ policy, maxServersPerHost }) =>
        maxServersPerHost === undefined || policy === "anti-affinity"
          ? undefined
          : `cannot be set for the policy ${policy}`,
    },
  ],
  quotas: { serverGroups: countOne },
  reconcile: [],
  remove: [],
});
