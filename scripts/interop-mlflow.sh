#!/usr/bin/env bash
# Logs runs to MLflow's own server, from PyPI in .cache/interop-mlflow (several hundred MB, once). Needs Python 3.10 or
# newer and built sources; says why and passes where it cannot have them.
#
#   scripts/interop-mlflow.sh                     makes or uses .cache/interop-mlflow
#   FEDBATCH_MLFLOW_PYTHON=…/bin/python scripts/interop-mlflow.sh    uses that one
set -euo pipefail
cd "$(dirname "$0")/.."
tier="MLflow's own server"
source scripts/pypi.sh

if [ -z "${FEDBATCH_MLFLOW_PYTHON:-}" ]; then
  home=$(environment interop-mlflow mlflow==3.17.2) || exit 0
  FEDBATCH_MLFLOW_PYTHON=$home/bin/python
fi
export FEDBATCH_MLFLOW_PYTHON

npm run build
node scripts/run-tests.mjs --slow mlflow.slow
