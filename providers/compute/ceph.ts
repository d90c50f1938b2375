import type { CephCluster, CephPool, CephPort } from "../core/ceph.ts";
import { StackyardError } from "../core/errors.ts";
import type { ComputeHost } from "../core/ports.ts";
import type { HostPool } from "../hosts/pool.ts";
import { describeInstallation } from "../hosts/probe.ts";
import { lookForTools, packClient, putClient, removeClient, type CephKeys } from "./ceph-client.ts";
import {
  chooseFenced,
  fenceClients,
  listHolders,
  markLost,
  missingDiskFault,
  parseHolders,
} from "./ceph-fence.ts";
import {
  countImages,
  deletePool,
  deletionFault,
  describePool,
  findPool,
  listImagesOf,
  listPools,
  lookAtCluster,
  makePool,
  parseFacts,
  parsePools,
  poolFaults,
  resizePool,
} from "./ceph-pools.ts";
import { runOnCluster, type CephTask } from "./ceph-session.ts";
import { compareClient, requireOurs } from "./ceph-state.ts";
import { ensureUser, listCaps, missingUserFault, parseKeys, readKeys, removeUser } from "./ceph-users.ts";
import { cephRoles, nameUnfinishedPool } from "./marks.ts";
import { installPackages } from "./packages.ts";
import { scanClient } from "./scan.ts";

/** What a dry run writes in the place of keys, which it does not ask for. */
const noKeys: CephKeys = { glance: "", cinder: "", libvirt: "" };

