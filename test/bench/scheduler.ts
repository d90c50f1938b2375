import type { Aggregate, HostState } from "../../providers/scheduler/host-state.ts";
import { hostStateFrom } from "../../providers/scheduler/host-state.ts";
import { readSchedulerOptions } from "../../providers/scheduler/options.ts";
import { requestSpecFrom } from "../../providers/scheduler/request.ts";
import { schedule } from "../../providers/scheduler/schedule.ts";
import type { Measurement } from "./measurement.ts";
import { measure } from "./measurement.ts";

/** Goal at 10,000 hosts, in milliseconds; Nova's own code takes 848 for its filters and weighers alone. */
const goalMs = 5;

/**
 * One request over 100, 1,000 and 10,000 hosts with Nova's default filters and all weighers: candidates, filter, weigh and pick, with
 * the host states built before. All hosts pass and differ in what they have free; they are in four aggregates.
 */
export async function benchScheduler(): Promise<readonly Measurement[]> {
  const options = readSchedulerOptions({});
  const request = requestSpecFrom({
    projectId: "bench",
    instanceIds: ["server"],
    flavor: { name: "m1.small", vcpus: 1, ramMib: 2048, rootGib: 20 },
    image: { id: "image", properties: { hw_architecture: "x86_64", hw_vm_mode: "hvm" } },
  });
  const measurements: Measurement[] = [];
  for (const count of [100, 1_000, 10_000]) {
    const hosts = benchHosts(count);
    const name = `schedule one server over ${count.toLocaleString("en")} hosts`;
    const goal = count === 10_000 ? goalMs : undefined;
    const run = () => schedule(hosts, request, options);
    measurements.push(
      await measure(name, "ms", 51, run, { warmups: 20, ...(goal === undefined ? {} : { goal }) }),
    );
  }
  return measurements;
}

function benchHosts(count: number): readonly HostState[] {
  const options = readSchedulerOptions({});
  const aggregates: readonly Aggregate[] = ["a", "b", "c", "d"].map((name) => ({
    name,
    metadata: { rack: name },
  }));
  return Array.from({ length: count }, (_none, index) => {
    const servers = Array.from({ length: index % 7 }, (_server, place) => ({
      id: `server-${index}-${place}`,
    }));
    return hostStateFrom(
      {
        hostId: `host-${index}`,
        name: `host-${index}`,
        inventory: {
          vcpus: 64,
          ramMib: 262_144,
          diskGib: 4_000,
          architecture: "x86_64",
          virtType: "kvm",
          hypervisorVersion: 7_002_000,
        },
        usage: {
          vcpus: (index * 7919) % 200,
          ramMib: ((index * 104_729) % 250) * 1024,
          diskGib: (index * 1_299_709) % 3_900,
        },
        servers,
        building: index % 3,
        aggregates,
      },
      options,
    );
  });
}
