import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { field } from "../../../../providers/core/fields.ts";
import type { JsonObject } from "../../../../providers/core/json.ts";
import { addFlags, listFlags, readFlags, setAt } from "../../../../providers/engines/cli/flags.ts";
import { definitions } from "../../../../providers/registry.ts";

const schema = z.strictObject({
  name: field(z.string(), { doc: "Name." }),
  ramMib: field(z.int().default(512), { doc: "Memory in MiB." }),
  policy: field(z.enum(["affinity", "anti-affinity"]).optional(), { doc: "Policy." }),
  enabled: field(z.boolean().default(true), { doc: "Whether." }),
  dnsServers: field(z.array(z.string()).default([]), { doc: "Servers." }),
  networks: field(z.array(z.strictObject({ port: z.string(), vlan: z.int().optional() })).default([]), {
    doc: "Networks.",
  }),
  extraSpecs: field(z.record(z.string(), z.string()).default({}), { doc: "Specs." }),
  quota: field(z.strictObject({ ramMib: field(z.int().default(1), { doc: "RAM." }) }).prefault({}), {
    doc: "Limits.",
  }),
  password: field(z.string().optional(), { doc: "Password.", secret: true }),
  flavor: field(z.string().optional(), { doc: "Size.", references: "flavor" }),
});
const flags = listFlags(schema);

function parse(...words: readonly string[]): Promise<JsonObject> {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  addFlags(command, flags);
  command.parse(words, { from: "user" });
  return readFlags(flags, command, {}, (path, option) => Promise.resolve(`content of ${path} for ${option}`));
}

describe("listFlags", () => {
  it("names a flag for each field, nested ones after their parent, in kebab-case", () => {
    expect(flags.map(({ name }) => name)).toEqual([
      "name",
      "ram-mib",
      "policy",
      "enabled",
      "dns-servers",
      "networks",
      "extra-specs",
      "quota",
      "quota.ram-mib",
      "password-file",
      "flavor",
    ]);
  });

  it("marks as required what has neither a default nor is optional", () => {
    expect(flags.filter(({ required }) => required).map(({ name }) => name)).toEqual(["name"]);
  });
});

describe("flags on a command line", () => {
  it.each<[string, readonly string[], JsonObject]>([
    ["text", ["--name", "5"], { name: "5" }],
    ["a number", ["--ram-mib", "1024"], { ramMib: 1024 }],
    ["a choice", ["--policy", "affinity"], { policy: "affinity" }],
    ["a switch", ["--enabled"], { enabled: true }],
    ["a switch turned off", ["--no-enabled"], { enabled: false }],
    ["a repeated list", ["--dns-servers", "a", "--dns-servers", "b"], { dnsServers: ["a", "b"] }],
    ["a list as JSON", ["--dns-servers", '["a","b"]'], { dnsServers: ["a", "b"] }],
    ["a list of objects", ["--networks", "port=p,vlan=7"], { networks: [{ port: "p", vlan: 7 }] }],
    ["an object as JSON in a list", ["--networks", '{"port":"a,b=c"}'], { networks: [{ port: "a,b=c" }] }],
    ["a map", ["--extra-specs", "a=b=c", "--extra-specs", "d="], { extraSpecs: { a: "b=c", d: "" } }],
    ["a nested field", ["--quota.ram-mib", "9"], { quota: { ramMib: 9 } }],
    [
      "an object and a field of it",
      ["--quota", '{"cores":1}', "--quota.ram-mib", "9"],
      { quota: { cores: 1, ramMib: 9 } },
    ],
    ["a secret by its file", ["--password-file", "-"], { password: "content of - for --password-file" }],
    ["a hostile text", ["--name", "$(reboot)\n'; --"], { name: "$(reboot)\n'; --" }],
    ["nothing", [], {}],
  ])("read %s", async (_what, words, inputs) => {
    expect(await parse(...words)).toEqual(inputs);
  });

  it.each([
    ["text for a number", ["--ram-mib", "much"]],
    ["nothing for a number", ["--ram-mib", ""]],
    ["infinity", ["--ram-mib", "Infinity"]],
    ["an unknown choice", ["--policy", "together"]],
    ["a map without =", ["--extra-specs", "alone"]],
    ["broken JSON", ["--quota", "{"]],
    ["a secret as an argument", ["--password", "s3cret"]],
  ])("refuse %s", async (_what, words) => {
    await expect(async () => parse(...words)).rejects.toMatchObject({ exitCode: 1, name: "CommanderError" });
  });
});

describe("setAt", () => {
  it("changes an element of a list and leaves the original alone", () => {
    const before = { networks: [{ port: "a" }, { port: "b" }] };
    expect(setAt(before, ["networks", "1", "port"], "c")).toEqual({
      networks: [{ port: "a" }, { port: "c" }],
    });
    expect(before.networks[1]).toEqual({ port: "b" });
  });

  it("takes a key away", () => {
    expect(setAt({ a: { b: 1, c: 2 } }, ["a", "b"], undefined)).toEqual({ a: { c: 2 } });
  });
});

describe.each(definitions.map((definition) => [definition.type, definition] as const))(
  "flags of %s",
  (_type, definition) => {
    const own = listFlags(definition.inputs);

    it("are documented, each", () => {
      expect(own.filter(({ doc }) => doc === "").map(({ path }) => path)).toEqual([]);
    });

    it("do not collide with each other or with what every command has", () => {
      const names = own.flatMap(({ name, kind }) => (kind.kind === "switch" ? [name, `no-${name}`] : [name]));
      const all = [...names, "file", "json", "help", "unset", "yes", "dry-run"];
      expect(new Set(all).size).toBe(all.length);
    });

    it("never take a secret as an argument", () => {
      expect(own.filter(({ secret, name }) => secret && !name.endsWith("-file"))).toEqual([]);
    });

    it("reach every input", () => {
      expect(own.map(({ path }) => path)).toEqual(
        expect.arrayContaining(Object.keys(definition.inputs.shape)),
      );
    });

    it("have actions that are no verb of every type", () => {
      const verbs = ["list", "show", "create", "set", "delete", "ssh"];
      expect(Object.keys(definition.actions ?? {}).filter((name) => verbs.includes(name))).toEqual([]);
    });
  },
);
