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
  --push           push each image when it is built, and print its name with its digest
  --sign KEY       with --push: sign each image by its digest, and attach its bill of materials, signed too. KEY is
                   what cosign takes: the file of a private key, or the address of one (awskms://…)
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

prefix=fedbatch/ tag='' node_image='' builder='' push=false key='' dry_run=false
options=() targets=()
while [ $# -gt 0 ]; do
  # --name=value is --name value.
  case $1 in --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;; esac
  case $1 in
    --prefix | --tag | --node | --builder | --sign | --build-option) [ $# -ge 2 ] || fail "$1 needs a value (add --help for the options)" ;;&
    --prefix) prefix=$2 && shift ;;
    --tag) tag=$2 && shift ;;
    --node) node_image=$2 && shift ;;
    --builder) builder=$2 && shift ;;
    --build-option) options+=("$2") && shift ;;
    --push) push=true ;;
    --sign) key=$2 && shift ;;
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

# What would be found out once everything is built.
if [ -n "$key" ]; then
  $push || fail '--sign needs --push: signatures lie beside the image in its registry'
  case $key in
    *://*) ;;
    *) [ -f "$key" ] || fail "--sign: expected the file of a private key, found no $key (cosign generate-key-pair makes one)" ;;
  esac
  $dry_run || command -v cosign >/dev/null ||
    fail '--sign needs cosign, which is not installed (go install github.com/sigstore/cosign/v2/cmd/cosign@latest)'
fi

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

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run() {
  if $dry_run; then printf '%q ' "$@" && echo; else "$@"; fi
}

# Pushes an image; its name with the digest that its registry knows it by is in $pushed then.
push() {
  local digest=''
  case $builder in
    docker)
      run docker push "$1"
      $dry_run || digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$1" |
        sed -n "s|^${1%:*}@||p")
      ;;
    *)
      run "$builder" push --digestfile "$work/digest" "$1"
      $dry_run || digest=$(cat "$work/digest")
      ;;
  esac
  $dry_run && digest=sha256:DIGEST
  [ -n "$digest" ] || { echo "k8s/build-images.sh: $1 was pushed, and $builder does not tell its digest" >&2 && exit 1; }
  pushed=${1%:*}@$digest
}

# Copies the bill of materials out of an image.
copy_sbom() {
  local container
  if [ "$builder" = buildah ]; then
    container=$(buildah from --pull-never "$1")
    buildah run "$container" -- cat /app/sbom.cdx.json >"$2"
    buildah rm "$container" >/dev/null
  else
    container=$("$builder" create "$1")
    "$builder" cp "$container:/app/sbom.cdx.json" "$2"
    "$builder" rm "$container" >/dev/null
  fi
}

for target in "${targets[@]}"; do
  image=$prefix$target:${tag:-$version}
  run "${build[@]}" "${options[@]}" --target "$target" --tag "$image" .
  $push || continue
  push "$image"
  if [ -n "$key" ]; then
    sbom=$work/$target.cdx.json
    $dry_run || copy_sbom "$image" "$sbom"
    # With a key of one's own nothing is published in the log of all signatures, which anybody can read.
    run cosign sign --yes --key "$key" --tlog-upload=false "$pushed"
    run cosign attest --yes --key "$key" --tlog-upload=false --type cyclonedx --predicate "$sbom" "$pushed"
  fi
  $dry_run || echo "$pushed"
done
