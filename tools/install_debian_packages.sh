#!/bin/sh
# Install by name what a purpose needs and this machine lacks.
#
#     tools/install_debian_packages.sh run | assets | check | test | bench | faults | vm
#
# Each need is a pair: a probe that succeeds where the need is met (however it was met), and Debian's package that meets
# it.  Nothing is installed where every probe succeeds, so a machine that is set up needs neither root nor a network.
set -eu

cd "$(dirname "$0")/.."
missing=""

need() { # need PROBE PACKAGE...
    probe=$1
    shift
    sh -c "$probe" >/dev/null 2>&1 || missing="$missing $*"
}

has() { # has COMMAND PACKAGE...
    command=$1
    shift
    need "command -v $command" "$@"
}

case "${1:-}" in
run)
    # shellcheck disable=SC2016
    need '"$(tools/find_python.sh)" -c "import ensurepip, venv"' python3 python3-venv
    need 'test -s /etc/ssl/certs/ca-certificates.crt' ca-certificates
    ;;
assets)
    has node nodejs
    has npm npm
    ;;
check)
    has git git
    ;;
test)
    has chromium chromium
    has gcc gcc
    need 'echo "#include <stdio.h>" | gcc -E -' libc6-dev
    has git git
    has systemd-analyze systemd
    has mount mount
    has tar tar
    has faketime faketime
    has softhsm2-util softhsm2
    has pkcs11-tool opensc
    ;;
bench)
    has gcc gcc
    need 'echo "#include <stdio.h>" | gcc -E -' libc6-dev
    has clamd clamav-daemon
    has clamonacc clamav-daemon
    has sigtool clamav
    has setpriv util-linux
    has mkfs.ext4 e2fsprogs
    has mount mount
    ;;
faults)
    has mount mount
    ;;
vm)
    has qemu-system-x86_64 qemu-system-x86
    has qemu-img qemu-utils
    has mmdebstrap mmdebstrap
    need 'test -x /bin/busybox' busybox-static
    has modprobe kmod
    has cpio cpio
    has mke2fs e2fsprogs
    has unshare util-linux
    need 'test -s /usr/share/keyrings/debian-archive-keyring.gpg' debian-archive-keyring
    # the kernel is downloaded by name: apt must know it
    apt-cache show linux-image-amd64 >/dev/null 2>&1 || apt-get -q update
    ;;
*)
    echo "usage: tools/install_debian_packages.sh run | assets | check | test | bench | faults | vm" >&2
    exit 2
    ;;
esac

[ -n "$missing" ] || exit 0
echo "installing from Debian:$missing"
if [ "$(id -u)" -ne 0 ]; then
    echo "install_debian_packages: this needs root" >&2
    echo "  way out: apt-get install -y --no-install-recommends$missing" >&2
    exit 77
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
apt-get -q update && apt-get -q install -y --no-install-recommends $missing
