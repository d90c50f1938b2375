#!/bin/bash
# Brings the Ceph of a lab host up, or what is missing of it. Runs on the host as often as wanted.
#
# Arguments: the address of its monitor, the number of its object storage daemons, their object store.
# What `memstore` holds is in a daemon's memory: when one was killed, the cluster begins anew, empty, with its fsid and the admin's key.
set -eu
umask 077
address=$1 osds=$2 store=$3
data=/var/lib/ceph
export CEPH_CONF=/etc/ceph/ceph.conf
mkdir -p /run/ceph /var/log/ceph

runs() { [ -e "/run/ceph/$1.pid" ] && [ "$(tr '\0' ' ' < "/proc/$(cat "/run/ceph/$1.pid")/cmdline" 2> /dev/null | cut -d ' ' -f 1)" = "ceph-${1%%.*}" ]; }
end() {
  local pid
  pid=$(cat "/run/ceph/$1.pid" 2> /dev/null) || return 0
  if runs "$1"; then
    kill -9 "$pid"
    while [ -e "/proc/$pid" ]; do sleep 0.02; done
  fi
  rm -f "/run/ceph/$1.pid"
}

if [ "$store" = memstore ] && [ -e $data/complete ]; then
  for id in $(seq 0 $((osds - 1))); do
    runs "osd.$id" && continue
    for other in $(seq 0 $((osds - 1))); do end "osd.$other"; done
    end mon.a
    rm -rf $data/*
    break
  done
fi

if ! runs mon.a; then
  if [ ! -e $data/mon/made ]; then
    rm -rf $data/mon $data/mon.keyring
    fsid=$(ceph-conf --name mon.a --lookup fsid)
    ceph-authtool --create-keyring $data/mon.keyring --gen-key --name mon. --cap mon 'allow *' > /dev/null
    ceph-authtool $data/mon.keyring --import-keyring /etc/ceph/ceph.client.admin.keyring > /dev/null
    monmaptool --create --clobber --addv a "[v2:$address:3300,v1:$address:6789]" --fsid "$fsid" /run/ceph/monmap > /dev/null
    ceph-mon --mkfs --id a --monmap /run/ceph/monmap --keyring $data/mon.keyring
    touch $data/mon/made
  fi
  ceph-mon --id a
fi
ceph --connect-timeout 10 mon stat > /dev/null
echo monitor

start_osd() {
  local id=$1 uuid
  runs "osd.$id" && return
  if [ ! -e "$data/osd.$id/made" ]; then
    rm -rf "$data/osd.$id"
    mkdir -p "$data/osd.$id"
    uuid=$(cat "$data/osd.$id.uuid" 2> /dev/null || tee "$data/osd.$id.uuid" < /proc/sys/kernel/random/uuid)
    [ -e "$data/osd.$id.keyring" ] || ceph-authtool --create-keyring "$data/osd.$id.keyring" --gen-key --name "osd.$id" > /dev/null
    # The key goes by a file of root's: arguments are everybody's to read.
    printf '{"cephx_secret": "%s"}' "$(ceph-authtool --print-key --name "osd.$id" "$data/osd.$id.keyring")" |
      ceph osd new "$uuid" "$id" -i - > /dev/null
    ceph-osd --id "$id" --mkfs --osd-uuid "$uuid" > "/var/log/ceph/mkfs.$id.log" 2>&1
    touch "$data/osd.$id/made"
  fi
  ceph-osd --id "$id" > /dev/null
}

starting=
for id in $(seq 0 $((osds - 1))); do start_osd "$id" & starting="$starting $!"; done
for job in $starting; do wait "$job"; done
touch $data/complete
for _ in $(seq 300); do
  ! ceph osd stat --format json | grep -q "\"num_up_osds\":$osds,"  || { echo storage; exit 0; }
  sleep 0.1
done
echo "not all of the $osds object storage daemons came up" >&2
exit 1
