/* Two databases behind one pair of functions: SQL text that both understand, parameters $1, $2, ...
 * and rows by callback. */
#ifndef EVAL_STORE_DATABASE_H
#define EVAL_STORE_DATABASE_H
#include "eval/store.h"

enum store_kind { STORE_NULL, STORE_INTEGER, STORE_REAL, STORE_TEXT, STORE_BLOB };
struct store_value {
    enum store_kind kind;
    int64_t integer;
    double real;
    const void *data; /* TEXT: NUL-terminated; BLOB: bytes. A view: of a row, during the call */
    size_t bytes;
};
#define STORE_INT(x)                                                                               \
    {                                                                                              \
        .kind = STORE_INTEGER, .integer = (int64_t)(x)                                             \
    }
#define STORE_BYTES(p, n)                                                                          \
    {                                                                                              \
        .kind = STORE_BLOB, .data = (p), .bytes = (n)                                              \
    }
/* NULL text is an SQL NULL; a NaN an SQL NULL. */
struct store_value store_text(const char *s);
struct store_value store_number(double x);
const char *store_string(const struct store_value *v); /* "" for NULL */

/* Called for every row; a negative value ends the query and is its result. */
typedef int store_row_fn(void *context, const struct store_value *columns, size_t n);

struct eval_store {
    const struct store_kind_of *kind;
    void *handle; /* sqlite3* or PGconn* */
    char *name;
};
struct store_kind_of {
    const char *blob;   /* the type of bytes */
    const char *begin;  /* opens a transaction that may write */
    const char *lock;   /* then run in it, so that writers come one after the other; or NULL */
    const char *exists; /* gives a row when the store's tables are there */
    const char *others; /* gives a row when it holds somebody else's tables; or NULL */
    int (*query)(struct eval_store *s, const char *sql, const struct store_value *values, size_t n,
                 store_row_fn *on_row, void *context);
    int (*wait)(struct eval_store *s, int milliseconds);
    void (*close)(struct eval_store *s);
    int (*socket)(const struct eval_store *s); /* NULL = it has none */
};
int store_sqlite_open(struct eval_store *s, const char *path, enum eval_store_mode mode);
int store_postgres_open(struct eval_store *s, const char *where);

/* store_run(s, "...", a, b): the arguments are struct store_value. */
int store_run(struct eval_store *s, const char *sql, const struct store_value *values, size_t n);
int store_query(struct eval_store *s, const char *sql, const struct store_value *values, size_t n,
                store_row_fn *on_row, void *context);
/* How long a locked store is waited for from now on. */
int store_wait(struct eval_store *s, int milliseconds);

/* Makes or checks the tables (store_schema.c). */
#define STORE_SCHEMA 1
int store_schema_ready(struct eval_store *s, enum eval_store_mode mode);

/* How the values of a column are kept. */
enum store_encoding {
    STORE_U8 = 1,   /* whole numbers 0 to 254; 255: no value */
    STORE_U32 = 2,  /* doc_ids, little-endian */
    STORE_F64 = 3,  /* little-endian; results_missing(): no value */
    STORE_HASH = 4, /* 16 bytes */
};
#define STORE_PART_ITEMS     65536 /* items in a row of a column */
#define STORE_COLUMN_HASH    "#hash"
#define STORE_COLUMN_DOC     "#doc"
#define STORE_COLUMN_CLUSTER "#cluster" /* where items have clusters */
#define STORE_WEIGHT         "#weight:" /* before the metric's name */

/* Compressed text (zstd). Both give new blocks (base_free). */
int store_compress(const char *text, size_t n, char **out, size_t *bytes);
int store_decompress(const void *data, size_t n, size_t bytes, const char *where, char **out);
#endif
