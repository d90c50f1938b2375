#!/bin/sh
# $1 is the root: the last step of mmdebstrap, which runs this text, as it may not be able to read the file. What belongs to one host goes; units are as the preset says.
set -eu
root=$1
chroot "$root" systemctl preset stackyard-identity.service systemd-networkd.service ssh.service apt-daily.timer \
  apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-networkd-wait-online.service 2> /dev/null
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/etc/resolv.conf" "$root/var/lib/dbus/machine-id"
: > "$root/etc/machine-id"
# Files that hold the time of the build, or of this machine.
rm -rf "$root"/var/log/*.log "$root/var/log/apt" "$root/var/cache/ldconfig" "$root/var/cache/debconf" "$root"/var/lib/apt/lists/*
rm -f "$root/etc/openvswitch/conf.db" "$root/etc/openvswitch/system-id.conf" "$root"/boot/initrd.img-* "$root"/initrd.img*
