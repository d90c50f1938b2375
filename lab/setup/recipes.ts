import { dynamicProvider, languageHost, opentofu, pulumi, type PinnedCli } from "./clis.ts";

/** A program that is built from a module which `clis/<folder>/go.mod` pins. */
export interface Build {
  readonly program: string;
  readonly folder: string;
  /** Import path of its main package. */
  readonly module: string;
  readonly tags: string;
  /** Variable of the program that holds its version, with the value (`-X` of Go's linker). */
  readonly variable: string;
}

/** How a CLI is had. */
export interface Recipe {
  /** Address of all its releases; below it a folder `v<version>` holds the files. */
  readonly releases: string;
  readonly archive: string;
  /** The folder of the programs in the archive, ending in a slash; empty where they are at its top. */
  readonly archiveFolder: string;
  /** The file with the checksums of the release's archives, in the format of sha512sum. */
  readonly checksums: string;
  readonly hash: "sha256" | "sha512";
  /** On two cores, of which others may use some. */
  readonly buildTime: string;
  readonly builds: readonly Build[];
  /** Scripts that come with an npm package. */
  readonly scripts: readonly { readonly program: string; readonly package: string }[];
}

const pulumiSdk = "github.com/pulumi/pulumi/sdk/v3";
const pulumiVersionVariable = `${pulumiSdk}/go/common/version.Version`;
/** The last release whose Go module holds the Node.js language host; it drives today's CLI. */
const languageHostVersion = "3.60.0";

const goArchitectures: Partial<Record<NodeJS.Architecture, string>> = { x64: "amd64" };
const goArchitecture = goArchitectures[process.arch] ?? process.arch;

/** Releases as their makers name the files, and the builds that give the same programs. */
export const recipes: Readonly<Record<PinnedCli["name"], Recipe>> = {
  pulumi: {
    releases: "https://github.com/pulumi/pulumi/releases/download",
    archive: `pulumi-v${pulumi.version}-${process.platform}-${process.arch}.tar.gz`,
    archiveFolder: "pulumi/",
    checksums: "SHA512SUMS",
    hash: "sha512",
    buildTime: "3 to 6 minutes",
    builds: [
      {
        program: "pulumi",
        folder: "pulumi",
        module: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        tags: "osusergo,grpcnotrace",
        variable: `${pulumiVersionVariable}=v${pulumi.version}`,
      },
      {
        program: languageHost,
        folder: languageHost,
        module: `${pulumiSdk}/nodejs/cmd/${languageHost}`,
        tags: "",
        variable: `${pulumiVersionVariable}=v${languageHostVersion}`,
      },
    ],
    scripts: [{ program: dynamicProvider, package: "@pulumi/pulumi" }],
  },
  opentofu: {
    releases: "https://github.com/opentofu/opentofu/releases/download",
    archive: `tofu_${opentofu.version}_${process.platform}_${goArchitecture}.tar.gz`,
    archiveFolder: "",
    checksums: `tofu_${opentofu.version}_SHA256SUMS`,
    hash: "sha256",
    buildTime: "2 to 5 minutes",
    builds: [
      {
        program: "tofu",
        folder: "opentofu",
        module: "github.com/opentofu/opentofu/cmd/tofu",
        tags: "",
        variable: "github.com/opentofu/opentofu/version.dev=no", // else it calls itself a pre-release
      },
    ],
    scripts: [],
  },
};
