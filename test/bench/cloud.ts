import { readInventory } from "../../lab/inventory.ts";
import { openCompute, type Compute } from "../../providers/compute/compute.ts";
import { readConfig } from "../../providers/config/config.ts";
import type { Cloud, ResourceView } from "../../providers/core/cloud.ts";
import { StackyardError } from "../../providers/core/errors.ts";
import { deriveId, type CloudId } from "../../providers/core/ids.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import type { ComputeHost } from "../../providers/core/ports.ts";
import type { HostConnection } from "../../providers/hosts/connection.ts";
import { openHostPool } from "../../providers/hosts/pool.ts";
import { connectSsh } from "../../providers/hosts/ssh.ts";
import { toComputeHost } from "../../providers/servers/host.ts";
import { openCloud } from "../../providers/wiring.ts";

/** A command that the cloud gave to a host, with the times of its beginning and end (`performance.now()`). */
export interface HostCommand {
  readonly host: string;
  readonly attempting: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** The cloud as engines open it, over connections that note when they were used. */
export interface BenchCloud extends AsyncDisposable {
  readonly cloud: Cloud;
  /** What the cloud itself drives its hosts by. */
  readonly compute: Compute;
  /** All commands so far, in the order in which they ended. */
  readonly commands: readonly HostCommand[];
  readonly hosts: readonly ComputeHost[];
  /** The connection that the cloud itself uses. */
  connect(host: ComputeHost): Promise<HostConnection>;
  /** Plans and applies. */
  readonly make: (type: string, name: string, inputs?: JsonObject) => Promise<ResourceView>;
}

/** Opens a cloud of its own in a folder and enrols all hosts of a lab, each in an availability zone of its name. */
export async function openBenchCloud(lab: string, folder: string): Promise<BenchCloud> {
  // Guests that are shut off need no cores: a hundred fit on the hosts of the smallest machine.
  const config = readConfig({ STACKYARD_HOME: folder, STACKYARD_CPU_ALLOCATION_RATIO: "64" });
  const commands: HostCommand[] = [];
  const ssh = { environment: config.ssh };
  const pool = openHostPool({
    ssh,
    connect: async (address) => noteCommands(await connectSsh(address, ssh), commands),
  });
  const compute = openCompute({ pool });
  let cloudId: CloudId = deriveId("bench");
  const cloud = await openCloud({
    config,
    compute: {
      ...compute,
      hosts: {
        ...compute.hosts,
        enrol: (request, ...rest) => {
          ({ cloudId } = request);
          return compute.hosts.enrol(request, ...rest);
        },
      },
      close: () => pool.closeAll(),
    },
  });
  const make = async (type: string, name: string, inputs: JsonObject = {}): Promise<ResourceView> => {
    const request = { type, maker: `bench/${type}/${name}`, defaultName: name };
    const plan = await cloud.plan({ ...request, inputs });
    return cloud.apply({ ...request, inputs: plan.inputs });
  };
  const hosts: ComputeHost[] = [];
  for (const { name, ...inputs } of readInventory(lab).hosts) {
    const { record } = await make("host", name, { ...inputs, availabilityZone: name });
    const host = toComputeHost(record, cloudId);
    if (host === undefined)
      throw new StackyardError("internal", { message: `host ${name} was not enrolled` });
    hosts.push(host);
  }
  return {
    cloud,
    compute,
    commands,
    hosts,
    make,
    connect: (host) => pool.get(host.address),
    [Symbol.asyncDispose]: () => cloud.close(),
  };
}

/** The connection with a note of each command. */
function noteCommands(connection: HostConnection, commands: HostCommand[]): HostConnection {
  return {
    ...connection,
    async run(command, options) {
      const startedAtMs = performance.now();
      try {
        return await connection.run(command, options);
      } finally {
        commands.push({
          host: connection.host.name,
          attempting: options?.attempting ?? "",
          startedAtMs,
          endedAtMs: performance.now(),
        });
      }
    },
  };
}
