import { z } from "zod";
import { addressSchema } from "../core/cidr.ts";
import { idSchema, nameField, projectField, reserveDevice, reserveName } from "../core/common-fields.ts";
import { field } from "../core/fields.ts";
import { countOne } from "../core/quota.ts";
import { defineResource } from "../core/resource.ts";
import { completeAttachment, rejectAttachment, reserveAttachment } from "./attachment.ts";

/** A unicast MAC address, lower case. */
const macSchema = z
  .string()
  .regex(
    /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/,
    "must be a unicast MAC address in lower case, such as fa:16:3e:00:00:01",
  );

export const portInputs = z.object({
  name: nameField({ doc: "Name, unique among the project's ports." }),
  project: projectField(),
  network: field(idSchema().optional(), {
    doc: "Network. Default: the subnet's.",
    change: "replace",
    computed: "plan",
    references: "network",
  }),
  subnet: field(idSchema().optional(), {
    doc: "Subnet. Default: the network's only one.",
    change: "replace",
    computed: "plan",
    references: "subnet",
  }),
  address: field(addressSchema().optional(), {
    doc: "Fixed address. Default: a free one of the subnet's pools, shown in the preview.",
    change: "replace",
    computed: "plan",
    chosen: true,
  }),
  mac: field(macSchema.optional(), {
    doc: "MAC address. Default: derived from the port's id.",
    change: "replace",
    computed: "plan",
  }),
});

/** A place on a network with a fixed MAC and address, for a server to take. */
export const port = defineResource({
  type: "port",
  plural: "ports",
  service: "network",
  summary:
    "A place on a network with a fixed MAC and address. A server takes it; it is wired on the server's host.",
  scope: "project",
  inputs: portInputs,
  outputs: z.object({}),
  rules: (["network", "subnet", "address"] as const).map((key) => ({
    field: key,
    says: {
      network: "The subnet belongs to the network.",
      subnet: "The network has a subnet to choose.",
      address: "The address lies in the subnet's range and is no special one.",
    }[key],
    reads: ["network", "subnet", "address"],
    violated: (inputs, { world }) => {
      const wrong = rejectAttachment(inputs, world);
      return wrong?.field === key ? wrong.problem : undefined;
    },
  })),
  complete: (draft, context) => completeAttachment(draft, context.id, context),
  reservations: (inputs, id) => [
    ...reserveName("port", inputs.project, inputs.name),
    ...reserveAttachment(inputs, ""),
    reserveDevice(id, "id"),
  ],
  quotas: { ports: countOne },
  reconcile: [],
  remove: [],
});
