# The README is part of the product: what it shows as SQL is run here, block by
# block, in one database.  A statement marked "-- ERROR 23PN7" must fail with
# that SQLSTATE, every other one must succeed.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $readme = slurp_file('README.md');

# It shows sealed PINs, for which there must be a key.
my $keys = PostgreSQL::Test::Utils::tempdir() . '/keys';
open my $file, '>', $keys or die $!;
chmod 0600, $file;
print $file 'k1:', 'A' x 43, "=\n";
close $file;

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init;
$node->append_conf('postgresql.conf', "portpin.key_file = '$keys'");
$node->start;

my $blocks = 0;
while ($readme =~ /^(#+ [^\n]*)\n|^```sql\n(.*?)^```$/msg)
{
	our $chapter;
	$chapter = $1 and next if defined $1;

	my $sql = $2;
	my @expected = $sql =~ /-- ERROR (\w{5})/g;
	my ($stdout, $stderr);
	$node->psql('postgres', $sql,
		stdout => \$stdout,
		stderr => \$stderr,
		on_error_stop => 0,
		extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
	is_deeply([ $stderr =~ /ERROR:  (\w{5})/g ],
		\@expected, "$chapter: block " . ++$blocks);
}
cmp_ok($blocks, '>', 3, 'blocks of SQL were found');

# The commands that it gives a reader are there.
foreach my $script ($readme =~ m{^sh (test/\S+)}mg)
{
	ok(-f $script, "$script exists");
}

$node->stop;
done_testing();
