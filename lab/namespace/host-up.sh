#!/bin/bash
# Starts the daemons of a lab host, as the child of its PID 1. Environment: host, uuid, address (with prefix), roles.
# Each step that is done becomes a line on descriptor 3, which no daemon inherits.
set -eu

ip link set lo up
ip address add "$address" dev eth0
ip link set eth0 up
ip link set eth1 up
echo net >&3

start_ssh() {
  /usr/sbin/sshd 3>&-
  echo sshd >&3
}

start_ovs() {
  local db=/etc/openvswitch/conf.db socket=/run/openvswitch/db.sock logs=/var/log/openvswitch
  exec 4>&3 3>&-
  [ -e $db ] || ovsdb-tool create $db /usr/share/openvswitch/vswitch.ovsschema
  ovsdb-server $db --remote=punix:$socket --remote=db:Open_vSwitch,Open_vSwitch,manager_options \
    --pidfile=/run/openvswitch/ovsdb-server.pid --detach --no-chdir --log-file=$logs/ovsdb-server.log -vconsole:off 4>&-
  ovs-vsctl --no-wait init -- set Open_vSwitch . external-ids:hostname="$host" external-ids:system-id="$uuid"
  ovs-vswitchd unix:$socket --pidfile=/run/openvswitch/ovs-vswitchd.pid --detach --no-chdir \
    --log-file=$logs/ovs-vswitchd.log -vconsole:off 4>&-
  echo ovs >&4
}

start_libvirt() {
  virtlogd -d 3>&-
  libvirtd -d 3>&-
  until virsh -q version > /dev/null 2>&1; do sleep 0.05; done
  echo libvirt >&3
}

# What enrolled hosts with systemd have a unit for: before libvirt, which starts servers by itself.
boots=$(ls -d /var/lib/libvirt/images/*/boot/run 2> /dev/null || true)
come_back() {
  local boot
  for boot in $boots; do sh "$boot" 3>&- || echo "$boot has failed" >&2; done
}

start_ssh & jobs=$!
case " $roles " in
  *" compute "*)
    if [ -n "$boots" ]; then
      { (start_ovs); come_back; start_libvirt; } & jobs="$jobs $!"
    else
      start_ovs & jobs="$jobs $!"
      start_libvirt & jobs="$jobs $!"
    fi
    ;;
esac
for job in $jobs; do wait "$job"; done
echo ready >&3
exec sleep infinity 3>&-
