import { join } from "node:path";
import { z } from "zod";
import { openFacade } from "./api/cloud.ts";
import { openAuthenticate, type Session } from "./authenticate/authenticate.ts";
import { bootstrap } from "./authenticate/bootstrap.ts";
import { defaultScryptCost, type ScryptCost } from "./authenticate/password.ts";
import { openInProcessBus } from "./bus/in-process.ts";
import { deferCompute } from "./compute/deferred-compute.ts";
import { relayToGuest } from "./compute/guest-access.ts";
import { serveCompute } from "./compute/service.ts";
import { readConfig, readStack, type Config } from "./config/config.ts";
import { readCredentials, writeCredentials } from "./config/credentials.ts";
import { readSchedulerFile } from "./config/scheduler-file.ts";
import { openPlacement } from "./conductor/claim.ts";
import { openConductor } from "./conductor/conductor.ts";
import { explainPlacement } from "./conductor/explain.ts";
import { toFailure } from "./conductor/flow.ts";
import { listLeftovers, removeLeftover } from "./conductor/leftovers.ts";
import { makeStoreExclusive } from "./conductor/locks.ts";
import { makeStepContext } from "./conductor/step-context.ts";
import { requireTask, TaskBoard } from "./conductor/task-board.ts";
import { openTracer } from "./conductor/tracer.ts";
import type { CephBootstrap } from "./core/ceph-bootstrap.ts";
import type { Cloud, GuestAccess } from "./core/cloud.ts";
import { StackyardError } from "./core/errors.ts";
import { makeExclusive, makeTogether } from "./core/exclusive.ts";
import { brandId, type CloudId } from "./core/ids.ts";
import type { DryRun } from "./core/dry-run.ts";
import type { HostPorts, LeftoversPort, ScanPort } from "./core/ports.ts";
import type { ResourceRecord } from "./core/record.ts";
import type { Definition, World } from "./core/resource.ts";
import { openHostPool } from "./hosts/pool.ts";
import { definitions, findDefinition } from "./registry.ts";
import { parseSchedulerOptions, type SchedulerOptions } from "./scheduler/options.ts";
import { toComputeHost } from "./servers/host.ts";
import { openDatabase } from "./store/database.ts";
import { RecordMirror } from "./store/mirror.ts";
import { readSetting } from "./store/settings.ts";
import { viewStore } from "./store/world.ts";

/** Port of a guest's SSH server. */
const sshPort = 22;

/** What compute brings: the real hosts, or fakes. */
export interface ComputePorts extends HostPorts {
  readonly leftovers: LeftoversPort;
  readonly scan: ScanPort;
  readonly dryRun: () => DryRun | Promise<DryRun>;
  readonly close: () => Promise<void>;
}

/** Everything that can be chosen from outside. */
export interface CloudOptions {
  readonly config?: Config;
  /** An engine's own settings, by the names of environment variables. They come before the environment's. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Default: real hosts, over SSH. */
  readonly compute?: ComputePorts;
  /** Cost of password digests. Default: today's; tests take less. */
  readonly scryptCost?: ScryptCost;
  /** One line for the user about what the session does unasked. Default: nobody is told. */
  readonly notify?: (line: string) => void;
}

/**
 * Opens the cloud that the settings name, making it when it is new, and logs in. Raises `unauthenticated`, and `invalid-input`
 * for a wrong setting.
 */
