/** What a program for cdktf imports: `import { Host, Server } from "stackyard/cdktf"`. */
export { labCeph, labHosts, type InventoryCeph, type InventoryHost } from "../../../lab/inventory.ts";
export type { OutputList, StackyardDataSource, StackyardResource } from "./resource.ts";
export * from "./constructs.gen.ts";
