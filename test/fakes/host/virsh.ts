import type { FakeDomain, FakeHostModel } from "./model.ts";
import { pathOf, UnexpectedCall } from "./tools.ts";
import type { FakeTool, ToolAnswer, ToolCall } from "./tools.ts";

const at = "commands of test/fakes/host/virsh.ts";

/** Answers with the words of virsh 9.0. Several commands may come in one argument, with semicolons between. */
export const virsh: FakeTool = async (call, model) => {
  const words = call.args.filter((word) => word !== "-q");
  const uriAt = words.indexOf("-c");
  if (uriAt >= 0) words.splice(uriAt, 2);
  const commands = words.length === 1 ? splitCommands(words[0] ?? "") : [words];
  let stdout = "";
  let stderr = "";
  let exitCode = 0;
  for (const command of commands) {
    const answer = await runCommand(call, model, command);
    // Without -q, an empty line ends the output and the errors of each command.
    const end = call.args.includes("-q") ? "" : "\n";
    stdout += answer.stdout === undefined ? "" : answer.stdout + end;
    stderr += answer.stderr === undefined ? "" : answer.stderr + end;
    exitCode = answer.exitCode ?? 0;
  }
  return { stdout, stderr, exitCode };
};

function splitCommands(text: string): readonly (readonly string[])[] {
  return text
    .split(";")
    .map((command) =>
      [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((word) => word[1] ?? word[2] ?? word[0]),
    )
    .filter((command) => command.length > 0);
}

async function runCommand(
  call: ToolCall,
  model: FakeHostModel,
  command: readonly string[],
): Promise<ToolAnswer> {
  const [verb = "", ...rest] = command;
  const flags = rest.filter((word) => word.startsWith("--"));
  const operands = rest.filter((word) => !word.startsWith("--"));
  switch (verb) {
    case "echo":
      return { stdout: operands.join(" ") };
    case "version":
      return { stdout: "Using library: libvirt 9.0.0\nRunning hypervisor: QEMU 7.2.22\n" };
    case "capabilities":
      return { stdout: capabilities };
    case "list":
      return { stdout: listDomains(call, model, flags) };
    case "define":
      return define(model, await readXml(call, model, operands[0] ?? ""));
    default: {
      const [name = "", ...operandsAfter] = operands;
      const entry = model.findDomain(name);
      if (entry === undefined) return fails(`failed to get domain '${name}'`);
      return runOnDomain(call, model, verb, entry, name, flags, operandsAfter);
    }
  }
}

function runOnDomain(
  call: ToolCall,
  model: FakeHostModel,
  verb: string,
  entry: FakeDomain,
  name: string,
  flags: readonly string[],
  operands: readonly string[],
): ToolAnswer {
  const isOn = entry.state !== "shut off";
  switch (verb) {
    case "domstate":
      return {
        stdout: flags.includes("--reason") ? `${entry.state} (${entry.reason})\n` : `${entry.state}\n`,
      };
    case "dumpxml":
      return { stdout: `${entry.xml.trim()}\n` };
    case "metadata":
      return showMetadata(entry, operands[0] ?? "");
    case "start":
      return isOn ? fails("Domain is already active") : start(model, entry);
    case "shutdown":
      if (!isOn) return notRunning("shutdown", name);
      if (model.guestObeys) model.stopDomain(entry, "shutdown");
      return {};
    case "destroy":
      if (!isOn) return notRunning("destroy", name);
      model.stopDomain(entry, "destroyed");
      return {};
    case "reboot":
    case "reset":
      return isOn ? {} : notRunning(verb, name);
    case "undefine":
      return undefine(model, entry, name, flags);
    default:
      throw new UnexpectedCall(call, at);
  }
}

function start(model: FakeHostModel, entry: FakeDomain): ToolAnswer {
  const missing = entry.domain.interfaces.find(
    ({ bridge }) => bridge !== undefined && !model.bridges.has(bridge),
  );
  if (missing !== undefined) {
    return fails(
      `Failed to start domain '${entry.domain.name}'`,
      `Cannot get interface MTU on '${missing.bridge ?? ""}': No such device`,
    );
  }
  model.startDomain(entry);
  return {};
}

/** A domain that runs goes on without its definition, and is gone when it ends; here it stays listed until then. */
function undefine(
  model: FakeHostModel,
  entry: FakeDomain,
  name: string,
  flags: readonly string[],
): ToolAnswer {
  const failed = `Failed to undefine domain '${name}'`;
  if (entry.hasSavedState && !flags.includes("--managed-save")) {
    return fails(
      failed,
      "Requested operation is not valid: Refusing to undefine while domain managed save image exists",
    );
  }
  if (entry.snapshots > 0 && !flags.includes("--snapshots-metadata")) {
    return fails(
      failed,
      `Requested operation is not valid: cannot delete inactive domain with ${String(entry.snapshots)} snapshots`,
    );
  }
  if (/<nvram/.test(entry.xml) && !flags.includes("--nvram") && !flags.includes("--keep-nvram")) {
    return fails(failed, "Requested operation is not valid: cannot undefine domain with nvram");
  }
  if (entry.state !== "shut off") model.stopDomain(entry, "destroyed");
  model.domains.delete(entry.domain.uuid);
  return {};
}

function define(model: FakeHostModel, xml: string): ToolAnswer {
  const name = /<name>([^<]*)<\/name>/.exec(xml)?.[1] ?? "";
  const uuid = /<uuid>([^<]*)<\/uuid>/.exec(xml)?.[1] ?? "";
  const holder = model.findDomain(name);
  if (holder !== undefined && holder.domain.uuid !== uuid) {
    return fails(
      "Failed to define domain from /dev/stdin",
      `operation failed: domain '${name}' already exists with uuid ${holder.domain.uuid}`,
    );
  }
  model.defineDomain(xml);
  return {};
}

async function readXml(call: ToolCall, model: FakeHostModel, path: string): Promise<string> {
  return path === "/dev/stdin" ? call.stdin() : model.readFile(pathOf(call, path)).toString("utf8");
}

function listDomains(call: ToolCall, model: FakeHostModel, flags: readonly string[]): string {
  if (!flags.includes("--all") || !(flags.includes("--uuid") || flags.includes("--name"))) {
    throw new UnexpectedCall(call, at);
  }
  const rows = [...model.domains.values()].map(({ domain }) =>
    [flags.includes("--uuid") ? domain.uuid : "", flags.includes("--name") ? domain.name : ""]
      .join(" ")
      .trim(),
  );
  return rows.map((row) => `${row}\n`).join("");
}

/** The element without its prefix, as libvirt gives it to who names its namespace. */
function showMetadata(entry: FakeDomain, namespace: string): ToolAnswer {
  const element = entry.domain.metadata.find((candidate) => candidate.namespace === namespace);
  if (element === undefined) return fails("metadata not found: Requested metadata element is not present");
  const attributes = Object.entries(element.attributes).map(([key, value]) => `${key}="${value}"`);
  return { stdout: `<${[element.name, ...attributes].join(" ")}/>\n` };
}

function notRunning(verb: string, name: string): ToolAnswer {
  return fails(
    `Failed to ${verb} domain '${name}'`,
    "Requested operation is not valid: domain is not running",
  );
}

function fails(...lines: readonly string[]): ToolAnswer {
  return { exitCode: 1, stderr: lines.map((line) => `error: ${line}\n`).join("") };
}

const capabilities = `<capabilities>
  <host><cpu><arch>x86_64</arch></cpu></host>
  <guest><os_type>hvm</os_type>
    <arch name='x86_64'><wordsize>64</wordsize>
      <machine canonical='pc-i440fx-7.2' maxCpus='255'>pc</machine><machine canonical='pc-q35-7.2' maxCpus='288'>q35</machine>
      <domain type='qemu'/>
    </arch>
  </guest>
</capabilities>
`;
