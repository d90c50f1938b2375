import { expect, test } from "vitest";
import type { Preview } from "../../../../providers/core/cloud.ts";
import { StackyardError } from "../../../../providers/core/errors.ts";
import { describePreview, isRefused } from "../../../../providers/engines/preview/preview-text.ts";

const nothing: Preview = {
  inputs: {},
  issues: [],
  change: { action: "update", fields: [] },
  domains: [],
  commands: [],
};
const filters = [
  { name: "ComputeFilter", before: 3, removed: 1 },
  { name: "ImagePropertiesFilter", before: 2, removed: 0 },
];
const chosen = { host: "host-2", isKept: false, hosts: 3, filters };
const command = {
  host: "host-2",
  step: "spawn",
  purpose: "build server web",
  command: "virsh define\nvirsh start",
};
const before = "<domain>\n  <name>web</name>\n  <!-- a comment -->\n  <vcpu>1</vcpu>\n</domain>\n";
const after = before.replace("<vcpu>1<", "<vcpu>2<").replace("  <!-- a comment -->\n", "");

test("nothing on hosts is nothing to tell", () => {
  expect(describePreview(nothing, "full")).toBeUndefined();
});

test.each(["unknown-reference", "wrong-state", "no-valid-host"] as const)(
  "what waits for other plans is nothing to tell: %s",
  (code) => {
    const error = new StackyardError(code, { message: "not there yet" });
    const placement = { isKept: false, hosts: 0, filters: [] };
    expect(
      describePreview({ ...nothing, placement, incomplete: { step: "placement", error } }, "brief"),
    ).toBeUndefined();
  },
);

test("a server that outgrows its host is refused, and told", () => {
  const error = new StackyardError("no-valid-host", { message: "host h1 has no room for it" });
  const preview = { ...nothing, incomplete: { step: "placement", error } };
  expect(isRefused(preview)).toBe(true);
  expect(describePreview(preview, "brief")).toBe(
    "not known further than step placement: host h1 has no room for it",
  );
});

test.each([
  ["wrong-state", 0, false],
  ["unknown-reference", 0, false],
  ["no-valid-host", 0, false],
  ["no-valid-host", 3, true],
  ["host-unreachable", 3, true],
  ["forbidden", 3, false],
] as const)("%s with %i hosts: refused %s", (code, hosts, refused) => {
  const error = new StackyardError(code, { message: "not so" });
  const placement = { isKept: false, hosts, filters: [] };
  expect(isRefused({ ...nothing, placement, incomplete: { step: "placement", error } })).toBe(refused);
  expect(isRefused(nothing)).toBe(false);
});

test("a host that would be refused is told at once", () => {
  const error = new StackyardError("foreign-cloud", { message: "host h1 belongs to cloud other" });
  expect(describePreview({ ...nothing, incomplete: { step: "check", error } }, "brief")).toBe(
    "not known further than step check: host h1 belongs to cloud other",
  );
});

test("no host for a server is told with the filters that removed them", () => {
  const error = new StackyardError("no-valid-host", { message: "no host can take it" });
  const placement = { isKept: false, hosts: 3, filters: [{ name: "RamFilter", before: 3, removed: 3 }] };
  expect(describePreview({ ...nothing, placement, incomplete: { step: "placement", error } }, "brief")).toBe(
    "no host of 3 would be chosen, as the hosts are now\nfilters: RamFilter removes 3 of 3\nnot known further than step placement: no host can take it",
  );
});

test("who does not administer the cloud is told nothing of its hosts", () => {
  const error = new StackyardError("forbidden", { message: "hosts are the administrators'" });
  const preview = { ...nothing, placement: chosen, incomplete: { step: "placement", error } };
  expect(describePreview(preview, "brief")).toBeUndefined();
});

test("briefly: the host, filters that remove some, changed lines, and what commands are for", () => {
  const preview = {
    ...nothing,
    placement: chosen,
    domains: [{ host: "host-2", name: "web", before, after }],
    commands: [{ ...command, inputBytes: 12 }],
  };
  expect(describePreview(preview, "brief")).toBe(
    [
      "host host-2 of 3 would be chosen, as the hosts are now",
      "filters: ComputeFilter removes 1 of 3",
      "domain of web on host host-2:",
      "-  <!-- a comment -->",
      "-  <vcpu>1</vcpu>",
      "+  <vcpu>2</vcpu>",
      "command on host host-2: build server web",
    ].join("\n"),
  );
});

test("in full: all filters, whole XML, and the commands with what they read", () => {
  const preview = {
    ...nothing,
    placement: chosen,
    domains: [{ host: "host-2", name: "web", after }],
    commands: [{ ...command, inputBytes: 12 }, command],
  };
  const lines = describePreview(preview, "full")?.split("\n") ?? [];
  expect(lines).toContain("filters: ComputeFilter removes 1 of 3, ImagePropertiesFilter removes 0 of 2");
  expect(lines).toContain("+  <name>web</name>");
  expect(lines).toContain(
    "# on host host-2: build server web (step spawn, reads 12 bytes that are not shown)",
  );
  expect(lines).toContain("# on host host-2: build server web (step spawn, reads a file)");
  expect(lines.filter((line) => line === "virsh start")).toHaveLength(2);
});

test("briefly, a new domain is counted; one that stays as it is says so", () => {
  const fresh = { ...nothing, domains: [{ host: "host-2", name: "web", after: before }] };
  expect(describePreview(fresh, "brief")).toBe("domain of web on host host-2: new, 5 lines of XML");
  const same = { ...nothing, domains: [{ host: "host-2", name: "web", before, after: before }] };
  expect(describePreview(same, "brief")).toBe("domain of web on host host-2: as it is");
});

test("a server that stays, and a preview that ends early", () => {
  const error = new StackyardError("host-unreachable", { message: "host host-1 does not answer" });
  const preview = {
    ...nothing,
    placement: { host: "host-1", isKept: true, hosts: 1, filters: [] },
    incomplete: { step: "ports", error },
  };
  expect(describePreview(preview, "brief")).toBe(
    "it stays on host host-1\nnot known further than step ports: host host-1 does not answer",
  );
});
