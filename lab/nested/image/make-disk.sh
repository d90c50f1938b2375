#!/bin/sh
# make-disk.sh TAR OUT SIZE UUID: a file system with the content of a tar, as root or in a user namespace.
# Times in the file system are of SOURCE_DATE_EPOCH and E2FSPROGS_FAKE_TIME.
set -eu
tree=$2.tree
rm -rf "$tree"
trap 'rm -rf "$tree" "$2.times"' EXIT
mkdir "$tree"
# No user namespace may make devices, and the kernel makes those of /dev at each boot.
tar -x --numeric-owner -p --exclude='./dev/*' -f "$1" -C "$tree"
mke2fs -q -F -t ext4 -O '^has_journal' -L root -U "$4" -E "hash_seed=$4,lazy_itable_init=1,root_owner=0:0" -d "$tree" "$2" "$3"
# mke2fs takes the times of the tree's inodes along, and those of access and change are of the unpacking. Inodes are in one row.
used=$(dumpe2fs -h "$2" 2> /dev/null | awk -F: '/^Inode count/ { all = $2 } /^Free inodes/ { print all - $2 }')
awk -v used="$used" -v time="$SOURCE_DATE_EPOCH" 'BEGIN {
  for (inode = 2; inode <= used; inode = inode == 2 ? 11 : inode + 1)
    printf "set_inode_field <%d> ctime @%d\nset_inode_field <%d> atime @%d\n", inode, time, inode, time
}' > "$2.times"
debugfs -w -f "$2.times" "$2" > /dev/null 2>&1
