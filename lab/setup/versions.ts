/** A version as its three numbers; a pre-release tag is dropped. */
export type Version = readonly [major: number, minor: number, patch: number];

/** Reads the first `1.2` or `1.2.3` of a text (`v3.259.0`, `go version go1.26.8 linux/amd64`); undefined when there is none. */
export function parseVersion(text: string): Version | undefined {
  const match = /(?<major>\d+)\.(?<minor>\d+)(?:\.(?<patch>\d+))?/.exec(text);
  if (match?.groups === undefined) return undefined;
  const { major, minor, patch } = match.groups;
  return [Number(major), Number(minor), Number(patch ?? 0)];
}

/** Whether `version` is `minimum` or newer. */
export function isAtLeast(version: Version, minimum: Version): boolean {
  const differing = version.findIndex((part, index) => part !== minimum[index]);
  return differing === -1 || (version[differing] ?? 0) > (minimum[differing] ?? 0);
}

/** `3.259.0`. */
export function showVersion(version: Version): string {
  return version.join(".");
}
