#!/usr/bin/env bash
# Runs fedbatch on a real Kubernetes. Where KUBECONFIG names a cluster, that is it; else it is one of this machine, with
# one node, which the scripts of ../shared/cluster make of Go modules and Debian packages. Its binary is built once (8
# minutes of processor time) and stays in the user's cache. Needs root, Go and etcd; a node needs containerd, runc,
# podman and buildah, too.
#
#   scripts/test-cluster.sh                   what the API server takes, the rights of the Role, and the job: 8 minutes
#   scripts/test-cluster.sh --control-plane   without a node, and so without the job: 2 minutes
#   scripts/test-cluster.sh --scale           without a node, rounds of 200, 1,000 and 4,000 clients alone: 20 minutes
#   scripts/test-cluster.sh --long            also faults, 1,000 clients, JobSet, Kubeflow Trainer and Kueue: 40 minutes
#   scripts/test-cluster.sh --no-build        nothing where the binary would have to be built first
#
#   FEDBATCH_CLUSTER_FLAGS='…'    for your cluster: options of `npx fedbatch k8s run` (--storage-class, --image-prefix)
#   FEDBATCH_CLUSTER=DIR          the scripts that make a cluster, instead of ../shared/cluster
#   FEDBATCH_CONTAINERS=DIR       where scripts/test-containers.sh keeps the images, or is to keep them
#   C=DIR                         keep the cluster's files in DIR, and the cluster running; one that runs there is taken
set -euo pipefail
cd "$(dirname "$0")/.."

tests=(cluster/validation cluster/rights cluster/job)
later=() has_node=true may_build=true
for each in "$@"; do
  case $each in
    --control-plane) tests=(cluster/validation cluster/rights) has_node=false ;;
    --scale) tests=(cluster/scale) has_node=false FEDBATCH_TEST_CLIENTS=${FEDBATCH_TEST_CLIENTS:-200,1000,4000,4000/16} ;;
    --long) later=(cluster/faults cluster/scale cluster/targets) ;;
    --no-build) may_build=false ;;
    *)
      sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "scripts/test-cluster.sh"
      [ "$each" = --help ] && exit 0
      exit 2
      ;;
  esac
done

skip() {
  printf '\n*** SKIPPED: nothing was tried on a real Kubernetes: %s ***\n\n' "$*" >&2
  exit 0
}

export FEDBATCH_TEST_CLUSTER=1 ${FEDBATCH_TEST_CLIENTS:+FEDBATCH_TEST_CLIENTS}
run_tests() {
  local each
  for each in "$@"; do node scripts/run-tests.mjs --slow "$each"; done
}

if [ -n "${KUBECONFIG:-}" ]; then
  run_tests "${tests[@]}" "${later[@]}"
  exit
fi

makers=${FEDBATCH_CLUSTER:-../shared/cluster}
[ -f "$makers/control-plane.sh" ] || skip "KUBECONFIG names no cluster, and there is no $makers to make one"
[ "$(id -u)" -eq 0 ] || skip 'it needs root: mounts, networks and pods'
for program in go etcd openssl; do
  command -v "$program" >/dev/null || skip "there is no $program"
done
for program in containerd runc podman buildah debootstrap; do
  if $has_node && ! command -v "$program" >/dev/null; then
    printf '\n*** SKIPPED: no node, and so no job, on a real Kubernetes: there is no %s ***\n\n' "$program" >&2
    tests=(cluster/validation cluster/rights) later=() has_node=false
  fi
done

