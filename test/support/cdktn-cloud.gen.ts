import {
  Fn,
  TerraformIterator,
  TerraformOutput,
  TerraformStack,
  TerraformVariable,
  Testing,
  Token,
} from "cdktn";
import {
  DataFlavor,
  Host,
  Image,
  Network,
  Port,
  Project,
  RoleAssignment,
  Server,
  ServerGroup,
  StackyardProvider,
  Subnet,
  User,
} from "../../providers/engines/cdktn/index.ts";

/** A stack with a value of every kind in every place where a program may put one: plain, a construct, a token. */
function declareCloud(): TerraformStack {
  const stack = new TerraformStack(Testing.app(), "cloud");
  const text = new TerraformVariable(stack, "text", { type: "string" });
  const number = new TerraformVariable(stack, "number", { type: "number" });
  const flag = new TerraformVariable(stack, "flag", { type: "bool" });
  const names = new TerraformVariable(stack, "names", { type: "list(string)" });

  new StackyardProvider(stack, "stackyard", { cloud: "one", passwordFile: text.stringValue });
  const other = new StackyardProvider(stack, "other", { alias: "other", cloud: "two" });

  const host = new Host(stack, "h1", {
    address: "10.99.0.11",
    tunnelAddress: "10.98.0.1/24",
    port: number.numberValue,
    enabled: flag.booleanValue,
  });
  const project = new Project(stack, "demo", { quota: { ramMib: number.numberValue, cores: 8 } });
  new Project(stack, "alike", { name: `${text.stringValue}-alike`, quota: project.quota });
  const user = new User(stack, "operator", {
    passwordWo: text.stringValue,
    passwordWoVersion: 1,
    defaultProject: project,
  });
  new RoleAssignment(stack, "member", { user, project: project.id, role: "member" });

  const flavor = new DataFlavor(stack, "tiny", { name: "tiny", provider: other });
  const image = new Image(stack, "guest", {
    project,
    disk: { location: text.stringValue, checksum: `sha256:${"0".repeat(64)}` },
    properties: { hwDiskBus: "virtio", "os:distro": text.stringValue },
  });
  const network = new Network(stack, "net", { project });
  const subnet = new Subnet(stack, "range", {
    project,
    network,
    cidr: Fn.cidrsubnet("10.0.0.0/8", 16, number.numberValue),
    dnsServers: names.listValue,
    allocationPools: [{ start: "10.0.0.10", end: "10.0.0.20" }],
  });
  const port = new Port(stack, "port", { project, subnet });
  const group = new ServerGroup(stack, "apart", { project, policy: "anti-affinity" });
  const web = new Server(stack, "web", {
    project,
    flavor,
    image,
    networks: [{ port }, { subnet, mac: "fa:16:3e:00:00:01" }],
    serverGroup: group,
    schedulerHints: image.properties,
    running: flag.booleanValue,
    timeouts: { cloudInit: 900 },
    userData: 'echo "one"\necho two\n',
    dependsOn: [host],
    lifecycle: { createBeforeDestroy: true },
  });
  const iterator = TerraformIterator.fromList(names.listValue);
  new Server(stack, "each", {
    forEach: iterator,
    name: Token.asString(iterator.value),
    flavor: flavor.id,
    image,
    networks: iterator.dynamic({ port: port.id }),
  });
  new Port(stack, "twin", { subnet, mac: web.interfaces.get(0).mac, address: web.networks.get(1).address });
  new Server(stack, "imported", { flavor, image }).importFrom("demo/imported");

  new TerraformOutput(stack, "image_bytes", { value: image.diskFacts.sizeBytes });
  new TerraformOutput(stack, "status", { value: web.status });
  new TerraformOutput(stack, "interfaces", { value: web.interfaces });
  return stack;
}

/** The stack of a server that is imported, and whose configuration Terraform is to write. */
export function synthesiseImport(): string {
  const stack = new TerraformStack(Testing.app(), "imports");
  const provider = new StackyardProvider(stack, "stackyard");
  Server.generateConfigForImport(stack, "found", "demo/found", provider);
  return Testing.synth(stack);
}

/** The stack as JSON, which Terraform reads. */
export function synthesiseCloud(): string {
  return Testing.synth(declareCloud(), true);
}

/** The stack as HCL. */
export function printCloud(): string {
  return String(Testing.synthHcl(declareCloud(), true));
}
