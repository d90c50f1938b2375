import { expect, test } from "vitest";
import { describeDiagnosis } from "../../../lab/setup/doctor.ts";
import { missingPackages } from "../../../lab/setup/requirements.ts";

test("a package that dpkg does not list, or lists as removed, is missing", () => {
  const listing = "cpio\tinstalled\nmtools\tconfig-files\n";
  expect(missingPackages(["cpio", "mtools", "fdisk"], listing)).toEqual(["mtools", "fdisk"]);
});

test("a missing thing is told in one line with its remedy", () => {
  const line = describeDiagnosis({
    name: "Debian packages",
    neededFor: "lab",
    state: "missing",
    found: "without cpio",
    remedy: "sudo apt-get install cpio",
  });
  expect(line).toBe("missing  Debian packages (lab): without cpio; remedy: sudo apt-get install cpio");
});
