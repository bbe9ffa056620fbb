/* The items of a task and the table of their runs. Equal runs of different items are one entry, so
 * the table is as large as the task's different runs, whatever the corpus. */
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/contamination.h"
#include "eval/fields.h"
#include <assay/data.h>
#include <assay/task.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int eval_contamination_new(struct eval_contamination **out,
                           const struct eval_contamination_options *options)
{
    *out = NULL;
    if (options->ngram < 1 || options->ngram > CONTAMINATION_RUN_MAX)
        return base_error_set(BASE_E_ARGUMENT, "a run has 1 to %d words, not %zu",
                              CONTAMINATION_RUN_MAX, options->ngram);
    if (!(options->dirty >= 0 && options->dirty < 1))
        return base_error_set(BASE_E_ARGUMENT,
                              "the share of runs that makes an item dirty is at least 0 and below "
                              "1, not %g",
                              options->dirty);
    struct eval_contamination *c = base_alloc_zero(1, sizeof *c);
    if (!c)
        return BASE_E_MEMORY;
    c->options = *options;
    c->corpus_field = base_strdup(options->corpus_field ? options->corpus_field : "text");
    c->scanner = base_alloc(1, sizeof *c->scanner);
    c->slot_mask = 1023;
    c->slots = base_alloc_zero(c->slot_mask + 1, sizeof *c->slots);
    if (!c->corpus_field || !c->scanner || !c->slots) {
        eval_contamination_free(c);
        return BASE_E_MEMORY;
    }
    contamination_scanner_init(c->scanner, options->ngram);
    *out = c;
    return 0;
}

void eval_contamination_free(struct eval_contamination *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_items; i++)
        base_free(c->items[i].id);
    for (size_t i = 0; i < c->n_files; i++)
        base_free(c->files[i]);
    base_buffer_free(&c->texts);
    base_free(c->corpus_field);
    base_free(c->grams);
    base_free(c->slots);
    base_free(c->filter);
    base_free(c->places);
    base_free(c->items);
    base_free(c->files);
    base_free(c->scanner);
    base_free(c);
}

static size_t slot_of(const struct eval_contamination *c, uint64_t hash)
{
    return (size_t)((hash ^ hash >> 31) * 0xD6E8FEB86659FD93u >> 17) & c->slot_mask;
}

struct contamination_gram *contamination_find(const struct eval_contamination *c,
                                              const struct contamination_run *run)
{
    for (size_t s = slot_of(c, run->hash); c->slots[s]; s = (s + 1) & c->slot_mask) {
        struct contamination_gram *g = &c->grams[c->slots[s] - 1];
        if (g->hash == run->hash && g->bytes == run->bytes &&
            memcmp(c->texts.data + g->from, run->text, run->bytes) == 0)
            return g;
    }
    return NULL;
}

static void slot_put(struct eval_contamination *c, size_t gram)
{
    size_t s = slot_of(c, c->grams[gram].hash);
    while (c->slots[s])
        s = (s + 1) & c->slot_mask;
    c->slots[s] = (uint32_t)gram + 1;
}

static int slots_grow(struct eval_contamination *c)
{
    if (2 * (c->n_grams + 1) <= c->slot_mask)
        return 0;
    uint32_t *slots = base_alloc_zero(2 * (c->slot_mask + 1), sizeof *slots);
    if (!slots)
        return BASE_E_MEMORY;
    base_free(c->slots);
    c->slots = slots;
    c->slot_mask = 2 * c->slot_mask + 1;
    for (size_t i = 0; i < c->n_grams; i++)
        slot_put(c, i);
    return 0;
}

