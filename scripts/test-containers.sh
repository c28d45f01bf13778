#!/usr/bin/env bash
# Builds the images and runs the whole job in containers, hardened and as the manifests' own pods, without a registry
# and without a cluster: podman, buildah and a base image that debootstrap makes. Needs root. Then the
# pipeline for Kubeflow in the same images, by the runner of its SDK, where PyPI is.
#
#   FEDBATCH_NODE_IMAGE=node:22-bookworm-slim   take this image of Node instead of making one
#   FEDBATCH_CONTAINERS=DIR                     keep images and layers in DIR for the next time
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -gt 0 ]; then
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "scripts/test-containers.sh"
  [ "$1" = --help ] && exit 0
  exit 2
fi

skip() {
  printf '\n*** SKIPPED: the container tier did not run: %s ***\n\n' "$*" >&2
  exit 0
}

for program in podman buildah runc; do
  command -v "$program" >/dev/null || skip "there is no $program (apt-get install podman buildah runc catatonit)"
done
[ "$(id -u)" -eq 0 ] || skip 'it needs root: mounts and users of its own'

work=${FEDBATCH_CONTAINERS:-$(mktemp -d)}
mkdir -p "$work/run"

# A storage of its own, which leaves nothing behind; runc, and limits that every kernel grants.
cat >"$work/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$work/storage"
runroot = "$work/run/storage"
END
cat >"$work/containers.conf" <<'END'
[containers]
default_ulimits = ["nofile=20000:20000","nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
END
export CONTAINERS_CONF="$work/containers.conf" CONTAINERS_STORAGE_CONF="$work/storage.conf" XDG_RUNTIME_DIR="$work/run"

finish() {
  [ -z "${FEDBATCH_CONTAINERS:-}" ] || return 0
  # Only what lies in the storage of its own, and before that goes: layers are mounted while podman holds them.
  podman pod rm --all --force >/dev/null 2>&1 || true
  podman rmi --all --force >/dev/null 2>&1 || true
  umount "$work/storage/overlay" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

step() { printf '\n-- %s\n' "$*"; }

node_image=${FEDBATCH_NODE_IMAGE:-localhost/node:bookworm-slim}
if [ -z "${FEDBATCH_NODE_IMAGE:-}" ] && ! podman image exists "$node_image"; then
  command -v debootstrap >/dev/null || skip 'there is no debootstrap to make a base image (apt-get install debootstrap)'
  step "A base image: Debian, with the Node of this machine"
  root="$work/root"
  rm -rf "$root"
  debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >"$work/debootstrap.log" 2>&1 ||
    skip "debootstrap failed: $(tail -n 1 "$work/debootstrap.log")"
  mkdir -p "$root/usr/lib/node_modules" "$root/usr/etc"
  cp "$(node -p process.execPath)" "$root/usr/bin/node"
  cp -a "$(npm root --global 2>/dev/null)/npm" "$root/usr/lib/node_modules/"
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/bin/npm"
  ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/bin/npx"
  # Whom this machine trusts, the build trusts too: a registry may stand behind a certificate of one's own.
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  echo 'cafile=/etc/ssl/certs/ca-certificates.crt' >"$root/usr/etc/npmrc"
  tar -C "$root" --numeric-owner -c . | podman import - "$node_image" >/dev/null
  rm -rf "$root"
fi

step 'The images'
k8s/build-images.sh --builder buildah --prefix localhost/fedbatch/ --tag test --node "$node_image" \
  --build-option "--volume=$(npm config get cache 2>/dev/null):/root/.npm" >"$work/build.log" 2>&1 || {
  tail -n 40 "$work/build.log" >&2
  exit 1
}
podman images --format '{{.Repository}}:{{.Tag}} {{.Size}}' --filter reference='localhost/fedbatch/*'

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
