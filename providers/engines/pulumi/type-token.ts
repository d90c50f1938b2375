import { toClassName } from "../../core/names.ts";

/** Pulumi's type of a resource: for `server-group`, `pulumi-nodejs:dynamic/stackyard:ServerGroup`. It is written in users' state: never change it. */
export function typeToken(type: string): string {
  return `pulumi-nodejs:dynamic/stackyard:${toClassName(type)}`;
}
