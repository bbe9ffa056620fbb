/* Which solved examples go before a document.
 *
 * lm-eval's draw (--fewshot-rng python): one random.Random(seed) for the task, advanced document by
 * document in the order they are asked; k of the pool, or k + 1 when the document itself may be
 * among them, and then the document is taken out. Whether it may is decided by comparing the names
 * of the two splits, so where examples come from the evaluated split without fewshot_split saying
 * so, lm-eval does not take it out; nor does this.
 *
 * Ours: a stream of its own for every document, base_rng(seed, BASE_RNG_USER + 1, doc_id), k
 * distinct examples (a partial Fisher-Yates over the pool without the document), so an item's
 * prompt does not depend on which other items are asked. Balanced: every label gets floor(k/L)
 * examples, the rest goes to labels drawn at random, and the order is shuffled.
 *
 * first_n: the first k of the pool, without the document. */
#include "base/memory.h"
#include "base/rng.h"
#include "eval/python_text.h"
#include "eval/task_private.h"
#include <string.h>

/* One source of whole numbers for both generators. */
struct source {
    struct python_random *python; /* or NULL */
    struct base_rng ours;
};
static size_t below(struct source *s, size_t n)
{
    return s->python ? python_random_below(s->python, (uint32_t)n)
                     : (size_t)base_rng_below(&s->ours, n);
}

static int too_few(const struct eval_task *t, size_t have)
{
    return base_error_set(BASE_E_ARGUMENT,
                          "%s: %zu examples wanted, but only %zu documents to draw them from",
                          t->name, t->shots, have);
}

/* Indices of shot_docs that are not the document: new array. */
static int others(const struct eval_task *t, const json_t *doc, size_t **out, size_t *n)
{
    size_t count = json_array_size(t->shot_docs), kept = 0;
    size_t *list = base_alloc(count, sizeof *list);
    if (!list)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (!doc || !json_equal(json_array_get(t->shot_docs, i), (json_t *)(uintptr_t)doc))
            list[kept++] = i;
    *out = list;
    *n = kept;
    return 0;
}

/* lm-eval's ContextSampler.sample. */
static int draw_python(struct eval_task *t, const json_t *doc, size_t *out)
{
    size_t n = json_array_size(t->shot_docs), k = t->shots, kept = 0;
    if (!t->shot_excludes_item)
        return k > n ? too_few(t, n) : python_random_sample(&t->random, n, k, out);
    if (k + 1 > n)
        return too_few(t, n);
    size_t *drawn = base_alloc(k + 1, sizeof *drawn), *pool = NULL, count = 0;
    int rc = drawn ? python_random_sample(&t->random, n, k + 1, drawn) : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i <= k && kept < k; i++)
        if (!json_equal(json_array_get(t->shot_docs, drawn[i]), (json_t *)(uintptr_t)doc))
            out[kept++] = drawn[i];
    if (rc == 0 && kept < k) { /* copies of the document: again, from the rest */
        rc = others(t, doc, &pool, &count);
        rc = rc || count >= k ? rc : too_few(t, count);
        rc = rc ? rc : python_random_sample(&t->random, count, k, out);
        for (size_t i = 0; rc == 0 && i < k; i++)
            out[i] = pool[out[i]];
    }
    base_free(drawn);
    base_free(pool);
    return rc;
}

static bool same(const struct eval_task *t, const json_t *doc, size_t i)
{
    return doc && json_equal(json_array_get(t->shot_docs, i), (json_t *)(uintptr_t)doc);
}

/* Step i of a Fisher-Yates shuffle of pool [n], done only as far as it is looked at. */
static size_t shuffle_step(struct source *s, size_t *pool, size_t n, size_t i)
{
    size_t j = i + below(s, n - i), swap = pool[i];
    pool[i] = pool[j];
    pool[j] = swap;
    return pool[i];
}

