#!/bin/sh
# The command line under the project's own Node (the machine's may be older), wherever it is called from.
here=$(dirname "$(readlink -f "$0")")
root=$(cd "$here/../../.." && pwd)
node="$root/node_modules/.bin/node"
if [ ! -x "$node" ]; then
  echo "waypost: dependencies are missing; run 'npm ci' in $root first" >&2
  exit 1
fi
exec "$node" --disable-warning=ExperimentalWarning "$here/main.ts" "$@"
