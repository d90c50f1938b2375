import { createTwoFilesPatch } from "diff";
import type { CommandPreview, DomainPreview, PlacementPreview, Preview } from "../../core/cloud.ts";

/** Lines around a change of a domain's XML. */
const contextLines = { brief: 0, full: 3 } as const;

/** What a plan would do on the hosts, in lines; `undefined` where it would do nothing there. Not escaped. */
export function describePreview(preview: Preview, detail: "brief" | "full"): string | undefined {
  const { placement, domains, commands, incomplete } = preview;
  // Whose administrator the reader is not: that is no news to him.
  if (incomplete?.error.code === "forbidden") return undefined;
  const lines = [
    ...(placement === undefined ? [] : describePlacement(placement, detail)),
    ...domains.flatMap((domain) => describeDomain(domain, detail)),
    ...commands.map((command) =>
      detail === "full" ? describeCommand(command) : `command on host ${command.host}: ${command.purpose}`,
    ),
  ];
  if (lines.length === 0 && !isRefused(preview)) return undefined;
  const end =
    incomplete === undefined
      ? []
      : [`not known further than step ${incomplete.step}: ${incomplete.error.message}`];
  return [...lines, ...end].join("\n");
}

/**
 * Whether the apply would be refused on the hosts as they are now. A preview that ends early because something is planned which the apply makes first is
 * no refusal: a first deployment is full of that.
 */
export function isRefused({ placement, incomplete }: Preview): boolean {
  const code = incomplete?.error.code;
  if (code === undefined || code === "forbidden") return false;
  if (code === "wrong-state" || code === "unknown-reference") return false;
  return code !== "no-valid-host" || placement?.hosts !== 0;
}

/** Which host it would be. The apply may take servers in another order. */
export function describeChoice({ host, isKept, hosts }: PlacementPreview): string {
  return isKept
    ? `it stays on host ${host ?? "?"}`
    : `${host === undefined ? "no host" : `host ${host}`} of ${String(hosts)} would be chosen, as the hosts are now`;
}

function describePlacement(placement: PlacementPreview, detail: "brief" | "full"): readonly string[] {
  const { isKept, hosts, filters } = placement;
  if (hosts === 0) return [];
  if (isKept) return [describeChoice(placement)];
  const told = filters.filter(({ removed }) => detail === "full" || removed > 0);
  const removals = told.map(
    ({ name, before, removed }) => `${name} removes ${String(removed)} of ${String(before)}`,
  );
  return [describeChoice(placement), ...(removals.length === 0 ? [] : [`filters: ${removals.join(", ")}`])];
}

function describeDomain(domain: DomainPreview, detail: "brief" | "full"): readonly string[] {
  const title = `domain of ${domain.name} on host ${domain.host}`;
  if (domain.before === undefined && detail === "brief")
    return [`${title}: new, ${String(domain.after.trimEnd().split("\n").length)} lines of XML`];
  const diff = diffDomain(domain, contextLines[detail]);
  if (diff === "") return [`${title}: as it is`];
  return [`${title}:`, detail === "brief" ? changedLines(diff) : diff.trimEnd()];
}

/** Lines that go and lines that come, without headings. */
function changedLines(patch: string): string {
  const isChanged = (line: string): boolean => /^[-+](?!-- |\+\+ )/.test(line);
  return patch.split("\n").filter(isChanged).join("\n");
}

/** Unified diff of a domain's XML with so many lines around each change; empty where nothing changes. */
export function diffDomain({ before = "", after }: DomainPreview, context: number): string {
  if (before === after) return "";
  const patch = createTwoFilesPatch("as it is", "as it would be", before, after, undefined, undefined, {
    context,
  });
  return patch.replace(/^=+\n/, "");
}

/** A command with its text, below a line that says where and what for. What it reads is told by its length alone: secrets go that way. */
export function describeCommand({ host, step, purpose, command, inputBytes }: CommandPreview): string {
  const reads =
    inputBytes === 0
      ? ""
      : inputBytes === undefined
        ? ", reads a file"
        : `, reads ${String(inputBytes)} bytes that are not shown`;
  return `# on host ${host}: ${purpose} (step ${step}${reads})\n${command}`;
}
