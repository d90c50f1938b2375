// Generated from the definitions by providers/engines/cdktf/generate.ts. Do not edit.
import { ComplexObject, type IResolvable, type TerraformMetaArguments } from "cdktn";
import type { Construct } from "constructs";
import { OutputList, StackyardDataSource, StackyardProviderBase, StackyardResource } from "./resource.gen.ts";

/** How the provider reaches the cloud; what is left out is the environment's. */
export interface StackyardProviderConfig {
  /** Name of the cloud: a folder in STACKYARD_HOME. Default: STACKYARD_CLOUD. */
  readonly cloud?: string | undefined;
  /** User. Default: STACKYARD_USERNAME. */
  readonly username?: string | undefined;
  /** Password of the user. Default: STACKYARD_PASSWORD. */
  readonly password?: string | undefined;
  /** File that holds the password. Default: STACKYARD_PASSWORD_FILE. */
  readonly passwordFile?: string | undefined;
  /** Project by name or id. Default: STACKYARD_PROJECT. */
  readonly project?: string | undefined;
  /**
   * What plans tell administrators of what would be done on the hosts, as warnings: off, brief or full.
   * Default: STACKYARD_PREVIEW.
   */
  readonly preview?: string | undefined;
  /**
   * Tells the resources of this configuration from those of others in the same cloud; ids follow from it.
   * Default: STACKYARD_STACK, else the working directory and the workspace.
   */
  readonly stack?: string | undefined;
  /** Name among several configurations of the provider. */
  readonly alias?: string | undefined;
}

/** The provider, which every stack needs: `new StackyardProvider(this, "stackyard")`. */
export class StackyardProvider extends StackyardProviderBase {
  constructor(scope: Construct, id: string, config: StackyardProviderConfig = {}) {
    super(scope, id, config);
  }
}

export interface ProjectQuota {
  /**
   * Most servers that the project may have; -1 for no limit. Default 10.
   * @default 10
   */
  readonly instances?: number | undefined;
  /**
   * Most virtual processors that its servers may have together; -1 for no limit. Default 20.
   * @default 20
   */
  readonly cores?: number | undefined;
  /**
   * Most memory in MiB that its servers may have together; -1 for no limit. Default 51200.
   * @default 51200
   */
  readonly ramMib?: number | undefined;
  /**
   * Most key pairs that it may have; -1 for no limit. Default 100.
   * @default 100
   */
  readonly keyPairs?: number | undefined;
  /**
   * Most server groups that it may have; -1 for no limit. Default 10.
   * @default 10
   */
  readonly serverGroups?: number | undefined;
  /**
   * Most servers that each of its server groups may have; -1 for no limit. Default 10.
   * @default 10
   */
  readonly serverGroupMembers?: number | undefined;
  /**
   * Most networks that it may have; -1 for no limit. Default 100.
   * @default 100
   */
  readonly networks?: number | undefined;
  /**
   * Most subnets that it may have; -1 for no limit. Default 100.
   * @default 100
   */
  readonly subnets?: number | undefined;
  /**
   * Most ports that it may have, those of its servers' own included; -1 for no limit. Default 500.
   * @default 500
   */
  readonly ports?: number | undefined;
  /**
   * Most volumes that it may have; -1 for no limit. Default 10.
   * @default 10
   */
  readonly volumes?: number | undefined;
  /**
   * Most snapshots of volumes that it may have; -1 for no limit. Default 10.
   * @default 10
   */
  readonly snapshots?: number | undefined;
  /**
   * Most size in GiB that its volumes and snapshots may have together; -1 for no limit. Default 1000.
   * @default 1000
   */
  readonly gigabytes?: number | undefined;
}

/** `quota` of a {@link Project}, as found. */
export class ProjectQuotaOutput extends ComplexObject {
  /** Most servers that the project may have; -1 for no limit. Default 10. */
  get instances(): number {
    return this.getNumberAttribute("instances");
  }
  /** Most virtual processors that its servers may have together; -1 for no limit. Default 20. */
  get cores(): number {
    return this.getNumberAttribute("cores");
  }
  /** Most memory in MiB that its servers may have together; -1 for no limit. Default 51200. */
  get ramMib(): number {
    return this.getNumberAttribute("ram_mib");
  }
  /** Most key pairs that it may have; -1 for no limit. Default 100. */
  get keyPairs(): number {
    return this.getNumberAttribute("key_pairs");
  }
  /** Most server groups that it may have; -1 for no limit. Default 10. */
  get serverGroups(): number {
    return this.getNumberAttribute("server_groups");
  }
  /** Most servers that each of its server groups may have; -1 for no limit. Default 10. */
  get serverGroupMembers(): number {
    return this.getNumberAttribute("server_group_members");
  }
  /** Most networks that it may have; -1 for no limit. Default 100. */
  get networks(): number {
    return this.getNumberAttribute("networks");
  }
  /** Most subnets that it may have; -1 for no limit. Default 100. */
  get subnets(): number {
    return this.getNumberAttribute("subnets");
  }
  /** Most ports that it may have, those of its servers' own included; -1 for no limit. Default 500. */
  get ports(): number {
    return this.getNumberAttribute("ports");
  }
  /** Most volumes that it may have; -1 for no limit. Default 10. */
  get volumes(): number {
    return this.getNumberAttribute("volumes");
  }
  /** Most snapshots of volumes that it may have; -1 for no limit. Default 10. */
  get snapshots(): number {
    return this.getNumberAttribute("snapshots");
  }
  /** Most size in GiB that its volumes and snapshots may have together; -1 for no limit. Default 1000. */
  get gigabytes(): number {
    return this.getNumberAttribute("gigabytes");
  }
}

/** What a {@link Project} is to be. */
export interface ProjectConfig extends TerraformMetaArguments {
  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Free text for people, at most 255 characters.
   * Changing it is live: nothing stops.
   */
  readonly description?: string | undefined;
  /**
   * Whether users may log in to it. Tokens of a disabled project stop working at once; its servers go on
   * running. Default true.
   * Changing it is live: nothing stops.
   * @default true
   */
  readonly enabled?: boolean | IResolvable | undefined;
  /**
   * Limits of the project, by OpenStack's quotas. A lower limit stops only what is new or grows.
   * Changing it is live: nothing stops.
   * @default
   * {"instances":10,"cores":20,"ramMib":51200,"keyPairs":100,"serverGroups":10,"serverGroupMembers":10,"networks":100,"subnets":100,"ports":500,"volumes":10,"snapshots":10,"gigabytes":1000}
   */
  readonly quota?: ProjectQuota | IResolvable | undefined;
}

/** Owns servers, networks and what belongs to them, within a quota. Terraform's `stackyard_project`. */
export class Project extends StackyardResource {
  static readonly tfResourceType = "stackyard_project";

