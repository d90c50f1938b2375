import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nestedFiles } from "../../../lab/nested/files.ts";
import { findLink, readLinks, saveLink } from "../../../lab/nested/network.ts";
import type { LinkSetting } from "../../../lab/nested/network.ts";
import type { NestedPlan } from "../../../lab/nested/plan.ts";
import { planBelow } from "../../support/nested-plan.ts";

let home: string;
let plan: NestedPlan;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "stackyard-links-"));
  plan = planBelow(home);
  mkdirSync(plan.folder, { recursive: true });
});

afterEach(() => {
  rmSync(home, { recursive: true });
});

const good: LinkSetting = { host: "h1", network: "data", cut: false, delayMs: 0, lossPercent: 0 };

test("a cable is good until something is set, and each has its own setting", async () => {
  expect(findLink(plan, "h1", "data")).toEqual(good);
  const slow: LinkSetting = { ...good, delayMs: 20 };
  const lossy: LinkSetting = { ...good, host: "h2", lossPercent: 3 };
  const cut: LinkSetting = { ...good, network: "management", cut: true };
  for (const link of [slow, lossy, cut]) await saveLink(plan, link);
  expect(readLinks(plan)).toEqual([slow, lossy, cut]);
  for (const link of [slow, lossy, cut]) expect(findLink(plan, link.host, link.network)).toEqual(link);
  expect(findLink(plan, "h2", "management").cut).toBe(false);
});

test("a cable has its last setting, and one that is mended is on no list", async () => {
  await saveLink(plan, { ...good, cut: true });
  await saveLink(plan, { ...good, lossPercent: 5 });
  expect(readLinks(plan)).toEqual([{ ...good, lossPercent: 5 }]);
  await saveLink(plan, good);
  expect(readLinks(plan)).toEqual([]);
});

test("a list that is not one is no lab of good cables", () => {
  writeFileSync(nestedFiles(plan).links, '[{ "host": "h1" }]');
  expect(() => findLink(plan, "h1", "data")).toThrow();
});
