import { posix } from "node:path";
import { expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import {
  findCycles,
  importersOf,
  importsBeyond,
  isOurs,
  isUnder,
  listImports,
  listLoaded,
  parseSource,
  readSources,
} from "../support/source-tree.ts";

const sources = readSources("providers/**/*.ts", "lab/**/*.ts");
const nouns = ["identity", "images", "networks", "servers", "volumes"].map((noun) => `providers/${noun}`);
const engines = ["cdktf", "cdktn", "cli", "pulumi", "terraform"].map((name) => `providers/engines/${name}`);

/** What each folder may import beside itself and packages. A folder that is not here has no rule, which a test below forbids. */
const directions: Readonly<Record<string, readonly string[]>> = {
  "providers/core": [],
  ...Object.fromEntries(nouns.map((noun) => [noun, ["providers/core", ...nouns]])),
  "providers/scheduler": ["providers/core"],
  "providers/config": ["providers/core"],
  "providers/store": ["providers/core"],
  "providers/hosts": ["providers/core"],
  "providers/bus": ["providers/core", "providers/scheduler"],
  "providers/authenticate": ["providers/core", "providers/store", "providers/identity"],
  "providers/compute": ["providers/core", "providers/hosts", "providers/bus"],
  "providers/conductor": [
    "providers/core",
    "providers/authenticate",
    "providers/bus",
    "providers/scheduler",
    "providers/servers",
    "providers/store",
    "providers/volumes",
  ],
  "providers/api": [
    "providers/core",
    "providers/authenticate",
    "providers/bus",
    "providers/conductor",
    "providers/store",
  ],
  "providers/engines/cdktf": [
    "providers/core",
    "providers/engines/terraform/install.ts",
    "providers/engines/terraform/provider-settings.ts",
    "providers/engines/terraform/schema.ts",
    "providers/registry.ts",
    "lab/inventory.ts",
  ],
  "providers/engines/cdktn": ["providers/core", "providers/engines/terraform/install.ts", "lab/inventory.ts"],
  "providers/engines/cli": ["providers/core", "providers/engines/preview"],
  "providers/engines/preview": ["providers/core"],
  "providers/engines/pulumi": [
    "providers/core",
    "providers/engines/preview",
    "providers/engines/cli/command-help.ts",
    "providers/engines/cli/context.ts",
    "providers/registry.ts",
    "providers/wiring.ts",
    "lab/inventory.ts",
  ],
  "providers/engines/terraform": [
    "providers/config/compile-cache.ts",
    "providers/core",
    "providers/engines/preview",
    "providers/registry.ts",
    "providers/wiring.ts",
  ],
  "providers/docs": [
    "providers/core",
    "providers/config",
    "providers/registry.ts",
    "providers/engines/cli/exit-codes.ts",
    "providers/engines/terraform/schema.ts",
    "providers/scheduler",
    "lab/topology.ts",
  ],
  "providers/registry.ts": ["providers/core", ...nouns],
  "providers/wiring.ts": ["providers"],
  "providers/main.ts": ["providers/config/compile-cache.ts", "providers/command-line.ts"],
  "providers/command-line.ts": [
    "providers/core",
    "providers/engines/cli",
    "providers/engines/pulumi/import-file-command.ts",
    "providers/engines/terraform/install-command.ts",
    "providers/registry.ts",
    "providers/wiring.ts",
    "lab/commands.ts",
    "lab/setup/doctor.ts",
  ],
  lab: [
    "providers/core",
    "providers/compute/bootstrap",
    "providers/compute/image-format.ts",
    "providers/compute/render.ts",
    "providers/hosts/command.ts",
    "providers/hosts/pool.ts",
    "providers/engines/cli",
  ],
};

test.each(Object.entries(directions))("%s imports only %j", (folder, allowed) => {
  expect(importsBeyond(sources, folder, allowed)).toEqual([]);
});

test("every file is under a rule", () => {
  const folders = Object.keys(directions);
  const free = sources
    .map(({ path }) => path)
    .filter((path) => !folders.some((folder) => isUnder(path, folder)));
  expect(free).toEqual([]);
});

test("engines and the command's entry load the wiring only when they need a cloud", () => {
  const eager = listImports(sources).filter(
    ({ from, target, kind }) =>
      target === "providers/wiring.ts" &&
      kind !== "lazy" &&
      [...engines, "providers/main.ts", "providers/command-line.ts"].some((path) => isUnder(from, path)),
  );
  expect(eager).toEqual([]);
});

test.each([
  ["providers/main.ts", ["providers/config/compile-cache.ts"]],
  [
    "providers/engines/terraform/process.ts",
    ["providers/config/compile-cache.ts", "providers/engines/terraform/provider-log.ts"],
  ],
])("%s loads nothing else of ours, and no package, before Node keeps what it compiles", (entry, few) => {
  expect(listLoaded(sources, entry).filter((target) => !target.startsWith("node:"))).toEqual(few);
});

test.each(["providers/command-line.ts", "providers/wiring.ts"])(
  "%s is loaded without what only some commands need",
  (path) => {
    const rare = [
      ...["diff", "fast-xml-parser", "handlebars", "node-ssh", "ssh-config", "yaml"],
      ...["providers/compute/compute.ts", "providers/scheduler/schedule.ts"],
    ];
    expect(listLoaded(sources, path).filter((target) => rare.includes(target))).toEqual([]);
  },
);

/** Each package and the only places that import it. A package that nothing imports is none of our dependencies. */
const places: Readonly<Record<string, readonly string[]>> = {
  "@grpc/grpc-js": ["providers/engines/pulumi", "providers/engines/terraform/serve.ts"],
  "@grpc/proto-loader": ["providers/engines/terraform/serve.ts"],
  "@msgpack/msgpack": ["providers/engines/terraform/values.ts"],
  "@pulumi/pulumi": ["providers/engines/pulumi"],
  cdktf: ["providers/engines/cdktf/resource.ts", "providers/engines/cdktf/constructs.gen.ts"],
  cdktn: ["providers/engines/cdktn"],
  commander: [
    "providers/engines/cli",
    "providers/engines/pulumi/import-file-command.ts",
    "providers/engines/terraform/install-command.ts",
    "lab/ceph-commands.ts",
    "lab/commands.ts",
    "lab/matrix/command.ts",
    "lab/nested/image/commands.ts",
    "lab/setup/doctor.ts",
  ],
  constructs: [
    "providers/engines/cdktf/resource.ts",
    "providers/engines/cdktf/constructs.gen.ts",
    "providers/engines/cdktn",
  ],
  diff: ["providers/engines/preview/preview-text.ts"],
  "fast-xml-parser": ["providers/hosts/xml.ts"],
  handlebars: ["providers/compute/render.ts"],
  "ipaddr.js": [
    "providers/core/cidr.ts",
    "providers/scheduler/filters/simple-cidr-affinity.ts",
    "lab/addresses.ts",
  ],
  kysely: ["providers/store"],
  "node-ssh": ["providers/hosts/ssh.ts"],
  prettier: ["providers/engines/cdktf/generate.ts", "providers/engines/pulumi/generate.ts"],
  "ssh-config": ["providers/hosts/ssh-config.ts", "providers/hosts/ssh-files.ts"],
  ssh2: ["providers/hosts/ssh-files.ts", "providers/hosts/ssh.ts"],
  "string-width": ["providers/engines/cli/table.ts"],
  yaml: [
    "providers/config/scheduler-file.ts",
    "providers/engines/cli/resource-inputs.ts",
    "lab/checked-input.ts",
  ],
  zod: ["providers", "lab"],
};

test.each(Object.entries(places))("%s is imported in %j only", (name, allowed) => {
  const elsewhere = importersOf(sources, name).filter(
    (path) => !allowed.some((place) => isUnder(path, place)),
  );
  expect(elsewhere).toEqual([]);
});

test("every package that is imported has its place", () => {
  const names = Object.keys(places);
  const strangers = listImports(sources)
    .map(({ target }) => target)
    .filter(
      (target) =>
        !isOurs(target) && !target.startsWith("node:") && !names.some((name) => isUnder(target, name)),
    );
  expect(strangers).toEqual([]);
});

test("every dependency is imported", () => {
  const idle = Object.keys(manifest.dependencies).filter((name) => importersOf(sources, name).length === 0);
  expect(idle).toEqual([]);
});

test("core imports zod, ipaddr.js and Node's own modules only", () => {
  const allowed = ["zod", "ipaddr.js", "providers/core"];
  const others = listImports(sources.filter(({ path }) => isUnder(path, "providers/core"))).filter(
    ({ target }) => !target.startsWith("node:") && !allowed.some((name) => isUnder(target, name)),
  );
  expect(others).toEqual([]);
});

/** Modules of Node's that reach a file, a process or a network. */
const inputOutput = [
  "fs",
  "net",
  "child_process",
  "dgram",
  "dns",
  "http",
  "https",
  "http2",
  "tls",
  "sqlite",
  "os",
];

test.each(["providers/scheduler", "providers/bus", "providers/api", "providers/authenticate", ...nouns])(
  "%s does no input or output of its own",
  (folder) => {
    const reached = listImports(sources)
      .filter(
        ({ from, target }) =>
          isUnder(from, folder) && inputOutput.some((name) => isUnder(target, `node:${name}`)),
      )
      .map(({ from, target }) => `${from} -> ${target}`);
    expect(reached).toEqual([]);
  },
);

test("processes are started in the hosts' local transport, in guest ssh, and in the lab only", () => {
  expect(importersOf(sources, "node:child_process").filter((path) => !isUnder(path, "lab"))).toEqual([
    "providers/engines/cli/guest-ssh-command.ts",
    "providers/hosts/local.ts",
  ]);
});

test("no module needs, at load, one that needs it", () => {
  expect(findCycles(sources, ["value", "lazy"])).toEqual([]);
});

test("no types of a noun go in a circle", () => {
  const files = sources.filter(({ path }) => nouns.some((noun) => isUnder(path, noun)));
  expect(findCycles(files, ["value", "type", "lazy"])).toEqual([]);
});

test("a circle of types stays within one folder", () => {
  const wide = findCycles(sources, ["value", "type", "lazy"]).filter(
    (cycle) => new Set(cycle.split(" -> ").map((path) => posix.dirname(path))).size > 1,
  );
  expect(wide).toEqual([]);
});

test("the environment is read in config and in the lab; guest ssh hands it on, and Terraform's handshake is in it", () => {
  const readers = sources.filter(
    ({ path, globals }) => globals.includes("process.env") && !isUnder(path, "lab"),
  );
  expect(readers.map(({ path }) => path)).toEqual([
    "providers/config/compile-cache.ts",
    "providers/config/config.ts",
    "providers/engines/cli/guest-ssh-command.ts",
    "providers/engines/terraform/process.ts",
  ]);
});

test("nothing but set-up writes to the console", () => {
  const writers = sources.filter(
    ({ path, globals }) => globals.includes("console") && !isUnder(path, "lab/setup"),
  );
  expect(writers).toEqual([]);
});

test("stacks import the package by its name", () => {
  const relative = listImports(readSources("stacks/**/*.ts")).filter(
    ({ target }) => !/^(stackyard(\/cdktf)?|@pulumi\/pulumi|cdktf|constructs|@cdktf\/[\w./-]+)$/.test(target),
  );
  expect(relative).toEqual([]);
});

test("every way to import is seen", () => {
  const text = [
    'import fs from "node:fs";',
    'import type { A } from "./a.ts";',
    'import { type B } from "../b/b.ts";',
    'export * from "./c.ts";',
    'const d = () => import("zod");',
    'let e: import("./e.ts").E;',
    'process.env["X"]; console.log(1);',
  ].join("\n");
  expect(parseSource("providers/x/x.ts", text)).toEqual({
    path: "providers/x/x.ts",
    imports: [
      { target: "node:fs", kind: "value" },
      { target: "providers/x/a.ts", kind: "type" },
      { target: "providers/b/b.ts", kind: "type" },
      { target: "providers/x/c.ts", kind: "value" },
      { target: "zod", kind: "lazy" },
      { target: "providers/x/e.ts", kind: "type" },
    ],
    globals: ["process.env", "console"],
  });
});

test("an import that leads out of its folder is named", () => {
  const source = parseSource(
    "providers/scheduler/x.ts",
    'import "../store/y.ts"; import "./z.ts"; import "../core/a.ts";',
  );
  expect(importsBeyond([source], "providers/scheduler", ["providers/core"])).toEqual([
    "providers/scheduler/x.ts -> providers/store/y.ts",
  ]);
});

test("what is loaded with a file is followed through what it imports, but for what comes later", () => {
  const files = [
    parseSource("a.ts", 'import "./b.ts"; import type { D } from "./d.ts";'),
    parseSource("b.ts", 'import "zod"; import "./a.ts"; const c = () => import("./c.ts");'),
    parseSource("c.ts", 'import "yaml";'),
  ];
  expect(listLoaded(files, "a.ts")).toEqual(["a.ts", "b.ts", "zod"]);
});

test("a circle is found, whatever leads into it", () => {
  const circle = [
    parseSource("a.ts", 'import "./b.ts";'),
    parseSource("b.ts", 'import "./c.ts";'),
    parseSource("c.ts", 'import "./b.ts";'),
  ];
  expect(findCycles(circle, ["value"])).toEqual(["b.ts -> c.ts -> b.ts"]);
});
