import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { script, sh } from "../../../providers/hosts/command.ts";
import type { Shell } from "../../../providers/hosts/command.ts";

function runWithSh(command: Shell): string {
  return spawnSync("/bin/sh", ["-c", command.text], { encoding: "utf8" }).stdout;
}

describe("sh", () => {
  it("quotes a string as one word", () => {
    expect(sh`rm -- ${"a b"}`.text).toBe("rm -- 'a b'");
  });

  it("quotes a quote", () => {
    expect(sh`echo ${"it's"}`.text).toBe(String.raw`echo 'it'\''s'`);
  });

  it("quotes numbers", () => {
    expect(sh`head -n ${-5}`.text).toBe("head -n '-5'");
  });

  it("makes a word of each entry of a list", () => {
    expect(sh`touch ${["a", "b c", ""]}`.text).toBe("touch 'a' 'b c' ''");
  });

  it("makes nothing of an empty list", () => {
    expect(sh`echo ${[]} end`.text).toBe("echo  end");
  });

  it("takes another command as it is", () => {
    expect(sh`if ${sh`test -e ${"x"}`}; then :; fi`.text).toBe("if test -e 'x'; then :; fi");
  });

  it("leaves backslashes to the shell", () => {
    expect(runWithSh(sh`printf 'a\n%s\n' ${"b"}`)).toBe("a\nb\n");
  });

  it("joins a placeholder with the text beside it", () => {
    expect(sh`virsh --timeout=${"$(reboot)"}`.text).toBe("virsh --timeout='$(reboot)'");
  });

  it("gives every string to a program exactly", () => {
    const text = fc.string({ unit: "binary", maxLength: 300 }).map((value) => value.replaceAll("\0", ""));
    fc.assert(
      fc.property(text, (value) => {
        expect(runWithSh(sh`printf %s ${value}`)).toBe(value);
      }),
      { numRuns: 60 },
    );
  });

  it("gives every string to a program exactly inside a substitution in double quotes", () => {
    const text = fc.string({
      unit: fc.constantFrom("'", '"', "$", "(", ")", "\\", "`", "a", "#", ";"),
      maxLength: 12,
    });
    fc.assert(
      fc.property(text, (value) => {
        expect(runWithSh(sh`printf %s "$(printf '%s.' ${value})"`)).toBe(`${value}.`);
      }),
      { numRuns: 60 },
    );
  });

  it.each(["a\0b", "\0", "\ud800", "x\udc00y"])("refuses %j, which no argument can carry", (value) => {
    expect(() => sh`echo ${value}`).toThrow(
      expect.objectContaining({ code: "invalid-input", value }) as Error,
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("refuses the number %d", (value) => {
    expect(() => sh`echo ${value}`).toThrow("finite");
  });

  it("refuses a placeholder in double quotes", () => {
    expect(() => sh`echo "${"x"}"`).toThrow("double-quoted");
  });

  it("refuses a placeholder in single quotes", () => {
    expect(() => sh`echo '${"x"}'`).toThrow("single-quoted");
  });

  it("refuses a placeholder in a comment", () => {
    expect(() => sh`echo # ${"x"}`).toThrow("comment");
  });

  it("refuses a placeholder in double quotes after a substitution", () => {
    expect(() => sh`echo "$(echo ")") ${"x"}"`).toThrow("double-quoted");
  });

  it("sees that an escaped quote opens nothing", () => {
    expect(sh`echo \" ${"x"} \"`.text).toBe(String.raw`echo \" 'x' \"`);
  });

  it("sees that a hash inside a word is no comment", () => {
    expect(sh`echo a#b ${"x"} "$#"`.text).toBe(`echo a#b 'x' "$#"`);
  });

  it("goes on after a comment", () => {
    expect(
      sh`# don't mind
echo ${"x"}`.text,
    ).toBe("# don't mind\necho 'x'");
  });

  it("refuses here-documents", () => {
    expect(() => sh`cat <<EOF`).toThrow("here-documents");
  });

  it("refuses text that leaves a quote open", () => {
    expect(() => sh`echo "`).toThrow("not closed");
  });

  it("refuses text that is no literal", () => {
    const made = Object.assign(["echo $(reboot)"], { raw: ["echo $(reboot)"] });
    expect(() => sh(made)).toThrow("literal");
  });
});

describe("script", () => {
  it("stops at the first command that fails", () => {
    expect(runWithSh(script(sh`echo one`, sh`false`, sh`echo two`))).toBe("one\n");
  });

  it("stops at a variable that is not set", () => {
    expect(runWithSh(script(sh`echo "$missing_variable"`, sh`echo two`))).toBe("");
  });
});
