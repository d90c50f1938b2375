import { z } from "zod";
import { isJsonObject, textOf } from "../core/json.ts";
import type { ResourceRecord } from "../core/record.ts";
import { hostStateFrom, type HostReport, type HostState } from "../scheduler/host-state.ts";
import type { SchedulerOptions } from "../scheduler/options.ts";
import type { Database } from "../store/database.ts";
import type { RecordMirror } from "../store/mirror.ts";

const hostRecord = z.object({
  inputs: z.object({ availabilityZone: z.string(), enabled: z.boolean(), tunnelAddress: z.string() }),
  outputs: z.object({
    activeVirtType: z.enum(["kvm", "qemu"]),
    architecture: z.string(),
    vcpus: z.int(),
    ramMib: z.int(),
    diskGib: z.int(),
    hypervisorVersion: z.int(),
  }),
});

/** The scheduler's picture of all hosts, with the generation that a claim must name. */
export interface HostStates {
  readonly hosts: readonly HostState[];
  readonly generations: ReadonlyMap<string, number>;
}

/** Reads generations first: whatever changes after that makes a claim fail. */
export async function readHostStates(
  database: Database,
  mirror: RecordMirror,
  options: SchedulerOptions,
): Promise<HostStates> {
  const providers = await database.selectFrom("providers").selectAll().execute();
  const allocations = await database
    .selectFrom("allocations")
    .select(({ fn }) => ["host_id", "resource_class", fn.sum<number>("used").as("used")])
    .groupBy(["host_id", "resource_class"])
    .execute();
  await mirror.refresh();
  const used = new Map(allocations.map((row) => [`${row.host_id} ${row.resource_class}`, row.used]));
  const usedOf = (hostId: string, resourceClass: string): number =>
    used.get(`${hostId} ${resourceClass}`) ?? 0;
  const serversOf = Map.groupBy(mirror.all("server"), (server) => textOf(server.outputs, "hostId"));
  const hosts = providers.flatMap(
    ({ host_id: hostId, failed_builds: failedBuilds }): readonly HostState[] => {
      const record = mirror.find(hostId);
      const parsed = hostRecord.safeParse(record);
      if (record === undefined || !parsed.success) return [];
      const { inputs, outputs } = parsed.data;
      const servers = serversOf.get(hostId) ?? [];
      return [
        hostStateFrom(
          {
            hostId,
            name: record.name,
            inventory: { ...outputs, virtType: outputs.activeVirtType },
            usage: {
              vcpus: usedOf(hostId, "VCPU"),
              ramMib: usedOf(hostId, "MEMORY_MB"),
              diskGib: usedOf(hostId, "DISK_GB"),
            },
            servers: servers.map((server) => toHostedServer(server, mirror)),
            building: servers.filter((server) => server.status === "building").length,
            failedBuilds,
            availabilityZone: inputs.availabilityZone,
            enabled: inputs.enabled,
            hostIp: inputs.tunnelAddress.split("/")[0] ?? inputs.tunnelAddress,
          },
          options,
        ),
      ];
    },
  );
  // Ties keep the input's order: by name, so that equal clouds place equally.
  return {
    hosts: hosts.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    generations: new Map(providers.map((row) => [row.host_id, row.generation])),
  };
}

function toHostedServer(
  { id, inputs }: ResourceRecord,
  mirror: RecordMirror,
): NonNullable<HostReport["servers"]>[number] {
  const { flavor, image } = inputs;
  const properties = typeof image === "string" ? mirror.find(image)?.inputs["properties"] : undefined;
  return {
    id,
    ...(typeof flavor === "string" ? { flavorId: flavor } : {}),
    ...(isJsonObject(properties) ? { imageProperties: properties } : {}),
  };
}
