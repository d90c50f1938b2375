import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig } from "../../providers/config/config.ts";
import type { ApplyRequest, Cloud, Planned, ResourceView } from "../../providers/core/cloud.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { openDatabase, type Database } from "../../providers/store/database.ts";
import { openCloud } from "../../providers/wiring.ts";
import { FakeCompute } from "../fakes/compute.ts";
import { addCephs, cephInputs } from "./ceph.ts";
import { testCost } from "./identity-store.ts";
import { writeVolumeKey } from "./volume-keys.ts";

/** What of an apply a test may choose. */
export type MakeOptions = Partial<Pick<ApplyRequest, "onProgress" | "signal">>;

/** A cloud in a folder of its own, over hosts that are fakes. */
export class TestCloud implements AsyncDisposable {
  readonly folder: string;
  readonly compute: FakeCompute;
  /** The administrator's session. */
  readonly cloud: Cloud;
  readonly #sessions: Cloud[] = [];
  #database: Database | undefined;

  private constructor(folder: string, compute: FakeCompute, cloud: Cloud) {
    this.folder = folder;
    this.compute = compute;
    this.cloud = cloud;
    this.#sessions.push(cloud);
  }

  static open(): Promise<TestCloud> {
    return TestCloud.openIn(mkdtempSync(join(tmpdir(), "stackyard-cloud-")));
  }

  /** Opens what is in a folder, which is the test cloud's to remove. */
  static async openIn(folder: string): Promise<TestCloud> {
    const compute = new FakeCompute(join(folder, "hosts.json"));
    return new TestCloud(folder, compute, await openTestSession(folder, compute));
  }

  /** A cloud of its own over the hosts of another. */
  static async openOver(compute: FakeCompute): Promise<TestCloud> {
    const folder = mkdtempSync(join(tmpdir(), "stackyard-cloud-"));
    return new TestCloud(folder, compute, await openTestSession(folder, compute));
  }

  /** One more session on the same store and hosts, as another process would have. */
  async open(environment: NodeJS.ProcessEnv = {}): Promise<Cloud> {
    const cloud = await openTestSession(this.folder, this.compute, environment);
    this.#sessions.push(cloud);
    return cloud;
  }

  /** Makes a user with a role on a project, or on the whole cloud, and logs in. */
  async logIn(name: string, role: "reader" | "member" | "admin", projectId?: string): Promise<Cloud> {
    const user = await this.make("user", name, { password: passwordOf(name) });
    const project = projectId === undefined ? {} : { project: projectId };
    await this.make("role-assignment", `${name} ${role}`, { user: user.id, role, ...project });
    return this.open({
      STACKYARD_USERNAME: name,
      STACKYARD_PASSWORD: passwordOf(name),
      ...(projectId === undefined ? {} : { STACKYARD_PROJECT: projectId }),
    });
  }

  /** Plans and applies as an engine does. The maker is the name with the type: the same name is the same resource. */
  make(
    type: string,
    name: string,
    inputs: JsonObject = {},
    options: MakeOptions & { readonly cloud?: Cloud } = {},
  ): Promise<ResourceView> {
    return make(options.cloud ?? this.cloud, type, name, inputs, options);
  }

  /** What a plan says of changing an applied resource into these inputs. */
  plan(view: ResourceView, name: string, inputs: JsonObject): Promise<Planned> {
    return planChange(this.cloud, view, name, inputs);
  }

  /** The store itself, to look into it. */
  async database(): Promise<Database> {
    this.#database ??= await openDatabase(join(this.folder, "test", "cloud.sqlite"));
    return this.#database;
  }

  /** Changes an applied resource into these inputs, as an engine does that remembers it. */
  change(view: ResourceView, name: string, inputs: JsonObject): Promise<ResourceView> {
    return change(this.cloud, view, name, inputs);
  }

