import { beforeEach, describe, expect, it } from "vitest";
import { Claims } from "../../../../providers/engines/terraform/claims.ts";

const config = { name: "web" };
const conflict = expect.objectContaining({ code: "conflict", field: "name", value: "web" }) as Error;

describe("the claims on ids", () => {
  let claims: Claims;

  beforeEach(() => {
    claims = new Claims();
  });

  it("take a create of an id that nothing has for the first", () => {
    expect(claims.noteCreate("maker", "id", "web", config)).toBe("first");
  });

  it("refuse a second create by one maker, its id known or not", () => {
    claims.noteCreate("maker", undefined, "web", config);
    expect(() => claims.noteCreate("maker", undefined, "web", config)).toThrow(conflict);
  });

  it("take a create after a plan of the same for a forced replacement", () => {
    claims.noteExisting("id");
    claims.noteExisting("id", { config, name: "web" });
    expect(claims.noteCreate("maker", "id", "web", { name: "web" })).toBe("forced");
  });

  it("take a create after a mere read for that of a tainted resource", () => {
    claims.noteExisting("id");
    expect(claims.noteCreate("maker", "id", "web", config)).toBe("forced");
  });

  it("refuse a create beside a plan of another configuration", () => {
    claims.noteExisting("id", { config: { ...config, more: 1 }, name: "web" });
    expect(() => claims.noteCreate("maker", "id", "web", config)).toThrow(conflict);
  });

  it("leave the name of a resource that is being renamed to its successor", () => {
    claims.noteExisting("id", { config, name: "db" });
    expect(claims.noteCreate("maker", "id", "web", config)).toBe("succeeding");
  });

  it("refuse a plan of what another block is planned to be made as", () => {
    claims.noteExisting("id");
    claims.noteCreate("maker", "id", "web", config);
    expect(() => claims.noteExisting("id", { config, name: "web" })).toThrow(conflict);
  });

  it("let a create stand beside what is read after it, and is not planned: it is destroyed", () => {
    claims.noteCreate("maker", "id", "web", config);
    expect(() => claims.noteExisting("id")).not.toThrow();
  });

  it("tell once that a resource was taken up", () => {
    claims.noteTakenUp("id");
    expect([claims.isTakenUp("id"), claims.isTakenUp("id"), claims.isTakenUp("other")]).toEqual([
      true,
      false,
      false,
    ]);
  });
});
