#!/bin/bash
# Fetch the lab's kernel: Debian's newest build of one series, unpacked beside the project, not installed.
# Knows nothing of how it is booted. Usage: lab/kernel.sh DIRECTORY; does nothing when it is there.
set -euo pipefail

directory=$1
# The meta package follows the security archive, which keeps no old builds: its dependency is today's.
meta=linux-image-6.12-amd64

compgen -G "$directory/boot/vmlinuz-*" >/dev/null && exit 0
[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || {
	echo "lab: no Debian on amd64: no kernel is fetched, the tests of the lab skip"
	exit 0
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch" "$directory.part"' EXIT
# The helper that apt downloads with has a user of its own.
[ "$(id -u)" != 0 ] || chown _apt "$scratch"

fetch() {
	package=$(apt-cache depends "$meta" 2>/dev/null | sed -n 's/^ *Depends: //p' | head -n 1)
	[ -n "$package" ] && (cd "$scratch" && apt-get -q download "$package")
}

# Yesterday's lists may name a build that is gone.
fetch || { apt-get -q update && fetch; } || {
	echo "lab: no kernel: apt knows no $meta that can be downloaded (is Debian's security archive among its sources?)" >&2
	exit 1
}
echo "lab: unpacking $package"
rm -rf "$directory.part"
dpkg-deb -x "$scratch"/*.deb "$directory.part"
depmod -b "$directory.part" "$(ls "$directory.part/lib/modules")"
rm -rf "$directory"
mv "$directory.part" "$directory"
