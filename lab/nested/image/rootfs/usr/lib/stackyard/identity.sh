# Unpacks the seed over the root, once for each content: what is changed in the host later stays.
set -eu
seed=/dev/disk/by-id/virtio-stackyard-seed
[ -e "$seed" ] || exit 0
sum=$(sha256sum < "$seed")
if [ "$sum" != "$(cat /var/lib/stackyard-seed 2> /dev/null)" ]; then
  tar -x -C / --no-same-owner --no-overwrite-dir -f "$seed"
  printf '%s\n' "$sum" > /var/lib/stackyard-seed
fi
hostname -F /etc/hostname
