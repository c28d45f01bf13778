#!/usr/bin/env bash
# Builds and tags the images of fedbatch with docker, podman or buildah, whichever is there.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'END'
Usage: k8s/build-images.sh [options] [target]...

Builds the images of the Dockerfile; without targets: splitter trainer aggregator evaluator server pipeline.
The target trainer-gpu (some 7 GB) is built only when it is named.

  --prefix TEXT    before the names of the images           (default: fedbatch/)
  --tag TAG        tag of the images                        (default: the version in package.json)
  --node IMAGE     Node's image that all are built from     (default: the Dockerfile's, node:22-bookworm-slim)
  --builder NAME   docker, podman or buildah                (default: the first of them that is there)
  --push           push each image when it is built
  --dry-run        print the commands instead of running them
  --build-option OPTION
                   one more option of the builder's build, e.g. --build-option=--platform=linux/arm64
  --help           show this help
END
}

fail() {
  echo "k8s/build-images.sh: $*" >&2
  exit 2
}

prefix=fedbatch/ tag='' node_image='' builder='' push=false dry_run=false
options=() targets=()
while [ $# -gt 0 ]; do
  # --name=value is --name value.
  case $1 in --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;; esac
  case $1 in
    --prefix | --tag | --node | --builder | --build-option) [ $# -ge 2 ] || fail "$1 needs a value (add --help for the options)" ;;&
    --prefix) prefix=$2 && shift ;;
    --tag) tag=$2 && shift ;;
    --node) node_image=$2 && shift ;;
    --builder) builder=$2 && shift ;;
    --build-option) options+=("$2") && shift ;;
    --push) push=true ;;
    --dry-run) dry_run=true ;;
    --help | -h) usage && exit 0 ;;
    -*) fail "unknown option $1 (add --help for the options)" ;;
    *) targets+=("$1") ;;
  esac
  shift
done

[ ${#targets[@]} -gt 0 ] || targets=(splitter trainer aggregator evaluator server pipeline)
for target in "${targets[@]}"; do
  case $target in
    splitter | trainer | aggregator | evaluator | server | pipeline | trainer-gpu) ;;
    *) fail "there is no image $target (add --help for those that there are)" ;;
  esac
done

if [ -z "$builder" ]; then
  for each in docker podman buildah; do
    if command -v "$each" >/dev/null; then builder=$each && break; fi
  done
  [ -n "$builder" ] || fail 'expected docker, podman or buildah, found none of them'
fi
case $builder in
  # podman and buildah write OCI images by default, and those have no HEALTHCHECK.
  buildah) build=(buildah build --format docker --layers) ;;
  podman) build=(podman build --format docker --layers) ;;
  docker) build=(docker build) ;;
  *) fail "--builder: expected docker, podman or buildah, found $builder" ;;
esac
$dry_run || command -v "$builder" >/dev/null || fail "$builder is not installed"

version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
build+=(--build-arg "VERSION=$version" --build-arg "REVISION=$revision")
[ -z "$node_image" ] || build+=(--build-arg "NODE_IMAGE=$node_image")

run() {
  if $dry_run; then printf '%q ' "$@" && echo; else "$@"; fi
}

for target in "${targets[@]}"; do
  image=$prefix$target:${tag:-$version}
  run "${build[@]}" "${options[@]}" --target "$target" --tag "$image" .
  if $push; then run "$builder" push "$image"; fi
done