/** Ceph clusters, by the tools of hosts that reach them. */
export function openCeph(pool: HostPool): CephPort {
  const run = (
    via: ComputeHost,
    cluster: CephCluster,
    task: CephTask,
    signal: AbortSignal,
  ): Promise<string> => runOnCluster(pool, via, cluster, task, signal);

  /** The pool under its own name, if there is one, and under the name that it has while it is made. Raises `not-ours`. */
  async function findBoth(via: ComputeHost, cluster: CephCluster, wanted: CephPool, signal: AbortSignal) {
    const attempting = `look for pool ${wanted.pool}`;
    const pools = parsePools(
      await run(via, cluster, { attempting, commands: [listPools()], readOnly: true }, signal),
    );
    return {
      found: findPool(cluster, wanted, pools),
      unfinished: pools.get(nameUnfinishedPool(wanted.id)),
    };
  }

  return {
    async inspect(via, cluster, signal) {
      const task = {
        attempting: "look at the cluster",
        commands: [lookAtCluster()],
        readOnly: true,
      };
      return parseFacts(await run(via, cluster, task, signal));
    },
    async ensureTools(host, progress, signal) {
      const connection = await pool.get(host.address, signal);
      const { stdout } = await connection.run(lookForTools(), {
        attempting: "look for the tools of Ceph",
        readOnly: true,
        signal,
      });
      const words = stdout.split("\n").filter((line) => line !== "");
      const packages = words.filter((word) => word !== "apt");
      const hasApt = words.includes("apt");
      if (packages.length === 0) return;
      if (host.packages === undefined || !hasApt)
        throw new StackyardError("host-unsuitable", {
          message: `Host ${host.name} cannot be a client of a Ceph cluster: ${packages.join(", ")} missing`,
          remedy: describeInstallation({ hasApt }, packages),
        });
      await installPackages(
        connection,
        host.folder,
        { packages, services: [] },
        host.packages,
        progress,
        signal,
      );
    },
    async ensurePool(via, cluster, wanted, signal) {
      const { found, unfinished } = await findBoth(via, cluster, wanted, signal);
      const begun = { ...wanted, pool: nameUnfinishedPool(wanted.id) };
      const commands =
        found === undefined
          ? [...(unfinished === undefined ? [] : resizePool(begun, unfinished)), makePool(cluster, wanted)]
          : resizePool(wanted, found);
      if (commands.length === 0) return;
      const attempting = `${found === undefined ? "make" : "resize"} pool ${wanted.pool}`;
      await run(via, cluster, { attempting, commands, faults: poolFaults(wanted) }, signal);
    },
    async observePool(via, cluster, wanted, signal) {
      const commands = [listImagesOf(wanted)];
      const attempting = `look at pool ${wanted.pool}`;
      const output = await run(via, cluster, { attempting, commands, readOnly: true }, signal);
      const [pools = "", ...images] = output.split("<>\n");
      const found = findPool(cluster, wanted, parsePools(pools));
      return found === undefined ? undefined : describePool(wanted, found, countImages(images));
    },
    async removePool(via, cluster, wanted, signal) {
      const { found, unfinished } = await findBoth(via, cluster, wanted, signal);
      const names = [
        ...(found === undefined ? [] : [wanted.pool]),
        ...(unfinished === undefined ? [] : [nameUnfinishedPool(wanted.id)]),
      ];
      if (names.length === 0) return;
      const attempting = `remove pool ${wanted.pool}`;
      const task = {
        attempting,
        commands: names.map(deletePool),
        faults: [deletionFault],
      };
      const content = (await run(via, cluster, task, signal)).trim();
      if (content === "") return;
      throw new StackyardError("in-use", {
        message: `Pool ${wanted.pool} of Ceph cluster ${cluster.name} still has images`,
        field: "pool",
        value: wanted.pool,
        notes: content.split("\n").slice(0, 20),
        remedy: "Remove the images first, those in the trash too: rbd ls, rbd trash ls --all.",
      });
    },
    async ensureUsers(via, cluster, pools, signal) {
      const commands = cephRoles.map((role) => ensureUser(cluster, role, listCaps(role, pools)));
      await run(via, cluster, { attempting: "give the cloud's users their caps", commands }, signal);
    },
    async removeUsers(via, cluster, signal) {
      const commands = cephRoles.map((role) => removeUser(cluster, role));
      await run(via, cluster, { attempting: "remove the cloud's users", commands }, signal);
    },
    async ensureClient(via, host, cluster, signal) {
      const task = {
        attempting: "ask for the keys of the cloud's users",
        commands: [readKeys(cluster)],
        faults: [missingUserFault],
      };
      const [state, output] = await Promise.all([
        scanClient(pool, { host, cluster }, signal),
        run(via, cluster, task, signal),
      ]);
      // A dry run does not ask: there, what is seen on the host decides.
      const keys = output === "" ? undefined : parseKeys(output);
      if (compareClient(cluster, state, keys).length === 0) return;
      const connection = await pool.get(host.address, signal);
      await connection.run(putClient(cluster), {
        attempting: `set up the client of Ceph cluster ${cluster.name}`,
        stdin: packClient(cluster, keys ?? noKeys),
        signal,
      });
    },
    observeClient: async (host, cluster, signal) =>
      compareClient(cluster, await scanClient(pool, { host, cluster }, signal)),
    async removeClient(host, cluster, signal) {
      requireOurs(cluster, await scanClient(pool, { host, cluster }, signal));
      const connection = await pool.get(host.address, signal);
      const { stdout } = await connection.run(removeClient(cluster), {
        attempting: `remove the client of Ceph cluster ${cluster.name}`,
        signal,
      });
      const users = stdout.trim();
      if (users === "") return;
      throw new StackyardError("in-use", {
        message: `Host ${host.name} has domains that use Ceph cluster ${cluster.name}: ${users.replaceAll("\n", ", ")}`,
        remedy: "Remove them, or their disks in the cluster, first.",
      });
    },
    async fence(via, cluster, disks, lost, signal) {
      if (disks.length === 0) return [];
      const look = {
        attempting: "see who has the disks of a server open",
        commands: [listHolders(disks)],
        faults: [missingDiskFault],
        readOnly: true,
      };
      const holders = parseHolders(disks, await run(via, cluster, look, signal));
      const addresses = chooseFenced(holders);
      const attempting = "shut a lost host out";
      const commands = [markLost(disks, lost), fenceClients(holders, addresses)];
      await run(via, cluster, { attempting, commands }, signal);
      return addresses;
    },
  };
}
