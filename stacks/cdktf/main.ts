import { NullProvider } from "@cdktf/provider-null/lib/provider/index.js";
import { Resource as NullResource } from "@cdktf/provider-null/lib/resource/index.js";
import { App, TerraformOutput, TerraformStack, TerraformVariable } from "cdktf";
import type { Construct } from "constructs";
import {
  Flavor,
  Host,
  Image,
  Keypair,
  labHosts,
  Network,
  Port,
  Project,
  RoleAssignment,
  Server,
  ServerGroup,
  StackyardProvider,
  Subnet,
  User,
} from "stackyard/cdktf";

class Cloud extends TerraformStack {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    new StackyardProvider(this, "stackyard");
    new NullProvider(this, "null");
    const guestFolder: string = this.node.getContext("guestFolder");

    // The hosts that servers run on. With hosts of your own:
    // new Host(this, "rack1", { address: "rack1.example.org", tunnelAddress: "10.0.0.1/24" }).
    const hosts = labHosts(this.node.getContext("lab")).map((host) => new Host(this, host.name, host));

    // Whose servers they are, and who may manage them. The password reaches the provider, but neither plan nor state.
    const password = new TerraformVariable(this, "operatorPassword", { type: "string", sensitive: true });
    const project = new Project(this, "demo");
    const operator = new User(this, "operator", {
      passwordWo: password.stringValue,
      passwordWoVersion: 1,
      defaultProject: project,
    });
    new RoleAssignment(this, "operator-is-member", { user: operator, project, role: "member" });

    // What a server gets, what it boots, and which key it lets in. The key pair is generated; its private part is a secret output.
    const flavor = new Flavor(this, "tiny", { vcpus: 1, ramMib: 128 });
    const image = new Image(this, "guest", {
      project,
      kernel: { location: `${guestFolder}/kernel` },
      initrd: { location: `${guestFolder}/initrd` },
      kernelArguments: "console=ttyS0 quiet panic=1", // A guest whose kernel panics boots anew.
    });
    const keypair = new Keypair(this, "login", { project });

    // One network across all hosts.
    const network = new Network(this, "net", { project });
    const subnet = new Subnet(this, "subnet", { project, network, cidr: "10.20.0.0/24" });

    // A server for each host, each on another one.
    const apart = new ServerGroup(this, "apart", { project, policy: "anti-affinity" });
    const servers = hosts.map((_, index) => {
      const name = `web${String(index + 1)}`;
      const port = new Port(this, `${name}-port`, {
        project,
        subnet,
        address: `10.20.0.${String(11 + index)}`,
      });
      return new Server(this, name, {
        project,
        flavor,
        image,
        keypair,
        networks: [{ port }],
        serverGroup: apart,
        waitFor: "ssh",
        dependsOn: hosts,
      });
    });

    // Glue: a server that is made, or made anew, is logged in to. One that is changed keeps its id, and is left alone.
    servers.forEach((server, index) => {
      new NullResource(this, `web${String(index + 1)}-check`, {
        triggers: { server: server.id },
        provisioners: [
          {
            type: "local-exec",
            command: "./check.sh",
            workingDir: import.meta.dirname,
            environment: { SERVER: server.name, PRIVATE_KEY: keypair.privateKey },
          },
        ],
      });
    });

    new TerraformOutput(this, "table", {
      value: servers.map(({ name, host, address, status }) => ({ name, host, address, status })),
    });
    new TerraformOutput(this, "privateKey", { value: keypair.privateKey, sensitive: true });
  }
}

const app = new App();
new Cloud(app, "cloud");
app.synth();
