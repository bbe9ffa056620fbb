/* The runner; see assay/runner.h. Items are taken in groups; a group's requests are looked up in
 * the journal and the cache, the rest asked together, so that the backend sees many requests with
 * shared prefixes at once. Within a group the ranks take contiguous shares of about the same number
 * of bytes, and their answers are gathered on rank 0, which judges in the order of items. */
#include <assay/runner.h>
#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "dist/dist.h"
#include "eval/answers.h"
#include <dirent.h>
#include <errno.h>
#include <string.h>

#define GROUP       8192
#define GROUP_BYTES ((size_t)64 << 20)

struct totals {
    uint64_t items, requests, asked, from_journal, from_cache, cut, skipped, retokenized;
};
struct eval_runner {
    struct eval_backend *backend;
    struct eval_runner_options options;
    struct eval_answers *journal, *cache; /* NULL: none */
    struct totals totals;
};

/* ---- opening ---- */

struct list {
    char **at;
    size_t count;
};

/* The journals of a directory: of every rank, for a run may go on with another number of them. */
static int list_journals(const char *directory, struct list *l)
{
    DIR *d = opendir(directory);
    int rc = d ? 0 : base_error_set(BASE_E_IO, "%s: %s", directory, strerror(errno));
    for (const struct dirent *e; rc == 0 && (e = readdir(d));) {
        if (!base_starts_with(e->d_name, "answers.") || !base_ends_with(e->d_name, ".journal"))
            continue;
        char **more = base_realloc(l->at, l->count + 1, sizeof *more);
        if (more)
            l->at = more;
        if (!more || !(more[l->count] = base_path_join(directory, e->d_name)))
            rc = BASE_E_MEMORY;
        else
            l->count++;
    }
    if (d)
        closedir(d);
    return rc;
}

static int open_journal(struct eval_runner *r)
{
    char *own = base_format("%s/answers.%d.journal", r->options.directory, dist_rank());
    struct list found = { 0 };
    int rc = own ? 0 : BASE_E_MEMORY;
    if (rc == 0 && dist_rank() == 0)
        rc = base_file_make_directories(r->options.directory);
    if ((rc = dist_agree(rc)) == 0)
        rc = list_journals(r->options.directory, &found);
    if (rc == 0)
        rc = eval_answers_open(&r->journal, (const char *const *)found.at, found.count, own);
    for (size_t i = 0; i < found.count; i++)
        base_free(found.at[i]);
    base_free(found.at);
    base_free(own);
    return dist_agree(rc);
}

static int open_cache(struct eval_runner *r)
{
    char *path;
    if (base_file_is_directory(r->options.cache) || base_ends_with(r->options.cache, "/"))
        path = base_format("%s/answers-%.16s.cache", r->options.cache,
                           eval_backend_identity(r->backend));
    else
        path = base_strdup(r->options.cache);
    int rc = path ? 0 : BASE_E_MEMORY;
    if (rc == 0 && dist_rank() == 0 && base_ends_with(r->options.cache, "/"))
        rc = base_file_make_directories(r->options.cache);
    if ((rc = dist_agree(rc)) == 0) {
        const char *const files[] = { path };
        rc = eval_answers_open(&r->cache, files, 1, path);
    }
    base_free(path);
    return dist_agree(rc);
}

int eval_runner_new(struct eval_runner **out, struct eval_backend *b,
                    const struct eval_runner_options *options)
{
    *out = NULL;
    struct eval_runner *r = base_alloc_zero(1, sizeof *r);
    int rc = dist_agree(r ? 0 : BASE_E_MEMORY);
    if (rc) {
        base_free(r);
        return rc;
    }
    r->backend = b;
    r->options = *options;
    if (r->options.group == 0)
        r->options.group = GROUP;
    if (r->options.level == 0)
        r->options.level = 0.95;
    if (r->options.directory)
        rc = open_journal(r);
    if (rc == 0 && r->options.cache)
        rc = open_cache(r);
    if (rc)
        eval_runner_free(r);
    else
        *out = r;
    return rc;
}

void eval_runner_free(struct eval_runner *r)
{
    if (!r)
        return;
    eval_answers_close(r->journal);
    eval_answers_close(r->cache);
    base_free(r);
}

json_t *eval_runner_counters(const struct eval_runner *r)
{
    const struct totals *t = &r->totals;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i}", "items", (json_int_t)t->items,
                     "requests", (json_int_t)t->requests, "asked", (json_int_t)t->asked,
                     "from_journal", (json_int_t)t->from_journal, "from_cache",
                     (json_int_t)t->from_cache, "cut", (json_int_t)t->cut, "skipped",
                     (json_int_t)t->skipped, "boundary_retokenized", (json_int_t)t->retokenized,
                     "ranks", dist_size());
}

/* ---- a group of items ---- */

