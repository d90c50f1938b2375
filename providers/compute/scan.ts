import type { NamedCluster } from "../core/ceph.ts";
import { answerWith, valueOf, type Answer } from "../core/answer.ts";
import { StackyardError } from "../core/errors.ts";
import type { HostAddress } from "../core/host.ts";
import type {
  ComputeHost,
  DomainObservation,
  EnrolRequest,
  HostQuestions,
  ImageQuestion,
  NetworkQuestion,
  ScanPort,
} from "../core/ports.ts";
import type { Drift } from "../core/resource.ts";
import { listEncrypted, type VolumeObservation } from "../core/volume-backend.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import type { HostPool } from "../hosts/pool.ts";
import { compareClient, observeClient, parseClient } from "./ceph-state.ts";
import type { ClientState } from "./ceph-state.ts";
import { findDomain, observeDomains, parseDomainStates } from "./domain-state.ts";
import { compareImage, listPaths, observeFiles, parseFiles } from "./image-state.ts";
import { networksFolder } from "./layout.ts";
import { findDifferences, planNetwork, toDrift } from "./network-plan.ts";
import type { Difference } from "./network-plan.ts";
import { observeNetworks, parseNetworkStates } from "./network-state.ts";
import { observeFile, readFile } from "./volumes/file/file-volumes.ts";
import { lookSeconds, nameFault, observeImages, type RbdLook } from "./volumes/rbd/rbd-program.ts";
import { readImages } from "./volumes/rbd/rbd-volumes.ts";
import { describeWiring, observeWiring, readWiring } from "./wiring.ts";
import type { BareHost, WiringScan } from "./wiring.ts";

/** What was found on a host, question by question, as compute itself needs it. */
interface HostFindings {
  readonly enrolments: readonly Answer<WiringScan | BareHost>[];
  readonly domains: readonly Answer<DomainObservation | undefined>[];
  readonly networks: readonly Answer<readonly Difference[]>[];
  readonly images: readonly Answer<readonly Drift[]>[];
  readonly cephClients: readonly Answer<ClientState>[];
  readonly volumes: readonly Answer<VolumeObservation | undefined>[];
}

/** Questions that are asked of it. */
type HostLooks = Partial<Omit<HostQuestions, "cephClients">> & {
  readonly cephClients?: readonly ClientLook[];
};

/** What is there of a client is found by the cluster's name and id alone. */
interface ClientLook {
  readonly host: ComputeHost;
  readonly cluster: NamedCluster;
}

/** Longest that a look at a host may take. */
const lookTimeoutMs = 120_000;
/** The same where it reads the files of images whole. */
const deepTimeoutMs = 3_600_000;
const maxOutputBytes = 128 * 1024 * 1024;
const maxNoteChars = 2_000;

/** Many observations of one host in one round trip. The ports' own observations are scans with one question. */
export function openScan(pool: HostPool): ScanPort {
  return {
    async ask(address, questions, signal) {
      const found = await scanHost(pool, address, questions, "look at what is on the host", signal);
      return {
        ...found,
        enrolments: found.enrolments.map((wiring) => answerWith(wiring, describeWiring)),
        networks: found.networks.map((differences) => answerWith(differences, toDrift)),
        cephClients: questions.cephClients.map(({ cluster }, index) =>
          answerWith(found.cephClients[index] ?? unanswered(address), (state) =>
            compareClient(cluster, state),
          ),
        ),
      };
    },
  };
}

/** What of a host's wiring a request asks for. Raises what makes the host unfit for it. */
export async function scanWiring(
  pool: HostPool,
  request: EnrolRequest,
  signal: AbortSignal,
): Promise<WiringScan | BareHost> {
  const found = await scanHost(
    pool,
    request.address,
    { enrolments: [request] },
    "look at how the host is wired",
    signal,
  );
  return valueOf(found.enrolments[0]);
}