  /**
   * One line for everything that the cloud holds: records, reservations, claims, inventories, and servers and networks on hosts. The journal and what
   * is kept of removed resources are not of it.
   */
  async holdings(): Promise<readonly string[]> {
    const database = await this.database();
    const records = await database.selectFrom("records").select(["id", "type", "name"]).execute();
    const reservations = await database.selectFrom("reservations").selectAll().execute();
    const allocations = await database.selectFrom("allocations").selectAll().execute();
    const inventories = await database.selectFrom("inventories").selectAll().execute();
    const onHosts = Object.entries(this.compute.survey());
    return [
      ...records.map(({ id, type, name }) => `record ${id} ${type} ${name}`),
      ...reservations.map((row) => `reservation ${row.record_id} ${row.kind} ${row.scope} ${row.value}`),
      ...allocations.map((row) => `claim ${row.consumer_id} ${row.host_id} ${row.resource_class}`),
      ...inventories.map((row) => `inventory ${row.host_id} ${row.resource_class}`),
      ...onHosts.flatMap(([host, things]) => things.map((thing) => `on ${host}: ${thing}`)),
    ].toSorted();
  }

  /** The store's bytes, its log's too. */
  storeBytes(): Buffer {
    const folder = join(this.folder, "test");
    const files = readdirSync(folder).filter((name) => /^cloud\.sqlite(-wal)?$/.test(name));
    return Buffer.concat(files.toSorted().map((name) => readFileSync(join(folder, name))));
  }

