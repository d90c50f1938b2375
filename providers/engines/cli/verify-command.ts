import type { Command } from "commander";
import type { DriftFinding, DriftReport, Leftover, LeftoverReport } from "../../core/cloud.ts";
import { describeRepair } from "../../core/drift.ts";
import { encodeError } from "../../core/errors.ts";
import { addJsonOption, describeCommand, wantsJson } from "./command-help.ts";
import type { CommandContext } from "./context.ts";
import { driftExitCode, exitCodes } from "./exit-codes.ts";
import { countThings } from "./text.ts";
import { absent } from "./view.ts";

/** Types whose resources are where data lies, or lead there. */
const storageTypes = ["ceph-cluster", "storage-pool", "image", "volume", "snapshot", "volume-attachment"];

/** What of a server concerns its disks. */
const diskFields = [
  "disk",
  "diskBytes",
  "disks",
  "volumes",
  "secrets",
  "domain",
  "definition.disks",
  "definition.volumes",
];

/** Kinds of leftovers that hold data, or a key to it. */
const storageKinds: readonly Leftover["kind"][] = [
  "volume",
  "rbd-image",
  "ceph-client",
  "volume-secret",
  "image",
];

/** Something that the store, the places of data and the domains do not agree on. */
interface Disagreement {
  readonly where: string;
  readonly type: string;
  readonly name: string;
  readonly problem: string;
  readonly remedy: string;
}

/** Adds `volume verify`: compares store, places of volumes and domains, from both sides. */
export function registerVerifyCommand(volumes: Command, context: CommandContext): void {
  const command = volumes
    .command("verify")
    .option("--deep", "read the files of images on hosts whole, and compare their checksums")
    .action(async (options: { readonly deep?: true }) => {
      await context.withCloud(async (cloud) => {
        const [drift, leftovers] = await context.withProgress("verify", (onProgress, onWaiting) => {
          onProgress("asking hosts and clusters");
          const { signal } = context;
          return Promise.all([
            cloud.drift({ deep: options.deep === true, signal, onWaiting }),
            cloud.listLeftovers({ signal, onWaiting }),
          ]);
        });
        write(drift, leftovers, command, context);
      });
    });
  addJsonOption(command);
  describeCommand(
    command,
    "compare what the store says of disks, volumes, snapshots and images with hosts, Ceph and domains, from both sides; ends with 2 when they do not agree",
    ["volume verify", "volume verify --deep --json"],
  );
}

function write(
  drift: DriftReport,
  leftovers: LeftoverReport,
  command: Command,
  context: CommandContext,
): void {
  const found = [
    ...drift.findings.filter(concernsStorage).map(describeFinding),
    ...drift.interrupted
      .filter(({ resource }) => storageTypes.includes(resource.type) || resource.type === "server")
      .map(({ resource, was }) => ({
        where: absent,
        type: resource.type,
        name: resource.name,
        problem: `${was} was broken off`,
        remedy: "apply it again, or remove it",
      })),
    ...leftovers.leftovers.filter(({ kind }) => storageKinds.includes(kind)).map(describeLeftover),
  ];
  const failures = [...drift.failures, ...leftovers.failures];
  context.exitCode = failures.length > 0 ? exitCodes.error.code : found.length > 0 ? driftExitCode : 0;
  if (wantsJson(command)) {
    context.writeJson({
      checked: drift.checked,
      disagreements: found.map((entry) => ({ ...entry })),
      errors: failures.map(({ host, error }) => ({ host: host ?? null, error: encodeError(error) })),
    });
    return;
  }
  if (found.length > 0)
    context.writeTable(
      ["WHERE", "TYPE", "NAME", "PROBLEM", "REMEDY"].map((title) => ({ title })),
      found.map(({ where, type, name, problem, remedy }) => [where, type, name, problem, remedy]),
    );
  else if (failures.length === 0)
    context.writeText(`store, hosts and clusters agree; ${countThings(drift.checked, "resource")} looked at`);
  if (drift.inWork > 0)
    context.note(`${countThings(drift.inWork, "resource")} left out: tasks are at work on them`);
  for (const { host, error } of failures)
    context.noteError(`${host === undefined ? "something" : `host ${host}`} could not be looked at:`, error);
}

function concernsStorage({ resource, field }: DriftFinding): boolean {
  return storageTypes.includes(resource.type) || (resource.type === "server" && diskFields.includes(field));
}

function describeFinding(finding: DriftFinding): Disagreement {
  const { resource, host, field, expected, found } = finding;
  return {
    where: host ?? absent,
    type: resource.type,
    name: resource.name,
    problem: `${field} is ${found}, not ${expected}`,
    remedy: describeRepair(finding),
  };
}

function describeLeftover({ host, kind, id, description }: Leftover): Disagreement {
  return {
    where: host,
    type: kind,
    name: id,
    problem: `no record owns it: ${description}`,
    remedy: "stackyard gc --yes",
  };
}