struct group {
    struct eval_item *items;
    size_t n_items, capacity;
    size_t *first; /* [n_items + 1]: an item's first request among the group's */
    size_t n_requests;
    size_t bytes;
    struct eval_response *responses; /* [n_requests] */
};

static void group_clear(struct group *g)
{
    for (size_t i = 0; g->responses && i < g->n_requests; i++)
        eval_response_clear(&g->responses[i]);
    for (size_t i = 0; i < g->n_items; i++)
        eval_item_clear(&g->items[i]);
    base_free(g->responses);
    g->responses = NULL;
    g->n_items = g->n_requests = g->bytes = 0;
}

static void group_free(struct group *g)
{
    group_clear(g);
    base_free(g->items);
    base_free(g->first);
}

static size_t item_bytes(const struct eval_item *item)
{
    size_t bytes = 64;
    for (size_t i = 0; i < item->n_requests; i++) {
        const struct eval_request *q = &item->requests[i];
        bytes += (q->context ? strlen(q->context) : 0) +
                 (q->continuation ? strlen(q->continuation) : 0) + 64;
        if (q->generation)
            bytes += 16 * q->generation->max_tokens *
                     (q->generation->repeats ? q->generation->repeats : 1);
    }
    return bytes;
}

/* Items until the group is full; *more: whether there may be others behind. */
static int group_fill(struct group *g, struct eval_task *t, size_t requests, bool *more)
{
    *more = true;
    while (g->n_requests < requests && g->bytes < GROUP_BYTES) {
        if (g->n_items == g->capacity) {
            size_t capacity = g->capacity * 2 + 64;
            struct eval_item *items = base_realloc(g->items, capacity, sizeof *items);
            if (!items)
                return BASE_E_MEMORY;
            g->items = items;
            size_t *first = base_realloc(g->first, capacity + 1, sizeof *first);
            if (!first)
                return BASE_E_MEMORY;
            g->first = first;
            g->capacity = capacity;
        }
        struct eval_item *item = &g->items[g->n_items];
        memset(item, 0, sizeof *item);
        int rc = eval_task_next(t, item);
        if (rc <= 0) {
            eval_item_clear(item);
            *more = false;
            return rc;
        }
        g->first[g->n_items++] = g->n_requests;
        g->n_requests += item->n_requests;
        g->first[g->n_items] = g->n_requests;
        g->bytes += item_bytes(item);
    }
    return 0;
}

/* This rank's items: [*from, *to). Shares of about the same number of bytes. */
static void share(const struct group *g, size_t *from, size_t *to)
{
    size_t done = 0, rank = (size_t)dist_rank(), size = (size_t)dist_size();
    *from = *to = g->n_items;
    for (size_t i = 0; i < g->n_items; i++) {
        size_t owner = (size_t)((double)done / (double)g->bytes * (double)size);
        if (owner >= size)
            owner = size - 1;
        if (owner == rank && *from == g->n_items)
            *from = i;
        if (owner > rank) {
            *to = i;
            break;
        }
        done += item_bytes(&g->items[i]);
    }
    if (*from > *to)
        *from = *to;
}

/* ---- asking ---- */

struct asking {
    struct eval_runner *runner;
    const struct group *group;
    const struct eval_request **requests; /* [n] those that nobody has answered yet */
    size_t *place;                        /* [n] among the group's */
    uint8_t (*keys)[EVAL_KEY_BYTES];      /* [n] */
    size_t *item;                         /* [n] */
    size_t *open;                         /* [items of the group]: requests still to be answered */
    size_t n;
    struct base_progress *progress;
    uint64_t done; /* items, for the progress line */
};

static void count(struct eval_runner *r, const struct eval_response *p)
{
    r->totals.cut += p->cut > 0;
    r->totals.skipped += p->skipped;
    r->totals.retokenized += p->boundary_retokenized;
}

static int on_answered(void *context, size_t index, const struct eval_response *response)
{
    struct asking *a = context;
    struct eval_runner *r = a->runner;
    int rc = r->journal ? eval_answers_put(r->journal, a->keys[index], response) : 0;
    if (rc == 0 && r->cache)
        rc = eval_answers_put(r->cache, a->keys[index], response);
    if (--a->open[a->item[index]] == 0)
        a->done += (uint64_t)dist_size();
    base_progress_update(a->progress, a->done, NULL);
    return rc;
}

static int find_kept(struct eval_runner *r, const uint8_t key[EVAL_KEY_BYTES],
                     struct eval_response *response)
{
    int found = r->journal ? eval_answers_find(r->journal, key, response) : 0;
    if (found == 1)
        r->totals.from_journal++;
    if (found || !r->cache)
        return found;
    found = eval_answers_find(r->cache, key, response);
    if (found == 1) {
        r->totals.from_cache++;
        /* the run stands by itself: it can go on without the cache */
        int rc = r->journal ? eval_answers_put(r->journal, key, response) : 0;
        if (rc)
            return rc;
    }
    return found;
}

