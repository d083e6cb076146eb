#!/bin/sh
# Print the path of a Python of at least 3.11 that can make virtual environments, or of any such Python if none can.
# The distribution's comes first: it gets its security updates, and is built with profiles (a third faster than without).
set -eu

fallback=""
for name in /usr/bin/python3 python3 python3.11 python3.12 python3.13; do
    path=$(command -v "$name") || continue
    "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    if "$path" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "$path"
        exit 0
    fi
    fallback=${fallback:-$path}
done
if [ -n "$fallback" ]; then
    echo "$fallback"
    exit 0
fi
echo "find_python: no Python of at least 3.11 is on the path" >&2
echo "  way out: apt-get install -y python3 python3-venv" >&2
exit 1
