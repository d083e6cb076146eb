#!/bin/sh
# Print the path of a Python of at least 3.11 that can make virtual environments, or of any such Python if none can.
set -eu

fallback=""
for name in python3 /usr/bin/python3 python3.11 python3.12 python3.13; do
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
