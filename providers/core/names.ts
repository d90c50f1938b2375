/** A name of ours, `ramMib` or `server-group`, as Terraform writes it: `ram_mib`, `server_group`. */
export function toSnakeCase(name: string): string {
  return name.replaceAll("-", "_").replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The field that {@link toSnakeCase} made of a camelCase name. A law holds every field of the registry to the way back. */
export function toCamelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

/** A resource type as the name of its class: `server-group` is `ServerGroup`. */
export function toClassName(type: string): string {
  return type
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}
