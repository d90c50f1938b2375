import { z } from "zod";
import { nameSchema, printableSchema, reserveName } from "../core/common-fields.ts";
import { interfaceAddressSchema } from "../core/cidr.ts";
import { describeForeign, isForeign } from "../core/drift.ts";
import { hostCodes } from "../core/errors.ts";
import { field } from "../core/fields.ts";
import { brandId, type CloudId } from "../core/ids.ts";
import type { ComputeHost, EnrolRequest } from "../core/ports.ts";
import {
  defineResource,
  type Drift,
  type StepContext,
  type World,
  type WorldEntry,
} from "../core/resource.ts";

const interfacePattern = /^[a-zA-Z0-9_.:-]{1,15}$/;
const folderPattern = /^\/[A-Za-z0-9._/-]{1,200}$/;

const inputs = z.object({
  name: field(nameSchema().optional(), {
    doc: "Name in the cloud, unique. Default: the resource's name in the stack.",
    change: "replace",
    computed: "plan",
  }),
  transport: field(z.enum(["ssh", "local"]).default("ssh"), {
    doc: "`ssh`, or `local` for the machine that runs the stack. Default `ssh`.",
  }),
  address: field(
    z
      .string()
      .regex(/^[A-Za-z0-9_.:%-]{1,255}$/, "must be a host name, an alias of ssh_config, or an address"),
    {
      doc: "Name or address that ssh connects to; `~/.ssh/config`, the agent and ProxyJump are honoured.",
    },
  ),
  port: field(z.int().min(1).max(65535).optional(), {
    doc: "SSH port. Default 22, or what ssh_config says.",
  }),
  user: field(
    z
      .string()
      .regex(/^[a-z_][a-z0-9_.-]{0,31}$/i)
      .optional(),
    { doc: "SSH user; needs root's rights. Default root, or what ssh_config says." },
  ),
  identityFile: field(printableSchema(4096).optional(), {
    doc: "Private key file. Default: the agent, then ssh_config's.",
  }),
  knownHostsFile: field(printableSchema(4096).optional(), {
    doc: "File of trusted host keys. Default `~/.ssh/known_hosts`.",
  }),
  proxyJump: field(printableSchema(1024).optional(), { doc: "Jump hosts, as ssh's ProxyJump." }),
  tunnelAddress: field(interfaceAddressSchema(), {
    doc: "Own address for tunnels to the other hosts with its prefix length, e.g. `10.0.0.1/24`. IPv4.",
    change: "replace",
  }),
  tunnelInterface: field(z.string().regex(interfacePattern, "must be an interface name").optional(), {
    doc: "Interface for tunnels. Needed with the userspace datapath, where it moves into the bridge `br-underlay`.",
    change: "replace",
  }),
  datapath: field(z.enum(["system", "netdev"]).optional(), {
    doc: "Open vSwitch datapath: `system` (kernel) or `netdev` (userspace). Default: `system` where the kernel has it.",
    change: "replace",
    computed: "apply",
  }),
  virtType: field(z.enum(["kvm", "qemu"]).optional(), {
    doc: "`kvm`, or `qemu` for emulation. Default: `kvm` where it works.",
    change: "live",
    computed: "apply",
  }),
  folder: field(
    z
      .string()
      .regex(folderPattern, "must be an absolute path of letters, digits, dots, hyphens, underscores")
      .default("/var/lib/libvirt/images/stackyard"),
    {
      doc: "Folder on the host for images and disks. Default `/var/lib/libvirt/images/stackyard`.",
      change: "replace",
    },
  ),
  packages: field(z.enum(["install", "require"]).default("install"), {
    doc: "What of libvirt, QEMU, Open vSwitch and Ceph's client is missing on Debian: `install` installs it by apt and starts services, `require` refuses the host. Removing the host leaves packages installed. Default `install`.",
  }),
  packageMirror: field(
    z
      .string()
      .regex(
        /^(https?:\/\/|file:\/)[A-Za-z0-9._~:/@%+,-]{1,500}$/,
        "must be an http, https or file URL without a query",
      )
      .optional(),
    {
      doc: "Mirror of the host's distribution to install from, a URL as the host reaches it: `http://mirror.lan/debian`, or `file:/srv/debian` on the host itself. Default: the host's own sources.",
    },
  ),
  availabilityZone: field(nameSchema().default("nova"), {
    doc: "Availability zone. Default `nova`.",
  }),
  enabled: field(z.boolean().default(true), { doc: "Whether new servers may be placed here. Default true." }),
});

const outputs = z.object({
  activeDatapath: field(z.enum(["system", "netdev"]), { doc: "Datapath in use." }),
  activeVirtType: field(z.enum(["kvm", "qemu"]), { doc: "Domain type in use." }),
  architecture: field(z.string(), { doc: "CPU architecture, e.g. `x86_64`." }),
  vcpus: field(z.int(), { doc: "CPU cores." }),
  ramMib: field(z.int(), { doc: "Memory, MiB." }),
  diskGib: field(z.int(), { doc: "Size of the folder's file system, GiB." }),
  hypervisorVersion: field(z.int(), { doc: "QEMU version as Nova writes it: 7002000 is 7.2.0." }),
  libvirtVersion: field(z.string(), { doc: "libvirt version." }),
  openvswitchVersion: field(z.string(), { doc: "Open vSwitch version." }),
});

export type HostInputs = z.infer<typeof inputs>;
export type HostOutputs = z.infer<typeof outputs>;

