#!/bin/bash
# Makes the root of one lab host and becomes its PID 1. Runs in new mount, pid, net, uts and ipc namespaces.
#
# Environment: lab (the lab's folder), labs (the folder of all labs), host, uuid, address (with prefix), disks,
# capabilities (libvirt's cache of what QEMU can do, may be empty), host_up (the script that starts the daemons), roles,
# ceph_up (the script that brings Ceph up; empty without that role).
# Descriptor 3 takes progress, one line a step. Standard input says "go" once the links are in place: when the command
# that starts us dies before, we read end of file and are gone, so that no host runs that no record knows.
set -eu
umask 022

# /proc is still the machine's here: its "self" is our pid as the machine sees it. Field 22 is the start time.
read -r stat < /proc/self/stat
read -r -a fields <<< "${stat##*) }"
echo "process ${stat%% *} ${fields[19]}" >&3
read -r word
[ "$word" = go ]
exec < /dev/null

state=$lab/roots/$host
new=$state/merged
mkdir -p "$state"/{upper,work,root,merged}
chmod 700 "$state/root"
# The kernel frees the overlay of a host killed just now with a little delay.
for _ in $(seq 100); do
  mount -t overlay "$host" -o "lowerdir=/,upperdir=$state/upper,workdir=$state/work" "$new" && break
  sleep 0.02
done

mount -t proc proc "$new/proc"
mount -t sysfs sysfs "$new/sys"
mount -t tmpfs -o mode=755 run "$new/run"
mount -t tmpfs -o mode=1777 tmp "$new/tmp"
mount -t tmpfs -o mode=755 dev "$new/dev"
mkdir -p "$new"/dev/{pts,shm,net}
for device in null zero full random urandom tty net/tun kvm fuse; do
  [ -e "/dev/$device" ] || continue
  : > "$new/dev/$device"
  mount --bind "/dev/$device" "$new/dev/$device"
done
ln -s /proc/self/fd "$new/dev/fd"
ln -s pts/ptmx "$new/dev/ptmx"
ln -s fd/0 "$new/dev/stdin"
ln -s fd/1 "$new/dev/stdout"
ln -s fd/2 "$new/dev/stderr"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$new/dev/pts"
mount -t tmpfs -o mode=1777 shm "$new/dev/shm"

# The machine's homes and the keys of all labs stay out of sight.
mount --bind "$state/root" "$new/root"
mount -t tmpfs -o mode=755 home "$new/home"
[ ! -d "$new$labs" ] || mount -t tmpfs -o mode=700 labs "$new$labs"

if [ ! -e "$state/made" ]; then
  # First start: none of the machine's own state, and none of its host keys.
  rm -rf "$new"/etc/libvirt/{qemu,storage,secrets} "$new"/etc/openvswitch/{conf.db,.conf.db.~lock~,system-id.conf} \
    "$new"/var/{lib,cache,log}/libvirt "$new/var/log/openvswitch" "$new"/etc/ssh/ssh_host_* \
    "$new"/{etc,var/lib}/stackyard "$new"/etc/ceph "$new"/var/{lib,log}/ceph
  mkdir -p "$new"/var/lib/libvirt/{images,qemu,boot,dnsmasq} "$new/etc/libvirt/qemu/networks" "$new/etc/openvswitch" \
    "$new"/var/log/{libvirt/qemu,openvswitch} "$new/var/cache/libvirt/qemu" "$new/root/.ssh"
  chmod 700 "$new/root/.ssh"
  cp "$lab/id_ed25519.pub" "$new/root/.ssh/authorized_keys"
  cp "$lab/hosts/$host/ssh_host_ed25519_key" "$lab/hosts/$host/ssh_host_ed25519_key.pub" "$new/etc/ssh/"
  [ -z "$capabilities" ] || cp -a "$capabilities" "$new/var/cache/libvirt/qemu/capabilities"
  # sshd without PAM refuses a locked account, even by key.
  sed -i 's/^root:![^:]*:/root:*:/' "$new/etc/shadow"
  echo "$host" > "$new/etc/hostname"
  echo "${uuid//-/}" > "$new/etc/machine-id"
  cp "$lab/hosts-table" "$new/etc/hosts"
  # QEMU as root with its hands off file ownership: disks are shared with the machine, and no LSM is at work here.
  cat >> "$new/etc/libvirt/qemu.conf" <<EOF
security_driver = "none"
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
namespaces = [ ]
cgroup_controllers = [ ]
EOF
  cat >> "$new/etc/libvirt/libvirtd.conf" <<EOF
auth_unix_rw = "none"
host_uuid = "$uuid"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
EOF
  cat > "$new/etc/ssh/sshd_config" <<EOF
ListenAddress ${address%/*}
HostKey /etc/ssh/ssh_host_ed25519_key
PidFile /run/sshd.pid
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
MaxStartups 100
MaxSessions 100
PrintMotd no
Subsystem sftp internal-sftp
EOF
  touch "$state/made"
fi
disks_at=$new/var/lib/libvirt/images
mkdir -p "$new/etc/ceph"
if [ -n "$ceph_up" ]; then
  disks_at=$new/var/lib/ceph
  mkdir -p "$disks_at"
  cp "$lab"/ceph/* "$new/etc/ceph/"
fi
mount --bind "$disks" "$disks_at"
mkdir -p "$new"/run/{sshd,libvirt,openvswitch,lock,lab}
cp "$host_up" "$new/run/lab/host-up.sh"
[ -z "$ceph_up" ] || cp "$ceph_up" "$new/run/lab/ceph-up.sh"

cd "$new"
mkdir -p mnt/machine
pivot_root . mnt/machine
cd /
umount -l /mnt/machine
rmdir /mnt/machine
hostname "$host"
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
  host="$host" uuid="$uuid" address="$address" roles="$roles" dumb-init -- /bin/bash /run/lab/host-up.sh
