#!/usr/bin/env bash
# In a folder that `scripts/check-gpu.sh prepare` made, on a machine with a graphics card: runs all checks, each with a
# time of its own, and writes OUT/results.json and OUT/results.md. Needs nothing of the machine but the card's driver;
# a PyTorch in python3 (or FEDBATCH_TORCH_PYTHON) is measured beside.
#
#   ./run.sh [OUT] [--minutes 7.5] [--only PATTERN]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$PWD/gpu-results
if [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; then
  out=$1
  shift
fi
if [ -d "$here/tfjs-node-gpu" ]; then export FEDBATCH_TENSORFLOW=$here/tfjs-node-gpu; fi
chmod +x "$here/node"
exec "$here/node" "$here/project/node_modules/fedbatch/dist/bench/gpu/main.js" run \
  --out "$out" --data "$here/data.npz" --loader "$here/vulkan" --commit "$(cat "$here/commit")" "$@"
