#!/bin/sh
# make-disk.sh TAR OUT SIZE UUID: a file system with the content of a tar, as root or in a user namespace.
# Times in the file system are of SOURCE_DATE_EPOCH and E2FSPROGS_FAKE_TIME.
set -eu
tree=$2.tree
rm -rf "$tree"
trap 'rm -rf "$tree"' EXIT
mkdir "$tree"
tar -x --numeric-owner -p -f "$1" -C "$tree"
mke2fs -q -F -t ext4 -O '^has_journal' -L root -U "$4" -E "hash_seed=$4,lazy_itable_init=1,root_owner=0:0" -d "$tree" "$2" "$3"
