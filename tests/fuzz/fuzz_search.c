/* A query's quoting: whatever the words, FTS5 takes the expression, and every term of it is a
 * string: never a syntax error, never a column or an operator of its own. */
#include "agent/search.h"
#include "agent/sqlite.h"
#include <stdint.h>
#include <stdlib.h>

static sqlite3 *db;

static void run(const char *sql, const struct base_buffer *b)
{
    sqlite3_stmt *q = NULL;
    if (agent_sqlite.prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
        abort();
    agent_sqlite.bind_text(q, 1, b->data, (int)b->length, SQLITE_STATIC);
    int code = agent_sqlite.step(q);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        abort();
    agent_sqlite.finalize(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!db &&
        (agent_sqlite_load() ||
         agent_sqlite.open_v2(":memory:", &db, SQLITE_OPEN_READWRITE, NULL) ||
         agent_sqlite.exec(db,
                           "CREATE VIRTUAL TABLE w USING fts5(title, text); INSERT INTO w VALUES("
                           "'a b', 'c d e'); CREATE VIRTUAL TABLE t USING fts5(title, text, "
                           "tokenize = 'trigram'); INSERT INTO t VALUES('abc', 'def ghi')",
                           NULL, NULL, NULL)))
        abort();
    for (int any = 0; any < 2; any++) {
        struct base_buffer b = { 0 };
        int terms = agent_search_quote((const char *)data, size, any, &b);
        if (terms > 0) {
            run("SELECT title, bm25(w), snippet(w, 1, '', '', '', 8) FROM w WHERE w MATCH ?1", &b);
            run("SELECT title FROM t WHERE t MATCH ?1", &b);
        }
        base_buffer_free(&b);
    }
    return 0;
}
