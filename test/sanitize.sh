#!/bin/sh
# Runs test/check.sh with portpin built for AddressSanitizer and UBSan.
#
#   sh test/sanitize.sh [make arguments...]
#
# What they find aborts the backend, so that a test fails; UBSan's report is in the
# server's log, ASan's is printed at the end.  ASan does not see into palloc's
# memory: it finds misuse of the stack, of globals and of whole blocks.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 1777 "$dir"

# ASan looks this symbol up at the first allocation.  If a library makes that
# while it holds the lock of dlerror(), a look-up that fails would hang.
echo 'char *swift_demangle(void) { return 0; }' >"$dir/stub.c"
gcc -shared -fPIC -o "$dir/stub.so" "$dir/stub.c"

sanitize=-fsanitize=address,undefined
export ASAN_OPTIONS="detect_leaks=0:abort_on_error=1:log_path=$dir/report"
export LD_PRELOAD="$(readlink -f "$(gcc -print-file-name=libasan.so)"):$dir/stub.so"
status=0
sh "$(dirname "$0")/check.sh" with_llvm=no \
    PROFILE="-O1 -g -fno-omit-frame-pointer $sanitize -fno-wrapv -fno-sanitize-recover=all" \
    "$@" || status=$?
unset LD_PRELOAD

! cat "$dir"/report* 2>/dev/null || status=1
exit $status
