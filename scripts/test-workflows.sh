#!/usr/bin/env bash
# Opens what `fedbatch k8s render --target` makes with the targets' own Python packages, from PyPI in .cache/workflows
# (some 300 MB, once). Needs Python 3.10 or newer and built sources; says why and passes where it cannot have them.
#
#   scripts/test-workflows.sh                                    makes or uses .cache/workflows
#   FEDBATCH_WORKFLOWS_PYTHON=…/bin/python scripts/test-workflows.sh    uses that one
set -euo pipefail
cd "$(dirname "$0")/.."
tier="the targets' own packages"
source scripts/pypi.sh

if [ -z "${FEDBATCH_WORKFLOWS_PYTHON:-}" ]; then
  home=$(workflow_packages) || exit 0
  FEDBATCH_WORKFLOWS_PYTHON=$home/bin/python
fi
export FEDBATCH_WORKFLOWS_PYTHON

npm run build
node scripts/run-tests.mjs --slow workflows-interop
