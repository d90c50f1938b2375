import { formatTable } from "../providers/engines/cli/table.ts";
import { describeSize } from "../providers/core/bytes.ts";
import { withoutPrefix } from "./addresses.ts";
import type { LabFinding } from "./check.ts";
import type { CableState, HostDescription, NetworkDescription, SnapshotDescription } from "./driver.ts";
import type { LabDescription } from "./lab.ts";
import { listNames } from "./state.ts";

const hostColumns = ["HOST", "STATE", "ADDRESS", "TUNNEL", "LINKS", "PID"];

/** The links that are not up, or that all are. */
function formatLinks({ links }: HostDescription): string {
  const others = Object.entries(links).filter(([, state]) => state !== "up");
  return others.length === 0 ? "up" : others.map(([network, state]) => `${network} ${state}`).join(", ");
}

/** The host that the others' way out leads over; empty in a lab whose hosts have each their own. */
function formatGateway({ hosts }: LabDescription): string {
  const gateway = hosts.find(({ roles }) => roles.includes("gateway"));
  if (gateway === undefined) return "";
  return `way out by ${gateway.name} alone, ${withoutPrefix(gateway.tunnelAddress)}\n`;
}

/** A lab as `up`, `status` and others show it: its networks, and a row a host. */
export function formatLab(lab: LabDescription): string {
  const { management, data, storage } = lab.networks;
  const where = ({ bridge }: NetworkDescription): string => (bridge === null ? "" : ` on ${bridge}`);
  // Who has the first address behind a bridge that was there before the lab is not for us to say.
  const gatewayIs =
    lab.driver === "nested" && management.bridge !== null ? "the gateway is" : "this machine is";
  const rows = lab.hosts.map((host) => [
    host.name,
    host.state,
    host.port === 22 ? host.address : `${host.address}:${String(host.port)}`,
    host.tunnelAddress,
    formatLinks(host),
    host.pid === null ? "-" : String(host.pid),
  ]);
  return [
    `lab ${lab.name} (${lab.driver}): ${lab.state}\n`,
    `management ${management.cidr}${where(management)}, ${gatewayIs} ${management.gateway}\n`,
    `data ${data.cidr}${where(data)}, MTU ${String(data.mtuBytes)} bytes\n`,
    storage === undefined
      ? ""
      : `storage ${storage.cidr}${where(storage)}, MTU ${String(storage.mtuBytes)} bytes\n`,
    formatGateway(lab),
    `inventory ${lab.inventoryFile}\n\n`,
    formatTable(
      hostColumns.map((title) => ({ title })),
      rows,
    ),
  ].join("");
}

/** What a check has found, a line each, and the remedy of what is missing below it. */
export function formatFindings(findings: readonly LabFinding[]): string {
  return findings
    .map(({ name, state, found, remedy }) => {
      const line = `${state.padEnd(8)} ${name}: ${found}\n`;
      return remedy === null ? line : `${line}         remedy: ${remedy}\n`;
    })
    .join("");
}

/** A row a snapshot, with the hosts that were on and the size of their memory. */
export function formatSnapshots(snapshots: readonly SnapshotDescription[]): string {
  const rows = snapshots.map(({ name, takenAt, hosts }) => [
    name,
    takenAt,
    hosts
      .map((host) => `${host.name} ${host.memoryBytes === null ? "off" : describeSize(host.memoryBytes)}`)
      .join(", "),
  ]);
  return formatTable(
    ["SNAPSHOT", "TAKEN", "HOSTS"].map((title) => ({ title })),
    rows,
  );
}

/** What is the matter with a cable, or that nothing is. */
export function formatCable({ cut, delayMs, lossPercent }: CableState): string {
  const faults = [
    ...(cut ? ["cut"] : []),
    ...(delayMs === 0 ? [] : [`${String(delayMs)} ms more for each frame`]),
    ...(lossPercent === 0 ? [] : [`${String(lossPercent)} of 100 frames are lost`]),
  ];
  return faults.length === 0 ? "good" : faults.join(", ");
}

/** That there is no such lab to take down, and which there are: the name may be another's than was meant. */
export function describeAbsence(name: string): string {
  const names = listNames();
  const others = names.length === 0 ? "" : `; labs here: ${names.join(", ")}`;
  return `there is no lab ${name}: nothing to do${others}\n`;
}
