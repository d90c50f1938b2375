import { z } from "zod";
import {
  descriptionField,
  idSchema,
  nameField,
  printableSchema,
  reserveName,
} from "../core/common-fields.ts";
import { field, type ChangeRule } from "../core/fields.ts";
import { defineResource } from "../core/resource.ts";
import { findPoolContent } from "./pool-place.ts";

/** Largest limit that QEMU takes (qemu: include/qemu/throttle.h THROTTLE_VALUE_MAX). */
const maxLimit = 1_000_000_000_000_000;

function limitField(counts: string) {
  return field(z.int().min(1).max(maxLimit).optional(), { doc: `${counts} a second. Default no limit.` });
}

/** Limits that exclude each other: one for both directions, and one for each (libvirt: `iotune`). */
const limitGroups = [
  ["totalBytesSec", "readBytesSec", "writeBytesSec"],
  ["totalIopsSec", "readIopsSec", "writeIopsSec"],
] as const;

/** Ciphertext stays what it is. Its passphrase may be in another file; that it is the same is seen when a volume is opened. */
const encryptionChange: ChangeRule = {
  says: "`live` when only `keyFile` changes: the file must hold the same passphrase; else `replace`",
  isIdentity: true,
  label: (from, to) => (from === undefined || to === undefined ? "replace" : "live"),
};

/** A kind of volumes: where they lie, and what servers may do with them (cinder: volume types, with QoS specs of the consumer `front-end`). */
export const volumeType = defineResource({
  type: "volume-type",
  plural: "volume-types",
  service: "block-storage",
  summary:
    "A kind of volumes: in a pool of a Ceph cluster or in files on hosts, how fast, whether encrypted, and whether several servers may have one.",
  scope: "cloud",
  inputs: z.strictObject({
    name: nameField({ doc: "Name, unique in the cloud." }),
    description: descriptionField(),
    storagePool: field(idSchema().optional(), {
      doc: "Pool that its volumes are in, one for `volumes`. Default: each is a qcow2 file on a host.",
      references: "storage-pool",
      change: "replace",
    }),
    encryption: field(
      z
        .strictObject({
          keyFile: field(printableSchema(4096).regex(/^\//, "must be an absolute path"), {
            doc: "File with the passphrase, an absolute path on the machine that runs the stack: one line of 32 to 512 characters, made by a machine (`openssl rand -base64 48`), closed to everybody else. It is read when a volume is made, changed or given to a server, sent to that host alone, and kept in its libvirt while a server there has the volume.",
          }),
        })
        .optional(),
      {
        doc: "Encrypts what guests write, as LUKS (cinder: provider `luks`): QEMU on the server's host does it, and the pool or the file holds ciphertext. All volumes of the type have one passphrase; without it their data is lost. Default none.",
        change: encryptionChange,
      },
    ),
    qos: field(
      z
        .strictObject({
          totalBytesSec: limitField("Bytes read and written"),
          readBytesSec: limitField("Bytes read"),
          writeBytesSec: limitField("Bytes written"),
          totalIopsSec: limitField("Reads and writes"),
          readIopsSec: limitField("Reads"),
          writeIopsSec: limitField("Writes"),
        })
        .optional(),
      {
        doc: "Limits of each of its volumes in a server. A change concerns volumes that are attached later, and servers at their next power cycle. Default none.",
      },
    ),
    multiattach: field(z.boolean().default(false), {
      doc: "Whether several servers may have one of its volumes at a time: their guests need a file system that is made for that. A change concerns volumes that are attached later. Default false.",
    }),
  }),
  outputs: z.strictObject({}),
  rules: [
    {
      field: "storagePool",
      says: "The pool is one for volumes.",
      reads: ["storagePool"],
      remedy: "Name a pool whose content is volumes, or leave it out.",
      violated: ({ storagePool }, { world }) => {
        const content = storagePool === undefined ? undefined : findPoolContent(storagePool, world);
        return content === undefined || content === "volumes" ? undefined : `is a pool for ${content}`;
      },
    },
    {
      field: "multiattach",
      says: "Only volumes in a pool are shared: a qcow2 file that two servers write to is destroyed.",
      reads: ["multiattach", "storagePool"],
      remedy: "Name a storagePool, or leave multiattach out.",
      violated: ({ multiattach, storagePool }) =>
        multiattach && storagePool === undefined
          ? "is true, but volumes of the type are files on hosts"
          : undefined,
    },
    {
      field: "multiattach",
      says: "An encrypted volume is for one server at a time, as in Cinder.",
      reads: ["multiattach", "encryption"],
      remedy: "Leave multiattach or encryption out.",
      violated: ({ multiattach, encryption }) =>
        multiattach && encryption !== undefined
          ? "is true, but volumes of the type are encrypted"
          : undefined,
    },
    {
      field: "qos",
      says: "A total limit excludes those for reading and writing.",
      reads: ["qos"],
      remedy: "Give the total, or the limits for reading and writing.",
      violated: ({ qos = {} }) => {
        for (const [total, ...directed] of limitGroups) {
          const other = directed.find((key) => qos[key] !== undefined);
          if (qos[total] !== undefined && other !== undefined)
            return { field: `qos.${total}`, problem: `is set beside ${other}` };
        }
        return undefined;
      },
    },
  ],
  reservations: ({ name }) => reserveName("volume-type", "cloud", name),
  reconcile: [],
  remove: [],
});
