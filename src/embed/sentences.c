/* Vectors of sentences out of a language model: the mean, over a sentence's tokens, of the residual
 * stream after a block (special tokens run but do not count).
 *
 * Such a mean is a statistic of the sentence's tokens, so its spread comes from drawing them again:
 * resample b of sentence i takes as many of its tokens with replacement, stream (seed,
 * BASE_RNG_EMBED, 7 << 60 | b << 32 | i). With `center` every set of vectors is taken less its own
 * mean over the sentences: hidden states of language models share a large common part (Ethayarajh
 * 2019; Mu & Viswanath 2018), which makes every cosine near 1. */
#include "base/memory.h"
#include "base/rng.h"
#include "embed/words.h"
#include "model/hooks.h"
#include <assay/embed.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_TOKENS ((uint64_t)7 << 60)
#define RANDOM_PAIRS  1000
#define BATCH_TOKENS  2048
#define BATCH_ITEMS   64
#define MOST_OVERLAP  2000 /* sentences: the work grows with their square */

struct pool {
    struct embed_sentences *out;
    const struct embed_sentences_options *o;
    size_t width, sets; /* sets: the sentences as they are, then each resample */
    float *vector;      /* [sets][n][width] */
    /* the batch that runs */
    size_t first;              /* its first sentence */
    float *state[BATCH_ITEMS]; /* [tokens][width] */
    bool *counts[BATCH_ITEMS]; /* [tokens] not special */
    struct tokenizer_encoding ids[BATCH_ITEMS];
    size_t items;
};

static int on_row(void *context, const struct model_point *point)
{
    struct pool *p = context;
    float *row = p->state[point->item] + point->position * p->width;
    for (size_t k = 0; k < p->width; k++)
        row[k] = (float)point->row[k];
    return 0;
}

static float *vector_of(const struct pool *p, size_t set, size_t i)
{
    return p->vector + (set * p->out->n + i) * p->width;
}

/* The means of sentence `first + item`: of its tokens, and of each resample of them. */
static int pool_item(struct pool *p, size_t item)
{
    const size_t i = p->first + item;
    size_t n = 0, *at = base_alloc(p->ids[item].count + 1, sizeof *at);
    double *sum = base_alloc(p->width, sizeof *sum);
    int rc = at && sum ? 0 : BASE_E_MEMORY;
    for (size_t k = 0; rc == 0 && k < p->ids[item].count; k++)
        if (p->counts[item][k])
            at[n++] = k;
    p->out->tokens[i] = n;
    if (rc == 0 && n == 0)
        rc = base_error_set(BASE_E_ARGUMENT, "sentence %zu has no token", i + 1);
    for (size_t set = 0; set < p->sets && rc == 0; set++) {
        struct base_rng r =
            base_rng_make(p->o->seed, BASE_RNG_EMBED, STREAM_TOKENS | (uint64_t)set << 32 | i);
        memset(sum, 0, p->width * sizeof *sum);
        for (size_t k = 0; k < n; k++) {
            const size_t token = at[set ? base_rng_below(&r, n) : k];
            const float *row = p->state[item] + token * p->width;
            for (size_t j = 0; j < p->width; j++)
                sum[j] += (double)row[j];
        }
        for (size_t j = 0; j < p->width; j++) {
            vector_of(p, set, i)[j] = (float)(sum[j] / (double)n);
            if (!isfinite(sum[j]))
                rc = base_error_set(BASE_E_NUMERIC, "sentence %zu: a hidden state is not finite",
                                    i + 1);
        }
    }
    base_free(at);
    base_free(sum);
    return rc;
}

static int run_batch(struct pool *p, struct model *m, const char *site)
{
    struct model_item items[BATCH_ITEMS] = { { 0 } };
    struct model_hooks *hooks = NULL;
    int rc = model_hooks_new(&hooks, m);
    if (rc == 0)
        rc = model_hooks_add(hooks, site, MODEL_ANY, MODEL_ANY, 0, on_row, p, NULL);
    for (size_t k = 0; k < p->items && rc == 0; k++) {
        const size_t n = p->ids[k].count;
        items[k] = (struct model_item){ .ids = p->ids[k].ids, .n = n, .logits_from = n };
        rc = model_sequence_new(&items[k].sequence, m);
    }
    if (rc == 0)
        rc = model_forward(m, items, p->items, NULL, NULL, hooks);
    if (rc == 0)
        rc = model_hooks_check(hooks);
    for (size_t k = 0; k < p->items; k++) {
        if (rc == 0)
            rc = pool_item(p, k);
        model_sequence_free(items[k].sequence);
        tokenizer_encoding_free(&p->ids[k]);
        base_free(p->state[k]);
        base_free(p->counts[k]);
        p->state[k] = NULL;
        p->counts[k] = NULL;
    }
    model_hooks_free(hooks);
    p->first += p->items;
    p->items = 0;
    return rc;
}

