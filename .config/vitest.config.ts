import { basename } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const root = new URL("..", import.meta.url).pathname;

/** Vitest would leave one core to itself, and has nothing to do with it. */
const maxWorkers = "100%";

/** The files that take minutes, longest first: begun last, one of them would run on alone in the end. */
const longFiles = [
  "pulumi.test.ts",
  "volume-backends.test.ts",
  "nested-lab.test.ts",
  "terraform.test.ts",
  "compute-ports.test.ts",
  "ceph-faults.test.ts",
  "ceph-servers.test.ts",
  "cdktf.test.ts",
];

/** Long files first, the others as vitest has them. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = longFiles.indexOf(basename(moduleId));
      return at < 0 ? longFiles.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

/**
 * One project a kind of test. `e2e` runs alone, two files at a time: each has labs of names and folders of its own, and
 * most of the time one process works and the others wait for it.
 */
export default defineConfig({
  root,
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        root,
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          maxWorkers,
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        root,
        test: {
          name: "laws",
          include: ["test/laws/**/*.test.ts"],
          maxWorkers,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        root,
        test: {
          name: "contract",
          include: ["test/contract/**/*.test.ts"],
          maxWorkers,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        root,
        test: { name: "preview", include: ["test/preview/**/*.test.ts"], maxWorkers, testTimeout: 30_000 },
      },
      {
        root,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          globalSetup: ["test/support/packed-folder.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        root,
        test: {
          // Virtual machines and their images: minutes where there is no KVM. No part of `npm test`.
          name: "nested",
          include: ["test/nested/**/*.test.ts"],
          maxWorkers: 1,
          testTimeout: 1_800_000,
          hookTimeout: 1_800_000,
        },
      },
    ],
  },
});
