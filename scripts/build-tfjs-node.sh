#!/usr/bin/env bash
# Builds @tensorflow/tfjs-node against the libtensorflow inside PyPI's tensorflow-cpu wheel, in a folder of its own:
# the published package brings TensorFlow 2.9 from a Google host; this one needs npm and PyPI only, and knows today's
# processors. The packages of the webgpu backend come along.
#
#   scripts/build-tfjs-node.sh [folder]               .cache/tfjs-node unless told otherwise
#   scripts/build-tfjs-node.sh --gpu [folder]         @tensorflow/tfjs-node-gpu in .cache/tfjs-node-gpu, with PyPI's
#                                                     CUDA build of TensorFlow and the CUDA 12 libraries that it asks
#                                                     for: 6 GB, and nothing of CUDA has to be installed but the driver
#   FEDBATCH_TENSORFLOW=<folder> npx fedbatch …       uses it
#
# TENSORFLOW_WHEEL names another wheel (tensorflow-cpu==2.20.0), TENSORFLOW_DIR the folder of a TensorFlow that is
# installed already (…/site-packages/tensorflow), PYTHON the Python that fetches it.
# Needs g++ and Node's headers, which Node's own archives hold and Debian has as libnode-dev (NODE_INCLUDE_DIR else).
set -euo pipefail

tfjs=4.22.0
webgpu=0.6.2
root=$(cd "$(dirname "$0")/.." && pwd)
name=@tensorflow/tfjs-node
wheel=${TENSORFLOW_WHEEL:-tensorflow-cpu}
if [ "${1:-}" = --gpu ]; then
  shift
  name=@tensorflow/tfjs-node-gpu
  wheel=${TENSORFLOW_WHEEL:-tensorflow[and-cuda]}
fi
folder=${1:-$root/.cache/${name#*/}}
python=${PYTHON:-python3}

fail() {
  echo "build-tfjs-node: $*" >&2
  exit 1
}

headers=${NODE_INCLUDE_DIR:-$(dirname "$(dirname "$(node -p process.execPath)")")/include/node}
[ -f "$headers/node_api.h" ] || fail "no Node headers in $headers: set NODE_INCLUDE_DIR to the folder of node_api.h"
command -v g++ >/dev/null || fail 'g++ is missing'
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

echo "== The packages, without their install scripts, into $folder"
[ -f "$folder/package.json" ] || echo '{ "private": true }' >"$folder/package.json"
npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --save-exact \
  "$name@$tfjs" "@tensorflow/tfjs-backend-webgpu@$tfjs" "webgpu@$webgpu"
package=$folder/node_modules/$name

echo "== libtensorflow"
tensorflow=${TENSORFLOW_DIR:-}
if [ -z "$tensorflow" ]; then
  # Unpacked, not installed: we want libraries and headers, not what Python needs beside them. The CUDA libraries are
  # wheels of their own, which TensorFlow's libraries look for in ../nvidia.
  rm -rf "$folder/wheel" "$folder/libtensorflow"
  dependencies=--no-deps
  if [[ $wheel == *\[and-cuda\]* ]]; then dependencies=--prefer-binary; fi
  "$python" -m pip download --quiet --no-cache-dir $dependencies --only-binary :all: --dest "$folder/wheel" "$wheel"
  "$python" - "$folder" <<'PYTHON'
import glob, re, sys, zipfile

folder = sys.argv[1]
wanted = re.compile(r"tensorflow/(libtensorflow|include/)|nvidia/.*/lib/.*\.so|nvidia/cuda_nvcc/nvvm/libdevice/")
for wheel in glob.glob(folder + "/wheel/*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if wanted.match(name):
                archive.extract(name, folder + "/libtensorflow")
PYTHON
  rm -rf "$folder/wheel"
  tensorflow=$folder/libtensorflow/tensorflow
fi
tensorflow=$(cd "$tensorflow" && pwd)
for file in libtensorflow_cc.so.2 libtensorflow_framework.so.2 include/tensorflow/c/eager/c_api.h; do
  [ -e "$tensorflow/$file" ] || fail "$wheel has no $file in $tensorflow"
done

echo "== The addon"
mkdir -p "$package/deps/lib" "$package/lib"
# Relative: the folder may move.
ln -srf "$tensorflow"/libtensorflow_cc.so.2 "$tensorflow"/libtensorflow_framework.so.2 "$package/deps/lib/"
# The package looks for the highest N-API version that both it and this Node know.
napi=$(cd "$package" && node -p "Math.min(process.versions.napi, Math.max(...require('./package.json').binary.napi_versions))")
mkdir -p "$package/lib/napi-v$napi"
g++ -O2 -shared -fPIC -std=c++17 "-DNAPI_VERSION=$napi" -DBUILDING_NODE_EXTENSION \
  -I"$headers" -I"$package" -I"$tensorflow/include" \
  "$package/binding/tfjs_backend.cc" "$package/binding/tfjs_binding.cc" \
  -L"$package/deps/lib" -l:libtensorflow_cc.so.2 -l:libtensorflow_framework.so.2 \
  -Wl,-rpath,'$ORIGIN/../../deps/lib' -o "$package/lib/napi-v$napi/tfjs_binding.node"

echo "== A first product"
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=2 node -e "
const tf = require('$name');
const [value] = tf.matMul(tf.ones([1, 9]), tf.ones([9, 1])).dataSync();
if (tf.getBackend() !== 'tensorflow' || value !== 9) throw new Error('it computes ' + value + ' on ' + tf.getBackend());
"
echo "Use it with FEDBATCH_TENSORFLOW=$folder"
