#!/bin/sh
# Logs in to the server named SERVER with the key PRIVATE_KEY, and fails where that fails.
set -eu
umask 077
key=$(mktemp)
trap 'rm -f "$key"' EXIT
printf '%s' "$PRIVATE_KEY" >"$key"
"$(dirname "$0")/node_modules/.bin/stackyard" server ssh "$SERVER" --identity "$key" -- uptime
