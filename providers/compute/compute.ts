import type { CephPort } from "../core/ceph.ts";
import type { DryRun } from "../core/dry-run.ts";
import type {
  DomainsPort,
  HostsPort,
  ImagesPort,
  LeftoversPort,
  ScanPort,
  SwitchingPort,
} from "../core/ports.ts";
import type { VolumesPort } from "../core/volume-backend.ts";
import type { HostPool } from "../hosts/pool.ts";
import { openAdoption } from "./adoption.ts";
import { openCeph } from "./ceph.ts";
import { openDomains } from "./domains.ts";
import { openDryRun } from "./dry-run.ts";
import { openHosts } from "./enrolment.ts";
import { openImages } from "./image-cache.ts";
import { openLeftovers } from "./leftovers.ts";
import { openScan } from "./scan.ts";
import { openSwitching } from "./switching.ts";
import { openVolumes } from "./volumes/volumes.ts";

/** What must be true on hosts, carried out over their connections. */
export interface Compute {
  readonly hosts: HostsPort;
  readonly images: ImagesPort;
  readonly switching: SwitchingPort;
  readonly domains: DomainsPort;
  readonly ceph: CephPort;
  readonly volumes: VolumesPort;
  readonly leftovers: LeftoversPort;
  readonly scan: ScanPort;
  /** Begins a dry run over the same hosts. */
  readonly dryRun: () => DryRun;
}

/** Opens nothing yet: connections of `pool` come by need. */
export function openCompute({ pool }: { readonly pool: HostPool }): Compute {
  const images = openImages(pool);
  const domains = { ...openDomains(pool), ...openAdoption(pool) };
  const ceph = openCeph(pool);
  const volumes = openVolumes(pool);
  return {
    hosts: openHosts(pool),
    images,
    switching: openSwitching(pool),
    domains,
    ceph,
    volumes,
    leftovers: openLeftovers(pool, { domains, images, ceph, volumes }),
    scan: openScan(pool),
    dryRun: () => openDryRun(pool, (noting) => openCompute({ pool: noting })),
  };
}
