import { StackyardError } from "../providers/core/errors.ts";
import { labNetworks } from "./driver.ts";
import { diskFolderOf, labFolder } from "./folders.ts";
import { findMissingPrograms } from "./installed-programs.ts";
import { namespacePrograms, requireRoot } from "./namespace/requirements.ts";
import { chooseAcceleration } from "./nested/acceleration.ts";
import { requireBridges } from "./nested/bridges.ts";
import { nestedPrograms, requirePlatform } from "./nested/driver.ts";
import { imagePrograms } from "./nested/image/build.ts";
import { findImage } from "./nested/image/image.ts";
import { recipeOf } from "./nested/image/recipe.ts";
import { placesInUse } from "./nested/machine.ts";
import { requireDisk, requireMemory } from "./nested/resources.ts";
import { requireRuntimeFolder } from "./nested/run-folder.ts";
import { findState } from "./state.ts";
import type { Topology } from "./topology.ts";

/** One thing that a lab needs of this machine. A `slow` one is there, and costs time. */
export interface LabFinding {
  readonly name: string;
  readonly state: "present" | "slow" | "missing";
  readonly found: string;
  /** What to do; null where nothing is to be done. */
  readonly remedy: string | null;
}

/** What was found when a check raised nothing. */
type Look = () => string | LabFinding | Promise<string | LabFinding>;

/** Checks all that a lab of the topology needs of this machine. Nothing is changed; on /dev/kvm a machine is tried for a moment. */
export async function checkLab(topology: Topology): Promise<readonly LabFinding[]> {
  const looks = topology.driver === "nested" ? nestedLooks(topology) : namespaceLooks(topology);
  return Promise.all(
    Object.entries(looks).map(async ([name, look]): Promise<LabFinding> => {
      try {
        const found = await look();
        return typeof found === "string" ? { name, state: "present", found, remedy: null } : found;
      } catch (error) {
        if (!(error instanceof StackyardError)) throw error;
        return { name, state: "missing", found: error.message, remedy: error.remedy };
      }
    }),
  );
}

function namespaceLooks(topology: Topology): Readonly<Record<string, Look>> {
  const withCeph = topology.hosts.some(({ roles }) => roles.includes("ceph"));
  return {
    root: () => {
      requireRoot(findState(topology.name) === undefined ? "new" : "known");
      return "this user is root on Linux";
    },
    programs: () => lookForPrograms(namespacePrograms(withCeph)),
  };
}

function nestedLooks(topology: Topology): Readonly<Record<string, Look>> {
  const state = findState(topology.name);
  const plan = state?.driver === "nested" ? state.plan : undefined;
  const folder = labFolder(topology.name);
  const [first] = topology.hosts;
  return {
    platform: () => {
      requirePlatform();
      return "x86-64 Linux";
    },
    programs: () => lookForPrograms(nestedPrograms),
    virtualization: async () => {
      const { acceleration, reason } = await chooseAcceleration(topology.virtualization);
      if (acceleration === "kvm") return reason;
      return {
        name: "virtualization",
        state: "slow",
        found: `${reason}: hosts are emulated, with an emulated SVM`,
        remedy:
          "A boot takes about half a minute and servers run some ten times slower. With nested KVM neither does: enable it on this machine, or use one that has it.",
      };
    },
    ...(labNetworks.some((network) => topology.networks[network]?.bridge !== undefined)
      ? { bridges: async () => (await requireBridges(topology)) ?? "none" }
      : {}),
    memory: () => (plan === undefined ? requireMemory(topology.hosts) : "the lab is on record"),
    disk: () => requireDisk(diskFolderOf(topology, folder, first?.name ?? ""), topology.hosts.length),
    sockets: requireRuntimeFolder,
    ports: async () => {
      if (plan === undefined && topology.networks.management.bridge !== undefined)
        return "none: hosts have addresses on a bridge";
      if (plan === undefined) return "chosen among the free ones of 127.0.0.1 when the lab comes up";
      const used = await placesInUse(plan);
      if (used.length === 0) return "free, or the lab's own";
      return {
        name: "ports",
        state: "missing",
        found: `taken by another: ${used.join(", ")}`,
        remedy:
          "End the program that listens there (`ss -ltnp` names it), or take the lab down and up again; on a bridge, find who has the address (`ip neighbour`).",
      };
    },
    images: async () => {
      const found = await Promise.all(
        topology.hosts.map(({ roles }) => findImage(recipeOf(topology, roles))),
      );
      if (!found.includes(undefined)) return [...new Set(found.map((image) => image?.hash))].join(", ");
      const missing = findMissingPrograms(imagePrograms);
      return missing.length === 0
        ? "built when the lab comes up, some minutes, once"
        : describeMissing("images", missing);
    },
  };
}

function lookForPrograms(programs: readonly string[]): string | LabFinding {
  const missing = findMissingPrograms(programs);
  return missing.length === 0 ? `all ${String(programs.length)}` : describeMissing("programs", missing);
}

function describeMissing(name: string, missing: readonly string[]): LabFinding {
  return {
    name,
    state: "missing",
    found: `without ${missing.join(", ")}`,
    remedy: "Run `stackyard doctor --for lab`: it names the packages to install.",
  };
}