/* What is kept into the responses; the others into the list. */
static int look_up(struct asking *a, size_t from, size_t to)
{
    const struct group *g = a->group;
    struct eval_runner *r = a->runner;
    bool keep = r->journal || r->cache;
    for (size_t i = from; i < to; i++) {
        a->open[i] = 0;
        for (size_t k = 0; k < g->items[i].n_requests; k++) {
            const struct eval_request *q = &g->items[i].requests[k];
            size_t place = g->first[i] + k;
            int rc =
                keep ? eval_answer_key(eval_backend_identity(r->backend), q, a->keys[a->n]) : 0;
            int found = rc || !keep ? rc : find_kept(r, a->keys[a->n], &g->responses[place]);
            if (found < 0)
                return found;
            if (found)
                continue;
            a->requests[a->n] = q;
            a->place[a->n] = place;
            a->item[a->n++] = i;
            a->open[i]++;
        }
        if (a->open[i] == 0)
            a->done += (uint64_t)dist_size();
    }
    return 0;
}

/* Answers the items [from, to) of the group. */
static int answer_share(struct eval_runner *r, const struct group *g, size_t from, size_t to,
                        struct base_progress *progress, uint64_t done)
{
    size_t most = from < to ? g->first[to] - g->first[from] : 0;
    struct asking a = { .runner = r, .group = g, .progress = progress, .done = done };
    struct eval_response *answers = NULL;
    a.requests = base_alloc(most, sizeof *a.requests);
    a.place = base_alloc(most, sizeof *a.place);
    a.keys = base_alloc(most + 1, sizeof *a.keys);
    a.item = base_alloc(most, sizeof *a.item);
    a.open = base_alloc(g->n_items, sizeof *a.open);
    int rc =
        a.requests && a.place && a.keys && a.item && a.open ? look_up(&a, from, to) : BASE_E_MEMORY;
    answers = rc ? NULL : base_alloc_zero(a.n, sizeof *answers);
    if (rc == 0 && !answers)
        rc = BASE_E_MEMORY;
    if (rc == 0)
        rc = eval_backend_ask(r->backend, a.requests, a.n, answers, on_answered, &a);
    for (size_t i = 0; answers && i < a.n; i++) {
        if (rc == 0)
            g->responses[a.place[i]] = answers[i];
        else
            eval_response_clear(&answers[i]);
    }
    r->totals.asked += rc == 0 ? a.n : 0;
    /* what was answered is kept, whatever happened then */
    int kept = r->journal ? eval_answers_flush(r->journal) : 0;
    if (kept == 0 && r->cache)
        kept = eval_answers_flush(r->cache);
    base_free(answers);
    base_free(a.requests);
    base_free(a.place);
    base_free(a.keys);
    base_free(a.item);
    base_free(a.open);
    return rc ? rc : kept;
}

/* The answers of all ranks on rank 0. */
static int exchange(struct group *g, size_t from, size_t to)
{
    struct base_buffer own = { 0 }, all = { 0 };
    size_t end = from < to ? g->first[to] : 0;
    int rc = 0;
    if (dist_size() == 1)
        return 0;
    for (size_t i = from < to ? g->first[from] : 0; rc == 0 && i < end; i++)
        rc = eval_answer_pack(&own, &g->responses[i]);
    if ((rc = dist_agree(rc)) == 0)
        rc = dist_gather(own.data, own.length, &all);
    if (rc == 0 && dist_rank() == 0) {
        size_t at = 0, used = 0;
        for (size_t i = 0; rc == 0 && i < g->n_requests; i++) {
            eval_response_clear(&g->responses[i]);
            rc = eval_answer_unpack(all.data + at, all.length - at, &g->responses[i], &used);
            at += used;
        }
    }
    base_buffer_free(&own);
    base_buffer_free(&all);
    return dist_agree(rc);
}

/* ---- judging ---- */

static int judge(struct eval_runner *r, struct eval_task *t, const struct group *g,
                 struct eval_tally *tally, eval_sample_fn *on_sample, void *context)
{
    for (size_t i = 0; i < g->n_requests; i++)
        count(r, &g->responses[i]);
    for (size_t i = 0; i < g->n_items; i++) {
        json_t *samples = NULL, *sample;
        size_t k;
        int rc = eval_task_judge(t, &g->items[i], g->responses + g->first[i], &samples);
        if (rc == 0)
            json_array_foreach(samples, k, sample)
            {
                if ((rc = eval_tally_add(tally, sample)) ||
                    (on_sample && (rc = on_sample(context, sample))))
                    break;
            }
        json_decref(samples);
        if (rc)
            return base_error_prefix(rc, "item %zu", g->items[i].doc_id);
    }
    return 0;
}

