/* What the maker and the reader of an index share; see search_index.c and search.c. */
#ifndef AGENT_SEARCH_H
#define AGENT_SEARCH_H
#include "base/buffer.h"
#include <assay/search.h>
#include <stdbool.h>

#define AGENT_INDEX_APPLICATION 0x41534458 /* "ASDX", the file's application_id */
#define AGENT_INDEX_VERSION     1          /* its user_version */

/* A person's or a model's words as an FTS5 expression, appended to out: every word and every
 * "quoted phrase" becomes a string of FTS5, so that nothing of the text is syntax; `word*` asks for
 * words that begin so. any: one of the words is enough (OR), else all are needed. Returns the
 * number of terms (0: nothing to look for), BASE_E_LIMIT beyond 64, BASE_E_MEMORY. */
int agent_search_quote(const char *query, size_t bytes, bool any, struct base_buffer *out);
#endif
