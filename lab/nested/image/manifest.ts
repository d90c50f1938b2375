import { z } from "zod";

/** What is known of a built image; kept beside it as `manifest.json`. */
export const manifestSchema = z.object({
  version: z.literal(1),
  hash: z.string(),
  distribution: z.string(),
  roles: z.array(z.string()),
  builtAt: z.iso.datetime(),
  /** Of the tar of the tree: two builds from the same packages have the same. */
  treeSha256: z.string(),
  /** All installed packages with their versions. */
  packages: z.array(z.object({ name: z.string(), version: z.string() })),
  files: z.record(
    z.enum(["root.raw", "vmlinuz", "initrd"]),
    z.object({ bytes: z.int(), sha256: z.string() }),
  ),
});

export type ImageManifest = z.infer<typeof manifestSchema>;

/** The installed packages of a `dpkg` status file. */
export function parseStatus(text: string): ImageManifest["packages"] {
  return text
    .split("\n\n")
    .map((stanza) => ({
      name: /^Package: (.+)$/m.exec(stanza)?.[1],
      version: /^Version: (.+)$/m.exec(stanza)?.[1],
      isInstalled: /^Status: \S+ \S+ installed$/m.test(stanza),
    }))
    .flatMap(({ name, version, isInstalled }) =>
      isInstalled && name !== undefined && version !== undefined ? [{ name, version }] : [],
    )
    .sort((a, b) => a.name.localeCompare(b.name, "en"));
}
