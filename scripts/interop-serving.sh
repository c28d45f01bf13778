#!/usr/bin/env bash
# Runs Google's own TensorFlow Serving client for Python against fedbatch serve, from PyPI in .cache/interop-serving
# (several hundred MB, once). Needs Python 3.10 or newer and built sources; says why and passes where it cannot have them.
#
#   scripts/interop-serving.sh                     makes or uses .cache/interop-serving
#   FEDBATCH_SERVING_PYTHON=…/bin/python scripts/interop-serving.sh    uses that one
set -euo pipefail
cd "$(dirname "$0")/.."
tier="TensorFlow Serving's own client"
source scripts/pypi.sh

if [ -z "${FEDBATCH_SERVING_PYTHON:-}" ]; then
  # The client alone asks for the whole of TensorFlow with its GPU parts; the processor's is enough.
  home=$(environment interop-serving \
    tensorflow-cpu==2.21.0 -- --no-deps tensorflow-serving-api==2.21.0) || exit 0
  FEDBATCH_SERVING_PYTHON=$home/bin/python
fi
export FEDBATCH_SERVING_PYTHON

npm run build
node scripts/run-tests.mjs --slow serving-client