static int run_groups(struct eval_runner *r, struct eval_task *t, struct group *g,
                      struct eval_tally *tally, struct base_progress *progress,
                      eval_sample_fn *on_sample, void *context)
{
    bool more = true;
    uint64_t done = 0;
    while (more) {
        size_t from = 0, to = 0;
        group_clear(g);
        int rc = group_fill(g, t, r->options.group * (size_t)dist_size(), &more);
        if (rc == 0 && !(g->responses = base_alloc_zero(g->n_requests, sizeof *g->responses)))
            rc = BASE_E_MEMORY;
        if (rc == 0) {
            share(g, &from, &to);
            rc = answer_share(r, g, from, to, progress, done);
        }
        if ((rc = dist_agree(rc)) || (rc = exchange(g, from, to)))
            return rc;
        if (dist_rank() == 0)
            rc = judge(r, t, g, tally, on_sample, context);
        if ((rc = dist_agree(rc)))
            return rc;
        r->totals.items += g->n_items;
        r->totals.requests += g->n_requests;
        done += g->n_items;
        base_progress_update(progress, done, NULL);
    }
    return 0;
}

/* Counts that each rank has of its own share, summed. */
static int sum_totals(struct eval_runner *r, const struct totals *before)
{
    struct totals own = r->totals;
    uint64_t mine[3] = { own.asked - before->asked, own.from_journal - before->from_journal,
                         own.from_cache - before->from_cache };
    struct base_buffer all = { 0 };
    int rc = dist_size() > 1 ? dist_gather(mine, sizeof mine, &all) : 0;
    for (size_t i = 1; rc == 0 && dist_rank() == 0 && i < all.length / sizeof mine; i++) {
        uint64_t theirs[3];
        memcpy(theirs, all.data + i * sizeof mine, sizeof mine);
        r->totals.asked += theirs[0];
        r->totals.from_journal += theirs[1];
        r->totals.from_cache += theirs[2];
    }
    base_buffer_free(&all);
    return rc;
}

/* Adds the whole numbers of `more` to those of `sum`. */
static int add_counters(json_t *sum, const json_t *more)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)more, key, value)
    {
        const json_t *own = json_object_get(sum, key);
        if (json_is_integer(value) && (!own || json_is_integer(own)) &&
            json_object_set_new(sum, key,
                                json_integer(json_integer_value(own) + json_integer_value(value))))
            return BASE_E_MEMORY;
    }
    return 0;
}

int eval_runner_backend_counters(const struct eval_runner *r, json_t **out)
{
    struct base_buffer all = { 0 };
    json_t *own = eval_backend_counters(r->backend);
    char *text = own ? base_json_dump(own, false) : NULL;
    *out = NULL;
    int rc = text ? 0 : base_error_set(BASE_E_MEMORY, "out of memory: counters");
    if ((rc = dist_agree(rc)) == 0 && dist_size() > 1)
        rc = dist_gather(text, strlen(text) + 1, &all); /* each ends with a NUL */
    size_t at = dist_size() > 1 && dist_rank() == 0 && text ? strlen(text) + 1 : 0;
    for (size_t n; rc == 0 && dist_rank() == 0 && at < all.length; at += n) {
        json_t *theirs = NULL;
        n = strnlen(all.data + at, all.length - at) + 1;
        if ((rc = base_json_parse(&theirs, all.data + at, n - 1, "counters")) == 0)
            rc = add_counters(own, theirs);
        json_decref(theirs);
    }
    rc = dist_agree(rc);
    if (rc == 0 && dist_rank() == 0)
        *out = json_incref(own);
    base_buffer_free(&all);
    base_free(text);
    json_decref(own);
    return rc;
}

int eval_runner_run(struct eval_runner *r, struct eval_task *t, const char *label,
                    eval_sample_fn *on_sample, void *context, json_t **results)
{
    struct group g = { 0 };
    struct eval_tally *tally = NULL;
    struct totals before = r->totals;
    *results = NULL;
    int rc = dist_rank() == 0 ? eval_tally_new(&tally, t, r->options.level, r->options.seed) : 0;
    if ((rc = dist_agree(rc)))
        goto out;
    struct base_progress *progress =
        dist_rank() == 0 ? base_progress_begin(label, "items", eval_task_count(t)) : NULL;
    rc = run_groups(r, t, &g, tally, progress, on_sample, context);
    base_progress_end(progress);
    if (rc == 0)
        rc = sum_totals(r, &before);
    if (rc == 0 && dist_rank() == 0)
        rc = eval_tally_finish(tally, results);
    rc = dist_agree(rc);
out:
    group_free(&g);
    eval_tally_free(tally);
    return rc;
}
