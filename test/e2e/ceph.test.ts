import { afterAll, beforeAll, expect, test } from "vitest";
import { labCeph, labHosts } from "../../lab/inventory.ts";
import { bringUp } from "../../lab/lab.ts";
import { parseTopology } from "../../lab/topology.ts";
import { nameCephUser } from "../../providers/compute/marks.ts";
import { readConfig } from "../../providers/config/config.ts";
import type { Cloud, ResourceView } from "../../providers/core/cloud.ts";
import { brandId } from "../../providers/core/ids.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { openCloud } from "../../providers/wiring.ts";
import { make } from "../support/cloud.ts";
import { lookAtHosts, type LabHosts } from "../support/lab-hosts.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";

const labName = "ceph";

let labs: LabFolder;
let cloud: Cloud;
let hosts: LabHosts;
let cluster: ResourceView;
let inputs: JsonObject;
let cloudId: string;

beforeAll(async () => {
  labs = openLabFolder("ceph");
  await bringUp(parseTopology({ name: labName, hosts: ["h1", "h2", { name: "c1", roles: ["ceph"] }] }));
  hosts = lookAtHosts(labName, ["h1", "h2"]);
  cloud = await openCloud({ config: readConfig({ STACKYARD_HOME: labs.path }) });
  const ids: string[] = [];
  for (const { name, ...machine } of labHosts(labName))
    ids.push((await make(cloud, "host", name, machine)).id);
  inputs = { ...labCeph(labName), hosts: ids };
  cluster = await make(cloud, "ceph-cluster", "ceph", inputs);
  for (const content of ["images", "volumes", "vms"])
    await make(cloud, "storage-pool", content, { cluster: cluster.id, content });
  const mark: unknown = JSON.parse(
    await hosts.onHost("h1", "cat /var/lib/libvirt/images/stackyard/cloud.json"),
  );
  cloudId = (mark as { cloudId: string }).cloudId;
});

afterAll(async () => {
  await cloud.close();
  await labs.close();
});

/** What `rbd` does on a host as one of the cloud's users. */
function rbd(host: string, role: "glance" | "cinder" | "libvirt", words: string): Promise<string> {
  const user = nameCephUser(brandId<"cloud">(cloudId), role);
  return hosts.onHost(host, `rbd --conf /etc/stackyard/ceph/${cluster.id}/ceph.conf --id ${user} ${words}`);
}

test("a cluster and its pools are there for every client, in the roles of its users", async () => {
  expect(cluster.outputs).toMatchObject({ version: "16.2.15", clientHosts: inputs["hosts"] });
  await rbd("h1", "cinder", "create --size 1G volumes/one");
  expect(await rbd("h2", "libvirt", "ls volumes")).toBe("one\n");
  await expect(rbd("h2", "cinder", "create --size 1G images/one")).rejects.toThrow("Operation not permitted");
  expect(await hosts.onHost("h2", "virsh -q secret-list")).toContain(`ceph`);
});

test("what was just made has no drift; what was taken from a client is found, and put back", async () => {
  expect((await cloud.drift()).findings).toEqual([]);
  await hosts.onHost("h2", `rm /etc/stackyard/ceph/${cluster.id}/ceph.conf`);
  const { findings } = await cloud.drift();
  expect(findings).toMatchObject([
    { resource: { name: "ceph" }, host: "h2", field: "client.ceph.conf", label: "live" },
  ]);
  await make(cloud, "ceph-cluster", "ceph", inputs);
  expect((await cloud.drift()).findings).toEqual([]);
});

test("a host that is taken from the clients has nothing of it any more", async () => {
  const [first] = inputs["hosts"] as readonly string[];
  await make(cloud, "ceph-cluster", "ceph", { ...inputs, hosts: [first ?? ""] });
  expect(await hosts.onHost("h2", "ls /etc/stackyard/ceph 2> /dev/null || true; virsh -q secret-list")).toBe(
    "",
  );
});

test("a pool with an image in it stays; without, it goes, and the cluster with its users", async () => {
  const pools = await cloud.list("storage-pool");
  const volumes = pools.find(({ inputs: { content } }) => content === "volumes")?.id ?? "";
  await expect(cloud.remove("storage-pool", volumes)).rejects.toMatchObject({ code: "in-use" });
  await rbd("h1", "cinder", "rm --no-progress volumes/one");
  for (const { id } of pools) await cloud.remove("storage-pool", id);
  await cloud.remove("ceph-cluster", cluster.id);
  const left = lookAtHosts(labName, ["c1"]);
  expect(
    await left.onHost("c1", "ceph osd pool ls; ceph auth ls 2> /dev/null | grep stackyard || true"),
  ).toBe("");
  expect(await hosts.onHost("h1", "ls /etc/stackyard/ceph 2> /dev/null || true")).toBe("");
});
