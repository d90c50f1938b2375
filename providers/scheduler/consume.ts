import type { HostState } from "./host-state.ts";
import { consumeNuma, fitNuma } from "./numa.ts";
import type { SchedulerOptions } from "./options.ts";
import { takePciDevices } from "./pci.ts";
import type { ResourceRequest } from "./placement.ts";
import { allocate } from "./placement.ts";
import type { InstanceRequest } from "./request.ts";

/**
 * The host with an instance of the request on it, so that the next one sees what is left. Root and ephemeral disk count, also
 * when the root is a volume, and swap does not, as in Nova; a member of a group is added to the host's servers
 * (nova: scheduler/host_manager.py consume_from_request, scheduler/manager.py _consume_selected_host).
 */
export function consume(
  host: HostState,
  request: InstanceRequest,
  resources: ResourceRequest | undefined,
  options: SchedulerOptions,
): HostState {
  const { flavor, numa, pciRequests, group, instanceId } = request;
  const numaFit = numa === null ? undefined : fitNuma(host, numa, pciRequests, options);
  const isNewMember = group !== null && !host.servers.some(({ id }) => id === instanceId);
  return {
    ...host,
    freeRamMib: host.freeRamMib - flavor.ramMib,
    freeDiskMib: host.freeDiskMib - (flavor.rootGib + flavor.ephemeralGib) * 1024,
    vcpusUsed: host.vcpusUsed + flavor.vcpus,
    numInstances: host.numInstances + 1,
    numIoOps: host.numIoOps + 1,
    servers: isNewMember
      ? [
          ...host.servers,
          { id: instanceId, flavorId: flavor.id, imageProperties: request.image?.properties ?? {} },
        ]
      : host.servers,
    pciPools: takePciDevices(host.pciPools, pciRequests) ?? host.pciPools,
    numaCells:
      numa === null || numaFit === undefined ? host.numaCells : consumeNuma(host.numaCells, numa, numaFit),
    inventories: resources === undefined ? host.inventories : allocate(host.inventories, resources),
  };
}
