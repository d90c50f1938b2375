import { renderDomain } from "../../providers/compute/domain-xml.ts";
import { StackyardError } from "../../providers/core/errors.ts";
import type { DryRun, NotedCommand, NotedDomain } from "../../providers/core/dry-run.ts";
import type { ComputeHost, HostPorts } from "../../providers/core/ports.ts";
import type { ComputeMethod } from "./fault.ts";
import { toCachedImage } from "./image.ts";

/** Looks like the ports themselves; a call that would change something is noted by its method. */
export function openFakeDryRun({
  hosts,
  images,
  switching,
  domains: servers,
  ceph,
  volumes,
}: HostPorts): DryRun {
  const commands: NotedCommand[] = [];
  const domains: NotedDomain[] = [];
  const note = ({ name }: Pick<ComputeHost, "name">, method: ComputeMethod): Promise<void> => {
    commands.push({ host: name, purpose: method, command: method, inputBytes: 0 });
    return Promise.resolve();
  };
  const unread = (): Promise<never> =>
    Promise.reject(new StackyardError("wrong-state", { message: "the image is read when it is applied" }));
  return {
    commands,
    domains,
    ports: {
      hosts: {
        observe: (request, signal) => hosts.observe(request, signal),
        enrol: async (request, _progress, signal) => {
          const { inventory } = await hosts.observe(request, signal);
          await note(request.address, "hosts.enrol");
          if (inventory === undefined)
            throw new StackyardError("wrong-state", { message: "packages are installed when it is applied" });
          return inventory;
        },
        release: () => Promise.reject(new Error("a dry run releases no host")),
      },
      images: {
        inspectDisk: unread,
        inspectFile: unread,
        observeCached: (host, image, signal) => images.observeCached(host, image, signal),
        ensureCached: async (host, image, _progress, signal) => {
          const drift = await images.observeCached(host, image, signal);
          if (drift.length > 0) await note(host, "images.ensureCached");
          return toCachedImage(host, image);
        },
        removeCached: (host) => note(host, "images.removeCached"),
      },
      switching: {
        observeNetwork: (...asked) => switching.observeNetwork(...asked),
        ensureNetwork: async (host, network, peers, ports, signal) => {
          const drift = await switching.observeNetwork(host, network, peers, ports, signal);
          if (drift.length > 0) await note(host, "switching.ensureNetwork");
        },
        releaseNetwork: (host) => note(host, "switching.releaseNetwork"),
      },
      domains: {
        observe: (host, spec, signal) => servers.observe(host, spec, signal),
        readConsole: (...asked) => servers.readConsole(...asked),
        spawn: (host, spec) => {
          domains.push({ host: host.name, id: spec.id, xml: renderDomain(host, spec) });
          return note(host, "domains.spawn");
        },
        start: (host) => note(host, "domains.start"),
        stop: (host) => note(host, "domains.stop"),
        reboot: (host) => note(host, "domains.reboot"),
        remove: (host) => note(host, "domains.remove"),
        waitReady: (host) => note(host, "domains.waitReady"),
        lookAtForeign: (...asked) => servers.lookAtForeign(...asked),
        takeOver: (host) => note(host, "domains.takeOver"),
        giveBack: (host) => note(host, "domains.giveBack"),
        attachVolume: (host) => note(host, "domains.attachVolume"),
        detachVolume: (host) => note(host, "domains.detachVolume"),
        resizeVolume: (host) => note(host, "domains.resizeVolume"),
        copyFiles: (_source, target) => note(target, "domains.copyFiles"),
        migrate: (source) => note(source, "domains.migrate"),
        abortMigration: (host) => note(host, "domains.abortMigration"),
      },
      ceph: {
        ensureTools: () => Promise.resolve(),
        inspect: (...asked) => ceph.inspect(...asked),
        observePool: (...asked) => ceph.observePool(...asked),
        observeClient: (...asked) => ceph.observeClient(...asked),
        ensurePool: async (via, cluster, pool, signal) => {
          const found = await ceph.observePool(via, cluster, pool, signal);
          if (found === undefined || found.drift.length > 0) await note(via, "ceph.ensurePool");
        },
        removePool: (via) => note(via, "ceph.removePool"),
        ensureUsers: (via) => note(via, "ceph.ensureUsers"),
        removeUsers: (via) => note(via, "ceph.removeUsers"),
        ensureClient: async (_via, host, cluster, signal) => {
          const drift = await ceph.observeClient(host, cluster, signal);
          if (drift.length > 0) await note(host, "ceph.ensureClient");
        },
        removeClient: (host) => note(host, "ceph.removeClient"),
        fence: (via) => note(via, "ceph.fence").then(() => []),
      },
      volumes: {
        observeVolume: (...asked) => volumes.observeVolume(...asked),
        listChildren: (...asked) => volumes.listChildren(...asked),
        listVolumes: (...asked) => volumes.listVolumes(...asked),
        findImage: (...asked) => volumes.findImage(...asked),
        ensureVolume: (host) => note(host, "volumes.ensureVolume"),
        removeVolume: (host) => note(host, "volumes.removeVolume"),
        removeHalfMade: (host) => note(host, "volumes.removeHalfMade"),
        ensureSnapshot: (host) => note(host, "volumes.ensureSnapshot"),
        removeSnapshot: (host) => note(host, "volumes.removeSnapshot"),
        flattenVolume: (host) => note(host, "volumes.flattenVolume"),
        growVolume: (host) => note(host, "volumes.growVolume"),
        attachEncryptor: (host, { encryption }) =>
          encryption === undefined ? Promise.resolve() : note(host, "volumes.attachEncryptor"),
        detachEncryptor: (host) => note(host, "volumes.detachEncryptor"),
        importImage: async (host, { pool }, { name }) => {
          await note(host, "volumes.importImage");
          return { pool, image: name, snapshot: "snap" };
        },
        removeImage: (host) => note(host, "volumes.removeImage"),
      },
    },
  };
}
