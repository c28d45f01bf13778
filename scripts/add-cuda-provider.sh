#!/usr/bin/env bash
# Puts ONNX Runtime's CUDA provider, out of PyPI's onnxruntime-gpu of the same version, beside the onnxruntime-node that
# fedbatch loads: 250 MB to download. Its libraries of CUDA 13 and cuDNN 9 have to be on the library path; those of a
# PyTorch for CUDA 13 will do.
#
#   scripts/add-cuda-provider.sh [options] [FOLDER]     FOLDER: of onnxruntime-node, unless it is the one fedbatch loads
#     --only ARCHITECTURE    without the code for others, which nothing loads on such a card (90: an H100): where the
#                            file has to be carried there, packed a third as large
#
# PYTHON names the Python with pip that fetches it.
set -euo pipefail

only=''
if [ "${1:-}" = --only ]; then
  only=${2:?--only takes an architecture, such as 90}
  shift 2
fi
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$(node --input-type=module -e "
  import { findPackage } from '$root/dist/lib/engine/installed-package.js';
  console.log(findPackage('onnxruntime-node')?.directory ?? '');")}
target=$folder/bin/napi-v6/linux/x64
[ -d "$target" ] || { echo "add-cuda-provider: $target is no folder: is onnxruntime-node for Linux on x64 there?" >&2; exit 2; }

version=$(node -p "require('$folder/package.json').version")
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
"${PYTHON:-python3}" -m pip download --quiet --no-cache-dir --no-deps --only-binary :all: --dest "$wheels" \
  "onnxruntime-gpu==$version"
"${PYTHON:-python3}" - "$wheels" "$target" "$only" <<'PYTHON'
import glob, os, struct, sys, zipfile

wheels, target, only = sys.argv[1:]
ELF_CODE, MAGIC = 2, 0xBA55ED50


def without_others(library, architecture):
    """Zeros in place of machine code for other architectures, in the fat binaries of an ELF file's .nv_fatbin."""
    data = bytearray(library)
    (table,) = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQ", data, table + index * size) for index in range(count)]
    name = lambda at: bytes(data[at : data.index(b"\0", at)])
    kept = 0
    for label, _, _, _, offset, length in sections:
        if name(sections[names][4] + label) != b".nv_fatbin":
            continue
        at = offset
        while at < offset + length:
            magic, _, header, content = struct.unpack_from("<IHHQ", data, at)
            if magic != MAGIC:
                at += 8
                continue
            at += header
            end = at + content
            while at < end:
                kind, _, header, content = struct.unpack_from("<HHIQ", data, at)
                (code_for,) = struct.unpack_from("<I", data, at + 28)
                if (kind, code_for) == (ELF_CODE, architecture):
                    kept += 1
                else:
                    data[at + header : at + header + content] = bytes(content)
                at += header + content
    if kept == 0:
        sys.exit(f"add-cuda-provider: it has no code for architecture {architecture}")
    return data


for wheel in glob.glob(wheels + "/*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for part in ("cuda", "shared"):
            name = f"libonnxruntime_providers_{part}.so"
            library = archive.read(f"onnxruntime/capi/{name}")
            if part == "cuda" and only:
                library = without_others(library, int(only))
            # A reader of the earlier file goes on reading that.
            with open(f"{target}/.{name}", "wb") as file:
                file.write(library)
            os.replace(f"{target}/.{name}", f"{target}/{name}")
PYTHON
echo "ONNX Runtime's CUDA provider $version is in $target"
