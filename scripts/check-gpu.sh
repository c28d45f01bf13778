#!/usr/bin/env bash
# Checks fedbatch on a machine with a graphics card that has no network: prepares a folder here with all that can be
# carried there (Node, the packed project, TensorFlow.js with Dawn, Vulkan's loader, digits), which one command there
# runs in under 8 minutes.
#
#   scripts/check-gpu.sh prepare FOLDER [options]   makes FOLDER, and says how large it is
#     --data FILE         an npz for the whole job, e.g. MNIST; 6,000 generated digits otherwise
#     --cuda [ARCHITECTURE]   ONNX Runtime's CUDA provider too, all of it or the code for one kind of card (90: an H100),
#                         which packs to 50 MB instead of 180 (its libraries of CUDA 13 and cuDNN must be there,
#                         installed or beside a PyTorch)
#     --tensorflow-gpu    TensorFlow's CUDA build too (7 GB; see scripts/build-tfjs-node.sh)
#     --archive           FOLDER.tar.xz too (there: tar -xf, or python3 -m tarfile -e)
#   FOLDER/run.sh [OUT] [options]                   there: writes OUT/results.json and OUT/results.md
#     --minutes N         all ends within so long (7.5)
#     --only PATTERN      the checks of these names alone, e.g. 'onnx/webgpu, conformance'; each may take all of the time
#   scripts/check-gpu.sh write OUT/results.json     here: puts the figures into docs/GPU.md, with the card's name
#   scripts/check-gpu.sh dry-run                    here: all of it, on a driver in software (Debian's Chromium has one)
set -euo pipefail
called=$PWD
cd "$(dirname "$0")/.."

fail() {
  echo "check-gpu: $*" >&2
  exit 2
}

# The path of an argument as seen from where the script was called.
at() {
  case $1 in
  /*) echo "$1" ;;
  *) echo "$called/$1" ;;
  esac
}

# Vulkan's loader, which containers often lack: the system's, else the one of Debian's Chromium, else Debian's package.
loader() {
  local found
  for found in /usr/lib/x86_64-linux-gnu/libvulkan.so.1 /usr/lib/chromium/libvulkan.so.1; do
    [ ! -e "$found" ] || { cp -L "$found" "$1/"; return; }
  done
  (cd "$1" && apt-get download -qq libvulkan1 && dpkg -x libvulkan1_*.deb . &&
    cp -L usr/lib/*/libvulkan.so.1 . && rm -r usr libvulkan1_*.deb) ||
    echo "check-gpu: no Vulkan loader was found here: the machine must have one (libvulkan1 on Debian)" >&2
}

prepare() {
  local folder='' data='' cuda='' tensorflow='' archive=''
  while [ $# -gt 0 ]; do
    case $1 in
    --data) data=$(at "${2:?--data takes a file}") && shift ;;
    --cuda)
      cuda=all
      if [[ ${2:-} =~ ^[0-9]+$ ]]; then cuda=$2 && shift; fi
      ;;
    --tensorflow-gpu) tensorflow=yes ;;
    --archive) archive=yes ;;
    -*) fail "there is no $1" ;;
    *) folder=$(at "$1") ;;
    esac
    shift
  done
  [ -n "$folder" ] || fail 'prepare takes a folder'
  [ "$(uname -sm)" = 'Linux x86_64' ] || fail "it prepares for Linux on x86_64, and this is $(uname -sm)"
  [ ! -e "$folder" ] || fail "$folder exists"
  [ -z "$data" ] || [ -e "$data" ] || fail "there is no $data"
  mkdir -p "$folder/project" "$folder/vulkan"

  cp "$(node -p process.execPath)" "$folder/node"
  loader "$folder/vulkan"
  echo '== The packed project, and TensorFlow.js with Dawn'
  local tarball versions package=$folder/project/node_modules/fedbatch
  local onnxruntime=$package/dist/vendor/linux-x64/onnxruntime-node
  tarball=$(npm pack --silent --pack-destination "$folder" | tail -n 1)
  versions=$(node -p "Object.entries(require('./package.json').peerDependencies)
    .filter(([name]) => /^(@tensorflow\/tfjs(-backend-webgpu)?|webgpu)$/.test(name)).map((pair) => pair.join('@')).join(' ')")
  echo '{ "private": true }' >"$folder/project/package.json"
  # shellcheck disable=SC2086 # words
  npm install --silent --prefix "$folder/project" --ignore-scripts --no-audit --no-fund "$folder/$tarball" $versions
  rm "$folder/$tarball"
  node dist/bench/gpu/main.js carry "$package"
  # Of no use there: maps, declarations, libraries of other systems, and what only servers and clusters need.
  find "$folder/project" \( -name '*.map' -o -name '*.d.ts' -o -name '*.md' \) -delete
  find "$folder/project/node_modules/webgpu/dist" -name '*.node' ! -path '*/linux-x64/*' -delete

  if [ -n "$data" ]; then cp "$data" "$folder/data.npz"; else node dist/cli.js dataset digits --out "$folder/data.npz"; fi
  case $cuda in
  '') ;;
  all) scripts/add-cuda-provider.sh "$onnxruntime" ;;
  *) scripts/add-cuda-provider.sh --only "$cuda" "$onnxruntime" ;;
  esac
  [ -z "$tensorflow" ] || scripts/build-tfjs-node.sh --gpu "$folder/tfjs-node-gpu"
  git describe --always --dirty >"$folder/commit"
  cp scripts/check-gpu-there.sh "$folder/run.sh"
  echo "$folder is prepared: $(du -sh "$folder" | cut -f 1)"
  if [ -n "$archive" ]; then
    tar -C "$(dirname "$folder")" -c "$(basename "$folder")" | xz -T0 -9e >"$folder.tar.xz"
    echo "$folder.tar.xz: $(du -h "$folder.tar.xz" | cut -f 1)"
  fi
}

case ${1:-} in
prepare)
  shift
  [ -d node_modules ] || npm ci
  prepare "$@"
  ;;
dry-run)
  [ -e /usr/lib/chromium/vk_swiftshader_icd.json ] ||
    fail 'a dry run takes the driver in software of Debian (apt-get install chromium-headless-shell)'
  npm run build
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  node dist/cli.js dataset digits --train 20 --test 10 --out "$scratch/digits.npz"
  prepare "$scratch/checks" --data "$scratch/digits.npz"
  FEDBATCH_GPU_CHECKS=$scratch/checks node scripts/run-tests.mjs --slow gpu/check-gpu.slow
  ;;
write)
  [ -f "$(at "${2:?write takes results.json}")" ] || fail "there is no $2"
  node dist/bench/gpu/main.js write "$(at "$2")"
  ;;
*) fail 'say prepare FOLDER, dry-run or write RESULTS (the top of this script tells more)' ;;
esac
