import type { Adoption, AdoptionChange, AdoptionRequest, ForeignDomain } from "../core/adoption.ts";
import { StackyardError } from "../core/errors.ts";
import type { ResourceId } from "../core/ids.ts";
import { textOf, type JsonObject } from "../core/json.ts";
import type { ResourceRecord } from "../core/record.ts";
import { fillMacs, listAdoptionChanges, planAdoption, refuseSmallDisk } from "../servers/adoption.ts";
import { findBootImage } from "../servers/boot-source.ts";
import { toComputeHost } from "../servers/host.ts";
import { serverInputs, serverOutputs } from "../servers/server-fields.ts";
import { listInterfaces, refuseGroup, toDomainSpec } from "../servers/server-view.ts";
import { viewStore } from "../store/world.ts";
import { requireRoom } from "./claim.ts";
import { requestOfServer } from "./request.ts";
import type { ConductorServices } from "./run.ts";

/** A domain that may become a server. */
export interface AdoptionLook {
  readonly id: ResourceId;
  readonly host: ResourceRecord;
  /** Absent for an adoption that was begun: the domain may be gone already. */
  readonly found: ForeignDomain | undefined;
  readonly adoption: Adoption;
  /** The record of an adoption that was begun and has not ended well. */
  readonly begun: ResourceRecord | undefined;
  /** The inputs that were asked for, with id, and with what they leave open as the domain has it. */
  readonly inputs: JsonObject;
  /** What is known of the server before its flow begins. */
  readonly outputs: JsonObject;
}

/**
 * Looks at a domain of a host. Raises `not-found`, `wrong-state` for a host whose enrolment is not done, `conflict` for a domain that is a server
 * already, and what {@link planAdoption} does.
 */
export async function lookForAdoption(
  { mirror, cloudId, ports }: ConductorServices,
  hostRecord: ResourceRecord,
  { domain, inputs }: Pick<AdoptionRequest, "domain" | "inputs">,
  signal: AbortSignal,
): Promise<AdoptionLook> {
  const host = toComputeHost(hostRecord, cloudId);
  if (host === undefined)
    throw new StackyardError("wrong-state", {
      message: `host ${hostRecord.name} is not enrolled yet`,
      field: "host",
      value: hostRecord.name,
      remedy: `Enrol it first: stackyard host set ${hostRecord.name}`,
    });
  const toLook = (
    id: ResourceId,
    adoption: Adoption,
    { found, begun }: Partial<Pick<AdoptionLook, "found" | "begun">>,
  ): AdoptionLook => ({
    id,
    host: hostRecord,
    found,
    adoption,
    begun,
    inputs: { ...(found === undefined ? inputs : fillMacs(inputs, found)), id },
    outputs: { status: "BUILD", hostId: host.id, host: host.name, adoptedFrom: { ...adoption } },
  });
  const begun = findBegun(mirror.all("server"), host.id, domain);
  if (begun !== undefined) return toLook(begun.record.id, begun.adoption, { begun: begun.record });
  const found = await ports.domains.lookAtForeign(host, domain, signal);
  if (found === undefined)
    throw new StackyardError("not-found", {
      message: `there is no domain ${JSON.stringify(domain)} on host ${host.name}`,
      field: "domain",
      value: domain,
      remedy: "See what there is, on the host: virsh list --all",
    });
  const known = mirror.find(found.id);
  if (known !== undefined)
    throw new StackyardError("conflict", {
      message: `domain ${JSON.stringify(domain)} is ${known.type} ${JSON.stringify(known.name)} already (${known.id})`,
      field: "domain",
      value: domain,
      remedy: "It is under management: there is nothing to adopt.",
    });
  return toLook(found.id, planAdoption(found, host), { found });
}

/** An adoption of the domain that has not ended well: nobody need look at what may be taken already. */
function findBegun(
  servers: readonly ResourceRecord[],
  hostId: string,
  domain: string,
): { readonly record: ResourceRecord; readonly adoption: Adoption } | undefined {
  for (const record of servers) {
    const adoption = serverOutputs.shape.adoptedFrom.safeParse(record.outputs["adoptedFrom"]).data;
    const isIt = adoption?.hostId === hostId && (record.id === domain || adoption.domain === domain);
    if (isIt && record.applied === undefined) return { record, adoption };
  }
  return undefined;
}

/** What changes. Raises what keeps the domain from being this server: its disk, the host's zone, the group, the host's room. */
export async function judgeAdoption(
  { database, mirror, cloudId, schedulerOptions }: ConductorServices,
  { id, host, found, adoption }: AdoptionLook,
  planned: ResourceRecord,
): Promise<readonly AdoptionChange[]> {
  const world = viewStore(mirror);
  const inputs = serverInputs.parse(planned.inputs);
  if (inputs.bootVolume !== undefined)
    throw new StackyardError("invalid-input", {
      message: "a domain that is adopted keeps its own disk",
      field: "bootVolume",
      value: inputs.bootVolume,
      remedy: "Name the image that its disk was made of.",
    });
  const place = { hostId: host.id, host: host.name };
  const spec = toDomainSpec(planned, inputs, place, world, cloudId);
  refuseSmallDisk(adoption, spec);
  const zone = textOf(host.inputs, "availabilityZone") ?? "";
  if (inputs.availabilityZone !== undefined && inputs.availabilityZone !== zone)
    throw new StackyardError("invalid-input", {
      message: `host ${host.name} is in the availability zone ${zone}`,
      field: "availabilityZone",
      value: inputs.availabilityZone,
      remedy: "Leave the zone out, or name the host's.",
    });
  refuseGroup(id, inputs, place, world);
  await requireRoom(database, host.id, id, requestOfServer(planned, world), schedulerOptions);
  const bootsKernel = findBootImage(inputs, world)?.inputs["kernel"] !== undefined;
  const networks = listInterfaces(inputs, id, world).map(
    ({ network }) => mirror.find(network)?.name ?? network,
  );
  return found === undefined ? [] : listAdoptionChanges(found, adoption, spec, { networks, bootsKernel });
}
