#!/bin/sh
# Checks which room includes which: rooms are the folders of src/, and no room
# includes one that is above it or beside it.
#
#   sh test/rooms.sh
#
# A file opens with its name.  A .c includes postgres.h first and a header never does;
# what a header declares is defined in the .c of the same name, which includes it next.
set -eu
cd "$(dirname "$0")/../src"

# The rooms that each room may include, besides itself.
allowed() {
    case $1 in
    base) ;;
    pin | table) echo base ;;
    failure) echo base pin table ;;
    trigger) echo base pin table failure ;;
    ddl) echo base table trigger ;;
    .) echo base pin failure ;;
    *) echo "no room" ;;
    esac
}

{
    for file in *.[ch] */*.[ch]; do
        room=$(dirname "$file")
        own=${file%.c}.h
        may=" $room $(allowed "$room") "
        [ "$(sed -n '2s/^ \* //p' "$file")" = "${file##*/}" ] || echo "$file does not open with its name"
        for header in $(sed -n 's,^#include "\([a-z]*/[a-z_]*\.h\)".*,\1,p' "$file"); do
            [ -e "$header" ] || continue
            case $may in
            *" ${header%/*} "*) ;;
            *) echo "$file includes $header: ${room} must not know ${header%/*}" ;;
            esac
        done
        case $file in
        *.c)
            set -- $(sed -n 's,^#include "\(.*\)".*,\1,p' "$file")
            [ "$1" = postgres.h ] || echo "$file does not include postgres.h first"
            [ ! -e "$own" ] || [ "$2" = "$own" ] || echo "$file does not include $own next"
            ;;
        *.h)
            ! grep -q '^#include "postgres.h"' "$file" || echo "$file includes postgres.h"
            [ "$file" = base/compat.h ] || [ "$(wc -l <"$file")" -le 160 ] || echo "$file has over 160 lines"
            ;;
        esac
    done

    # Files must not include each other in a circle, either: a .c and its
    # header are one.
    for file in */*.[ch]; do
        for header in $(sed -n 's,^#include "\([a-z]*/[a-z_]*\.h\)".*,\1,p' "$file"); do
            [ "${header%.h}" = "${file%.[ch]}" ] || echo "${file%.[ch]} ${header%.h}"
        done
    done | tsort 2>&1 >/dev/null | sed 's/^tsort: //'
} | sort -u >"${TMPDIR:-/tmp}/rooms.$$"

status=0
if [ -s "${TMPDIR:-/tmp}/rooms.$$" ]; then
    cat "${TMPDIR:-/tmp}/rooms.$$"
    status=1
fi
rm -f "${TMPDIR:-/tmp}/rooms.$$"
[ $status != 0 ] || echo "1 passed, 0 failed"
exit $status
