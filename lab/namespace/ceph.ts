import { existsSync } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { renderText } from "../../providers/compute/render.ts";
import { labFiles } from "../folders.ts";
import { replaceFile } from "../state.ts";
import type { LabCeph, LabPlan } from "./plan.ts";
import { expectProcess } from "./process.ts";

/** Room of each object storage daemon. Neither memory nor disk is taken before it is written to. */
const deviceBytes = 8 * 1024 ** 3;

/** The monitor's address, on the management network. */
export function monitorOf(plan: LabPlan, { host }: LabCeph): string {
  return plan.hosts.find(({ name }) => name === host)?.address ?? "";
}

/** The settings of the lab's Ceph, and a key for its admin, which is made once: what knows the cluster goes on knowing it. */
export async function ensureCephFiles(plan: LabPlan, ceph: LabCeph): Promise<void> {
  const { conf, keyring } = labFiles(plan.folder).ceph;
  await mkdir(dirname(conf), { recursive: true, mode: 0o700 });
  const settings = {
    fsid: ceph.fsid,
    address: monitorOf(plan, ceph),
    size: ceph.osds,
    data: "/var/lib/ceph",
    objectStore: ceph.objectStore,
    deviceBytes,
  };
  await replaceFile(conf, renderText("ceph/cluster.conf", settings));
  if (existsSync(keyring)) return;
  const caps = ["mon", "osd", "mgr"].flatMap((service) => ["--cap", service, "allow *"]);
  const part = `${keyring}.part`;
  await expectProcess("making the key of Ceph's admin", "ceph-authtool", [
    "--create-keyring",
    part,
    "--gen-key",
    "--name",
    "client.admin",
    ...caps,
  ]);
  await chmod(part, 0o600);
  await expectProcess("keeping the key of Ceph's admin", "mv", [part, keyring]);
}

/** The words by which its host brings the cluster up, or what is missing of it. Each line of the answer is a step that is done. */
export function describeCephStart(plan: LabPlan, ceph: LabCeph): readonly string[] {
  return ["bash", "/run/lab/ceph-up.sh", monitorOf(plan, ceph), String(ceph.osds), ceph.objectStore];
}