/** A KVM host that the cloud may use. */
export const host = defineResource({
  type: "host",
  plural: "hosts",
  service: "compute",
  summary:
    "A KVM host, reached over SSH. Enrolling checks it, installs what is missing, wires Open vSwitch, measures it and marks it as this cloud's.",
  scope: "cloud",
  goesFirst: true,
  inputs,
  outputs,
  rules: [
    {
      field: "packageMirror",
      says: "A mirror is for packages that are installed.",
      reads: ["packages", "packageMirror"],
      violated: ({ packages, packageMirror }) =>
        packages === "require" && packageMirror !== undefined
          ? "is given, but packages is require: nothing is installed"
          : undefined,
    },
    {
      field: "tunnelInterface",
      says: "The userspace datapath names its tunnel interface.",
      reads: ["datapath", "tunnelInterface"],
      violated: ({ datapath, tunnelInterface }) =>
        datapath === "netdev" && tunnelInterface === undefined
          ? "is missing: the userspace datapath needs it"
          : undefined,
    },
  ],
  reservations: (desired) => [
    ...reserveName("host", "cloud", desired.name),
    { kind: "tunnel-address", scope: "cloud", value: endpointOf(desired), field: "tunnelAddress" },
  ],
  raises: [...hostCodes, "host-unsuitable", "host-disk-full", "foreign-cloud", "not-ours", "in-use"],
  reconcile: [
    {
      // A host that cannot be reached, or is none of ours to take, is told before there is anything to take back from it.
      name: "check",
      run: async (context) => {
        if (context.record.applied === undefined)
          await context.ports.hosts.observe(toEnrolRequest(context), context.signal);
        return undefined;
      },
    },
    {
      name: "enrol",
      run: async (context) => {
        context.progress("checking and wiring the host");
        const { datapath, virtType, ...rest } = await context.ports.hosts.enrol(
          toEnrolRequest(context),
          context.progress,
          context.signal,
        );
        return { activeDatapath: datapath, activeVirtType: virtType, ...rest };
      },
      undo: (context) => context.ports.hosts.release(toEnrolRequest(context), context.signal),
    },
    {
      name: "inventory",
      run: async ({ record, outputs: known, ports }) => {
        const found = outputs.parse(known);
        await ports.placement.publish(brandId(record.id), {
          ...found,
          datapath: found.activeDatapath,
          virtType: found.activeVirtType,
        });
        return undefined;
      },
      undo: ({ record, ports }) => ports.placement.withdraw(brandId(record.id)),
    },
  ],
  remove: [
    {
      name: "inventory",
      run: async ({ record, ports }) => ports.placement.withdraw(brandId(record.id)).then(() => undefined),
    },
    {
      name: "release",
      run: async (context) =>
        context.ports.hosts.release(toEnrolRequest(context), context.signal).then(() => undefined),
    },
  ],
  observe: async (context) => {
    const onHost = (drift: Drift): Drift => ({ ...drift, host: context.record.name });
    try {
      const { inventory, drift } = await context.ports.hosts.observe(toEnrolRequest(context), context.signal);
      if (inventory === undefined) return { drift: drift.map(onHost) };
      const { datapath, virtType, ...rest } = inventory;
      return {
        outputs: { activeDatapath: datapath, activeVirtType: virtType, ...rest },
        drift: drift.map(onHost),
      };
    } catch (error) {
      if (!isForeign(error)) throw error;
      return { drift: [onHost(describeForeign("mark", error))] };
    }
  },
});

function toEnrolRequest({
  record,
  inputs: desired,
  cloudId,
}: StepContext<HostInputs, HostOutputs>): EnrolRequest {
  return {
    id: brandId(record.id),
    cloudId,
    address: toHostAddress(record.name, desired),
    datapath: desired.datapath,
    virtType: desired.virtType,
    tunnelAddress: desired.tunnelAddress,
    tunnelInterface: desired.tunnelInterface,
    folder: desired.folder,
    ...toPackageSource(desired),
  };
}

function toPackageSource({ packages, packageMirror }: HostInputs): Pick<ComputeHost, "packages"> {
  return packages === "install" ? { packages: { mirror: packageMirror } } : {};
}

function toHostAddress(
  name: string,
  { transport, address, port, user, identityFile, knownHostsFile, proxyJump }: HostInputs,
): ComputeHost["address"] {
  return { name, transport, address, port, user, identityFile, knownHostsFile, proxyJump };
}

/** The tunnel address without its prefix length. */
function endpointOf({ tunnelAddress }: HostInputs): string {
  return tunnelAddress.split("/")[0] ?? tunnelAddress;
}

/** An enrolled host as compute drives it; `undefined` while its enrolment is not done. */
export function toComputeHost(entry: WorldEntry, cloudId: CloudId): ComputeHost | undefined {
  const known = outputs.safeParse(entry.outputs);
  if (!known.success) return undefined;
  const desired = inputs.parse(entry.inputs);
  return {
    id: brandId(entry.id),
    name: entry.name,
    cloudId,
    address: toHostAddress(entry.name, desired),
    datapath: known.data.activeDatapath,
    tunnelAddress: endpointOf(desired),
    virtType: known.data.activeVirtType,
    folder: desired.folder,
    ...toPackageSource(desired),
  };
}

/** All enrolled hosts. */
export function listComputeHosts(world: World, cloudId: CloudId): readonly ComputeHost[] {
  return world.all("host").flatMap((entry) => toComputeHost(entry, cloudId) ?? []);
}
