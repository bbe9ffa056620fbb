/* Samples, one at a time: out of a memory-mapped file whose pages are given back behind, or out of
 * the store's parts. Lines, or lm-eval 0.4.0's array of records, which is walked by matching
 * brackets outside of strings: either way one record is in memory.
 *
 * Which doc_ids came before is kept as bitmaps of 4,096 ids, one per page and filter that occurs.
 */
#include "base/buffer.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "eval/results_run.h"
#include <string.h>

#define DROP_STEP    ((size_t)16 << 20) /* bytes behind that are worth a system call */
#define PAGE_IDS     4096
#define MOST_FILTERS 256

struct eval_samples {
    struct base_map map;
    const char *text; /* the map's, or part */
    size_t bytes, at;
    size_t line; /* of `at`, 1-based */
    size_t dropped;
    bool array, begun;
    size_t record; /* records handed out */
    struct base_buffer place;
    char *name; /* of file or run and task, for messages */

    const struct eval_run *run; /* whose store is read; NULL for a file */
    char *task;
    size_t part;
    char *part_text;

    char *filters[MOST_FILTERS];
    size_t n_filters;
    struct base_table *pages; /* (filter, page) -> index into bits */
    uint64_t (*bits)[PAGE_IDS / 64];
    size_t n_pages, pages_capacity;
};

int eval_samples_open(struct eval_samples **out, const struct eval_run *r, const char *task)
{
    *out = NULL;
    const struct run_task *t = eval_run_find_task(r, task);
    if (!t)
        return base_error_set(BASE_E_ARGUMENT, "%s: has no task %s", r->where, task);
    if (!t->samples && !t->stored)
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: has no samples of %s (lm-eval keeps them with --log_samples)",
                              r->where, task);
    struct eval_samples *s = base_alloc_zero(1, sizeof *s);
    if (!s)
        return BASE_E_MEMORY;
    int rc = base_table_new(&s->pages, 16);
    s->line = 1;
    if (rc == 0 && t->samples) {
        rc = base_map_open(&s->map, t->samples);
        s->text = (const char *)s->map.data;
        s->bytes = s->map.bytes;
        if (rc == 0 && !(s->name = base_strdup(t->samples)))
            rc = BASE_E_MEMORY;
    } else if (rc == 0) {
        s->run = r;
        if (!(s->task = base_strdup(task)) ||
            !(s->name = base_format("run %s, %s", eval_run_id_of(r), task)))
            rc = BASE_E_MEMORY;
    }
    if (rc) {
        eval_samples_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void eval_samples_close(struct eval_samples *s)
{
    if (!s)
        return;
    base_map_close(&s->map);
    base_buffer_free(&s->place);
    for (size_t i = 0; i < s->n_filters; i++)
        base_free(s->filters[i]);
    base_table_free(s->pages);
    base_free(s->bits);
    base_free(s->name);
    base_free(s->task);
    base_free(s->part_text);
    base_free(s);
}

const char *eval_samples_place(const struct eval_samples *s)
{
    return s->place.data ? s->place.data : "";
}

static bool space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct eval_samples *s)
{
    for (; s->at < s->bytes && space(s->text[s->at]); s->at++)
        s->line += s->text[s->at] == '\n';
}

/* Bytes of the object at `at`, or 0 when the text ends before it does; counts lines. */
static size_t object_bytes(const struct eval_samples *s, size_t *lines)
{
    bool in_string = false;
    size_t depth = 0;
    *lines = 0;
    for (size_t i = s->at; i < s->bytes; i++) {
        char c = s->text[i];
        *lines += c == '\n';
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return i + 1 - s->at;
        }
    }
    return 0;
}

static int torn(const struct eval_samples *s)
{
    return base_error_set(BASE_E_FORMAT,
                          "%s:%zu: torn record: the file ends inside of it (delete it, or run the "
                          "evaluation again)",
                          s->name, s->line);
}

/* The next record's bytes: 1, 0 at the end, negative. s->line stays at its first line; *lines are
 * those to go on by. */
static int next_text(struct eval_samples *s, const char **text, size_t *n, size_t *lines)
{
    skip_space(s);
    if (!s->begun && s->at < s->bytes) {
        s->begun = true;
        s->array = !s->run && s->text[s->at] == '[';
        s->at += s->array;
        skip_space(s);
    } else if (s->array && s->at < s->bytes && s->text[s->at] == ',') {
        s->at++;
        skip_space(s);
    }
    if (s->at >= s->bytes)
        return s->array ? torn(s) : 0;
    *text = s->text + s->at;
    if (!s->array) {
        const char *end = memchr(*text, '\n', s->bytes - s->at);
        *n = end ? (size_t)(end - *text) : s->bytes - s->at;
        *lines = 0; /* the newline is skipped as a space */
        return 1;
    }
    if (**text == ']') {
        s->at++;
        skip_space(s);
        if (s->at < s->bytes)
            return base_error_set(BASE_E_FORMAT, "%s:%zu: text after the end of the list", s->name,
                                  s->line);
        s->array = false; /* the end, every time */
        return 0;
    }
    if (**text != '{')
        return base_error_set(BASE_E_FORMAT, "%s:%zu: expected a record, an object", s->name,
                              s->line);
    return (*n = object_bytes(s, lines)) ? 1 : torn(s);
}

