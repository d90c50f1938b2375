import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type {
  BootstrapHost,
  BootstrapPlan,
  BootstrappedCeph,
  CephBootstrap,
  PlannedCephHost,
} from "../../core/ceph-bootstrap.ts";
import { StackyardError } from "../../core/errors.ts";
import type { HostAddress } from "../../core/host.ts";
import type { Shell } from "../../hosts/command.ts";
import type { RunOptions } from "../../hosts/connection.ts";
import type { HostPool } from "../../hosts/pool.ts";
import { removeFolder, requireFreeFolder, writeFolder } from "./bootstrap-folder.ts";
import { listMonitors } from "./deployment.ts";
import { lookAtCephHost, parseCephHostFacts, type CephHostFacts } from "./host-facts.ts";
import { checkHosts, checkRequest, planBootstrap, planBootstrapRemoval, toDeployment } from "./plan.ts";
import {
  askStatus,
  ensureFirstKeys,
  ensureManager,
  ensureMonitor,
  ensureOsd,
  ensureOsdKey,
  prepareHost,
  registerOsd,
  removeFromHost,
} from "./scripts.ts";

/** Making a store takes seconds on a quiet machine, and minutes on one with slow disks. */
const makeTimeoutMs = 300_000;
/** How long a cluster is waited for. */
export interface BootstrapLimits {
  /** Until all OSDs are up. Default 90,000. */
  readonly startMs: number;
  /** From then on until the cluster says that it is well; what it says then is told. Default 20,000. */
  readonly settleMs: number;
}
const usualLimits: BootstrapLimits = { startMs: 90_000, settleMs: 20_000 };
const pollMs = 500;

/** What `ceph status` answers, as far as it is read here (ceph: `mon/Monitor.cc`, get_cluster_status). */
const statusSchema = z.looseObject({
  health: z.looseObject({
    status: z.string(),
    checks: z.record(z.string(), z.looseObject({ summary: z.looseObject({ message: z.string() }) })),
  }),
  osdmap: z.looseObject({ num_osds: z.int(), num_up_osds: z.int() }),
});
type Status = z.infer<typeof statusSchema>;