  constructor(scope: Construct, id: string, config: ProjectConfig = {}) {
    const shape = { type: Project.tfResourceType, objects: { quota: {} } };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Free text for people, at most 255 characters. */
  get description(): string {
    return this.getStringAttribute("description");
  }

  /**
   * Whether users may log in to it. Tokens of a disabled project stop working at once; its servers go on
   * running. Default true.
   */
  get enabled(): IResolvable {
    return this.getBooleanAttribute("enabled");
  }

  /** Limits of the project, by OpenStack's quotas. A lower limit stops only what is new or grows. */
  get quota(): ProjectQuotaOutput {
    return new ProjectQuotaOutput(this, "quota", false);
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataProject} is found by. */
export interface DataProjectConfig extends TerraformMetaArguments {
  /** The id of the project. */
  readonly id?: string | undefined;
  /** The name of the project. */
  readonly name?: string | undefined;
}

/** Finds a {@link Project} that something else has made. */
export class DataProject extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_project";

  constructor(scope: Construct, id: string, config: DataProjectConfig = {}) {
    const shape = { type: DataProject.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Free text for people, at most 255 characters. */
  get description(): string {
    return this.getStringAttribute("description");
  }

  /**
   * Whether users may log in to it. Tokens of a disabled project stop working at once; its servers go on
   * running. Default true.
   */
  get enabled(): IResolvable {
    return this.getBooleanAttribute("enabled");
  }

  /** Limits of the project, by OpenStack's quotas. A lower limit stops only what is new or grows. */
  get quota(): ProjectQuotaOutput {
    return new ProjectQuotaOutput(this, "quota", false);
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link User} is to be. */
export interface UserConfig extends TerraformMetaArguments {
  /**
   * Login name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the
   * stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Password, 1 to 4096 characters. Changing it ends the user's sessions. It is kept in the state;
   * `passwordWo` is not. Give one of the two.
   */
  readonly password?: string | undefined;
  /**
   * As `password`, but kept neither in the plan nor in the state. Needs Terraform or OpenTofu 1.11, and
   * `passwordWoVersion`.
   */
  readonly passwordWo?: string | undefined;
  /** Any number; a change of it says that `passwordWo` has changed. */
  readonly passwordWoVersion?: number | undefined;
  /**
   * Project of a login that names none. Default: the only project where the user has a role.
   * Takes the {@link Project} itself, or its id.
   * Changing it is live: nothing stops.
   */
  readonly defaultProject?: Project | DataProject | string | undefined;
  /**
   * Address for people; nothing is sent to it.
   * Changing it is live: nothing stops.
   */
  readonly email?: string | undefined;
  /**
   * Free text for people, at most 255 characters.
   * Changing it is live: nothing stops.
   */
  readonly description?: string | undefined;
  /**
   * Whether the user may log in. Tokens of a disabled user stop working at once. Default true.
   * Changing it is live: nothing stops.
   * @default true
   */
  readonly enabled?: boolean | IResolvable | undefined;
}

/**
 * Logs in with a name and a password; role assignments say what the user may do. Terraform's
 * `stackyard_user`.
 */
export class User extends StackyardResource {
  static readonly tfResourceType = "stackyard_user";

  constructor(scope: Construct, id: string, config: UserConfig = {}) {
    const shape = { type: User.tfResourceType, objects: {} };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Login name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the
   * stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /**
   * Password, 1 to 4096 characters. Changing it ends the user's sessions.
   * Secret: an output of it must be sensitive.
   */
  get password(): string {
    return this.getStringAttribute("password");
  }

  /** Any number; a change of it says that `password_wo` has changed. */
  get passwordWoVersion(): number {
    return this.getNumberAttribute("password_wo_version");
  }

  /** Project of a login that names none. Default: the only project where the user has a role. */
  get defaultProject(): string {
    return this.getStringAttribute("default_project");
  }

  /** Address for people; nothing is sent to it. */
  get email(): string {
    return this.getStringAttribute("email");
  }

  /** Free text for people, at most 255 characters. */
  get description(): string {
    return this.getStringAttribute("description");
  }

  /** Whether the user may log in. Tokens of a disabled user stop working at once. Default true. */
  get enabled(): IResolvable {
    return this.getBooleanAttribute("enabled");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataUser} is found by. */
export interface DataUserConfig extends TerraformMetaArguments {
  /** The id of the user. */
  readonly id?: string | undefined;
  /** The name of the user. */
  readonly name?: string | undefined;
}

/** Finds a {@link User} that something else has made. */
export class DataUser extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_user";

  constructor(scope: Construct, id: string, config: DataUserConfig = {}) {
    const shape = { type: DataUser.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Login name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the
   * stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project of a login that names none. Default: the only project where the user has a role. */
  get defaultProject(): string {
    return this.getStringAttribute("default_project");
  }

  /** Address for people; nothing is sent to it. */
  get email(): string {
    return this.getStringAttribute("email");
  }

  /** Free text for people, at most 255 characters. */
  get description(): string {
    return this.getStringAttribute("description");
  }

  /** Whether the user may log in. Tokens of a disabled user stop working at once. Default true. */
  get enabled(): IResolvable {
    return this.getBooleanAttribute("enabled");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link RoleAssignment} is to be. */
export interface RoleAssignmentConfig extends TerraformMetaArguments {
  /**
   * User who gets the role.
   * Takes the {@link User} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly user: User | DataUser | string;
  /**
   * Project on which the user gets it. Default: the whole cloud, every project included.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly project?: Project | DataProject | string | undefined;
  /**
   * `reader` sees, `member` also creates, changes and removes, `admin` also administers; each includes
   * those before it. Only `admin` on the whole cloud changes users, projects, flavors and hosts.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly role: "reader" | "member" | "admin" | (string & Record<never, never>);
}

/** Gives a user a role on one project, or on the whole cloud. Terraform's `stackyard_role_assignment`. */
export class RoleAssignment extends StackyardResource {
  static readonly tfResourceType = "stackyard_role_assignment";

  constructor(scope: Construct, id: string, config: RoleAssignmentConfig) {
    const shape = { type: RoleAssignment.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /** User who gets the role. */
  get user(): string {
    return this.getStringAttribute("user");
  }

  /** Project on which the user gets it. Default: the whole cloud, every project included. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /**
   * `reader` sees, `member` also creates, changes and removes, `admin` also administers; each includes
   * those before it. Only `admin` on the whole cloud changes users, projects, flavors and hosts.
   */
  get role(): string {
    return this.getStringAttribute("role");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataRoleAssignment} is found by. */
export interface DataRoleAssignmentConfig extends TerraformMetaArguments {
  /** The id of the role-assignment. */
  readonly id?: string | undefined;
}

/** Finds a {@link RoleAssignment} that something else has made. */
export class DataRoleAssignment extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_role_assignment";

  constructor(scope: Construct, id: string, config: DataRoleAssignmentConfig = {}) {
    const shape = { type: DataRoleAssignment.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /** User who gets the role. */
  get user(): string {
    return this.getStringAttribute("user");
  }

  /** Project on which the user gets it. Default: the whole cloud, every project included. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /**
   * `reader` sees, `member` also creates, changes and removes, `admin` also administers; each includes
   * those before it. Only `admin` on the whole cloud changes users, projects, flavors and hosts.
   */
  get role(): string {
    return this.getStringAttribute("role");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link Host} is to be. */
export interface HostConfig extends TerraformMetaArguments {
  /**
   * Name in the cloud, unique. Default: the resource's name in the stack.
   * Changing it replaces the resource: it is removed and made anew.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * `ssh`, or `local` for the machine that runs the stack. Default `ssh`.
   * Changing it is live: nothing stops.
   * @default "ssh"
   */
  readonly transport?: "ssh" | "local" | (string & Record<never, never>) | undefined;
  /**
   * Name or address that ssh connects to; `~/.ssh/config`, the agent and ProxyJump are honoured.
   * Changing it is live: nothing stops.
   */
  readonly address: string;
  /**
   * SSH port. Default 22, or what ssh_config says.
   * Changing it is live: nothing stops.
   */
  readonly port?: number | undefined;
  /**
   * SSH user; needs root's rights. Default root, or what ssh_config says.
   * Changing it is live: nothing stops.
   */
  readonly user?: string | undefined;
  /**
   * Private key file. Default: the agent, then ssh_config's.
   * Changing it is live: nothing stops.
   */
  readonly identityFile?: string | undefined;
  /**
   * File of trusted host keys. Default `~/.ssh/known_hosts`.
   * Changing it is live: nothing stops.
   */
  readonly knownHostsFile?: string | undefined;
  /**
   * Jump hosts, as ssh's ProxyJump.
   * Changing it is live: nothing stops.
   */
  readonly proxyJump?: string | undefined;
  /**
   * Own address for tunnels to the other hosts with its prefix length, e.g. `10.0.0.1/24`. IPv4.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly tunnelAddress: string;
  /**
   * Interface for tunnels. Needed with the userspace datapath, where it moves into the bridge
   * `br-underlay`.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly tunnelInterface?: string | undefined;
  /**
   * Open vSwitch datapath: `system` (kernel) or `netdev` (userspace). Default: `system` where the kernel
   * has it.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly datapath?: "system" | "netdev" | (string & Record<never, never>) | undefined;
  /**
   * `kvm`, or `qemu` for emulation. Default: `kvm` where it works.
   * Changing it is live: nothing stops.
   */
  readonly virtType?: "kvm" | "qemu" | (string & Record<never, never>) | undefined;
  /**
   * Folder on the host for images and disks. Default `/var/lib/libvirt/images/stackyard`.
   * Changing it replaces the resource: it is removed and made anew.
   * @default "/var/lib/libvirt/images/stackyard"
   */
  readonly folder?: string | undefined;
  /**
   * What of libvirt, QEMU, Open vSwitch and Ceph's client is missing on Debian: `install` installs it by
   * apt and starts services, `require` refuses the host. Removing the host leaves packages installed.
   * Default `install`.
   * Changing it is live: nothing stops.
   * @default "install"
   */
  readonly packages?: "install" | "require" | (string & Record<never, never>) | undefined;
  /**
   * Mirror of the host's distribution to install from, a URL as the host reaches it:
   * `http://mirror.lan/debian`, or `file:/srv/debian` on the host itself. Default: the host's own sources.
   * Changing it is live: nothing stops.
   */
  readonly packageMirror?: string | undefined;
  /**
   * Availability zone. Default `nova`.
   * Changing it is live: nothing stops.
   * @default "nova"
   */
  readonly availabilityZone?: string | undefined;
  /**
   * Whether new servers may be placed here. Default true.
   * Changing it is live: nothing stops.
   * @default true
   */
  readonly enabled?: boolean | IResolvable | undefined;
}

/**
 * A KVM host, reached over SSH. Enrolling checks it, installs what is missing, wires Open vSwitch, measures
 * it and marks it as this cloud's. Terraform's `stackyard_host`.
 */
export class Host extends StackyardResource {
  static readonly tfResourceType = "stackyard_host";

  constructor(scope: Construct, id: string, config: HostConfig) {
    const shape = { type: Host.tfResourceType, objects: {} };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /** Name in the cloud, unique. Default: the resource's name in the stack. */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** `ssh`, or `local` for the machine that runs the stack. Default `ssh`. */
  get transport(): string {
    return this.getStringAttribute("transport");
  }

  /** Name or address that ssh connects to; `~/.ssh/config`, the agent and ProxyJump are honoured. */
  get address(): string {
    return this.getStringAttribute("address");
  }

  /** SSH port. Default 22, or what ssh_config says. */
  get port(): number {
    return this.getNumberAttribute("port");
  }

  /** SSH user; needs root's rights. Default root, or what ssh_config says. */
  get user(): string {
    return this.getStringAttribute("user");
  }

  /** Private key file. Default: the agent, then ssh_config's. */
  get identityFile(): string {
    return this.getStringAttribute("identity_file");
  }

  /** File of trusted host keys. Default `~/.ssh/known_hosts`. */
  get knownHostsFile(): string {
    return this.getStringAttribute("known_hosts_file");
  }

  /** Jump hosts, as ssh's ProxyJump. */
  get proxyJump(): string {
    return this.getStringAttribute("proxy_jump");
  }

  /** Own address for tunnels to the other hosts with its prefix length, e.g. `10.0.0.1/24`. IPv4. */
  get tunnelAddress(): string {
    return this.getStringAttribute("tunnel_address");
  }

  /**
   * Interface for tunnels. Needed with the userspace datapath, where it moves into the bridge
   * `br-underlay`.
   */
  get tunnelInterface(): string {
    return this.getStringAttribute("tunnel_interface");
  }

  /**
   * Open vSwitch datapath: `system` (kernel) or `netdev` (userspace). Default: `system` where the kernel
   * has it.
   */
  get datapath(): string {
    return this.getStringAttribute("datapath");
  }

  /** `kvm`, or `qemu` for emulation. Default: `kvm` where it works. */
  get virtType(): string {
    return this.getStringAttribute("virt_type");
  }

  /** Folder on the host for images and disks. Default `/var/lib/libvirt/images/stackyard`. */
  get folder(): string {
    return this.getStringAttribute("folder");
  }

  /**
   * What of libvirt, QEMU, Open vSwitch and Ceph's client is missing on Debian: `install` installs it by
   * apt and starts services, `require` refuses the host. Removing the host leaves packages installed.
   * Default `install`.
   */
  get packages(): string {
    return this.getStringAttribute("packages");
  }

  /**
   * Mirror of the host's distribution to install from, a URL as the host reaches it:
   * `http://mirror.lan/debian`, or `file:/srv/debian` on the host itself. Default: the host's own sources.
   */
  get packageMirror(): string {
    return this.getStringAttribute("package_mirror");
  }

  /** Availability zone. Default `nova`. */
  get availabilityZone(): string {
    return this.getStringAttribute("availability_zone");
  }

  /** Whether new servers may be placed here. Default true. */
  get enabled(): IResolvable {
    return this.getBooleanAttribute("enabled");
  }

  /** Datapath in use. */
  get activeDatapath(): string {
    return this.getStringAttribute("active_datapath");
  }

  /** Domain type in use. */
  get activeVirtType(): string {
    return this.getStringAttribute("active_virt_type");
  }

  /** CPU architecture, e.g. `x86_64`. */
  get architecture(): string {
    return this.getStringAttribute("architecture");
  }

  /** CPU cores. */
  get vcpus(): number {
    return this.getNumberAttribute("vcpus");
  }

  /** Memory, MiB. */
  get ramMib(): number {
    return this.getNumberAttribute("ram_mib");
  }

  /** Size of the folder's file system, GiB. */
  get diskGib(): number {
    return this.getNumberAttribute("disk_gib");
  }

  /** QEMU version as Nova writes it: 7002000 is 7.2.0. */
  get hypervisorVersion(): number {
    return this.getNumberAttribute("hypervisor_version");
  }

  /** libvirt version. */
  get libvirtVersion(): string {
    return this.getStringAttribute("libvirt_version");
  }

  /** Open vSwitch version. */
  get openvswitchVersion(): string {
    return this.getStringAttribute("openvswitch_version");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataHost} is found by. */
export interface DataHostConfig extends TerraformMetaArguments {
  /** The id of the host. */
  readonly id?: string | undefined;
  /** The name of the host. */
  readonly name?: string | undefined;
}

/** Finds a {@link Host} that something else has made. */
export class DataHost extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_host";

  constructor(scope: Construct, id: string, config: DataHostConfig = {}) {
    const shape = { type: DataHost.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /** Name in the cloud, unique. Default: the resource's name in the stack. */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** `ssh`, or `local` for the machine that runs the stack. Default `ssh`. */
  get transport(): string {
    return this.getStringAttribute("transport");
  }

  /** Name or address that ssh connects to; `~/.ssh/config`, the agent and ProxyJump are honoured. */
  get address(): string {
    return this.getStringAttribute("address");
  }

  /** SSH port. Default 22, or what ssh_config says. */
  get port(): number {
    return this.getNumberAttribute("port");
  }

  /** SSH user; needs root's rights. Default root, or what ssh_config says. */
  get user(): string {
    return this.getStringAttribute("user");
  }

  /** Private key file. Default: the agent, then ssh_config's. */
  get identityFile(): string {
    return this.getStringAttribute("identity_file");
  }

  /** File of trusted host keys. Default `~/.ssh/known_hosts`. */
  get knownHostsFile(): string {
    return this.getStringAttribute("known_hosts_file");
  }

  /** Jump hosts, as ssh's ProxyJump. */
  get proxyJump(): string {
    return this.getStringAttribute("proxy_jump");
  }

  /** Own address for tunnels to the other hosts with its prefix length, e.g. `10.0.0.1/24`. IPv4. */
  get tunnelAddress(): string {
    return this.getStringAttribute("tunnel_address");
  }

  /**
   * Interface for tunnels. Needed with the userspace datapath, where it moves into the bridge
   * `br-underlay`.
   */
  get tunnelInterface(): string {
    return this.getStringAttribute("tunnel_interface");
  }

  /**
   * Open vSwitch datapath: `system` (kernel) or `netdev` (userspace). Default: `system` where the kernel
   * has it.
   */
  get datapath(): string {
    return this.getStringAttribute("datapath");
  }

  /** `kvm`, or `qemu` for emulation. Default: `kvm` where it works. */
  get virtType(): string {
    return this.getStringAttribute("virt_type");
  }

  /** Folder on the host for images and disks. Default `/var/lib/libvirt/images/stackyard`. */
  get folder(): string {
    return this.getStringAttribute("folder");
  }

  /**
   * What of libvirt, QEMU, Open vSwitch and Ceph's client is missing on Debian: `install` installs it by
   * apt and starts services, `require` refuses the host. Removing the host leaves packages installed.
   * Default `install`.
   */
  get packages(): string {
    return this.getStringAttribute("packages");
  }

  /**
   * Mirror of the host's distribution to install from, a URL as the host reaches it:
   * `http://mirror.lan/debian`, or `file:/srv/debian` on the host itself. Default: the host's own sources.
   */
  get packageMirror(): string {
    return this.getStringAttribute("package_mirror");
  }

  /** Availability zone. Default `nova`. */
  get availabilityZone(): string {
    return this.getStringAttribute("availability_zone");
  }

  /** Whether new servers may be placed here. Default true. */
  get enabled(): IResolvable {
    return this.getBooleanAttribute("enabled");
  }

  /** Datapath in use. */
  get activeDatapath(): string {
    return this.getStringAttribute("active_datapath");
  }

  /** Domain type in use. */
  get activeVirtType(): string {
    return this.getStringAttribute("active_virt_type");
  }

  /** CPU architecture, e.g. `x86_64`. */
  get architecture(): string {
    return this.getStringAttribute("architecture");
  }

  /** CPU cores. */
  get vcpus(): number {
    return this.getNumberAttribute("vcpus");
  }

  /** Memory, MiB. */
  get ramMib(): number {
    return this.getNumberAttribute("ram_mib");
  }

  /** Size of the folder's file system, GiB. */
  get diskGib(): number {
    return this.getNumberAttribute("disk_gib");
  }

  /** QEMU version as Nova writes it: 7002000 is 7.2.0. */
  get hypervisorVersion(): number {
    return this.getNumberAttribute("hypervisor_version");
  }

  /** libvirt version. */
  get libvirtVersion(): string {
    return this.getStringAttribute("libvirt_version");
  }

  /** Open vSwitch version. */
  get openvswitchVersion(): string {
    return this.getStringAttribute("openvswitch_version");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link CephCluster} is to be. */
export interface CephClusterConfig extends TerraformMetaArguments {
  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Addresses of its monitors as the hosts reach them: `10.0.2.1`, where both of Ceph's ports are tried, or
   * `10.0.2.1:6789`.
   * Changing it is live: nothing stops.
   */
  readonly monitors: readonly string[];
  /**
   * Its fsid, as `ceph fsid` prints it. A cluster that answers with another is refused.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly fsid: string;
  /**
   * User that sets it up, without `client.`: it makes pools, and users of the cloud's own that can do less.
   * Default `admin`.
   * Changing it is live: nothing stops.
   * @default "admin"
   */
  readonly user?: string | undefined;
  /**
   * Keyring with that user's key, an absolute path on the machine that runs the stack. The key is sent to
   * the first client when there is something to set up, and kept nowhere.
   * Changing it is live: nothing stops.
   */
  readonly keyringFile: string;
  /**
   * Hosts whose servers may have disks in it. Each gets a ceph.conf, keyrings of the cloud's own users and
   * a libvirt secret. Commands to the cluster run on the first.
   * Takes {@link Host} constructs, or their ids.
   * Changing it is live: nothing stops.
   */
  readonly hosts: readonly (Host | DataHost | string)[];
}

/**
 * A Ceph cluster that is there already, and the hosts that are its clients. The cloud works on it as users
 * of its own, which can do no more than they need. Terraform's `stackyard_ceph_cluster`.
 */
export class CephCluster extends StackyardResource {
  static readonly tfResourceType = "stackyard_ceph_cluster";

  constructor(scope: Construct, id: string, config: CephClusterConfig) {
    const shape = { type: CephCluster.tfResourceType, objects: {} };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /**
   * Addresses of its monitors as the hosts reach them: `10.0.2.1`, where both of Ceph's ports are tried, or
   * `10.0.2.1:6789`.
   */
  get monitors(): string[] {
    return this.getListAttribute("monitors");
  }

  /** Its fsid, as `ceph fsid` prints it. A cluster that answers with another is refused. */
  get fsid(): string {
    return this.getStringAttribute("fsid");
  }

  /**
   * User that sets it up, without `client.`: it makes pools, and users of the cloud's own that can do less.
   * Default `admin`.
   */
  get user(): string {
    return this.getStringAttribute("user");
  }

  /**
   * Keyring with that user's key, an absolute path on the machine that runs the stack. The key is sent to
   * the first client when there is something to set up, and kept nowhere.
   */
  get keyringFile(): string {
    return this.getStringAttribute("keyring_file");
  }

  /**
   * Hosts whose servers may have disks in it. Each gets a ceph.conf, keyrings of the cloud's own users and
   * a libvirt secret. Commands to the cluster run on the first.
   */
  get hosts(): string[] {
    return this.getListAttribute("hosts");
  }

  /** Version of Ceph, e.g. `16.2.15`. */
  get version(): string {
    return this.getStringAttribute("version");
  }

  /** Ids of the hosts that are set up as its clients. */
  get clientHosts(): string[] {
    return this.getListAttribute("client_hosts");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataCephCluster} is found by. */
export interface DataCephClusterConfig extends TerraformMetaArguments {
  /** The id of the ceph-cluster. */
  readonly id?: string | undefined;
  /** The name of the ceph-cluster. */
  readonly name?: string | undefined;
}

/** Finds a {@link CephCluster} that something else has made. */
export class DataCephCluster extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_ceph_cluster";

  constructor(scope: Construct, id: string, config: DataCephClusterConfig = {}) {
    const shape = { type: DataCephCluster.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /**
   * Addresses of its monitors as the hosts reach them: `10.0.2.1`, where both of Ceph's ports are tried, or
   * `10.0.2.1:6789`.
   */
  get monitors(): string[] {
    return this.getListAttribute("monitors");
  }

  /** Its fsid, as `ceph fsid` prints it. A cluster that answers with another is refused. */
  get fsid(): string {
    return this.getStringAttribute("fsid");
  }

  /**
   * User that sets it up, without `client.`: it makes pools, and users of the cloud's own that can do less.
   * Default `admin`.
   */
  get user(): string {
    return this.getStringAttribute("user");
  }

  /**
   * Keyring with that user's key, an absolute path on the machine that runs the stack. The key is sent to
   * the first client when there is something to set up, and kept nowhere.
   */
  get keyringFile(): string {
    return this.getStringAttribute("keyring_file");
  }

  /**
   * Hosts whose servers may have disks in it. Each gets a ceph.conf, keyrings of the cloud's own users and
   * a libvirt secret. Commands to the cluster run on the first.
   */
  get hosts(): string[] {
    return this.getListAttribute("hosts");
  }

  /** Version of Ceph, e.g. `16.2.15`. */
  get version(): string {
    return this.getStringAttribute("version");
  }

  /** Ids of the hosts that are set up as its clients. */
  get clientHosts(): string[] {
    return this.getListAttribute("client_hosts");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link StoragePool} is to be. */
export interface StoragePoolConfig extends TerraformMetaArguments {
  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Cluster that it is in.
   * Takes the {@link CephCluster} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly cluster: CephCluster | DataCephCluster | string;
  /**
   * What it holds: `images` (Glance), `volumes` (Cinder) or `vms`, the root disks of servers (Nova). The
   * caps of the cloud's users follow from it.
   * Changing it is live: nothing stops.
   */
  readonly content: "images" | "volumes" | "vms" | (string & Record<never, never>);
  /**
   * Name in the cluster. Default: what it holds. A pool that is there and not this cloud's is refused.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly pool?: string | undefined;
  /**
   * Pool of the same cluster that images are brought into, once, when the first disk or volume here is
   * cloned from them. Default: this pool.
   * Takes the {@link StoragePool} itself, or its id.
   * Changing it is live: nothing stops.
   */
  readonly imagePool?: StoragePool | DataStoragePool | string | undefined;
  /**
   * Hosts whose servers have their root disks here unless their flavor says otherwise (nova:
   * `libvirt.images_type`). Servers that are there stay as they are. Default none.
   * Takes {@link Host} constructs, or their ids.
   * Changing it is live: nothing stops.
   * @default []
   */
  readonly hosts?: readonly (Host | DataHost | string)[] | undefined;
  /**
   * Copies of each object, 1 to 10. Default: as the cluster is set.
   * Changing it is live: nothing stops.
   */
  readonly size?: number | undefined;
  /**
   * Placement groups. Default: as the cluster is set.
   * Changing it is live: nothing stops.
   */
  readonly pgCount?: number | undefined;
}

/**
 * A pool of a Ceph cluster: for images, volumes or root disks. It is made, marked as this cloud's, and
 * removed only when nothing is in it. Terraform's `stackyard_storage_pool`.
 */
export class StoragePool extends StackyardResource {
  static readonly tfResourceType = "stackyard_storage_pool";

  constructor(scope: Construct, id: string, config: StoragePoolConfig) {
    const shape = { type: StoragePool.tfResourceType, objects: {} };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Cluster that it is in. */
  get cluster(): string {
    return this.getStringAttribute("cluster");
  }

  /**
   * What it holds: `images` (Glance), `volumes` (Cinder) or `vms`, the root disks of servers (Nova). The
   * caps of the cloud's users follow from it.
   */
  get content(): string {
    return this.getStringAttribute("content");
  }

  /** Name in the cluster. Default: what it holds. A pool that is there and not this cloud's is refused. */
  get pool(): string {
    return this.getStringAttribute("pool");
  }

  /**
   * Pool of the same cluster that images are brought into, once, when the first disk or volume here is
   * cloned from them. Default: this pool.
   */
  get imagePool(): string {
    return this.getStringAttribute("image_pool");
  }

  /**
   * Hosts whose servers have their root disks here unless their flavor says otherwise (nova:
   * `libvirt.images_type`). Servers that are there stay as they are. Default none.
   */
  get hosts(): string[] {
    return this.getListAttribute("hosts");
  }

  /** Copies of each object, 1 to 10. Default: as the cluster is set. */
  get size(): number {
    return this.getNumberAttribute("size");
  }

  /** Placement groups. Default: as the cluster is set. */
  get pgCount(): number {
    return this.getNumberAttribute("pg_count");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataStoragePool} is found by. */
export interface DataStoragePoolConfig extends TerraformMetaArguments {
  /** The id of the storage-pool. */
  readonly id?: string | undefined;
  /** The name of the storage-pool. */
  readonly name?: string | undefined;
}

/** Finds a {@link StoragePool} that something else has made. */
export class DataStoragePool extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_storage_pool";

  constructor(scope: Construct, id: string, config: DataStoragePoolConfig = {}) {
    const shape = { type: DataStoragePool.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Cluster that it is in. */
  get cluster(): string {
    return this.getStringAttribute("cluster");
  }

  /**
   * What it holds: `images` (Glance), `volumes` (Cinder) or `vms`, the root disks of servers (Nova). The
   * caps of the cloud's users follow from it.
   */
  get content(): string {
    return this.getStringAttribute("content");
  }

  /** Name in the cluster. Default: what it holds. A pool that is there and not this cloud's is refused. */
  get pool(): string {
    return this.getStringAttribute("pool");
  }

  /**
   * Pool of the same cluster that images are brought into, once, when the first disk or volume here is
   * cloned from them. Default: this pool.
   */
  get imagePool(): string {
    return this.getStringAttribute("image_pool");
  }

  /**
   * Hosts whose servers have their root disks here unless their flavor says otherwise (nova:
   * `libvirt.images_type`). Servers that are there stay as they are. Default none.
   */
  get hosts(): string[] {
    return this.getListAttribute("hosts");
  }

  /** Copies of each object, 1 to 10. Default: as the cluster is set. */
  get size(): number {
    return this.getNumberAttribute("size");
  }

  /** Placement groups. Default: as the cluster is set. */
  get pgCount(): number {
    return this.getNumberAttribute("pg_count");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
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

/** `encryption` of a {@link VolumeType}, as found. */
export class VolumeTypeEncryptionOutput extends ComplexObject {
  /**
   * File with the passphrase, an absolute path on the machine that runs the stack: one line of 32 to 512
   * characters, made by a machine (`openssl rand -base64 48`), closed to everybody else. It is read when a
   * volume is made, changed or given to a server, sent to that host alone, and kept in its libvirt while a
   * server there has the volume.
   */
  get keyFile(): string {
    return this.getStringAttribute("key_file");
  }
}

export interface VolumeTypeQos {
  /** Bytes read and written a second. Default no limit. */
  readonly totalBytesSec?: number | undefined;
  /** Bytes read a second. Default no limit. */
  readonly readBytesSec?: number | undefined;
  /** Bytes written a second. Default no limit. */
  readonly writeBytesSec?: number | undefined;
  /** Reads and writes a second. Default no limit. */
  readonly totalIopsSec?: number | undefined;
  /** Reads a second. Default no limit. */
  readonly readIopsSec?: number | undefined;
  /** Writes a second. Default no limit. */
  readonly writeIopsSec?: number | undefined;
}

/** `qos` of a {@link VolumeType}, as found. */
export class VolumeTypeQosOutput extends ComplexObject {
  /** Bytes read and written a second. Default no limit. */
  get totalBytesSec(): number {
    return this.getNumberAttribute("total_bytes_sec");
  }
  /** Bytes read a second. Default no limit. */
  get readBytesSec(): number {
    return this.getNumberAttribute("read_bytes_sec");
  }
  /** Bytes written a second. Default no limit. */
  get writeBytesSec(): number {
    return this.getNumberAttribute("write_bytes_sec");
  }
  /** Reads and writes a second. Default no limit. */
  get totalIopsSec(): number {
    return this.getNumberAttribute("total_iops_sec");
  }
  /** Reads a second. Default no limit. */
  get readIopsSec(): number {
    return this.getNumberAttribute("read_iops_sec");
  }
  /** Writes a second. Default no limit. */
  get writeIopsSec(): number {
    return this.getNumberAttribute("write_iops_sec");
  }
}

/** What a {@link VolumeType} is to be. */
export interface VolumeTypeConfig extends TerraformMetaArguments {
  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Free text for people, at most 255 characters.
   * Changing it is live: nothing stops.
   */
  readonly description?: string | undefined;
  /**
   * Pool that its volumes are in, one for `volumes`. Default: each is a qcow2 file on a host.
   * Takes the {@link StoragePool} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly storagePool?: StoragePool | DataStoragePool | string | undefined;
  /**
   * Encrypts what guests write, as LUKS (cinder: provider `luks`): QEMU on the server's host does it, and
   * the pool or the file holds ciphertext. All volumes of the type have one passphrase; without it their
   * data is lost. Default none.
   * Changing it is `live` when only `keyFile` changes: the file must hold the same passphrase; else
   * `replace`.
   */
  readonly encryption?: VolumeTypeEncryption | IResolvable | undefined;
  /**
   * Limits of each of its volumes in a server. A change concerns volumes that are attached later, and
   * servers at their next power cycle. Default none.
   * Changing it is live: nothing stops.
   */
  readonly qos?: VolumeTypeQos | IResolvable | undefined;
  /**
   * Whether several servers may have one of its volumes at a time: their guests need a file system that is
   * made for that. A change concerns volumes that are attached later. Default false.
   * Changing it is live: nothing stops.
   * @default false
   */
  readonly multiattach?: boolean | IResolvable | undefined;
}

/**
 * A kind of volumes: in a pool of a Ceph cluster or in files on hosts, how fast, whether encrypted, and
 * whether several servers may have one. Terraform's `stackyard_volume_type`.
 */
export class VolumeType extends StackyardResource {
  static readonly tfResourceType = "stackyard_volume_type";

  constructor(scope: Construct, id: string, config: VolumeTypeConfig = {}) {
    const shape = { type: VolumeType.tfResourceType, objects: { encryption: {}, qos: {} } };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Free text for people, at most 255 characters. */
  get description(): string {
    return this.getStringAttribute("description");
  }

  /** Pool that its volumes are in, one for `volumes`. Default: each is a qcow2 file on a host. */
  get storagePool(): string {
    return this.getStringAttribute("storage_pool");
  }

  /**
   * Encrypts what guests write, as LUKS (cinder: provider `luks`): QEMU on the server's host does it, and
   * the pool or the file holds ciphertext. All volumes of the type have one passphrase; without it their
   * data is lost. Default none.
   */
  get encryption(): VolumeTypeEncryptionOutput {
    return new VolumeTypeEncryptionOutput(this, "encryption", false);
  }

  /**
   * Limits of each of its volumes in a server. A change concerns volumes that are attached later, and
   * servers at their next power cycle. Default none.
   */
  get qos(): VolumeTypeQosOutput {
    return new VolumeTypeQosOutput(this, "qos", false);
  }

  /**
   * Whether several servers may have one of its volumes at a time: their guests need a file system that is
   * made for that. A change concerns volumes that are attached later. Default false.
   */
  get multiattach(): IResolvable {
    return this.getBooleanAttribute("multiattach");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataVolumeType} is found by. */
export interface DataVolumeTypeConfig extends TerraformMetaArguments {
  /** The id of the volume-type. */
  readonly id?: string | undefined;
  /** The name of the volume-type. */
  readonly name?: string | undefined;
}

/** Finds a {@link VolumeType} that something else has made. */
export class DataVolumeType extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_volume_type";

  constructor(scope: Construct, id: string, config: DataVolumeTypeConfig = {}) {
    const shape = { type: DataVolumeType.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Free text for people, at most 255 characters. */
  get description(): string {
    return this.getStringAttribute("description");
  }

  /** Pool that its volumes are in, one for `volumes`. Default: each is a qcow2 file on a host. */
  get storagePool(): string {
    return this.getStringAttribute("storage_pool");
  }

  /**
   * Encrypts what guests write, as LUKS (cinder: provider `luks`): QEMU on the server's host does it, and
   * the pool or the file holds ciphertext. All volumes of the type have one passphrase; without it their
   * data is lost. Default none.
   */
  get encryption(): VolumeTypeEncryptionOutput {
    return new VolumeTypeEncryptionOutput(this, "encryption", false);
  }

  /**
   * Limits of each of its volumes in a server. A change concerns volumes that are attached later, and
   * servers at their next power cycle. Default none.
   */
  get qos(): VolumeTypeQosOutput {
    return new VolumeTypeQosOutput(this, "qos", false);
  }

  /**
   * Whether several servers may have one of its volumes at a time: their guests need a file system that is
   * made for that. A change concerns volumes that are attached later. Default false.
   */
  get multiattach(): IResolvable {
    return this.getBooleanAttribute("multiattach");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link Flavor} is to be. */
export interface FlavorConfig extends TerraformMetaArguments {
  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Free text for people, at most 255 characters.
   * Changing it is live: nothing stops.
   */
  readonly description?: string | undefined;
  /**
   * Virtual processors, at least 1.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly vcpus: number;
  /**
   * Memory in MiB, at least 1.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly ramMib: number;
  /**
   * Root disk in GiB; 0 takes the size of the image. Default 0.
   * Changing it replaces the resource: it is removed and made anew.
   * @default 0
   */
  readonly diskGib?: number | undefined;
  /**
   * Pool of a Ceph cluster that root disks are in; servers are then placed on its clients. Default: a pool
   * with the server's host among its `hosts`, else a file on the host.
   * Takes the {@link StoragePool} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly storagePool?: StoragePool | DataStoragePool | string | undefined;
  /**
   * Nova's extra specs, e.g. `hw:cpu_policy`, `resources:VCPU`, `trait:HW_CPU_X86_AVX2`. A change concerns
   * servers made or resized later.
   * Changing it is live: nothing stops.
   * @default {}
   */
  readonly extraSpecs?: Readonly<Record<string, string>> | undefined;
}

/** A size of servers: processors, memory, disk. Terraform's `stackyard_flavor`. */
export class Flavor extends StackyardResource {
  static readonly tfResourceType = "stackyard_flavor";

  constructor(scope: Construct, id: string, config: FlavorConfig) {
    const shape = { type: Flavor.tfResourceType, objects: {} };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Free text for people, at most 255 characters. */
  get description(): string {
    return this.getStringAttribute("description");
  }

  /** Virtual processors, at least 1. */
  get vcpus(): number {
    return this.getNumberAttribute("vcpus");
  }

  /** Memory in MiB, at least 1. */
  get ramMib(): number {
    return this.getNumberAttribute("ram_mib");
  }

  /** Root disk in GiB; 0 takes the size of the image. Default 0. */
  get diskGib(): number {
    return this.getNumberAttribute("disk_gib");
  }

  /**
   * Pool of a Ceph cluster that root disks are in; servers are then placed on its clients. Default: a pool
   * with the server's host among its `hosts`, else a file on the host.
   */
  get storagePool(): string {
    return this.getStringAttribute("storage_pool");
  }

  /**
   * Nova's extra specs, e.g. `hw:cpu_policy`, `resources:VCPU`, `trait:HW_CPU_X86_AVX2`. A change concerns
   * servers made or resized later.
   */
  get extraSpecs(): Record<string, string> {
    return this.getStringMapAttribute("extra_specs");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataFlavor} is found by. */
export interface DataFlavorConfig extends TerraformMetaArguments {
  /** The id of the flavor. */
  readonly id?: string | undefined;
  /** The name of the flavor. */
  readonly name?: string | undefined;
}

/** Finds a {@link Flavor} that something else has made. */
export class DataFlavor extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_flavor";

  constructor(scope: Construct, id: string, config: DataFlavorConfig = {}) {
    const shape = { type: DataFlavor.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique in the cloud. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Free text for people, at most 255 characters. */
  get description(): string {
    return this.getStringAttribute("description");
  }

  /** Virtual processors, at least 1. */
  get vcpus(): number {
    return this.getNumberAttribute("vcpus");
  }

  /** Memory in MiB, at least 1. */
  get ramMib(): number {
    return this.getNumberAttribute("ram_mib");
  }

  /** Root disk in GiB; 0 takes the size of the image. Default 0. */
  get diskGib(): number {
    return this.getNumberAttribute("disk_gib");
  }

  /**
   * Pool of a Ceph cluster that root disks are in; servers are then placed on its clients. Default: a pool
   * with the server's host among its `hosts`, else a file on the host.
   */
  get storagePool(): string {
    return this.getStringAttribute("storage_pool");
  }

  /**
   * Nova's extra specs, e.g. `hw:cpu_policy`, `resources:VCPU`, `trait:HW_CPU_X86_AVX2`. A change concerns
   * servers made or resized later.
   */
  get extraSpecs(): Record<string, string> {
    return this.getStringMapAttribute("extra_specs");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link Keypair} is to be. */
export interface KeypairConfig extends TerraformMetaArguments {
  /**
   * Name, unique in the project. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly project?: Project | DataProject | string | undefined;
  /**
   * Public key in OpenSSH's one-line format, as in `id_ed25519.pub`. Default: an ed25519 pair is generated.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly publicKey?: string | undefined;
}

/**
 * An SSH key that servers let in: your own public key, or a pair that is generated. Terraform's
 * `stackyard_keypair`.
 */
export class Keypair extends StackyardResource {
  static readonly tfResourceType = "stackyard_keypair";

  constructor(scope: Construct, id: string, config: KeypairConfig = {}) {
    const shape = { type: Keypair.tfResourceType, objects: {} };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique in the project. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /** Public key in OpenSSH's one-line format. */
  get publicKey(): string {
    return this.getStringAttribute("public_key");
  }

  /** Algorithm of the key, e.g. `ssh-ed25519`. */
  get algorithm(): string {
    return this.getStringAttribute("algorithm");
  }

  /** SHA-256 fingerprint, as `ssh-keygen -l` shows it. */
  get fingerprint(): string {
    return this.getStringAttribute("fingerprint");
  }

  /**
   * Private key in OpenSSH's format, if the pair was generated. Given once and not kept by the cloud.
   * Secret: an output of it must be sensitive.
   */
  get privateKey(): string {
    return this.getStringAttribute("private_key");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataKeypair} is found by. */
export interface DataKeypairConfig extends TerraformMetaArguments {
  /** The id of the keypair. */
  readonly id?: string | undefined;
  /** The name of the keypair. */
  readonly name?: string | undefined;
}

/** Finds a {@link Keypair} that something else has made. */
export class DataKeypair extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_keypair";

  constructor(scope: Construct, id: string, config: DataKeypairConfig = {}) {
    const shape = { type: DataKeypair.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique in the project. 1 to 255 printable characters. Default: the resource's name in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /** Public key in OpenSSH's one-line format. */
  get publicKey(): string {
    return this.getStringAttribute("public_key");
  }

  /** Algorithm of the key, e.g. `ssh-ed25519`. */
  get algorithm(): string {
    return this.getStringAttribute("algorithm");
  }

  /** SHA-256 fingerprint, as `ssh-keygen -l` shows it. */
  get fingerprint(): string {
    return this.getStringAttribute("fingerprint");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

export interface ImageDisk {
  /** Absolute path on the machine that runs the stack, or http(s) URL, of the disk image. */
  readonly location: string;
  /** Expected checksum, `sha256:…` or `sha512:…`. Required for a URL. */
  readonly checksum?: string | undefined;
  /** Format. It is detected in any case; a wrong statement is an error. */
  readonly format?: "qcow2" | "raw" | (string & Record<never, never>) | undefined;
}

/** `disk` of a {@link Image}, as found. */
export class ImageDiskOutput extends ComplexObject {
  /** Absolute path on the machine that runs the stack, or http(s) URL, of the disk image. */
  get location(): string {
    return this.getStringAttribute("location");
  }
  /** Expected checksum, `sha256:…` or `sha512:…`. Required for a URL. */
  get checksum(): string {
    return this.getStringAttribute("checksum");
  }
  /** Format. It is detected in any case; a wrong statement is an error. */
  get format(): string {
    return this.getStringAttribute("format");
  }
}

export interface ImageKernel {
  /** Absolute path on the machine that runs the stack, or http(s) URL, of the kernel. */
  readonly location: string;
  /** Expected checksum, `sha256:…` or `sha512:…`. Required for a URL. */
  readonly checksum?: string | undefined;
}

/** `kernel` of a {@link Image}, as found. */
export class ImageKernelOutput extends ComplexObject {
  /** Absolute path on the machine that runs the stack, or http(s) URL, of the kernel. */
  get location(): string {
    return this.getStringAttribute("location");
  }
  /** Expected checksum, `sha256:…` or `sha512:…`. Required for a URL. */
  get checksum(): string {
    return this.getStringAttribute("checksum");
  }
}

export interface ImageInitrd {
  /** Absolute path on the machine that runs the stack, or http(s) URL, of the initial RAM disk. */
  readonly location: string;
  /** Expected checksum, `sha256:…` or `sha512:…`. Required for a URL. */
  readonly checksum?: string | undefined;
}

/** `initrd` of a {@link Image}, as found. */
export class ImageInitrdOutput extends ComplexObject {
  /** Absolute path on the machine that runs the stack, or http(s) URL, of the initial RAM disk. */
  get location(): string {
    return this.getStringAttribute("location");
  }
  /** Expected checksum, `sha256:…` or `sha512:…`. Required for a URL. */
  get checksum(): string {
    return this.getStringAttribute("checksum");
  }
}

/** `diskFacts` of a {@link Image}, as found. */
export class ImageDiskFactsOutput extends ComplexObject {
  /** Format that its bytes show. */
  get format(): string {
    return this.getStringAttribute("format");
  }
  /** Size of the file, bytes. */
  get sizeBytes(): number {
    return this.getNumberAttribute("size_bytes");
  }
  /** Size of the disk that a guest sees, bytes. */
  get virtualSizeBytes(): number {
    return this.getNumberAttribute("virtual_size_bytes");
  }
  /** Checksum of its bytes, `sha256:…`. */
  get checksum(): string {
    return this.getStringAttribute("checksum");
  }
}

/** `kernelFacts` of a {@link Image}, as found. */
export class ImageKernelFactsOutput extends ComplexObject {
  /** Checksum of its bytes, `sha256:…`. */
  get checksum(): string {
    return this.getStringAttribute("checksum");
  }
  /** Size of the file, bytes. */
  get sizeBytes(): number {
    return this.getNumberAttribute("size_bytes");
  }
}

/** `initrdFacts` of a {@link Image}, as found. */
export class ImageInitrdFactsOutput extends ComplexObject {
  /** Checksum of its bytes, `sha256:…`. */
  get checksum(): string {
    return this.getStringAttribute("checksum");
  }
  /** Size of the file, bytes. */
  get sizeBytes(): number {
    return this.getNumberAttribute("size_bytes");
  }
}

/** What a {@link Image} is to be. */
export interface ImageConfig extends TerraformMetaArguments {
  /**
   * Name, unique among the project's images. 1 to 255 printable characters. Default: the resource's name in
   * the stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly project?: Project | DataProject | string | undefined;
  /**
   * Disk image, qcow2 or raw. Optional when a kernel is given: servers then start with an empty disk.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly disk?: ImageDisk | IResolvable | undefined;
  /**
   * Kernel for direct boot, without a boot loader.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly kernel?: ImageKernel | IResolvable | undefined;
  /**
   * Initial RAM disk for direct boot.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly initrd?: ImageInitrd | IResolvable | undefined;
  /**
   * Kernel command line for direct boot. Default `console=ttyS0`.
   * Changing it replaces the resource: it is removed and made anew.
   * @default "console=ttyS0"
   */
  readonly kernelArguments?: string | undefined;
  /**
   * Smallest root disk in GiB that a flavor must have.
   * Changing it is live: nothing stops.
   * @default 0
   */
  readonly minDiskGib?: number | undefined;
  /**
   * Smallest memory in MiB that a flavor must have.
   * Changing it is live: nothing stops.
   * @default 0
   */
  readonly minRamMib?: number | undefined;
  /**
   * Image properties of Nova that filters and the domain read: `hw_machine_type`, `hw_disk_bus`,
   * `hw_vif_model`, `hw_qemu_guest_agent`, `hw_architecture`, …
   * Changing it is live: nothing stops.
   * @default {}
   */
  readonly properties?: Readonly<Record<string, string>> | undefined;
}

/**
 * What servers boot: a qcow2 or raw disk, or a kernel with initial RAM disk. Hosts fetch it when the first
 * server needs it, and keep it. Terraform's `stackyard_image`.
 */
export class Image extends StackyardResource {
  static readonly tfResourceType = "stackyard_image";

  constructor(scope: Construct, id: string, config: ImageConfig = {}) {
    const shape = { type: Image.tfResourceType, objects: { disk: {}, kernel: {}, initrd: {} } };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique among the project's images. 1 to 255 printable characters. Default: the resource's name in
   * the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /** Disk image, qcow2 or raw. Optional when a kernel is given: servers then start with an empty disk. */
  get disk(): ImageDiskOutput {
    return new ImageDiskOutput(this, "disk", false);
  }

  /** Kernel for direct boot, without a boot loader. */
  get kernel(): ImageKernelOutput {
    return new ImageKernelOutput(this, "kernel", false);
  }

  /** Initial RAM disk for direct boot. */
  get initrd(): ImageInitrdOutput {
    return new ImageInitrdOutput(this, "initrd", false);
  }

  /** Kernel command line for direct boot. Default `console=ttyS0`. */
  get kernelArguments(): string {
    return this.getStringAttribute("kernel_arguments");
  }

  /** Smallest root disk in GiB that a flavor must have. */
  get minDiskGib(): number {
    return this.getNumberAttribute("min_disk_gib");
  }

  /** Smallest memory in MiB that a flavor must have. */
  get minRamMib(): number {
    return this.getNumberAttribute("min_ram_mib");
  }

  /**
   * Image properties of Nova that filters and the domain read: `hw_machine_type`, `hw_disk_bus`,
   * `hw_vif_model`, `hw_qemu_guest_agent`, `hw_architecture`, …
   */
  get properties(): Record<string, string> {
    return this.getStringMapAttribute("properties");
  }

  /** Format, sizes in bytes and checksum of the disk image, as found. */
  get diskFacts(): ImageDiskFactsOutput {
    return new ImageDiskFactsOutput(this, "disk_facts", false);
  }

  /** Size in bytes and checksum of the kernel. */
  get kernelFacts(): ImageKernelFactsOutput {
    return new ImageKernelFactsOutput(this, "kernel_facts", false);
  }

  /** Size in bytes and checksum of the initial RAM disk. */
  get initrdFacts(): ImageInitrdFactsOutput {
    return new ImageInitrdFactsOutput(this, "initrd_facts", false);
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataImage} is found by. */
export interface DataImageConfig extends TerraformMetaArguments {
  /** The id of the image. */
  readonly id?: string | undefined;
  /** The name of the image. */
  readonly name?: string | undefined;
}

/** Finds a {@link Image} that something else has made. */
export class DataImage extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_image";

  constructor(scope: Construct, id: string, config: DataImageConfig = {}) {
    const shape = { type: DataImage.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique among the project's images. 1 to 255 printable characters. Default: the resource's name in
   * the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /** Disk image, qcow2 or raw. Optional when a kernel is given: servers then start with an empty disk. */
  get disk(): ImageDiskOutput {
    return new ImageDiskOutput(this, "disk", false);
  }

  /** Kernel for direct boot, without a boot loader. */
  get kernel(): ImageKernelOutput {
    return new ImageKernelOutput(this, "kernel", false);
  }

  /** Initial RAM disk for direct boot. */
  get initrd(): ImageInitrdOutput {
    return new ImageInitrdOutput(this, "initrd", false);
  }

  /** Kernel command line for direct boot. Default `console=ttyS0`. */
  get kernelArguments(): string {
    return this.getStringAttribute("kernel_arguments");
  }

  /** Smallest root disk in GiB that a flavor must have. */
  get minDiskGib(): number {
    return this.getNumberAttribute("min_disk_gib");
  }

  /** Smallest memory in MiB that a flavor must have. */
  get minRamMib(): number {
    return this.getNumberAttribute("min_ram_mib");
  }

  /**
   * Image properties of Nova that filters and the domain read: `hw_machine_type`, `hw_disk_bus`,
   * `hw_vif_model`, `hw_qemu_guest_agent`, `hw_architecture`, …
   */
  get properties(): Record<string, string> {
    return this.getStringMapAttribute("properties");
  }

  /** Format, sizes in bytes and checksum of the disk image, as found. */
  get diskFacts(): ImageDiskFactsOutput {
    return new ImageDiskFactsOutput(this, "disk_facts", false);
  }

  /** Size in bytes and checksum of the kernel. */
  get kernelFacts(): ImageKernelFactsOutput {
    return new ImageKernelFactsOutput(this, "kernel_facts", false);
  }

  /** Size in bytes and checksum of the initial RAM disk. */
  get initrdFacts(): ImageInitrdFactsOutput {
    return new ImageInitrdFactsOutput(this, "initrd_facts", false);
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link Volume} is to be. */
export interface VolumeConfig extends TerraformMetaArguments {
  /**
   * Name, unique among the project's volumes. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly project?: Project | DataProject | string | undefined;
  /**
   * Free text for people, at most 255 characters.
   * Changing it is live: nothing stops.
   */
  readonly description?: string | undefined;
  /**
   * Type: where it lies, how fast it is, whether servers share it.
   * Takes the {@link VolumeType} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly volumeType: VolumeType | DataVolumeType | string;
  /**
   * Size in GiB, at least 1. It grows while servers have it, and never shrinks. Needed for a blank volume.
   * Default: as large as its source takes.
   * Changing it is live: nothing stops.
   */
  readonly sizeGib?: number | undefined;
  /**
   * Image whose disk it is made of. At most one of image, snapshot and volume; with none it is blank.
   * Takes the {@link Image} itself, or its id.
   * Changing it is `live` when it is left out: the volume then gets all data of what it lies on; else
   * `data-loss`.
   */
  readonly image?: Image | DataImage | string | undefined;
  /**
   * Snapshot that it is made of, in the same pool or on the same host: a clone in a pool, a copy of a file.
   * Takes the {@link Snapshot} itself, or its id.
   * Changing it is `live` when it is left out: the volume then gets all data of what it lies on; else
   * `data-loss`.
   */
  readonly snapshot?: Snapshot | DataSnapshot | string | undefined;
  /**
   * Volume that it is a copy of, in the same pool or on the same host. What servers write meanwhile may be
   * in the copy or not; one in a file is copied while no server has it.
   * Takes the {@link Volume} itself, or its id.
   * Changing it is `live` when it is left out: the volume then gets all data of what it lies on; else
   * `data-loss`.
   */
  readonly volume?: Volume | DataVolume | string | undefined;
  /**
   * Host with its file, and with the servers that can have it. For a type without a pool, and needed there;
   * hosts are the administrator's to name.
   * Takes the {@link Host} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly host?: Host | DataHost | string | undefined;
}

/**
 * A disk that outlives servers: blank, or made of an image, a snapshot or another volume; in a pool of a
 * Ceph cluster, or in a file on a host. Terraform's `stackyard_volume`.
 */
export class Volume extends StackyardResource {
  static readonly tfResourceType = "stackyard_volume";

  constructor(scope: Construct, id: string, config: VolumeConfig) {
    const shape = { type: Volume.tfResourceType, objects: {} };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique among the project's volumes. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /** Free text for people, at most 255 characters. */
  get description(): string {
    return this.getStringAttribute("description");
  }

  /** Type: where it lies, how fast it is, whether servers share it. */
  get volumeType(): string {
    return this.getStringAttribute("volume_type");
  }

  /** Size that the last apply left it with, GiB. */
  get sizeGib(): number {
    return this.getNumberAttribute("size_gib");
  }

  /** Image whose disk it is made of. At most one of image, snapshot and volume; with none it is blank. */
  get image(): string {
    return this.getStringAttribute("image");
  }

  /**
   * Snapshot that it is made of, in the same pool or on the same host: a clone in a pool, a copy of a file.
   */
  get snapshot(): string {
    return this.getStringAttribute("snapshot");
  }

  /**
   * Volume that it is a copy of, in the same pool or on the same host. What servers write meanwhile may be
   * in the copy or not; one in a file is copied while no server has it.
   */
  get volume(): string {
    return this.getStringAttribute("volume");
  }

  /**
   * Host with its file, and with the servers that can have it. For a type without a pool, and needed there;
   * hosts are the administrator's to name.
   */
  get host(): string {
    return this.getStringAttribute("host");
  }

  /** Cinder's status: `in-use` while a server has it, `error` when it is missing or not this cloud's. */
  get status(): string {
    return this.getStringAttribute("status");
  }

  /** Whether it was made of an image, be it by way of snapshots and other volumes. */
  get bootable(): IResolvable {
    return this.getBooleanAttribute("bootable");
  }

  /** How it is kept: a qcow2 `file`, or an image of a pool, `rbd`. */
  get backend(): string {
    return this.getStringAttribute("backend");
  }

  /** Where it lies: a path on its host, or `POOL/IMAGE`. */
  get location(): string {
    return this.getStringAttribute("location");
  }

  /** Image whose file in the host's cache its own file lies on. */
  get baseImage(): string {
    return this.getStringAttribute("base_image");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataVolume} is found by. */
export interface DataVolumeConfig extends TerraformMetaArguments {
  /** The id of the volume. */
  readonly id?: string | undefined;
  /** The name of the volume. */
  readonly name?: string | undefined;
}

/** Finds a {@link Volume} that something else has made. */
export class DataVolume extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_volume";

  constructor(scope: Construct, id: string, config: DataVolumeConfig = {}) {
    const shape = { type: DataVolume.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique among the project's volumes. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /** Free text for people, at most 255 characters. */
  get description(): string {
    return this.getStringAttribute("description");
  }

  /** Type: where it lies, how fast it is, whether servers share it. */
  get volumeType(): string {
    return this.getStringAttribute("volume_type");
  }

  /** Size that the last apply left it with, GiB. */
  get sizeGib(): number {
    return this.getNumberAttribute("size_gib");
  }

  /** Image whose disk it is made of. At most one of image, snapshot and volume; with none it is blank. */
  get image(): string {
    return this.getStringAttribute("image");
  }

  /**
   * Snapshot that it is made of, in the same pool or on the same host: a clone in a pool, a copy of a file.
   */
  get snapshot(): string {
    return this.getStringAttribute("snapshot");
  }

  /**
   * Volume that it is a copy of, in the same pool or on the same host. What servers write meanwhile may be
   * in the copy or not; one in a file is copied while no server has it.
   */
  get volume(): string {
    return this.getStringAttribute("volume");
  }

  /**
   * Host with its file, and with the servers that can have it. For a type without a pool, and needed there;
   * hosts are the administrator's to name.
   */
  get host(): string {
    return this.getStringAttribute("host");
  }

  /** Cinder's status: `in-use` while a server has it, `error` when it is missing or not this cloud's. */
  get status(): string {
    return this.getStringAttribute("status");
  }

  /** Whether it was made of an image, be it by way of snapshots and other volumes. */
  get bootable(): IResolvable {
    return this.getBooleanAttribute("bootable");
  }

  /** How it is kept: a qcow2 `file`, or an image of a pool, `rbd`. */
  get backend(): string {
    return this.getStringAttribute("backend");
  }

  /** Where it lies: a path on its host, or `POOL/IMAGE`. */
  get location(): string {
    return this.getStringAttribute("location");
  }

  /** Image whose file in the host's cache its own file lies on. */
  get baseImage(): string {
    return this.getStringAttribute("base_image");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link Snapshot} is to be. */
export interface SnapshotConfig extends TerraformMetaArguments {
  /**
   * Name, unique among the project's snapshots. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly project?: Project | DataProject | string | undefined;
  /**
   * Free text for people, at most 255 characters.
   * Changing it is live: nothing stops.
   */
  readonly description?: string | undefined;
  /**
   * Volume whose content it keeps, as that is when the snapshot is made. In a pool servers may write
   * meanwhile; a file takes one only while no server that is on has it.
   * Takes the {@link Volume} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly volume: Volume | DataVolume | string;
}

/**
 * What a volume held when the snapshot was made: volumes are made of it. The volume stays as long.
 * Terraform's `stackyard_snapshot`.
 */
export class Snapshot extends StackyardResource {
  static readonly tfResourceType = "stackyard_snapshot";

  constructor(scope: Construct, id: string, config: SnapshotConfig) {
    const shape = { type: Snapshot.tfResourceType, objects: {} };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique among the project's snapshots. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /** Free text for people, at most 255 characters. */
  get description(): string {
    return this.getStringAttribute("description");
  }

  /**
   * Volume whose content it keeps, as that is when the snapshot is made. In a pool servers may write
   * meanwhile; a file takes one only while no server that is on has it.
   */
  get volume(): string {
    return this.getStringAttribute("volume");
  }

  /** Cinder's status: `error` when it is missing, or its volume is. */
  get status(): string {
    return this.getStringAttribute("status");
  }

  /** Size of the volume when the snapshot was made, GiB: the least that a volume of it takes. */
  get sizeGib(): number {
    return this.getNumberAttribute("size_gib");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataSnapshot} is found by. */
export interface DataSnapshotConfig extends TerraformMetaArguments {
  /** The id of the snapshot. */
  readonly id?: string | undefined;
  /** The name of the snapshot. */
  readonly name?: string | undefined;
}

/** Finds a {@link Snapshot} that something else has made. */
export class DataSnapshot extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_snapshot";

  constructor(scope: Construct, id: string, config: DataSnapshotConfig = {}) {
    const shape = { type: DataSnapshot.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique among the project's snapshots. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /** Free text for people, at most 255 characters. */
  get description(): string {
    return this.getStringAttribute("description");
  }

  /**
   * Volume whose content it keeps, as that is when the snapshot is made. In a pool servers may write
   * meanwhile; a file takes one only while no server that is on has it.
   */
  get volume(): string {
    return this.getStringAttribute("volume");
  }

  /** Cinder's status: `error` when it is missing, or its volume is. */
  get status(): string {
    return this.getStringAttribute("status");
  }

  /** Size of the volume when the snapshot was made, GiB: the least that a volume of it takes. */
  get sizeGib(): number {
    return this.getNumberAttribute("size_gib");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link Network} is to be. */
export interface NetworkConfig extends TerraformMetaArguments {
  /**
   * Name, unique among the project's networks. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly project?: Project | DataProject | string | undefined;
  /**
   * Largest packet in bytes. Default 1450: what a 1500-byte underlay leaves after VXLAN or Geneve. Servers
   * take a change when they next start.
   * Changing it is live: nothing stops.
   * @default 1450
   */
  readonly mtuBytes?: number | undefined;
  /**
   * Protocol of its tunnels between hosts: `vxlan` (UDP 4789) or `geneve` (UDP 6081). Default `vxlan`.
   * Changing it replaces the resource: it is removed and made anew.
   * @default "vxlan"
   */
  readonly networkType?: "vxlan" | "geneve" | (string & Record<never, never>) | undefined;
  /**
   * Identifier of the network in its tunnels, 1001 to 5094. Default: a free one.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly vni?: number | undefined;
}

/**
 * A layer 2 network across hosts, carried by VXLAN or Geneve over Open vSwitch. Hosts are wired when the
 * first server needs it. Terraform's `stackyard_network`.
 */
export class Network extends StackyardResource {
  static readonly tfResourceType = "stackyard_network";

  constructor(scope: Construct, id: string, config: NetworkConfig = {}) {
    const shape = { type: Network.tfResourceType, objects: {} };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique among the project's networks. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /**
   * Largest packet in bytes. Default 1450: what a 1500-byte underlay leaves after VXLAN or Geneve. Servers
   * take a change when they next start.
   */
  get mtuBytes(): number {
    return this.getNumberAttribute("mtu_bytes");
  }

  /** Protocol of its tunnels between hosts: `vxlan` (UDP 4789) or `geneve` (UDP 6081). Default `vxlan`. */
  get networkType(): string {
    return this.getStringAttribute("network_type");
  }

  /** Identifier of the network in its tunnels, 1001 to 5094. Default: a free one. */
  get vni(): number {
    return this.getNumberAttribute("vni");
  }

  /** VLAN tag of the network on each host's integration bridge. */
  get localVlan(): number {
    return this.getNumberAttribute("local_vlan");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataNetwork} is found by. */
export interface DataNetworkConfig extends TerraformMetaArguments {
  /** The id of the network. */
  readonly id?: string | undefined;
  /** The name of the network. */
  readonly name?: string | undefined;
}

/** Finds a {@link Network} that something else has made. */
export class DataNetwork extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_network";

  constructor(scope: Construct, id: string, config: DataNetworkConfig = {}) {
    const shape = { type: DataNetwork.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique among the project's networks. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /**
   * Largest packet in bytes. Default 1450: what a 1500-byte underlay leaves after VXLAN or Geneve. Servers
   * take a change when they next start.
   */
  get mtuBytes(): number {
    return this.getNumberAttribute("mtu_bytes");
  }

  /** Protocol of its tunnels between hosts: `vxlan` (UDP 4789) or `geneve` (UDP 6081). Default `vxlan`. */
  get networkType(): string {
    return this.getStringAttribute("network_type");
  }

  /** Identifier of the network in its tunnels, 1001 to 5094. Default: a free one. */
  get vni(): number {
    return this.getNumberAttribute("vni");
  }

  /** VLAN tag of the network on each host's integration bridge. */
  get localVlan(): number {
    return this.getNumberAttribute("local_vlan");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

export interface SubnetAllocationPools {
  /** First address of the pool. */
  readonly start: string;
  /** Last address of the pool. */
  readonly end: string;
}

/** `allocationPools` of a {@link Subnet}, as found. */
export class SubnetAllocationPoolsOutput extends ComplexObject {
  /** First address of the pool. */
  get start(): string {
    return this.getStringAttribute("start");
  }
  /** Last address of the pool. */
  get end(): string {
    return this.getStringAttribute("end");
  }
}

/** What a {@link Subnet} is to be. */
export interface SubnetConfig extends TerraformMetaArguments {
  /**
   * Name, unique among the project's subnets. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly project?: Project | DataProject | string | undefined;
  /**
   * Network that it belongs to.
   * Takes the {@link Network} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly network: Network | DataNetwork | string;
  /**
   * Addresses, e.g. `10.0.0.0/24`. IPv4.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly cidr: string;
  /**
   * Default route that DHCP hands out. Default none; the first address is kept free for one. Guests take a
   * change with their next lease.
   * Changing it is live: nothing stops.
   */
  readonly gateway?: string | undefined;
  /**
   * Serve addresses by DHCP. Default true.
   * Changing it is live: nothing stops.
   * @default true
   */
  readonly enableDhcp?: boolean | IResolvable | undefined;
  /**
   * The DHCP servers' own address, the same on every host. Default: the second address.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly dhcpAddress?: string | undefined;
  /**
   * Name servers that DHCP hands out. Default none.
   * Changing it is live: nothing stops.
   * @default []
   */
  readonly dnsServers?: readonly string[] | undefined;
  /**
   * Ranges that addresses are chosen from. Default: all but the first (gateway), the DHCP servers', network
   * and broadcast.
   * Changing it is live: nothing stops.
   */
  readonly allocationPools?: readonly SubnetAllocationPools[] | IResolvable | undefined;
}

/**
 * A range of IPv4 addresses on a network, with DHCP on every host that has a port there. Terraform's
 * `stackyard_subnet`.
 */
export class Subnet extends StackyardResource {
  static readonly tfResourceType = "stackyard_subnet";

  constructor(scope: Construct, id: string, config: SubnetConfig) {
    const shape = { type: Subnet.tfResourceType, objects: { allocationPools: {} } };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique among the project's subnets. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /** Network that it belongs to. */
  get network(): string {
    return this.getStringAttribute("network");
  }

  /** Addresses, e.g. `10.0.0.0/24`. IPv4. */
  get cidr(): string {
    return this.getStringAttribute("cidr");
  }

  /**
   * Default route that DHCP hands out. Default none; the first address is kept free for one. Guests take a
   * change with their next lease.
   */
  get gateway(): string {
    return this.getStringAttribute("gateway");
  }

  /** Serve addresses by DHCP. Default true. */
  get enableDhcp(): IResolvable {
    return this.getBooleanAttribute("enable_dhcp");
  }

  /** The DHCP servers' own address, the same on every host. Default: the second address. */
  get dhcpAddress(): string {
    return this.getStringAttribute("dhcp_address");
  }

  /** Name servers that DHCP hands out. Default none. */
  get dnsServers(): string[] {
    return this.getListAttribute("dns_servers");
  }

  /**
   * Ranges that addresses are chosen from. Default: all but the first (gateway), the DHCP servers', network
   * and broadcast.
   */
  get allocationPools(): OutputList<SubnetAllocationPoolsOutput> {
    return new OutputList(this, "allocation_pools", SubnetAllocationPoolsOutput);
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataSubnet} is found by. */
export interface DataSubnetConfig extends TerraformMetaArguments {
  /** The id of the subnet. */
  readonly id?: string | undefined;
  /** The name of the subnet. */
  readonly name?: string | undefined;
}

/** Finds a {@link Subnet} that something else has made. */
export class DataSubnet extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_subnet";

  constructor(scope: Construct, id: string, config: DataSubnetConfig = {}) {
    const shape = { type: DataSubnet.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique among the project's subnets. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /** Network that it belongs to. */
  get network(): string {
    return this.getStringAttribute("network");
  }

  /** Addresses, e.g. `10.0.0.0/24`. IPv4. */
  get cidr(): string {
    return this.getStringAttribute("cidr");
  }

  /**
   * Default route that DHCP hands out. Default none; the first address is kept free for one. Guests take a
   * change with their next lease.
   */
  get gateway(): string {
    return this.getStringAttribute("gateway");
  }

  /** Serve addresses by DHCP. Default true. */
  get enableDhcp(): IResolvable {
    return this.getBooleanAttribute("enable_dhcp");
  }

  /** The DHCP servers' own address, the same on every host. Default: the second address. */
  get dhcpAddress(): string {
    return this.getStringAttribute("dhcp_address");
  }

  /** Name servers that DHCP hands out. Default none. */
  get dnsServers(): string[] {
    return this.getListAttribute("dns_servers");
  }

  /**
   * Ranges that addresses are chosen from. Default: all but the first (gateway), the DHCP servers', network
   * and broadcast.
   */
  get allocationPools(): OutputList<SubnetAllocationPoolsOutput> {
    return new OutputList(this, "allocation_pools", SubnetAllocationPoolsOutput);
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link Port} is to be. */
export interface PortConfig extends TerraformMetaArguments {
  /**
   * Name, unique among the project's ports. 1 to 255 printable characters. Default: the resource's name in
   * the stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly project?: Project | DataProject | string | undefined;
  /**
   * Network. Default: the subnet's.
   * Takes the {@link Network} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly network?: Network | DataNetwork | string | undefined;
  /**
   * Subnet. Default: the network's only one.
   * Takes the {@link Subnet} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly subnet?: Subnet | DataSubnet | string | undefined;
  /**
   * Fixed address. Default: a free one of the subnet's pools, shown in the preview.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly address?: string | undefined;
  /**
   * MAC address. Default: derived from the port's id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly mac?: string | undefined;
}

/**
 * A place on a network with a fixed MAC and address. A server takes it; it is wired on the server's host.
 * Terraform's `stackyard_port`.
 */
export class Port extends StackyardResource {
  static readonly tfResourceType = "stackyard_port";

  constructor(scope: Construct, id: string, config: PortConfig = {}) {
    const shape = { type: Port.tfResourceType, objects: {} };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique among the project's ports. 1 to 255 printable characters. Default: the resource's name in
   * the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /** Network. Default: the subnet's. */
  get network(): string {
    return this.getStringAttribute("network");
  }

  /** Subnet. Default: the network's only one. */
  get subnet(): string {
    return this.getStringAttribute("subnet");
  }

  /** Fixed address. Default: a free one of the subnet's pools, shown in the preview. */
  get address(): string {
    return this.getStringAttribute("address");
  }

  /** MAC address. Default: derived from the port's id. */
  get mac(): string {
    return this.getStringAttribute("mac");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataPort} is found by. */
export interface DataPortConfig extends TerraformMetaArguments {
  /** The id of the port. */
  readonly id?: string | undefined;
  /** The name of the port. */
  readonly name?: string | undefined;
}

/** Finds a {@link Port} that something else has made. */
export class DataPort extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_port";

  constructor(scope: Construct, id: string, config: DataPortConfig = {}) {
    const shape = { type: DataPort.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique among the project's ports. 1 to 255 printable characters. Default: the resource's name in
   * the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /** Network. Default: the subnet's. */
  get network(): string {
    return this.getStringAttribute("network");
  }

  /** Subnet. Default: the network's only one. */
  get subnet(): string {
    return this.getStringAttribute("subnet");
  }

  /** Fixed address. Default: a free one of the subnet's pools, shown in the preview. */
  get address(): string {
    return this.getStringAttribute("address");
  }

  /** MAC address. Default: derived from the port's id. */
  get mac(): string {
    return this.getStringAttribute("mac");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link ServerGroup} is to be. */
export interface ServerGroupConfig extends TerraformMetaArguments {
  /**
   * Name. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly project?: Project | DataProject | string | undefined;
  /**
   * `affinity`: all on one host; `anti-affinity`: each on another; the `soft-` ones prefer that, and
   * otherwise place the server anyway.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly policy:
    "affinity" | "anti-affinity" | "soft-affinity" | "soft-anti-affinity" | (string & Record<never, never>);
  /**
   * With `anti-affinity`: how many servers of the group one host may have. Default 1. A change concerns
   * servers placed later.
   * Changing it is live: nothing stops.
   */
  readonly maxServersPerHost?: number | undefined;
}

/**
 * Keeps its servers together on one host, or apart on different hosts. Terraform's
 * `stackyard_server_group`.
 */
export class ServerGroup extends StackyardResource {
  static readonly tfResourceType = "stackyard_server_group";

  constructor(scope: Construct, id: string, config: ServerGroupConfig) {
    const shape = { type: ServerGroup.tfResourceType, objects: {} };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /** Name. 1 to 255 printable characters. Default: the resource's name in the stack. */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /**
   * `affinity`: all on one host; `anti-affinity`: each on another; the `soft-` ones prefer that, and
   * otherwise place the server anyway.
   */
  get policy(): string {
    return this.getStringAttribute("policy");
  }

  /**
   * With `anti-affinity`: how many servers of the group one host may have. Default 1. A change concerns
   * servers placed later.
   */
  get maxServersPerHost(): number {
    return this.getNumberAttribute("max_servers_per_host");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataServerGroup} is found by. */
export interface DataServerGroupConfig extends TerraformMetaArguments {
  /** The id of the server-group. */
  readonly id?: string | undefined;
  /** The name of the server-group. */
  readonly name?: string | undefined;
}

/** Finds a {@link ServerGroup} that something else has made. */
export class DataServerGroup extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_server_group";

  constructor(scope: Construct, id: string, config: DataServerGroupConfig = {}) {
    const shape = { type: DataServerGroup.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /** Name. 1 to 255 printable characters. Default: the resource's name in the stack. */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /**
   * `affinity`: all on one host; `anti-affinity`: each on another; the `soft-` ones prefer that, and
   * otherwise place the server anyway.
   */
  get policy(): string {
    return this.getStringAttribute("policy");
  }

  /**
   * With `anti-affinity`: how many servers of the group one host may have. Default 1. A change concerns
   * servers placed later.
   */
  get maxServersPerHost(): number {
    return this.getNumberAttribute("max_servers_per_host");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

export interface ServerBootVolume {
  /**
   * Volume that is there, of this server alone. It outlives the server.
   * Takes the {@link Volume} itself, or its id.
   */
  readonly volume?: Volume | DataVolume | string | undefined;
  /**
   * Type of a volume that the server makes for itself of its image: in the type's pool, or in a file on the
   * server's host. Without `volume`.
   * Takes the {@link VolumeType} itself, or its id.
   */
  readonly volumeType?: VolumeType | DataVolumeType | string | undefined;
  /**
   * Size in GiB of the volume that it makes, at least what the image needs. It grows while the server runs,
   * and never shrinks. Default: the flavor's disk, or what the image needs, whichever is more; kept when
   * the flavor changes.
   */
  readonly sizeGib?: number | undefined;
  /**
   * Whether the volume that it makes goes with the server, be that removed or replaced. With false it stays
   * as a volume of the project, which keeps its type and its image in use until it is removed or imported.
   * A stack that refers to the volume, as a snapshot does, declares it and names it in `volume`. Default
   * true.
   */
  readonly deleteOnTermination?: boolean | IResolvable | undefined;
}

/** `bootVolume` of a {@link Server}, as found. */
export class ServerBootVolumeOutput extends ComplexObject {
  /** Volume that is there, of this server alone. It outlives the server. */
  get volume(): string {
    return this.getStringAttribute("volume");
  }
  /**
   * Type of a volume that the server makes for itself of its image: in the type's pool, or in a file on the
   * server's host. Without `volume`.
   */
  get volumeType(): string {
    return this.getStringAttribute("volume_type");
  }
  /**
   * Size in GiB of the volume that it makes, at least what the image needs. It grows while the server runs,
   * and never shrinks. Default: the flavor's disk, or what the image needs, whichever is more; kept when
   * the flavor changes.
   */
  get sizeGib(): number {
    return this.getNumberAttribute("size_gib");
  }
  /**
   * Whether the volume that it makes goes with the server, be that removed or replaced. With false it stays
   * as a volume of the project, which keeps its type and its image in use until it is removed or imported.
   * A stack that refers to the volume, as a snapshot does, declares it and names it in `volume`. Default
   * true.
   */
  get deleteOnTermination(): IResolvable {
    return this.getBooleanAttribute("delete_on_termination");
  }
}

export interface ServerNetworks {
  /**
   * A port to take. Without it the server has a port of its own here.
   * Takes the {@link Port} itself, or its id.
   */
  readonly port?: Port | DataPort | string | undefined;
  /**
   * Network for a port of its own. Default: the subnet's.
   * Takes the {@link Network} itself, or its id.
   */
  readonly network?: Network | DataNetwork | string | undefined;
  /**
   * Subnet for a port of its own. Default: the network's only one.
   * Takes the {@link Subnet} itself, or its id.
   */
  readonly subnet?: Subnet | DataSubnet | string | undefined;
  /** Fixed address of a port of its own. Default: a free one, shown in the preview. */
  readonly address?: string | undefined;
  /** MAC address of a port of its own. Default: derived from the server's id. */
  readonly mac?: string | undefined;
}

/** `networks` of a {@link Server}, as found. */
export class ServerNetworksOutput extends ComplexObject {
  /** A port to take. Without it the server has a port of its own here. */
  get port(): string {
    return this.getStringAttribute("port");
  }
  /** Network for a port of its own. Default: the subnet's. */
  get network(): string {
    return this.getStringAttribute("network");
  }
  /** Subnet for a port of its own. Default: the network's only one. */
  get subnet(): string {
    return this.getStringAttribute("subnet");
  }
  /** Fixed address of a port of its own. Default: a free one, shown in the preview. */
  get address(): string {
    return this.getStringAttribute("address");
  }
  /** MAC address of a port of its own. Default: derived from the server's id. */
  get mac(): string {
    return this.getStringAttribute("mac");
  }
}

export interface ServerTimeouts {
  /**
   * Limit until it runs. In seconds, default 60.
   * @default 60
   */
  readonly running?: number | undefined;
  /**
   * Limit from there until its address is seen. In seconds, default 300.
   * @default 300
   */
  readonly address?: number | undefined;
  /**
   * Limit from there until SSH answers. In seconds, default 300.
   * @default 300
   */
  readonly ssh?: number | undefined;
  /**
   * Limit from there until cloud-init is done. In seconds, default 600.
   * @default 600
   */
  readonly cloudInit?: number | undefined;
  /**
   * Limit for a clean shutdown before power off (nova: shutdown_timeout). In seconds, default 60.
   * @default 60
   */
  readonly shutdown?: number | undefined;
}

/** `timeouts` of a {@link Server}, as found. */
export class ServerTimeoutsOutput extends ComplexObject {
  /** Limit until it runs. In seconds, default 60. */
  get running(): number {
    return this.getNumberAttribute("running");
  }
  /** Limit from there until its address is seen. In seconds, default 300. */
  get address(): number {
    return this.getNumberAttribute("address");
  }
  /** Limit from there until SSH answers. In seconds, default 300. */
  get ssh(): number {
    return this.getNumberAttribute("ssh");
  }
  /** Limit from there until cloud-init is done. In seconds, default 600. */
  get cloudInit(): number {
    return this.getNumberAttribute("cloud_init");
  }
  /** Limit for a clean shutdown before power off (nova: shutdown_timeout). In seconds, default 60. */
  get shutdown(): number {
    return this.getNumberAttribute("shutdown");
  }
}

/** `interfaces` of a {@link Server}, as found. */
export class ServerInterfacesOutput extends ComplexObject {
  /** Id of the port. */
  get port(): string {
    return this.getStringAttribute("port");
  }
  /** Id of the network. */
  get network(): string {
    return this.getStringAttribute("network");
  }
  /** Id of the subnet. */
  get subnet(): string {
    return this.getStringAttribute("subnet");
  }
  /** Address. */
  get address(): string {
    return this.getStringAttribute("address");
  }
  /** MAC address. */
  get mac(): string {
    return this.getStringAttribute("mac");
  }
}

/** `parent` of a {@link ServerCachedImage}, as found. */
export class ServerCachedImageParentOutput extends ComplexObject {
  /** Pool of the Ceph cluster. */
  get pool(): string {
    return this.getStringAttribute("pool");
  }
  /** RBD image. */
  get image(): string {
    return this.getStringAttribute("image");
  }
  /** Snapshot that root disks are cloned from. */
  get snapshot(): string {
    return this.getStringAttribute("snapshot");
  }
}

/** `cachedImage` of a {@link Server}, as found. */
export class ServerCachedImageOutput extends ComplexObject {
  /** Disk image on the host. */
  get diskPath(): string {
    return this.getStringAttribute("disk_path");
  }
  /** Kernel on the host. */
  get kernelPath(): string {
    return this.getStringAttribute("kernel_path");
  }
  /** Initial RAM disk on the host. */
  get initrdPath(): string {
    return this.getStringAttribute("initrd_path");
  }
  /** Disk image in a Ceph cluster. */
  get parent(): ServerCachedImageParentOutput {
    return new ServerCachedImageParentOutput(this, "parent", false);
  }
}

/** `blockDevices` of a {@link Server}, as found. */
export class ServerBlockDevicesOutput extends ComplexObject {
  /** Device name in the guest. */
  get device(): string {
    return this.getStringAttribute("device");
  }
  /**
   * What it was made of: the image, nothing, or the disk of the domain that was adopted; or `volume`, for
   * one that is declared.
   */
  get source(): string {
    return this.getStringAttribute("source");
  }
  /** Where it lives: `local`, on the host, `pool`, in a Ceph cluster, or `volume`, wherever that lies. */
  get destination(): string {
    return this.getStringAttribute("destination");
  }
  /** Id of the pool that it is in. */
  get storagePool(): string {
    return this.getStringAttribute("storage_pool");
  }
  /** Id of the volume that it is. */
  get volume(): string {
    return this.getStringAttribute("volume");
  }
  /** Size, GiB. */
  get sizeGib(): number {
    return this.getNumberAttribute("size_gib");
  }
  /** Size that the last apply left it with, bytes. A disk that was grown by hand keeps its size. */
  get sizeBytes(): number {
    return this.getNumberAttribute("size_bytes");
  }
}

/** `migration` of a {@link Server}, as found. */
export class ServerMigrationOutput extends ComplexObject {
  /** `live`: it runs all the time; `evacuation`: its host is lost. */
  get kind(): string {
    return this.getStringAttribute("kind");
  }
  /** Id of the host that it leaves. */
  get fromHostId(): string {
    return this.getStringAttribute("from_host_id");
  }
  /** Id of the host that it moves to. */
  get toHostId(): string {
    return this.getStringAttribute("to_host_id");
  }
  /** How long a `live` move may take. */
  get limitSeconds(): number {
    return this.getNumberAttribute("limit_seconds");
  }
  /** Whether the host that is lost is being shut out: from then on there is no way back. */
  get isFencing(): IResolvable {
    return this.getBooleanAttribute("is_fencing");
  }
}

/** `adoptedFrom` of a {@link Server}, as found. */
export class ServerAdoptedFromOutput extends ComplexObject {
  /** Id of the host that it was on. */
  get hostId(): string {
    return this.getStringAttribute("host_id");
  }
  /** Name that it had there. Its uuid is the server's id. */
  get domain(): string {
    return this.getStringAttribute("domain");
  }
  /** SHA-256 of its definition without secrets. */
  get fingerprint(): string {
    return this.getStringAttribute("fingerprint");
  }
  /** Where its disk was. */
  get diskPath(): string {
    return this.getStringAttribute("disk_path");
  }
  /** Format that its disk had. */
  get diskFormat(): string {
    return this.getStringAttribute("disk_format");
  }
  /** How its disk came here: moved, or copied; then the original is where it was. */
  get transfer(): string {
    return this.getStringAttribute("transfer");
  }
  /** Size that its disk had, bytes. */
  get diskBytes(): number {
    return this.getNumberAttribute("disk_bytes");
  }
}

/** What a {@link Server} is to be. */
export interface ServerConfig extends TerraformMetaArguments {
  /**
   * Name, unique among the project's servers. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly project?: Project | DataProject | string | undefined;
  /**
   * Host name that the guest is told at every boot. cloud-init takes it, unless `preserve_hostname` is set
   * or somebody changed it in the guest. Default: made of the name (nova: utils.sanitize_hostname), and
   * kept when that changes.
   * Changing it is `reboot` while the server runs, `live` while it does not.
   */
  readonly hostname?: string | undefined;
  /**
   * Size. A change keeps host and disk, grows the disk, and power-cycles the server (nova: resize).
   * Takes the {@link Flavor} itself, or its id.
   * Changing it restarts the server (power cycle).
   */
  readonly flavor: Flavor | DataFlavor | string;
  /**
   * What it boots. The root disk is made of it, or the volume that it boots. Needed unless it boots a
   * volume that is there.
   * Takes the {@link Image} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly image?: Image | DataImage | string | undefined;
  /**
   * Volume that is its root disk: one that is there, in place of an image, or one that the server makes of
   * its image. Kernel and properties come from the image that the volume was made of.
   * Changing it is `live` for `sizeGib` and `deleteOnTermination`; else `replace`, or `data-loss` where the
   * root disk goes with the server.
   */
  readonly bootVolume?: ServerBootVolume | IResolvable | undefined;
  /**
   * Key that may log in. Guests take it at their first boot only.
   * Takes the {@link Keypair} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly keypair?: Keypair | DataKeypair | string | undefined;
  /**
   * Interfaces, in order. Default none.
   * Changing it restarts the server (power cycle).
   * @default []
   */
  readonly networks?: readonly ServerNetworks[] | IResolvable | undefined;
  /**
   * Group whose policy places it together with, or apart from, its members.
   * Takes the {@link ServerGroup} itself, or its id.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly serverGroup?: ServerGroup | DataServerGroup | string | undefined;
  /**
   * Zone whose hosts may take it. Default any.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly availabilityZone?: string | undefined;
  /**
   * Hints for filters, as Nova's: `same_host`, `different_host`, `query`, … Used when it is placed.
   * Changing it replaces the resource, and the data on it is lost.
   * @default {}
   */
  readonly schedulerHints?: Readonly<Record<string, string>> | undefined;
  /**
   * Script or cloud-config for the first boot and no other, at most 49151 bytes. The guest and the cloud's
   * store keep it readable: put no secret here.
   * Changing it replaces the resource, and the data on it is lost.
   */
  readonly userData?: string | undefined;
  /**
   * Whether it runs, and comes back when its host boots. Default true.
   * Changing it is `restart` when it stops, `live` when it starts.
   * @default true
   */
  readonly running?: boolean | IResolvable | undefined;
  /**
   * How far it must be before it counts as made: `running`, `address` (its lease or ARP is seen), `ssh` (a
   * banner), `cloud-init` (done). Default `running`.
   * Changing it is live: nothing stops.
   * @default "running"
   */
  readonly waitFor?:
    "running" | "address" | "ssh" | "cloud-init" | (string & Record<never, never>) | undefined;
  /**
   * Limits of each rung, in seconds.
   * Changing it is live: nothing stops.
   * @default {"running":60,"address":300,"ssh":300,"cloudInit":600,"shutdown":60}
   */
  readonly timeouts?: ServerTimeouts | IResolvable | undefined;
}

/**
 * A virtual machine, placed by the scheduler on one of the cloud's hosts. Terraform's `stackyard_server`.
 */
export class Server extends StackyardResource {
  static readonly tfResourceType = "stackyard_server";

  constructor(scope: Construct, id: string, config: ServerConfig) {
    const shape = { type: Server.tfResourceType, objects: { bootVolume: {}, networks: {}, timeouts: {} } };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique among the project's servers. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /**
   * Host name that the guest is told at every boot. cloud-init takes it, unless `preserve_hostname` is set
   * or somebody changed it in the guest. Default: made of the name (nova: utils.sanitize_hostname), and
   * kept when that changes.
   */
  get hostname(): string {
    return this.getStringAttribute("hostname");
  }

  /** Size. A change keeps host and disk, grows the disk, and power-cycles the server (nova: resize). */
  get flavor(): string {
    return this.getStringAttribute("flavor");
  }

  /**
   * What it boots. The root disk is made of it, or the volume that it boots. Needed unless it boots a
   * volume that is there.
   */
  get image(): string {
    return this.getStringAttribute("image");
  }

  /**
   * Volume that is its root disk: one that is there, in place of an image, or one that the server makes of
   * its image. Kernel and properties come from the image that the volume was made of.
   */
  get bootVolume(): ServerBootVolumeOutput {
    return new ServerBootVolumeOutput(this, "boot_volume", false);
  }

  /** Key that may log in. Guests take it at their first boot only. */
  get keypair(): string {
    return this.getStringAttribute("keypair");
  }

  /** Interfaces, in order. Default none. */
  get networks(): OutputList<ServerNetworksOutput> {
    return new OutputList(this, "networks", ServerNetworksOutput);
  }

  /** Group whose policy places it together with, or apart from, its members. */
  get serverGroup(): string {
    return this.getStringAttribute("server_group");
  }

  /** Zone whose hosts may take it. Default any. */
  get availabilityZone(): string {
    return this.getStringAttribute("availability_zone");
  }

  /** Hints for filters, as Nova's: `same_host`, `different_host`, `query`, … Used when it is placed. */
  get schedulerHints(): Record<string, string> {
    return this.getStringMapAttribute("scheduler_hints");
  }

  /**
   * Script or cloud-config for the first boot and no other, at most 49151 bytes. The guest and the cloud's
   * store keep it readable: put no secret here.
   */
  get userData(): string {
    return this.getStringAttribute("user_data");
  }

  /** Whether it runs, and comes back when its host boots. Default true. */
  get running(): IResolvable {
    return this.getBooleanAttribute("running");
  }

  /**
   * How far it must be before it counts as made: `running`, `address` (its lease or ARP is seen), `ssh` (a
   * banner), `cloud-init` (done). Default `running`.
   */
  get waitFor(): string {
    return this.getStringAttribute("wait_for");
  }

  /** Limits of each rung, in seconds. */
  get timeouts(): ServerTimeoutsOutput {
    return new ServerTimeoutsOutput(this, "timeouts", false);
  }

  /** Status as OpenStack shows it. */
  get status(): string {
    return this.getStringAttribute("status");
  }

  /** Id of the host it is on. */
  get hostId(): string {
    return this.getStringAttribute("host_id");
  }

  /** Name of the host it is on. */
  get host(): string {
    return this.getStringAttribute("host");
  }

  /** First address. */
  get address(): string {
    return this.getStringAttribute("address");
  }

  /** Interfaces with their addresses, in order. */
  get interfaces(): OutputList<ServerInterfacesOutput> {
    return new OutputList(this, "interfaces", ServerInterfacesOutput);
  }

  /** Files of the image in the host's cache, and where it is in a Ceph cluster. */
  get cachedImage(): ServerCachedImageOutput {
    return new ServerCachedImageOutput(this, "cached_image", false);
  }

  /** Disks, in order. */
  get blockDevices(): OutputList<ServerBlockDevicesOutput> {
    return new OutputList(this, "block_devices", ServerBlockDevicesOutput);
  }

  /** When it first ran, ISO 8601. */
  get launchedAt(): string {
    return this.getStringAttribute("launched_at");
  }

  /** The move between hosts that it is in. Absent for a server that stays. */
  get migration(): ServerMigrationOutput {
    return new ServerMigrationOutput(this, "migration", false);
  }

  /** The domain that it was before `stackyard server adopt`. Absent for one that was made here. */
  get adoptedFrom(): ServerAdoptedFromOutput {
    return new ServerAdoptedFromOutput(this, "adopted_from", false);
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataServer} is found by. */
export interface DataServerConfig extends TerraformMetaArguments {
  /** The id of the server. */
  readonly id?: string | undefined;
  /** The name of the server. */
  readonly name?: string | undefined;
}

/** Finds a {@link Server} that something else has made. */
export class DataServer extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_server";

  constructor(scope: Construct, id: string, config: DataServerConfig = {}) {
    const shape = { type: DataServer.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /**
   * Name, unique among the project's servers. 1 to 255 printable characters. Default: the resource's name
   * in the stack.
   */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /**
   * Host name that the guest is told at every boot. cloud-init takes it, unless `preserve_hostname` is set
   * or somebody changed it in the guest. Default: made of the name (nova: utils.sanitize_hostname), and
   * kept when that changes.
   */
  get hostname(): string {
    return this.getStringAttribute("hostname");
  }

  /** Size. A change keeps host and disk, grows the disk, and power-cycles the server (nova: resize). */
  get flavor(): string {
    return this.getStringAttribute("flavor");
  }

  /**
   * What it boots. The root disk is made of it, or the volume that it boots. Needed unless it boots a
   * volume that is there.
   */
  get image(): string {
    return this.getStringAttribute("image");
  }

  /**
   * Volume that is its root disk: one that is there, in place of an image, or one that the server makes of
   * its image. Kernel and properties come from the image that the volume was made of.
   */
  get bootVolume(): ServerBootVolumeOutput {
    return new ServerBootVolumeOutput(this, "boot_volume", false);
  }

  /** Key that may log in. Guests take it at their first boot only. */
  get keypair(): string {
    return this.getStringAttribute("keypair");
  }

  /** Interfaces, in order. Default none. */
  get networks(): OutputList<ServerNetworksOutput> {
    return new OutputList(this, "networks", ServerNetworksOutput);
  }

  /** Group whose policy places it together with, or apart from, its members. */
  get serverGroup(): string {
    return this.getStringAttribute("server_group");
  }

  /** Zone whose hosts may take it. Default any. */
  get availabilityZone(): string {
    return this.getStringAttribute("availability_zone");
  }

  /** Hints for filters, as Nova's: `same_host`, `different_host`, `query`, … Used when it is placed. */
  get schedulerHints(): Record<string, string> {
    return this.getStringMapAttribute("scheduler_hints");
  }

  /**
   * Script or cloud-config for the first boot and no other, at most 49151 bytes. The guest and the cloud's
   * store keep it readable: put no secret here.
   */
  get userData(): string {
    return this.getStringAttribute("user_data");
  }

  /** Whether it runs, and comes back when its host boots. Default true. */
  get running(): IResolvable {
    return this.getBooleanAttribute("running");
  }

  /**
   * How far it must be before it counts as made: `running`, `address` (its lease or ARP is seen), `ssh` (a
   * banner), `cloud-init` (done). Default `running`.
   */
  get waitFor(): string {
    return this.getStringAttribute("wait_for");
  }

  /** Limits of each rung, in seconds. */
  get timeouts(): ServerTimeoutsOutput {
    return new ServerTimeoutsOutput(this, "timeouts", false);
  }

  /** Status as OpenStack shows it. */
  get status(): string {
    return this.getStringAttribute("status");
  }

  /** Id of the host it is on. */
  get hostId(): string {
    return this.getStringAttribute("host_id");
  }

  /** Name of the host it is on. */
  get host(): string {
    return this.getStringAttribute("host");
  }

  /** First address. */
  get address(): string {
    return this.getStringAttribute("address");
  }

  /** Interfaces with their addresses, in order. */
  get interfaces(): OutputList<ServerInterfacesOutput> {
    return new OutputList(this, "interfaces", ServerInterfacesOutput);
  }

  /** Files of the image in the host's cache, and where it is in a Ceph cluster. */
  get cachedImage(): ServerCachedImageOutput {
    return new ServerCachedImageOutput(this, "cached_image", false);
  }

  /** Disks, in order. */
  get blockDevices(): OutputList<ServerBlockDevicesOutput> {
    return new OutputList(this, "block_devices", ServerBlockDevicesOutput);
  }

  /** When it first ran, ISO 8601. */
  get launchedAt(): string {
    return this.getStringAttribute("launched_at");
  }

  /** The move between hosts that it is in. Absent for a server that stays. */
  get migration(): ServerMigrationOutput {
    return new ServerMigrationOutput(this, "migration", false);
  }

  /** The domain that it was before `stackyard server adopt`. Absent for one that was made here. */
  get adoptedFrom(): ServerAdoptedFromOutput {
    return new ServerAdoptedFromOutput(this, "adopted_from", false);
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

export interface VolumeAttachmentTimeouts {
  /**
   * Limit in seconds until the guest has let go. Default 60.
   * @default 60
   */
  readonly detach?: number | undefined;
}

/** `timeouts` of a {@link VolumeAttachment}, as found. */
export class VolumeAttachmentTimeoutsOutput extends ComplexObject {
  /** Limit in seconds until the guest has let go. Default 60. */
  get detach(): number {
    return this.getNumberAttribute("detach");
  }
}

/** What a {@link VolumeAttachment} is to be. */
export interface VolumeAttachmentConfig extends TerraformMetaArguments {
  /**
   * Project that owns it. Default: the project you are logged in to.
   * Takes the {@link Project} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly project?: Project | DataProject | string | undefined;
  /**
   * Server that has the volume.
   * Takes the {@link Server} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly server: Server | DataServer | string;
  /**
   * Volume. The file of a volume lies on one host: the server must be there.
   * Takes the {@link Volume} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly volume: Volume | DataVolume | string;
  /**
   * Device name in the guest. Default: the first that no other attachment of the server has, shown in the
   * preview.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly device?: string | undefined;
  /**
   * Whether the guest may only read. Default false.
   * Changing it replaces the resource: it is removed and made anew.
   * @default false
   */
  readonly readOnly?: boolean | IResolvable | undefined;
  /**
   * Whether other servers may have the volume at the same time: only where its type has `multiattach`.
   * Default: as its type says.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly shared?: boolean | IResolvable | undefined;
  /**
   * Limits, in seconds.
   * Changing it is live: nothing stops.
   * @default {"detach":60}
   */
  readonly timeouts?: VolumeAttachmentTimeouts | IResolvable | undefined;
}

/**
 * A volume that a server has as a further disk: plugged in and out while it runs, under a device name that
 * stays. Terraform's `stackyard_volume_attachment`.
 */
export class VolumeAttachment extends StackyardResource {
  static readonly tfResourceType = "stackyard_volume_attachment";

  constructor(scope: Construct, id: string, config: VolumeAttachmentConfig) {
    const shape = { type: VolumeAttachment.tfResourceType, objects: { timeouts: {} } };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /** Server that has the volume. */
  get server(): string {
    return this.getStringAttribute("server");
  }

  /** Volume. The file of a volume lies on one host: the server must be there. */
  get volume(): string {
    return this.getStringAttribute("volume");
  }

  /**
   * Device name in the guest. Default: the first that no other attachment of the server has, shown in the
   * preview.
   */
  get device(): string {
    return this.getStringAttribute("device");
  }

  /** Whether the guest may only read. Default false. */
  get readOnly(): IResolvable {
    return this.getBooleanAttribute("read_only");
  }

  /**
   * Whether other servers may have the volume at the same time: only where its type has `multiattach`.
   * Default: as its type says.
   */
  get shared(): IResolvable {
    return this.getBooleanAttribute("shared");
  }

  /** Limits, in seconds. */
  get timeouts(): VolumeAttachmentTimeoutsOutput {
    return new VolumeAttachmentTimeoutsOutput(this, "timeouts", false);
  }

  /** Id of the host that the server is on. */
  get hostId(): string {
    return this.getStringAttribute("host_id");
  }

  /**
   * Where a guest with udev finds the disk, whatever its device is called there: by the first 20 characters
   * of the volume's id.
   */
  get guestPath(): string {
    return this.getStringAttribute("guest_path");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataVolumeAttachment} is found by. */
export interface DataVolumeAttachmentConfig extends TerraformMetaArguments {
  /** The id of the volume-attachment. */
  readonly id?: string | undefined;
}

/** Finds a {@link VolumeAttachment} that something else has made. */
export class DataVolumeAttachment extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_volume_attachment";

  constructor(scope: Construct, id: string, config: DataVolumeAttachmentConfig = {}) {
    const shape = { type: DataVolumeAttachment.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /** Project that owns it. Default: the project you are logged in to. */
  get project(): string {
    return this.getStringAttribute("project");
  }

  /** Server that has the volume. */
  get server(): string {
    return this.getStringAttribute("server");
  }

  /** Volume. The file of a volume lies on one host: the server must be there. */
  get volume(): string {
    return this.getStringAttribute("volume");
  }

  /**
   * Device name in the guest. Default: the first that no other attachment of the server has, shown in the
   * preview.
   */
  get device(): string {
    return this.getStringAttribute("device");
  }

  /** Whether the guest may only read. Default false. */
  get readOnly(): IResolvable {
    return this.getBooleanAttribute("read_only");
  }

  /**
   * Whether other servers may have the volume at the same time: only where its type has `multiattach`.
   * Default: as its type says.
   */
  get shared(): IResolvable {
    return this.getBooleanAttribute("shared");
  }

  /** Limits, in seconds. */
  get timeouts(): VolumeAttachmentTimeoutsOutput {
    return new VolumeAttachmentTimeoutsOutput(this, "timeouts", false);
  }

  /** Id of the host that the server is on. */
  get hostId(): string {
    return this.getStringAttribute("host_id");
  }

  /**
   * Where a guest with udev finds the disk, whatever its device is called there: by the first 20 characters
   * of the volume's id.
   */
  get guestPath(): string {
    return this.getStringAttribute("guest_path");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}
