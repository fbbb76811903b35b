
# A function of another module never takes the place of one of portpin's.
#
# The dynamic linker resolves a name to whatever was loaded first.  Here a module that
# is loaded before portpin has a function of the same name for each that portpin's files
# share with each other, and each of them answers 1, which would often mean "right".

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

sub pg_config
{
	my ($out) = run_command([ 'pg_config', shift ]);
	return $out;
}

my $cc = pg_config('--cc');
plan skip_all => "no $cc to build a module with"
  if system("$cc --version >/dev/null 2>&1") != 0;

my @names = sort map { slurp_file($_) =~ /^extern [^(;]*?(\w+)\(/mg } glob 'src/*/*.h';
cmp_ok(scalar @names, '>', 50, 'the headers declare functions');

my $module = PostgreSQL::Test::Utils::tempdir . '/same_names';
append_to_file("$module.c", <<'END' . join '', map { "long $_(void);\nlong $_(void) { return 1; }\n" } @names);
#include "postgres.h"
#include "fmgr.h"
PG_MODULE_MAGIC;
END
command_ok(
	[
		'sh', '-c',
		"$cc -shared -fPIC -w -I'" . pg_config('--includedir-server') . "' -o $module.so $module.c"
	],
	'a module has functions of all these names');

my $node = PostgreSQL::Test::Cluster->new('same_names');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION portpin CASCADE;
	CREATE TABLE accounts (number text PRIMARY KEY, pin port_pin);
	CREATE TABLE port_orders (number text REFERENCES accounts, pin port_pin);
	SELECT port_pin_protect('accounts'), port_pin_gate('port_orders');
	INSERT INTO accounts VALUES ('+12025550101', '123456');
});

my %answers = (
	q{SELECT port_pin_check('123456', '999999')} => 'pin_mismatch',
	q{SELECT port_pin_is_valid('12345')} => 'f',
	q{SELECT port_pin_is_sealed('123456')} => 'f',
	q{SELECT count(*) FROM port_pin_guards WHERE problem IS NULL} => '2');
is($node->safe_psql('postgres', "LOAD '$module'; $_"), $answers{$_}, $_) for sort keys %answers;

my %refused = (
	q{INSERT INTO port_orders VALUES ('+12025550101', '999999')} => '23PN7',
	q{UPDATE accounts SET pin = NULL} => '23PN0');
for (sort keys %refused)
{
	my (undef, undef, $stderr) = $node->psql('postgres', "\\set VERBOSITY sqlstate\nLOAD '$module'; $_");
	like($stderr, qr/ERROR:  $refused{$_}$/m, $_);
}
is($node->psql('postgres', "LOAD '$module'; INSERT INTO port_orders VALUES ('+12025550101', '123456')"),
	0, 'the right PIN is still right');

# What PostgreSQL looks up has portpin's prefix; nothing else can be replaced.
my ($library) = grep { -e } map { s/\$libdir/pg_config('--pkglibdir')/re . '/portpin.so' }
  split /:/, $node->safe_psql('postgres', 'SHOW dynamic_library_path');
SKIP:
{
	skip 'no nm to list symbols with', 1 if system('nm --version >/dev/null 2>&1') != 0;
	my ($symbols) = run_command([ 'nm', '-D', '--defined-only', $library ]);
	is_deeply(
		[ grep { !/^(?:(?:pg_finfo_)?port_pin_\w+|_PG_init|Pg_magic_func)$/ } $symbols =~ /^\S+ \S (\w+)$/mg ],
		[], 'only what PostgreSQL looks up is exported');
}

$node->stop;
done_testing();
