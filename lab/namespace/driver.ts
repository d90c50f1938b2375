import { existsSync, readFileSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { StackyardError } from "../../providers/core/errors.ts";
import { sh } from "../../providers/hosts/command.ts";
import type { DrivenLab, HostDescription, HostLog, LabNetwork, LabOptions } from "../driver.ts";
import { labFiles } from "../folders.ts";
import type { Inventory } from "../inventory.ts";
import { ensureKey } from "../keys.ts";
import { expectProcess } from "../process.ts";
import { sshArguments, sshUser } from "../ssh.ts";
import { makeFolder, replaceFile } from "../state-files.ts";
import { findCapabilities, saveCapabilities } from "./capabilities.ts";
import { describeCephStart, ensureCephFiles, monitorOf } from "./ceph.ts";
import { cutPower, ensureHostKey, observeHost, startHost } from "./host.ts";
import { ensureBridges, listLinks, readCable, removeLinks, setLink, setLinkQuality } from "./links.ts";
import type { LabHost, LabPlan, LinkNetwork } from "./plan.ts";

const sshPort = 22;

/** A lab of namespaces of this machine. */
export function openNamespaceLab(plan: LabPlan): DrivenLab {
  const { management, data } = plan.networks;
  const find = (name: string): LabHost => {
    const host = plan.hosts.find((other) => other.name === name);
    if (host === undefined) throw new TypeError(`the plan has no host ${name}`);
    return host;
  };
  return {
    hosts: plan.hosts.map(({ name, roles, address }) => ({ name, roles, address, port: sshPort })),
    networks: { management, data },
    inventory: inventoryOf(plan),
    cephHost: plan.ceph?.host,
    claim: () => ensureBridges(plan),
    async bringUp(options) {
      const missing = plan.hosts.filter((host) => observeHost(plan, host).state !== "up");
      if (missing.length > 0) {
        await ensureFiles(plan);
        options.onProgress?.(`networks: management ${management.cidr}, data ${data.cidr}`);
        await bringHostsUp(plan, missing, options);
      }
      await bringCephUp(plan, options);
    },
    describeHosts: () => describeHosts(plan),
    async changePower(name, action, options) {
      const host = find(name);
      if (action === "off") {
        throw new StackyardError("invalid-input", {
          message: "a host of namespaces has no power button",
          field: "action",
          value: action,
          remedy: "Cut its power (cut): its files stay.",
        });
      }
      if (action !== "on") await cutPower(plan, host);
      if (action === "cut" || observeHost(plan, host).state === "up") return;
      await bringHostsUp(plan, [host], options);
      if (host.name === plan.ceph?.host) await bringCephUp(plan, options);
    },
    async setLink(name, network, change) {
      const link = find(name).links[requireLink(network)].name;
      const cable = { ...(await readCable(link)), ...change };
      if (change.delayMs !== undefined || change.lossPercent !== undefined)
        await setLinkQuality(link, cable.delayMs, cable.lossPercent);
      if (change.cut !== undefined) await setLink(link, cable.cut ? "down" : "up");
      return cable;
    },
    readLogs: (name) => readLogs(plan, find(name)),
    async remove({ onProgress }) {
      await Promise.all(plan.hosts.map((host) => cutPower(plan, host)));
      onProgress?.("hosts ended");
      await removeLinks([management.bridge, data.bridge]);
      onProgress?.("networks removed");
      const { roots } = labFiles(plan.folder);
      if (await isMounted(roots))
        await expectProcess("unmounting the hosts' roots", "umount", ["--lazy", roots]);
      for (const host of plan.hosts) await rm(host.diskFolder, { recursive: true, force: true });
    },
  };
}

function requireLink(network: LabNetwork): LinkNetwork {
  if (network !== "storage") return network;
  throw new StackyardError("invalid-input", {
    message: "hosts of namespaces have no storage network of their own",
    field: "network",
    value: network,
    remedy: "Name management or data: what hosts store goes over the management network.",
  });
}

async function describeHosts(plan: LabPlan): Promise<HostDescription[]> {
  const links = await listLinks();
  const linkState = (name: string): "up" | "cut" | "absent" => {
    const flags = links.get(name);
    if (flags === undefined) return "absent";
    return flags.includes("UP") ? "up" : "cut";
  };
  return plan.hosts.map((host) => {
    const observed = observeHost(plan, host);
    return {
      name: host.name,
      roles: host.roles,
      state: observed.state,
      pid: observed.pid ?? null,
      address: host.address,
      port: sshPort,
      tunnelAddress: host.tunnelAddress,
      links: { management: linkState(host.links.management.name), data: linkState(host.links.data.name) },
    };
  });
}

async function isMounted(path: string): Promise<boolean> {
  const mounts = await readFile("/proc/self/mounts", "utf8");
  return mounts.split("\n").some((line) => line.split(" ")[1] === path);
}

/** Keys, known_hosts, the table of names, and the tmpfs of the roots. */
async function ensureFiles(plan: LabPlan): Promise<void> {
  const files = labFiles(plan.folder);
  await Promise.all([
    ensureKey(files.identity, `stackyard lab ${plan.name}`),
    makeFolder(files.roots, 0o700),
    ...plan.hosts.map((host) => ensureHostKey(plan, host)),
  ]);
  if (plan.ceph !== undefined) await ensureCephFiles(plan, plan.ceph);
  if (!(await isMounted(files.roots))) {
    await expectProcess("mounting the hosts' roots", "mount", [
      "-t",
      "tmpfs",
      "-o",
      "mode=700",
      "stackyard-lab",
      files.roots,
    ]);
  }
  const knownHosts = plan.hosts.map((host) => {
    const key = readFileSync(`${files.host(host.name).hostKey}.pub`, "utf8").split(" ");
    return `${host.address} ${key.slice(0, 2).join(" ")}\n`;
  });
  await replaceFile(files.knownHosts, knownHosts.join(""));
  const names = plan.hosts.map((host) => `${host.address} ${host.name}\n`);
  await replaceFile(files.hostsTable, ["127.0.0.1 localhost\n::1 localhost\n", ...names].join(""));
}

function inventoryOf(plan: LabPlan): Inventory {
  const files = labFiles(plan.folder);
  const { management, data } = plan.networks;
  return {
    name: plan.name,
    hosts: plan.hosts.filter(isCompute).map((host) => ({
      name: host.name,
      address: host.address,
      port: sshPort,
      user: sshUser,
      identityFile: files.identity,
      knownHostsFile: files.knownHosts,
      tunnelInterface: "eth1",
      tunnelAddress: host.tunnelAddress,
    })),
    ...(plan.ceph === undefined
      ? {}
      : {
          ceph: {
            fsid: plan.ceph.fsid,
            monitors: [monitorOf(plan, plan.ceph)],
            user: "admin",
            keyringFile: files.ceph.keyring,
          },
        }),
    networks: {
      management: { cidr: management.cidr, gateway: management.gateway },
      data: { cidr: data.cidr, mtuBytes: data.mtuBytes },
    },
  };
}

function isCompute({ roles }: LabHost): boolean {
  return roles.includes("compute");
}

async function bringHostsUp(plan: LabPlan, hosts: readonly LabHost[], options: LabOptions): Promise<void> {
  const capabilities = findCapabilities();
  const results = await Promise.allSettled(
    hosts.map((host) =>
      startHost(plan, host, {
        capabilities,
        signal: options.signal,
        onStep: (step) => options.onProgress?.(`${host.name}: ${step}`),
      }),
    ),
  );
  for (const result of results) if (result.status === "rejected") throw result.reason;
  const first = hosts.find(isCompute);
  if (first !== undefined) await saveCapabilities(plan, first);
}

/** Brings the daemons of the lab's Ceph up that are not: all of them, or those that were killed on a host that goes on. */
async function bringCephUp(plan: LabPlan, options: LabOptions): Promise<void> {
  const { ceph } = plan;
  const host = plan.hosts.find(({ name }) => name === ceph?.host);
  if (ceph === undefined || host === undefined) return;
  const words = sh`${describeCephStart(plan, ceph)}`.text;
  const output = await expectProcess("bringing Ceph up", "ssh", [
    ...sshArguments(labFiles(plan.folder), { address: host.address, port: sshPort }),
    words,
  ]);
  for (const step of output.split("\n").filter((line) => line !== ""))
    options.onProgress?.(`${host.name}: ceph ${step}`);
}

/** What the host itself has logged: its start, libvirtd, Open vSwitch. Readable when the host is down, too. */
async function readLogs(plan: LabPlan, host: LabHost): Promise<HostLog[]> {
  const files = labFiles(plan.folder);
  const logs = `${files.roots}/${host.name}/upper/var/log`;
  const sources = {
    start: files.host(host.name).log,
    libvirtd: `${logs}/libvirt/libvirtd.log`,
    "ovs-vswitchd": `${logs}/openvswitch/ovs-vswitchd.log`,
    "ovsdb-server": `${logs}/openvswitch/ovsdb-server.log`,
    ceph: `${logs}/ceph/cluster.log`,
  };
  return Promise.all(
    Object.entries(sources).map(async ([title, path]) => ({
      title,
      text: existsSync(path) ? await readFile(path, "utf8") : "",
    })),
  );
}
