import { expect, it } from "vitest";
import { Shelf } from "../../../support/sample-resources.gen.ts";

it("says that an import cannot work, and what can, before Pulumi fails over it", () => {
  expect(() => new Shelf("shelf", { room: "cellar" }, { import: "some-id" })).toThrow(
    'Shelf "shelf": Pulumi cannot import resources of dynamic providers. Remove the option, run stackyard pulumi import-file shelf/NAME --out import.json',
  );
});
