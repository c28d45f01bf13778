#!/usr/bin/env bash
# Runs Google's own TensorFlow Serving client for Python against fedbatch serve: scripts/interop-serving.sh
# Needs Python 3.10 or newer and PyPI (several hundred MB, once; kept in .cache/interop-serving).
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.cache/interop-serving
if [ ! -x "$venv/bin/python" ]; then
  python3 -m venv "$venv"
  # The client alone asks for the whole of TensorFlow with its GPU parts; the processor's is enough.
  "$venv/bin/python" -m pip install --quiet tensorflow-cpu==2.21.0 || { rm -rf "$venv"; exit 1; }
  "$venv/bin/python" -m pip install --quiet --no-deps tensorflow-serving-api==2.21.0 || { rm -rf "$venv"; exit 1; }
fi
npm run --silent build
FEDBATCH_SERVING_PYTHON="$PWD/$venv/bin/python" node scripts/run-tests.mjs --slow serving-client
