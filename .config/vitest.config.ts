import { defineConfig } from "vitest/config";

const root = new URL("..", import.meta.url).pathname;

/** One project a kind of test; `e2e` runs alone and in order, since it owns the machine's lab. */
export default defineConfig({
  root,
  test: {
    projects: [
      {
        root,
        test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 30_000, hookTimeout: 30_000 },
      },
      {
        root,
        test: { name: "laws", include: ["test/laws/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 },
      },
      {
        root,
        test: {
          name: "contract",
          include: ["test/contract/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      { root, test: { name: "preview", include: ["test/preview/**/*.test.ts"], testTimeout: 30_000 } },
      {
        root,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          fileParallelism: false,
          globalSetup: ["test/support/packed-folder.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
