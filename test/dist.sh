#!/bin/sh
# Checks what make dist makes: a zip as PGXN takes it, from which PGXN's client
# installs the same as make does from this tree.
#
#   sh test/dist.sh [make arguments...]
#
# It works on a clone of this tree, as it is now.  If this tree is not a git
# repository, it says so and checks nothing.
set -eu
. "$(dirname "$0")/server.sh"

[ -e "$root/.git" ] || { say "make dist needs a git repository, and this is none."; exit 0; }
have git || need git
have unzip || need unzip
have pgxn || need pgxnclient
perl -MJSON::PP -e 1 2>/dev/null || need perl
find_postgres "$@"
open_work
copy_sources

failed=0
passed=0
check() {
    what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        cat "$work/log"
        echo "FAILED: $what"
    fi
}

# The clone, at an old commit's time, so that a build is as old as it can be.
in_src() { (cd "$work/src" && as_user "$@"); }
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
in_src git init -q
in_src git add -A
in_src git -c user.name=test -c user.email=test commit -q -m test
make_dist() { in_src "$@" make -s PG_CONFIG="$pg_config" dist; }

check 'make dist makes a zip' make_dist env
zip=$(ls "$work"/src/portpin-*.zip)
release=$(basename "$zip" .zip)
version=${release#portpin-}
mv "$zip" "$work/first.zip"
in_src touch src/portpin.sql
check 'at another time and place as well' make_dist env TZ=Asia/Tokyo sh -c 'umask 077; "$@"' sh
check 'it is the same, byte by byte' cmp "$work/first.zip" "$zip"

cd "$work"
as_user unzip -q first.zip
cd "$release"
check 'META.json has what PGXN asks for' perl -MJSON::PP -e '
    # https://pgxn.org/spec/: what is required, and the form of what is there.
    my ($version) = @ARGV;
    open(my $file, "<", "META.json") or die;
    my $meta = decode_json(join "", <$file>);
    my $semver = qr/^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)([-+]?[a-z][a-z0-9.-]*)?$/i;
    my @wrong;
    sub ask { my ($holds, $what) = @_; push @wrong, $what unless $holds }
    ask(defined $meta->{$_}, "no $_") for qw(name version abstract maintainer license provides meta-spec);
    ask($meta->{name} =~ m{^[^\s/\\]{2,}$} && $meta->{name} eq "portpin", "name");
    ask($meta->{version} =~ $semver && $meta->{version} eq $version, "version");
    ask($meta->{"meta-spec"}{version} =~ /^1\.0\.\d+$/, "meta-spec.version");
    ask($meta->{license} eq "postgresql", "license");
    ask(($meta->{release_status} // "stable") =~ /^(stable|testing|unstable)$/, "release_status");
    ask($_ !~ m{[/\\]} && length($_) < 256, "tag $_") for @{ $meta->{tags} };
    while (my ($name, $is) = each %{ $meta->{provides} }) {
        ask(-e "$name.control", "no $name.control in the zip");
        ask($is->{version} =~ $semver, "provides.$name.version");
        ask(-e $is->{$_}, "provides.$name.$_: no " . ($is->{$_} // "such key")) for qw(file docfile);
    }
    while (my ($phase, $need) = each %{ $meta->{prereqs} }) {
        ask($phase =~ /^(configure|build|test|runtime|develop)$/, "prereqs.$phase");
        while (my ($how, $what) = each %$need) {
            ask($how =~ /^(requires|recommends|suggests|conflicts)$/, "prereqs.$phase.$how");
            ask($what->{$_} eq "0" || $what->{$_} =~ $semver, "prereqs: $_") for keys %$what;
        }
    }
    my %known = map { $_ => 1 } qw(name version abstract description maintainer license provides prereqs
        meta-spec tags resources release_status generated_by no_index);
    ask($known{$_} || /^x_/i, "unknown key $_") for keys %$meta;
    print "META.json: $_\n" for @wrong;
    exit(@wrong > 0)' "$version"

# The version is the same everywhere: 1.0.0 for people, 1.0 for CREATE EXTENSION.
check 'CHANGELOG.md opens with it' grep -q -m 1 "^## $version\b" CHANGELOG.md
check 'it is the default version' grep -qx "default_version = '${version%.*}'" portpin.control
check 'it is the version of the Debian package' grep -q -m 1 "^portpin ($version-" "$work/src/debian/changelog"
check 'what is not for users is left out' sh -c '! ls -d debian .ci .git* 2>/dev/null'

# The user may not write to PostgreSQL's directories, so pgxn asks for a program
# like sudo.
installed_by_pgxn() {
    as_user env MAKEFLAGS="DESTDIR=$2 with_llvm=no" pgxn install --pg_config "$pg_config" --sudo env "$1"
}
installed_from_tree() {
    as_user make -s -C "$1" PG_CONFIG="$pg_config" DESTDIR="$2" with_llvm=no install
}
check 'pgxn installs it' installed_by_pgxn "$work/first.zip" "$work/from_zip"
in_src git clean -qfdX
check 'make installs the tree' installed_from_tree "$work/src" "$work/from_git"
check 'what they install is the same' sh -c '
    cd "$1"
    (cd from_zip && find . -type f | sort) >zip.files
    (cd from_git && find . -type f | sort) >git.files
    [ -s zip.files ] && diff git.files zip.files && diff -r -x "*.so" from_git from_zip' sh "$work"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
