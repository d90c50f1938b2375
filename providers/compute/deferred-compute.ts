import type { HostPool } from "../hosts/pool.ts";
import type { DryRun } from "../core/dry-run.ts";
import type { Compute } from "./compute.ts";

/** {@link Compute} whose code comes with the first call. */
export interface DeferredCompute extends Omit<Compute, "dryRun"> {
  readonly dryRun: () => Promise<DryRun>;
}

/**
 * The ports over `pool`, with what carries them out loaded at the first call: templates and XML take as long to load as all else together, and a
 * plan that looks at no host needs neither.
 */
export function deferCompute({ pool }: { readonly pool: HostPool }): DeferredCompute {
  let opened: Promise<Compute> | undefined;
  const open = (): Promise<Compute> =>
    (opened ??= import("./compute.ts").then(({ openCompute }) => openCompute({ pool })));
  return {
    hosts: {
      enrol: async (...given) => (await open()).hosts.enrol(...given),
      observe: async (...given) => (await open()).hosts.observe(...given),
      release: async (...given) => (await open()).hosts.release(...given),
    },
    images: {
      inspectDisk: async (...given) => (await open()).images.inspectDisk(...given),
      inspectFile: async (...given) => (await open()).images.inspectFile(...given),
      ensureCached: async (...given) => (await open()).images.ensureCached(...given),
      observeCached: async (...given) => (await open()).images.observeCached(...given),
      removeCached: async (...given) => (await open()).images.removeCached(...given),
    },
    switching: {
      ensureNetwork: async (...given) => (await open()).switching.ensureNetwork(...given),
      releaseNetwork: async (...given) => (await open()).switching.releaseNetwork(...given),
      observeNetwork: async (...given) => (await open()).switching.observeNetwork(...given),
    },
    domains: {
      spawn: async (...given) => (await open()).domains.spawn(...given),
      start: async (...given) => (await open()).domains.start(...given),
      stop: async (...given) => (await open()).domains.stop(...given),
      reboot: async (...given) => (await open()).domains.reboot(...given),
      remove: async (...given) => (await open()).domains.remove(...given),
      observe: async (...given) => (await open()).domains.observe(...given),
      readConsole: async (...given) => (await open()).domains.readConsole(...given),
      waitReady: async (...given) => (await open()).domains.waitReady(...given),
      lookAtForeign: async (...given) => (await open()).domains.lookAtForeign(...given),
      takeOver: async (...given) => (await open()).domains.takeOver(...given),
      attachVolume: async (...given) => (await open()).domains.attachVolume(...given),
      detachVolume: async (...given) => (await open()).domains.detachVolume(...given),
      resizeVolume: async (...given) => (await open()).domains.resizeVolume(...given),
      giveBack: async (...given) => (await open()).domains.giveBack(...given),
      copyFiles: async (...given) => (await open()).domains.copyFiles(...given),
      migrate: async (...given) => (await open()).domains.migrate(...given),
      abortMigration: async (...given) => (await open()).domains.abortMigration(...given),
    },
    ceph: {
      ensureTools: async (...given) => (await open()).ceph.ensureTools(...given),
      inspect: async (...given) => (await open()).ceph.inspect(...given),
      ensurePool: async (...given) => (await open()).ceph.ensurePool(...given),
      observePool: async (...given) => (await open()).ceph.observePool(...given),
      removePool: async (...given) => (await open()).ceph.removePool(...given),
      ensureUsers: async (...given) => (await open()).ceph.ensureUsers(...given),
      removeUsers: async (...given) => (await open()).ceph.removeUsers(...given),
      ensureClient: async (...given) => (await open()).ceph.ensureClient(...given),
      observeClient: async (...given) => (await open()).ceph.observeClient(...given),
      removeClient: async (...given) => (await open()).ceph.removeClient(...given),
      fence: async (...given) => (await open()).ceph.fence(...given),
    },
    volumes: {
      ensureVolume: async (...given) => (await open()).volumes.ensureVolume(...given),
      observeVolume: async (...given) => (await open()).volumes.observeVolume(...given),
      removeVolume: async (...given) => (await open()).volumes.removeVolume(...given),
      removeHalfMade: async (...given) => (await open()).volumes.removeHalfMade(...given),
      ensureSnapshot: async (...given) => (await open()).volumes.ensureSnapshot(...given),
      removeSnapshot: async (...given) => (await open()).volumes.removeSnapshot(...given),
      listChildren: async (...given) => (await open()).volumes.listChildren(...given),
      flattenVolume: async (...given) => (await open()).volumes.flattenVolume(...given),
      growVolume: async (...given) => (await open()).volumes.growVolume(...given),
      attachEncryptor: async (...given) => (await open()).volumes.attachEncryptor(...given),
      detachEncryptor: async (...given) => (await open()).volumes.detachEncryptor(...given),
      listVolumes: async (...given) => (await open()).volumes.listVolumes(...given),
      importImage: async (...given) => (await open()).volumes.importImage(...given),
      findImage: async (...given) => (await open()).volumes.findImage(...given),
      removeImage: async (...given) => (await open()).volumes.removeImage(...given),
    },
    leftovers: {
      list: async (...given) => (await open()).leftovers.list(...given),
      listPool: async (...given) => (await open()).leftovers.listPool(...given),
      remove: async (...given) => (await open()).leftovers.remove(...given),
    },
    scan: { ask: async (...given) => (await open()).scan.ask(...given) },
    dryRun: async () => (await open()).dryRun(),
  };
}
