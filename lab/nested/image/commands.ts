import { Option, type Command } from "commander";
import { describeSize } from "../../../providers/core/bytes.ts";
import { StackyardError } from "../../../providers/core/errors.ts";
import { formatJson } from "../../../providers/core/escape.ts";
import { formatTable } from "../../../providers/engines/cli/table.ts";
import type { LabOptions } from "../../driver.ts";
import { distributions, parseTopology } from "../../topology.ts";
import type { Topology } from "../../topology.ts";
import { loadTopology } from "../../topology-file.ts";
import { collectImages, listImages } from "./images.ts";
import type { Collection, ImageDescription } from "./images.ts";
import { exportFormats, exportImage } from "./export.ts";
import { ensureImage } from "./image.ts";
import { hashRecipe, imageRoles, recipeOf, recipeOfRoles } from "./recipe.ts";
import type { ImageRecipe, ImageRole } from "./recipe.ts";

interface RecipeFlags {
  readonly topology?: string;
  readonly role?: readonly (ImageRole | "none")[];
  readonly distribution?: Topology["distribution"];
  readonly mirror?: string;
  readonly json?: boolean;
}

/** Runs a command with progress, and Ctrl-C ending what it waits for. */
type RunVerb = <Result>(title: string, action: (options: LabOptions) => Promise<Result>) => Promise<Result>;

/** The images that flags name: those of a topology's hosts, or one of roles. */
function recipesOf({ topology: file, role, distribution, mirror }: RecipeFlags): readonly ImageRecipe[] {
  const given = {
    driver: "nested",
    ...(distribution === undefined ? {} : { distribution }),
    ...(mirror === undefined ? {} : { mirror }),
  };
  const topology = file === undefined ? parseTopology(given) : loadTopology(file, given);
  const named = role?.filter((each) => each !== "none");
  const recipes =
    named === undefined
      ? topology.hosts.map(({ roles }) => recipeOf(topology, roles))
      : [recipeOfRoles(topology, named)];
  return recipes.filter(
    (recipe, index) => recipes.findIndex((other) => hashRecipe(other) === hashRecipe(recipe)) === index,
  );
}

interface ExportFlags extends RecipeFlags {
  readonly out: string;
  readonly format: (typeof exportFormats)[number];
  readonly bootable?: true;
}

/** As `--role` takes them. */
function nameRoles({ roles }: ImageRecipe): string {
  return roles.length === 0 ? "none" : roles.join(" ");
}

/** @throws StackyardError `invalid-input` for flags that name more than one image. */
function onlyRecipe(flags: RecipeFlags): ImageRecipe {
  const recipes = recipesOf(flags);
  const [recipe] = recipes;
  if (recipe !== undefined && recipes.length === 1) return recipe;
  throw new StackyardError("invalid-input", {
    message: "the hosts of the topology have more than one image",
    field: "role",
    value: flags.topology,
    remedy: `Name the roles of one with --role: ${recipes.map(nameRoles).join("; ")}.`,
  });
}

const roleOption = new Option(
  "--role <role...>",
  "roles of the hosts that it is for, and ceph-client for compute hosts of a lab with Ceph; none for the bare distribution",
).choices([...imageRoles, "none"]);

function addRecipeOptions(command: Command): Command {
  return command
    .option("--topology <file>", "YAML file of a lab, for the images of its hosts")
    .addOption(roleOption)
    .addOption(
      new Option("--distribution <name>", "distribution, the topology's by default").choices(distributions),
    )
    .option("--mirror <url>", "package mirror, the topology's or the distribution's own by default")
    .option("--json", "write the result as JSON");
}

function formatImages(images: readonly ImageDescription[]): string {
  const rows = images.map(({ hash, distribution, roles, bytes, builtAt, users }) => [
    hash,
    distribution ?? "damaged",
    roles.length === 0 ? "-" : roles.join(" "),
    describeSize(bytes),
    builtAt ?? "-",
    users.length === 0 ? "-" : users.join(", "),
  ]);
  const titles = ["IMAGE", "DISTRIBUTION", "ROLES", "SIZE", "BUILT", "USED BY"];
  return formatTable(
    titles.map((title) => ({ title })),
    rows,
  );
}

