import * as pulumi from "@pulumi/pulumi";
import {
  CephCluster,
  Flavor,
  Host,
  Image,
  Keypair,
  labCeph,
  labHosts,
  Network,
  Project,
  Server,
  Snapshot,
  StoragePool,
  Subnet,
  Volume,
  VolumeAttachment,
  VolumeType,
} from "stackyard";

const config = new pulumi.Config();
const lab = config.require("lab");
const guestFolder = config.require("guestFolder");
const generation = config.requireNumber("generation");

// The hosts, each a client of the cluster. With a cluster of your own: its monitors, fsid, and the keyring of a user who may make pools.
const hosts = labHosts(lab).map((host) => new Host(host.name, host));
const cluster = new CephCluster("ceph", { ...labCeph(lab), hosts });

// Images are brought into the cluster once; root disks and volumes are cloned from them there.
const images = new StoragePool("images", { cluster, content: "images" });
const disks = new StoragePool("vms", { cluster, content: "vms", imagePool: images });
const volumes = new StoragePool("volumes", { cluster, content: "volumes", imagePool: images });

const project = new Project("shop");
const keypair = new Keypair("login", { project });
const image = new Image("guest", { project, disk: { location: `${guestFolder}/guest.qcow2` } });
const network = new Network("net", { project });
const subnet = new Subnet("subnet", { project, network, cidr: "10.30.0.0/24" });

// Two web servers whose root disks are clones in the cluster, gone with their servers.
const cloned = new Flavor("cloned", { vcpus: 1, ramMib: 128, diskGib: 1, storagePool: disks });
const web = ["web1", "web2"].map(
  (name) =>
    new Server(name, { project, flavor: cloned, image, keypair, networks: [{ subnet }], waitFor: "ssh" }),
);

// A database server that boots from a volume, with its data on another. Replace the server as often as you like: both volumes stay.
const type = new VolumeType("standard", { storagePool: volumes, qos: { totalIopsSec: 2000 } });
const system = new Volume("system", { project, volumeType: type, image, sizeGib: 1 });
const data = new Volume("data", { project, volumeType: type, sizeGib: 1 });
const small = new Flavor("small", { vcpus: 1, ramMib: 128 });
const database = new Server("db", {
  project,
  flavor: small,
  bootVolume: { volume: system },
  keypair,
  networks: [{ subnet }],
  userData: `#!/bin/sh\necho generation ${String(generation)}\n`,
  waitFor: "ssh",
});
const attachment = new VolumeAttachment("data", { project, server: database, volume: data });

// What the volume holds when the stack is first deployed.
new Snapshot("empty", { project, volume: data });

const servers = [...web, database];
export const table = servers.map(({ name, host, address, status }) => ({ name, host, address, status }));
export const privateKey = keypair.privateKey;
export const dataDevice = attachment.device;
