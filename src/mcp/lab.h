/* What the files of the laboratory as an MCP provider share.
 *
 *   lab.c           opening, the table of resources, the provider's functions
 *   lab_uri.c       addresses and their templates
 *   lab_work.c      reading in a sandboxed worker; errors' texts; stamps
 *   lab_data.c      data sets: files below --data, and those inside the program
 *   lab_database.c  tables of SQLite files and PostgreSQL databases
 *   lab_endpoint.c  tables that a REST endpoint gives
 *   lab_store.c     runs and their reports
 *   lab_prompts.c   prompts filled from all of these
 *   lab_analyze.c   the prompt for a data set
 *   lab_complete.c  what an argument could be
 *
 * A lab does not change after mcp_lab_open but for its caches, each behind its own lock, so that
 * everything may be called from several threads. What a stranger's file can cost is bounded by
 * reading it in a worker (agent/sandbox.h), and LAB_WORKERS of them at most run at once. */
#ifndef MCP_LAB_H
#define MCP_LAB_H
#include "agent/sandbox.h"
#include "agent/sqlite.h"
#include "base/buffer.h"
#include <assay/data.h>
#include <assay/mcp.h>
#include <pthread.h>
#include <sys/stat.h>

#define LAB_WORKERS    4
#define LAB_URI_BYTES  4096
#define LAB_NAME_BYTES 1024              /* of a value in it */
#define LAB_ROWS_MOST  1000              /* of one page */
#define LAB_TEXT_MOST  ((size_t)1 << 20) /* of one page of rows or of a file's text */
#define LAB_READ_MOST  ((size_t)4 << 20) /* of anything that is read */
#define LAB_FILES      1000              /* data sets that are listed */
#define LAB_FIRST      10                /* rows that a description shows */

/* ---- addresses (lab_uri.c) ---- */

enum { LAB_VARIABLES = 4 };
/* The variables of a template, in its order; values are decoded, without NULs or other control
 * characters, valid UTF-8, never empty. */
struct lab_values {
    size_t n;
    char name[LAB_VARIABLES][16];
    char *value[LAB_VARIABLES];
};
/* Whether a name can stand in an address at all: what cannot is not listed either. */
bool mcp_lab_addressable(const char *name, size_t bytes);
/* Whether uri is an expansion of the template: 1 and its values (lab_values_free), 0 when not, or
 * negative. A template is RFC 6570's level 1: literals and {variable}; a variable stands for
 * characters of a path's part and %XX, as few as the literal behind it allows. */
int mcp_lab_match(const char *template, const char *uri, struct lab_values *out);
void mcp_lab_values_free(struct lab_values *v);
/* The value of a variable, NULL when the template has none of that name. */
const char *mcp_lab_value(const struct lab_values *v, const char *name);
/* The template with values in the order of its variables, percent-encoded, appended to out. */
int mcp_lab_expand(struct base_buffer *out, const char *template, const char *const *values);
/* The same as a new string (base_free), NULL when memory is out. */
char *mcp_lab_uri(const char *template, const char *a, const char *b);
/* from and to of a page, counted from 1: BASE_E_ARGUMENT when they are none. */
int mcp_lab_page(const struct lab_values *v, uint64_t most, uint64_t *from, uint64_t *to);

/* ---- a lab ---- */

/* Why a server could not be asked, and when: it is not tried again for a moment, so that one that
 * is gone does not hold up every list. */
struct lab_failure {
    int code; /* 0 = it could */
    double at;
    char why[400];
};
struct lab_database {
    char *name;  /* in addresses: the file's, or the database's */
    char *where; /* path, or postgresql:// address */
    bool postgres;
    struct agent_database_files files; /* that reading it needs */
    pthread_mutex_t lock;
    json_t *tables; /* what describe_database gave, at that stamp */
    uint64_t stamp;
    double at;                  /* when */
    struct lab_failure failure; /* PostgreSQL */
};
struct lab_endpoint {
    char *name, *url;
    char *token; /* from the environment, or NULL */
    pthread_mutex_t lock;
    struct base_buffer body; /* as it came last */
    bool csv;                /* what it is */
    double at;               /* when; 0 = never */
};
struct mcp_lab {
    struct mcp_provider provider;
    char *data;          /* absolute; NULL = none */
    char *store;         /* NULL = none */
    char *store_folder;  /* of a store that is a file */
    char *report_folder; /* where its reports are made */
    struct lab_database *database;
    size_t databases;
    struct lab_endpoint *endpoint;
    size_t endpoints;
    struct agent_tools *tools; /* what workers can be asked for */
    struct agent_nest *nest;   /* where they come from */
    pthread_mutex_t workers_lock;
    pthread_cond_t workers_free;
    unsigned workers;
    pthread_mutex_t tasks_lock;
    json_t *tasks; /* [{"name", "description"}] that can be asked; made once */
    pthread_mutex_t runs_lock;
    json_t *runs; /* the store's newest runs, at that stamp or time */
    uint64_t runs_in_all;
    struct lab_failure runs_failure; /* of a store that is no file */
    uint64_t runs_stamp;
    double runs_at;
};

