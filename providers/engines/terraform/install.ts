import { chmod, mkdir, rename, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { StackyardError } from "../../core/errors.ts";

/**
 * Address of the provider. Its host can be nobody's: ICANN keeps `.internal` for private use, so that no registry on the Internet can ever
 * serve another provider under this name.
 */
export const providerAddress = "stackyard.internal/stackyard/stackyard";

/** What an installation wrote, and what Terraform's or OpenTofu's CLI configuration needs for it. */
export interface Installation {
  readonly folder: string;
  readonly launcher: string;
  /** Text for `~/.terraformrc` or `~/.tofurc`. */
  readonly cliConfig: string;
}

const platforms: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64", arm: "arm" };

/** This machine as Terraform names it: `linux_amd64`. Raises `invalid-input` on one that the provider is not for. */
function describePlatform(): string {
  const architecture = platforms[process.arch];
  if (architecture !== undefined) return `${process.platform}_${architecture}`;
  throw new StackyardError("invalid-input", {
    message: `the provider cannot be installed on ${process.platform} ${process.arch}`,
    remedy: "Install it on Linux or macOS, on x64 or arm64.",
  });
}

/**
 * Writes a filesystem mirror that holds this provider. What is in it is a launcher of this very package and Node: its content, of which
 * Terraform's lock file has a hash, changes with the version only.
 */
export async function installMirror(folder: string, version: string): Promise<Installation> {
  const mirror = resolve(folder);
  const launcher = await installProvider({
    mirror,
    address: providerAddress,
    version,
    launch: launch(version),
  });
  return {
    folder: mirror,
    launcher,
    cliConfig: `provider_installation {
  filesystem_mirror {
    path    = ${quote(mirror)}
    include = [${quote(providerAddress)}]
  }
  direct {
    exclude = [${quote(providerAddress)}]
  }
}
`,
  };
}

/** Writes a folder for `dev_overrides`: Terraform then asks for no version and no lock, and `terraform init` is left out. */
export async function installOverride(folder: string, version: string): Promise<Installation> {
  const target = resolve(folder);
  const launcher = join(target, "terraform-provider-stackyard");
  await writeLauncher(launcher, launch(version));
  return {
    folder: target,
    launcher,
    cliConfig: `provider_installation {
  dev_overrides {
    ${quote(providerAddress)} = ${quote(target)}
  }
  direct {}
}
`,
  };
}

/** A string of the CLI's configuration language, HCL 1. */
function quote(text: string): string {
  return JSON.stringify(text);
}

/** A provider to write into a filesystem mirror. */
export interface MirroredProvider {
  readonly mirror: string;
  /** `HOST/NAMESPACE/NAME`. */
  readonly address: string;
  readonly version: string;
  readonly launch: Launch;
}

/** What a launcher starts. */
export interface Launch {
  /** One line about what it is. */
  readonly title: string;
  /** Path of a program for Node. */
  readonly program: string;
}

/** Writes a launcher to where Terraform and OpenTofu look for the provider in a mirror. Gives its path. */
export async function installProvider({
  mirror,
  address,
  version,
  launch,
}: MirroredProvider): Promise<string> {
  const file = `terraform-provider-${basename(address)}_v${version}`;
  const launcher = join(mirror, address, version, describePlatform(), file);
  await writeLauncher(launcher, launch);
  return launcher;
}

function launch(version: string): Launch {
  return {
    title: `Terraform provider of Stackyard ${version}. Written by: stackyard terraform install`,
    // Beside this file, in the sources and in the published package alike.
    program: fileURLToPath(import.meta.url).replace(/install(\.[jt]s)$/, "process$1"),
  };
}

async function writeLauncher(path: string, { title, program }: Launch): Promise<void> {
  const text = `#!/bin/sh
# ${title}
# What is set for the Node of whoever runs Terraform is not for this one.
unset NODE_OPTIONS
exec ${quoteForShell(process.execPath)} ${quoteForShell(program)}
`;
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(`${path}.part`, text);
  await chmod(`${path}.part`, 0o755);
  await rename(`${path}.part`, path);
}

function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
