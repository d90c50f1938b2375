import type { BenchCloud } from "./cloud.ts";
import { measureScan } from "./drift.ts";
import type { Measurement } from "./measurement.ts";
import type { Shared } from "./servers.ts";

/** Servers that are made, and removed, at a time. */
const batchSize = 10;
/** Servers that run. A hundred emulated guests would take both cores of a small machine from the scan. */
const maxRunning = 10;

/**
 * Times the scan of a lab with so many servers, spread evenly over its hosts; they are removed again. Those beyond {@link maxRunning} are shut off:
 * their disks, definitions, ports and DHCP entries are there and looked at, their processes are not.
 */
export async function benchScan(
  { cloud, hosts, make }: BenchCloud,
  { inputs }: Shared,
  count: number,
): Promise<Measurement> {
  const ids: string[] = [];
  for (let from = 0; from < count; from += batchSize) {
    const numbers = Array.from({ length: Math.min(batchSize, count - from) }, (_none, index) => from + index);
    const made = await Promise.all(
      numbers.map((n) =>
        make("server", `scan${n}`, {
          ...inputs,
          running: n < maxRunning,
          availabilityZone: hosts[n % hosts.length]?.name ?? "",
        }),
      ),
    );
    ids.push(...made.map(({ id }) => id));
  }
  const { checked } = await cloud.drift();
  const running = count > maxRunning ? `${maxRunning} run, the others are shut off` : "All run";
  const scan = await measureScan(
    cloud,
    `drift scan of ${count} servers on ${hosts.length} hosts`,
    `${running}. Of ${checked} resources in all: the hosts and their networks are looked at too. One round trip a host, on warm connections.`,
  );
  for (let from = 0; from < count; from += batchSize) {
    await Promise.all(ids.slice(from, from + batchSize).map((id) => cloud.remove("server", id)));
  }
  return scan;
}
