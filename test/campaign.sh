# What the campaigns share: torture, fuzz, bound.  Sourced by their run.sh, not run.
#
#   campaign NAME "OPTION..." [ARG...]
#
# starts a server of its own, with the settings on standard input and a key file, and
# on it test/NAME/NAME.pl, with those of ARG... that are an OPTION and its value; the
# rest are arguments for make.  Its directory is kept if it fails.
. "$here/../server.sh"
root=$(cd "$here/../.." && pwd)

campaign() {
    name=$1 known=" $2 " options=
    shift 2
    settings=$(cat)
    while [ $# -gt 0 ]; do
        case $1 in
        -*) case $known in *" $1 "*) ;; *) die "unknown option $1" ;; esac ;;
        *) break ;;
        esac
        options="$options $1=${2:?$1 needs a value}"
        shift 2
    done
    perl -MDBD::Pg -e 1 2>/dev/null || need libdbd-pg-perl
    build_copy "$@"

    cd "$work"
    (umask 077 && echo "k1:$(head -c 32 /dev/urandom | base64)" >keys && chown "$user" keys)
    start_server <<END
restart_after_crash = on
portpin.key_file = '$work/keys'
portpin.seal_cost = 4
log_error_verbosity = verbose
$settings
END
    as_user perl "src/test/$name/$name.pl" --bindir="$bindir" --work="$work" $options || {
        keep=yes
        stop_servers
        die "Kept for you to look at: $work (data/log, $name/)"
    }
}