static int draw_plain(struct eval_task *t, struct source *s, const json_t *doc, size_t *pool,
                      size_t n, size_t *out)
{
    size_t taken = 0;
    for (size_t i = 0; i < n && taken < t->shots; i++) {
        size_t candidate = t->sampler == TASK_SAMPLER_FIRST_N ? i : shuffle_step(s, pool, n, i);
        if (!same(t, doc, candidate))
            out[taken++] = candidate;
    }
    return taken < t->shots ? too_few(t, taken) : 0;
}

/* The label of every example as a number, labels numbered as they come: t->shot_labels is a list
 * with one integer per document of shot_docs. */
static int label_examples(struct eval_task *t, size_t *n_labels)
{
    json_t *seen = json_object(), *labels = json_array();
    int rc = seen && labels ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
    for (size_t i = 0; rc == 0 && i < json_array_size(t->shot_docs); i++) {
        json_t *target = NULL;
        struct base_buffer text = { 0 };
        rc = task_doc_target(t, &t->shot_form, json_array_get(t->shot_docs, i), &target);
        rc = rc ? rc : python_str(&text, target);
        const char *key = text.data ? text.data : "";
        if (rc == 0 && !json_object_get(seen, key))
            json_object_set_new(seen, key, json_integer((json_int_t)json_object_size(seen)));
        if (rc == 0 && json_array_append(labels, json_object_get(seen, key)))
            rc = base_error_set(BASE_E_MEMORY, "out of memory");
        json_decref(target);
        base_buffer_free(&text);
    }
    *n_labels = json_object_size(seen);
    json_decref(seen);
    if (rc) {
        json_decref(labels);
        return rc;
    }
    t->shot_labels = labels;
    t->n_shot_labels = *n_labels;
    return 0;
}

static int draw_balanced(struct eval_task *t, struct source *s, const json_t *doc, size_t *pool,
                         size_t n, size_t *out)
{
    size_t labels = t->n_shot_labels, k = t->shots, taken = 0;
    int rc = t->shot_labels ? 0 : label_examples(t, &labels);
    if (rc)
        return rc;
    size_t *quota = base_alloc_zero(labels, sizeof *quota);
    size_t *order = base_alloc(labels, sizeof *order);
    if (!quota || !order) {
        base_free(quota);
        base_free(order);
        return BASE_E_MEMORY;
    }
    for (size_t i = 0; i < labels; i++)
        order[i] = i;
    for (size_t i = 0; i < labels; i++)
        quota[shuffle_step(s, order, labels, i)] = k / labels + (i < k % labels);
    /* In random order, what a label still lacks; a label with too few documents leaves room, which
     * a second walk fills with any. */
    for (int walk = 0; walk < 2; walk++)
        for (size_t i = 0; i < n && taken < k; i++) {
            size_t candidate = walk ? pool[i] : shuffle_step(s, pool, n, i);
            if (candidate == SIZE_MAX || same(t, doc, candidate))
                continue;
            size_t label = (size_t)json_integer_value(json_array_get(t->shot_labels, candidate));
            if (walk == 0 && quota[label] == 0)
                continue;
            quota[label] -= walk == 0;
            out[taken++] = candidate;
            pool[i] = SIZE_MAX;
        }
    for (size_t i = 0; i < taken; i++)
        shuffle_step(s, out, taken, i);
    base_free(quota);
    base_free(order);
    return taken < k ? too_few(t, taken) : 0;
}

int task_fewshot_draw(struct eval_task *t, const json_t *doc, size_t doc_id, size_t *out)
{
    bool python = t->options.fewshot_python;
    if (python && t->sampler == TASK_SAMPLER_DEFAULT)
        return draw_python(t, doc, out);
    size_t n = json_array_size(t->shot_docs), *pool = base_alloc(n, sizeof *pool);
    if (!pool)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++)
        pool[i] = i;
    if (python && !t->shot_excludes_item)
        doc = NULL;
    struct source s = { python ? &t->random : NULL,
                        base_rng_make(t->options.fewshot_seed, BASE_RNG_USER + 1, doc_id) };
    int rc = t->sampler == TASK_SAMPLER_BALANCED ? draw_balanced(t, &s, doc, pool, n, out)
                                                 : draw_plain(t, &s, doc, pool, n, out);
    base_free(pool);
    return rc;
}