/* Sentences in order, in batches that fit. */
static int run_all(struct pool *p, struct model *m, const char *const *text, const char *site)
{
    const struct tokenizer *t = NULL;
    size_t tokens = 0;
    int rc = model_tokenizer(m, &t);
    for (size_t i = 0; i < p->out->n && rc == 0; i++) {
        struct tokenizer_encoding ids = { 0 };
        if ((rc = tokenizer_encode(t, text[i], strlen(text[i]), NULL, &ids)))
            break;
        if (ids.count > model_context(m)) {
            ids.count = model_context(m);
            p->out->cut++;
        }
        if (p->items == BATCH_ITEMS || (p->items && tokens + ids.count > BATCH_TOKENS)) {
            rc = run_batch(p, m, site);
            tokens = 0;
        }
        if (ids.count == 0 && rc == 0)
            rc = base_error_set(BASE_E_ARGUMENT, "sentence %zu has no token", i + 1);
        const size_t k = p->items;
        if (rc == 0 && (!(p->state[k] = base_alloc_zero(ids.count * p->width, sizeof(float))) ||
                        !(p->counts[k] = base_alloc(ids.count, sizeof(bool)))))
            rc = BASE_E_MEMORY;
        for (size_t j = 0; j < ids.count && rc == 0; j++)
            p->counts[k][j] = !tokenizer_is_special(t, ids.ids[j]);
        p->ids[k] = ids;
        p->items++;
        tokens += ids.count;
        if (rc == 0 && base_interrupted())
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
    }
    if (rc == 0 && p->items)
        rc = run_batch(p, m, site);
    for (size_t k = 0; k < p->items; k++) { /* what a failure left */
        tokenizer_encoding_free(&p->ids[k]);
        base_free(p->state[k]);
        base_free(p->counts[k]);
    }
    return rc;
}

/* Takes each set less its mean over the sentences, if asked. */
static int finish_sets(struct pool *p)
{
    const size_t n = p->out->n, width = p->width;
    double *mean = base_alloc(width, sizeof *mean);
    if (!mean)
        return BASE_E_MEMORY;
    for (size_t set = 0; set < p->sets; set++) {
        memset(mean, 0, width * sizeof *mean);
        for (size_t i = 0; i < n && p->o->center; i++)
            for (size_t k = 0; k < width; k++)
                mean[k] += (double)vector_of(p, set, i)[k] / (double)n;
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < width; k++)
                vector_of(p, set, i)[k] = (float)((double)vector_of(p, set, i)[k] - mean[k]);
    }
    base_free(mean);
    return 0;
}

static int make_vectors(struct pool *p)
{
    int rc = embed_vectors_new(&p->out->vectors, p->out->n, p->width);
    for (size_t i = 0; i < p->out->n && rc == 0; i++) {
        char word[32];
        uint32_t number;
        for (size_t k = 0; k < p->width; k++)
            p->out->vectors->vector[i * p->out->vectors->stride + k] = (real)vector_of(p, 0, i)[k];
        snprintf(word, sizeof word, "%zu", i + 1);
        rc = embed_words_add(p->out->vectors->words, word, strlen(word), &number, NULL);
    }
    if (rc == 0)
        embed_vectors_measure(p->out->vectors);
    return rc;
}

/* Unit length for every vector of every set (a zero vector stays), so that cosines are products. */
static void make_units(struct pool *p)
{
    for (size_t i = 0; i < p->sets * p->out->n; i++) {
        float *x = p->vector + i * p->width;
        double sum = 0;
        for (size_t k = 0; k < p->width; k++)
            sum += (double)x[k] * (double)x[k];
        for (size_t k = 0; k < p->width && sum > 0; k++)
            x[k] = (float)((double)x[k] / sqrt(sum));
    }
}

static double cosine(const struct pool *p, size_t set, size_t a, size_t b)
{
    const float *x = vector_of(p, set, a), *y = vector_of(p, set, b);
    double sum = 0;
    for (size_t k = 0; k < p->width; k++)
        sum += (double)x[k] * (double)y[k];
    return fmax(-1, fmin(1, sum));
}

static int make_pairs(struct pool *p)
{
    const struct embed_sentences_options *o = p->o;
    if (!(p->out->pair = base_alloc_zero(o->n_pairs + 1, sizeof *p->out->pair)))
        return BASE_E_MEMORY;
    p->out->n_pairs = o->n_pairs;
    for (size_t i = 0; i < o->n_pairs; i++) {
        struct embed_spread *s = &p->out->pair[i];
        const size_t a = o->pair[2 * i], b = o->pair[2 * i + 1];
        if (a >= p->out->n || b >= p->out->n)
            return base_error_set(BASE_E_ARGUMENT, "sentences %zu and %zu: there are %zu", a + 1,
                                  b + 1, p->out->n);
        if (!(s->value = base_alloc(o->resamples + 1, sizeof *s->value)))
            return BASE_E_MEMORY;
        for (size_t set = 1; set < p->sets; set++)
            s->value[set - 1] = cosine(p, set, a, b);
        s->estimate = cosine(p, 0, a, b);
        int rc = embed_spread_make(s->value, o->resamples, o->level, s);
        if (rc)
            return rc;
    }
    return 0;
}

