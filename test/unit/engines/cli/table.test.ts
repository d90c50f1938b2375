import { describe, expect, it } from "vitest";
import { formatTable } from "../../../../providers/engines/cli/table.ts";

const columns = [{ title: "NAME" }, { title: "STATE" }];

describe("formatTable", () => {
  it("aligns columns under their titles", () => {
    expect(
      formatTable(columns, [
        ["web", "active"],
        ["database", "error"],
      ]),
    ).toBe("NAME      STATE\nweb       active\ndatabase  error\n");
  });

  it("counts a wide character as two cells", () => {
    expect(
      formatTable(columns, [
        ["日本", "a"],
        ["abcd", "b"],
      ]),
    ).toBe("NAME  STATE\n日本  a\nabcd  b\n");
  });

  it("counts a combining character as none", () => {
    expect(
      formatTable(columns, [
        ["e\u0301e\u0301e\u0301e\u0301", "a"],
        ["eeee", "b"],
      ]),
    ).toBe("NAME  STATE\ne\u0301e\u0301e\u0301e\u0301  a\neeee  b\n");
  });

  it("escapes control characters in cells", () => {
    expect(formatTable(columns, [["a\u001b[2J\nb", "x"]])).toBe("NAME           STATE\na\\u001b[2J\\nb  x\n");
  });

  it("cuts the widest column to the width of the terminal", () => {
    expect(formatTable(columns, [["x".repeat(50), "active"]], 20)).toBe(
      "NAME          STATE\nxxxxxxxxxxx…  active\n",
    );
  });

  it("cuts between characters, not inside a wide one", () => {
    expect(formatTable(columns, [["日".repeat(20), "active"]], 20)).toBe(
      "NAME          STATE\n日日日日日…   active\n",
    );
  });

  it("never cuts a column that is to stay whole", () => {
    const id = "0f7c1d5e-8a6b-4c3d-9e2f-1a2b3c4d5e6f";
    expect(
      formatTable([{ title: "ID", whole: true }, { title: "NAME" }], [[id, "n".repeat(30)]], 50),
    ).toContain(`${id}  ${"n".repeat(11)}…\n`);
  });

  it("shows the titles of an empty listing", () => {
    expect(formatTable(columns, [])).toBe("NAME  STATE\n");
  });
});
