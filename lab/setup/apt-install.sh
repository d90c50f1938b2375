#!/bin/sh
# apt-install.sh POLICY PACKAGE...
# Installs Debian packages without starting any of their services: for the time of the installation POLICY (that is
# /usr/sbin/policy-rc.d) forbids it; what was there before comes back, also after a kill (at the next run).
set -eu

policy=$1
shift
saved=$policy.before-stackyard
mark='# stackyard set-up'

restore() {
  if [ -e "$saved" ]; then
    mv -f "$saved" "$policy"
  elif grep -qsF "$mark" "$policy"; then
    rm -f "$policy"
  fi
}

restore # what a killed run left
trap restore EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
if [ -e "$policy" ]; then mv "$policy" "$saved"; fi
printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
install() {
  apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

if [ -n "$(dpkg --audit)" ]; then dpkg --configure -a; fi # a killed run may have left packages half installed
if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then apt-get update -q; fi
if ! install "$@"; then
  apt-get update -q
  install "$@"
fi
