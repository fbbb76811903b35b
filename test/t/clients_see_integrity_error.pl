# What clients see: a refused order is an integrity error, and its fields say which
# table and which trigger refused it.
#
# libpq itself, with parameters in text and in binary; psql; pgbench in each of its
# protocols; and drivers that people use, DBD::Pg and node-postgres, where they are
# installed.  Parameters are of the domain's type, results travel as text.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $pin = '004711';
my $wrong = '815815';

my $node = PostgreSQL::Test::Cluster->new('clients');
$node->init;
$node->append_conf('postgresql.conf', 'portpin.max_failures_per_account = 0');
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION portpin CASCADE;
	CREATE SCHEMA desk;
	CREATE TABLE desk.accounts (id int PRIMARY KEY, pin port_pin);
	CREATE TABLE desk.port_orders (account_id int REFERENCES desk.accounts, pin port_pin);
	CREATE TABLE desk.kept_orders (account_id int REFERENCES desk.accounts, pin port_pin,
		verdict port_pin_verdict);
	SELECT port_pin_protect('desk.accounts'), port_pin_gate('desk.port_orders'),
		port_pin_gate('desk.kept_orders', verdict => 'verdict', redact => true);
	INSERT INTO desk.accounts VALUES (1, '$pin'), (2, NULL);
});
my $connstr = $node->connstr('postgres');

# What every client is asked to do, and the fields of the answer: SQLSTATE, schema,
# table and constraint.
my $order = 'INSERT INTO desk.port_orders VALUES ($1, $2)';
my $kept = 'INSERT INTO desk.kept_orders VALUES ($1, $2) RETURNING pin, verdict';
my $clear = 'UPDATE desk.accounts SET pin = $2 WHERE id = $1';
my @answers = (
	[ 'the right PIN', $order, 1, $pin, 'ok' ],
	[ 'a wrong PIN', $order, 1, $wrong, '23PN7 desk port_orders _port_pin_gate' ],
	[ 'no PIN', $order, 1, undef, '23PN5 desk port_orders _port_pin_gate' ],
	[ 'an account without PIN', $order, 2, $wrong, '23PN4 desk port_orders _port_pin_gate' ],
	[ 'no account', $order, undef, $pin, '23PN1 desk port_orders _port_pin_gate' ],
	[ 'what is no PIN', $order, 1, '4711', '23514 public  port_pin_is_6_to_10_digits' ],
	[ 'a PIN cleared', $clear, 1, undef, '23PN0 desk accounts port_pin_protect' ],
	[ 'the right PIN, recorded', $kept, 1, $pin, 'ok NULL accepted' ],
	[ 'a wrong PIN, recorded', $kept, 1, $wrong, 'ok NULL pin_mismatch' ]);

# Ask a client all that; it gets a statement and two parameters, and answers as above.
sub is_answered
{
	my ($client, $ask) = @_;

	foreach my $case (@answers)
	{
		my ($what, $statement, $account, $supplied, $answer) = @$case;
		is($ask->($statement, $account, $supplied), $answer, "$client: $what");
	}
	return;
}

#
# libpq
#

my $libpq = <<'C';
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <libpq-fe.h>

static const char *
field(const PGresult *result, int code)
{
	const char *value = PQresultErrorField(result, code);

	return value ? value : "";
}

