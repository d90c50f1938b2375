import { defineConfig } from "vitest/config";

const root = new URL("..", import.meta.url).pathname;

/** Vitest would leave one core to itself, and has nothing to do with it. */
const maxWorkers = "100%";

/**
 * One project a kind of test. `e2e` runs alone, two files at a time: each has labs of names and folders of its own, and
 * most of the time one process works and the others wait for it.
 */
export default defineConfig({
  root,
  test: {
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
