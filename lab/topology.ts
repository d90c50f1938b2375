import { isAbsolute } from "node:path";
import { z } from "zod";
import { StackyardError } from "../providers/core/errors.ts";
import { escapeLine } from "../providers/core/escape.ts";
import { parseRange } from "./addresses.ts";
import { parseInput, rule } from "./checked-input.ts";
import { findContradictions } from "./topology-rules.ts";

/** Most hosts a lab may have: as namespaces each costs about 30 MiB and half a second of a core. */
export const maxHosts = 64;

/** How hosts are made: of namespaces of this machine, or as virtual machines with KVM inside. */
export const drivers = ["namespace", "nested"] as const;

export type DriverName = (typeof drivers)[number];

/** What a host is for: to run servers, a small Ceph, or to be the lab's only way out. */
export const hostRoles = ["compute", "ceph", "gateway"] as const;

export type HostRole = (typeof hostRoles)[number];

/** Distributions that nested hosts can be of. Namespace hosts are of the machine's own. */
export const distributions = ["debian-12", "debian-13"] as const;

const dnsLabel = /^[a-z]([a-z0-9-]*[a-z0-9])?$/;
const maxNameChars = 32;

/** Names as DNS labels, of labs, hosts and what else names them. */
export function nameSchema(kind: string) {
  return z
    .string()
    .check(
      rule<string>(
        (name) => dnsLabel.test(name) && name.length <= maxNameChars,
        `is not a ${kind} name`,
        `Use at most ${String(maxNameChars)} of a-z, 0-9 and "-", beginning with a letter and not ending with "-".`,
      ),
    );
}

const cidrSchema = z
  .string()
  .check(
    rule<string>(
      (cidr) => parseRange(cidr)?.cidr === cidr,
      "is not the CIDR of an IPv4 network",
      'Write the network address with its prefix, for example "10.77.0.0/24".',
    ),
  )
  .check(
    rule<string>(
      (cidr) => (parseRange(cidr)?.prefix ?? 24) >= 16 && (parseRange(cidr)?.prefix ?? 24) <= 28,
      "is not of a size that a lab can use",
      "Use a prefix from /16 to /28.",
    ),
  );

/** Longest name of a network interface of Linux. */
const maxInterfaceChars = 15;

export const bridgeSchema = z
  .string()
  .check(
    rule<string>(
      (name) => /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) && name.length <= maxInterfaceChars,
      "is not the name of a bridge",
      `Name a Linux bridge of this machine, at most ${String(maxInterfaceChars)} characters: ip link show type bridge lists them.`,
    ),
  );

