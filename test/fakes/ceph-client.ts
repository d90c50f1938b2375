import { cephRoles, nameCephUser, nameSecretUsage } from "../../providers/compute/marks.ts";
import type { CephCluster, NamedCluster } from "../../providers/core/ceph.ts";
import { StackyardError } from "../../providers/core/errors.ts";
import type { ComputeHost } from "../../providers/core/ports.ts";
import type { Drift } from "../../providers/core/resource.ts";
import type { FakeHost } from "./host.ts";

/** What a host of the fake has to be a client of one Ceph cluster. */
export interface FakeCephClient {
  readonly cloudId: string;
  /** By name. */
  readonly files: Record<string, FakeClientFile>;
  /** What was brought, by name; absent once somebody removed the mark. */
  brought?: Readonly<Record<string, string>> | undefined;
  secret?: { readonly usage: string; readonly key: string } | undefined;
}

export interface FakeClientFile {
  content: string;
  mode: string;
}

/** What somebody does to a client behind the cloud's back. */
export type ClientMeddling =
  | "remove the conf"
  | "alter the conf"
  | "remove a keyring"
  | "alter a keyring"
  | "open a keyring"
  | "remove the mark"
  | "undefine the secret"
  | "hide a tool"
  | "give the tool back";

function writeConf({ fsid, monitors }: CephCluster): string {
  return `fsid ${fsid} monitors ${monitors.join(",")}`;
}

/** What {@link writeConf} wrote; a comment at its end is none of it. */
export function readConf(content: string): Pick<CephCluster, "fsid" | "monitors"> {
  const [, fsid = "", monitors = ""] = /^fsid (\S+) monitors ([^\s#]+)/.exec(content) ?? [];
  return { fsid, monitors: monitors.split(",") };
}

export function nameKeyringOf(cluster: CephCluster, role: (typeof cephRoles)[number]): string {
  return `ceph.client.${nameCephUser(cluster.cloudId, role)}.keyring`;
}

/** Brings files and secret, with these keys by user. */
export function bringClient(
  machine: FakeHost,
  cluster: CephCluster,
  keys: Readonly<Record<string, string>>,
): void {
  const keyOf = (role: (typeof cephRoles)[number]): string => {
    const key = keys[nameCephUser(cluster.cloudId, role)];
    if (key === undefined)
      throw new StackyardError("not-found", {
        message: `there is no user ${role} of this cloud`,
      });
    return key;
  };
  const contents: Record<string, string> = {
    "ceph.conf": writeConf(cluster),
    ...Object.fromEntries(cephRoles.map((role) => [nameKeyringOf(cluster, role), keyOf(role)])),
  };
  machine.cephClients[cluster.id] = {
    cloudId: cluster.cloudId,
    files: Object.fromEntries(
      Object.entries(contents).map(([name, content]) => [
        name,
        { content, mode: name === "ceph.conf" ? "644" : "600" },
      ]),
    ),
    brought: contents,
    secret: {
      usage: nameSecretUsage(cluster.cloudId, cluster.id),
      key: keyOf("libvirt"),
    },
  };
}

/** Field, as expected, as found. */
type Comparison = readonly [string, string, string];

/** What of it is not as it was brought. */
export function observeClient(machine: FakeHost, cluster: CephCluster): readonly Drift[] {
  const client = machine.cephClients[cluster.id];
  const found: readonly Comparison[] = [
    ...["ceph.conf", ...cephRoles.map((role) => nameKeyringOf(cluster, role))].flatMap(
      (name): readonly Comparison[] => {
        const field = `client.${name}`;
        const file = client?.files[name];
        if (file === undefined) return [[field, "present", "missing"]];
        const wanted = name === "ceph.conf" ? writeConf(cluster) : (client?.brought?.[name] ?? file.content);
        const mode = name === "ceph.conf" ? "644" : "600";
        return [
          [field, "unaltered", file.content === wanted ? "unaltered" : "altered"],
          [`${field}.mode`, `${mode}, owner 0`, `${file.mode}, owner 0`],
        ];
      },
    ),
    ["client.mark", "present", client?.brought === undefined ? "missing" : "present"],
    ["client.secret", nameSecretUsage(cluster.cloudId, cluster.id), client?.secret?.usage ?? "missing"],
  ];
  return found
    .filter(([, expected, actual]) => expected !== actual)
    .map(([field, expected, actual]) => ({
      field,
      expected,
      found: actual,
      repair: "brings it anew",
      label: "live",
    }));
}

/** Takes it back, unless a domain uses the secret. */
export function removeClient(machine: FakeHost, host: ComputeHost, cluster: NamedCluster): void {
  const client = machine.cephClients[cluster.id];
  if (client !== undefined && client.cloudId !== cluster.cloudId)
    throw new StackyardError("not-ours", {
      message: `what host ${host.name} has of a client of ${cluster.name} is not this cloud's`,
    });
  const users = Object.values(machine.foreign).filter(({ disks }) =>
    disks.some(({ source }) => source.startsWith(`rbd:${cluster.id}/`)),
  );
  if (users.length > 0)
    throw new StackyardError("in-use", {
      message: `Host ${host.name} has domains that use the secret`,
    });
  Reflect.deleteProperty(machine.cephClients, cluster.id);
}

/** Does it. What it is done to must be there. */
export function meddleWithClient(machine: FakeHost, cluster: CephCluster, how: ClientMeddling): void {
  if (how === "hide a tool" || how === "give the tool back") {
    machine.lacksOfCeph.splice(
      0,
      machine.lacksOfCeph.length,
      ...(how === "hide a tool" ? ["ceph-common"] : []),
    );
    return;
  }
  const client = machine.cephClients[cluster.id];
  if (client === undefined) throw new Error(`host is no client of ${cluster.id}`);
  const keyring = nameKeyringOf(cluster, "cinder");
  const fileOf = (name: string): FakeClientFile => {
    const file = client.files[name];
    if (file === undefined) throw new Error(`there is no file ${name}`);
    return file;
  };
  switch (how) {
    case "remove the conf":
      Reflect.deleteProperty(client.files, "ceph.conf");
      return;
    case "alter the conf":
      fileOf("ceph.conf").content += "#";
      return;
    case "remove a keyring":
      Reflect.deleteProperty(client.files, keyring);
      return;
    case "alter a keyring":
      fileOf(keyring).content += "#";
      return;
    case "open a keyring":
      fileOf(keyring).mode = "644";
      return;
    case "remove the mark":
      client.brought = undefined;
      return;
    case "undefine the secret":
      client.secret = undefined;
      return;
  }
}
