"""Lets PyPI's CUDA build of PyTorch load where CUDA's libraries are not: puts empty stand-ins in their place.

PyPI has PyTorch for Linux as a CUDA build alone. Its CPU kernels are those of the CPU build, but importing it loads
cuBLAS, cuDNN, NCCL, … (several GB). For each of these that is missing, this compiles a library with the same names that
stops the process when one of its functions is called; nothing calls them on a machine that trains on the CPU.
Run with the Python of the virtual environment that holds torch; needs `cc` and `readelf`.
"""
import re
import subprocess
import sysconfig
import tempfile
from collections import defaultdict
from pathlib import Path

PACKAGES = Path(sysconfig.get_path("platlib"))
TORCH = PACKAGES / "torch" / "lib"
# Not libcuda itself: it belongs to the driver, and torch looks for it only when asked for a GPU.
IS_CUDA = re.compile(r"lib(cublas|cudnn|cufft|cufile|curand|cusolver|cusparse|nccl|nvrtc|nvJitLink|nvshmem|nvToolsExt)")
# Libraries whose functions carry no version: told apart by how their names begin.
PREFIXES = {"libcufile": "cuFile", "libcusparseLt": "cusparseLt", "libnccl": "p?nccl", "libnvshmem": "nvshmem"}


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *arguments], check=True, capture_output=True, text=True).stdout


def main():
    if not (TORCH / "libtorch_cuda.so").exists():
        return
    needed, unversioned = set(), set()
    version_of, versioned = {}, defaultdict(set)
    for library in TORCH.glob("*.so"):
        needed.update(re.findall(r"NEEDED.*\[(.*)\]", readelf("-d", library)))
        provider = None
        for line in readelf("-V", library).splitlines():
            if file := re.search(r"File: (\S+)", line):
                provider = file[1]
            elif provider and (version := re.search(r"Name: (\S+) +Flags", line)):
                version_of[provider] = version[1]
        for name, version in re.findall(r" UND (\w+)(?:@(\S+))?", readelf("--dyn-syms", library)):
            (versioned[version] if version else unversioned).add(name)
    present = {path.name for path in PACKAGES.glob("nvidia/*/lib/*")} | {path.name for path in TORCH.iterdir()}
    # Where torch's libraries look: the folder of the CUDA runtime, which is installed for real, or else their own.
    folder = next((path.parent for path in PACKAGES.glob("nvidia/*/lib/libcudart.so.*")), TORCH)
    for soname in sorted(needed - present):
        if IS_CUDA.match(soname):
            version = version_of.get(soname)
            stem = soname.split(".")[0]
            prefix = next((begin for start, begin in PREFIXES.items() if stem.startswith(start)), None)
            names = versioned[version] if version else {n for n in unversioned if prefix and re.match(prefix, n)}
            compile_stand_in(folder / soname, names, version)


def compile_stand_in(target, names, version):
    with tempfile.TemporaryDirectory() as directory:
        source, versions = Path(directory, "stand-in.c"), Path(directory, "versions")
        source.write_text("".join(f"void {name}(void) {{ __builtin_trap(); }}\n" for name in sorted(names)))
        versions.write_text(f"{version or ''} {{ global: *; }};\n")
        subprocess.run(
            ["cc", "-shared", "-nostdlib", "-w", f"-Wl,-soname,{target.name}", f"-Wl,--version-script,{versions}",
             "-o", target, source],
            check=True,
        )


main()
