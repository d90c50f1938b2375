#!/bin/sh
# What a branch does to the servers of main: previews its stack against main's, deployed on a lab of this machine.
#
#   preview.sh [--deployed] MAIN BRANCH COMMENT
#
#   MAIN      folder of the stack as main has it, with its node_modules
#   BRANCH    folder of the same stack as the branch has it, with its node_modules
#   COMMENT   file for the comment, a Markdown table
#   --deployed  main is deployed already, by the environment's settings: leave it, and its lab, as they are
#
# Exit code 3 when something would be replaced, or lose data, that ALLOW does not name: Server.web, a line each.
# STACK is the stack's name, and LAB the lab's; default ci. The lab goes in any case.
set -eu

deployed=no
if [ "${1-}" = --deployed ]; then
  deployed=yes
  shift
fi
if [ $# -ne 3 ]; then
  echo "usage: preview.sh [--deployed] MAIN BRANCH COMMENT" >&2
  exit 2
fi
main=$(cd "$1" && pwd)
branch=$(cd "$2" && pwd)
comment=$(cd "$(dirname "$3")" && pwd)/$(basename "$3")
stack=${STACK:-ci}
config=$main/Pulumi.$stack.yaml
lab=${LAB:-ci}
PATH=$branch/node_modules/.bin:$PATH
work=$(mktemp -d)
made= # main's settings, where it had none of its own

leave() {
  code=$?
  trap - EXIT
  if [ "$deployed" = no ] && ! stackyard lab down --name "$lab" >&2; then
    echo "the lab $lab is still there: stackyard lab down --name $lab" >&2
    [ "$code" -ne 0 ] || code=1
  fi
  rm -rf "$work" ${made:+"$made"}
  exit "$code"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# deploy: main on a lab of its own, with a state that goes with it.
deploy() {
  mkdir "$work/state"
  (umask 077 && head -c 24 /dev/urandom | base64 >"$work/passphrase")
  export PULUMI_BACKEND_URL="file://$work/state" PULUMI_CONFIG_PASSPHRASE_FILE="$work/passphrase"
  export STACKYARD_HOME="$work/clouds" STACKYARD_CLOUD="$lab"
  stackyard lab up --name "$lab" >&2
  stackyard lab guest --out "$work/guest" >&2
  cd "$main"
  [ -e "$config" ] || made=$config
  pulumi stack init "$stack" --non-interactive >&2
  # What the quickstart's stack wants to know; put your stack's settings here.
  run config set lab "$lab"
  run config set guestFolder "$work/guest"
  head -c 18 /dev/urandom | base64 | run config set --secret operatorPassword
  run up --yes --skip-preview
}

# run WORDS...: a command of Pulumi for main's stack.
run() {
  pulumi "$@" --stack "$stack" --non-interactive --color never >&2
}

[ "$deployed" = yes ] || deploy

cd "$branch"
if ! pulumi preview --json --stack "$stack" --config-file "$config" --non-interactive \
  >"$work/preview.json"; then
  cat "$work/preview.json" >&2 # Pulumi tells its errors in there
  exit 1
fi

set --
while IFS= read -r address; do
  [ -z "$address" ] || set -- "$@" --allow "$address"
done <<END
${ALLOW-}
END
stackyard diff-report "$work/preview.json" --format pulumi --fail-on replace,data-loss --out "$comment" "$@"
