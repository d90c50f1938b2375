/**
 * Pulumi's engine, as far as a stack of custom resources goes: it drives the real SDK in this process and the real dynamic-provider
 * process through preview, update, refresh and destroy, at about 50 ms each. It follows the rules of pulumi's
 * `pkg/resource/deploy/step_generator.go`; `test/e2e` runs the same on the real CLI.
 */
import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as grpc from "@grpc/grpc-js";
import engineService from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engineMessages, { type LogRequest } from "@pulumi/pulumi/proto/engine_pb.js";
import languageMessages from "@pulumi/pulumi/proto/language_pb.js";
import providerService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import providerMessages, {
  type CheckResponse,
  type CreateResponse,
  type DiffResponse,
  type ReadResponse,
  type UpdateResponse,
} from "@pulumi/pulumi/proto/provider_pb.js";
import monitorService from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import monitorMessages, {
  type RegisterResourceOutputsRequest,
  type RegisterResourceRequest,
  type RegisterResourceResponse,
  type SupportsFeatureRequest,
} from "@pulumi/pulumi/proto/resource_pb.js";
import statusMessages from "@pulumi/pulumi/proto/status_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import struct, { type Struct } from "google-protobuf/google/protobuf/struct_pb.js";
import { z } from "zod";
import { equalJson, isJsonObject, type JsonObject, type JsonValue } from "../../providers/core/json.ts";

/** What happened to one resource. `keys` are the properties that differ. */
export interface Step {
  readonly name: string;
  readonly op: "create" | "update" | "replace" | "same" | "delete" | "read";
  readonly keys: readonly string[];
}

/** One operation of the engine. */
export interface Run {
  /** In the order of the engine; resources that stay as they are included. */
  readonly steps: readonly Step[];
  /** `create NAME` and `delete NAME` in the order in which the provider was asked. */
  readonly calls: readonly string[];
  /** What resources look like to the program, by name. */
  readonly seen: ReadonlyMap<string, JsonObject>;
  /** What the stack exports. */
  readonly exports: JsonObject;
  readonly errors: readonly string[];
}

/** A resource in the stack's state. */
export interface StateEntry {
  readonly name: string;
  readonly type: string;
  readonly id: string;
  readonly inputs: JsonObject;
  readonly outputs: JsonObject;
  /** Properties that the state encrypts. */
  readonly secrets: readonly string[];
  readonly initErrors: readonly string[];
}

/** A line in the display of a resource. */
export interface DisplayLine {
  readonly urn: string;
  readonly text: string;
  readonly severity: number;
  readonly isEphemeral: boolean;
}

type Program = () => Promise<unknown>;
type Provider = InstanceType<typeof providerService.ResourceProviderClient>;

export class PulumiEngine {
  /** The stack's state by URN, in the order of creation. */
  readonly state = new Map<string, StateEntry>();
  readonly display: DisplayLine[] = [];
  readonly #server: grpc.Server;
  readonly #address: string;
  readonly #process: ChildProcess;
  readonly #provider: Provider;
  #operation = new Operation(true);

  private constructor(server: grpc.Server, address: string, child: ChildProcess, provider: Provider) {
    this.#server = server;
    this.#address = address;
    this.#process = child;
    this.#provider = provider;
  }

