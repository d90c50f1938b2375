/** What a stack's program imports: `import { Host, Server } from "stackyard"`. */
export { labHosts, type InventoryHost } from "../../../lab/inventory.ts";
export type { StackyardResource } from "./resource.ts";
export * from "./resources.gen.ts";
