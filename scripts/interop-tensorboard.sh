#!/usr/bin/env bash
# Opens the event files of a run with TensorBoard itself, from PyPI in .cache/interop-tensorboard (180 MB, once). Needs
# Python 3.10 or newer and built sources; says why and passes where it cannot have them.
#
#   scripts/interop-tensorboard.sh                   makes or uses .cache/interop-tensorboard
#   FEDBATCH_TENSORBOARD_PYTHON=…/bin/python scripts/interop-tensorboard.sh    uses that one
set -euo pipefail
cd "$(dirname "$0")/.."
tier='TensorBoard itself'
source scripts/pypi.sh

if [ -z "${FEDBATCH_TENSORBOARD_PYTHON:-}" ]; then
  home=$(environment interop-tensorboard tensorboard==2.21.0) || exit 0
  FEDBATCH_TENSORBOARD_PYTHON=$home/bin/python
fi
export FEDBATCH_TENSORBOARD_PYTHON

npm run build
node scripts/run-tests.mjs --slow tensorboard.slow