  /** An engine with an empty stack, whose dynamic provider runs in `folder` and resolves packages from there. */
  static async start(folder: string, env = process.env): Promise<PulumiEngine> {
    const server = new grpc.Server();
    const address = `127.0.0.1:${String(await bind(server))}`;
    const script = createRequire(join(folder, "index.js")).resolve(
      "@pulumi/pulumi/cmd/dynamic-provider/index.js",
    );
    const child = fork(script, [address], {
      cwd: folder,
      env,
      stdio: ["ignore", "pipe", "ignore", "ipc"],
      execArgv: [],
    });
    if (child.stdout === null) throw new Error("the provider's process has no standard output");
    const [port] = z.tuple([z.string()]).parse(await once(createInterface(child.stdout), "line"));
    const credentials = grpc.credentials.createInsecure();
    const provider = new providerService.ResourceProviderClient(`127.0.0.1:${port}`, credentials);
    const configuration = new providerMessages.ConfigureRequest();
    configuration.setArgs(new struct.Struct());
    await call((done) => provider.configure(configuration, done));
    const engine = new PulumiEngine(server, address, child, provider);
    server.addService(monitorService.ResourceMonitorService, engine.#monitor());
    server.addService(engineService.EngineService, engine.#engine());
    return engine;
  }

  /** Sends the provider's process a message and waits for its answer. */
  async steer(message: JsonObject): Promise<void> {
    const answered = once(this.#process, "message");
    this.#process.send(message);
    await answered;
  }

  preview(program: Program): Promise<Run> {
    return this.#run(true, (operation) => this.#runInline(operation, program));
  }

  up(program: Program): Promise<Run> {
    return this.#run(false, (operation) => this.#runInline(operation, program));
  }

  /** As {@link up}, with a project's folder in the place of a program: in a process of its own, with its own SDK. */
  upFolder(folder: string): Promise<Run> {
    return this.#run(false, (operation) => this.#runFolder(operation, folder));
  }

  /** As `pulumi refresh`: what differs is in `keys`. */
  async refresh(): Promise<Run> {
    const operation = new Operation(false);
    for (const [urn, entry] of this.state)
      await this.#tolerate(operation, () => this.#read(operation, urn, entry));
    return operation.finish();
  }

  async destroy(): Promise<Run> {
    const operation = new Operation(false);
    for (const urn of [...this.state.keys()].reverse())
      await this.#tolerate(operation, () => this.#forget(operation, urn));
    return operation.finish();
  }

  async stop(): Promise<void> {
    this.#provider.close();
    this.#server.forceShutdown();
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    await ended;
  }

  /** Ends as an engine that is killed: the provider is told nothing. Waits until it has ended too. */
  async vanish(): Promise<void> {
    const ended = once(this.#process, "exit");
    this.#provider.close();
    this.#server.forceShutdown();
    await ended;
  }

  async #runInline(operation: Operation, program: Program): Promise<void> {
    const request = new languageMessages.RunRequest();
    request.setProject("project");
    request.setStack("test");
    request.setDryrun(operation.isPreview);
    request.setParallel(16);
    request.setMonitorAddress(this.#address);
    request.setArgsList([this.#address]);
    const { LanguageServer } = loadLanguageServer();
    await new LanguageServer(program).run({ request }, (error) => {
      if (error !== undefined) operation.errors.add(error.message);
    });
  }

  /** Starts the program as the language host does (pulumi: sdk/nodejs/cmd/pulumi-language-nodejs, `constructArguments`). */
  async #runFolder(operation: Operation, folder: string): Promise<void> {
    const script = createRequire(join(folder, "index.js")).resolve("@pulumi/pulumi/cmd/run/index.js");
    const names = {
      monitor: this.#address,
      engine: this.#address,
      project: "project",
      stack: "test",
      pwd: folder,
    };
    const flags = Object.entries(names).flatMap(([name, value]) => [`--${name}`, value]);
    const child = spawn(process.execPath, [script, ...flags, "--parallel", "16", "."], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const errors: string[] = [];
    child.stderr.on("data", (chunk: Buffer) => errors.push(chunk.toString()));
    const [code] = z.tuple([z.int().nullable(), z.unknown()]).parse(await once(child, "close"));
    if (code !== 0) operation.errors.add(errors.join(""));
  }

  async #run(isPreview: boolean, program: (operation: Operation) => Promise<void>): Promise<Run> {
    const operation = new Operation(isPreview);
    this.#operation = operation;
    await program(operation);
    if (operation.errors.size > 0) return operation.finish();
    const gone = [...this.state].filter(([urn]) => !operation.registered.has(urn)).reverse();
    for (const [urn, { name }] of gone) {
      if (isPreview) operation.steps.push({ name, op: "delete", keys: [] });
      else await this.#tolerate(operation, () => this.#forget(operation, urn));
    }
    for (const entry of operation.replaced.reverse())
      await this.#tolerate(operation, () => this.#delete(operation, entry));
    return operation.finish();
  }

  async #tolerate(operation: Operation, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      operation.errors.add(error instanceof Error ? error.message : String(error));
    }
  }

  async #register(request: RegisterResourceRequest): Promise<RegisterResourceResponse> {
    const operation = this.#operation;
    const [name, type] = [request.getName(), request.getType()];
    const urn = `urn:pulumi:test::project::${type}::${name}`;
    const response = new monitorMessages.RegisterResourceResponse();
    response.setUrn(urn);
    if (!request.getCustom()) return response;
    operation.registered.add(urn);
    const { plain, secrets } = unwrapSecrets(toJson(request.getObject()));
    const entry = await this.#step(operation, { urn, type, name }, plain, [
      ...secrets,
      ...request.getAdditionalsecretoutputsList(),
    ]);
    response.setId(entry.id);
    response.setObject(toStruct(entry.outputs));
    operation.seen.set(name, entry.outputs);
    return response;
  }

