# The documents are part of the product: what README.md and doc/*.md show is run here.
#
# Each document has a database and a psql of its own, and its blocks run in order, as a
# reader would paste them.
#
#   ```sql    runs.  A statement marked "-- ERROR 23PN7" must fail with that SQLSTATE,
#             every other one must succeed.
#   ```sh     runs by sh -e, with PGHOST, PGPORT and PGDATABASE set, and must succeed.
#   ```text   behind one of these: these very lines are in what it printed.
#   <!-- not run: REASON -->   on the line before a block: it is an illustration.
#
# Links lead to files and headings that are there.

use strict;
use warnings FATAL => 'all';

use File::Basename qw(basename dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @documents = ('README.md', sort glob('doc/*.md'));
my %text = map { $_ => slurp_file($_) } @documents, 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md';

# They show sealed PINs, for which there must be a key.
my $dir = PostgreSQL::Test::Utils::tempdir();
append_to_file("$dir/keys", 'k1:' . 'A' x 43 . "=\n");
chmod 0600, "$dir/keys" or die $!;

my $node = PostgreSQL::Test::Cluster->new('documents');
$node->init;
$node->append_conf('postgresql.conf', "portpin.key_file = '$dir/keys'\nwal_level = logical");
$node->start;

# The blocks of a document: chapter, language, text, and why it is not run.
sub blocks
{
	my ($document) = @_;
	my ($chapter, @blocks) = ('');

	while ($document =~
		/^#+ ([^\n]*)\n|^(?:<!-- not run: ([^\n]*?) -->\n)?[ ]*```(\w*)\n(.*?)^[ ]*```$/msg)
	{
		$chapter = $1, next if defined $1;
		push @blocks,
		  { chapter => $chapter, not_run => $2, language => $3, text => $4 };
	}
	return @blocks;
}

# What psql said between the marks of two blocks, as it does by default.
sub said
{
	my ($output) = @_;

	$output =~ s/^psql:<stdin>:\d+: //mg;
	$output =~ s/^(ERROR|WARNING|NOTICE):  \w{5}: /$1:  /mg;
	$output =~ s/^(LOCATION|[A-Z]+ NAME):  .*\n//mg;
	$output =~ s/ +$//mg;
	return $output;
}

sub runs
{
	my ($document) = @_;
	my $database = basename($document, '.md');
	my @blocks = grep { !defined $_->{not_run} && $_->{language} =~ /^(sql|sh|text)$/ }
	  blocks($text{$document});
	my ($psql, $number) = ("\\pset format aligned\n\\pset tuples_only off\n", 0);

	$node->safe_psql('postgres', qq(CREATE DATABASE "$database"));
	foreach my $block (grep { $_->{language} ne 'text' } @blocks)
	{
		my $name = "$dir/$database." . $number++;
		$psql .= "\\echo @@@@\n\\warn @@@@\n";
		append_to_file($name, $block->{text});
		$psql .= $block->{language} eq 'sql' ? $block->{text}
		  : "\\! cd $dir; sh -e $name >$name.out 2>&1; echo \$? >$name.status\n";
		$block->{name} = $name;
	}
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	local $ENV{PGDATABASE} = $database;
	my ($stdout, $stderr);
	$node->psql($database, $psql,
		stdout => \$stdout,
		stderr => \$stderr,
		on_error_stop => 0,
		extra_params => [ '-v', 'VERBOSITY=verbose', '-v', 'SHOW_CONTEXT=never' ]);
	my (undef, @stdout) = split /^@@@@\n/m, "$stdout\n", -1;
	my (undef, @stderr) = split /^(?:psql:<stdin>:\d+: )?@@@@\n/m, "$stderr\n", -1;

	$number = 0;
	my $printed = '';
	foreach my $block (@blocks)
	{
		my $name = "$document, $block->{chapter}: block " . ++$number;
		if ($block->{language} eq 'text')
		{
			my $shown = said($block->{text});
			ok(index($printed, $shown) >= 0, "$name is what it prints")
			  or diag("shown:\n$shown\nprinted:\n$printed");
			next;
		}
		my ($out, $err) = (shift @stdout, shift @stderr);
		if ($block->{language} eq 'sh')
		{
			$printed = slurp_file("$block->{name}.out");
			is(slurp_file("$block->{name}.status"), "0\n", "$name runs") or diag($printed);
			next;
		}
		is_deeply([ $err =~ /^psql:<stdin>:\d+: ERROR:  (\w{5})/mg ],
			[ $block->{text} =~ /-- ERROR (\w{5})/g ], $name) or diag($err);
		$printed = said($out) . said($err);
	}
	return;
}

runs($_) foreach @documents;
$node->stop;

#
# Nothing is left out without a reason
#

foreach my $document (@documents)
{
	my @left_out = grep { $_->{language} eq '' } blocks($text{$document});
	is(join('', map { $_->{text} } @left_out), '', "$document: each block says what it is");
}

#
# Links
#

# As Markdown renderers do it: lower case, words joined by hyphens.
sub anchors
{
	my ($document) = @_;

	$document =~ s/^```.*?^```$//msg;
	return map {
		my $anchor = lc $_;
		$anchor =~ s/\[([^]]*)\]\([^)]*\)/$1/g;
		$anchor =~ s/[^\w\- ]//g;
		$anchor =~ tr/ /-/;
		$anchor
	} $document =~ /^#+ +(.*?) *$/mg;
}

foreach my $document (sort keys %text)
{
	my @broken;
	(my $prose = $text{$document}) =~ s/^```.*?^```$//msg;

	foreach my $link ($prose =~ /\]\(([^)\s]+)\)|<img[^>]* src="([^"]+)"/g)
	{
		next if !defined $link || $link =~ /^https?:/;
		my ($file, $anchor) = $link =~ /^([^#]*)(?:#(.*))?$/;
		my $path = $file eq '' ? $document : dirname($document) . "/$file";
		$path =~ s{^\./}{};
		1 while $path =~ s{[^/]+/\.\./}{};
		push @broken, $link and next if !-e $path;
		push @broken, $link
		  if defined $anchor
		  && !grep { $_ eq $anchor } anchors($text{$path} // slurp_file($path));
	}
	is(join(' ', @broken), '', "$document: links lead somewhere");
}

# The commands that README gives a reader are there, and it is kept short.
foreach my $script ($text{'README.md'} =~ m{^sh (test/\S+)}mg)
{
	ok(-f $script, "$script exists");
}
cmp_ok(($text{'README.md'} =~ tr/\n//), '<=', 320, 'README.md is read at one sitting');

done_testing();