  /** Ends the sessions, and keeps the folder: another process may work on it. */
  async leave(): Promise<void> {
    for (const session of this.#sessions.splice(0)) await session.close();
    await this.#database?.destroy();
    this.#database = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The value of an input or output that is text. */
export function textOf(object: JsonObject, key: string): string {
  const value = object[key];
  if (typeof value !== "string") throw new Error(`${key} is no text: ${JSON.stringify(value)}`);
  return value;
}

/** Password of a user that {@link TestCloud.logIn} made. */
export function passwordOf(name: string): string {
  return `open sesame, ${name}`;
}

/** Opens the cloud `test` in a folder. */
export function openTestSession(
  folder: string,
  compute: FakeCompute,
  environment: NodeJS.ProcessEnv = {},
): Promise<Cloud> {
  const config = readConfig({ STACKYARD_HOME: folder, STACKYARD_CLOUD: "test", ...environment });
  return openCloud({ config, compute, scryptCost: testCost });
}

/** Plans and applies as an engine does. */
export async function make(
  cloud: Cloud,
  type: string,
  name: string,
  inputs: JsonObject = {},
  options: MakeOptions = {},
): Promise<ResourceView> {
  const request = { type, maker: makerOf(type, name), defaultName: name };
  const { inputs: planned, issues } = await cloud.plan({ ...request, inputs });
  return cloud.apply({
    ...request,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    inputs: issues.length === 0 ? planned : inputs,
  });
}

/** What a plan says of changing an applied resource into these inputs. */
export function planChange(
  cloud: Cloud,
  { type, inputs: prior }: ResourceView,
  name: string,
  inputs: JsonObject,
): Promise<Planned> {
  return cloud.plan({ type, inputs, prior, maker: makerOf(type, name), defaultName: name });
}

/** Changes an applied resource into these inputs, as an engine does that remembers it. */
export async function change(
  cloud: Cloud,
  view: ResourceView,
  name: string,
  inputs: JsonObject,
): Promise<ResourceView> {
  const { inputs: planned } = await planChange(cloud, view, name, inputs);
  const { type } = view;
  return cloud.apply({ type, maker: makerOf(type, name), defaultName: name, inputs: planned });
}

/** Who a test's resource is made by. */
export function makerOf(type: string, name: string): string {
  return `test:${type}/${name}`;
}

/** A small cloud that servers can be built in. */
export interface SmallWorld {
  readonly hosts: readonly ResourceView[];
  readonly flavor: ResourceView;
  readonly image: ResourceView;
  readonly keypair: ResourceView;
  readonly network: ResourceView;
  readonly subnet: ResourceView;
  /** Its servers are kept apart. */
  readonly group: ResourceView;
  /** Has no role. */
  readonly user: ResourceView;
  /** Inputs of a server of all of these, in no group. */
  readonly server: JsonObject;
}

/** Address of the n-th host of a {@link SmallWorld}, from 1. */
export function addressOfHost(n: number): string {
  return `h${String(n)}.test`;
}

/** Name of the n-th host. */
export function nameOfHost(n: number): string {
  return `h${String(n)}`;
}

/** Inputs of the n-th host. */
export function hostInputs(n: number): JsonObject {
  return { address: addressOfHost(n), tunnelAddress: `10.99.0.${String(n)}/24`, tunnelInterface: "eth1" };
}

/** Enrols so many hosts and makes one of everything that a server needs. */
export async function makeSmallWorld(test: TestCloud, hostCount = 1): Promise<SmallWorld> {
  const hosts: ResourceView[] = [];
  for (let n = 1; n <= hostCount; n++) {
    test.compute.addMachine(addressOfHost(n));
    hosts.push(await test.make("host", nameOfHost(n), hostInputs(n)));
  }
  const flavor = await test.make("flavor", "tiny", { vcpus: 1, ramMib: 256, diskGib: 1 });
  const image = await test.make("image", "cirros", { disk: { location: "/images/cirros.qcow2" } });
  const keypair = await test.make("keypair", "login", {});
  const network = await test.make("network", "net");
  const subnet = await test.make("subnet", "subnet", { network: network.id, cidr: "10.1.0.0/24" });
  const group = await test.make("server-group", "apart", { policy: "anti-affinity" });
  const user = await test.make("user", "nobody", { password: passwordOf("nobody") });
  const server = {
    flavor: flavor.id,
    image: image.id,
    keypair: keypair.id,
    networks: [{ network: network.id }],
  };
  return { hosts, flavor, image, keypair, network, subnet, group, user, server };
}

/** A small world with all that a resource of any type may refer to. */
export interface FullWorld extends SmallWorld {
  /** The first host is its client. */
  readonly ceph: ResourceView;
  /** For volumes. */
  readonly pool: ResourceView;
  /** Its volumes are in the pool. */
  readonly volumeType: ResourceView;
  /** Blank, of 1 GiB, in the pool. */
  readonly volume: ResourceView;
  /** A server that runs. */
  readonly instance: ResourceView;
  /** Servers of it have their root disks in a pool of their own. */
  readonly clonedFlavor: ResourceView;
}

/** Makes a {@link FullWorld}; with `isEncrypted` its type of volumes encrypts them. */
export async function makeFullWorld(
  test: TestCloud,
  { isEncrypted = false }: { readonly isEncrypted?: boolean } = {},
): Promise<FullWorld> {
  const small = await makeSmallWorld(test);
  addCephs(test.compute, test.folder);
  const ceph = await test.make("ceph-cluster", "ceph", cephInputs("small", test.folder, small.hosts[0]?.id));
  const pool = await test.make("storage-pool", "disks", {
    cluster: ceph.id,
    content: "volumes",
    pool: "disks",
  });
  const volumeType = await test.make("volume-type", "pooled", {
    storagePool: pool.id,
    ...(isEncrypted ? { encryption: { keyFile: writeVolumeKey(test.folder, "volumes.key") } } : {}),
  });
  const volume = await test.make("volume", "data", { volumeType: volumeType.id, sizeGib: 1 });
  const instance = await test.make("server", "instance", { ...small.server, networks: [] });
  const roots = await test.make("storage-pool", "roots", { cluster: ceph.id, content: "vms", pool: "roots" });
  const clonedFlavor = await test.make("flavor", "cloned", {
    vcpus: 1,
    ramMib: 256,
    diskGib: 1,
    storagePool: roots.id,
  });
  return { ...small, ceph, pool, volumeType, volume, instance, clonedFlavor };
}