/** One server. `undefined` when libvirt has no such domain. */
export async function scanDomain(
  pool: HostPool,
  question: HostQuestions["domains"][number],
  signal: AbortSignal,
): Promise<DomainObservation | undefined> {
  const { host, spec } = question;
  const attempting = `observe server ${spec.id}`;
  const found = await scanHost(pool, host.address, { domains: [question] }, attempting, signal);
  return valueOf(found.domains[0]);
}

/** One network on one host. */
export async function scanNetwork(
  pool: HostPool,
  question: NetworkQuestion,
  signal: AbortSignal,
): Promise<readonly Difference[]> {
  const { host, network } = question;
  const attempting = `look at network ${network.name}`;
  const found = await scanHost(pool, host.address, { networks: [question] }, attempting, signal);
  return valueOf(found.networks[0]);
}

/** One image on one host. */
export async function scanImage(
  pool: HostPool,
  question: ImageQuestion,
  signal: AbortSignal,
): Promise<readonly Drift[]> {
  const { host, image } = question;
  const attempting = `look at image ${image.name}`;
  const found = await scanHost(pool, host.address, { images: [question] }, attempting, signal);
  return valueOf(found.images[0]);
}

/** What a client of one cluster has on one host. */
export async function scanClient(
  pool: HostPool,
  question: ClientLook,
  signal: AbortSignal,
): Promise<ClientState> {
  const { host, cluster } = question;
  const attempting = `look at the client of Ceph cluster ${cluster.name}`;
  const found = await scanHost(pool, host.address, { cephClients: [question] }, attempting, signal);
  return valueOf(found.cephClients[0]);
}

async function scanHost(
  pool: HostPool,
  address: HostAddress,
  { enrolments = [], domains = [], networks = [], images = [], cephClients = [], volumes = [] }: HostLooks,
  attempting: string,
  signal: AbortSignal,
): Promise<HostFindings> {
  // One address is one host, with one folder.
  const folder = [...domains, ...networks, ...images][0]?.host.folder ?? "";
  const networkIds = unique(networks.map(({ network }) => network.id));
  const portIds = networks.flatMap(({ ports }) => ports.map(({ id }) => id));
  const paths = unique(images.flatMap(({ image }) => listPaths(image)));
  const deepPaths = unique(images.flatMap(({ image, deep }) => (deep ? listPaths(image) : [])));
  const looks = {
    enrolments: enrolments.map(observeWiring),
    domains: observeDomains(
      folder,
      domains.map(({ spec }) => spec.id),
      domains.flatMap(({ spec }) => (spec.rootVolume === undefined ? [spec.id] : [])),
      domains.some(({ spec }) => listEncrypted(spec).length > 0),
    ),
    networks: observeNetworks(networksFolder(folder), networkIds, portIds),
    images: observeFiles(folder, paths, deepPaths),
    cephClients: cephClients.map(({ cluster }) => observeClient(cluster)),
    files: volumes.filter(isFile).map(({ host, volume }) => observeFile(host, volume)),
    rbd: volumes.flatMap(toRbd),
  };
  const asked = [
    ...looks.enrolments,
    ...(domains.length === 0 ? [] : [looks.domains]),
    ...(networks.length === 0 ? [] : [looks.networks]),
    ...(images.length === 0 ? [] : [looks.images]),
    ...looks.cephClients,
    ...looks.files,
    ...(looks.rbd.length === 0 ? [] : [observeImages(looks.rbd)]),
  ];
  const connection = await pool.get(address, signal);
  // On standard input there is room for any number of questions.
  const text = script(...asked.map(fence)).text;
  const { stdout, stderr } = await connection.run(sh`eval "$(head -c ${Buffer.byteLength(text)})"`, {
    attempting,
    stdin: text,
    timeoutMs:
      (deepPaths.length > 0 ? deepTimeoutMs : lookTimeoutMs) +
      (looks.rbd.length > 0 ? lookSeconds * 1000 : 0),
    maxOutputBytes,
    readOnly: true,
    signal,
  });
  const outputs = splitOutputs(stdout).map(([output, exitCode]): Answer<string> => {
    if (exitCode === "0") return { value: output };
    const message = `Could not ${attempting} on host ${address.name}: exit code ${exitCode}`;
    return {
      error: new StackyardError("command-failed", { message, notes: [stderr.trim().slice(-maxNoteChars)] }),
    };
  });
  const next = (): Answer<string> => outputs.shift() ?? unanswered(address);
  return {
    enrolments: enrolments.map((request) => answerWith(next(), (output) => readWiring(request, output))),
    domains: answerAll(domains, next, parseDomainStates, ({ host, spec }, states) =>
      findDomain(host, spec, states),
    ),
    networks: answerAll(
      networks,
      next,
      (output) => parseNetworkStates(output, networkIds),
      ({ host, network, peers, ports }, states) =>
        findDifferences(planNetwork(host, network, peers, ports), states.get(network.id)),
    ),
    images: answerAll(images, next, parseFiles, ({ image }, states) => compareImage(image, states)),
    cephClients: cephClients.map(() => answerWith(next(), parseClient)),
    volumes: answerVolumes(volumes, next),
  };
}

