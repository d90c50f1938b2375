import { z } from "zod";
import { descriptionField, idSchema, nameField, reserveName } from "../core/common-fields.ts";
import { field } from "../core/fields.ts";
import { defineResource } from "../core/resource.ts";

/** Who may log in (keystone: users). Records hold the password as a digest only; see `authenticate/password.ts`. */
export const user = defineResource({
  type: "user",
  plural: "users",
  service: "identity",
  summary: "Logs in with a name and a password; role assignments say what the user may do.",
  scope: "cloud",
  inputs: z.strictObject({
    name: nameField({ doc: "Login name, unique in the cloud." }),
    // keystone: conf/identity.py max_password_length
    password: field(z.string().min(1, "Must not be empty").max(4096, "Must have at most 4096 characters"), {
      doc: "Password, 1 to 4096 characters. Changing it ends the user's sessions.",
      secret: true,
    }),
    defaultProject: field(idSchema().optional(), {
      doc: "Project of a login that names none. Default: the only project where the user has a role.",
      references: "project",
    }),
    email: field(z.email().max(255, "Must have at most 255 characters").optional(), {
      doc: "Address for people; nothing is sent to it.",
    }),
    description: descriptionField(),
    enabled: field(z.boolean().default(true), {
      doc: "Whether the user may log in. Tokens of a disabled user stop working at once. Default true.",
    }),
  }),
  outputs: z.strictObject({}),
  rules: [],
  reservations: ({ name }) => reserveName("user", "cloud", name),
  reconcile: [],
  remove: [],
});
