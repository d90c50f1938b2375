import { z } from "zod";
import { idSchema } from "../core/common-fields.ts";
import { field } from "../core/fields.ts";
import { defineResource } from "../core/resource.ts";

/** Gives a user a role on a project or on the whole cloud (keystone: role assignments; no project is `system`). */
export const roleAssignment = defineResource({
  type: "role-assignment",
  plural: "role-assignments",
  service: "identity",
  summary: "Gives a user a role on one project, or on the whole cloud.",
  scope: "cloud",
  inputs: z.strictObject({
    user: field(idSchema(), { doc: "User who gets the role.", references: "user", change: "replace" }),
    project: field(idSchema().optional(), {
      doc: "Project on which the user gets it. Default: the whole cloud, every project included.",
      references: "project",
      change: "replace",
    }),
    role: field(z.enum(["reader", "member", "admin"]), {
      doc: "`reader` sees, `member` also creates, changes and removes, `admin` also administers; each includes those before it. Only `admin` on the whole cloud changes users, projects, flavors and hosts.",
      change: "replace",
    }),
  }),
  outputs: z.strictObject({}),
  rules: [],
  reservations: ({ user, project, role }) => [
    { kind: "role-assignment", scope: user, value: `${project ?? "cloud"}/${role}`, field: "role" },
  ],
  reconcile: [],
  remove: [],
});
