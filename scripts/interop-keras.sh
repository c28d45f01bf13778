#!/usr/bin/env bash
# Checks our model files with Python Keras 2 and 3: makes a virtual environment for each from PyPI (about 2 GB, some
# minutes, once) under .cache/, then runs the tests that need them. Needs Python 3.9 to 3.11 and built sources; says why
# and passes where it cannot have them.
#
#   scripts/interop-keras.sh                     makes or uses .cache/keras2 and .cache/keras3
#   FEDBATCH_KERAS2_PYTHON=… FEDBATCH_KERAS3_PYTHON=… scripts/interop-keras.sh    uses those
#   PYTHON=python3.11 scripts/interop-keras.sh   makes them with that Python
set -euo pipefail
cd "$(dirname "$0")/.."
tier='Keras 2 and 3'
source scripts/pypi.sh

# tensorflow-cpu 2.15 is the last with Keras 2 inside.
if [ -z "${FEDBATCH_KERAS2_PYTHON:-}" ]; then
  home=$(environment keras2 tensorflow-cpu==2.15.1 keras==2.15.0) || exit 0
  FEDBATCH_KERAS2_PYTHON=$home/bin/python
fi
if [ -z "${FEDBATCH_KERAS3_PYTHON:-}" ]; then
  home=$(environment keras3 tensorflow-cpu 'keras>=3,<4') || exit 0
  FEDBATCH_KERAS3_PYTHON=$home/bin/python
fi
export FEDBATCH_KERAS2_PYTHON FEDBATCH_KERAS3_PYTHON

npm run build
node scripts/run-tests.mjs --slow keras-interop