source scripts/containers.sh
cache=${XDG_CACHE_HOME:-$HOME/.cache}/onecluster
own_home=false
if [ -z "${C:-}" ]; then C=$(mktemp -d) own_home=true; fi
mkdir -p "$C" "$cache/bin"
[ "$C" = "$cache" ] || [ -e "$C/bin" ] || ln -s "$cache/bin" "$C/bin"
# They write beside themselves when they build.
rm -rf "$C/scripts"
cp -R "$makers" "$C/scripts"
chmod -R u+w "$C/scripts"
export C
source "$C/scripts/env.sh"
runs() { kill -0 "$(cat "$RUN/$1.pid" 2>/dev/null)" 2>/dev/null; }
stop_kueue() {
  runs kueue || return 0
  kill "$(cat "$RUN/kueue.pid")"
  # What lies outside of C.
  rm -f /etc/kueue/metrics/certs/tls.{crt,key}
  rmdir --parents --ignore-fail-on-non-empty /etc/kueue/metrics/certs 2>/dev/null || true
}
# Whether a controller has come so far that its webhooks answer.
serves() { # NAME PORT
  for _ in $(seq 120); do
    ! (: <"/dev/tcp/$HOST_IP/$2") 2>/dev/null || return 0
    runs "$1" || return 1
    sleep 0.5
  done
  return 1
}
# One that asks for definitions before the API server knows them ends for good: it is started once more.
start_engines() {
  for _ in 1 2 3; do
    "$C/scripts/engines/engines.sh" start
    if serves jobset 9443 && serves trainer 9444; then return; fi
    "$C/scripts/engines/engines.sh" stop
    while (: <"/dev/tcp/$HOST_IP/9443") 2>/dev/null; do sleep 0.5; done
  done
  tail -n 5 "$C/log/jobset.log" "$C/log/trainer.log" >&2
  exit 1
}
start_kueue() {
  for _ in 1 2 3; do
    "$C/scripts/kueue/kueue.sh"
    if serves kueue 9445; then return; fi
  done
  tail -n 5 "$C/log/kueue.log" >&2
  exit 1
}
finish() {
  $own_home || return 0
  "$C/scripts/engines/engines.sh" stop >/dev/null 2>&1 || true
  stop_kueue
  ! $has_node || "$C/scripts/node.sh" stop || true
  "$C/scripts/control-plane.sh" stop || true
  [ -n "${FEDBATCH_CONTAINERS:-}" ] || [ ! -d "$C/img" ] || remove_containers
  rm -rf "$C"
}
if runs apiserver && [ ! -f "$PKI/apiserver.crt" ]; then
  ! $own_home || rm -rf "$C"
  skip "a cluster runs here already: C=DIR says where its files are"
fi
trap finish EXIT

if [ ! -x "$C/bin/kube" ]; then
  $may_build || skip "no binary is in $C/bin yet, and building it takes 8 minutes of processor time"
  step 'Kubernetes, built once: API server, controllers, scheduler, kubelet, proxy, kubectl'
  "$C/scripts/build.sh"
fi

step 'A control plane'
runs apiserver || "$C/scripts/control-plane.sh" start
export FEDBATCH_CLUSTER_HOME=$C FEDBATCH_CLUSTER_SCRIPTS=$C/scripts

if $has_node && ! runs kubelet; then
  work=${FEDBATCH_CONTAINERS:-$C/img}
  use_containers
  build_images
  step 'A node with the images'
  "$C/scripts/node.sh" containerd
  [ -e "$C/img" ] || ln -s "$work" "$C/img"
  "$C/scripts/load-images.sh" localhost/pause:1
  version=$(node -p 'require("./package.json").version')
  images=()
  for program in splitter trainer aggregator evaluator pipeline server; do
    podman tag "localhost/fedbatch/$program:test" "docker.io/fedbatch/$program:$version"
    images+=("docker.io/fedbatch/$program:$version")
  done
  podman save --quiet --multi-image-archive "${images[@]}" | ctr --address "$RUN/containerd.sock" --namespace k8s.io images import -
  "$C/scripts/node.sh" start
fi

run_tests "${tests[@]}"
if [ ${#later[@]} -gt 0 ]; then
  step 'The controllers of JobSet, Kubeflow Trainer and Kueue, built once'
  [ -x "$C/bin/trainer-manager" ] || "$C/scripts/engines/build.sh"
  [ -x "$C/bin/kueue-manager" ] || "$C/scripts/kueue/build.sh"
  if ! runs jobset || ! runs trainer; then start_engines; fi
  runs kueue || start_kueue
  run_tests "${later[@]}"
fi