/* client CONNINFO FORMAT STATEMENT ACCOUNT PIN; a missing parameter is "NULL". */
int
main(int argc, char **argv)
{
	int			format = atoi(argv[2]);
	PGconn	   *conn = PQconnectdb(argv[1]);
	int			account = htonl(atoi(argv[4]));
	const char *values[2] = {argv[4], argv[5]};
	int			lengths[2] = {0, (int) strlen(argv[5])};
	int			formats[2] = {format, format};
	PGresult   *result;

	if (argc != 6 || PQstatus(conn) != CONNECTION_OK)
		return 2;
	if (format == 1)
	{
		values[0] = (char *) &account;
		lengths[0] = sizeof(account);
	}
	for (int i = 0; i < 2; i++)
		if (strcmp(argv[4 + i], "NULL") == 0)
			values[i] = NULL;

	PQclear(PQprepare(conn, "order", argv[3], 0, NULL));
	result = PQexecPrepared(conn, "order", 2, values, lengths, formats, format);
	if (PQresultStatus(result) == PGRES_FATAL_ERROR)
		printf("%s %s %s %s", field(result, PG_DIAG_SQLSTATE),
			   field(result, PG_DIAG_SCHEMA_NAME), field(result, PG_DIAG_TABLE_NAME),
			   field(result, PG_DIAG_CONSTRAINT_NAME));
	else
	{
		printf("ok");
		for (int i = 0; i < PQnfields(result); i++)
			printf(" %s", PQgetisnull(result, 0, i) ? "NULL" : PQgetvalue(result, 0, i));
	}

	/* What a driver is told of the types. */
	result = PQdescribePrepared(conn, "order");
	fprintf(stderr, "%u", PQparamtype(result, 1));
	if (PQnfields(result) > 0)
		fprintf(stderr, " %u", PQftype(result, 0));
	PQfinish(conn);
	return 0;
}
C

# The compiler and the headers of libpq come with what portpin is built with.
sub compile_client
{
	my $directory = PostgreSQL::Test::Utils::tempdir;
	my ($cc) = split ' ', `pg_config --cc`;
	chomp(my $include = `pg_config --includedir`);
	chomp(my $libdir = `pg_config --libdir`);

	append_to_file("$directory/client.c", $libpq);
	return unless -f "$include/libpq-fe.h";
	return unless system($cc, '-o', "$directory/client", "$directory/client.c",
		"-I$include", "-L$libdir", '-lpq') == 0;
	return "$directory/client";
}

