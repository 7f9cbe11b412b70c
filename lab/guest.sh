#!/bin/sh
# The guest's one job: put what was carried over in front of its slow originals, run the command, say how
# it ended. Knows nothing of what it runs. Usage: lab/guest.sh SHARED; `lab/machine.py` fills SHARED.
set -eu
shared=$1
mkdir /run/lab
# A read is a message to the host, whatever its size.
tar -x -b 900 -C /run/lab -f "$shared/carried.tar"
mount -a -T "$shared/fstab"
ip link set lo up
mount -t bpf bpf /sys/fs/bpf
code=0
# The shell buries the orphans in here; the guest's own first process leaves them as zombies, and whoever
# waits for the end of a daemon waits in vain.
unshare --pid --fork --mount-proc sh "$shared/job" >"$shared/console" 2>&1 </dev/null || code=$?
echo $code >"$shared/code"
