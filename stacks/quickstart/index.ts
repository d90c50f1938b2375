import * as pulumi from "@pulumi/pulumi";
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
  Subnet,
  User,
} from "stackyard";

const config = new pulumi.Config();
const guestFolder = config.require("guestFolder");

// The hosts that servers run on. With hosts of your own: new Host("rack1", { address: "rack1.example.org", tunnelAddress: "10.0.0.1/24" }).
const hosts = labHosts(config.require("lab")).map((host) => new Host(host.name, host));

// Whose servers they are, and who may manage them.
const project = new Project("demo");
const operator = new User("operator", {
  password: config.requireSecret("operatorPassword"),
  defaultProject: project,
});
new RoleAssignment("operator-is-member", { user: operator, project, role: "member" });

// What a server gets, what it boots, and which key it lets in. The key pair is generated; its private part is a secret output.
const flavor = new Flavor("tiny", { vcpus: 1, ramMib: 128 });
const image = new Image("guest", {
  project,
  kernel: { location: `${guestFolder}/kernel` },
  initrd: { location: `${guestFolder}/initrd` },
  kernelArguments: "console=ttyS0 quiet panic=1", // A guest whose kernel panics boots anew.
});
const keypair = new Keypair("login", { project });

// One network across all hosts.
const network = new Network("net", { project });
const subnet = new Subnet("subnet", { project, network, cidr: "10.20.0.0/24" });

// Each server on another host.
const apart = new ServerGroup("apart", { project, policy: "anti-affinity" });

const servers = ["web1", "web2", "web3"].map((name, index) => {
  const port = new Port(name, { project, subnet, address: `10.20.0.${String(11 + index)}` });
  return new Server(
    name,
    { project, flavor, image, keypair, networks: [{ port }], serverGroup: apart, waitFor: "ssh" },
    { dependsOn: hosts },
  );
});

export const table = servers.map(({ name, host, address, status }) => ({ name, host, address, status }));
export const privateKey = keypair.privateKey;
