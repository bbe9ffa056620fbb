/* store: all runs in one place, for `assay runs`, `assay compare` and reports: an SQLite file, or a
 * PostgreSQL database for a team, with the same tables (store_schema.c).
 *
 * A run is stored whole, in one transaction: its record, the metrics of its tasks, the values of
 * every metric as columns in the order of document hashes, and the samples themselves, compressed.
 * Two processes may write at once (SQLite: WAL and a wait of at most 10 s; PostgreSQL: its own
 * locks). A library is loaded when the first store of its kind is opened. */
#ifndef EVAL_STORE_H
#define EVAL_STORE_H
#include <assay/results.h>

struct eval_store;
enum eval_store_mode {
    EVAL_STORE_READ,  /* must exist */
    EVAL_STORE_WRITE, /* made when it does not */
};
/* where: a file, "postgresql://..." or "postgres://..." (or "host=... dbname=..."), or NULL for the
 * default: $ASSAY_STORE, else $XDG_DATA_HOME/assay/store.sqlite, else
 * ~/.local/share/assay/store.sqlite. A store of a newer Assay is BASE_E_UNSUPPORTED, a file that is
 * no store BASE_E_FORMAT, a locked one BASE_E_IO; all say which and what to do. */
int eval_store_open(struct eval_store **out, const char *where, enum eval_store_mode mode);
/* Whether `where` is a PostgreSQL database and no file. */
bool eval_store_is_server(const char *where);
void eval_store_close(struct eval_store *s);
int eval_store_socket(const struct eval_store *s);       /* to a server; -1 of a file */
const char *eval_store_name(const struct eval_store *s); /* for messages; no password in it */
/* The default's path, new string (base_free). */
char *eval_store_default(void);

/* Adds a run with its samples. 1 when it is there already (same id): nothing changes then. */
int eval_store_add(struct eval_store *s, const struct eval_run *run);
/* The same for a run's directory or file (eval_run_open), and a store by its name, made when it is
 * not there: what `assay eval` does at its end. *id (may be NULL): the run's, new string. */
int eval_store_import(const char *store, const char *where, char **id);
/* [{"id", "time", "model", "source", "parent", "tasks": {task: {"n", "metric", "value", "ci"}}}],
 * newest first; each task by its first metric. New reference. */
int eval_store_list(struct eval_store *s, json_t **runs);
/* The full id that begins with `id`; BASE_E_ARGUMENT when none or several do. New string. */
int eval_store_find(struct eval_store *s, const char *id, char **full);
/* Everything of a run but its samples: eval_run_record's object with "config", "results" and
 * "tasks": [{"name", "samples"}]. id: in full. New reference. */
int eval_store_load(struct eval_store *s, const char *id, json_t **record);
int eval_store_delete(struct eval_store *s, const char *id);

/* What eval_run_column and eval_samples_next give for stored runs. metric NULL filter: the first.
 */
int eval_store_column(struct eval_store *s, const char *id, const char *task, const char *metric,
                      struct eval_column *out);
/* Part 0, 1, ... of a task's samples as lines of JSON, new string: 1, or 0 when there is no more.
 */
int eval_store_part(struct eval_store *s, const char *id, const char *task, size_t part,
                    char **text, size_t *bytes);
#endif
