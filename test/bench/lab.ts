import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { bringUp, describeLab, tearDown } from "../../lab/lab.ts";
import { parseTopology } from "../../lab/topology.ts";
import { summarise, timeMs } from "./measurement.ts";
import type { Measurement } from "./measurement.ts";

/** Goal of a warm `up`, in seconds. */
const upGoal = 3;
const hostCount = 4;
const runs = 5;

/** Times `lab up` with four hosts, and measures the memory of one that has just come up. */
export async function benchLab(name: string, signal: AbortSignal): Promise<readonly Measurement[]> {
  const topology = parseTopology({ name, hosts: hostCount });
  const seconds: number[] = [];
  const memory: number[] = [];
  for (let run = -1; run < runs; run++) {
    const ms = await timeMs(() => bringUp(topology, { signal }));
    const { hosts } = await describeLab(name);
    if (run >= 0) {
      seconds.push(ms / 1000);
      memory.push(...hosts.map(({ pid }) => measureHost(pid ?? NaN)));
    }
    await tearDown(name, { signal });
  }
  return [
    {
      name: `lab up, ${hostCount} hosts`,
      unit: "s",
      ...summarise(seconds),
      goal: upGoal,
      note: "Programs are in the machine's page cache from a first run that is not counted.",
    },
    {
      name: "memory of a lab host without guests",
      unit: "MiB",
      ...summarise(memory),
      note: "Sum over its processes; pages that several share are divided among them (PSS).",
    },
  ];
}

/** Memory of all processes in the pid namespace of a process, in MiB. */
function measureHost(pid: number): number {
  const namespace = readlinkSync(`/proc/${pid}/ns/pid`);
  const kib = readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => {
      try {
        if (readlinkSync(`/proc/${entry}/ns/pid`) !== namespace) return 0;
        return Number(
          /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${entry}/smaps_rollup`, "utf8"))?.[1] ?? 0,
        );
      } catch {
        return 0; // It has ended meanwhile.
      }
    });
  return kib.reduce((sum, each) => sum + each, 0) / 1024;
}