function formatCollection({ images, packageBytes, freedBytes }: Collection, dryRun: boolean): string {
  const gone = (bytes: number): string => `${dryRun ? "would go" : "removed"}, ${describeSize(bytes)}`;
  const lines = images.map(({ hash, bytes, kept }) => `${hash}  ${kept ?? gone(bytes)}\n`);
  return [
    ...lines,
    packageBytes === 0 ? "" : `downloaded packages  ${gone(packageBytes)}\n`,
    `${dryRun ? "would free" : "freed"} ${describeSize(freedBytes)}\n`,
  ].join("");
}

const examples = `
Examples:
  stackyard lab image build --topology lab.yaml   before the first lab up, which would build them too
  stackyard lab image list
  stackyard lab image gc --dry-run`;

/** Adds `lab image …`: the images that virtual machines of labs boot. */
export function registerImageCommands(lab: Command, runVerb: RunVerb): void {
  const image = lab
    .command("image")
    .description("Builds, lists, removes and exports the images of hosts that are virtual machines.")
    .addHelpText("after", examples);

  addRecipeOptions(image.command("build"))
    .description("Builds the images of a topology's hosts, or of roles; what is in the cache already stays.")
    .option("--refresh", "build anew, from the packages that the mirror has now")
    .addHelpText(
      "after",
      "\nExample:\n  stackyard lab image build --role compute --distribution debian-13 --refresh",
    )
    .action(async (flags: RecipeFlags & { readonly refresh?: true }) => {
      const hashes = await runVerb("lab image build", async (options) => {
        const built: string[] = [];
        for (const recipe of recipesOf(flags)) {
          const { hash } = await ensureImage(recipe, { ...options, refresh: flags.refresh === true });
          built.push(hash);
        }
        return built;
      });
      const images = (await listImages()).filter(({ hash }) => hashes.includes(hash));
      process.stdout.write(flags.json === true ? `${formatJson(images)}\n` : formatImages(images));
    });

  addRecipeOptions(image.command("export"))
    .description(
      "Writes an image to a file, and builds it first where the cache has it not: its file system, or a disk that boots.",
    )
    .requiredOption("--out <file>", "file to write; it must not exist")
    .addOption(new Option("--format <format>", "format of the file").choices(exportFormats).default("qcow2"))
    .option("--bootable", "a disk with a partition and GRUB, for machines with BIOS and a virtio disk")
    .addHelpText(
      "after",
      "\nExample:\n  stackyard lab image export --role compute --out host.qcow2 --format qcow2 --bootable",
    )
    .action(async (flags: ExportFlags) => {
      const recipe = onlyRecipe(flags);
      const { format, bootable } = flags;
      const result = await runVerb("lab image export", async (options) => {
        const built = await ensureImage(recipe, options);
        const file = await exportImage(built, flags.out, {
          ...options,
          format,
          isBootable: bootable === true,
        });
        return { image: built.hash, file, format, bootable: bootable === true };
      });
      process.stdout.write(flags.json === true ? `${formatJson(result)}\n` : `${result.file}\n`);
    });

  image
    .command("list")
    .description("Lists the images of this user's cache, and which labs use them.")
    .option("--json", "write the result as JSON")
    .addHelpText("after", "\nExample:\n  stackyard lab image list --json")
    .action(async (flags: { readonly json?: boolean }) => {
      const images = await listImages();
      process.stdout.write(flags.json === true ? `${formatJson(images)}\n` : formatImages(images));
    });

  image
    .command("gc")
    .description(
      "Removes images that no lab, snapshot or running host uses, packages that none of the others has, and what killed builds have left.",
    )
    .option("--dry-run", "only tell what would go")
    .option("--json", "write the result as JSON")
    .addHelpText("after", "\nExample:\n  stackyard lab image gc --dry-run")
    .action(async (flags: { readonly json?: boolean; readonly dryRun?: true }) => {
      const dryRun = flags.dryRun === true;
      const collection = await collectImages({ dryRun });
      process.stdout.write(
        flags.json === true
          ? `${formatJson({ dryRun, ...collection })}\n`
          : formatCollection(collection, dryRun),
      );
    });
}