  /** Decides and carries out what one registered resource needs (step_generator.go, `generateSteps`). */
  async #step(
    operation: Operation,
    { urn, type, name }: { readonly urn: string; readonly type: string; readonly name: string },
    news: JsonObject,
    secrets: readonly string[],
  ): Promise<StateEntry> {
    const old = this.state.get(urn);
    const inputs = await this.#check(old?.inputs ?? {}, news);
    const entry = { name, type, id: "", inputs, outputs: inputs, secrets, initErrors: [] };
    if (old === undefined) {
      operation.steps.push({ name, op: "create", keys: [] });
      return operation.isPreview ? entry : this.#create(urn, entry);
    }
    const diff = new providerMessages.DiffRequest();
    diff.setId(old.id);
    diff.setOlds(toStruct(old.outputs));
    diff.setNews(toStruct(inputs));
    const answer = await call<DiffResponse>((done) => this.#provider.diff(diff, done));
    const keys = listDifferences(old.inputs, inputs);
    if (answer.getReplacesList().length > 0) {
      operation.steps.push({ name, op: "replace", keys: answer.getReplacesList() });
      const fresh = await this.#check({}, news);
      if (operation.isPreview) return { ...entry, inputs: fresh, outputs: fresh };
      if (answer.getDeletebeforereplace()) await this.#delete(operation, old);
      else operation.replaced.push(old);
      return this.#create(urn, { ...entry, inputs: fresh });
    }
    const { DIFF_NONE, DIFF_SOME } = providerMessages.DiffResponse.DiffChanges;
    const isSame =
      answer.getChanges() === DIFF_NONE || (answer.getChanges() !== DIFF_SOME && keys.length === 0);
    if (isSame && old.initErrors.length === 0) {
      operation.steps.push({ name, op: "same", keys: [] });
      this.state.set(urn, { ...old, inputs });
      return old;
    }
    operation.steps.push({ name, op: "update", keys });
    return operation.isPreview ? { ...entry, id: old.id } : this.#update(urn, old, entry);
  }

  async #check(olds: JsonObject, news: JsonObject): Promise<JsonObject> {
    const request = new providerMessages.CheckRequest();
    request.setOlds(toStruct(olds));
    request.setNews(toStruct(news));
    const answer = await call<CheckResponse>((done) => this.#provider.check(request, done));
    const [failure] = answer.getFailuresList();
    if (failure !== undefined) throw new Error(`${failure.getProperty()}: ${failure.getReason()}`);
    return toJson(answer.getInputs());
  }

  async #create(urn: string, entry: StateEntry): Promise<StateEntry> {
    this.#operation.calls.push(`create ${entry.name}`);
    const request = new providerMessages.CreateRequest();
    request.setProperties(toStruct(entry.inputs));
    return this.#keep(urn, entry, async () => {
      const answer = await call<CreateResponse>((done) => this.#provider.create(request, done));
      return { id: answer.getId(), outputs: toJson(answer.getProperties()) };
    });
  }

  async #update(urn: string, old: StateEntry, entry: StateEntry): Promise<StateEntry> {
    const request = new providerMessages.UpdateRequest();
    request.setId(old.id);
    request.setOlds(toStruct(old.outputs));
    request.setNews(toStruct(entry.inputs));
    return this.#keep(urn, entry, async () => {
      const answer = await call<UpdateResponse>((done) => this.#provider.update(request, done));
      return { id: old.id, outputs: toJson(answer.getProperties()) };
    });
  }

  /** Records what an apply left, a partial failure too. */
  async #keep(
    urn: string,
    entry: StateEntry,
    apply: () => Promise<{ id: string; outputs: JsonObject }>,
  ): Promise<StateEntry> {
    try {
      const done = { ...entry, ...(await apply()) };
      this.state.set(urn, done);
      return done;
    } catch (error) {
      const partial = findPartial(error);
      if (partial !== undefined) this.state.set(urn, { ...entry, ...partial });
      throw error;
    }
  }

  async #read(operation: Operation, urn: string, entry: StateEntry): Promise<void> {
    const request = new providerMessages.ReadRequest();
    request.setId(entry.id);
    request.setProperties(toStruct(entry.outputs));
    request.setInputs(toStruct(entry.inputs));
    const answer = await call<ReadResponse>((done) => this.#provider.read(request, done));
    if (answer.getId() === "") {
      operation.steps.push({ name: entry.name, op: "delete", keys: [] });
      this.state.delete(urn);
      return;
    }
    const inputs = toJson(answer.getInputs());
    operation.steps.push({ name: entry.name, op: "read", keys: listDifferences(entry.inputs, inputs) });
    this.state.set(urn, { ...entry, inputs, outputs: toJson(answer.getProperties()) });
  }

  async #forget(operation: Operation, urn: string): Promise<void> {
    const entry = this.state.get(urn);
    if (entry === undefined) return;
    await this.#delete(operation, entry);
    operation.steps.push({ name: entry.name, op: "delete", keys: [] });
    this.state.delete(urn);
  }

  async #delete(operation: Operation, entry: StateEntry): Promise<void> {
    const request = new providerMessages.DeleteRequest();
    request.setId(entry.id);
    request.setProperties(toStruct(entry.outputs));
    await call((done) => this.#provider.delete(request, done));
    operation.calls.push(`delete ${entry.name}`);
  }

  #monitor(): grpc.UntypedServiceImplementation {
    return {
      supportsFeature: serve((request: SupportsFeatureRequest) => {
        const response = new monitorMessages.SupportsFeatureResponse();
        response.setHassupport(request.getId() === "secrets");
        return Promise.resolve(response);
      }),
      registerResource: serve((request: RegisterResourceRequest) =>
        this.#register(request).catch((error: unknown) => {
          this.#operation.errors.add(error instanceof Error ? error.message : String(error));
          throw error;
        }),
      ),
      registerResourceOutputs: serve((request: RegisterResourceOutputsRequest) => {
        this.#operation.exports = unwrapSecrets(toJson(request.getOutputs())).plain;
        return Promise.resolve(new empty.Empty());
      }),
      signalAndWaitForShutdown: serve(() => Promise.resolve(new empty.Empty())),
    };
  }

  #engine(): grpc.UntypedServiceImplementation {
    return {
      log: serve((request: LogRequest) => {
        this.display.push({
          urn: request.getUrn(),
          text: request.getMessage(),
          severity: request.getSeverity(),
          isEphemeral: request.getEphemeral(),
        });
        return Promise.resolve(new empty.Empty());
      }),
      getRootResource: serve(() => Promise.resolve(new engineMessages.GetRootResourceResponse())),
      setRootResource: serve(() => Promise.resolve(new engineMessages.SetRootResourceResponse())),
    };
  }
}

