#!/bin/sh
# A cell of the matrix: deploys its stack on its lab, sees that nothing is left to do, and destroys it.
#
# STACKS is the folder of the stacks, each with its node_modules; default stacks. The rest is the matrix's: the lab in
# STACKYARD_LAB, values of axes in STACKYARD_MATRIX_…, a folder that goes with the cell in STACKYARD_CELL_FOLDER.
set -eu

work=$STACKYARD_CELL_FOLDER
cd "${STACKS:-stacks}/$STACKYARD_MATRIX_STACK"
PATH=$PWD/node_modules/.bin:$PATH
mkdir "$work/state"
(umask 077 && head -c 24 /dev/urandom | base64 >"$work/passphrase")
export PULUMI_BACKEND_URL="file://$work/state" PULUMI_CONFIG_PASSPHRASE_FILE="$work/passphrase"
export STACKYARD_CLOUD="$STACKYARD_LAB"
trap 'rm -f Pulumi.cell.yaml' EXIT
trap 'exit 143' TERM

# run WORDS...: a command of Pulumi for the stack.
run() {
  pulumi "$@" --stack cell --non-interactive --color never
}

stackyard lab guest --out "$work/guest"
pulumi stack init cell --non-interactive
# What the quickstarts' stacks want to know; put your stack's settings here.
run config set lab "$STACKYARD_LAB"
run config set guestFolder "$work/guest"
run config set generation 1
head -c 18 /dev/urandom | base64 | run config set --secret operatorPassword
run up --yes --skip-preview
run preview --expect-no-changes
run destroy --yes --skip-preview
