/* PostgreSQL for reading: a connection that can do nothing but look, and values as JSON.
 *
 * An address is what libpq takes, "postgresql://[USER[:PASSWORD]@][HOST][:PORT]/DATABASE[?...]".
 * Passwords come from it, PGPASSWORD or ~/.pgpass, and are in no message: every text of the server
 * or of libpq that is passed on goes through one place that takes them out.
 *
 * Whatever is done on a connection is done in a read-only transaction with limits on time and
 * locks, which ends with it. Statements that others wrote, and views that others made, are held
 * against the server's own parse tree before they run: see postgres_check.c. */
#ifndef AGENT_POSTGRES_H
#define AGENT_POSTGRES_H
#include <assay/base.h>
#include <jansson.h>
#include <stdbool.h>

/* postgresql:// or postgres:// */
bool agent_is_postgres(const char *where);
/* "postgresql://USER@HOST:PORT/DATABASE" without password and options; new string (base_free),
 * NULL without memory. What cannot be read as an address becomes "postgresql://". */
char *agent_postgres_public(const char *address);

/* A connection. Not for two threads at once; may be taken along by a fork, where the child is the
 * only one that goes on using it. */
struct agent_postgres;
struct agent_postgres_options {
    unsigned statement_ms; /* of one statement, on the server's clock; 0 = 5,000 */
};
/* Connects (5 seconds at most) and begins the transaction. libpq is loaded with the first one.
 * BASE_E_IO: no connection; BASE_E_ARGUMENT: no address; BASE_E_UNSUPPORTED: a server before 12. */
int agent_postgres_open(struct agent_postgres **out, const char *address,
                        const struct agent_postgres_options *options);
void agent_postgres_close(struct agent_postgres *p);             /* NULL is fine */
const char *agent_postgres_name(const struct agent_postgres *p); /* the public address; borrowed */
int agent_postgres_socket(const struct agent_postgres *p);

/* ---- values ----
 *
 * smallint to bigint are JSON integers, boolean is true or false, real and double are reals
 * ({"real": "NaN" | "Inf" | "-Inf"} where they are none), numeric is a number when a double keeps
 * all of its digits and else a string of them, bytea is {"blob": hexadecimal digits of its first
 * 256 bytes, "bytes": length}, arrays are arrays, json is itself where nothing of it is lost (else
 * its text), and all else is the text that the server prints: ISO dates, times in UTC. */

/* One SELECT (VALUES, TABLE, WITH) as others wrote it, with values for $1, $2 ... (an array or
 * NULL), up to `most` rows and about 1 MB:
 *   {"columns": [{"name", "type"}], "rows": [[...]], "more": there were others}
 * BASE_E_ARGUMENT: not allowed, or the server's error with its place in the statement. */
int agent_postgres_query(struct agent_postgres *p, const char *sql, size_t bytes,
                         const json_t *parameters, size_t most, json_t **out);

/* Tables and views that the role may look at, outside of the system's schemas, without foreign
 * tables and partitions, in the order of their names; a name is as SQL takes it ("schema.table"
 * where the schema is not in the search path, quoted where need be). only: one of them, NULL = all
 * (the first 500).
 *   {"tables": [{"name", "kind": "table" | "view", "columns": [{"name", "type", "not_null",
 *    "primary_key"}], "rows": about how many, null = not known}], "more"}
 * BASE_E_ARGUMENT when `only` is not there. */
int agent_postgres_tables(struct agent_postgres *p, const char *only, json_t **out);

/* Rows `offset` to offset + most - 1 of a table (its name as agent_postgres_tables tells it), as
 * agent_postgres_query gives them, in an order that does not change while the table does not: by
 * the primary key, else as they lie, else (views) by all columns. */
int agent_postgres_rows(struct agent_postgres *p, const char *table, uint64_t offset, size_t most,
                        json_t **out);

/* A number that changes when the table's rows or columns do, of another connection's work, too: of
 * a table up to 1 MiB by every row's version, of a larger one by the server's counters (which may
 * be a second late, ten from a session that stays), of a view by what it reads from. Begins a new
 * transaction, so that it sees what others have done. */
int agent_postgres_stamp(struct agent_postgres *p, const char *table, uint64_t *stamp);
#endif
