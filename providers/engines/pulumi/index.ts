/** What a stack's program imports: `import { Host, Server } from "stackyard"`. */
export { labCeph, labHosts, type InventoryCeph, type InventoryHost } from "../../../lab/inventory.ts";
export type { StackyardResource } from "./resource.ts";
export * from "./resources.gen.ts";
