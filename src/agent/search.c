/* The tool `search`: passages of an index of documents, best first.
 *
 * The order is BM25 (Robertson and Zaragoza 2009) as FTS5 computes it, with k1 = 1.2 and b = 0.75,
 * a word in the title counting four times one in the text:
 *   sum over terms of idf(t) * f (k1 + 1) / (f + k1 (1 - b + b |d| / avgdl))
 * FTS5 gives it with the sign turned (best is least); the score here is best when greatest. */
#include "agent/builtin.h"
#include "agent/search.h"
#include "agent/sqlite.h"
#include "base/json.h"
#include <string.h>

#define TERMS_MOST 64
#define USUAL      5
#define SCORE      "bm25(passages, 4.0, 1.0)"
#define BYTES_MOST 900000 /* of the results' texts: below the output's 1 MiB */

static bool is_space(unsigned char c)
{
    return c <= ' '; /* NUL and control characters, too: FTS5 reads a C string */
}

static bool is_letter(unsigned char c) /* or digit, or part of a character beyond ASCII */
{
    return c >= 0x80 || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* One term without what is around its letters; 1 when there was something left. */
static int term_give(const char *s, size_t n, bool prefix, agent_search_term_fn *on, void *context)
{
    while (n && !is_letter((unsigned char)s[0]))
        s++, n--;
    while (n && !is_letter((unsigned char)s[n - 1]))
        n--;
    int rc = n ? on(context, s, n, prefix) : 0;
    return rc ? rc : n > 0;
}

int agent_search_terms(const char *query, size_t bytes, agent_search_term_fn *on, void *context)
{
    int terms = 0;
    for (size_t i = 0; i < bytes;) {
        size_t from = i, end;
        bool prefix = false;
        const char *close = query[i] == '"' ? memchr(query + i + 1, '"', bytes - i - 1) : NULL;
        if (is_space((unsigned char)query[i])) {
            i++;
            continue;
        }
        if (close) {
            end = (size_t)(close - query);
            i = end + 1;
        } else {
            while (i < bytes && !is_space((unsigned char)query[i]) &&
                   (query[i] != '"' || i == from))
                i++;
            end = i;
            prefix = query[end - 1] == '*';
        }
        int one = term_give(query + from, end - from, prefix, on, context);
        if (one < 0)
            return one;
        terms += one;
        if (terms > TERMS_MOST)
            return base_error_set(BASE_E_LIMIT, "a query of more than %d words", TERMS_MOST);
    }
    return terms;
}

struct expression {
    struct base_buffer *out;
    const char *between;
    unsigned n;
};

static int term_append(void *context, const char *s, size_t n, bool prefix)
{
    struct expression *e = context;
    int rc = base_buffer_puts(e->out, e->n++ ? e->between : "");
    if (!rc)
        rc = base_buffer_puts(e->out, "\"");
    for (size_t i = 0; i < n && !rc; i++)
        rc = s[i] == '"'
                 ? base_buffer_puts(e->out, "\"\"")
                 : base_buffer_append(e->out, is_space((unsigned char)s[i]) ? " " : s + i, 1);
    return rc ? rc : base_buffer_puts(e->out, prefix ? "\"*" : "\"");
}

int agent_search_quote(const char *query, size_t bytes, bool any, struct base_buffer *out)
{
    struct expression e = { .out = out, .between = any ? " OR " : " AND " };
    return agent_search_terms(query, bytes, term_append, &e);
}

static json_t *text_of(sqlite3_stmt *q, int i)
{
    const char *text = (const char *)agent_sqlite.column_text(q, i);
    return text ? base_json_text(text, (size_t)agent_sqlite.column_bytes(q, i)) : json_null();
}

static int result_add(sqlite3_stmt *q, bool whole, json_t *results)
{
    json_t *one = json_pack("{s:o, s:o, s:o, s:I, s:I, s:f, s:o}", "path", text_of(q, 0), "record",
                            text_of(q, 1), "title", text_of(q, 2), "line",
                            (json_int_t)agent_sqlite.column_int64(q, 3), "offset",
                            (json_int_t)agent_sqlite.column_int64(q, 4), "score",
                            agent_sqlite.column_double(q, 5), "snippet", text_of(q, 6));
    if (one && whole && json_object_set_new(one, "text", text_of(q, 7))) {
        json_decref(one);
        return BASE_E_MEMORY;
    }
    return json_array_append_new(results, one) ? BASE_E_MEMORY : 0;
}

static int search(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    const json_t *query = json_object_get(arguments, "query");
    const json_t *limit = json_object_get(arguments, "limit");
    const char *match = json_string_value(json_object_get(arguments, "match"));
    size_t most = limit ? (size_t)json_number_value(limit) : USUAL, bytes = 0;
    bool whole = json_is_true(json_object_get(arguments, "text")), more = false;
    struct base_buffer expression = { 0 };
    struct agent_database d = { 0 };
    sqlite3_stmt *q = NULL;
    json_t *results = json_array();
    int code, terms, rc = results ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    terms = agent_search_quote(json_string_value(query), json_string_length(query),
                               !match || strcmp(match, "any") == 0, &expression);
    if (terms < 0)
        rc = terms;
    else if (!terms)
        rc = base_error_set(BASE_E_ARGUMENT, "the query holds no word to look for");
    if (!rc)
        rc = agent_database_open(&d, tool->context);
    if (!rc && (d.application != AGENT_INDEX_APPLICATION || d.version != AGENT_INDEX_VERSION))
        rc = base_error_set(BASE_E_FORMAT,
                            "%s: no index of documents: make one with `assay tools index`", d.path);
    if (rc)
        goto out;
    code = agent_sqlite.prepare_v2(
        d.handle,
        "SELECT path, record, title, line, byte, -" SCORE
        ", snippet(passages, 1, '**', '**', ' … ', 40), text FROM passages WHERE passages MATCH ?1 "
        "ORDER BY " SCORE ", rowid LIMIT ?2 OFFSET ?3",
        -1, &q, NULL);
    if (code == SQLITE_OK)
        code = agent_sqlite.bind_text(q, 1, expression.data, (int)expression.length, SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = agent_sqlite.bind_int64(q, 2, (sqlite3_int64)most + 1);
    if (code == SQLITE_OK)
        code = agent_sqlite.bind_int64(
            q, 3, (sqlite3_int64)json_number_value(json_object_get(arguments, "offset")));
    if (code != SQLITE_OK)
        rc = agent_database_fail(&d, code);
    while (!rc && (code = agent_sqlite.step(q)) == SQLITE_ROW) {
        /* 2: a quote or a newline in JSON; other control characters are rare in texts */
        bytes += 2 * (size_t)(agent_sqlite.column_bytes(q, 2) + agent_sqlite.column_bytes(q, 6));
        bytes += whole ? 2 * (size_t)agent_sqlite.column_bytes(q, 7) : 0;
        if ((more = json_array_size(results) == most || bytes > BYTES_MOST))
            break;
        rc = result_add(q, whole, results);
    }
    if (!rc && code != SQLITE_DONE && code != SQLITE_ROW)
        rc = agent_database_fail(&d, code);
    if (!rc) {
        *out = json_pack("{s:O, s:b}", "results", results, "more", more);
        rc = *out ? 0 : BASE_E_MEMORY;
    }
out:
    if (q)
        agent_sqlite.finalize(q);
    agent_database_close(&d);
    base_buffer_free(&expression);
    json_decref(results);
    return rc;
}

const struct agent_tool agent_tool_search = {
    .name = "search",
    .title = "Search documents",
    .description =
        "Full-text search in the user's documents: the passages that fit best, with their path, "
        "line and a snippet. The query is plain words; \"quoted words\" must stand together, and "
        "word* finds what begins so. Passages with any of the words are found, those with the "
        "rarer ones first; match \"all\" asks for every word.",
    .input = "{\"type\": \"object\", \"properties\": {\"query\": {\"type\": \"string\", "
             "\"minLength\": 1, \"maxLength\": 1000}, \"limit\": {\"type\": \"integer\", "
             "\"minimum\": 1, \"maximum\": 50, \"description\": \"results; 5 when not given\"}, "
             "\"offset\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 1000}, \"match\": "
             "{\"enum\": [\"any\", \"all\"]}, \"text\": {\"type\": \"boolean\", "
             "\"description\": \"the passages in full, too\"}}, \"required\": [\"query\"], "
             "\"additionalProperties\": false}",
    .output = "{\"type\": \"object\", \"properties\": {\"results\": {\"type\": \"array\", "
              "\"items\": {\"type\": \"object\", \"properties\": {\"path\": {\"type\": "
              "\"string\"}, \"record\": {\"type\": [\"string\", \"null\"]}, \"title\": {\"type\": "
              "\"string\"}, \"line\": {\"type\": \"integer\"}, \"offset\": {\"type\": "
              "\"integer\"}, \"score\": {\"type\": \"number\"}, \"snippet\": {\"type\": "
              "\"string\"}, \"text\": {\"type\": \"string\"}}, \"required\": [\"path\", "
              "\"record\", \"title\", \"line\", \"offset\", \"score\", \"snippet\"]}}, \"more\": "
              "{\"type\": \"boolean\"}}, \"required\": [\"results\", \"more\"], "
              "\"additionalProperties\": false}",
    .read_only = true,
    .idempotent = true,
    .run = search,
};