/* The near nearest sentences to sentence i in a set. */
static void nearest(const struct pool *p, size_t set, size_t i, size_t near, uint32_t *out)
{
    double best[EMBED_MOST_NEAR];
    size_t n = 0;
    for (size_t j = 0; j < p->out->n; j++) {
        if (j == i)
            continue;
        const double c = cosine(p, set, i, j);
        if (n == near && !(c > best[n - 1]))
            continue;
        size_t k = n < near ? n++ : near - 1;
        for (; k > 0 && best[k - 1] < c; k--) {
            best[k] = best[k - 1];
            out[k] = out[k - 1];
        }
        best[k] = c;
        out[k] = (uint32_t)j;
    }
}

static int make_overlap(struct pool *p)
{
    const size_t n = p->out->n, near = p->o->near;
    if (near < 1 || near > EMBED_MOST_NEAR || n < 2 * near || n > MOST_OVERLAP ||
        p->o->resamples < 2)
        return 0;
    uint32_t *list = base_alloc(p->o->resamples * near, sizeof *list);
    p->out->overlap = base_alloc(n, sizeof *p->out->overlap);
    int rc = list && p->out->overlap ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < n && rc == 0; i++) {
        double sum = 0;
        size_t pairs = 0;
#pragma omp parallel for num_threads(base_threads()) schedule(static)
        for (size_t set = 1; set < p->sets; set++)
            nearest(p, set, i, near, list + (set - 1) * near);
        for (size_t a = 0; a < p->o->resamples; a++)
            for (size_t b = a + 1; b < p->o->resamples; b++, pairs++) {
                size_t both = 0;
                for (size_t x = 0; x < near; x++)
                    for (size_t y = 0; y < near; y++)
                        both += list[a * near + x] == list[b * near + y];
                sum += (double)both / (double)(2 * near - both);
            }
        p->out->overlap[i] = sum / (double)pairs;
        if (base_interrupted())
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
    }
    base_free(list);
    return rc;
}

int embed_sentences_run(struct embed_sentences **out, struct model *m, const char *const *text,
                        size_t n, const struct embed_sentences_options *options)
{
    struct embed_sentences *s = base_alloc_zero(1, sizeof *s);
    struct pool p = { .out = s, .o = options, .width = model_width(m) };
    const size_t layers = model_layers(m);
    char site[64] = "hook_embed";
    size_t reals = 0;
    *out = NULL;
    if (!s)
        return BASE_E_MEMORY;
    int rc = 0;
    s->n = n;
    s->size = p.width;
    s->layer = options->layer < 0 ? layers : (size_t)options->layer;
    p.sets = options->resamples + 1;
    if (n == 0 || n > UINT32_MAX)
        rc = base_error_set(BASE_E_ARGUMENT, "%zu sentences", n);
    else if (s->layer > layers)
        rc =
            base_error_set(BASE_E_ARGUMENT, "layer %zu: the model has layers 0 (embeddings) to %zu",
                           s->layer, layers);
    else if (options->resamples > 100000)
        rc = base_error_set(BASE_E_ARGUMENT, "%zu resamples: at most 100000", options->resamples);
    else if (base_mul_size(p.sets, n, &reals) || base_mul_size(reals, p.width, &reals))
        rc = base_error_set(BASE_E_LIMIT, "%zu sentences with %zu resamples do not fit", n,
                            options->resamples);
    if (s->layer > 0)
        snprintf(site, sizeof site, "blocks.%zu.hook_resid_post", s->layer - 1);
    if (rc == 0 && (!(s->tokens = base_alloc_zero(n, sizeof *s->tokens)) ||
                    !(p.vector = base_alloc(reals, sizeof *p.vector))))
        rc = BASE_E_MEMORY;
    if (rc == 0)
        rc = run_all(&p, m, text, site);
    if (rc == 0)
        rc = finish_sets(&p);
    if (rc == 0)
        rc = make_vectors(&p);
    if (rc == 0) {
        make_units(&p);
        rc = make_pairs(&p);
    }
    if (rc == 0)
        rc = make_overlap(&p);
    if (rc == 0) {
        s->random_cosine = embed_random_cosine(s->vectors, RANDOM_PAIRS, options->seed);
        s->undertrained = s->random_cosine > EMBED_UNDERTRAINED;
    }
    base_free(p.vector);
    if (rc)
        embed_sentences_free(s);
    else
        *out = s;
    return rc;
}

void embed_sentences_free(struct embed_sentences *s)
{
    if (!s)
        return;
    for (size_t i = 0; s->pair && i < s->n_pairs; i++)
        base_free(s->pair[i].value);
    base_free(s->pair);
    base_free(s->overlap);
    base_free(s->tokens);
    embed_vectors_free(s->vectors);
    base_free(s);
}