/** What one operation gathers. */
class Operation {
  readonly isPreview: boolean;
  readonly steps: Step[] = [];
  readonly registered = new Set<string>();
  readonly seen = new Map<string, JsonObject>();
  readonly errors = new Set<string>();
  /** To be deleted at the end: their replacements came first. */
  readonly replaced: StateEntry[] = [];
  readonly calls: string[] = [];
  exports: JsonObject = {};

  constructor(isPreview: boolean) {
    this.isPreview = isPreview;
  }

  finish(): Run {
    return {
      steps: this.steps,
      calls: this.calls,
      seen: this.seen,
      exports: this.exports,
      errors: [...this.errors],
    };
  }
}

function bind(server: grpc.Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

function call<T>(start: (done: (error: grpc.ServiceError | null, value: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null) resolve(value);
      else reject(error);
    });
  });
}

function serve<Request, Response>(
  handle: (request: Request) => Promise<Response>,
): grpc.handleUnaryCall<Request, Response> {
  return ({ request }, callback) => {
    handle(request).then(
      (response) => callback(null, response),
      (error: unknown) => callback({ code: grpc.status.UNKNOWN, details: String(error) }),
    );
  };
}

/** The resource in the details of a failed create or update (pulumi: `ErrorResourceInitFailed`). */
function findPartial(
  error: unknown,
): { readonly id: string; readonly outputs: JsonObject; readonly initErrors: readonly string[] } | undefined {
  const metadata = z.object({ metadata: z.instanceof(grpc.Metadata) }).safeParse(error);
  const [packed] = metadata.data?.metadata.get("grpc-status-details-bin") ?? [];
  if (!Buffer.isBuffer(packed)) return undefined;
  const [detail] = statusMessages.Status.deserializeBinary(packed).getDetailsList();
  if (detail === undefined) return undefined;
  const failed = providerMessages.ErrorResourceInitFailed.deserializeBinary(detail.getValue_asU8());
  return { id: failed.getId(), outputs: toJson(failed.getProperties()), initErrors: failed.getReasonsList() };
}

