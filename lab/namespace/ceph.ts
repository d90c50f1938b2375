import { existsSync } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { renderText } from "../../providers/compute/render.ts";
import { labFiles } from "../folders.ts";
import { replaceFile } from "../state-files.ts";
import type { LabCeph, LabPlan } from "./plan.ts";
import { expectProcess } from "../process.ts";

/** Room of each object storage daemon. Neither memory nor disk is taken before it is written to. */
const deviceBytes = 8 * 1024 ** 3;

/** Where the daemons keep what is theirs, as `ceph-up.sh` has it. There is no manager. */
const paths = {
  monitor: "/var/lib/ceph/mon",
  monitorKeyring: "/var/lib/ceph/mon.keyring",
  manager: undefined,
  storage: "/var/lib/ceph/osd.$id",
  storageKeyring: "/var/lib/ceph/osd.$id.keyring",
  logs: "/var/log/ceph",
};

/** The monitor's address, on the management network. */
export function monitorOf(plan: LabPlan, { host }: LabCeph): string {
  return plan.hosts.find(({ name }) => name === host)?.address ?? "";
}

/** The settings of the lab's Ceph, and a key for its admin, which is made once: what knows the cluster goes on knowing it. */
export async function ensureCephFiles(plan: LabPlan, ceph: LabCeph): Promise<void> {
  const { conf, keyring } = labFiles(plan.folder).ceph;
  await mkdir(dirname(conf), { recursive: true, mode: 0o700 });
  const address = monitorOf(plan, ceph);
  const settings = {
    fsid: ceph.fsid,
    monitors: [address],
    address,
    size: ceph.osds,
    paths,
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
