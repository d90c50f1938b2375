import { z } from "zod";
import {
  descriptionField,
  idSchema,
  nameField,
  printableSchema,
  reserveName,
} from "../core/common-fields.ts";
import { field } from "../core/fields.ts";
import { defineResource } from "../core/resource.ts";
import { findPoolContent } from "../volumes/pool-place.ts";

/** Largest amount that a flavor may ask for (nova: `db/constants.py` MAX_INT). */
const maxAmount = 2_147_483_647;

/** What a server of this kind gets (nova: flavors). Its amounts never change: running servers were built with them. */
export const flavor = defineResource({
  type: "flavor",
  plural: "flavors",
  service: "compute",
  summary: "A size of servers: processors, memory, disk.",
  scope: "cloud",
  inputs: z.strictObject({
    name: nameField({ doc: "Name, unique in the cloud." }),
    description: descriptionField(),
    vcpus: field(z.int().min(1).max(maxAmount), {
      doc: "Virtual processors, at least 1.",
      change: "replace",
    }),
    ramMib: field(z.int().min(1).max(maxAmount), { doc: "Memory in MiB, at least 1.", change: "replace" }),
    diskGib: field(z.int().min(0).max(maxAmount).default(0), {
      doc: "Root disk in GiB; 0 takes the size of the image. Default 0.",
      change: "replace",
    }),
    storagePool: field(idSchema().optional(), {
      doc: "Pool of a Ceph cluster that root disks are in; servers are then placed on its clients. Default: a pool with the server's host among its `hosts`, else a file on the host.",
      references: "storage-pool",
      change: "replace",
    }),
    extraSpecs: field(
      z
        .record(
          // nova: api/validation/extra_specs and api/openstack/compute/schemas/flavors_extraspecs.py
          z
            .string()
            .regex(
              /^[a-zA-Z0-9\-_:. ]{1,255}$/,
              "Keys must be 1 to 255 of letters, digits, and - _ : . blank",
            ),
          printableSchema(255),
        )
        .default({}),
      {
        doc: "Nova's extra specs, e.g. `hw:cpu_policy`, `resources:VCPU`, `trait:HW_CPU_X86_AVX2`. A change concerns servers made or resized later.",
      },
    ),
  }),
  outputs: z.strictObject({}),
  rules: [
    {
      field: "storagePool",
      says: "The pool holds root disks or volumes.",
      reads: ["storagePool"],
      remedy: "Name a pool whose content is vms.",
      violated: ({ storagePool }, { world }) => {
        const content = storagePool === undefined ? undefined : findPoolContent(storagePool, world);
        return content === "images" ? "is a pool for images" : undefined;
      },
    },
  ],
  reservations: ({ name }) => reserveName("flavor", "cloud", name),
  reconcile: [],
  remove: [],
});
