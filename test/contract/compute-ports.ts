import { afterAll, beforeAll, describe } from "vitest";
import type {
  CachedImage,
  ComputeHost,
  DomainSpec,
  EnrolRequest,
  ImageSource,
  ImageSpec,
} from "../../providers/core/ports.ts";
import type { VolumeRef } from "../../providers/core/volume-backend.ts";
import type { ComputePorts } from "../../providers/wiring.ts";
import type { Meddling } from "../fakes/meddling.ts";
import type { ResourceId } from "../../providers/core/ids.ts";
import { describeAdoptionPort } from "./adoption-port.ts";
import { describeDomainsPort } from "./domains-port.ts";
import { describeDryRun } from "./dry-run.ts";
import { describeHostsPort, describeRelease } from "./hosts-port.ts";
import { describeImagesPort } from "./images-port.ts";
import { describeLeftoversPort } from "./leftovers-port.ts";
import { describeMigrationPort } from "./migration-port.ts";
import { describeScanPort } from "./scan-port.ts";
import { describeSwitchingPort } from "./switching-port.ts";

/** What can be done on both stages: the rest takes a guest that plays along. */
export type StagedMeddling = Exclude<
  Meddling,
  "take a processor" | "take memory" | "detach an interface" | "hold its volumes"
>;

/** A domain that somebody else defines. */
export interface HandmadeDomain {
  readonly id: ResourceId;
  readonly name: string;
  readonly mac: string;
  readonly diskPath: string;
  readonly format: "qcow2" | "raw";
}

/** Size of its disk, bytes. */
export const handmadeBytes = 64 * 1024 ** 2;

/** Two machines that are in no cloud, images that they can fetch, and compute to drive them. */
export interface ComputeStage {
  readonly compute: Omit<ComputePorts, "close">;
  readonly requests: readonly [EnrolRequest, EnrolRequest];
  readonly hosts: readonly [ComputeHost, ComputeHost];
  /** A host that does not answer. */
  readonly gone: ComputeHost;
  /** A kernel, with or without initial RAM disk, that boots a guest with an SSH server. */
  readonly image: ImageSpec;
  /** A blank qcow2 disk of 2 GiB. */
  readonly disk: ImageSource;
  /** The n-th server with the n-th port, on an image that is cached. */
  readonly domainOf: (n: number, image: CachedImage) => DomainSpec;
  /** Defines a domain on the first host as somebody else would: shut off, one disk of 64 MiB, into which something is written. */
  defineByHand(domain: HandmadeDomain): Promise<void>;
  /** Digest of what the first 64 MiB of a server's disk hold, by its id, or of a file of somebody else's. */
  digestOf(place: Pick<HandmadeDomain, "diskPath" | "format"> | { readonly id: ResourceId }): Promise<string>;
  /** Whether the process of a server on the first host has such a volume open. */
  hasOpen(id: ResourceId, volume: VolumeRef): Promise<boolean>;
  /** Bytes that the guest of a server on the first host sees of a disk, after it was told. */
  capacityOf(id: ResourceId, device: string): Promise<number>;
  /** Does something on the first host behind the cloud's back. */
  meddle(id: string, how: StagedMeddling): Promise<void>;
  /** Tells one boot of the n-th server, which answers by SSH on a host, from another. Default: on the first. */
  bootOf(n: number, host?: ComputeHost): Promise<string>;
  /** Host name that the guest of such a server has. */
  hostnameOf(n: number): Promise<string>;
  /** All of servers and networks that is on the hosts, as text. */
  survey(): Promise<string>;
  close(): Promise<void>;
}

/** What every implementation of the ports to the hosts does. Its tests follow each other: each part begins where the one before it ended. */
export function describeComputePorts(name: string, open: () => Promise<ComputeStage>): void {
  describe(name, () => {
    let stage: ComputeStage;
    const onStage = (): ComputeStage => stage;

    beforeAll(async () => {
      stage = await open();
    });

    afterAll(async () => {
      await stage.close();
    });

    describeHostsPort(onStage);
    describeImagesPort(onStage);
    describeSwitchingPort(onStage);
    describeDomainsPort(onStage);
    describeMigrationPort(onStage);
    describeAdoptionPort(onStage);
    describeScanPort(onStage);
    describeDryRun(onStage);
    describeLeftoversPort(onStage);
    describeRelease(onStage);
  });
}