/** A small Ceph on hosts that the pool reaches. */
export function openCephBootstrap(pool: HostPool, limits = usualLimits): CephBootstrap {
  const { startMs, settleMs } = limits;
  const run = async (host: HostAddress, command: Shell, options: RunOptions): Promise<string> => {
    const connection = await pool.get(host, options.signal);
    return (await connection.run(command, options)).stdout;
  };
  const look = (hosts: readonly BootstrapHost[], signal: AbortSignal): Promise<readonly CephHostFacts[]> =>
    Promise.all(
      hosts.map(async ({ address, device }) =>
        parseCephHostFacts(
          address.name,
          await run(address, lookAtCephHost(device), {
            attempting: "look for a Ceph on the host",
            readOnly: true,
            signal,
          }),
        ),
      ),
    );

  async function settle(plan: BootstrapPlan, signal: AbortSignal): Promise<Status> {
    let untilMs = performance.now() + startMs;
    let areUp = false;
    for (;;) {
      const answer = await run(firstOf(plan).host, askStatus(), {
        attempting: "ask the cluster how it is",
        signal,
      });
      const status = statusSchema.parse(JSON.parse(answer));
      if (!areUp && status.osdmap.num_up_osds === plan.hosts.length) {
        areUp = true;
        untilMs = performance.now() + settleMs;
      }
      if (areUp && status.health.status === "HEALTH_OK") return status;
      if (performance.now() >= untilMs) return status;
      await sleep(pollMs, undefined, { signal });
    }
  }

  async function makeOsd(
    plan: BootstrapPlan,
    { host, osd, device }: PlannedCephHost,
    signal: AbortSignal,
  ): Promise<void> {
    const answer = await run(host, ensureOsdKey(osd), { attempting: "make the key of the OSD", signal });
    const [uuid = "", key = ""] = answer.split("\n");
    await run(firstOf(plan).host, registerOsd(osd, uuid), {
      stdin: JSON.stringify({ cephx_secret: key }),
      attempting: "tell the monitors of the OSD",
      signal,
    });
    await run(host, ensureOsd(osd, device), {
      attempting: "make and start the OSD",
      timeoutMs: makeTimeoutMs,
      signal,
    });
  }

  return {
    async plan(request, signal) {
      checkRequest(request);
      const plan = planBootstrap(request, await look(request.hosts, signal), request.fsid ?? randomUUID());
      await requireFreeFolder(plan.folder, plan.fsid);
      return plan;
    },

    async apply(plan, onProgress, signal) {
      const deployment = toDeployment(plan);
      const { hosts } = plan;
      const first = firstOf(plan);
      onProgress(`marking ${hosts.map(({ host }) => host.name).join(", ")}`);
      await Promise.all(
        hosts.map(({ host }, index) =>
          run(host, prepareHost(deployment, index), { attempting: "mark the host", signal }),
        ),
      );
      const keyrings = await run(first.host, ensureFirstKeys(), {
        attempting: "make the keys of the cluster",
        signal,
      });
      const monitors = hosts.flatMap(({ host, monitor }) => (monitor === undefined ? [] : { host, monitor }));
      onProgress(`starting monitors on ${monitors.map(({ host }) => host.name).join(", ")}`);
      await Promise.all(
        monitors.map(({ host, monitor }) =>
          run(host, ensureMonitor(deployment, monitor), {
            stdin: keyrings,
            attempting: "make and start the monitor",
            timeoutMs: makeTimeoutMs,
            signal,
          }),
        ),
      );
      if (first.manager !== undefined) {
        onProgress(`starting the manager on ${first.host.name}`);
        await run(first.host, ensureManager(first.manager), {
          attempting: "make and start the manager",
          timeoutMs: makeTimeoutMs,
          signal,
        });
      }
      onProgress(`making and starting ${String(hosts.length)} OSDs`);
      await Promise.all(hosts.map((host) => makeOsd(plan, host, signal)));
      onProgress("waiting until the cluster is well");
      const status = await settle(plan, signal);
      refuseDown(plan, status);
      const addresses = listMonitors(deployment);
      const files = await writeFolder(plan.folder, { ...plan, monitors: addresses }, keyrings);
      return tellCluster(plan, addresses, files, status);
    },

    async planRemoval(request, signal) {
      checkHosts(request);
      return planBootstrapRemoval(
        request,
        await look(
          request.hosts.map(({ address }) => ({ address })),
          signal,
        ),
      );
    },

    async remove({ fsid, hosts, left, folder }, onProgress, signal) {
      if (fsid === undefined) return;
      onProgress(`removing it from ${hosts.map(({ host }) => host.name).join(", ")}`);
      // All at once: daemons that outlive the majority of the monitors wait for it when they are told to end.
      const outcomes = await Promise.allSettled(
        hosts.map((host) =>
          run(host.host, removeFromHost(fsid, host), {
            attempting: "take the cluster back",
            timeoutMs: makeTimeoutMs,
            signal,
          }),
        ),
      );
      const failed = outcomes.find((outcome) => outcome.status === "rejected");
      if (failed !== undefined) throw failed.reason;
      if (left.length === 0) await removeFolder(folder, fsid);
    },

    close: () => pool.closeAll(),
  };
}

function firstOf({ hosts }: BootstrapPlan): PlannedCephHost {
  const [first] = hosts;
  if (first === undefined) throw new StackyardError("internal", { message: "a cluster without hosts" });
  return first;
}

function listReasons({ health }: Status): readonly string[] {
  return Object.entries(health.checks).map(([code, { summary }]) => `${code}: ${summary.message}`);
}

function refuseDown({ name, hosts }: BootstrapPlan, status: Status): void {
  const up = status.osdmap.num_up_osds;
  if (up === hosts.length) return;
  throw new StackyardError("ceph-unreachable", {
    message: `${String(up)} of ${String(hosts.length)} OSDs of cluster ${name} have come up`,
    notes: listReasons(status),
    remedy: "See the logs in /var/log/ceph/stackyard on the hosts, then run again: what is there stays.",
  });
}

function tellCluster(
  { name, fsid }: BootstrapPlan,
  monitors: readonly string[],
  files: { readonly keyringFile: string; readonly confFile: string },
  status: Status,
): BootstrappedCeph {
  const { num_osds, num_up_osds } = status.osdmap;
  return {
    name,
    fsid,
    monitors,
    user: "admin",
    ...files,
    health: status.health.status,
    reasons: listReasons(status),
    osds: { up: num_up_osds, all: num_osds },
  };
}