export async function openCloud(options: CloudOptions = {}): Promise<Cloud> {
  const config = options.config ?? readConfig(undefined, options.settings);
  const schedulerOptions = await readOptions(config);
  const scryptCost = options.scryptCost ?? defaultScryptCost;
  const database = await openDatabase(join(config.folder, "cloud.sqlite"));
  const compute = options.compute ?? openRealCompute(config);
  try {
    await bootstrap(database, {
      scryptCost,
      deliver: (administrator) => writeCredentials(config.folder, administrator),
    });
    const { tokenSeconds: expirySeconds, lockoutFailureAttempts, lockoutDurationSeconds } = config;
    const authenticate = openAuthenticate(database, {
      expirySeconds,
      scryptCost,
      lockoutDurationSeconds,
      ...(lockoutFailureAttempts === undefined ? {} : { lockoutFailureAttempts }),
    });
    const logIn = async (): Promise<Session> => authenticate.login(await readCredentials(config));
    const session = await logIn();

    const cloudId: CloudId = brandId(await readSetting(database, "cloud_id"));
    const mirror = new RecordMirror(
      database,
      (record) => findDefinition(record.type)?.reservations?.(record.inputs, record.id) ?? [],
    );
    const board = new TaskBoard();
    const bus = openInProcessBus();
    const exclusive = makeStoreExclusive(database);
    const placement = openPlacement({
      database,
      mirror,
      bus,
      options: schedulerOptions,
      exclusive: makeExclusive(),
      tracerOf: (recordId) => board.tracerOf(recordId) ?? openTracer(database, recordId),
    });
    const context = {
      cloudId,
      database,
      mirror,
      definitionOf: requireDefinition,
      ports: { ...compute, placement },
      authenticate,
      exclusive,
      together: makeTogether(exclusive),
    };
    const conductor = openConductor({
      ...context,
      bus,
      board,
      schedulerOptions,
      scan: compute.scan,
      dryRun: compute.dryRun,
    });
    serveCompute({
      bus,
      definitionOf: requireDefinition,
      contextOf: (taskId, record, host) => makeStepContext(context, record, requireTask(board, taskId), host),
      toFailure: (taskId, error, attempting) => toFailure(error, requireTask(board, taskId), attempting),
      noteWait: (taskId, number, [startedAtMs, untilMs], host) =>
        requireTask(board, taskId).tracer.add({
          number,
          host,
          startedAtMs,
          durationMs: untilMs - startedAtMs,
        }),
    });
    const leftoverServices = { database, mirror, cloudId, leftovers: compute.leftovers, exclusive };
    const world = viewStore(mirror);
    return openFacade(
      {
        database,
        mirror,
        bus,
        board,
        conductor,
        authenticate,
        scryptCost,
        definitions,
        explainPlacement: (question, principal) =>
          explainPlacement(
            { database, mirror, bus, options: schedulerOptions },
            question,
            principal.projectId ?? "",
          ),
        listLeftovers: (options) => listLeftovers(leftoverServices, options),
        removeLeftover: (leftover, signal) =>
          removeLeftover(leftoverServices, leftover, signal ?? new AbortController().signal),
        guestAccess: (server) => describeGuestAccess(server, world, cloudId),
        previewDetail: config.previewDetail,
        notify: options.notify ?? (() => undefined),
        close: async () => {
          board.abortAll(new StackyardError("interrupted", { message: "the cloud was closed" }));
          await bus.drain();
          await compute.close();
          await database.destroy();
        },
      },
      session,
      logIn,
    );
  } catch (error) {
    await compute.close();
    await database.destroy();
    throw error;
  }
}

/** The scheduler's options: settings of the environment before the file, the file before Nova's defaults. */
async function readOptions(config: Config): Promise<SchedulerOptions> {
  const file = await readSchedulerFile(config);
  const options = parseSchedulerOptions(
    file?.options,
    `the file of the scheduler's options ${file?.path ?? ""}`,
  );
  return { ...options, DEFAULT: { ...options.DEFAULT, ...config.schedulerOverrides } };
}

/** The Terraform configuration that this process works for. Raises `invalid-input` for a wrong setting. */
export function describeStack(): string {
  return readStack();
}

/** What makes a small Ceph on bare hosts: no cloud is opened for it. Raises `invalid-input` for a wrong setting. */
export async function openBootstrap(): Promise<CephBootstrap> {
  const pool = openHostPool({ ssh: { environment: readConfig().ssh } });
  return (await import("./compute/bootstrap/bootstrap.ts")).openCephBootstrap(pool);
}

function openRealCompute(config: Config): ComputePorts {
  const pool = openHostPool({ ssh: { environment: config.ssh } });
  return { ...deferCompute({ pool }), close: () => pool.closeAll() };
}

function requireDefinition(type: string): Definition {
  const definition = findDefinition(type);
  if (definition === undefined)
    throw new StackyardError("internal", {
      message: `the store holds a record of type ${type}, which is unknown`,
    });
  return definition;
}

const accessOutputs = z.object({
  hostId: z.string(),
  interfaces: z.array(z.object({ network: z.string(), address: z.string() })).min(1),
});

function describeGuestAccess(server: ResourceRecord, world: World, cloudId: CloudId): GuestAccess {
  const known = accessOutputs.safeParse(server.outputs);
  const entry = known.success ? world.find("host", known.data.hostId) : undefined;
  const host = entry === undefined ? undefined : toComputeHost(entry, cloudId);
  const nic = known.data?.interfaces[0];
  if (host === undefined || nic === undefined) {
    throw new StackyardError("wrong-state", {
      message: `server ${JSON.stringify(server.name)} cannot be reached: it has no host or no network`,
      remedy: "Give it a network, or wait until it is built.",
    });
  }
  return {
    host: host.address,
    address: nic.address,
    relayCommand: relayToGuest(nic.network, nic.address, sshPort).text,
  };
}
