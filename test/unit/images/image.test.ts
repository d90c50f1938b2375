import { expect, test } from "vitest";
import { parseInputs } from "../../../providers/core/validate.ts";
import { image } from "../../../providers/images/image.ts";

test("a URL with a password is refused, and the password not repeated", () => {
  const disk = { location: "https://ada:open-sesame@images.example/debian.qcow2" };

  const { issues } = parseInputs(image, { name: "debian", disk }, []);

  expect(issues).toMatchObject([{ code: "invalid-input", field: "disk.location" }]);
  expect(JSON.stringify(issues)).not.toContain("sesame");
});

test("a URL may hold an at sign in its path", () => {
  const disk = { location: "https://images.example/debian@12.qcow2" };
  expect(parseInputs(image, { name: "debian", disk }, []).issues).toEqual([]);
});
