import { topologyFields } from "../../lab/topology.ts";
import { page, table } from "./markdown.ts";
import { describeSchema, readJsonSchema } from "./schema-words.ts";

type Field = Parameters<typeof readJsonSchema>[0] & { readonly description?: string | undefined };

/** The page of the fields of a lab's topology. */
export function describeTopology(): string {
  const { lab, hosts, networks, ceph } = topologyFields;
  return page("Topology", [
    "What a lab is made of, as a file of YAML or JSON: `stackyard lab up --topology FILE`. All fields may be left out: an empty file is three compute hosts, h1 to h3, of namespaces. `three-hosts`, `three-hosts-ceph` and `three-virtual-machines` come with the package and are found by these names; copies of them are to begin with.",
    "Both drivers read the same file. What only virtual machines have is said below; hosts of namespaces go without it. A field that is unknown, or contradicts another one, is one error, [invalid-input](errors.md#invalid-input), before anything is made.",
    [
      "```yaml",
      "driver: nested",
      "hosts:",
      "  - { name: h1, roles: [compute, ceph], ramMib: 4096 }",
      "  - h2",
      "networks:",
      "  storage: { cidr: 10.90.0.0/24 }",
      "```",
    ].join("\n"),
    "## The lab",
    describeFields(lab),
    "## Each host",
    describeFields(hosts),
    "## Each network",
    describeFields(networks),
    "## Ceph",
    describeFields(ceph),
  ]);
}

/** Types that are told best in words of their own. */
const ownTypes: Readonly<Record<string, string>> = {
  hosts: "list of [hosts](#each-host), or whole number",
  networks: "[networks](#each-network) by name",
  ceph: "[settings](#ceph)",
  disks: "list of `{ sizeGib }`, 1 to 4096",
  roles: "list of `compute`, `ceph`, `gateway`",
  osds: "`1` or `3`",
};

function describeFields(fields: Readonly<Record<string, Field>>): string {
  return table(
    ["field", "type", "default", "what it is"],
    Object.entries(fields).map(([name, field]) => [
      `\`${name}\``,
      ownTypes[name] ?? describeSchema(readJsonSchema(field)),
      describeDefault(name, field),
      field.description ?? "",
    ]),
  );
}

function describeDefault(name: string, field: Field): string {
  if (name === "hosts") return "`3`";
  if (name === "mtuBytes") return "`1600` of `data`, `1500` of `storage`";
  const { default: preset } = readJsonSchema(field);
  if (typeof preset === "string" || typeof preset === "number") return `\`${String(preset)}\``;
  return Array.isArray(preset) && preset.length > 0 ? `\`[${preset.join(", ")}]\`` : "none";
}
