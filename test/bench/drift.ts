import type { Cloud } from "../../providers/core/cloud.ts";
import { StackyardError } from "../../providers/core/errors.ts";
import { FakeCompute } from "../fakes/compute.ts";
import { addressOfHost, hostInputs, nameOfHost, TestCloud } from "../support/cloud.ts";
import { measure } from "./measurement.ts";
import type { Measurement } from "./measurement.ts";

const serverCount = 1_000;
const hostCount = 4;
const scanRuns = 5;

/** Times the scan of a cloud whose hosts are fakes: what is left is the cloud's own work. */
export async function benchDrift(servers = serverCount): Promise<readonly Measurement[]> {
  await using test = await TestCloud.openOver(new FakeCompute());
  const { id: project } = await test.make("project", "bench", {
    quota: { instances: -1, cores: -1, ramMib: -1, ports: -1 },
  });
  for (let n = 1; n <= hostCount; n++) {
    test.compute.addMachine(addressOfHost(n), { vcpus: 64, ramMib: 262_144, diskGib: 4_000 });
    await test.make("host", nameOfHost(n), { ...hostInputs(n), availabilityZone: nameOfHost(n) });
  }
  const flavor = await test.make("flavor", "tiny", { vcpus: 1, ramMib: 64, diskGib: 1 });
  const image = await test.make("image", "cirros", { project, disk: { location: "/images/cirros.qcow2" } });
  const network = await test.make("network", "net", { project });
  const subnet = await test.make("subnet", "subnet", { project, network: network.id, cidr: "10.1.0.0/16" });
  for (let n = 0; n < servers; n++) {
    await test.make("server", `s${n}`, {
      project,
      flavor: flavor.id,
      image: image.id,
      networks: [{ subnet: subnet.id }],
      availabilityZone: nameOfHost((n % hostCount) + 1),
    });
  }
  const name = `drift scan of ${servers.toLocaleString("en")} servers on ${hostCount} hosts that are fakes`;
  const note = "Every resource of the cloud; the fakes answer at once, so that this is the cloud's own work.";
  return [await measureScan(test.cloud, name, note)];
}

/**
 * Times {@link Cloud.drift} over the whole cloud.
 * @throws StackyardError `internal` when something has drifted or did not answer: that would be another measurement.
 */
export function measureScan(cloud: Cloud, name: string, note: string): Promise<Measurement> {
  const scan = async (): Promise<void> => {
    const { findings, failures } = await cloud.drift();
    if (findings.length + failures.length > 0)
      throw new StackyardError("internal", { message: "the cloud that is scanned is not as declared" });
  };
  return measure(name, "ms", scanRuns, scan, { note });
}