const signatureKey = "4dabf18193072939515e22adb298388d";

/** Takes the wrappers off secret values, and says which top-level properties had one. */
function unwrapSecrets(object: JsonObject): {
  readonly plain: JsonObject;
  readonly secrets: readonly string[];
} {
  const secrets = Object.keys(object).filter((key) => JSON.stringify(object[key]).includes(signatureKey));
  const unwrap = (value: JsonValue | undefined): JsonValue | undefined => {
    if (Array.isArray(value)) return z.array(z.json()).parse(value.map(unwrap));
    if (!isJsonObject(value)) return value;
    return value[signatureKey] === undefined ? unwrapEach(value) : unwrap(value["value"]);
  };
  const unwrapEach = (inner: JsonObject): JsonObject =>
    Object.fromEntries(Object.entries(inner).map(([key, value]) => [key, unwrap(value)]));
  return { plain: unwrapEach(object), secrets };
}

function listDifferences(a: JsonObject, b: JsonObject): string[] {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].filter((key) => !equalJson(a[key], b[key])).sort();
}

function toStruct(object: JsonObject): Struct {
  return struct.Struct.fromJavaScript(z.record(z.string(), z.json()).parse(object));
}

function toJson(value: Struct | undefined): JsonObject {
  return z.record(z.string(), z.json()).parse(value?.toJavaScript() ?? {});
}

/** The SDK's own runner for inline programs; it is internal, so it has no types. */
interface LanguageModule {
  readonly LanguageServer: new (program: Program) => {
    run(
      call: { readonly request: InstanceType<typeof languageMessages.RunRequest> },
      callback: (error: Error | undefined) => void,
    ): Promise<void>;
  };
}

function loadLanguageServer(): LanguageModule {
  const loaded: unknown = createRequire(import.meta.url)("@pulumi/pulumi/automation/server.js");
  if (!isLanguageModule(loaded)) throw new Error("@pulumi/pulumi has no automation/server LanguageServer");
  return loaded;
}

function isLanguageModule(module: unknown): module is LanguageModule {
  return typeof module === "object" && module !== null && "LanguageServer" in module;
}
