import { beforeEach, describe, expect, it } from "vitest";
import { Claims } from "../../../../providers/engines/terraform/claims.ts";

const conflict = expect.objectContaining({ code: "conflict", field: "name", value: "web" }) as Error;

describe("the claims on ids", () => {
  let claims: Claims;

  beforeEach(() => {
    claims = new Claims();
  });

  it("take a create of an id that nothing has for the first", () => {
    expect(claims.noteCreate("maker", "id", "web", false)).toBe("first");
  });

  it("refuse a second create by one maker, its id known or not", () => {
    claims.noteCreate("maker", undefined, "web", false);
    expect(() => claims.noteCreate("maker", undefined, "web", false)).toThrow(conflict);
  });

  it("take a create after a plan of the same for a forced replacement", () => {
    claims.noteExisting("id");
    claims.noteExisting("id", "web");
    expect(claims.noteCreate("maker", "id", "web", true)).toBe("forced");
  });

  it("take a create after a mere read for that of a tainted resource", () => {
    claims.noteExisting("id");
    expect(claims.noteCreate("maker", "id", "web", false)).toBe("forced");
  });

  it("refuse a create beside a plan of the same name, be its configuration the same or not", () => {
    claims.noteExisting("id", "web");
    expect(() => claims.noteCreate("maker", "id", "web", false)).toThrow(conflict);
  });

  it("leave the name of a resource that is being renamed to its successor", () => {
    claims.noteExisting("id", "db");
    expect(claims.noteCreate("maker", "id", "web", false)).toBe("succeeding");
  });

  it("refuse a plan of what another block is planned to be made as", () => {
    claims.noteExisting("id");
    claims.noteCreate("maker", "id", "web", false);
    expect(() => claims.noteExisting("id", "web")).toThrow(conflict);
  });

  it("let a create stand beside what is read after it, and is not planned: it is destroyed", () => {
    claims.noteCreate("maker", "id", "web", false);
    expect(() => claims.noteExisting("id")).not.toThrow();
  });

  it("tell that two addresses of the state have one id, and of a mere read not", () => {
    expect(claims.noteExisting("id")).toBe(false);
    expect(claims.noteExisting("id", "web")).toBe(false);
    expect(claims.noteExisting("id")).toBe(false);
    expect(claims.noteExisting("other", "web")).toBe(false);
    expect(claims.noteExisting("id", "web")).toBe(true);
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
