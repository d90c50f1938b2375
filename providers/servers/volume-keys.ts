import type { ComputeHost } from "../core/ports.ts";
import type { StepContext } from "../core/resource.ts";
import { listEncrypted, type VolumeRef } from "../core/volume-backend.ts";
import { listAttachedVolumes } from "../volumes/attached-volume.ts";
import { placeBootVolume } from "./boot-source.ts";
import type { ServerInputs, ServerOutputs } from "./server-fields.ts";

type Context = StepContext<ServerInputs, ServerOutputs>;

/** The encrypted volumes that the server has: the one it boots, and those beside it. */
function listEncryptedOf({ inputs, outputs, record, world, cloudId }: Context): readonly VolumeRef[] {
  return listEncrypted({
    rootVolume: placeBootVolume(inputs, outputs, world, cloudId)?.ref,
    volumes: listAttachedVolumes(record.id, world, cloudId),
  });
}

/** Gives a host the keys of the server's encrypted volumes, before its domain there opens them. */
export async function giveKeys(context: Context, host: ComputeHost): Promise<void> {
  const { ports, signal, progress } = context;
  const volumes = listEncryptedOf(context);
  if (volumes.length > 0) progress(`giving host ${host.name} the keys of encrypted volumes`);
  for (const volume of volumes) await ports.volumes.attachEncryptor(host, volume, signal);
}

/** Takes them from a host on which nothing of the server is left. */
export async function takeKeys(context: Context, host: ComputeHost): Promise<void> {
  const { ports, signal } = context;
  for (const { id } of listEncryptedOf(context)) await ports.volumes.detachEncryptor(host, id, signal);
}
