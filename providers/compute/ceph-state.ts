import { z } from "zod";
import type { CephCluster, NamedCluster } from "../core/ceph.ts";
import { StackyardError } from "../core/errors.ts";
import type { Drift } from "../core/resource.ts";
import { sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import { elementsAt, parseXml, textAt } from "../hosts/xml.ts";
import {
  clientMark,
  confName,
  digest,
  listClientFiles,
  nameKeyring,
  renderClientConf,
  type CephKeys,
} from "./ceph-client.ts";
import { cephClientFolder } from "./layout.ts";
import { cephRoles, describeSecret, nameCephSecret, nameSecretUsage } from "./marks.ts";

/** A file of a client as found. */
export interface ClientFileState {
  /** `sha256:<hex>`. */
  readonly digest: string;
  /** In octal. */
  readonly mode: string;
  /** Number of its owner. */
  readonly owner: string;
}

/** What a host has of a client. */
export interface ClientState {
  readonly files: ReadonlyMap<string, ClientFileState>;
  /** `client.json`; absent where there is none that can be read. */
  readonly mark: ClientMark | undefined;
  /** Absent where libvirt has no such secret. */
  readonly secret:
    | {
        readonly usage: string | undefined;
        readonly description: string | undefined;
      }
    | undefined;
}

const markSchema = z.object({
  cloudId: z.string(),
  clusterId: z.string(),
  files: z.record(z.string(), z.string()),
});
export type ClientMark = z.infer<typeof markSchema>;

const separator = "<>";

/** Looks at a client of a cluster. No key leaves the host: its files are known by their digests. Read by {@link parseClient}. */
export function observeClient(cluster: NamedCluster): Shell {
  const secretId = nameCephSecret(cluster.id);
  const names = [confName, ...cephRoles.map((role) => nameKeyring(cluster, role)), clientMark];
  return sh`libvirt() { virsh -q -c qemu:///system "$@" < /dev/null; }
folder=${cephClientFolder(cluster.id)}
for name in ${names}; do
  [ -f "$folder/$name" ] || continue
  sum=$(sha256sum < "$folder/$name")
  printf '%s %s %s\n' "$name" "$(stat -c '%a %u' -- "$folder/$name")" "$sum"
done
echo '<>'
[ ! -f "$folder/"${clientMark} ] || cat -- "$folder/"${clientMark}
echo '<>'
secrets=$(libvirt secret-list)
case $secrets in (*${secretId}*) libvirt secret-dumpxml ${secretId} ;; esac`;
}

/** Reads the answer of {@link observeClient}. */
export function parseClient(output: string): ClientState {
  const [files = "", mark = "", secret = ""] = output.split(`${separator}\n`);
  const lines = files.split("\n").filter((line) => line !== "");
  return {
    files: new Map(
      lines.map((line) => {
        const [name = "", mode = "", owner = "", hex = ""] = line.split(/ +/);
        return [name, { digest: `sha256:${hex}`, mode, owner }] as const;
      }),
    ),
    mark: parseMark(mark),
    secret: secret.trim() === "" ? undefined : parseSecret(secret),
  };
}

function parseMark(text: string): ClientMark | undefined {
  try {
    return markSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function parseSecret(xml: string): NonNullable<ClientState["secret"]> {
  const secret = parseXml(xml.trim(), "secret");
  return {
    usage: elementsAt(secret, "usage").map((usage) => textAt(usage, "name"))[0],
    description: textAt(secret, "description"),
  };
}

/**
 * What of a client is not as it was brought, or as the cluster is declared; with `keys`, also what holds others. Raises `not-ours` for a folder or a secret of another
 * cloud.
 */
export function compareClient(cluster: CephCluster, state: ClientState, keys?: CephKeys): readonly Drift[] {
  requireOurs(cluster, state);
  return [...compareFiles(cluster, state, keys), ...compareSecret(cluster, state)].map((difference) => ({
    ...difference,
    repair: "brings it anew",
    label: "live",
  }));
}

type Difference = Pick<Drift, "field" | "expected" | "found">;

function compareFiles(
  cluster: CephCluster,
  { files, mark }: ClientState,
  keys: CephKeys | undefined,
): readonly Difference[] {
  const brought =
    keys === undefined
      ? mark?.files
      : Object.fromEntries(
          listClientFiles(cluster, keys).map(({ name, content }) => [name, digest(content)]),
        );
  const expected = [
    { name: confName, mode: "644", digest: digest(renderClientConf(cluster)) },
    ...cephRoles.map((role) => {
      const name = nameKeyring(cluster, role);
      return { name, mode: "600", digest: brought?.[name] };
    }),
    { name: clientMark, mode: "644", digest: undefined },
  ];
  return expected.flatMap(({ name, mode, digest: wanted }): readonly Difference[] => {
    const field = name === clientMark ? "client.mark" : `client.${name}`;
    const found = files.get(name);
    if (found === undefined) return [{ field, expected: "present", found: "missing" }];
    if (name === clientMark && mark === undefined)
      return [{ field, expected: "unaltered", found: "altered" }];
    const access = `${mode}, owner 0`;
    const actual = `${found.mode}, owner ${found.owner}`;
    return [
      ...(wanted === undefined || wanted === found.digest
        ? []
        : [{ field, expected: "unaltered", found: "altered" }]),
      ...(access === actual ? [] : [{ field: `${field}.mode`, expected: access, found: actual }]),
    ];
  });
}

function compareSecret({ cloudId, id }: CephCluster, { secret }: ClientState): readonly Difference[] {
  const usage = nameSecretUsage(cloudId, id);
  const found = secret === undefined ? "missing" : (secret.usage ?? "none");
  return found === usage ? [] : [{ field: "client.secret", expected: usage, found }];
}

/** Raises `not-ours`. */
export function requireOurs({ cloudId, id, name }: NamedCluster, { mark, secret }: ClientState): void {
  const foreign =
    mark !== undefined && (mark.cloudId !== cloudId || mark.clusterId !== id)
      ? cephClientFolder(id)
      : secret !== undefined && secret.description !== describeSecret(cloudId, "cluster", id)
        ? `the libvirt secret ${nameCephSecret(id)}`
        : undefined;
  if (foreign === undefined) return;
  throw new StackyardError("not-ours", {
    message: `What a client of Ceph cluster ${name} needs cannot be put on the host: ${foreign} is there, and not this cloud's`,
    remedy: "Remove it on the host.",
  });
}
