import { join } from "node:path";
import { readPackageVersion } from "../../providers/core/package-root.ts";
import { installProvider } from "../../providers/engines/terraform/install.ts";
import { nullProviderVersion } from "./null-provider.ts";

/** Of Terraform and of OpenTofu, each of which has a registry of its own. */
const registries = ["registry.terraform.io", "registry.opentofu.org"] as const;

/**
 * Puts the stand-in for hashicorp/null into a mirror, for Terraform and for OpenTofu. Gives the path of a launcher. It starts `program`; default: the
 * sources.
 */
export async function mirrorNullProvider(
  mirror: string,
  program = join(import.meta.dirname, "null-provider-process.ts"),
): Promise<string> {
  const [launcher] = await Promise.all(
    registries.map((registry) =>
      installProvider({
        mirror,
        address: `${registry}/hashicorp/null`,
        version: nullProviderVersion,
        launch: {
          title: `Stand-in for hashicorp/null, made for the tests of Stackyard ${readPackageVersion()}`,
          program,
        },
      }),
    ),
  );
  if (launcher === undefined) throw new Error("there is no registry to stand in for");
  return launcher;
}
