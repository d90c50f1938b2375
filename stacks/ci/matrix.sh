#!/bin/sh
# Runs the matrix beside this script on labs of this machine, with reports for CI.
#
#   matrix.sh RESULTS [OPTION...]
#
#   RESULTS   folder for junit.xml, matrix.md, and the cells' logs; made when it is not there
#   OPTION    of stackyard lab matrix: --only storage=rbd
#
# Exit code 1 when a cell did not pass. The labs go in any case; what a killed run has left of them, the next takes down.
set -eu

if [ $# -eq 0 ]; then
  echo "usage: matrix.sh RESULTS [OPTION...]" >&2
  exit 2
fi
mkdir -p "$1"
results=$(cd "$1" && pwd)
shift
rm -f "$results/junit.xml" "$results/matrix.md" # of an earlier run
PATH=$PWD/node_modules/.bin:$PATH
# In place of this shell, so that it has the signals.
exec stackyard lab matrix "$(dirname "$0")/matrix.yaml" --out "$results/logs" \
  --junit "$results/junit.xml" --markdown "$results/matrix.md" "$@"
