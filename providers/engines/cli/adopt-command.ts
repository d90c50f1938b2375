import type { Command } from "commander";
import type { AdoptionPreview, AdoptionRequest, ForeignDisk, ForeignDomain } from "../../core/adoption.ts";
import { describeSize } from "../../core/bytes.ts";
import { escapeLine } from "../../core/escape.ts";
import type { Definition } from "../../core/resource.ts";
import { addJsonOption, describeCommand, wantsJson } from "./command-help.ts";
import type { CommandContext } from "./context.ts";
import { listFlags } from "./flags.ts";
import { toJsonPreview } from "./preview-command.ts";
import { writeView } from "./resource-change.ts";
import { addInputOptions, raiseIssues, readInputs, readName, resolveReferences } from "./resource-inputs.ts";
import { maskSecrets } from "./view.ts";

/** Adds `server adopt HOST DOMAIN`: makes a server of a domain that others made. Without `--adopt` it only looks. */
export function registerAdoptCommand(group: Command, context: CommandContext): void {
  const definition = context.definitions.find(({ type }) => type === "server");
  if (definition === undefined) return;
  const flags = listFlags(definition.inputs);
  const command = group
    .command("adopt")
    .argument("<host>", "host that the domain is on, by id or name")
    .argument("<domain>", "the domain, by libvirt's name or uuid")
    .option("--adopt", "do it; without this nothing is written")
    .action(async (host: string, domain: string, { adopt }: { readonly adopt?: true }) => {
      const given = await readInputs(command, flags, {}, context);
      // Not the domain's: that is from another set of names.
      readName("adopt the domain as a server", definition, given);
      await context.withCloud(async (cloud) => {
        const inputs = await resolveReferences(cloud, definition, given);
        const request: AdoptionRequest = { host, domain, inputs };
        const title = `adopt ${domain} on host ${host}`;
        const preview = await context.withProgress(title, (onProgress) => {
          onProgress("asking the host");
          return cloud.previewAdoption(request, context.signal);
        });
        raiseIssues("adopt the domain", preview.issues);
        if (adopt !== true) {
          await writePreview(command, definition, preview, context);
          return;
        }
        const view = await context.withProgress(title, (onProgress) =>
          cloud.adopt(request, { onProgress, signal: context.signal }),
        );
        await writeView(command, definition, view, cloud, context);
        if (preview.adoption.transfer === "copy")
          context.note(
            `its disk was copied; the original is still ${preview.adoption.diskPath}, and yours to remove`,
          );
      });
    });
  addInputOptions(command, flags);
  addJsonOption(command);
  describeCommand(
    command,
    "make a server of a libvirt domain that others made, under its own uuid and with its disk; only looks without --adopt",
    [
      "server adopt my-host legacy-vm --name web --flavor my-flavor --image my-image --networks network=lan",
      "server adopt my-host legacy-vm --file server.yaml --adopt",
      "server adopt my-host legacy-vm --file server.yaml --json",
    ],
  );
}

async function writePreview(
  command: Command,
  definition: Definition,
  preview: AdoptionPreview,
  context: CommandContext,
): Promise<void> {
  const { host, found, adoption, changes, inputs, incomplete } = preview;
  if (wantsJson(command)) {
    context.writeJson({
      adopted: false,
      host,
      domain: found ?? null,
      disk: {
        from: adoption.diskPath,
        to: found?.serverDiskPath ?? null,
        transfer: adoption.transfer,
        sizeBytes: adoption.diskBytes,
      },
      changes,
      inputs: maskSecrets(definition.inputs, inputs),
      ...(await toJsonPreview(preview)),
    });
  } else if (found === undefined) {
    context.writeText(
      escapeLine(`the adoption of domain ${adoption.domain} on host ${host} was broken off before it ended`),
    );
  } else {
    context.writeText(escapeLine(`domain ${found.name} (${found.id}) on host ${host}`));
    context.writeTable([{ title: "FIELD" }, { title: "FOUND" }], describeFound(found));
    context.writeText("\nadopting it would change");
    context.writeTable(
      [{ title: "FIELD" }, { title: "FOUND" }, { title: "DECLARED" }],
      changes.map(({ field, found: from, declared }) => [field, from, declared]),
    );
    context.writeText(`\n${escapeLine(describeDisk(preview))}`);
  }
  if (incomplete !== undefined)
    context.note(
      `it would stop at step ${incomplete.step}: ${incomplete.error.message} [${incomplete.error.code}]`,
    );
  context.note(
    found === undefined
      ? "nothing was written; run again with --adopt to finish it, or take it back: stackyard server delete"
      : "nothing was written; run again with --adopt to adopt it",
  );
}

function describeFound(found: ForeignDomain): readonly (readonly string[])[] {
  return [
    ["state", found.state],
    ["vcpus", String(found.vcpus)],
    ["memory", `${String(found.ramMib)} MiB`],
    ["machine", found.machine],
    ...found.disks.map((disk) => [`disk ${disk.target}`, describeForeignDisk(disk)]),
    ...found.interfaces.map(({ mac, source }, index) => [
      `interface ${String(index)}`,
      `${mac} on ${source}`,
    ]),
  ];
}

function describeForeignDisk({ source, format, file }: ForeignDisk): string {
  if (file === undefined) return `${source}, ${format}`;
  const base = file.basePaths.map((path) => `, on ${path}`).join("");
  return `${source}, ${format}, ${describeSize(file.sizeBytes)} (${describeSize(file.fileBytes)} in the file)${base}`;
}

/** What becomes of the disk, now and in the end. */
function describeDisk({ adoption, found }: AdoptionPreview): string {
  const to = found?.serverDiskPath ?? "";
  const how =
    adoption.transfer === "move"
      ? `its disk would be moved from ${adoption.diskPath} to ${to}`
      : `its disk would be copied from ${adoption.diskPath} to ${to}; the original stays`;
  return `${how}; removing the server removes it there, as any server's`;
}
