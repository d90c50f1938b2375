import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { imageFolder, serverFolder } from "../../providers/compute/layout.ts";
import { nameDomain } from "../../providers/compute/marks.ts";
import type { ApplyRequest } from "../../providers/core/cloud.ts";
import { StackyardError } from "../../providers/core/errors.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import type { ComputeHost } from "../../providers/core/ports.ts";
import { script, sh } from "../../providers/hosts/command.ts";
import type { Shell } from "../../providers/hosts/command.ts";
import type { BenchCloud } from "./cloud.ts";
import { compare, summarise, timeMs } from "./measurement.ts";
import type { Measurement } from "./measurement.ts";

/** Goal of a server's creation, as a ratio to the bare commands. */
const createGoal = 1.2;
/** Goal of what the control plane adds, in milliseconds. */
const addedGoalMs = 50;

/** Pairs of one server, and of ten. */
const singleRuns = 15;
const tenfoldRuns = 5;
/** Uses of a connection that do nothing, in each run: they tell what SSH costs. */
const roundTripsPerRun = 3;

/** A server that is built again and again, by us and by hand: the same domain XML, the same disk, the same place. */
export interface Subject {
  readonly request: ApplyRequest;
  readonly id: string;
  readonly host: ComputeHost;
  readonly xml: string;
  readonly disk: DiskCommands;
}

/** A root disk by hand, in the server's folder. */
export interface DiskCommands {
  readonly make: Shell;
  readonly remove: Shell;
}

/** Times servers from the call of the facade until they run, against the bare commands over the same connections. */
export async function benchServers(bench: BenchCloud, shared: Shared): Promise<readonly Measurement[]> {
  const [first] = bench.hosts;
  if (first === undefined) throw new StackyardError("internal", { message: "the lab has no host" });
  const single = await prepare(bench, "one", shared, first);
  const measurements = [...(await benchOne(bench, single, singleRuns))];
  const names = Array.from({ length: 10 }, (_none, index) => `ten${index}`);
  const subjects = await Promise.all(names.map((name) => prepare(bench, name, shared)));
  measurements.push(await benchTen(bench, subjects));
  return measurements;
}

/** What all servers share. */
export interface Shared {
  readonly inputs: JsonObject;
  readonly imageId: string;
}

/** What servers need, and one that is off on each host: it keeps the network there. */
export async function makeSurroundings({ hosts, make }: BenchCloud, folder: string): Promise<Shared> {
  const disk = join(folder, "empty.raw");
  await writeFile(disk, Buffer.alloc(2 ** 20));
  // Nova's default quota of ten servers would be used up.
  const { id: project } = await make("project", "bench", {
    quota: { instances: -1, cores: -1, ramMib: -1 },
  });
  const network = await make("network", "net", { project });
  const [flavor, image, subnet] = await Promise.all([
    make("flavor", "tiny", { vcpus: 1, ramMib: 64, diskGib: 1 }),
    make("image", "empty", { project, disk: { location: disk, format: "raw" } }),
    make("subnet", "subnet", { project, network: network.id, cidr: "10.99.0.0/24" }),
  ]);
  const inputs = { project, flavor: flavor.id, image: image.id, networks: [{ subnet: subnet.id }] };
  for (const { name } of hosts) {
    await make("server", `off-${name}`, { ...inputs, running: false, availabilityZone: name });
  }
  return { inputs, imageId: image.id };
}

/** An overlay on the image's file, as the cloud makes it. */
export function overlay(
  host: ComputeHost,
  imageId: string,
  format: "raw" | "qcow2" = "raw",
  sizeGib = 1,
): DiskCommands {
  const base = `${imageFolder(host.folder, imageId)}/disk`;
  const make = sh`qemu-img create -q -f qcow2 -b ${base} -F ${format} disk ${`${String(sizeGib)}G`}`;
  return { make, remove: sh`:` };
}

/** Builds a server once, and takes down where it came to be and what libvirt was told. `diskOf`: its root disk by hand. */
export async function prepare(
  bench: BenchCloud,
  name: string,
  { inputs: given, imageId }: Shared,
  on?: ComputeHost,
  diskOf: (host: ComputeHost, id: string) => DiskCommands = (host) => overlay(host, imageId),
): Promise<Subject> {
  const { cloud, hosts } = bench;
  const request = { type: "server", maker: `bench/server/${name}`, defaultName: name };
  const inputs = on === undefined ? given : { ...given, availabilityZone: on.name };
  const plan = await cloud.plan({ ...request, inputs });
  const { id, outputs } = await cloud.apply({ ...request, inputs: plan.inputs });
  const host = hosts.find((candidate) => candidate.name === outputs["host"]);
  if (host === undefined) throw new StackyardError("internal", { message: `server ${name} has no host` });
  const connection = await bench.connect(host);
  const { stdout } = await connection.run(virsh("dumpxml", "--inactive", nameDomain(id)));
  // The drive's files, for the bare commands to make the same image of.
  const drive = sh`mkdir -p ${driveFolder(id)}
printf '{"uuid":"%s"}' ${id} > ${`${driveFolder(id)}/meta_data.json`}
echo '{}' | tee ${`${driveFolder(id)}/network_data.json`} > ${`${driveFolder(id)}/vendor_data.json`}`;
  await connection.run(script(drive));
  await cloud.remove("server", id);
  return {
    request: { ...request, inputs: plan.inputs },
    id,
    host,
    xml: stdout,
    disk: diskOf(host, id),
  };
}

