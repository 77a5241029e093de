# Succeeds if the environment in the folder $1 works here. It does not when its Python was upgraded
# or removed, or when the folder was renamed or copied: its commands name the Python of the old one.
venv=$1

# What a shell says about another Python does not count.
unset PYTHONHOME PYTHONPATH
"$venv/bin/python" -P -c 'from importlib.metadata import version; version("holdfast")' \
    >/dev/null 2>&1 || exit 1

# The first line, or for a path that is long or has spaces the second, which is one of a shell.
named=$(sed -n '1,2s|^[^/]*\(/.*\)/python[0-9.]*\("\{0,1\} .*\)\{0,1\}$|\1|p' "$venv/bin/holdfast" | head -n 1)
there=$(cd "$named" 2>/dev/null && pwd -P) || exit 1
here=$(cd "$venv/bin" && pwd -P) || exit 1
[ "$there" = "$here" ]
