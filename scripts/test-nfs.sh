#!/usr/bin/env bash
# Runs jobs on a real NFS server with two real clients, test/nfs.slow.test.ts, on Debian, as root or not: a small system
# of user-mode-linux (no KVM, no daemon, nothing installed) boots from this machine's own files, read-only. Packages that
# are missing are downloaded from Debian into .cache/nfs and unpacked there. Needs built sources, and the lists of
# packages (apt-get update). Says why and passes where it cannot have them.
#
#   scripts/test-nfs.sh                     all cases (some ten minutes, more on a busy machine)
#   scripts/test-nfs.sh 'lock|full'         those whose name matches
#   FEDBATCH_NFS_MEMORY=768M scripts/test-nfs.sh    another size of the system; its memory lies in /dev/shm
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = --help ]; then
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' scripts/test-nfs.sh
  exit 0
fi

skip() {
  printf '\n*** SKIPPED: the NFS tier did not run: %s ***\n\n' "$*" >&2
  exit 0
}

[ -f dist/test/nfs.slow.test.js ] || { echo 'Build first: npm run build' >&2; exit 2; }
command -v apt-get >/dev/null && command -v dpkg >/dev/null || skip 'it takes packages of Debian'
for program in unshare nsenter timeout; do
  command -v $program >/dev/null || skip "there is no $program (apt-get install util-linux)"
done
[ -w /dev/shm ] || skip '/dev/shm, where the memory of the system lies, cannot be written'

packages=(user-mode-linux nfs-kernel-server nfs-common rpcbind iproute2 kmod)
home=$PWD/.cache/nfs
if [ ! -e "$home/complete" ]; then
  rm -rf "$home"
  mkdir -p "$home/packages"
  # Simulated, an installation tells what is missing on this machine; it needs no rights.
  missing=$(apt-get --simulate --no-install-recommends install "${packages[@]}" 2>/dev/null | awk '/^Inst /{print $2}') ||
    skip "Debian's lists have no ${packages[*]} (apt-get update, on Debian itself)"
  for package in $missing; do
    (cd "$home/packages" && apt-get --quiet --quiet download "$package" >/dev/null 2>&1) ||
      skip "the package $package cannot be downloaded"
    dpkg --extract "$home/packages/$package"_*.deb "$home"
  done
  rm -rf "$home/packages"
  touch "$home/complete"
fi

# Where an unpacked program lies, or that of this machine.
find_program() { PATH="$home/usr/bin:$home/usr/sbin:$home/sbin:$home/bin:$PATH:/usr/sbin:/sbin" command -v "$1"; }
kernel=$(find_program linux.uml) || skip 'user-mode-linux has no linux.uml'
dependencies=$(find "$home/usr/lib/uml" /usr/lib/uml -name modules.dep 2>/dev/null | head -n 1 || true)
[ -n "$dependencies" ] || skip 'user-mode-linux has no modules'

work=$(mktemp -d)
finish() {
  # Each process of the system is one of this machine, too: all are of the group of the first one.
  if [ -f "$work/uml/fedbatch/pid" ]; then kill -KILL -- "-$(cat "$work/uml/fedbatch/pid")" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
mkdir -p "$work/modules/lib/modules" "$work/out" "$work/etc" "$work/uml"
ln -s "$(dirname "$dependencies")" "$work/modules/lib/modules/$(basename "$(dirname "$dependencies")")"
# What the system has in /etc: that of this machine belongs to others.
printf 'root:x:0:0:root:/:/bin/bash\n_rpc:x:101:65534::/:/bin/false\nstatd:x:102:65534::/:/bin/false\n' >"$work/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$work/etc/group"
printf '127.0.0.1 localhost\n' >"$work/etc/hosts"
printf 'passwd: files\ngroup: files\nhosts: files\n' >"$work/etc/nsswitch.conf"
for file in netconfig protocols services rpc ld.so.cache; do
  for place in "$home/etc/$file" "/etc/$file"; do
    if [ -r "$place" ]; then cp "$place" "$work/etc/$file" && break; fi
  done
done

# A word of the kernel's command line has no spaces.
printf '%s' "${1:-.}" >"$work/cases"
# Seconds that all of it may take.
limit=${FEDBATCH_NFS_SECONDS:-3000}
TMPDIR=/dev/shm timeout --kill-after=5 "$limit" "$kernel" mem="${FEDBATCH_NFS_MEMORY:-1024M}" \
  root=/dev/root rootfstype=hostfs rootflags=/ ro init="$PWD/scripts/nfs-system.sh" \
  con0=null,fd:1 con=null panic=-1 quiet umid=fedbatch uml_dir="$work/uml/" \
  FEDBATCH_NFS_WORK="$work" FEDBATCH_NFS_HOME="$home" FEDBATCH_NFS_ROOT="$PWD" \
  FEDBATCH_NFS_NODE="$(command -v node)" </dev/null &
wait $! || true

[ -f "$work/out/exit-code" ] || { echo 'The system ended before its tests did.' >&2; exit 1; }
exit "$(cat "$work/out/exit-code")"