function driveFolder(id: string): string {
  return `/tmp/bench-${id}/openstack/latest`;
}

/** `virsh` as a person has it. */
export function virsh(...words: readonly string[]): Shell {
  return sh`virsh -q -c qemu:///system ${words} < /dev/null`;
}

/** One server, and what of its time is ours. `runs`: pairs. */
export async function benchOne(
  bench: BenchCloud,
  subject: Subject,
  runs: number,
): Promise<readonly Measurement[]> {
  const own: number[] = [];
  const bare: number[] = [];
  const added: number[] = [];
  const counts: number[] = [];
  const connection = await bench.connect(subject.host);
  for (let run = -1; run < runs; run++) {
    const roundTrips: number[] = [];
    for (let trip = 0; trip < roundTripsPerRun; trip++) {
      roundTrips.push(await timeMs(() => connection.run(sh`:`)));
    }
    const from = bench.commands.length;
    const startedAtMs = performance.now();
    const ownMs = await timeMs(() => bench.cloud.apply(subject.request));
    const commands = bench.commands.slice(from);
    await bench.cloud.remove("server", subject.id);
    const bareMs = await timeMs(() => buildBare(bench, subject));
    await removeBare(bench, subject);
    if (run < 0) continue;
    const roundTripMs = summarise(roundTrips).median;
    const start = commands.findIndex(({ attempting }) => attempting.startsWith("build server"));
    const onHost = commands
      .slice(0, start)
      .map(({ startedAtMs: from, endedAtMs }) => endedAtMs - from - roundTripMs);
    const untilStartMs = (commands[start]?.startedAtMs ?? NaN) - startedAtMs;
    added.push(untilStartMs - onHost.reduce((sum, each) => sum + Math.max(0, each), 0));
    counts.push(commands.length);
    own.push(ownMs);
    bare.push(bareMs);
  }
  return [
    {
      name: "one server, from the call until it runs",
      unit: "ms",
      ...compare({ own, baseline: bare }, { name: "bare commands, one SSH session", goal: createGoal }),
      note: `Over ${summarise(counts).median} commands on a warm connection; image and network are there. The bare commands are qemu-img create, genisoimage, virsh define and virsh start with the same domain XML over the same connection.`,
    },
    {
      name: "of that, what the control plane adds",
      unit: "ms",
      ...summarise(added),
      goal: addedGoalMs,
      note: "From the call of the facade until the command with `virsh start` is sent, less what earlier commands took on the host; their SSH round trips (the time of an empty command in the same run) count as ours. OpenStack Zed on a machine of this kind, otherwise idle, takes 1,250 ms from request to active with its fake driver and one port, and 2,426 ms with libvirt.",
    },
  ];
}

async function benchTen(bench: BenchCloud, subjects: readonly Subject[]): Promise<Measurement> {
  const own: number[] = [];
  const bare: number[] = [];
  for (let run = -1; run < tenfoldRuns; run++) {
    const ownMs = await timeMs(() => Promise.all(subjects.map(({ request }) => bench.cloud.apply(request))));
    await Promise.all(subjects.map(({ id }) => bench.cloud.remove("server", id)));
    const bareMs = await timeMs(() => Promise.all(subjects.map((subject) => buildBare(bench, subject))));
    await Promise.all(subjects.map((subject) => removeBare(bench, subject)));
    if (run < 0) continue;
    own.push(ownMs);
    bare.push(bareMs);
  }
  return {
    name: `ten servers on ${bench.hosts.length} hosts, until all run`,
    unit: "ms",
    ...compare({ own, baseline: bare }, { name: "bare commands, all in parallel" }),
  };
}

/** What a person would type for the server, in one session. */
export async function buildBare(bench: BenchCloud, { id, host, xml, disk }: Subject): Promise<void> {
  const connection = await bench.connect(host);
  const folder = serverFolder(host.folder, id);
  await connection.run(
    script(
      sh`mkdir -p ${folder}
cd ${folder}
cat > domain.xml`,
      disk.make,
      sh`genisoimage -quiet -input-charset utf-8 -V config-2 -J -r -o config-drive.iso ${`/tmp/bench-${id}`}`,
      virsh("define", "domain.xml"),
      virsh("start", nameDomain(id)),
    ),
    { stdin: xml, attempting: "build by hand" },
  );
}

/** Takes back what {@link buildBare} made. */
export async function removeBare(bench: BenchCloud, { id, host, disk }: Subject): Promise<void> {
  const connection = await bench.connect(host);
  await connection.run(
    script(
      virsh("destroy", nameDomain(id)),
      virsh("undefine", nameDomain(id)),
      sh`rm -rf ${serverFolder(host.folder, id)}`,
      disk.remove,
    ),
  );
}
