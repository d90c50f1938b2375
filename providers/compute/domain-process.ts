import { sh, type Shell } from "../hosts/command.ts";

/**
 * Shell functions that tell of the process of domain `$name` what libvirt wrote down, without the cost of a `virsh`: `is_on` sets `$pid`;
 * `is_paused` holds for one that somebody suspended, or QEMU itself after an error of its disk.
 */
export const processFunctions: Shell = sh`is_on() {
  pid=
  { read -r pid < "/run/libvirt/qemu/$name.pid"; } 2> /dev/null || true
  kill -0 "$pid" 2> /dev/null
}
is_paused() { grep -qs "<domstatus state='paused'" "/run/libvirt/qemu/$name.xml"; }`;
