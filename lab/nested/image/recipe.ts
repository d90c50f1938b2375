import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { labAsset } from "../../folders.ts";
import { diskModules, init } from "./initrd.ts";
import { hostRoles } from "../../topology.ts";
import type { distributions, HostRole } from "../../topology.ts";

/** What an image is for: a host's roles, and to be a client of Ceph, as compute hosts of a lab that has one are. */
export const imageRoles = [...hostRoles, "ceph-client"] as const;

export type ImageRole = (typeof imageRoles)[number];

/** What a host's image is made of. Equal recipes give one image. */
export interface ImageRecipe {
  readonly distribution: (typeof distributions)[number];
  /** Each adds its packages; none is the bare distribution with SSH, as a user installs it. */
  readonly roles: readonly ImageRole[];
  /** Base URL with `debian/` and `debian-security/` below it; the distribution's own by default. */
  readonly mirror?: string | undefined;
}

/**
 * The recipe of a host of a topology, or of a lab's plan: that of its roles, or the bare distribution. No enrolment makes
 * a gateway of a host, so that its image always has what that takes.
 */
export function recipeOf(
  lab: {
    readonly distribution: ImageRecipe["distribution"];
    readonly packages: "roles" | "none";
    readonly mirror?: string | undefined;
    readonly hosts: readonly { readonly roles: readonly HostRole[] }[];
  },
  roles: readonly HostRole[],
): ImageRecipe {
  const { distribution, packages, mirror, hosts } = lab;
  const isClient = roles.includes("compute") && hosts.some((host) => host.roles.includes("ceph"));
  const all: readonly ImageRole[] = isClient ? [...roles, "ceph-client"] : roles;
  const built = packages === "none" ? roles.filter((role) => role === "gateway") : all;
  return { distribution, roles: built, mirror };
}

/** The image of roles that are named, with what their hosts have in the lab: compute hosts are clients of its Ceph. */
export function recipeOfRoles(
  lab: Omit<Parameters<typeof recipeOf>[0], "packages">,
  named: readonly ImageRole[],
): ImageRecipe {
  const ofHost = named.filter((role) => role !== "ceph-client");
  const recipe = recipeOf({ ...lab, packages: "roles" }, ofHost);
  return { ...recipe, roles: [...new Set([...recipe.roles, ...named])] };
}

/** Raised when images of one recipe come out otherwise: cached ones are then built anew. */
const recipeVersion = 1;

const defaultMirror = "http://deb.debian.org";
const suites: Readonly<Record<ImageRecipe["distribution"], string>> = {
  "debian-12": "bookworm",
  "debian-13": "trixie",
};

/** What every host has: a kernel that has KVM, Open vSwitch and RBD as modules, systemd, SSH. */
const basePackages = [
  ...["systemd", "systemd-sysv", "udev", "dbus", "libpam-systemd", "linux-image-cloud-amd64"],
  ...["openssh-server", "iproute2", "iputils-ping", "kmod", "netbase", "procps", "less"],
  ...["ca-certificates", "e2fsprogs"],
];

const rolePackages: Readonly<Record<ImageRole, readonly string[]>> = {
  compute: [
    ...["libvirt-daemon-system", "libvirt-clients", "qemu-system-x86", "qemu-utils", "openvswitch-switch"],
    ...["dnsmasq-base", "genisoimage", "curl", "ethtool"],
  ],
  ceph: ["ceph-mon", "ceph-mgr", "ceph-osd", "ceph-common", "chrony"],
  "ceph-client": ["ceph-common", "python3-rbd", "qemu-block-extra"],
  gateway: ["nftables"],
};

/** The packages that are named; what they depend on comes along, what they recommend does not. */
export function listPackages({ roles }: ImageRecipe): readonly string[] {
  return [...new Set([...basePackages, ...roles.flatMap((role) => rolePackages[role])])].sort();
}

/** Suite of a recipe, as the mirror names it. */
export function suiteOf({ distribution }: ImageRecipe): string {
  return suites[distribution];
}

/** Sources in the format of sources.list(5). The host keeps them, for what is installed on it later. */
export function describeSources(recipe: ImageRecipe): string {
  // Of a mirror in files, apt takes copies: what it would take in place lies outside of the tree that it installs into.
  const mirror = (recipe.mirror ?? defaultMirror).replace(/\/+$/, "").replace(/^file:/, "copy:");
  const suite = suiteOf(recipe);
  return [
    `deb ${mirror}/debian ${suite} main`,
    `deb ${mirror}/debian ${suite}-updates main`,
    `deb ${mirror}/debian-security ${suite}-security main`,
    "",
  ].join("\n");
}

/** Names the sources of a recipe, which images of the same distribution and mirror share. */
export function hashSources(recipe: ImageRecipe): string {
  return createHash("sha256").update(describeSources(recipe)).digest("hex").slice(0, 16);
}

/** A file that is laid over the packages' own. */
export interface OverlayFile {
  /** In the image, without the leading slash. */
  readonly path: string;
  readonly content: string;
}

/** Where the overlays are kept: their files lie there as they do in the image. */
const overlayFolder = labAsset("nested", "image", "rootfs");
const roleOverlayFolders: Readonly<Partial<Record<ImageRole, string>>> = {
  gateway: labAsset("nested", "image", "roles", "gateway"),
};

/** The files of every image, then those of its roles, each in order of their paths. */
export function listOverlay({ roles }: Pick<ImageRecipe, "roles">): readonly OverlayFile[] {
  const ofRoles = [...new Set(roles)].sort().map((role) => roleOverlayFolders[role]);
  return [overlayFolder, ...ofRoles].flatMap((folder) => (folder === undefined ? [] : readOverlay(folder)));
}

function readOverlay(folder: string): readonly OverlayFile[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => ({ path: path.slice(folder.length + 1), content: readFileSync(path, "utf8") }));
}

/** Names the image of a recipe: 16 hexadecimal digits over all that goes into it. */
export function hashRecipe(recipe: ImageRecipe): string {
  const scripts = ["customize.sh", "make-disk.sh"].map((name) =>
    readFileSync(labAsset("nested", "image", name), "utf8"),
  );
  const input = [
    recipeVersion,
    ...[describeSources(recipe), listPackages(recipe), listOverlay(recipe)],
    ...[scripts, init, diskModules],
  ];
  return createHash("sha256").update(JSON.stringify(input)).digest("hex").slice(0, 16);
}
