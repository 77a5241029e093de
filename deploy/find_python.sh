#!/bin/sh
# Prints the first Python 3.11 or newer that can make an environment; says what to install if none.
set -u

found=""
for name in "${PYTHON:-python3}" python3 python3.14 python3.13 python3.12 python3.11; do
    "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    found="$name"
    if "$name" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "$name"
        exit 0
    fi
done

if [ -n "$found" ]; then
    version=$("$found" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "$found cannot make environments: its module ensurepip is missing." >&2
    echo "On Debian and Ubuntu: apt-get install python$version-venv" >&2
else
    echo "Holdfast needs Python 3.11 or newer; none was found on PATH." >&2
    echo "Install one, or name it: make PYTHON=/path/to/python3 env" >&2
fi
exit 1