/* What is read: text and its type. */
struct lab_content {
    struct base_buffer text;
    const char *mime; /* static */
};
/* One kind of resource. */
struct lab_route {
    const char *template; /* without variables: one resource */
    const char *name, *title, *description, *mime;
    bool (*offered)(const struct mcp_lab *l); /* whether the lab has any of the kind */
    int (*read)(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
    int (*stamp)(struct mcp_lab *l, const struct lab_values *v, uint64_t *stamp);
};
/* One Resource, appended. modified: seconds since 1970, negative = not known; bytes negative too.
 */
int mcp_lab_list_add(json_t *list, char *uri, const char *name, const char *title,
                     const char *description, const char *mime, double modified, int64_t bytes);
/* A resource as an array of contents: what provider.read does. */
int mcp_lab_read(struct mcp_lab *l, const char *uri, json_t **contents);

/* ---- workers (lab_work.c) ---- */

/* What a worker can be asked for. Workers are forked from a nest that was made when the lab was
 * opened, while there was one thread: they know the lab as it was then, and their question is JSON.
 * Each kind of ground has a tool of its own, which may open nothing else. */
struct lab_op {
    const char *name;
    int (*run)(void *question, struct base_buffer *out);
};
/* For such a tool's function, in the worker: answers arguments.op, one of ops. */
int mcp_lab_answer(const struct lab_op *ops, size_t n, const json_t *arguments, void *question,
                   json_t **out);
/* The name of the op that run is. */
const char *mcp_lab_op_name(const struct lab_op *ops, size_t n,
                            int (*run)(void *question, struct base_buffer *out));
agent_tool_fn mcp_lab_data_tool, mcp_lab_task_tool, mcp_lab_store_tool, mcp_lab_database_tool;
/* Makes the tools and their nest; when everything else of the lab is there. */
int mcp_lab_nest_open(struct mcp_lab *l);
void mcp_lab_nest_close(struct mcp_lab *l);
/* Asks a tool ("data", "task", "store", "database-0" ...); arguments are taken over (NULL: memory
 * is out). The answer is appended to out. An error is one line that begins with name, if its own
 * text does not. */
int mcp_lab_work(struct mcp_lab *l, const char *tool, const char *name, json_t *arguments,
                 struct base_buffer *out);
/* Keeps the present error (code 0: there is none), and says it again within a few seconds; 0 later.
 */
int mcp_lab_failure_keep(struct lab_failure *f, int code);
int mcp_lab_failure_again(const struct lab_failure *f);
/* value (taken over; NULL = memory is out) as compact JSON, appended. */
int mcp_lab_put(struct base_buffer *out, json_t *value);
/* The same for people and models to look at: 15 digits, so that 0.1 stays short. */
int mcp_lab_put_short(struct base_buffer *out, json_t *value);
/* The present error message with `from` replaced by `to`; returns code. */
int mcp_lab_rename(int code, const char *from, const char *to);
/* A number out of what a file's status says of its content. */
uint64_t mcp_lab_stamp(const struct stat *st, uint64_t before);
/* Seconds since 1970 as "2026-11-22T09:30:00Z" or NULL when memory is out; new reference. */
json_t *mcp_lab_time(double seconds);
/* And back; negative when the text is none. */
double mcp_lab_time_parse(const char *text);

/* ---- rows ---- */

/* Adds a row (taken over; NULL = memory is out) while there is room: 1, 0 when there is none,
 * negative. brief: among the first rows, where long cells are cut. *bytes: used so far. */
int mcp_lab_row_add(json_t *rows, json_t *row, bool brief, size_t *bytes);
/* {"columns": [{"name"}], "rows": [[..]], "more"} as objects, added to rows. */
int mcp_lab_rows_objects(const json_t *answer, bool brief, json_t *rows, bool *more);
/* The address of the page behind one of `given` rows from `from`, or NULL: template is that of the
 * pages up to {from}. New string. */
char *mcp_lab_next(const char *template, const char *a, const char *b, bool more, uint64_t from,
                   uint64_t to, size_t given);
/* head (taken over) with "from", "to", the rows at `key`, and "next". */
int mcp_lab_put_page(struct base_buffer *out, json_t *head, const char *key, uint64_t from,
                     json_t *rows, const char *next);

/* ---- the rooms ---- */

int mcp_lab_data_list(struct mcp_lab *l, json_t *list); /* Resource objects */
int mcp_lab_data_index(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
int mcp_lab_data_read(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
int mcp_lab_data_rows(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
int mcp_lab_data_column(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
int mcp_lab_data_text(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
int mcp_lab_data_part(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
int mcp_lab_data_stamp(struct mcp_lab *l, const struct lab_values *v, uint64_t *stamp);
/* Names of data sets, or of a data set's columns, appended as strings. */
int mcp_lab_data_names(struct mcp_lab *l, json_t *names);
int mcp_lab_data_columns(struct mcp_lab *l, const char *name, json_t *names);

int mcp_lab_database_open(struct lab_database *d, const char *where);
void mcp_lab_database_close(struct lab_database *d);
int mcp_lab_tables_list(struct mcp_lab *l, json_t *list);
int mcp_lab_tables_index(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
int mcp_lab_table_read(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
int mcp_lab_table_rows(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
int mcp_lab_table_stamp(struct mcp_lab *l, const struct lab_values *v, uint64_t *stamp);
int mcp_lab_table_names(struct mcp_lab *l, const char *database, json_t *names);

int mcp_lab_endpoint_open(struct lab_endpoint *e, const char *given);
void mcp_lab_endpoint_close(struct lab_endpoint *e);
int mcp_lab_endpoints_list(struct mcp_lab *l, json_t *list);
int mcp_lab_endpoint_read(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
int mcp_lab_endpoint_rows(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
int mcp_lab_endpoint_body(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
int mcp_lab_endpoint_stamp(struct mcp_lab *l, const struct lab_values *v, uint64_t *stamp);

int mcp_lab_store_open(struct mcp_lab *l, const char *where);
int mcp_lab_runs_list(struct mcp_lab *l, json_t *list);
int mcp_lab_runs_index(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
int mcp_lab_run_read(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
int mcp_lab_run_report(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
int mcp_lab_run_samples(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out);
int mcp_lab_run_stamp(struct mcp_lab *l, const struct lab_values *v, uint64_t *stamp);
int mcp_lab_run_ids(struct mcp_lab *l, json_t *names);
int mcp_lab_run_tasks(struct mcp_lab *l, const char *id, json_t *names);

int mcp_lab_prompts(void *context, json_t *list);
int mcp_lab_prompt(void *context, const char *name, const json_t *arguments, json_t **result);
/* Whether there is a prompt of the name that takes the argument. */
bool mcp_lab_prompt_takes(const struct mcp_lab *l, const char *name, const char *argument);
/* A message (content is taken over), appended; text as content; a resource as content (new) and
 * what it says as JSON (new): BASE_E_ARGUMENT when there is none, `what` says of what kind. */
int mcp_lab_message_add(json_t *messages, const char *role, json_t *content);
json_t *mcp_lab_text_content(const char *text, size_t bytes);
int mcp_lab_embed(struct mcp_lab *l, const char *uri, const char *what, json_t **content,
                  json_t **value);
/* The prompt analyze_dataset. */
int mcp_lab_analyze(struct mcp_lab *l, const json_t *arguments, json_t **result);
/* The tasks that can be asked, borrowed for as long as the lab. */
int mcp_lab_tasks(struct mcp_lab *l, const json_t **tasks);
int mcp_lab_complete(void *context, const json_t *ref, const char *argument, const char *value,
                     const json_t *others, json_t **values);
/* The folder and what is in it; NULL is fine. */
void mcp_lab_folder_remove(const char *folder);
extern const struct lab_route mcp_lab_routes[];
extern const size_t mcp_lab_route_count;
#endif
