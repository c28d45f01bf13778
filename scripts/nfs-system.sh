#!/bin/bash
# Process 1 of the system that scripts/test-nfs.sh boots: the NFS server, and the tests, which make its two clients.
# Its root is the host's, read-only; what it writes lies in memory.
home=$FEDBATCH_NFS_HOME work=$FEDBATCH_NFS_WORK
export PATH="$home/usr/sbin:$home/usr/bin:$home/sbin:$home/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
libraries=$(ls -d "$home"/usr/lib/*-linux-gnu "$home"/lib/*-linux-gnu 2>/dev/null | paste -sd:)
export LD_LIBRARY_PATH="$libraries" HOME=/mnt/home TMPDIR=/mnt/tmp TERM=dumb

# Ends the system: where the request is refused, the end of process 1 does it.
end() {
  echo "$1" >/mnt/out/exit-code
  sync
  echo o >/proc/sysrq-trigger
  sleep 5
  exit 0
}

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
for place in /run /var/lib /mnt; do mount -t tmpfs tmpfs $place; done
mkdir -p /dev/shm /mnt/{out,home,tmp,server/disk,server/small} /var/lib/nfs/{v4recovery,rpc_pipefs,sm} /run/{rpcbind,sendsigs.omit.d}
mount -t tmpfs tmpfs /dev/shm
mount -t hostfs none /mnt/out -o "$work/out"
mount -t tmpfs tmpfs /mnt/tmp
cp -r "$work/etc" /mnt/etc && mount --bind /mnt/etc /etc
hostname server
ip link set lo up

# One program is all of kmod's, by the name under which it is called; unpacked, its links lead to where it is not.
ln -s "$(command -v kmod)" /mnt/tmp/modprobe
for module in sunrpc nfs nfsv3 nfsv4 nfsd veth; do
  /mnt/tmp/modprobe --dirname "$work/modules" $module
done

# What is served: memory, which has no sectors to lose; the small one is full after a few files. NFS 4 has one root.
mount -t tmpfs -o size=256m tmpfs /mnt/server/disk
mount -t tmpfs -o size=300k tmpfs /mnt/server/small
mount -t nfsd nfsd /proc/fs/nfsd
mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
rpcbind -w 2>/dev/null || rpcbind
nfsdcld
touch /etc/exports /var/lib/nfs/etab /var/lib/nfs/rmtab
exportfs -o ro,no_subtree_check,insecure,fsid=0 '*:/mnt/server'
exportfs -o rw,sync,no_root_squash,no_subtree_check,insecure,fsid=1 '*:/mnt/server/disk'
exportfs -o rw,sync,no_root_squash,no_subtree_check,insecure,fsid=2 '*:/mnt/server/small'
rpc.mountd
# Clients that were there before a restart have so long to come back: 90 s where nobody says otherwise.
rpc.nfsd --grace-time 10 --lease-time 10 4 || end 1

cd "$FEDBATCH_NFS_ROOT" || end 1
uname -sr
FEDBATCH_NFS_SERVER=1 "$FEDBATCH_NFS_NODE" --test-reporter=spec --test-name-pattern="$(cat "$work/cases")" dist/test/nfs.slow.test.js
end $?
