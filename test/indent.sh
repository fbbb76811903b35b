#!/bin/sh
# Lays out the C files as PostgreSQL's pgindent does, with Debian's pg-bsd-indent.
#
#   sh test/indent.sh [--check]
#
# --check   changes nothing, shows what it would change, and fails if that is anything
#
# src/typedefs.list has the names of PostgreSQL's types.  One that is used here for the
# first time has to be added, or a pointer to it is taken for a multiplication.
set -eu
. "$(dirname "$0")/server.sh"

have pg_bsd_indent || need pg-bsd-indent
install_missing
cd "$root"
new=$(mktemp)
types=$(mktemp)
trap 'rm -f "$new" "$types"' EXIT

# Our own types are found by their definitions.
cat src/typedefs.list src/*/*.[ch] | sed -n \
    -e 's/^[A-Za-z_][A-Za-z0-9_]*$/&/p' \
    -e 's/^}[ \t]*\([A-Za-z_]*\);$/\1/p' \
    -e 's/^typedef .*[ *]\([A-Za-z_]*\);$/\1/p' \
    -e 's/^typedef .*(\*\([A-Za-z_]*\)).*/\1/p' >"$types"

# pgindent's own options; and, as it does, no tab in front of a function's *.
status=0
for file in src/*.c src/*/*.[ch]; do
    pg_bsd_indent -bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4 -l79 \
        -lp -lpl -nip -npro -sac -tpg -ts4 -U"$types" <"$file" |
        sed 's/^\([A-Za-z_][^ \t]*\)[ \t][ \t]*\*$/\1 */' >"$new"
    if [ "${1:-}" = --check ]; then
        diff -u --label "$file" --label "$file, by make indent" "$file" "$new" || status=1
    elif ! cmp -s "$file" "$new"; then
        cat "$new" >"$file"
        echo "$file"
    fi
done
exit $status