static int gram_add(struct eval_contamination *c, const struct contamination_run *run, size_t *at)
{
    int rc = slots_grow(c);
    if (rc)
        return rc;
    if (c->n_grams == c->gram_room) {
        size_t room = c->gram_room * 2 + 1024;
        struct contamination_gram *more = base_realloc(c->grams, room, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        c->grams = more;
        c->gram_room = room;
    }
    if (c->n_grams >= UINT32_MAX - 1)
        return base_error_set(BASE_E_LIMIT, "more than %u different runs", UINT32_MAX - 1);
    size_t from = c->texts.length;
    /* The run one word before this one holds all of it but the last word: then that word alone is
     * written. */
    const struct contamination_gram *last = c->n_grams ? &c->grams[c->n_grams - 1] : NULL;
    const char *blank = last && last->from + last->bytes == from
                            ? memchr(c->texts.data + last->from, ' ', last->bytes)
                            : NULL;
    if (blank) {
        size_t shared = (size_t)(c->texts.data + from - (blank + 1));
        if (shared < run->bytes && run->text[shared] == ' ' &&
            memcmp(blank + 1, run->text, shared) == 0)
            from -= shared;
    }
    size_t have = c->texts.length - from;
    if ((rc = base_buffer_append(&c->texts, run->text + have, run->bytes - have)))
        return rc;
    *at = c->n_grams++;
    c->grams[*at] = (struct contamination_gram){ .hash = run->hash,
                                                 .from = from,
                                                 .bytes = (uint32_t)run->bytes };
    slot_put(c, *at);
    return 0;
}

/* ---- items ---- */

struct adding {
    struct eval_contamination *c;
    size_t word; /* number of the run's first word within the item */
};

static int item_run(struct adding *a, const struct contamination_run *run)
{
    struct eval_contamination *c = a->c;
    const struct contamination_gram *known = contamination_find(c, run);
    size_t gram = known ? (size_t)(known - c->grams) : 0;
    int rc = known ? 0 : gram_add(c, run, &gram);
    if (rc)
        return rc;
    if (c->n_places == c->place_room) {
        size_t room = c->place_room * 2 + 1024;
        struct contamination_place *more = base_realloc(c->places, room, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        c->places = more;
        c->place_room = room;
    }
    c->places[c->n_places++] =
        (struct contamination_place){ (uint32_t)gram, (uint32_t)(a->word + run->word) };
    return 0;
}

static int item_runs(void *context, const struct contamination_run *runs, size_t n)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = item_run(context, &runs[i]);
    return rc;
}

int eval_contamination_add(struct eval_contamination *c, const char *id, const char *const *texts,
                           const size_t *bytes, size_t n, double score)
{
    if (c->filter)
        return base_error_set(BASE_E_ARGUMENT, "items must be added before the first scan");
    if (c->n_items == c->item_room) {
        size_t room = c->item_room * 2 + 256;
        struct contamination_item *more = base_realloc(c->items, room, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        c->items = more;
        c->item_room = room;
    }
    struct contamination_item *item = &c->items[c->n_items];
    *item = (struct contamination_item){ base_strdup(id), score, c->n_places, 0, 0 };
    if (!item->id)
        return BASE_E_MEMORY;
    struct adding adding = { c, 0 };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        c->scanner->words = 0;
        rc = contamination_scan_text(c->scanner, texts[i], 0, bytes[i], bytes[i], true, item_runs,
                                     &adding, NULL);
        adding.word += (size_t)c->scanner->words;
    }
    if (rc) {
        base_free(item->id);
        return rc;
    }
    item->n = c->n_places - item->first;
    item->words = adding.word;
    c->n_items++;
    c->scored = c->scored || !isnan(score);
    return 0;
}

int contamination_filter_make(struct eval_contamination *c)
{
    if (c->filter)
        return 0;
    size_t bits = 4096;
    while (bits < 16 * c->n_grams)
        bits *= 2;
    c->filter = base_alloc_zero(bits / 64, sizeof *c->filter);
    if (!c->filter)
        return BASE_E_MEMORY;
    c->filter_mask = bits / 64 - 1;
    for (size_t i = 0; i < c->n_grams; i++) {
        uint64_t set, word = contamination_filter_word(c, c->grams[i].hash, &set);
        c->filter[word] |= set;
    }
    return 0;
}

/* ---- records as items ---- */

struct texts {
    const char **at;
    size_t *bytes;
    char **own; /* those of at that were made here, else NULL */
    size_t n, room;
};

static int texts_put(struct texts *t, const char *text, size_t bytes, char *own)
{
    if (t->n == t->room) {
        size_t room = t->room * 2 + 16;
        const char **at = base_realloc(t->at, room, sizeof *at);
        if (at)
            t->at = at;
        size_t *b = at ? base_realloc(t->bytes, room, sizeof *b) : NULL;
        if (b)
            t->bytes = b;
        char **o = b ? base_realloc(t->own, room, sizeof *o) : NULL;
        if (!o) {
            base_free(own);
            return BASE_E_MEMORY;
        }
        t->own = o;
        t->room = room;
    }
    t->at[t->n] = text;
    t->bytes[t->n] = bytes;
    t->own[t->n++] = own;
    return 0;
}

static void texts_clear(struct texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        base_free(t->own[i]);
    t->n = 0;
}

/* Every text in a value, however deep (base_json_parse limits the depth). */
static int texts_of(struct texts *t, const json_t *v)
{
    int rc = 0;
    size_t i;
    const char *key;
    json_t *inner;
    if (json_is_string(v))
        rc = texts_put(t, json_string_value(v), json_string_length(v), NULL);
    json_array_foreach(v, i, inner)
    {
        if (rc == 0)
            rc = texts_of(t, inner);
    }
    json_object_foreach((json_t *)v, key, inner)
    {
        if (rc == 0)
            rc = texts_of(t, inner);
    }
    return rc;
}

static int record_texts(struct texts *t, const json_t *row, const char *where,
                        const char *const *fields, size_t n)
{
    int rc = 0;
    if (n == 0) {
        const json_t *doc = json_object_get(row, "doc_id") ? json_object_get(row, "doc") : NULL;
        return texts_of(t, doc ? doc : row);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const json_t *v = strchr(fields[i], '{') ? NULL : eval_field_find(row, fields[i]);
        char *text = NULL;
        if (json_is_array(v) || json_is_object(v)) {
            rc = texts_of(t, v);
            continue;
        }
        rc = eval_field_fill(row, fields[i], where, &text);
        if (rc == 0)
            rc = texts_put(t, text, strlen(text), text);
    }
    return rc;
}

int eval_contamination_read(struct eval_contamination *c, const char *path,
                            const char *const *fields, size_t n, const char *id, const char *metric,
                            size_t limit)
{
    static const char *const id_names[] = { "doc_id", "id", NULL };
    struct data_records *records = NULL;
    struct texts texts = { 0 };
    json_t *row = NULL;
    size_t count = 0;
    int rc = data_records_open(&records, path, NULL);
    while (rc == 0 && !(limit && count == limit) && (rc = data_records_next(records, &row)) > 0) {
        const char *where = data_records_place(records);
        char *name = NULL;
        double score = NAN;
        const char *id_key = id ? id : eval_field_first(row, id_names);
        rc = record_texts(&texts, row, where, fields, n);
        if (rc == 0 && id_key)
            rc = eval_field_text(row, id_key, where, &name);
        else if (rc == 0 && !(name = base_format("%zu", count)))
            rc = BASE_E_MEMORY;
        if (rc == 0 && metric)
            rc = eval_field_number(row, metric, where, &score);
        if (rc == 0)
            rc = eval_contamination_add(c, name, texts.at, texts.bytes, texts.n, score);
        base_free(name);
        texts_clear(&texts);
        json_decref(row);
        count++;
    }
    data_records_close(records);
    base_free(texts.at);
    base_free(texts.bytes);
    base_free(texts.own);
    if (rc == 0 && count == 0)
        rc = base_error_set(BASE_E_FORMAT, "%s: there are no records", path);
    return rc;
}

int eval_contamination_task(struct eval_contamination *c, const char *name, const char *data,
                            const char *const *fields, size_t n, size_t limit)
{
    struct eval_task_options options = EVAL_TASK_OPTIONS_DEFAULT;
    struct eval_task *task = NULL;
    struct eval_item item;
    struct texts texts = { 0 };
    options.data = data;
    options.limit = limit;
    options.fewshot = 0;
    int rc = eval_task_open(&task, name, &options);
    while (rc == 0 && (rc = eval_task_next(task, &item)) > 0) {
        char where[160], id[32];
        snprintf(where, sizeof where, "%.100s, document %zu", name, item.doc_id);
        snprintf(id, sizeof id, "%zu", item.doc_id);
        rc = record_texts(&texts, item.doc, where, fields, n);
        if (rc == 0)
            rc = eval_contamination_add(c, id, texts.at, texts.bytes, texts.n, NAN);
        texts_clear(&texts);
        eval_item_clear(&item);
    }
    eval_task_free(task);
    base_free(texts.at);
    base_free(texts.bytes);
    base_free(texts.own);
    return rc;
}
