// Generated from the definitions by providers/engines/pulumi/generate.ts. Do not edit.
import type * as pulumi from "@pulumi/pulumi";
import { StackyardResource } from "./resource.ts";

export interface ProjectQuotaArgs {
  /**
   * Most servers that the project may have; -1 for no limit. Default 10.
   * @default 10
   */
  readonly instances?: pulumi.Input<number> | undefined;
  /**
   * Most virtual processors that its servers may have together; -1 for no limit. Default 20.
   * @default 20
   */
  readonly cores?: pulumi.Input<number> | undefined;
  /**
   * Most memory in MiB that its servers may have together; -1 for no limit. Default 51200.
   * @default 51200
   */
  readonly ramMib?: pulumi.Input<number> | undefined;
  /**
   * Most key pairs that it may have; -1 for no limit. Default 100.
   * @default 100
   */
  readonly keyPairs?: pulumi.Input<number> | undefined;
  /**
   * Most server groups that it may have; -1 for no limit. Default 10.
   * @default 10
   */
  readonly serverGroups?: pulumi.Input<number> | undefined;
  /**
   * Most servers that each of its server groups may have; -1 for no limit. Default 10.
   * @default 10
   */
  readonly serverGroupMembers?: pulumi.Input<number> | undefined;
  /**
   * Most networks that it may have; -1 for no limit. Default 100.
   * @default 100
   */
  readonly networks?: pulumi.Input<number> | undefined;
  /**
   * Most subnets that it may have; -1 for no limit. Default 100.
   * @default 100
   */
  readonly subnets?: pulumi.Input<number> | undefined;
  /**
   * Most ports that it may have, those of its servers' own included; -1 for no limit. Default 500.
   * @default 500
   */
  readonly ports?: pulumi.Input<number> | undefined;
  /**
   * Most volumes that it may have; -1 for no limit. Default 10.
   * @default 10
   */
  readonly volumes?: pulumi.Input<number> | undefined;
  /**
   * Most snapshots of volumes that it may have; -1 for no limit. Default 10.
   * @default 10
   */
  readonly snapshots?: pulumi.Input<number> | undefined;
  /**
   * Most size in GiB that its volumes and snapshots may have together; -1 for no limit. Default 1000.
   * @default 1000
   */
  readonly gigabytes?: pulumi.Input<number> | undefined;
}

/** What a {@link Project} is to be. */
export interface ProjectArgs {
  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Free text for people, at most 255 characters.
   * Changing it is live: nothing stops.
   */
  readonly description?: pulumi.Input<string> | undefined;
  /**
   * Whether users may log in to it. Tokens of a disabled project stop working at once; its servers go on
   * running. Default true.
   * Changing it is live: nothing stops.
   * @default true
   */
  readonly enabled?: pulumi.Input<boolean> | undefined;
  /**
   * Limits of the project, by OpenStack's quotas. A lower limit stops only what is new or grows.
   * Changing it is live: nothing stops.
   * @default
   * {"instances":10,"cores":20,"ramMib":51200,"keyPairs":100,"serverGroups":10,"serverGroupMembers":10,"networks":100,"subnets":100,"ports":500,"volumes":10,"snapshots":10,"gigabytes":1000}
   */
  readonly quota?: pulumi.Input<ProjectQuotaArgs> | undefined;
}

export interface ProjectQuota {
  /** Most servers that the project may have; -1 for no limit. Default 10. */
  readonly instances: number;
  /** Most virtual processors that its servers may have together; -1 for no limit. Default 20. */
  readonly cores: number;
  /** Most memory in MiB that its servers may have together; -1 for no limit. Default 51200. */
  readonly ramMib: number;
  /** Most key pairs that it may have; -1 for no limit. Default 100. */
  readonly keyPairs: number;
  /** Most server groups that it may have; -1 for no limit. Default 10. */
  readonly serverGroups: number;
  /** Most servers that each of its server groups may have; -1 for no limit. Default 10. */
  readonly serverGroupMembers: number;
  /** Most networks that it may have; -1 for no limit. Default 100. */
  readonly networks: number;
  /** Most subnets that it may have; -1 for no limit. Default 100. */
  readonly subnets: number;
  /** Most ports that it may have, those of its servers' own included; -1 for no limit. Default 500. */
  readonly ports: number;
  /** Most volumes that it may have; -1 for no limit. Default 10. */
  readonly volumes: number;
  /** Most snapshots of volumes that it may have; -1 for no limit. Default 10. */
  readonly snapshots: number;
  /** Most size in GiB that its volumes and snapshots may have together; -1 for no limit. Default 1000. */
  readonly gigabytes: number;
}

/** Owns servers, networks and what belongs to them, within a quota. */
export class Project extends StackyardResource {
  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  declare readonly name: pulumi.Output<string>;
  /** Free text for people, at most 255 characters. */
  declare readonly description: pulumi.Output<string | undefined>;
  /**
   * Whether users may log in to it. Tokens of a disabled project stop working at once; its servers go on
   * running. Default true.
   */
  declare readonly enabled: pulumi.Output<boolean>;
  /** Limits of the project, by OpenStack's quotas. A lower limit stops only what is new or grows. */
  declare readonly quota: pulumi.Output<ProjectQuota>;

