terraform {
  required_version = ">= 1.11"
  required_providers {
    stackyard = { source = "stackyard.internal/stackyard/stackyard" }
  }
}

# Reaches the cloud by the environment: STACKYARD_HOME, STACKYARD_CLOUD, …
provider "stackyard" {}

variable "inventory" {
  description = "What `stackyard lab up` leaves for stacks: the hosts of the lab."
  type        = string
  default     = "~/.local/state/stackyard/labs/quickstart/inventory.json"
}

variable "guest_folder" {
  description = "Where `stackyard lab guest --out` wrote kernel and initrd."
  type        = string
}

variable "operator_password" {
  description = "Reaches the provider, but neither plan nor state."
  type        = string
  ephemeral   = true
}

# The hosts that servers run on. A host of your own is a resource with name, address and tunnel_address.
locals {
  hosts = { for host in jsondecode(file(pathexpand(var.inventory))).hosts : host.name => host }
}

resource "stackyard_host" "lab" {
  for_each         = local.hosts
  name             = each.key
  address          = each.value.address
  port             = each.value.port
  user             = each.value.user
  identity_file    = each.value.identityFile
  known_hosts_file = each.value.knownHostsFile
  tunnel_address   = each.value.tunnelAddress
  tunnel_interface = each.value.tunnelInterface
}

# Whose servers they are, and who may manage them.
resource "stackyard_project" "demo" {
  name = "demo"
}

resource "stackyard_user" "operator" {
  name                = "operator"
  password_wo         = var.operator_password
  password_wo_version = 1
  default_project     = stackyard_project.demo.id
}

resource "stackyard_role_assignment" "operator_is_member" {
  user    = stackyard_user.operator.id
  project = stackyard_project.demo.id
  role    = "member"
}

# What a server gets, what it boots, and which key it lets in. The key pair is generated; its private part is in the state.
resource "stackyard_flavor" "tiny" {
  name    = "tiny"
  vcpus   = 1
  ram_mib = 128
}

resource "stackyard_image" "guest" {
  name    = "guest"
  project = stackyard_project.demo.id
  kernel  = { location = "${var.guest_folder}/kernel" }
  initrd  = { location = "${var.guest_folder}/initrd" }
}

resource "stackyard_keypair" "login" {
  name    = "login"
  project = stackyard_project.demo.id
}

# One network across all hosts.
resource "stackyard_network" "net" {
  name    = "net"
  project = stackyard_project.demo.id
}

resource "stackyard_subnet" "subnet" {
  name    = "subnet"
  project = stackyard_project.demo.id
  network = stackyard_network.net.id
  cidr    = "10.20.0.0/24"
}

# A server for each host, each on another one.
resource "stackyard_server_group" "apart" {
  name    = "apart"
  project = stackyard_project.demo.id
  policy  = "anti-affinity"
}

resource "stackyard_port" "web" {
  count   = length(local.hosts)
  name    = "web${count.index + 1}"
  project = stackyard_project.demo.id
  subnet  = stackyard_subnet.subnet.id
  address = "10.20.0.${11 + count.index}"
}

resource "stackyard_server" "web" {
  count        = length(local.hosts)
  name         = "web${count.index + 1}"
  project      = stackyard_project.demo.id
  flavor       = stackyard_flavor.tiny.id
  image        = stackyard_image.guest.id
  keypair      = stackyard_keypair.login.id
  networks     = [{ port = stackyard_port.web[count.index].id }]
  server_group = stackyard_server_group.apart.id
  wait_for     = "ssh"
  depends_on   = [stackyard_host.lab]
}

output "table" {
  value = [for server in stackyard_server.web : { name = server.name, host = server.host, address = server.address, status = server.status }]
}

output "private_key" {
  value     = stackyard_keypair.login.private_key
  sensitive = true
}