static int parse(struct eval_samples *s, const char *text, size_t n, json_t **out)
{
    int rc = eval_results_parse(out, text, n, s->place.data);
    if (rc == BASE_E_FORMAT && !s->run && text + n == s->text + s->bytes)
        return torn(s); /* no newline after it: the writer was cut off */
    if (rc == 0 && !json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return base_error_set(BASE_E_FORMAT, "%s: expected a sample, an object", s->place.data);
    }
    return rc;
}

/* Remembers (doc_id, filter); BASE_E_FORMAT when it was there. */
static int check_once(struct eval_samples *s, const json_t *sample)
{
    const json_t *id = json_object_get(sample, "doc_id");
    json_int_t doc = json_integer_value(id);
    if (!json_is_integer(id) || doc < 0 || doc >= UINT32_MAX)
        return base_error_set(BASE_E_FORMAT,
                              "%s: doc_id: expected an integer from 0 to 4294967294%s",
                              s->place.data, id ? "" : ", it is missing");
    const char *filter = json_string_value(json_object_get(sample, "filter"));
    filter = filter ? filter : "none";
    size_t f = 0;
    while (f < s->n_filters && strcmp(s->filters[f], filter) != 0)
        f++;
    if (f == MOST_FILTERS)
        return base_error_set(BASE_E_LIMIT, "%s: more than %d filters", s->place.data,
                              MOST_FILTERS);
    if (f == s->n_filters) {
        if (!(s->filters[f] = base_strdup(filter)))
            return BASE_E_MEMORY;
        s->n_filters++;
    }
    uint32_t key[2] = { (uint32_t)f, (uint32_t)(doc / PAGE_IDS) };
    const int64_t *known = base_table_get(s->pages, (const char *)key, sizeof key);
    size_t page = known ? (size_t)*known : s->n_pages;
    if (!known) {
        if (s->n_pages == s->pages_capacity) {
            size_t capacity = s->pages_capacity ? 2 * s->pages_capacity : 16;
            void *grown = base_realloc(s->bits, capacity, sizeof *s->bits);
            if (!grown)
                return BASE_E_MEMORY;
            s->bits = grown;
            s->pages_capacity = capacity;
        }
        int rc = base_table_put(s->pages, (const char *)key, sizeof key, (int64_t)page);
        if (rc)
            return rc;
        memset(s->bits[page], 0, sizeof s->bits[page]);
        s->n_pages++;
    }
    uint64_t *word = &s->bits[page][doc % PAGE_IDS / 64], bit = (uint64_t)1 << (doc % 64);
    if (*word & bit)
        return base_error_set(BASE_E_FORMAT,
                              "%s: doc_id %lld comes a second time for filter %s (delete one of "
                              "the two, or run the evaluation again)",
                              s->place.data, (long long)doc, filter);
    *word |= bit;
    return 0;
}

/* The next part of the store when this one is used up: 1 when there is text, 0 at the end. */
static int refill(struct eval_samples *s)
{
    skip_space(s);
    if (s->at < s->bytes || !s->run)
        return 1;
    base_free(s->part_text);
    s->part_text = NULL;
    s->text = NULL;
    s->bytes = s->at = 0;
    int rc = eval_store_part(s->run->store, eval_run_id_of(s->run), s->task, s->part, &s->part_text,
                             &s->bytes);
    if (rc <= 0)
        return rc;
    s->text = s->part_text;
    s->part++;
    return 1;
}

int eval_samples_next(struct eval_samples *s, json_t **sample)
{
    const char *text = NULL;
    size_t n = 0, lines = 0;
    *sample = NULL;
    int rc = refill(s);
    if (rc <= 0 || (rc = next_text(s, &text, &n, &lines)) <= 0)
        return rc;
    base_buffer_clear(&s->place);
    rc = s->run ? base_buffer_printf(&s->place, "%s: record %zu", s->name, s->record + 1)
                : base_buffer_printf(&s->place, "%s:%zu", s->name, s->line);
    if (rc || (rc = parse(s, text, n, sample)))
        return rc;
    s->record++;
    s->line += lines;
    s->at += n;
    if (s->map.data && s->at - s->dropped >= DROP_STEP) {
        base_map_drop(&s->map, s->text + s->dropped, s->at - s->dropped);
        s->dropped = s->at;
    }
    rc = check_once(s, *sample);
    const json_t *doc = json_object_get(*sample, "doc");
    if (rc == 0 && doc && !json_is_string(json_object_get(*sample, "doc_hash"))) {
        char hex[BASE_SHA256_HEX];
        if ((rc = eval_document_hash(doc, hex)) == 0 &&
            json_object_set_new(*sample, "doc_hash", json_string(hex)))
            rc = base_error_set(BASE_E_MEMORY, "%s: out of memory", s->place.data);
    }
    if (rc) {
        json_decref(*sample);
        *sample = NULL;
        return rc;
    }
    return 1;
}
