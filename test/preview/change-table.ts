import type { ChangeLabel } from "../../providers/core/change.ts";
import type { JsonObject } from "../../providers/core/json.ts";

/** One change of one field, and what every engine must say of it. */
export interface ChangeCase {
  readonly type: string;
  readonly field: string;
  /** What tells it from other changes of the field. */
  readonly how?: string;
  readonly label: ChangeLabel;
  /** Inputs beside those of the type's specimen, before the change. */
  readonly before?: JsonObject;
  /** What the change sets; a field that is null here is left out afterwards. */
  readonly change: JsonObject;
}

/** Ids of what cases change a reference to. */
export interface Others {
  readonly project: string;
  readonly user: string;
  readonly host: string;
  /** That of the world, where `host` is another. */
  readonly firstHost: string;
  readonly cluster: string;
  /** Another file with the key of the cluster. */
  readonly keyring: string;
  /** A pool for root disks in the cluster of the world, and one for images. */
  readonly diskPool: string;
  readonly imagePool: string;
  readonly flavor: string;
  readonly image: string;
  readonly keypair: string;
  readonly network: string;
  readonly subnet: string;
  readonly group: string;
  readonly pool: string;
  readonly volumeType: string;
  /** That of the world. */
  readonly worldType: string;
  /** One whose volumes are files. */
  readonly fileType: string;
  readonly volume: string;
  readonly spareVolume: string;
  /** Two that servers boot. */
  readonly system: string;
  readonly nextSystem: string;
  /** One that several servers may have. */
  readonly sharedVolume: string;
  readonly instance: string;
  readonly snapshot: string;
}

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB5yqyN1bCGmZqcRpnEKAQmEJ1nvB5QuJTT7ZfQZbm0K";

/**
 * The change table: every input of every resource, what changes, and the label. It is written by hand, apart from the definitions: they are held to
 * it. A field whose label depends on the values has a row for each.
 */
