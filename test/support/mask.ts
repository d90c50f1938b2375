/** What differs from run to run, and what stands for it. */
const masks: readonly (readonly [found: RegExp, mask: string])[] = [
  [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<id>"],
  [/\bfa:16:3e(:[0-9a-f]{2}){3}\b/g, "<mac>"],
  [/\b10\.1\.0\.\d+\b/g, "<address>"],
  [/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, "<time>"],
  [/OpenTofu/g, "Terraform"],
  // OpenTofu explains its arrow.
  [/ \(current -> planned\)/g, ""],
];

/** A preview as it is kept: without ids, devices, addresses that are chosen, and times. */
export function maskPreview(text: string): string {
  return masks.reduce((masked, [found, mask]) => masked.replaceAll(found, mask), text);
}