  constructor(name: string, args: ProjectArgs = {}, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "project",
      className: "Project",
      properties: ["name", "description", "enabled", "quota"],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

/** What a {@link User} is to be. */
export interface UserArgs {
  /**
   * Login name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the
   * stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Password, 1 to 4096 characters. Changing it ends the user's sessions.
   * Secret: encrypted in the state, never shown.
   * Changing it is live: nothing stops.
   */
  readonly password: pulumi.Input<string>;
  /**
   * Project of a login that names none. Default: the only project where the user has a role.
   * Takes the {@link Project} itself, or its id.
   * Changing it is live: nothing stops.
   */
  readonly defaultProject?: pulumi.Input<string> | Project | undefined;
  /**
   * Address for people; nothing is sent to it.
   * Changing it is live: nothing stops.
   */
  readonly email?: pulumi.Input<string> | undefined;
  /**
   * Free text for people, at most 255 characters.
   * Changing it is live: nothing stops.
   */
  readonly description?: pulumi.Input<string> | undefined;
  /**
   * Whether the user may log in. Tokens of a disabled user stop working at once. Default true.
   * Changing it is live: nothing stops.
   * @default true
   */
  readonly enabled?: pulumi.Input<boolean> | undefined;
}

/** Logs in with a name and a password; role assignments say what the user may do. */
export class User extends StackyardResource {
  /**
   * Login name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the
   * stack.
   */
  declare readonly name: pulumi.Output<string>;
  /** Password, 1 to 4096 characters. Changing it ends the user's sessions. */
  declare readonly password: pulumi.Output<string>;
  /** Project of a login that names none. Default: the only project where the user has a role. */
  declare readonly defaultProject: pulumi.Output<string | undefined>;
  /** Address for people; nothing is sent to it. */
  declare readonly email: pulumi.Output<string | undefined>;
  /** Free text for people, at most 255 characters. */
  declare readonly description: pulumi.Output<string | undefined>;
  /** Whether the user may log in. Tokens of a disabled user stop working at once. Default true. */
  declare readonly enabled: pulumi.Output<boolean>;

  constructor(name: string, args: UserArgs, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "user",
      className: "User",
      properties: ["name", "password", "defaultProject", "email", "description", "enabled"],
      secretInputs: ["password"],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

/** What a {@link RoleAssignment} is to be. */
export interface RoleAssignmentArgs {
  /**
   * User who gets the role.
   * Takes the {@link User} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly user: pulumi.Input<string> | User;
  /**
   * Project on which the user gets it. Default: the whole cloud, every project included.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly project?: pulumi.Input<string> | Project | undefined;
  /**
   * `reader` sees, `member` also creates, changes and removes, `admin` also administers; each includes
   * those before it. Only `admin` on the whole cloud changes users, projects, flavors and hosts.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly role: pulumi.Input<"reader" | "member" | "admin">;
}

/** Gives a user a role on one project, or on the whole cloud. */
export class RoleAssignment extends StackyardResource {
  /** User who gets the role. */
  declare readonly user: pulumi.Output<string>;
  /** Project on which the user gets it. Default: the whole cloud, every project included. */
  declare readonly project: pulumi.Output<string | undefined>;
  /**
   * `reader` sees, `member` also creates, changes and removes, `admin` also administers; each includes
   * those before it. Only `admin` on the whole cloud changes users, projects, flavors and hosts.
   */
  declare readonly role: pulumi.Output<"reader" | "member" | "admin">;

  constructor(name: string, args: RoleAssignmentArgs, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "role-assignment",
      className: "RoleAssignment",
      properties: ["user", "project", "role"],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

/** What a {@link Host} is to be. */
export interface HostArgs {
  /**
   * Name in the cloud, unique. Default: the resource's name in the stack.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * `ssh`, or `local` for the machine that runs the stack. Default `ssh`.
   * Changing it is live: nothing stops.
   * @default "ssh"
   */
  readonly transport?: pulumi.Input<"ssh" | "local"> | undefined;
  /**
   * Name or address that ssh connects to; `~/.ssh/config`, the agent and ProxyJump are honoured.
   * Changing it is live: nothing stops.
   */
  readonly address: pulumi.Input<string>;
  /**
   * SSH port. Default 22, or what ssh_config says.
   * Changing it is live: nothing stops.
   */
  readonly port?: pulumi.Input<number> | undefined;
  /**
   * SSH user; needs root's rights. Default root, or what ssh_config says.
   * Changing it is live: nothing stops.
   */
  readonly user?: pulumi.Input<string> | undefined;
  /**
   * Private key file. Default: the agent, then ssh_config's.
   * Changing it is live: nothing stops.
   */
  readonly identityFile?: pulumi.Input<string> | undefined;
  /**
   * File of trusted host keys. Default `~/.ssh/known_hosts`.
   * Changing it is live: nothing stops.
   */
  readonly knownHostsFile?: pulumi.Input<string> | undefined;
  /**
   * Jump hosts, as ssh's ProxyJump.
   * Changing it is live: nothing stops.
   */
  readonly proxyJump?: pulumi.Input<string> | undefined;
  /**
   * Own address for tunnels to the other hosts with its prefix length, e.g. `10.0.0.1/24`. IPv4.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly tunnelAddress: pulumi.Input<string>;
  /**
   * Interface for tunnels. Needed with the userspace datapath, where it moves into the bridge
   * `br-underlay`.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly tunnelInterface?: pulumi.Input<string> | undefined;
  /**
   * Open vSwitch datapath: `system` (kernel) or `netdev` (userspace). Default: `system` where the kernel
   * has it.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly datapath?: pulumi.Input<"system" | "netdev"> | undefined;
  /**
   * `kvm`, or `qemu` for emulation. Default: `kvm` where it works.
   * Changing it is live: nothing stops.
   */
  readonly virtType?: pulumi.Input<"kvm" | "qemu"> | undefined;
  /**
   * Folder on the host for images and disks. Default `/var/lib/libvirt/images/stackyard`.
   * Changing it replaces the resource: it is removed and made anew.
   * @default "/var/lib/libvirt/images/stackyard"
   */
  readonly folder?: pulumi.Input<string> | undefined;
  /**
   * What of libvirt, QEMU, Open vSwitch and Ceph's client is missing on Debian: `install` installs it by
   * apt and starts services, `require` refuses the host. Removing the host leaves packages installed.
   * Default `install`.
   * Changing it is live: nothing stops.
   * @default "install"
   */
  readonly packages?: pulumi.Input<"install" | "require"> | undefined;
  /**
   * Mirror of the host's distribution to install from, a URL as the host reaches it:
   * `http://mirror.lan/debian`, or `file:/srv/debian` on the host itself. Default: the host's own sources.
   * Changing it is live: nothing stops.
   */
  readonly packageMirror?: pulumi.Input<string> | undefined;
  /**
   * Availability zone. Default `nova`.
   * Changing it is live: nothing stops.
   * @default "nova"
   */
  readonly availabilityZone?: pulumi.Input<string> | undefined;
  /**
   * Whether new servers may be placed here. Default true.
   * Changing it is live: nothing stops.
   * @default true
   */
  readonly enabled?: pulumi.Input<boolean> | undefined;
}

/**
 * A KVM host, reached over SSH. Enrolling checks it, installs what is missing, wires Open vSwitch, measures
 * it and marks it as this cloud's.
 */
export class Host extends StackyardResource {
  /** Name in the cloud, unique. Default: the resource's name in the stack. */
  declare readonly name: pulumi.Output<string>;
  /** `ssh`, or `local` for the machine that runs the stack. Default `ssh`. */
  declare readonly transport: pulumi.Output<"ssh" | "local">;
  /** Name or address that ssh connects to; `~/.ssh/config`, the agent and ProxyJump are honoured. */
  declare readonly address: pulumi.Output<string>;
  /** SSH port. Default 22, or what ssh_config says. */
  declare readonly port: pulumi.Output<number | undefined>;
  /** SSH user; needs root's rights. Default root, or what ssh_config says. */
  declare readonly user: pulumi.Output<string | undefined>;
  /** Private key file. Default: the agent, then ssh_config's. */
  declare readonly identityFile: pulumi.Output<string | undefined>;
  /** File of trusted host keys. Default `~/.ssh/known_hosts`. */
  declare readonly knownHostsFile: pulumi.Output<string | undefined>;
  /** Jump hosts, as ssh's ProxyJump. */
  declare readonly proxyJump: pulumi.Output<string | undefined>;
  /** Own address for tunnels to the other hosts with its prefix length, e.g. `10.0.0.1/24`. IPv4. */
  declare readonly tunnelAddress: pulumi.Output<string>;
  /**
   * Interface for tunnels. Needed with the userspace datapath, where it moves into the bridge
   * `br-underlay`.
   */
  declare readonly tunnelInterface: pulumi.Output<string | undefined>;
  /**
   * Open vSwitch datapath: `system` (kernel) or `netdev` (userspace). Default: `system` where the kernel
   * has it.
   */
  declare readonly datapath: pulumi.Output<"system" | "netdev">;
  /** `kvm`, or `qemu` for emulation. Default: `kvm` where it works. */
  declare readonly virtType: pulumi.Output<"kvm" | "qemu">;
  /** Folder on the host for images and disks. Default `/var/lib/libvirt/images/stackyard`. */
  declare readonly folder: pulumi.Output<string>;
  /**
   * What of libvirt, QEMU, Open vSwitch and Ceph's client is missing on Debian: `install` installs it by
   * apt and starts services, `require` refuses the host. Removing the host leaves packages installed.
   * Default `install`.
   */
  declare readonly packages: pulumi.Output<"install" | "require">;
  /**
   * Mirror of the host's distribution to install from, a URL as the host reaches it:
   * `http://mirror.lan/debian`, or `file:/srv/debian` on the host itself. Default: the host's own sources.
   */
  declare readonly packageMirror: pulumi.Output<string | undefined>;
  /** Availability zone. Default `nova`. */
  declare readonly availabilityZone: pulumi.Output<string>;
  /** Whether new servers may be placed here. Default true. */
  declare readonly enabled: pulumi.Output<boolean>;
  /** Datapath in use. */
  declare readonly activeDatapath: pulumi.Output<"system" | "netdev">;
  /** Domain type in use. */
  declare readonly activeVirtType: pulumi.Output<"kvm" | "qemu">;
  /** CPU architecture, e.g. `x86_64`. */
  declare readonly architecture: pulumi.Output<string>;
  /** CPU cores. */
  declare readonly vcpus: pulumi.Output<number>;
  /** Memory, MiB. */
  declare readonly ramMib: pulumi.Output<number>;
  /** Size of the folder's file system, GiB. */
  declare readonly diskGib: pulumi.Output<number>;
  /** QEMU version as Nova writes it: 7002000 is 7.2.0. */
  declare readonly hypervisorVersion: pulumi.Output<number>;
  /** libvirt version. */
  declare readonly libvirtVersion: pulumi.Output<string>;
  /** Open vSwitch version. */
  declare readonly openvswitchVersion: pulumi.Output<string>;

  constructor(name: string, args: HostArgs, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "host",
      className: "Host",
      properties: [
        "name",
        "transport",
        "address",
        "port",
        "user",
        "identityFile",
        "knownHostsFile",
        "proxyJump",
        "tunnelAddress",
        "tunnelInterface",
        "datapath",
        "virtType",
        "folder",
        "packages",
        "packageMirror",
        "availabilityZone",
        "enabled",
        "activeDatapath",
        "activeVirtType",
        "architecture",
        "vcpus",
        "ramMib",
        "diskGib",
        "hypervisorVersion",
        "libvirtVersion",
        "openvswitchVersion",
      ],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

/** What a {@link CephCluster} is to be. */
export interface CephClusterArgs {
  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Addresses of its monitors as the hosts reach them: `10.0.2.1`, where both of Ceph's ports are tried, or
   * `10.0.2.1:6789`.
   * Changing it is live: nothing stops.
   */
  readonly monitors: pulumi.Input<pulumi.Input<string>[]>;
  /**
   * Its fsid, as `ceph fsid` prints it. A cluster that answers with another is refused.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly fsid: pulumi.Input<string>;
  /**
   * User that sets it up, without `client.`: it makes pools, and users of the cloud's own that can do less.
   * Default `admin`.
   * Changing it is live: nothing stops.
   * @default "admin"
   */
  readonly user?: pulumi.Input<string> | undefined;
  /**
   * Keyring with that user's key, an absolute path on the machine that runs the stack. The key is sent to
   * the first client when there is something to set up, and kept nowhere.
   * Changing it is live: nothing stops.
   */
  readonly keyringFile: pulumi.Input<string>;
  /**
   * Hosts whose servers may have disks in it. Each gets a ceph.conf, keyrings of the cloud's own users and
   * a libvirt secret. Commands to the cluster run on the first.
   * Takes {@link Host} resources, or their ids.
   * Changing it is live: nothing stops.
   */
  readonly hosts: pulumi.Input<pulumi.Input<string>[]> | (pulumi.Input<string> | Host)[];
}

/**
 * A Ceph cluster that is there already, and the hosts that are its clients. The cloud works on it as users
 * of its own, which can do no more than they need.
 */
export class CephCluster extends StackyardResource {
  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  declare readonly name: pulumi.Output<string>;
  /**
   * Addresses of its monitors as the hosts reach them: `10.0.2.1`, where both of Ceph's ports are tried, or
   * `10.0.2.1:6789`.
   */
  declare readonly monitors: pulumi.Output<string[]>;
  /** Its fsid, as `ceph fsid` prints it. A cluster that answers with another is refused. */
  declare readonly fsid: pulumi.Output<string>;
  /**
   * User that sets it up, without `client.`: it makes pools, and users of the cloud's own that can do less.
   * Default `admin`.
   */
  declare readonly user: pulumi.Output<string>;
  /**
   * Keyring with that user's key, an absolute path on the machine that runs the stack. The key is sent to
   * the first client when there is something to set up, and kept nowhere.
   */
  declare readonly keyringFile: pulumi.Output<string>;
  /**
   * Hosts whose servers may have disks in it. Each gets a ceph.conf, keyrings of the cloud's own users and
   * a libvirt secret. Commands to the cluster run on the first.
   */
  declare readonly hosts: pulumi.Output<string[]>;
  /** Version of Ceph, e.g. `16.2.15`. */
  declare readonly version: pulumi.Output<string>;
  /** Ids of the hosts that are set up as its clients. */
  declare readonly clientHosts: pulumi.Output<string[]>;

  constructor(name: string, args: CephClusterArgs, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "ceph-cluster",
      className: "CephCluster",
      properties: ["name", "monitors", "fsid", "user", "keyringFile", "hosts", "version", "clientHosts"],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

/** What a {@link StoragePool} is to be. */
export interface StoragePoolArgs {
  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Cluster that it is in.
   * Takes the {@link CephCluster} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly cluster: pulumi.Input<string> | CephCluster;
  /**
   * What it holds: `images` (Glance), `volumes` (Cinder) or `vms`, the root disks of servers (Nova). The
   * caps of the cloud's users follow from it.
   * Changing it is live: nothing stops.
   */
  readonly content: pulumi.Input<"images" | "volumes" | "vms">;
  /**
   * Name in the cluster. Default: what it holds. A pool that is there and not this cloud's is refused.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly pool?: pulumi.Input<string> | undefined;
  /**
   * Pool of the same cluster that images are brought into, once, when the first disk or volume here is
   * cloned from them. Default: this pool.
   * Takes the {@link StoragePool} itself, or its id.
   * Changing it is live: nothing stops.
   */
  readonly imagePool?: pulumi.Input<string> | StoragePool | undefined;
  /**
   * Hosts whose servers have their root disks here unless their flavor says otherwise (nova:
   * `libvirt.images_type`). Servers that are there stay as they are. Default none.
   * Takes {@link Host} resources, or their ids.
   * Changing it is live: nothing stops.
   * @default []
   */
  readonly hosts?: pulumi.Input<pulumi.Input<string>[]> | (pulumi.Input<string> | Host)[] | undefined;
  /**
   * Copies of each object, 1 to 10. Default: as the cluster is set.
   * Changing it is live: nothing stops.
   */
  readonly size?: pulumi.Input<number> | undefined;
  /**
   * Placement groups. Default: as the cluster is set.
   * Changing it is live: nothing stops.
   */
  readonly pgCount?: pulumi.Input<number> | undefined;
}

/**
 * A pool of a Ceph cluster: for images, volumes or root disks. It is made, marked as this cloud's, and
 * removed only when nothing is in it.
 */
export class StoragePool extends StackyardResource {
  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  declare readonly name: pulumi.Output<string>;
  /** Cluster that it is in. */
  declare readonly cluster: pulumi.Output<string>;
  /**
   * What it holds: `images` (Glance), `volumes` (Cinder) or `vms`, the root disks of servers (Nova). The
   * caps of the cloud's users follow from it.
   */
  declare readonly content: pulumi.Output<"images" | "volumes" | "vms">;
  /** Name in the cluster. Default: what it holds. A pool that is there and not this cloud's is refused. */
  declare readonly pool: pulumi.Output<string>;
  /**
   * Pool of the same cluster that images are brought into, once, when the first disk or volume here is
   * cloned from them. Default: this pool.
   */
  declare readonly imagePool: pulumi.Output<string | undefined>;
  /**
   * Hosts whose servers have their root disks here unless their flavor says otherwise (nova:
   * `libvirt.images_type`). Servers that are there stay as they are. Default none.
   */
  declare readonly hosts: pulumi.Output<string[]>;
  /** Copies of each object, 1 to 10. Default: as the cluster is set. */
  declare readonly size: pulumi.Output<number | undefined>;
  /** Placement groups. Default: as the cluster is set. */
  declare readonly pgCount: pulumi.Output<number | undefined>;

  constructor(name: string, args: StoragePoolArgs, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "storage-pool",
      className: "StoragePool",
      properties: ["name", "cluster", "content", "pool", "imagePool", "hosts", "size", "pgCount"],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

export interface VolumeTypeEncryptionArgs {
  /**
   * File with the passphrase, an absolute path on the machine that runs the stack: one line of 32 to 512
   * characters, made by a machine (`openssl rand -base64 48`), closed to everybody else. It is read when a
   * volume is made, changed or given to a server, sent to that host alone, and kept in its libvirt while a
   * server there has the volume.
   */
  readonly keyFile: pulumi.Input<string>;
}

export interface VolumeTypeQosArgs {
  /** Bytes read and written a second. Default no limit. */
  readonly totalBytesSec?: pulumi.Input<number> | undefined;
  /** Bytes read a second. Default no limit. */
  readonly readBytesSec?: pulumi.Input<number> | undefined;
  /** Bytes written a second. Default no limit. */
  readonly writeBytesSec?: pulumi.Input<number> | undefined;
  /** Reads and writes a second. Default no limit. */
  readonly totalIopsSec?: pulumi.Input<number> | undefined;
  /** Reads a second. Default no limit. */
  readonly readIopsSec?: pulumi.Input<number> | undefined;
  /** Writes a second. Default no limit. */
  readonly writeIopsSec?: pulumi.Input<number> | undefined;
}

/** What a {@link VolumeType} is to be. */
export interface VolumeTypeArgs {
  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Free text for people, at most 255 characters.
   * Changing it is live: nothing stops.
   */
  readonly description?: pulumi.Input<string> | undefined;
  /**
   * Pool that its volumes are in, one for `volumes`. Default: each is a qcow2 file on a host.
   * Takes the {@link StoragePool} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly storagePool?: pulumi.Input<string> | StoragePool | undefined;
  /**
   * Encrypts what guests write, as LUKS (cinder: provider `luks`): QEMU on the server's host does it, and
   * the pool or the file holds ciphertext. All volumes of the type have one passphrase; without it their
   * data is lost. Default none.
   * Changing it is `live` when only `keyFile` changes: the file must hold the same passphrase; else
   * `replace`.
   */
  readonly encryption?: pulumi.Input<VolumeTypeEncryptionArgs> | undefined;
  /**
   * Limits of each of its volumes in a server. A change concerns volumes that are attached later, and
   * servers at their next power cycle. Default none.
   * Changing it is live: nothing stops.
   */
  readonly qos?: pulumi.Input<VolumeTypeQosArgs> | undefined;
  /**
   * Whether several servers may have one of its volumes at a time: their guests need a file system that is
   * made for that. A change concerns volumes that are attached later. Default false.
   * Changing it is live: nothing stops.
   * @default false
   */
  readonly multiattach?: pulumi.Input<boolean> | undefined;
}

export interface VolumeTypeEncryption {
  /**
   * File with the passphrase, an absolute path on the machine that runs the stack: one line of 32 to 512
   * characters, made by a machine (`openssl rand -base64 48`), closed to everybody else. It is read when a
   * volume is made, changed or given to a server, sent to that host alone, and kept in its libvirt while a
   * server there has the volume.
   */
  readonly keyFile: string;
}

export interface VolumeTypeQos {
  /** Bytes read and written a second. Default no limit. */
  readonly totalBytesSec?: number;
  /** Bytes read a second. Default no limit. */
  readonly readBytesSec?: number;
  /** Bytes written a second. Default no limit. */
  readonly writeBytesSec?: number;
  /** Reads and writes a second. Default no limit. */
  readonly totalIopsSec?: number;
  /** Reads a second. Default no limit. */
  readonly readIopsSec?: number;
  /** Writes a second. Default no limit. */
  readonly writeIopsSec?: number;
}

/**
 * A kind of volumes: in a pool of a Ceph cluster or in files on hosts, how fast, whether encrypted, and
 * whether several servers may have one.
 */
export class VolumeType extends StackyardResource {
  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  declare readonly name: pulumi.Output<string>;
  /** Free text for people, at most 255 characters. */
  declare readonly description: pulumi.Output<string | undefined>;
  /** Pool that its volumes are in, one for `volumes`. Default: each is a qcow2 file on a host. */
  declare readonly storagePool: pulumi.Output<string | undefined>;
  /**
   * Encrypts what guests write, as LUKS (cinder: provider `luks`): QEMU on the server's host does it, and
   * the pool or the file holds ciphertext. All volumes of the type have one passphrase; without it their
   * data is lost. Default none.
   */
  declare readonly encryption: pulumi.Output<VolumeTypeEncryption | undefined>;
  /**
   * Limits of each of its volumes in a server. A change concerns volumes that are attached later, and
   * servers at their next power cycle. Default none.
   */
  declare readonly qos: pulumi.Output<VolumeTypeQos | undefined>;
  /**
   * Whether several servers may have one of its volumes at a time: their guests need a file system that is
   * made for that. A change concerns volumes that are attached later. Default false.
   */
  declare readonly multiattach: pulumi.Output<boolean>;

  constructor(name: string, args: VolumeTypeArgs = {}, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "volume-type",
      className: "VolumeType",
      properties: ["name", "description", "storagePool", "encryption", "qos", "multiattach"],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

/** What a {@link Flavor} is to be. */
export interface FlavorArgs {
  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Free text for people, at most 255 characters.
   * Changing it is live: nothing stops.
   */
  readonly description?: pulumi.Input<string> | undefined;
  /**
   * Virtual processors, at least 1.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly vcpus: pulumi.Input<number>;
  /**
   * Memory in MiB, at least 1.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly ramMib: pulumi.Input<number>;
  /**
   * Root disk in GiB; 0 takes the size of the image. Default 0.
   * Changing it replaces the resource: it is removed and made anew.
   * @default 0
   */
  readonly diskGib?: pulumi.Input<number> | undefined;
  /**
   * Pool of a Ceph cluster that root disks are in; servers are then placed on its clients. Default: a pool
   * with the server's host among its `hosts`, else a file on the host.
   * Takes the {@link StoragePool} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly storagePool?: pulumi.Input<string> | StoragePool | undefined;
  /**
   * Nova's extra specs, e.g. `hw:cpu_policy`, `resources:VCPU`, `trait:HW_CPU_X86_AVX2`. A change concerns
   * servers made or resized later.
   * Changing it is live: nothing stops.
   * @default {}
   */
  readonly extraSpecs?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
}

/** A size of servers: processors, memory, disk. */
export class Flavor extends StackyardResource {
  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  declare readonly name: pulumi.Output<string>;
  /** Free text for people, at most 255 characters. */
  declare readonly description: pulumi.Output<string | undefined>;
  /** Virtual processors, at least 1. */
  declare readonly vcpus: pulumi.Output<number>;
  /** Memory in MiB, at least 1. */
  declare readonly ramMib: pulumi.Output<number>;
  /** Root disk in GiB; 0 takes the size of the image. Default 0. */
  declare readonly diskGib: pulumi.Output<number>;
  /**
   * Pool of a Ceph cluster that root disks are in; servers are then placed on its clients. Default: a pool
   * with the server's host among its `hosts`, else a file on the host.
   */
  declare readonly storagePool: pulumi.Output<string | undefined>;
  /**
   * Nova's extra specs, e.g. `hw:cpu_policy`, `resources:VCPU`, `trait:HW_CPU_X86_AVX2`. A change concerns
   * servers made or resized later.
   */
  declare readonly extraSpecs: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: FlavorArgs, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "flavor",
      className: "Flavor",
      properties: ["name", "description", "vcpus", "ramMib", "diskGib", "storagePool", "extraSpecs"],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

/** What a {@link Keypair} is to be. */
export interface KeypairArgs {
  /**
   * Name, unique in the project. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly project?: pulumi.Input<string> | Project | undefined;
  /**
   * Public key in OpenSSH's one-line format, as in `id_ed25519.pub`. Default: an ed25519 pair is generated.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly publicKey?: pulumi.Input<string> | undefined;
}

/** An SSH key that servers let in: your own public key, or a pair that is generated. */
export class Keypair extends StackyardResource {
  /**
   * Name, unique in the project. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  declare readonly name: pulumi.Output<string>;
  /** Project that owns it. Default: the project you are logged in to. */
  declare readonly project: pulumi.Output<string>;
  /** Public key in OpenSSH's one-line format. */
  declare readonly publicKey: pulumi.Output<string>;
  /** Algorithm of the key, e.g. `ssh-ed25519`. */
  declare readonly algorithm: pulumi.Output<string>;
  /** SHA-256 fingerprint, as `ssh-keygen -l` shows it. */
  declare readonly fingerprint: pulumi.Output<string>;
  /** Private key in OpenSSH's format, if the pair was generated. Given once and not kept by the cloud. */
  declare readonly privateKey: pulumi.Output<string | undefined>;

  constructor(name: string, args: KeypairArgs = {}, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "keypair",
      className: "Keypair",
      properties: ["name", "project", "publicKey", "algorithm", "fingerprint", "privateKey"],
      secretInputs: [],
      secretOutputs: ["privateKey"],
    };
    super(shape, name, args, options);
  }
}

export interface ImageDiskArgs {
  /** Absolute path on the machine that runs the stack, or http(s) URL, of the disk image. */
  readonly location: pulumi.Input<string>;
  /** Expected checksum, `sha256:…` or `sha512:…`. Required for a URL. */
  readonly checksum?: pulumi.Input<string> | undefined;
  /** Format. It is detected in any case; a wrong statement is an error. */
  readonly format?: pulumi.Input<"qcow2" | "raw"> | undefined;
}

export interface ImageKernelArgs {
  /** Absolute path on the machine that runs the stack, or http(s) URL, of the kernel. */
  readonly location: pulumi.Input<string>;
  /** Expected checksum, `sha256:…` or `sha512:…`. Required for a URL. */
  readonly checksum?: pulumi.Input<string> | undefined;
}

export interface ImageInitrdArgs {
  /** Absolute path on the machine that runs the stack, or http(s) URL, of the initial RAM disk. */
  readonly location: pulumi.Input<string>;
  /** Expected checksum, `sha256:…` or `sha512:…`. Required for a URL. */
  readonly checksum?: pulumi.Input<string> | undefined;
}

/** What a {@link Image} is to be. */
export interface ImageArgs {
  /**
   * Name, unique among the project's images. 1 to 255 printable characters. Default: the resource's name in
   * the stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly project?: pulumi.Input<string> | Project | undefined;
  /**
   * Disk image, qcow2 or raw. Optional when a kernel is given: servers then start with an empty disk.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly disk?: pulumi.Input<ImageDiskArgs> | undefined;
  /**
   * Kernel for direct boot, without a boot loader.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly kernel?: pulumi.Input<ImageKernelArgs> | undefined;
  /**
   * Initial RAM disk for direct boot.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly initrd?: pulumi.Input<ImageInitrdArgs> | undefined;
  /**
   * Kernel command line for direct boot. Default `console=ttyS0`.
   * Changing it replaces the resource: it is removed and made anew.
   * @default "console=ttyS0"
   */
  readonly kernelArguments?: pulumi.Input<string> | undefined;
  /**
   * Smallest root disk in GiB that a flavor must have.
   * Changing it is live: nothing stops.
   * @default 0
   */
  readonly minDiskGib?: pulumi.Input<number> | undefined;
  /**
   * Smallest memory in MiB that a flavor must have.
   * Changing it is live: nothing stops.
   * @default 0
   */
  readonly minRamMib?: pulumi.Input<number> | undefined;
  /**
   * Image properties of Nova that filters and the domain read: `hw_machine_type`, `hw_disk_bus`,
   * `hw_vif_model`, `hw_qemu_guest_agent`, `hw_architecture`, …
   * Changing it is live: nothing stops.
   * @default {}
   */
  readonly properties?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
}

export interface ImageDisk {
  /** Absolute path on the machine that runs the stack, or http(s) URL, of the disk image. */
  readonly location: string;
  /** Expected checksum, `sha256:…` or `sha512:…`. Required for a URL. */
  readonly checksum?: string;
  /** Format. It is detected in any case; a wrong statement is an error. */
  readonly format?: "qcow2" | "raw";
}

export interface ImageKernel {
  /** Absolute path on the machine that runs the stack, or http(s) URL, of the kernel. */
  readonly location: string;
  /** Expected checksum, `sha256:…` or `sha512:…`. Required for a URL. */
  readonly checksum?: string;
}

export interface ImageInitrd {
  /** Absolute path on the machine that runs the stack, or http(s) URL, of the initial RAM disk. */
  readonly location: string;
  /** Expected checksum, `sha256:…` or `sha512:…`. Required for a URL. */
  readonly checksum?: string;
}

export interface ImageDiskFacts {
  /** Format that its bytes show. */
  readonly format: "qcow2" | "raw";
  /** Size of the file, bytes. */
  readonly sizeBytes: number;
  /** Size of the disk that a guest sees, bytes. */
  readonly virtualSizeBytes: number;
  /** Checksum of its bytes, `sha256:…`. */
  readonly checksum: string;
}

export interface ImageKernelFacts {
  /** Checksum of its bytes, `sha256:…`. */
  readonly checksum: string;
  /** Size of the file, bytes. */
  readonly sizeBytes: number;
}

export interface ImageInitrdFacts {
  /** Checksum of its bytes, `sha256:…`. */
  readonly checksum: string;
  /** Size of the file, bytes. */
  readonly sizeBytes: number;
}

/**
 * What servers boot: a qcow2 or raw disk, or a kernel with initial RAM disk. Hosts fetch it when the first
 * server needs it, and keep it.
 */
export class Image extends StackyardResource {
  /**
   * Name, unique among the project's images. 1 to 255 printable characters. Default: the resource's name in
   * the stack.
   */
  declare readonly name: pulumi.Output<string>;
  /** Project that owns it. Default: the project you are logged in to. */
  declare readonly project: pulumi.Output<string>;
  /** Disk image, qcow2 or raw. Optional when a kernel is given: servers then start with an empty disk. */
  declare readonly disk: pulumi.Output<ImageDisk | undefined>;
  /** Kernel for direct boot, without a boot loader. */
  declare readonly kernel: pulumi.Output<ImageKernel | undefined>;
  /** Initial RAM disk for direct boot. */
  declare readonly initrd: pulumi.Output<ImageInitrd | undefined>;
  /** Kernel command line for direct boot. Default `console=ttyS0`. */
  declare readonly kernelArguments: pulumi.Output<string>;
  /** Smallest root disk in GiB that a flavor must have. */
  declare readonly minDiskGib: pulumi.Output<number>;
  /** Smallest memory in MiB that a flavor must have. */
  declare readonly minRamMib: pulumi.Output<number>;
  /**
   * Image properties of Nova that filters and the domain read: `hw_machine_type`, `hw_disk_bus`,
   * `hw_vif_model`, `hw_qemu_guest_agent`, `hw_architecture`, …
   */
  declare readonly properties: pulumi.Output<Record<string, string>>;
  /** Format, sizes in bytes and checksum of the disk image, as found. */
  declare readonly diskFacts: pulumi.Output<ImageDiskFacts | undefined>;
  /** Size in bytes and checksum of the kernel. */
  declare readonly kernelFacts: pulumi.Output<ImageKernelFacts | undefined>;
  /** Size in bytes and checksum of the initial RAM disk. */
  declare readonly initrdFacts: pulumi.Output<ImageInitrdFacts | undefined>;

  constructor(name: string, args: ImageArgs = {}, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "image",
      className: "Image",
      properties: [
        "name",
        "project",
        "disk",
        "kernel",
        "initrd",
        "kernelArguments",
        "minDiskGib",
        "minRamMib",
        "properties",
        "diskFacts",
        "kernelFacts",
        "initrdFacts",
      ],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

/** What a {@link Volume} is to be. */
export interface VolumeArgs {
  /**
   * Name, unique among the project's volumes. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly project?: pulumi.Input<string> | Project | undefined;
  /**
   * Free text for people, at most 255 characters.
   * Changing it is live: nothing stops.
   */
  readonly description?: pulumi.Input<string> | undefined;
  /**
   * Type: where it lies, how fast it is, whether servers share it.
   * Takes the {@link VolumeType} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly volumeType: pulumi.Input<string> | VolumeType;
  /**
   * Size in GiB, at least 1. It grows while servers have it, and never shrinks. Needed for a blank volume.
   * Default: as large as its source takes.
   * Changing it is live: nothing stops.
   */
  readonly sizeGib?: pulumi.Input<number> | undefined;
  /**
   * Image whose disk it is made of. At most one of image, snapshot and volume; with none it is blank.
   * Takes the {@link Image} itself, or its id.
   * Changing it is `live` when it is left out: the volume then gets all data of what it lies on; else
   * `data-loss`.
   */
  readonly image?: pulumi.Input<string> | Image | undefined;
  /**
   * Snapshot that it is made of, in the same pool or on the same host: a clone in a pool, a copy of a file.
   * Takes the {@link Snapshot} itself, or its id.
   * Changing it is `live` when it is left out: the volume then gets all data of what it lies on; else
   * `data-loss`.
   */
  readonly snapshot?: pulumi.Input<string> | Snapshot | undefined;
  /**
   * Volume that it is a copy of, in the same pool or on the same host. What servers write meanwhile may be
   * in the copy or not; one in a file is copied while no server has it.
   * Takes the {@link Volume} itself, or its id.
   * Changing it is `live` when it is left out: the volume then gets all data of what it lies on; else
   * `data-loss`.
   */
  readonly volume?: pulumi.Input<string> | Volume | undefined;
  /**
   * Host with its file, and with the servers that can have it. For a type without a pool, and needed there;
   * hosts are the administrator's to name.
   * Takes the {@link Host} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly host?: pulumi.Input<string> | Host | undefined;
}

/**
 * A disk that outlives servers: blank, or made of an image, a snapshot or another volume; in a pool of a
 * Ceph cluster, or in a file on a host.
 */
export class Volume extends StackyardResource {
  /**
   * Name, unique among the project's volumes. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   */
  declare readonly name: pulumi.Output<string>;
  /** Project that owns it. Default: the project you are logged in to. */
  declare readonly project: pulumi.Output<string>;
  /** Free text for people, at most 255 characters. */
  declare readonly description: pulumi.Output<string | undefined>;
  /** Type: where it lies, how fast it is, whether servers share it. */
  declare readonly volumeType: pulumi.Output<string>;
  /** Size that the last apply left it with, GiB. */
  declare readonly sizeGib: pulumi.Output<number>;
  /** Image whose disk it is made of. At most one of image, snapshot and volume; with none it is blank. */
  declare readonly image: pulumi.Output<string | undefined>;
  /**
   * Snapshot that it is made of, in the same pool or on the same host: a clone in a pool, a copy of a file.
   */
  declare readonly snapshot: pulumi.Output<string | undefined>;
  /**
   * Volume that it is a copy of, in the same pool or on the same host. What servers write meanwhile may be
   * in the copy or not; one in a file is copied while no server has it.
   */
  declare readonly volume: pulumi.Output<string | undefined>;
  /**
   * Host with its file, and with the servers that can have it. For a type without a pool, and needed there;
   * hosts are the administrator's to name.
   */
  declare readonly host: pulumi.Output<string | undefined>;
  /** Cinder's status: `in-use` while a server has it, `error` when it is missing or not this cloud's. */
  declare readonly status: pulumi.Output<"available" | "in-use" | "error">;
  /** Whether it was made of an image, be it by way of snapshots and other volumes. */
  declare readonly bootable: pulumi.Output<boolean>;
  /** How it is kept: a qcow2 `file`, or an image of a pool, `rbd`. */
  declare readonly backend: pulumi.Output<"file" | "rbd">;
  /** Where it lies: a path on its host, or `POOL/IMAGE`. */
  declare readonly location: pulumi.Output<string>;
  /** Image whose file in the host's cache its own file lies on. */
  declare readonly baseImage: pulumi.Output<string | undefined>;

  constructor(name: string, args: VolumeArgs, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "volume",
      className: "Volume",
      properties: [
        "name",
        "project",
        "description",
        "volumeType",
        "sizeGib",
        "image",
        "snapshot",
        "volume",
        "host",
        "status",
        "bootable",
        "backend",
        "location",
        "baseImage",
      ],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

/** What a {@link Snapshot} is to be. */
export interface SnapshotArgs {
  /**
   * Name, unique among the project's snapshots. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly project?: pulumi.Input<string> | Project | undefined;
  /**
   * Free text for people, at most 255 characters.
   * Changing it is live: nothing stops.
   */
  readonly description?: pulumi.Input<string> | undefined;
  /**
   * Volume whose content it keeps, as that is when the snapshot is made. In a pool servers may write
   * meanwhile; a file takes one only while no server that is on has it.
   * Takes the {@link Volume} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly volume: pulumi.Input<string> | Volume;
}

/** What a volume held when the snapshot was made: volumes are made of it. The volume stays as long. */
export class Snapshot extends StackyardResource {
  /**
   * Name, unique among the project's snapshots. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   */
  declare readonly name: pulumi.Output<string>;
  /** Project that owns it. Default: the project you are logged in to. */
  declare readonly project: pulumi.Output<string>;
  /** Free text for people, at most 255 characters. */
  declare readonly description: pulumi.Output<string | undefined>;
  /**
   * Volume whose content it keeps, as that is when the snapshot is made. In a pool servers may write
   * meanwhile; a file takes one only while no server that is on has it.
   */
  declare readonly volume: pulumi.Output<string>;
  /** Cinder's status: `error` when it is missing, or its volume is. */
  declare readonly status: pulumi.Output<"available" | "error">;
  /** Size of the volume when the snapshot was made, GiB: the least that a volume of it takes. */
  declare readonly sizeGib: pulumi.Output<number>;

  constructor(name: string, args: SnapshotArgs, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "snapshot",
      className: "Snapshot",
      properties: ["name", "project", "description", "volume", "status", "sizeGib"],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

/** What a {@link Network} is to be. */
export interface NetworkArgs {
  /**
   * Name, unique among the project's networks. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly project?: pulumi.Input<string> | Project | undefined;
  /**
   * Largest packet in bytes. Default 1450: what a 1500-byte underlay leaves after VXLAN or Geneve. Servers
   * take a change when they next start.
   * Changing it is live: nothing stops.
   * @default 1450
   */
  readonly mtuBytes?: pulumi.Input<number> | undefined;
  /**
   * Protocol of its tunnels between hosts: `vxlan` (UDP 4789) or `geneve` (UDP 6081). Default `vxlan`.
   * Changing it replaces the resource: it is removed and made anew.
   * @default "vxlan"
   */
  readonly networkType?: pulumi.Input<"vxlan" | "geneve"> | undefined;
  /**
   * Identifier of the network in its tunnels, 1001 to 5094. Default: a free one.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly vni?: pulumi.Input<number> | undefined;
}

/**
 * A layer 2 network across hosts, carried by VXLAN or Geneve over Open vSwitch. Hosts are wired when the
 * first server needs it.
 */
export class Network extends StackyardResource {
  /**
   * Name, unique among the project's networks. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   */
  declare readonly name: pulumi.Output<string>;
  /** Project that owns it. Default: the project you are logged in to. */
  declare readonly project: pulumi.Output<string>;
  /**
   * Largest packet in bytes. Default 1450: what a 1500-byte underlay leaves after VXLAN or Geneve. Servers
   * take a change when they next start.
   */
  declare readonly mtuBytes: pulumi.Output<number>;
  /** Protocol of its tunnels between hosts: `vxlan` (UDP 4789) or `geneve` (UDP 6081). Default `vxlan`. */
  declare readonly networkType: pulumi.Output<"vxlan" | "geneve">;
  /** Identifier of the network in its tunnels, 1001 to 5094. Default: a free one. */
  declare readonly vni: pulumi.Output<number>;
  /** VLAN tag of the network on each host's integration bridge. */
  declare readonly localVlan: pulumi.Output<number>;

  constructor(name: string, args: NetworkArgs = {}, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "network",
      className: "Network",
      properties: ["name", "project", "mtuBytes", "networkType", "vni", "localVlan"],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

export interface SubnetAllocationPoolsArgs {
  /** First address of the pool. */
  readonly start: pulumi.Input<string>;
  /** Last address of the pool. */
  readonly end: pulumi.Input<string>;
}

/** What a {@link Subnet} is to be. */
export interface SubnetArgs {
  /**
   * Name, unique among the project's subnets. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly project?: pulumi.Input<string> | Project | undefined;
  /**
   * Network that it belongs to.
   * Takes the {@link Network} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly network: pulumi.Input<string> | Network;
  /**
   * Addresses, e.g. `10.0.0.0/24`. IPv4.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly cidr: pulumi.Input<string>;
  /**
   * Default route that DHCP hands out. Default none; the first address is kept free for one. Guests take a
   * change with their next lease.
   * Changing it is live: nothing stops.
   */
  readonly gateway?: pulumi.Input<string> | undefined;
  /**
   * Serve addresses by DHCP. Default true.
   * Changing it is live: nothing stops.
   * @default true
   */
  readonly enableDhcp?: pulumi.Input<boolean> | undefined;
  /**
   * The DHCP servers' own address, the same on every host. Default: the second address.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly dhcpAddress?: pulumi.Input<string> | undefined;
  /**
   * Name servers that DHCP hands out. Default none.
   * Changing it is live: nothing stops.
   * @default []
   */
  readonly dnsServers?: pulumi.Input<pulumi.Input<string>[]> | undefined;
  /**
   * Ranges that addresses are chosen from. Default: all but the first (gateway), the DHCP servers', network
   * and broadcast.
   * Changing it is live: nothing stops.
   */
  readonly allocationPools?: pulumi.Input<pulumi.Input<SubnetAllocationPoolsArgs>[]> | undefined;
}

export interface SubnetAllocationPools {
  /** First address of the pool. */
  readonly start: string;
  /** Last address of the pool. */
  readonly end: string;
}

/** A range of IPv4 addresses on a network, with DHCP on every host that has a port there. */
export class Subnet extends StackyardResource {
  /**
   * Name, unique among the project's subnets. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   */
  declare readonly name: pulumi.Output<string>;
  /** Project that owns it. Default: the project you are logged in to. */
  declare readonly project: pulumi.Output<string>;
  /** Network that it belongs to. */
  declare readonly network: pulumi.Output<string>;
  /** Addresses, e.g. `10.0.0.0/24`. IPv4. */
  declare readonly cidr: pulumi.Output<string>;
  /**
   * Default route that DHCP hands out. Default none; the first address is kept free for one. Guests take a
   * change with their next lease.
   */
  declare readonly gateway: pulumi.Output<string | undefined>;
  /** Serve addresses by DHCP. Default true. */
  declare readonly enableDhcp: pulumi.Output<boolean>;
  /** The DHCP servers' own address, the same on every host. Default: the second address. */
  declare readonly dhcpAddress: pulumi.Output<string>;
  /** Name servers that DHCP hands out. Default none. */
  declare readonly dnsServers: pulumi.Output<string[]>;
  /**
   * Ranges that addresses are chosen from. Default: all but the first (gateway), the DHCP servers', network
   * and broadcast.
   */
  declare readonly allocationPools: pulumi.Output<SubnetAllocationPools[] | undefined>;

  constructor(name: string, args: SubnetArgs, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "subnet",
      className: "Subnet",
      properties: [
        "name",
        "project",
        "network",
        "cidr",
        "gateway",
        "enableDhcp",
        "dhcpAddress",
        "dnsServers",
        "allocationPools",
      ],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

/** What a {@link Port} is to be. */
export interface PortArgs {
  /**
   * Name, unique among the project's ports. 1 to 255 printable characters. Default: the resource's name in
   * the stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly project?: pulumi.Input<string> | Project | undefined;
  /**
   * Network. Default: the subnet's.
   * Takes the {@link Network} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly network?: pulumi.Input<string> | Network | undefined;
  /**
   * Subnet. Default: the network's only one.
   * Takes the {@link Subnet} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly subnet?: pulumi.Input<string> | Subnet | undefined;
  /**
   * Fixed address. Default: a free one of the subnet's pools, shown in the preview.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly address?: pulumi.Input<string> | undefined;
  /**
   * MAC address. Default: derived from the port's id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly mac?: pulumi.Input<string> | undefined;
}

/**
 * A place on a network with a fixed MAC and address. A server takes it; it is wired on the server's host.
 */
export class Port extends StackyardResource {
  /**
   * Name, unique among the project's ports. 1 to 255 printable characters. Default: the resource's name in
   * the stack.
   */
  declare readonly name: pulumi.Output<string>;
  /** Project that owns it. Default: the project you are logged in to. */
  declare readonly project: pulumi.Output<string>;
  /** Network. Default: the subnet's. */
  declare readonly network: pulumi.Output<string>;
  /** Subnet. Default: the network's only one. */
  declare readonly subnet: pulumi.Output<string>;
  /** Fixed address. Default: a free one of the subnet's pools, shown in the preview. */
  declare readonly address: pulumi.Output<string>;
  /** MAC address. Default: derived from the port's id. */
  declare readonly mac: pulumi.Output<string>;

  constructor(name: string, args: PortArgs = {}, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "port",
      className: "Port",
      properties: ["name", "project", "network", "subnet", "address", "mac"],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

/** What a {@link ServerGroup} is to be. */
export interface ServerGroupArgs {
  /**
   * Name. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly project?: pulumi.Input<string> | Project | undefined;
  /**
   * `affinity`: all on one host; `anti-affinity`: each on another; the `soft-` ones prefer that, and
   * otherwise place the server anyway.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly policy: pulumi.Input<"affinity" | "anti-affinity" | "soft-affinity" | "soft-anti-affinity">;
  /**
   * With `anti-affinity`: how many servers of the group one host may have. Default 1. A change concerns
   * servers placed later.
   * Changing it is live: nothing stops.
   */
  readonly maxServersPerHost?: pulumi.Input<number> | undefined;
}

/** Keeps its servers together on one host, or apart on different hosts. */
export class ServerGroup extends StackyardResource {
  /** Name. 1 to 255 printable characters. Default: the resource's name in the stack. */
  declare readonly name: pulumi.Output<string>;
  /** Project that owns it. Default: the project you are logged in to. */
  declare readonly project: pulumi.Output<string>;
  /**
   * `affinity`: all on one host; `anti-affinity`: each on another; the `soft-` ones prefer that, and
   * otherwise place the server anyway.
   */
  declare readonly policy: pulumi.Output<
    "affinity" | "anti-affinity" | "soft-affinity" | "soft-anti-affinity"
  >;
  /**
   * With `anti-affinity`: how many servers of the group one host may have. Default 1. A change concerns
   * servers placed later.
   */
  declare readonly maxServersPerHost: pulumi.Output<number | undefined>;

  constructor(name: string, args: ServerGroupArgs, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "server-group",
      className: "ServerGroup",
      properties: ["name", "project", "policy", "maxServersPerHost"],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

export interface ServerBootVolumeArgs {
  /**
   * Volume that is there, of this server alone. It outlives the server.
   * Takes the {@link Volume} itself, or its id.
   */
  readonly volume?: pulumi.Input<string> | Volume | undefined;
  /**
   * Type of a volume that the server makes for itself of its image: in the type's pool, or in a file on the
   * server's host. Without `volume`.
   * Takes the {@link VolumeType} itself, or its id.
   */
  readonly volumeType?: pulumi.Input<string> | VolumeType | undefined;
  /**
   * Size in GiB of the volume that it makes, at least what the image needs. It grows while the server runs,
   * and never shrinks. Default: the flavor's disk, or what the image needs, whichever is more; kept when
   * the flavor changes.
   */
  readonly sizeGib?: pulumi.Input<number> | undefined;
  /**
   * Whether the volume that it makes goes with the server, be that removed or replaced. With false it stays
   * as a volume of the project, which keeps its type and its image in use until it is removed or imported.
   * A stack that refers to the volume, as a snapshot does, declares it and names it in `volume`. Default
   * true.
   */
  readonly deleteOnTermination?: pulumi.Input<boolean> | undefined;
}

export interface ServerNetworksArgs {
  /**
   * A port to take. Without it the server has a port of its own here.
   * Takes the {@link Port} itself, or its id.
   */
  readonly port?: pulumi.Input<string> | Port | undefined;
  /**
   * Network for a port of its own. Default: the subnet's.
   * Takes the {@link Network} itself, or its id.
   */
  readonly network?: pulumi.Input<string> | Network | undefined;
  /**
   * Subnet for a port of its own. Default: the network's only one.
   * Takes the {@link Subnet} itself, or its id.
   */
  readonly subnet?: pulumi.Input<string> | Subnet | undefined;
  /** Fixed address of a port of its own. Default: a free one, shown in the preview. */
  readonly address?: pulumi.Input<string> | undefined;
  /** MAC address of a port of its own. Default: derived from the server's id. */
  readonly mac?: pulumi.Input<string> | undefined;
}

export interface ServerTimeoutsArgs {
  /**
   * Limit until it runs. In seconds, default 60.
   * @default 60
   */
  readonly running?: pulumi.Input<number> | undefined;
  /**
   * Limit from there until its address is seen. In seconds, default 300.
   * @default 300
   */
  readonly address?: pulumi.Input<number> | undefined;
  /**
   * Limit from there until SSH answers. In seconds, default 300.
   * @default 300
   */
  readonly ssh?: pulumi.Input<number> | undefined;
  /**
   * Limit from there until cloud-init is done. In seconds, default 600.
   * @default 600
   */
  readonly cloudInit?: pulumi.Input<number> | undefined;
  /**
   * Limit for a clean shutdown before power off (nova: shutdown_timeout). In seconds, default 60.
   * @default 60
   */
  readonly shutdown?: pulumi.Input<number> | undefined;
}

/** What a {@link Server} is to be. */
export interface ServerArgs {
  /**
   * Name, unique among the project's servers. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly project?: pulumi.Input<string> | Project | undefined;
  /**
   * Host name that the guest is told at every boot. cloud-init takes it, unless `preserve_hostname` is set
   * or somebody changed it in the guest. Default: made of the name (nova: utils.sanitize_hostname), and
   * kept when that changes.
   * Changing it is `reboot` while the server runs, `live` while it does not.
   */
  readonly hostname?: pulumi.Input<string> | undefined;
  /**
   * Size. A change keeps host and disk, grows the disk, and power-cycles the server (nova: resize).
   * Takes the {@link Flavor} itself, or its id.
   * Changing it restarts the server (power cycle).
   */
  readonly flavor: pulumi.Input<string> | Flavor;
  /**
   * What it boots. The root disk is made of it, or the volume that it boots. Needed unless it boots a
   * volume that is there.
   * Takes the {@link Image} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly image?: pulumi.Input<string> | Image | undefined;
  /**
   * Volume that is its root disk: one that is there, in place of an image, or one that the server makes of
   * its image. Kernel and properties come from the image that the volume was made of.
   * Changing it is `live` for `sizeGib` and `deleteOnTermination`; else `replace`, or `data-loss` where the
   * root disk goes with the server.
   */
  readonly bootVolume?: pulumi.Input<ServerBootVolumeArgs> | undefined;
  /**
   * Key that may log in. Guests take it at their first boot only.
   * Takes the {@link Keypair} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly keypair?: pulumi.Input<string> | Keypair | undefined;
  /**
   * Interfaces, in order. Default none.
   * Changing it restarts the server (power cycle).
   * @default []
   */
  readonly networks?: pulumi.Input<pulumi.Input<ServerNetworksArgs>[]> | undefined;
  /**
   * Group whose policy places it together with, or apart from, its members.
   * Takes the {@link ServerGroup} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly serverGroup?: pulumi.Input<string> | ServerGroup | undefined;
  /**
   * Zone whose hosts may take it. Default any.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly availabilityZone?: pulumi.Input<string> | undefined;
  /**
   * Hints for filters, as Nova's: `same_host`, `different_host`, `query`, … Used when it is placed.
   * Changing it replaces the resource, and the data on it is lost.
   * @default {}
   */
  readonly schedulerHints?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
  /**
   * Script or cloud-config for the first boot and no other, at most 49151 bytes. The guest and the cloud's
   * store keep it readable: put no secret here.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly userData?: pulumi.Input<string> | undefined;
  /**
   * Whether it runs, and comes back when its host boots. Default true.
   * Changing it is `restart` when it stops, `live` when it starts.
   * @default true
   */
  readonly running?: pulumi.Input<boolean> | undefined;
  /**
   * How far it must be before it counts as made: `running`, `address` (its lease or ARP is seen), `ssh` (a
   * banner), `cloud-init` (done). Default `running`.
   * Changing it is live: nothing stops.
   * @default "running"
   */
  readonly waitFor?: pulumi.Input<"running" | "address" | "ssh" | "cloud-init"> | undefined;
  /**
   * Limits of each rung, in seconds.
   * Changing it is live: nothing stops.
   */
  readonly timeouts?: pulumi.Input<ServerTimeoutsArgs> | undefined;
}

export interface ServerBootVolume {
  /** Volume that is there, of this server alone. It outlives the server. */
  readonly volume?: string;
  /**
   * Type of a volume that the server makes for itself of its image: in the type's pool, or in a file on the
   * server's host. Without `volume`.
   */
  readonly volumeType?: string;
  /**
   * Size in GiB of the volume that it makes, at least what the image needs. It grows while the server runs,
   * and never shrinks. Default: the flavor's disk, or what the image needs, whichever is more; kept when
   * the flavor changes.
   */
  readonly sizeGib?: number;
  /**
   * Whether the volume that it makes goes with the server, be that removed or replaced. With false it stays
   * as a volume of the project, which keeps its type and its image in use until it is removed or imported.
   * A stack that refers to the volume, as a snapshot does, declares it and names it in `volume`. Default
   * true.
   */
  readonly deleteOnTermination?: boolean;
}

export interface ServerNetworks {
  /** A port to take. Without it the server has a port of its own here. */
  readonly port?: string;
  /** Network for a port of its own. Default: the subnet's. */
  readonly network?: string;
  /** Subnet for a port of its own. Default: the network's only one. */
  readonly subnet?: string;
  /** Fixed address of a port of its own. Default: a free one, shown in the preview. */
  readonly address?: string;
  /** MAC address of a port of its own. Default: derived from the server's id. */
  readonly mac?: string;
}

export interface ServerTimeouts {
  /** Limit until it runs. In seconds, default 60. */
  readonly running: number;
  /** Limit from there until its address is seen. In seconds, default 300. */
  readonly address: number;
  /** Limit from there until SSH answers. In seconds, default 300. */
  readonly ssh: number;
  /** Limit from there until cloud-init is done. In seconds, default 600. */
  readonly cloudInit: number;
  /** Limit for a clean shutdown before power off (nova: shutdown_timeout). In seconds, default 60. */
  readonly shutdown: number;
}

export interface ServerInterfaces {
  /** Id of the port. */
  readonly port: string;
  /** Id of the network. */
  readonly network: string;
  /** Id of the subnet. */
  readonly subnet: string;
  /** Address. */
  readonly address: string;
  /** MAC address. */
  readonly mac: string;
}

export interface ServerCachedImageParent {
  /** Pool of the Ceph cluster. */
  readonly pool: string;
  /** RBD image. */
  readonly image: string;
  /** Snapshot that root disks are cloned from. */
  readonly snapshot: string;
}

export interface ServerCachedImage {
  /** Disk image on the host. */
  readonly diskPath?: string;
  /** Kernel on the host. */
  readonly kernelPath?: string;
  /** Initial RAM disk on the host. */
  readonly initrdPath?: string;
  /** Disk image in a Ceph cluster. */
  readonly parent?: ServerCachedImageParent;
}

export interface ServerBlockDevices {
  /** Device name in the guest. */
  readonly device: string;
  /**
   * What it was made of: the image, nothing, or the disk of the domain that was adopted; or `volume`, for
   * one that is declared.
   */
  readonly source: "image" | "blank" | "adopted" | "volume";
  /** Where it lives: `local`, on the host, `pool`, in a Ceph cluster, or `volume`, wherever that lies. */
  readonly destination: "local" | "pool" | "volume";
  /** Id of the pool that it is in. */
  readonly storagePool?: string;
  /** Id of the volume that it is. */
  readonly volume?: string;
  /** Size, GiB. */
  readonly sizeGib: number;
  /** Size that the last apply left it with, bytes. A disk that was grown by hand keeps its size. */
  readonly sizeBytes?: number;
}

export interface ServerMigration {
  /** `live`: it runs all the time; `evacuation`: its host is lost. */
  readonly kind: "live" | "evacuation";
  /** Id of the host that it leaves. */
  readonly fromHostId: string;
  /** Id of the host that it moves to. */
  readonly toHostId: string;
  /** How long a `live` move may take. */
  readonly limitSeconds?: number;
  /** Whether the host that is lost is being shut out: from then on there is no way back. */
  readonly isFencing?: boolean;
}

export interface ServerAdoptedFrom {
  /** Id of the host that it was on. */
  readonly hostId: string;
  /** Name that it had there. Its uuid is the server's id. */
  readonly domain: string;
  /** SHA-256 of its definition without secrets. */
  readonly fingerprint: string;
  /** Where its disk was. */
  readonly diskPath: string;
  /** Format that its disk had. */
  readonly diskFormat: string;
  /** How its disk came here: moved, or copied; then the original is where it was. */
  readonly transfer: "move" | "copy";
  /** Size that its disk had, bytes. */
  readonly diskBytes: number;
}

/** A virtual machine, placed by the scheduler on one of the cloud's hosts. */
export class Server extends StackyardResource {
  /**
   * Name, unique among the project's servers. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   */
  declare readonly name: pulumi.Output<string>;
  /** Project that owns it. Default: the project you are logged in to. */
  declare readonly project: pulumi.Output<string>;
  /**
   * Host name that the guest is told at every boot. cloud-init takes it, unless `preserve_hostname` is set
   * or somebody changed it in the guest. Default: made of the name (nova: utils.sanitize_hostname), and
   * kept when that changes.
   */
  declare readonly hostname: pulumi.Output<string>;
  /** Size. A change keeps host and disk, grows the disk, and power-cycles the server (nova: resize). */
  declare readonly flavor: pulumi.Output<string>;
  /**
   * What it boots. The root disk is made of it, or the volume that it boots. Needed unless it boots a
   * volume that is there.
   */
  declare readonly image: pulumi.Output<string | undefined>;
  /**
   * Volume that is its root disk: one that is there, in place of an image, or one that the server makes of
   * its image. Kernel and properties come from the image that the volume was made of.
   */
  declare readonly bootVolume: pulumi.Output<ServerBootVolume | undefined>;
  /** Key that may log in. Guests take it at their first boot only. */
  declare readonly keypair: pulumi.Output<string | undefined>;
  /** Interfaces, in order. Default none. */
  declare readonly networks: pulumi.Output<ServerNetworks[]>;
  /** Group whose policy places it together with, or apart from, its members. */
  declare readonly serverGroup: pulumi.Output<string | undefined>;
  /** Zone whose hosts may take it. Default any. */
  declare readonly availabilityZone: pulumi.Output<string | undefined>;
  /** Hints for filters, as Nova's: `same_host`, `different_host`, `query`, … Used when it is placed. */
  declare readonly schedulerHints: pulumi.Output<Record<string, string>>;
  /**
   * Script or cloud-config for the first boot and no other, at most 49151 bytes. The guest and the cloud's
   * store keep it readable: put no secret here.
   */
  declare readonly userData: pulumi.Output<string | undefined>;
  /** Whether it runs, and comes back when its host boots. Default true. */
  declare readonly running: pulumi.Output<boolean>;
  /**
   * How far it must be before it counts as made: `running`, `address` (its lease or ARP is seen), `ssh` (a
   * banner), `cloud-init` (done). Default `running`.
   */
  declare readonly waitFor: pulumi.Output<"running" | "address" | "ssh" | "cloud-init">;
  /** Limits of each rung, in seconds. */
  declare readonly timeouts: pulumi.Output<ServerTimeouts>;
  /** Status as OpenStack shows it. */
  declare readonly status: pulumi.Output<"BUILD" | "ACTIVE" | "SHUTOFF" | "PAUSED" | "SUSPENDED" | "ERROR">;
  /** Id of the host it is on. */
  declare readonly hostId: pulumi.Output<string>;
  /** Name of the host it is on. */
  declare readonly host: pulumi.Output<string>;
  /** First address. */
  declare readonly address: pulumi.Output<string | undefined>;
  /** Interfaces with their addresses, in order. */
  declare readonly interfaces: pulumi.Output<ServerInterfaces[]>;
  /** Files of the image in the host's cache, and where it is in a Ceph cluster. */
  declare readonly cachedImage: pulumi.Output<ServerCachedImage>;
  /** Disks, in order. */
  declare readonly blockDevices: pulumi.Output<ServerBlockDevices[]>;
  /** When it first ran, ISO 8601. */
  declare readonly launchedAt: pulumi.Output<string>;
  /** The move between hosts that it is in. Absent for a server that stays. */
  declare readonly migration: pulumi.Output<ServerMigration | undefined>;
  /** The domain that it was before `stackyard server adopt`. Absent for one that was made here. */
  declare readonly adoptedFrom: pulumi.Output<ServerAdoptedFrom | undefined>;

  constructor(name: string, args: ServerArgs, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "server",
      className: "Server",
      properties: [
        "name",
        "project",
        "hostname",
        "flavor",
        "image",
        "bootVolume",
        "keypair",
        "networks",
        "serverGroup",
        "availabilityZone",
        "schedulerHints",
        "userData",
        "running",
        "waitFor",
        "timeouts",
        "status",
        "hostId",
        "host",
        "address",
        "interfaces",
        "cachedImage",
        "blockDevices",
        "launchedAt",
        "migration",
        "adoptedFrom",
      ],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

export interface VolumeAttachmentTimeoutsArgs {
  /**
   * Limit in seconds until the guest has let go. Default 60.
   * @default 60
   */
  readonly detach?: pulumi.Input<number> | undefined;
}

/** What a {@link VolumeAttachment} is to be. */
export interface VolumeAttachmentArgs {
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly project?: pulumi.Input<string> | Project | undefined;
  /**
   * Server that has the volume.
   * Takes the {@link Server} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly server: pulumi.Input<string> | Server;
  /**
   * Volume. The file of a volume lies on one host: the server must be there.
   * Takes the {@link Volume} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly volume: pulumi.Input<string> | Volume;
  /**
   * Device name in the guest. Default: the first that no other attachment of the server has, shown in the
   * preview.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly device?: pulumi.Input<string> | undefined;
  /**
   * Whether the guest may only read. Default false.
   * Changing it replaces the resource: it is removed and made anew.
   * @default false
   */
  readonly readOnly?: pulumi.Input<boolean> | undefined;
  /**
   * Whether other servers may have the volume at the same time: only where its type has `multiattach`.
   * Default: as its type says.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly shared?: pulumi.Input<boolean> | undefined;
  /**
   * Limits, in seconds.
   * Changing it is live: nothing stops.
   */
  readonly timeouts?: pulumi.Input<VolumeAttachmentTimeoutsArgs> | undefined;
}

export interface VolumeAttachmentTimeouts {
  /** Limit in seconds until the guest has let go. Default 60. */
  readonly detach: number;
}

/**
 * A volume that a server has as a further disk: plugged in and out while it runs, under a device name that
 * stays.
 */
export class VolumeAttachment extends StackyardResource {
  /** Project that owns it. Default: the project you are logged in to. */
  declare readonly project: pulumi.Output<string>;
  /** Server that has the volume. */
  declare readonly server: pulumi.Output<string>;
  /** Volume. The file of a volume lies on one host: the server must be there. */
  declare readonly volume: pulumi.Output<string>;
  /**
   * Device name in the guest. Default: the first that no other attachment of the server has, shown in the
   * preview.
   */
  declare readonly device: pulumi.Output<string>;
  /** Whether the guest may only read. Default false. */
  declare readonly readOnly: pulumi.Output<boolean>;
  /**
   * Whether other servers may have the volume at the same time: only where its type has `multiattach`.
   * Default: as its type says.
   */
  declare readonly shared: pulumi.Output<boolean>;
  /** Limits, in seconds. */
  declare readonly timeouts: pulumi.Output<VolumeAttachmentTimeouts>;
  /** Id of the host that the server is on. */
  declare readonly hostId: pulumi.Output<string>;
  /**
   * Where a guest with udev finds the disk, whatever its device is called there: by the first 20 characters
   * of the volume's id.
   */
  declare readonly guestPath: pulumi.Output<string>;

  constructor(name: string, args: VolumeAttachmentArgs, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "volume-attachment",
      className: "VolumeAttachment",
      properties: [
        "project",
        "server",
        "volume",
        "device",
        "readOnly",
        "shared",
        "timeouts",
        "hostId",
        "guestPath",
      ],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}
