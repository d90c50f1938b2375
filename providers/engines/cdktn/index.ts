/** What a program for cdktn, cdktf's successor, imports: `import { Host, Server } from "stackyard/cdktn"`. */
export { labCeph, labHosts, type InventoryCeph, type InventoryHost } from "../../../lab/inventory.ts";
export type { OutputList, StackyardDataSource, StackyardResource } from "./resource.gen.ts";
export * from "./constructs.gen.ts";
