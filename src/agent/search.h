/* What the maker and the reader of an index share; see search_index.c and search.c. */
#ifndef AGENT_SEARCH_H
#define AGENT_SEARCH_H
#include "base/buffer.h"
#include <assay/search.h>
#include <stdbool.h>

#define AGENT_INDEX_APPLICATION 0x41534458 /* "ASDX", the file's application_id */
#define AGENT_INDEX_VERSION     1          /* its user_version */

/* Gives every word and every "quoted phrase" of a query without what is around its letters; prefix:
 * `word*`. Returns the number of terms (0: nothing to look for), BASE_E_LIMIT beyond 64, or what
 * on() returned when that was not 0. */
typedef int agent_search_term_fn(void *context, const char *s, size_t n, bool prefix);
int agent_search_terms(const char *query, size_t bytes, agent_search_term_fn *on, void *context);
/* A person's or a model's words as an FTS5 expression, appended to out: every word and every
 * "quoted phrase" becomes a string of FTS5, so that nothing of the text is syntax; `word*` asks for
 * words that begin so. any: one of the words is enough (OR), else all are needed. Returns the
 * number of terms (0: nothing to look for), BASE_E_LIMIT beyond 64, BASE_E_MEMORY. */
int agent_search_quote(const char *query, size_t bytes, bool any, struct base_buffer *out);

/* ---- where an index is written ---- */

struct agent_passage {
    const char *title, *text, *path, *record; /* record NULL: the file is the document */
    size_t bytes;                             /* of text */
    uint64_t line, byte;                      /* where it begins, from 1 and from 0 */
};
struct agent_index_sink {
    int (*passage)(void *context, const struct agent_passage *p);
    int (*document)(void *context, const char *path, const char *record, const char *title,
                    size_t bytes);
    /* rc: how it went; what was written stays only when it is 0, and so is the result. */
    int (*end)(void *context, int rc);
    void *context;
};
/* An index in PostgreSQL; tokenizer as in agent_index_options. */
int agent_index_postgres(const char *target, const char *tokenizer, struct agent_index_sink *out);

/* "postgresql://...#TABLE:COLUMNS" in its three parts, which are new (base_free): the address for
 * libpq, the table ("passages" when none is named), the columns (NULL = none are named). */
int agent_index_address(const char *target, char **address, char **table, char **columns);
#endif
