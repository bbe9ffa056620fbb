/* What the parts of the PostgreSQL reader share: the late-loaded functions of libpq, a connection
 * from inside, and how its statements are run and checked. */
#ifndef AGENT_POSTGRES_PRIVATE_H
#define AGENT_POSTGRES_PRIVATE_H
#include "agent/postgres.h"
#include "base/buffer.h"
#include <libpq-fe.h>

#define AGENT_PQ(X)                                                                                \
    X(conninfoParse)                                                                               \
    X(conninfoFree)                                                                                \
    X(freemem)                                                                                     \
    X(connectdbParams)                                                                             \
    X(status)                                                                                      \
    X(transactionStatus)                                                                           \
    X(errorMessage)                                                                                \
    X(finish)                                                                                      \
    X(user)                                                                                        \
    X(db)                                                                                          \
    X(host)                                                                                        \
    X(port)                                                                                        \
    X(pass)                                                                                        \
    X(socket)                                                                                      \
    X(serverVersion)                                                                               \
    X(parameterStatus)                                                                             \
    X(setNoticeReceiver)                                                                           \
    X(exec)                                                                                        \
    X(execParams)                                                                                  \
    X(prepare)                                                                                     \
    X(describePrepared)                                                                            \
    X(sendQueryPrepared)                                                                           \
    X(setSingleRowMode)                                                                            \
    X(getResult)                                                                                   \
    X(putCopyData)                                                                                 \
    X(putCopyEnd)                                                                                  \
    X(resultStatus)                                                                                \
    X(resultErrorField)                                                                            \
    X(clear)                                                                                       \
    X(ntuples) X(nfields) X(nparams) X(fname) X(ftype) X(fmod) X(getisnull) X(getvalue) X(getlength)
struct agent_pq_functions {
#define X(name) __typeof__(PQ##name) *name;
    AGENT_PQ(X)
#undef X
};
extern struct agent_pq_functions agent_pq;
int agent_pq_load(void);

struct agent_postgres {
    PGconn *conn;
    char *name;     /* public */
    char *password; /* as libpq found it, to be taken out of texts; NULL = none */
    int version;    /* 150018 */
    bool superuser;
    unsigned statement_ms;
    unsigned prepared;         /* statements so far */
    struct base_buffer *trees; /* where parse trees go that the server tells; NULL = dropped */
    int trees_rc;
};

/* Connects without beginning anything; writes: for the making of an index. */
int agent_postgres_connect(struct agent_postgres **out, const char *address,
                           const struct agent_postgres_options *options, bool writes);
/* A statement of our own with text parameters (NULL = null); *out: agent_pq.clear. */
int agent_postgres_run(struct agent_postgres *p, const char *sql, int n, const char *const *values,
                       PGresult **out);
/* Any statements of our own without a result. */
int agent_postgres_do(struct agent_postgres *p, const char *sql);
/* The error of a result (NULL: of the connection) as one of ours. */
int agent_postgres_fail(struct agent_postgres *p, const PGresult *result);
/* The read-only transaction that every look needs, and its end (harmless without one). */
int agent_postgres_begin(struct agent_postgres *p);
void agent_postgres_end(struct agent_postgres *p);

/* In the transaction: prepares sql under the name "assay" after holding it against its own parse
 * tree; see postgres_check.c. types: of the n parameters, 0 = as the server infers. */
int agent_postgres_prepare(struct agent_postgres *p, const char *sql, int n, const Oid *types);
/* Prepares and runs; rows as agent_postgres_query gives them. In the transaction. */
int agent_postgres_select(struct agent_postgres *p, const char *sql, const json_t *parameters,
                          size_t most, json_t **out);

/* ---- postgres_value.c ---- */

/* How a type is told as JSON. */
enum agent_pg_kind {
    AGENT_PG_TEXT,
    AGENT_PG_INTEGER,
    AGENT_PG_BOOLEAN,
    AGENT_PG_REAL,
    AGENT_PG_NUMERIC,
    AGENT_PG_BYTES,
    AGENT_PG_JSON,
    AGENT_PG_ARRAY,
};
struct agent_pg_type {
    enum agent_pg_kind kind, element; /* element: of an array */
    char delimiter;                   /* between its elements */
};
enum agent_pg_kind agent_pg_kind_of(Oid type); /* of no array */
/* A value in text form as JSON; NULL: no memory. */
json_t *agent_pg_value(const struct agent_pg_type *type, const char *text, size_t bytes);

/* ---- postgres_check.c, for its tests ---- */

/* What a parse tree names. */
struct agent_pg_names {
    struct base_buffer functions, operators, relations; /* "{1,2,3" */
    bool no_select, locks, changes; /* another statement; FOR UPDATE; a change in WITH */
};
/* Reads the tree of a Query, or of a list of them, as PostgreSQL prints it. BASE_E_FORMAT:
 * not understood, and therefore not to be trusted. */
int agent_pg_tree_read(const char *tree, size_t bytes, struct agent_pg_names *names);
void agent_pg_names_free(struct agent_pg_names *names);
#endif
