#!/usr/bin/env bash
# Checks our model files with Python Keras 2 and 3: makes a virtual environment for each from PyPI (about 2 GB, some
# minutes, once) under .cache/, then runs the tests that need them. Needs Python 3.9 to 3.11 and built sources.
#
#   scripts/interop-keras.sh                     makes or uses .cache/keras2 and .cache/keras3
#   FEDBATCH_KERAS2_PYTHON=… FEDBATCH_KERAS3_PYTHON=… scripts/interop-keras.sh    uses those
#   PYTHON=python3.11 scripts/interop-keras.sh   makes them with that Python
set -euo pipefail
cd "$(dirname "$0")/.."

environment() { # name, packages…
  local home=.cache/$1
  shift
  if [ ! -e "$home/complete" ]; then
    "${PYTHON:-python3}" -m venv "$home" >&2
    "$home/bin/pip" install --quiet --disable-pip-version-check "$@" >&2
    touch "$home/complete"
  fi
  echo "$PWD/$home/bin/python"
}

# tensorflow-cpu 2.15 is the last with Keras 2 inside.
FEDBATCH_KERAS2_PYTHON=${FEDBATCH_KERAS2_PYTHON:-$(environment keras2 tensorflow-cpu==2.15.1 keras==2.15.0)}
FEDBATCH_KERAS3_PYTHON=${FEDBATCH_KERAS3_PYTHON:-$(environment keras3 tensorflow-cpu 'keras>=3,<4')}
export FEDBATCH_KERAS2_PYTHON FEDBATCH_KERAS3_PYTHON

npm run build
node scripts/run-tests.mjs --slow keras-interop