SKIP:
{
	my $client = compile_client();
	skip 'libpq: no compiler, or no libpq-fe.h', 1 unless defined $client;

	my $domain = $node->safe_psql('postgres', "SELECT 'port_pin'::regtype::oid");
	my $text = $node->safe_psql('postgres', "SELECT 'text'::regtype::oid");
	foreach my $format (0, 1)
	{
		is_answered($format ? 'libpq, binary' : 'libpq, text',
			sub {
				my ($out, $err) = run_command(
					[ $client, $connstr, $format, $_[0], $_[1] // 'NULL', $_[2] // 'NULL' ]);
				return $out;
			});
	}
	my ($out, $err) = run_command([ $client, $connstr, 0, $kept, 1, $pin ]);
	is($err, "$domain $text", 'a parameter is of type port_pin, a result of type text');
}

#
# psql
#

sub literal
{
	my ($value) = @_;
	return defined $value ? "'$value'" : 'NULL';
}

# VERBOSITY verbose shows each field in a line of its own; \gexec needs none of it.
sub ask_psql
{
	my ($script, $returns) = @_;
	my ($stdout, $stderr);
	$node->psql('postgres', "\\set VERBOSITY verbose\n$script",
		stdout => \$stdout,
		stderr => \$stderr,
		extra_params => [ '-P', 'null=NULL', '-F', ' ' ]);
	unlike($stderr, qr/$pin|$wrong/, 'no PIN in what psql shows');
	return $stdout eq '' ? 'ok' : "ok $stdout" unless $stderr =~ /ERROR:  (\w+):/;
	return join ' ', $1,
	  map { $stderr =~ /^$_ NAME:  (\w+)/m ? $1 : '' } 'SCHEMA', 'TABLE', 'CONSTRAINT';
}

is_answered('psql, EXECUTE',
	sub {
		my ($statement, $account, $supplied) = @_;
		return ask_psql("PREPARE o AS $statement;\nEXECUTE o ("
			  . literal($account) . ', ' . literal($supplied) . ');');
	});

SKIP:
{
	skip 'psql: no \bind before 16', 1 if $node->pg_version < 16;

	# Without a third parameter of its own there is no way to bind NULL.
	is_answered('psql, \bind',
		sub {
			my ($statement, $account, $supplied) = @_;
			$statement =~ s/\$1/nullif(\$1, '')::int/;
			$statement =~ s/\$2/nullif(\$2, '')::port_pin/;
			return ask_psql("$statement \\bind '" . ($account // '') . "' '"
				  . ($supplied // '') . "' \\g");
		});
}

#
# pgbench
#

foreach my $mode ('simple', 'extended', 'prepared')
{
	$node->safe_psql('postgres', 'TRUNCATE desk.port_orders, desk.kept_orders');

	# Without protocol parameters pgbench writes variables into the statement, as they are.
	my ($right, $guess) = $mode eq 'simple' ? ("'$pin'", "'$wrong'") : ($pin, $wrong);
	$node->pgbench("-n -t 5 -M $mode -D pin=$right -D wrong=$guess", 0, [qr{5/5}], [qr{^$}],
		"pgbench -M $mode: right PINs",
		{ "right_$mode" => q{
			INSERT INTO desk.port_orders VALUES (1, :pin);
			INSERT INTO desk.kept_orders VALUES (1, :wrong);
		} });
	$node->pgbench("-n -t 5 -M $mode -D pin=$guess", 2, [],
		[qr{port order refused: its port PIN is wrong}],
		"pgbench -M $mode: a wrong PIN",
		{ "wrong_$mode" => 'INSERT INTO desk.port_orders VALUES (1, :pin);' });
	is( $node->safe_psql('postgres', q{
			SELECT (SELECT count(*) FROM desk.port_orders), count(*) FROM desk.kept_orders
				WHERE verdict = 'pin_mismatch' AND pin IS NULL
		}), '5|5', "pgbench -M $mode: what is stored");
}

#
# DBD::Pg (Debian: libdbd-pg-perl)
#

SKIP:
{
	skip 'DBD::Pg is not installed', 1 unless eval { require DBI; require DBD::Pg; 1 };

	foreach my $prepare (0, 1)
	{
		my $dbh = DBI->connect("dbi:Pg:" . $connstr =~ s/ /;/gr, '', '',
			{ RaiseError => 0, PrintError => 0, pg_server_prepare => $prepare });
		is_answered($prepare ? 'DBD::Pg, prepared' : 'DBD::Pg',
			sub {
				my ($statement, @parameters) = @_;
				my $sth = $dbh->prepare($statement);
				if ($sth->execute(@parameters))
				{
					my $row = $sth->{NUM_OF_FIELDS} ? $sth->fetchrow_arrayref : [];
					return join ' ', 'ok', map { $_ // 'NULL' } @$row;
				}
				return join ' ', $dbh->state,
				  map { $dbh->pg_error_field("pg_diag_$_") // '' } 'schema_name', 'table_name', 'constraint_name';
			});
		$dbh->disconnect;
	}
}

#
# node-postgres (npm: pg)
#

my $javascript = <<'JS';
const { Client } = require('pg');
const [host, port, text, account, pin] = process.argv.slice(1);
const value = v => v === 'NULL' ? null : v;
(async () => {
  const client = new Client({ host, port: Number(port), database: 'postgres', user: process.env.PGUSER });
  await client.connect();
  try {
    const { rows } = await client.query({ name: 'order', text, values: [value(account), value(pin)] });
    console.log(['ok', ...rows.flatMap(r => Object.values(r)).map(v => v ?? 'NULL')].join(' '));
  } catch (e) {
    console.log([e.code, e.schema, e.table, e.constraint].map(v => v ?? '').join(' '));
  }
  await client.end();
})();
JS

SKIP:
{
	skip 'node-postgres is not installed', 1
	  unless eval { run_log([ 'node', '-e', 'require("pg")' ], '>', \my $none, '2>', \my $none_2) };

	local $ENV{PGUSER} = $node->safe_psql('postgres', 'SELECT current_user');
	is_answered('node-postgres',
		sub {
			my ($out) = run_command(
				[ 'node', '-e', $javascript, $node->host, $node->port,
				  $_[0], $_[1] // 'NULL', $_[2] // 'NULL' ]);
			return $out;
		});
}

$node->stop;
done_testing();