/** A mirror as one word of sources.list(5), which every host of the image can read. */
const mirrorSchema = z
  .url({ protocol: /^(https?|file)$/, error: "is not the URL of a package mirror" })
  .check(
    rule<string>(
      (url) => /^[\x21-\x7e]+$/.test(url) && !/["?#]/.test(url),
      "is not a URL that a list of package sources can name",
      'Write it without blanks, quotes, "?" and "#": http://mirror.example.org, or file:///srv/mirror.',
    ),
    rule<string>(
      (url) => URL.parse(url)?.username === "" && URL.parse(url)?.password === "",
      "has a user name or a password, which would lie in the image of every host",
      "Name a mirror that is open to the lab's hosts.",
    ),
  );

/** Memory of a host by default. */
const ramMib = { usual: 2048, ceph: 3072 } as const;

/** Of a host. */
const hostFields = {
  name: nameSchema("host").describe("What it is called, a DNS label."),
  roles: z
    .array(z.enum(hostRoles, { error: "is not a known role" }))
    .min(1, { error: "is empty" })
    .default(["compute"])
    .describe(
      "`compute` runs servers; `ceph` is a host of the lab's Ceph; `gateway`, of virtual machines, is the only way out of the lab. A host of namespaces has one.",
    ),
  vcpus: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe(
      "Processors. Of virtual machines: 2, or 1 where they are emulated. With more than one, emulated hosts and servers panic at times.",
    ),
  ramMib: z
    .int()
    .min(768, { error: "is less than the 768 MiB that a host with libvirt needs" })
    .max(1_048_576)
    .optional()
    .describe(
      `Memory in MiB; ${String(ramMib.usual)} if left out, ${String(ramMib.ceph)} with the role \`ceph\`. Of virtual machines.`,
    ),
  diskGib: z
    .int()
    .min(4)
    .max(4096)
    .default(20)
    .describe("Size of the root disk in GiB, which takes what is written to it. Of virtual machines."),
  disks: z
    .array(z.strictObject({ sizeGib: z.int().min(1).max(4096) }).describe("`sizeGib`, 1 to 4096"))
    .max(8, { error: "has more than 8 disks" })
    .default([])
    .describe(
      "Empty disks beside it, at most 8, in the host `/dev/disk/by-id/virtio-data1` and so on. Of virtual machines.",
    ),
};

/** Of each network. */
const networkFields = {
  cidr: cidrSchema
    .optional()
    .describe(
      "Range of its addresses, of /16 to /28; hosts have those from the 11th on. Chosen if left out.",
    ),
  bridge: bridgeSchema
    .optional()
    .describe(
      "Linux bridge of this machine that the hosts are ports of; `cidr` is then that bridge's. Of virtual machines.",
    ),
};

/** `mtuBytes` of the networks between hosts, which has another default for each. */
const mtuSchema = z.int().min(1350).max(9216).describe("Largest packet in bytes, of `data` and `storage`.");

const cephFields = {
  objectStore: z
    .enum(["memstore", "bluestore"])
    .optional()
    .describe(
      "Of namespaces: in memory (`memstore`) if left out. Virtual machines have theirs on their disks.",
    ),
  osds: z
    .union([z.literal(1), z.literal(3)], { error: "is neither 1 nor 3" })
    .optional()
    .describe(
      "OSDs of a host of namespaces, 1 if left out. Virtual machines with the role `ceph` have one each.",
    ),
};

/** `3` stands for h1 to h3, and `name` for `{ name }`. Anything else is left for the schema to judge. */
function expandHosts(input: unknown): unknown {
  if (typeof input === "number" && Number.isInteger(input) && input >= 1 && input <= maxHosts) {
    return Array.from({ length: input }, (_, index) => ({ name: `h${String(index + 1)}` }));
  }
  return Array.isArray(input)
    ? input.map((item: unknown) => (typeof item === "string" ? { name: item } : item))
    : input;
}

const hostsSchema = z.preprocess(
  expandHosts,
  z
    .array(
      z.strictObject(hostFields).transform((host) => ({
        ...host,
        ramMib: host.ramMib ?? (host.roles.includes("ceph") ? ramMib.ceph : ramMib.usual),
      })),
      { error: `is neither a count from 1 to ${String(maxHosts)} nor a list of hosts` },
    )
    .min(1, { error: "is empty" })
    .max(maxHosts, { error: `has more than ${String(maxHosts)} hosts` }),
);

const labFields = {
  name: nameSchema("lab").default("lab").describe("What it is called; `--name` wins."),
  driver: z
    .enum(drivers, { error: "is not a known driver" })
    .default("namespace")
    .describe("How hosts are made: of namespaces of this machine, or as virtual machines; `--driver` wins."),
  distribution: z
    .enum(distributions, { error: "is not a known distribution" })
    .default("debian-12")
    .describe("Of virtual machines. Hosts of namespaces are of the machine's own."),
  packages: z
    .enum(["roles", "none"], { error: "is neither roles nor none" })
    .default("roles")
    .describe(
      "`none`: hosts have Debian as it is installed, and enrolment installs what is missing. Of virtual machines.",
    ),
  mirror: mirrorSchema
    .optional()
    .describe(
      "Package mirror of the images, `http:`, `https:` or `file:`; the distribution's own if left out. Of virtual machines.",
    ),
  virtualization: z
    .enum(["auto", "kvm", "tcg"], { error: "is not a known mode of virtualisation" })
    .default("auto")
    .describe(
      "`kvm` insists on nested KVM, `tcg` emulates, `auto` takes KVM where a machine started on it runs. Of virtual machines.",
    ),
  hosts: hostsSchema
    .prefault(3)
    .describe(
      `List of hosts, names alone or with fields; or their count, 1 to ${String(maxHosts)}: \`3\` is h1 to h3.`,
    ),
  networks: z
    .strictObject({
      management: z.strictObject(networkFields).prefault({}),
      data: z.strictObject({ ...networkFields, mtuBytes: mtuSchema.default(1600) }).prefault({}),
      storage: z.strictObject({ ...networkFields, mtuBytes: mtuSchema.default(1500) }).optional(),
    })
    .prefault({})
    .describe(
      "`management`, by which this machine logs in; `data`, of tunnels; `storage`, of Ceph, if it is named, of virtual machines.",
    ),
  ceph: z
    .strictObject(cephFields)
    .optional()
    .describe("Settings of the lab's Ceph, which a host with the role `ceph` makes."),
  diskFolder: z
    .string()
    .check(
      rule<string>((path) => isAbsolute(path), "is not an absolute path", "Begin the path with /."),
      rule<string>(
        (path) => escapeLine(path) === path,
        "has characters that steer a terminal",
        "Name a folder by characters that are printed.",
      ),
    )
    .optional()
    .describe("Where hosts' disks are, in a folder of the lab's name; the lab's own folder if left out."),
};

/** The fields of a topology, by where they stand. */
export const topologyFields = {
  lab: labFields,
  hosts: hostFields,
  networks: { ...networkFields, mtuBytes: mtuSchema },
  ceph: cephFields,
} as const;

const topologySchema = z.strictObject(labFields).check((context) => {
  for (const { path, message, remedy } of findContradictions(context.value))
    context.issues.push({ code: "custom", input: context.value, path, message, params: { remedy } });
});

const knownKeys = [
  "name, driver, distribution, packages, mirror, virtualization",
  "hosts (each: name, roles, vcpus, ramMib, diskGib, disks (each: sizeGib))",
  "ceph.objectStore, ceph.osds",
  "networks.management (cidr, bridge), networks.data (cidr, bridge, mtuBytes), networks.storage (cidr, bridge, mtuBytes)",
  "diskFolder",
].join(", ");

/** What a lab is made of, complete with defaults: three compute hosts h1 to h3 on address ranges chosen when it comes up. */
export type Topology = z.infer<typeof topologySchema>;

/**
 * The topology that `input` describes; `{}` gives the default lab.
 * @throws StackyardError `invalid-input` that names the first field at fault, its value and the way out.
 */
export function parseTopology(input: unknown): Topology {
  return parseInput(topologySchema, input, { what: "topology", knownKeys, secretKey: "mirror" });
}

/**
 * Judges a lab's name wherever one is given by itself, so that none ever leads out of the folder of labs.
 * @throws StackyardError `invalid-input`.
 */
export function parseLabName(name: string): string {
  try {
    return parseTopology({ name }).name;
  } catch (error) {
    if (!(error instanceof StackyardError)) throw error;
    throw new StackyardError("invalid-input", {
      message: "this is not the name of a lab",
      field: "name",
      value: name,
      remedy: error.remedy,
    });
  }
}
