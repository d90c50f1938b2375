import { isAbsolute } from "node:path";
import { z } from "zod";
import { escapeLine } from "../providers/core/escape.ts";
import { parseRange } from "./addresses.ts";
import { parseInput, readYamlFile, rule } from "./checked-input.ts";
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

/** What each network may say: its range, and the bridge of this machine that it is. */
const networkKeys = { cidr: cidrSchema.optional(), bridge: bridgeSchema.optional() };

/** Memory of a host by default. */
const ramMib = { usual: 2048, ceph: 3072 } as const;

const hostSchema = z
  .strictObject({
    name: nameSchema("host"),
    roles: z
      .array(z.enum(hostRoles, { error: "is not a known role" }))
      .min(1, { error: "is empty" })
      .default(["compute"]),
    vcpus: z.int().min(1).max(64).default(2),
    ramMib: z
      .int()
      .min(768, { error: "is less than the 768 MiB that a host with libvirt needs" })
      .max(1_048_576)
      .optional(),
    diskGib: z.int().min(4).max(4096).default(20),
    disks: z
      .array(z.strictObject({ sizeGib: z.int().min(1).max(4096) }))
      .max(8, { error: "has more than 8 disks" })
      .default([]),
  })
  .transform((host) => ({
    ...host,
    ramMib: host.ramMib ?? (host.roles.includes("ceph") ? ramMib.ceph : ramMib.usual),
  }));

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
    .array(hostSchema, { error: `is neither a count from 1 to ${String(maxHosts)} nor a list of hosts` })
    .min(1, { error: "is empty" })
    .max(maxHosts, { error: `has more than ${String(maxHosts)} hosts` }),
);

const topologySchema = z
  .strictObject({
    name: nameSchema("lab").default("lab"),
    driver: z.enum(drivers, { error: "is not a known driver" }).default("namespace"),
    distribution: z.enum(distributions, { error: "is not a known distribution" }).default("debian-12"),
    packages: z.enum(["roles", "none"], { error: "is neither roles nor none" }).default("roles"),
    mirror: mirrorSchema.optional(),
    virtualization: z
      .enum(["auto", "kvm", "tcg"], { error: "is not a known mode of virtualisation" })
      .default("auto"),
    hosts: hostsSchema.prefault(3),
    networks: z
      .strictObject({
        management: z.strictObject(networkKeys).prefault({}),
        data: z
          .strictObject({ ...networkKeys, mtuBytes: z.int().min(1350).max(9216).default(1600) })
          .prefault({}),
        storage: z
          .strictObject({ ...networkKeys, mtuBytes: z.int().min(1350).max(9216).default(1500) })
          .optional(),
      })
      .prefault({}),
    ceph: z
      .strictObject({
        /** Of namespaces, by default in memory; virtual machines have theirs on their disks. */
        objectStore: z.enum(["memstore", "bluestore"]).optional(),
        osds: z.union([z.literal(1), z.literal(3)], { error: "is neither 1 nor 3" }).optional(),
      })
      .optional(),
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
      .optional(),
  })
  .check((context) => {
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
 * Judges a lab's name wherever one is given, so that none ever leads out of the folder of labs.
 * @throws StackyardError `invalid-input`.
 */
export function parseLabName(name: string): string {
  return parseTopology({ name }).name;
}

/**
 * The topology in a YAML (or JSON) file.
 * @param given fields that win over those of the file.
 * @throws StackyardError `not-found` when it cannot be read, `invalid-input` when it is no YAML or no topology.
 */
export function loadTopology(file: string, given: Readonly<Record<string, unknown>> = {}): Topology {
  const fields = readYamlFile(file, "topology", "topology") ?? {};
  const { success, data } = z.record(z.string(), z.unknown()).safeParse(fields);
  return parseTopology(success ? { ...data, ...given } : fields);
}
