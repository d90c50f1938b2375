/** Bytes of a GiB. */
export const bytesPerGib = 2 ** 30;

/** Space that is left free on a host's disk beside what is brought there, bytes. */
export const diskReserveBytes = 64 * 1024 * 1024;

/** A size for readers, in the largest unit of which it has at least one: `1.5 GiB`. */
export function describeSize(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"] as const;
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${Number.isInteger(value) ? String(value) : value.toFixed(1)} ${units[power] ?? ""}`;
}
