# What scripts share that run containers without a Docker engine and without a registry: a storage of their own below
# $work, a base image that debootstrap makes, the images of this checkout as localhost/fedbatch/*:test. `skip` is theirs.

step() { printf '\n-- %s\n' "$*"; }

# Leaves nothing behind outside of $work; runc, and limits that every kernel grants.
use_containers() {
  for program in podman buildah runc; do
    command -v "$program" >/dev/null || skip "there is no $program (apt-get install podman buildah runc catatonit)"
  done
  [ "$(id -u)" -eq 0 ] || skip 'it needs root: mounts and users of its own'
  mkdir -p "$work/run"
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
}

# Only what lies in the storage of its own, and before that goes: layers are mounted while podman holds them.
remove_containers() {
  podman pod rm --all --force >/dev/null 2>&1 || true
  podman rmi --all --force >/dev/null 2>&1 || true
  umount "$work/storage/overlay" 2>/dev/null || true
  rm -rf "$work"
}

build_images() {
  local node_image=${FEDBATCH_NODE_IMAGE:-localhost/node:bookworm-slim}
  if [ -z "${FEDBATCH_NODE_IMAGE:-}" ] && ! podman image exists "$node_image"; then
    command -v debootstrap >/dev/null || skip 'there is no debootstrap to make a base image (apt-get install debootstrap)'
    step "A base image: Debian, with the Node of this machine"
    local root="$work/root"
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
}
