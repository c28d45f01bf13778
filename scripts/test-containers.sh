#!/usr/bin/env bash
# Builds the images and runs the whole job in containers, hardened and as the manifests' own pods, without a registry
# and without a cluster: podman, buildah and a base image that debootstrap makes. Needs root. Then the
# pipeline for Kubeflow in the same images, by the runner of its SDK, where PyPI is.
#
#   scripts/test-containers.sh --remove         remove what lies in FEDBATCH_CONTAINERS
#   FEDBATCH_NODE_IMAGE=node:22-bookworm-slim   take this image of Node instead of making one
#   FEDBATCH_CONTAINERS=DIR                     keep images and layers in DIR for the next time
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -gt 0 ] && [ "$*" != --remove ]; then
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "scripts/test-containers.sh"
  [ "$1" = --help ] && exit 0
  exit 2
fi

skip() {
  printf '\n*** SKIPPED: the container tier did not run: %s ***\n\n' "$*" >&2
  exit 0
}

source scripts/containers.sh
work=${FEDBATCH_CONTAINERS:-$(mktemp -d)}
use_containers
if [ "$*" = --remove ]; then
  remove_containers
  exit
fi
[ -n "${FEDBATCH_CONTAINERS:-}" ] || trap remove_containers EXIT
build_images

step 'The job'
FEDBATCH_IMAGES=localhost/fedbatch/ FEDBATCH_IMAGES_TAG=test npm test -- --slow containers.slow | tee "$work/test.log"
if grep -q '^skipped: .*containers\.slow' "$work/test.log"; then
  echo 'The images were built, and their test did not run.' >&2
  exit 1
fi

step "The Kubeflow pipeline, by the SDK's own runner for containers"
packages=$(tier='the Kubeflow pipeline in containers' && source scripts/pypi.sh && workflow_packages) || exit 0
FEDBATCH_IMAGES=localhost/fedbatch/ FEDBATCH_IMAGES_TAG=test FEDBATCH_KFP_PYTHON=$packages/bin/python \
  node scripts/run-tests.mjs --slow kfp-run.slow