type VolumeQuestion = HostQuestions["volumes"][number];

function isFile({ volume }: VolumeQuestion): boolean {
  return volume.place.backend === "file";
}

function toRbd({ host, volume }: VolumeQuestion): readonly RbdLook[] {
  const { place } = volume;
  return place.backend === "rbd" ? [{ host, volume: { ...volume, place } }] : [];
}

/** Each file has an answer of its own, all images in pools share one. */
function answerVolumes(
  volumes: readonly VolumeQuestion[],
  next: () => Answer<string>,
): readonly Answer<VolumeObservation | undefined>[] {
  const files = volumes.filter(isFile).map(() => answerWith(next(), readFile));
  const looks = volumes.flatMap(toRbd);
  const images = looks.length === 0 ? [] : answerImages(looks, next());
  return volumes.map(
    (question) => (isFile(question) ? files.shift() : images.shift()) ?? unanswered(question.host.address),
  );
}

function answerImages(
  looks: readonly RbdLook[],
  given: Answer<string>,
): Answer<VolumeObservation | undefined>[] {
  if ("value" in given) {
    const found = answerWith(given, (output) => readImages(output, looks));
    return looks.map((_look, index) => answerWith(found, (images) => valueOf(images[index])));
  }
  return looks.map(({ host, volume }) => {
    const error = nameFault(given.error, host, volume.place, `look at volume ${volume.id}`);
    return { error: error instanceof StackyardError ? error : given.error };
  });
}

function unanswered({ name }: HostAddress): Answer<never> {
  return {
    error: new StackyardError("command-failed", {
      message: `Host ${name} did not answer all that it was asked`,
    }),
  };
}

/** Runs a look so that its failure is its own. A subshell in a condition would not stop at its first failure. */
function fence(look: Shell): Shell {
  return sh`set +e
(
set -eu
${look}
)
printf '\n<<>> %s\n' "$?"`;
}

/** Output and exit code of each look. */
function splitOutputs(stdout: string): readonly (readonly [string, string])[] {
  const parts = stdout.split(/\n<<>> (\d+)\n/);
  return parts.flatMap((part, index) => {
    const exitCode = parts[index + 1];
    return index % 2 === 0 && exitCode !== undefined ? [[part, exitCode] as const] : [];
  });
}

/** Answers of questions that share one output. */
function answerAll<Question, State, T>(
  questions: readonly Question[],
  next: () => Answer<string>,
  parse: (output: string) => State,
  judge: (question: Question, state: State) => T,
): readonly Answer<T>[] {
  if (questions.length === 0) return [];
  const state = answerWith(next(), parse);
  return questions.map((question) => answerWith(state, (known) => judge(question, known)));
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}
