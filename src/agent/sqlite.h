/* SQLite for tools: late-loaded functions, and files opened so that a hostile query or a hostile
 * file can do nothing but be read; see sqlite.c. */
#ifndef AGENT_SQLITE_H
#define AGENT_SQLITE_H
#include <assay/base.h>
#include <sqlite3.h>
#include <stdbool.h>

#define AGENT_SQLITE(X)                                                                            \
    X(open_v2)                                                                                     \
    X(close_v2)                                                                                    \
    X(prepare_v2)                                                                                  \
    X(exec)                                                                                        \
    X(step)                                                                                        \
    X(reset)                                                                                       \
    X(finalize)                                                                                    \
    X(errmsg)                                                                                      \
    X(extended_errcode)                                                                            \
    X(limit)                                                                                       \
    X(db_config)                                                                                   \
    X(set_authorizer)                                                                              \
    X(progress_handler)                                                                            \
    X(hard_heap_limit64)                                                                           \
    X(stmt_readonly)                                                                               \
    X(bind_parameter_count)                                                                        \
    X(bind_null)                                                                                   \
    X(bind_int64)                                                                                  \
    X(bind_double)                                                                                 \
    X(bind_text)                                                                                   \
    X(column_count)                                                                                \
    X(column_name)                                                                                 \
    X(column_decltype)                                                                             \
    X(column_type)                                                                                 \
    X(column_int64)                                                                                \
    X(column_double)                                                                               \
    X(column_text)                                                                                 \
    X(column_blob)                                                                                 \
    X(column_bytes)
struct agent_sqlite_functions {
#define X(name) __typeof__(sqlite3_##name) *name;
    AGENT_SQLITE(X)
#undef X
};
extern struct agent_sqlite_functions agent_sqlite;
/* Once, before the functions are used; BASE_E_UNSUPPORTED names the Debian package. */
int agent_sqlite_load(void);

/* A file opened for reading one query. */
struct agent_database {
    sqlite3 *handle;
    const char *path;              /* borrowed; for messages */
    double until;                  /* processor time of the process at which a query ends */
    bool late;                     /* it ended for that */
    uint32_t application, version; /* its application_id and user_version */
    bool own;         /* the caller's own SQL: its look at the schema is allowed, too */
    char denied[120]; /* what the authorizer refused last */
};
/* Opens an SQLite file that is there, for reading, with every guard on. For a worker: the limit on
 * SQLite's memory is the whole process's. d must not move until it is closed. */
int agent_database_open(struct agent_database *d, const char *path);
void agent_database_close(struct agent_database *d); /* harmless twice */
/* An error of SQLite's as one of ours. */
int agent_database_fail(struct agent_database *d, int code);
/* The one statement that `sql` is; more than one, none, or one that is not allowed is an error. */
int agent_database_prepare(struct agent_database *d, const char *sql, size_t bytes,
                           sqlite3_stmt **out);

/* The files that reading `path` may need: itself and what SQLite keeps beside it. NULL-terminated;
 * the strings are new (agent_database_files_free). */
struct agent_database_files {
    const char *at[5];
};
int agent_database_files_make(struct agent_database_files *f, const char *path);
void agent_database_files_free(struct agent_database_files *f);
#endif
