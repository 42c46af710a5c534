#!/bin/sh
# The command line under the project's own Node (the machine's may be older), wherever it is called from.
here=$(dirname "$(readlink -f "$0")")
root=$(cd "$here/../../.." && pwd)
node="$root/node_modules/.bin/node"
if [ ! -x "$node" ]; then
  echo "waypost: dependencies are missing; run 'npm ci' in $root first" >&2
  exit 1
fi
# What was compiled once is not compiled again: half of the time of a short command.
NODE_COMPILE_CACHE=${NODE_COMPILE_CACHE:-$root/node_modules/.cache/waypost}
export NODE_COMPILE_CACHE
exec "$node" --disable-warning=ExperimentalWarning "$here/main.ts" "$@"
