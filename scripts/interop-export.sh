#!/usr/bin/env bash
# Opens exported models with the programs that they are for: onnxruntime, safetensors, Keras 3 and TensorFlow of Python,
# from PyPI in .cache/interop-export (about 2 GB, some minutes, once). Needs Python 3.10 or newer and built sources; says
# why and passes where it cannot have them.
#
#   scripts/interop-export.sh                     makes or uses .cache/interop-export
#   FEDBATCH_EXPORT_PYTHON=…/bin/python scripts/interop-export.sh    uses that one
set -euo pipefail
cd "$(dirname "$0")/.."
tier='The programs that exported models are for'
source scripts/pypi.sh

if [ -z "${FEDBATCH_EXPORT_PYTHON:-}" ]; then
  home=$(environment interop-export tensorflow-cpu 'keras>=3,<4' onnx onnxruntime safetensors) || exit 0
  FEDBATCH_EXPORT_PYTHON=$home/bin/python
fi
export FEDBATCH_EXPORT_PYTHON

npm run build
node scripts/run-tests.mjs --slow export-interop