export function listChanges(other: Others): readonly ChangeCase[] {
  return [
    { type: "project", field: "name", label: "live", change: { name: "renamed" } },
    { type: "project", field: "description", label: "live", change: { description: "after" } },
    { type: "project", field: "enabled", label: "live", change: { enabled: false } },
    { type: "project", field: "quota", label: "live", change: { quota: { instances: 11 } } },

    { type: "user", field: "name", label: "live", change: { name: "renamed" } },
    { type: "user", field: "password", label: "live", change: { password: "another passphrase" } },
    { type: "user", field: "defaultProject", label: "live", change: { defaultProject: other.project } },
    { type: "user", field: "email", label: "live", change: { email: "grace@example.org" } },
    { type: "user", field: "description", label: "live", change: { description: "after" } },
    { type: "user", field: "enabled", label: "live", change: { enabled: false } },

    { type: "role-assignment", field: "user", label: "replace", change: { user: other.user } },
    { type: "role-assignment", field: "project", label: "replace", change: { project: other.project } },
    { type: "role-assignment", field: "role", label: "replace", change: { role: "member" } },

    { type: "host", field: "name", label: "replace", change: { name: "renamed" } },
    { type: "host", field: "transport", label: "live", change: { transport: "local" } },
    { type: "host", field: "address", label: "live", change: { address: "h9.test", port: 2222 } },
    { type: "host", field: "port", label: "live", change: { port: 2222 } },
    {
      type: "host",
      field: "user",
      label: "live",
      change: { user: "operator" },
    },
    { type: "host", field: "identityFile", label: "live", change: { identityFile: "/keys/id" } },
    { type: "host", field: "knownHostsFile", label: "live", change: { knownHostsFile: "/keys/known" } },
    { type: "host", field: "proxyJump", label: "live", change: { proxyJump: "jump.example.org" } },
    { type: "host", field: "tunnelAddress", label: "replace", change: { tunnelAddress: "10.99.0.77/24" } },
    { type: "host", field: "tunnelInterface", label: "replace", change: { tunnelInterface: "eth2" } },
    { type: "host", field: "datapath", label: "replace", change: { datapath: "netdev" } },
    { type: "host", field: "virtType", label: "live", change: { virtType: "qemu" } },
    { type: "host", field: "folder", label: "replace", change: { folder: "/srv/stackyard" } },
    { type: "host", field: "packages", label: "live", change: { packages: "require" } },
    {
      type: "host",
      field: "packageMirror",
      label: "live",
      change: { packageMirror: "http://mirror.test/debian" },
    },
    { type: "host", field: "availabilityZone", label: "live", change: { availabilityZone: "attic" } },
    { type: "host", field: "enabled", label: "live", change: { enabled: false } },

    { type: "ceph-cluster", field: "name", label: "live", change: { name: "renamed" } },
    {
      type: "ceph-cluster",
      field: "monitors",
      label: "live",
      change: { monitors: ["spare.test:6789"] },
    },
    {
      type: "ceph-cluster",
      field: "fsid",
      label: "replace",
      change: { fsid: "5a1b0c2d-0000-4000-8000-000000000004", monitors: ["next.test"] },
    },
    {
      type: "ceph-cluster",
      field: "user",
      label: "live",
      change: { user: "operator" },
    },
    {
      type: "ceph-cluster",
      field: "keyringFile",
      label: "live",
      change: { keyringFile: other.keyring },
    },
    { type: "ceph-cluster", field: "hosts", label: "live", change: { hosts: [other.host] } },

    { type: "storage-pool", field: "name", label: "live", change: { name: "renamed" } },
    { type: "storage-pool", field: "cluster", label: "data-loss", change: { cluster: other.cluster } },
    {
      type: "storage-pool",
      field: "content",
      label: "live",
      before: { pool: "fast" },
      change: { content: "vms" },
    },
    { type: "storage-pool", field: "pool", label: "data-loss", change: { pool: "other" } },
    {
      type: "storage-pool",
      field: "imagePool",
      label: "live",
      change: { imagePool: other.imagePool },
    },
    {
      type: "storage-pool",
      field: "hosts",
      label: "live",
      before: { content: "vms", pool: "fast" },
      change: { hosts: [other.firstHost] },
    },
    { type: "storage-pool", field: "size", label: "live", change: { size: 2 } },
    { type: "storage-pool", field: "pgCount", label: "live", change: { pgCount: 16 } },

    { type: "volume-type", field: "name", label: "live", change: { name: "renamed" } },
    { type: "volume-type", field: "description", label: "live", change: { description: "after" } },
    { type: "volume-type", field: "storagePool", label: "replace", change: { storagePool: other.pool } },
    {
      type: "volume-type",
      field: "encryption",
      label: "replace",
      change: { encryption: { keyFile: "/keys/volumes" } },
    },
    {
      type: "volume-type",
      field: "encryption",
      how: "is left out",
      label: "replace",
      before: { encryption: { keyFile: "/keys/volumes" } },
      change: { encryption: null },
    },
    {
      type: "volume-type",
      field: "encryption",
      how: "names another file",
      label: "live",
      before: { encryption: { keyFile: "/keys/volumes" } },
      change: { encryption: { keyFile: "/keys/moved" } },
    },
    { type: "volume-type", field: "qos", label: "live", change: { qos: { readBytesSec: 1_000_000 } } },
    { type: "volume-type", field: "multiattach", label: "live", change: { multiattach: true } },

    { type: "volume", field: "name", label: "live", change: { name: "renamed" } },
    { type: "volume", field: "description", label: "live", change: { description: "after" } },
    { type: "volume", field: "project", label: "data-loss", change: { project: other.project } },
    { type: "volume", field: "volumeType", label: "data-loss", change: { volumeType: other.volumeType } },
    { type: "volume", field: "sizeGib", label: "live", change: { sizeGib: 2 } },
    { type: "volume", field: "image", label: "data-loss", change: { image: other.image } },
    {
      type: "volume",
      field: "image",
      how: "is left out",
      label: "live",
      before: { image: other.image },
      change: { image: null },
    },
    { type: "volume", field: "snapshot", label: "data-loss", change: { snapshot: other.snapshot } },
    {
      type: "volume",
      field: "snapshot",
      how: "is left out",
      label: "live",
      before: { snapshot: other.snapshot },
      change: { snapshot: null },
    },
    { type: "volume", field: "volume", label: "data-loss", change: { volume: other.volume } },
    {
      type: "volume",
      field: "volume",
      how: "is left out",
      label: "live",
      before: { volume: other.volume },
      change: { volume: null },
    },
    {
      type: "volume",
      field: "host",
      label: "data-loss",
      before: { volumeType: other.fileType, host: other.firstHost },
      change: { host: other.host },
    },

    { type: "snapshot", field: "name", label: "live", change: { name: "renamed" } },
    { type: "snapshot", field: "description", label: "live", change: { description: "after" } },
    { type: "snapshot", field: "project", label: "data-loss", change: { project: other.project } },
    { type: "snapshot", field: "volume", label: "data-loss", change: { volume: other.volume } },

    { type: "flavor", field: "name", label: "live", change: { name: "renamed" } },
    { type: "flavor", field: "description", label: "live", change: { description: "after" } },
    { type: "flavor", field: "vcpus", label: "replace", change: { vcpus: 3 } },
    { type: "flavor", field: "ramMib", label: "replace", change: { ramMib: 640 } },
    { type: "flavor", field: "storagePool", label: "replace", change: { storagePool: other.diskPool } },
    { type: "flavor", field: "diskGib", label: "replace", change: { diskGib: 2 } },
    {
      type: "flavor",
      field: "extraSpecs",
      label: "live",
      change: { extraSpecs: { "hw_rng:allowed": "no" } },
    },

    { type: "keypair", field: "name", label: "live", change: { name: "renamed" } },
    { type: "keypair", field: "project", label: "replace", change: { project: other.project } },
    { type: "keypair", field: "publicKey", label: "replace", change: { publicKey: key } },

    { type: "image", field: "name", label: "live", change: { name: "renamed" } },
    { type: "image", field: "project", label: "replace", change: { project: other.project } },
    {
      type: "image",
      field: "disk",
      label: "replace",
      change: { disk: { location: "/images/vmlinuz", format: "raw" } },
    },
    { type: "image", field: "kernel", label: "replace", change: { kernel: null } },
    { type: "image", field: "initrd", label: "replace", change: { initrd: { location: "/images/vmlinuz" } } },
    { type: "image", field: "kernelArguments", label: "replace", change: { kernelArguments: "quiet" } },
    { type: "image", field: "minDiskGib", label: "live", change: { minDiskGib: 1 } },
    { type: "image", field: "minRamMib", label: "live", change: { minRamMib: 64 } },
    { type: "image", field: "properties", label: "live", change: { properties: { os_distro: "debian" } } },

    { type: "network", field: "name", label: "live", change: { name: "renamed" } },
    { type: "network", field: "project", label: "replace", change: { project: other.project } },
    { type: "network", field: "mtuBytes", label: "live", change: { mtuBytes: 1400 } },
    { type: "network", field: "networkType", label: "replace", change: { networkType: "geneve" } },
    { type: "network", field: "vni", label: "replace", change: { vni: 4242 } },

    { type: "subnet", field: "name", label: "live", change: { name: "renamed" } },
    { type: "subnet", field: "project", label: "replace", change: { project: other.project } },
    { type: "subnet", field: "network", label: "replace", change: { network: other.network } },
    { type: "subnet", field: "cidr", label: "replace", change: { cidr: "10.8.0.0/24" } },
    { type: "subnet", field: "gateway", label: "live", change: { gateway: "10.7.0.254" } },
    { type: "subnet", field: "enableDhcp", label: "live", change: { enableDhcp: false } },
    { type: "subnet", field: "dhcpAddress", label: "replace", change: { dhcpAddress: "10.7.0.99" } },
    { type: "subnet", field: "dnsServers", label: "live", change: { dnsServers: ["10.7.0.53"] } },
    {
      type: "subnet",
      field: "allocationPools",
      label: "live",
      change: { allocationPools: [{ start: "10.7.0.20", end: "10.7.0.200" }] },
    },

    { type: "port", field: "name", label: "live", change: { name: "renamed" } },
    { type: "port", field: "project", label: "replace", change: { project: other.project } },
    {
      type: "port",
      field: "network",
      label: "replace",
      change: { network: other.network, subnet: other.subnet },
    },
    { type: "port", field: "subnet", label: "replace", change: { network: null, subnet: other.subnet } },
    {
      type: "port",
      field: "address",
      label: "replace",
      before: { address: "10.1.0.76" },
      change: { address: "10.1.0.77" },
    },
    { type: "port", field: "mac", label: "replace", change: { mac: "fa:16:3e:00:00:77" } },

    { type: "server-group", field: "name", label: "live", change: { name: "renamed" } },
    { type: "server-group", field: "project", label: "replace", change: { project: other.project } },
    { type: "server-group", field: "policy", label: "replace", change: { policy: "affinity" } },
    { type: "server-group", field: "maxServersPerHost", label: "live", change: { maxServersPerHost: 2 } },

    {
      type: "server",
      field: "name",
      label: "live",
      before: { hostname: "web" },
      change: { name: "renamed" },
    },
    { type: "server", field: "project", label: "data-loss", change: { project: other.project } },
    { type: "server", field: "hostname", label: "reboot", change: { hostname: "renamed" } },
    {
      type: "server",
      field: "hostname",
      how: "no guest uses",
      label: "live",
      before: { running: false },
      change: { hostname: "renamed" },
    },
    { type: "server", field: "flavor", label: "restart", change: { flavor: other.flavor } },
    { type: "server", field: "image", label: "data-loss", change: { image: other.image } },
    {
      type: "server",
      field: "bootVolume",
      label: "replace",
      before: { image: undefined, bootVolume: { volume: other.system } },
      change: { bootVolume: { volume: other.nextSystem } },
    },
    {
      type: "server",
      field: "bootVolume",
      how: "the server has made and has grown",
      label: "live",
      before: { bootVolume: { volumeType: other.worldType, sizeGib: 1 } },
      change: { bootVolume: { volumeType: other.worldType, sizeGib: 2 } },
    },
    {
      type: "server",
      field: "bootVolume",
      how: "the server has made and is to stay",
      label: "live",
      before: { bootVolume: { volumeType: other.worldType } },
      change: { bootVolume: { volumeType: other.worldType, deleteOnTermination: false } },
    },
    {
      type: "server",
      field: "bootVolume",
      how: "the server has made, and of another type",
      label: "data-loss",
      before: { bootVolume: { volumeType: other.worldType } },
      change: { bootVolume: { volumeType: other.volumeType } },
    },
    {
      type: "server",
      field: "bootVolume",
      how: "the server has made and that stays, and of another type",
      label: "replace",
      before: { bootVolume: { volumeType: other.worldType, deleteOnTermination: false } },
      change: { bootVolume: { volumeType: other.volumeType, deleteOnTermination: false } },
    },
    {
      type: "server",
      field: "bootVolume",
      how: "takes the place of the root disk",
      label: "data-loss",
      change: { bootVolume: { volumeType: other.worldType } },
    },
    { type: "server", field: "keypair", label: "data-loss", change: { keypair: other.keypair } },
    {
      type: "server",
      field: "networks",
      label: "restart",
      change: { networks: [{ network: other.network }] },
    },
    { type: "server", field: "serverGroup", label: "data-loss", change: { serverGroup: other.group } },
    { type: "server", field: "availabilityZone", label: "data-loss", change: { availabilityZone: "nova" } },
    {
      type: "server",
      field: "schedulerHints",
      label: "data-loss",
      change: { schedulerHints: { query: '[">=", "$free_ram_mb", 1]' } },
    },
    { type: "server", field: "userData", label: "data-loss", change: { userData: "#!/bin/sh\ntrue\n" } },
    { type: "server", field: "running", how: "stops", label: "restart", change: { running: false } },
    {
      type: "server",
      field: "running",
      how: "starts",
      label: "live",
      before: { running: false },
      change: { running: true },
    },
    { type: "server", field: "waitFor", label: "live", change: { waitFor: "address" } },
    { type: "server", field: "timeouts", label: "live", change: { timeouts: { shutdown: 5 } } },

    { type: "volume-attachment", field: "volume", label: "replace", change: { volume: other.volume } },
    { type: "volume-attachment", field: "server", label: "replace", change: { server: other.instance } },
    { type: "volume-attachment", field: "project", label: "replace", change: { project: other.project } },
    { type: "volume-attachment", field: "device", label: "replace", change: { device: "vdm" } },
    { type: "volume-attachment", field: "readOnly", label: "replace", change: { readOnly: true } },
    {
      type: "volume-attachment",
      field: "shared",
      label: "replace",
      before: { volume: other.sharedVolume, shared: false },
      change: { shared: true },
    },
    {
      type: "volume-attachment",
      field: "timeouts",
      label: "live",
      before: { volume: other.spareVolume },
      change: { timeouts: { detach: 5 } },
    },
  ];
}
