import { StackyardError } from "../../core/errors.ts";
import type { Filter } from "../filter.ts";
import type { HostState, SupportedInstance } from "../host-state.ts";
import type { ImagePropertyValue } from "../image-metadata.ts";
import { readImageProperties } from "../image-metadata.ts";

/**
 * The host can run the image: one of its supported instances has the architecture, hypervisor type and machine mode that the
 * image states, and then the hypervisor's version is in the range that the image wants and its physical addresses have enough
 * bits (nova: scheduler/filters/image_props_filter.py).
 */
export const imageProperties: Filter = {
  name: "ImagePropertiesFilter",
  oncePerRequest: true,
  runsOnRebuild: true,
  prepare: ({ image }, options) => {
    const properties = readImageProperties(image?.properties ?? {});
    const architecture =
      properties.get("hw_architecture") ?? options.filter_scheduler.image_properties_default_architecture;
    const wanted = [architecture, properties.get("img_hv_type"), properties.get("hw_vm_mode")].filter(
      (property) => property !== undefined,
    );
    if (wanted.length === 0) return undefined;
    const versionFits = compileVersionRange(properties.get("img_hv_requested_version"));
    const bits = Number(properties.get("hw_maxphysaddr_bits") ?? 0);
    return (host) =>
      supportsAll(host.supportedInstances, wanted) &&
      (host.hypervisorVersion === null ||
        host.hypervisorVersion === 0 ||
        versionFits(host.hypervisorVersion)) &&
      physicalAddressBits(host) >= bits;
  },
};

/** Whether one of the supported instances has every property. */
function supportsAll(
  supportedInstances: HostState["supportedInstances"],
  wanted: readonly ImagePropertyValue[],
): boolean {
  for (const supported of supportedInstances) if (supportsEach(supported, wanted)) return true;
  return false;
}

function supportsEach(
  [architecture, hypervisorType, mode]: SupportedInstance,
  wanted: readonly ImagePropertyValue[],
): boolean {
  for (const property of wanted) {
    if (property !== architecture && property !== hypervisorType && property !== mode) return false;
  }
  return true;
}

/** Infinite when the host does not say. */
function physicalAddressBits(host: HostState): number {
  const address = host.cpuInfo?.["maxphysaddr"];
  const bits =
    typeof address === "object" && address !== null && "bits" in address ? address["bits"] : undefined;
  return typeof bits === "number" && bits > 0 ? bits : Infinity;
}

const predicate = /^\s*(<=|>=|<|>|!=|==)\s*(\d+(?:\.\d+)*)\s*$/;

const holds: Readonly<Record<string, (order: number) => boolean>> = {
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  "==": (order) => order === 0,
  "!=": (order) => order !== 0,
  ">=": (order) => order >= 0,
  ">": (order) => order > 0,
};

/** Compiles `>=2.8,<6.0` for versions written as 7002000. */
function compileVersionRange(range: ImagePropertyValue | undefined): (version: number) => boolean {
  if (range === undefined) return () => true;
  const bounds = String(range)
    .split(",")
    .map((part) => {
      const [, operator = "", version = ""] = predicate.exec(part) ?? [];
      const test = holds[operator];
      if (test === undefined) {
        throw new StackyardError("invalid-input", {
          message: "the range of hypervisor versions cannot be read; wanted: >=2.8,<6.0 or the like",
          field: "image.properties.img_hv_requested_version",
          value: range,
        });
      }
      return { test, numbers: version.split(".").map(Number) };
    });
  return (version) =>
    bounds.every(({ test, numbers }) => test(compareVersions(versionNumbers(version), numbers)));
}

/** 7002000 is 7, 2, 0. */
function versionNumbers(version: number): readonly number[] {
  const numbers: number[] = [];
  for (let rest = version; rest > 0; rest = Math.floor(rest / 1000)) numbers.unshift(rest % 1000);
  return numbers;
}

/** Missing numbers count 0: 6 equals 6.0.0. */
function compareVersions(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
