/* How far similarities and neighbours can be trusted: the same training on documents drawn again.
 *
 * Bootstrap (Efron 1979; for word vectors Antoniak & Mimno 2018): as many documents as there are,
 * with replacement. Interval: order statistics [s(k), s(m+1-k)], k = floor(m (1 - level) / 2) + 1:
 * [s(2), s(19)] of 20 at 0.90, [s(2), s(39)] of 40 at 0.95. That such an interval is called one of
 * 90 % is a convention; what is certain is how often one more draw falls into it,
 * (m + 1 - 2k) / (m + 1) = 17/21 = 0.8095 and 37/41 = 0.9024, and that is said beside it.
 *
 * Subsampling (Politis & Romano 1994): the documents are dealt out into K parts of tau_k documents;
 * B_k = sqrt(tau_k) (s_k - mean s); interval [mean s - B(m+1-k) / sqrt(tau), mean s - B(k) /
 * sqrt(tau)] with tau documents in all.
 *
 * A model that lacks a word has no similarity for it: it is left out and counted, never replaced.
 */
#include "base/buffer.h"
#include "base/memory.h"
#include "base/rng.h"
#include "dist/dist.h"
#include "embed/near.h"
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const embed_resampling_names[EMBED_RESAMPLINGS] = { "bootstrap", "subsample", "seeds" };

#define RANDOM_PAIRS 1000
#define STREAM_MODEL ((uint64_t)1 << 61) /* | model: its seed, then its documents */
#define STREAM_DEAL  ((uint64_t)3 << 60) /* how documents are dealt out */

/* ---- order statistics ---- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static size_t rank_of(size_t m, double level)
{
    /* 20 * 0.05 must give 1 although 0.05 is not exact */
    const size_t k = (size_t)floor((double)m * (1 - level) / 2 + 1e-9) + 1;
    return m < 2 || 2 * k > m ? 0 : k;
}

/* tau NULL: the values themselves; else subsampling. */
static int spread(const double *value, const double *tau, size_t n, double level,
                  struct embed_spread *out)
{
    double *x = base_alloc(n + 1, sizeof *x);
    double sum = 0, squares = 0, all = 0;
    size_t m = 0;
    if (!x)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        all += tau ? tau[i] : 0;
        if (isnan(value[i]))
            continue;
        x[m++] = value[i];
        sum += value[i];
    }
    out->models = m;
    out->missing = n - m;
    out->mean = m ? sum / (double)m : NAN;
    for (size_t i = 0; i < m; i++)
        squares += (x[i] - out->mean) * (x[i] - out->mean);
    out->sd = m > 1 ? sqrt(squares / (double)(m - 1)) : NAN;
    out->rank = rank_of(m, level);
    out->low = out->high = out->coverage = NAN;
    if (tau) {
        m = 0;
        for (size_t i = 0; i < n; i++)
            if (!isnan(value[i]))
                x[m++] = sqrt(tau[i]) * (value[i] - out->mean);
    }
    if (out->rank) {
        const size_t k = out->rank;
        qsort(x, m, sizeof *x, ascending);
        out->low = tau ? out->mean - x[m - k] / sqrt(all) : x[k - 1];
        out->high = tau ? out->mean - x[k - 1] / sqrt(all) : x[m - k];
        out->coverage = (double)(m + 1 - 2 * k) / (double)(m + 1);
    }
    base_free(x);
    return 0;
}

int embed_spread_make(const double *value, size_t n, double level, struct embed_spread *out)
{
    return spread(value, NULL, n, level, out);
}

/* ---- what is kept of a model ---- */

struct study {
    const struct embed_corpus *corpus;
    const struct embed_stability_options *o;
    uint64_t *deal; /* [documents] subsampling: the order in which they are dealt out */
    /* words as numbers of the corpus; EMBED_UNKNOWN when it has none */
    uint32_t *pair, *word, *common;
    size_t n_common;
    uint32_t *near; /* [n_words][o->near] neighbours in the model of all documents */
    size_t *n_near;
    size_t doubles, integers; /* of one model's record */
    double *record;           /* [models][doubles]: random cosine, words of the vocabulary, pairs,
                                 words x near */
    uint32_t *neighbour;      /* [models][integers]: per word and common word: how many, which */
};
#define EMBED_UNKNOWN UINT32_MAX

static uint32_t type_of(const struct study *s, const char *word)
{
    const int64_t at = embed_corpus_find(s->corpus, word);
    return at < 0 ? EMBED_UNKNOWN : (uint32_t)at;
}

/* The word's place in a model, or -1. */
static int64_t place(const struct study *s, const struct embed_vectors *v, uint32_t type)
{
    return type == EMBED_UNKNOWN ? -1 : embed_vectors_find(v, embed_corpus_word(s->corpus, type));
}

static int neighbours(const struct study *s, const struct embed_vectors *v, uint32_t type,
                      uint32_t *out)
{
    struct embed_near near[EMBED_MOST_NEAR];
    const int64_t at = place(s, v, type);
    size_t n = 0;
    out[0] = 0;
    if (at < 0)
        return 0;
    const uint32_t word = (uint32_t)at;
    int rc = embed_similar(v, &word, 1, NULL, 0, 0, s->o->near, near, &n);
    for (size_t i = 0; i < n && rc == 0; i++)
        out[1 + i] = (uint32_t)embed_corpus_find(s->corpus, embed_vectors_word(v, near[i].word));
    out[0] = (uint32_t)n;
    return rc;
}

static double similarity(const struct study *s, const struct embed_vectors *v, uint32_t a,
                         uint32_t b)
{
    const int64_t i = place(s, v, a), j = place(s, v, b);
    return i < 0 || j < 0 ? NAN : embed_similarity(v, (size_t)i, (size_t)j);
}

/* Writes what is kept of a model into its record. */
static int keep(const struct study *s, const struct embed_vectors *v, double *d, uint32_t *u)
{
    const struct embed_stability_options *o = s->o;
    int rc = 0;
    *d++ = v->n > 1 ? embed_random_cosine(v, RANDOM_PAIRS, o->train.seed) : NAN;
    *d++ = (double)v->n;
    for (size_t i = 0; i < o->n_pairs; i++)
        *d++ = similarity(s, v, s->pair[2 * i], s->pair[2 * i + 1]);
    for (size_t i = 0; i < o->n_words; i++)
        for (size_t k = 0; k < o->near; k++)
            *d++ = k < s->n_near[i] ? similarity(s, v, s->word[i], s->near[i * o->near + k]) : NAN;
    for (size_t i = 0; i < o->n_words + s->n_common && rc == 0; i++, u += 1 + o->near)
        rc = neighbours(s, v, i < o->n_words ? s->word[i] : s->common[i - o->n_words], u);
    return rc;
}

static void keep_nothing(const struct study *s, double *d, uint32_t *u)
{
    for (size_t i = 0; i < s->doubles; i++)
        d[i] = i == 1 ? 0 : NAN;
    memset(u, 0, s->integers * sizeof *u);
}

/* ---- models ---- */

static int one_model(const struct study *s, size_t b, double *d, uint32_t *u)
{
    const struct embed_stability_options *o = s->o;
    struct embed_train_options train = o->train;
    struct base_rng r = base_rng_make(o->train.seed, BASE_RNG_EMBED, STREAM_MODEL | b);
    const uint64_t documents = s->corpus->documents;
    uint64_t *pick = NULL, n = 0;
    struct embed_vectors *v = NULL;
    train.seed = base_rng_u64(&r);
    train.threads = 1;
    train.hogwild = false;
    train.on_progress = NULL;
    if (o->resampling == EMBED_BOOTSTRAP) {
        if (!(pick = base_alloc(documents, sizeof *pick)))
            return BASE_E_MEMORY;
        for (; n < documents; n++)
            pick[n] = base_rng_below(&r, documents);
    } else if (o->resampling == EMBED_SUBSAMPLE) {
        const uint64_t from = documents * b / o->models, to = documents * (b + 1) / o->models;
        if (!(pick = base_alloc(to - from + 1, sizeof *pick)))
            return BASE_E_MEMORY;
        for (uint64_t i = from; i < to; i++)
            pick[n++] = s->deal[i];
    }
    int rc = embed_train(&v, s->corpus, pick, n, &train, NULL);
    if (rc == 0)
        rc = keep(s, v, d, u);
    else if (rc == BASE_E_ARGUMENT) { /* too few words in this part: everything is missing */
        keep_nothing(s, d, u);
        rc = 0;
    }
    embed_vectors_free(v);
    base_free(pick);
    return rc;
}

/* This rank's models, b = rank, rank + ranks, ..., on all threads; then all to rank 0. */
static int all_models(struct study *s)
{
    const struct embed_stability_options *o = s->o;
    const int rank = dist_rank(), ranks = dist_size();
    const int64_t mine = ((int64_t)o->models - rank + ranks - 1) / ranks;
    size_t done = 0;
    int rc = 0, threads = base_threads();
    char message[512] = "";
    int64_t failed = INT64_MAX;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1) if (mine > 1)
    for (int64_t i = 0; i < mine; i++) {
        const size_t b = (size_t)(rank + i * ranks);
        if (__atomic_load_n(&rc, __ATOMIC_RELAXED))
            continue;
        const int here =
            one_model(s, b, s->record + b * s->doubles, s->neighbour + b * s->integers);
        if (here)
#pragma omp critical(embed_stability)
            if (i < failed) { /* of several failures the first one is told */
                failed = i;
                __atomic_store_n(&rc, here, __ATOMIC_RELAXED);
                snprintf(message, sizeof message, "%s", base_error_message());
            }
        const size_t now = __atomic_add_fetch(&done, 1, __ATOMIC_RELAXED);
        if (o->on_progress && omp_get_thread_num() == 0)
            o->on_progress(o->context, now, (size_t)mine);
    }
    if (rc)
        base_error_set(rc, "%s", message);
    if ((rc = dist_agree(rc)) || ranks == 1)
        return rc;
    struct base_buffer own = { 0 }, all = { 0 };
    for (int64_t i = 0; i < mine && rc == 0; i++) {
        const size_t b = (size_t)(rank + i * ranks);
        rc = base_buffer_append(&own, s->record + b * s->doubles, s->doubles * sizeof(double));
        if (rc == 0)
            rc = base_buffer_append(&own, s->neighbour + b * s->integers,
                                    s->integers * sizeof(uint32_t));
    }
    if ((rc = dist_agree(rc)) == 0)
        rc = dist_gather(own.data ? own.data : "", own.length, &all);
    if (rc == 0 && rank == 0) {
        const char *at = all.data;
        for (int from = 0; from < ranks; from++)
            for (size_t b = (size_t)from; b < o->models; b += (size_t)ranks) {
                memcpy(s->record + b * s->doubles, at, s->doubles * sizeof(double));
                at += s->doubles * sizeof(double);
                memcpy(s->neighbour + b * s->integers, at, s->integers * sizeof(uint32_t));
                at += s->integers * sizeof(uint32_t);
            }
    }
    base_buffer_free(&own);
    base_buffer_free(&all);
    return rc;
}

/* ---- the study ---- */

static int check(const struct embed_corpus *c, const struct embed_stability_options *o)
{
    if (o->models < 2 || o->models > 100000)
        return base_error_set(BASE_E_ARGUMENT, "%zu models: choose 2 to 100000", o->models);
    if (o->near < 1 || o->near > EMBED_MOST_NEAR)
        return base_error_set(BASE_E_ARGUMENT, "%zu neighbours: choose 1 to %d", o->near,
                              EMBED_MOST_NEAR);
    if (!(o->level >= 0 && o->level < 1))
        return base_error_set(BASE_E_ARGUMENT, "a level of %g: choose between 0 and 1", o->level);
    if (c->documents == 0)
        return base_error_set(BASE_E_ARGUMENT, "there is no document");
    if (o->resampling == EMBED_SUBSAMPLE && c->documents < o->models)
        return base_error_set(BASE_E_ARGUMENT, "%llu documents cannot be dealt out into %zu parts",
                              (unsigned long long)c->documents, o->models);
    return 0;
}

static int deal_out(struct study *s)
{
    const uint64_t n = s->corpus->documents;
    struct base_rng r = base_rng_make(s->o->train.seed, BASE_RNG_EMBED, STREAM_DEAL);
    if (!(s->deal = base_alloc(n, sizeof *s->deal)))
        return BASE_E_MEMORY;
    for (uint64_t i = 0; i < n; i++) { /* Fisher and Yates, inside out */
        const uint64_t j = base_rng_below(&r, i + 1);
        s->deal[i] = s->deal[j];
        s->deal[j] = i;
    }
    return 0;
}

/* The words that are asked for, and the most frequent ones, as numbers of the corpus. */
static int number_words(struct study *s, const struct embed_vectors *full)
{
    const struct embed_stability_options *o = s->o;
    s->n_common = o->common < full->n ? o->common : full->n;
    if (!(s->pair = base_alloc(2 * o->n_pairs + 1, sizeof *s->pair)) ||
        !(s->word = base_alloc(o->n_words + 1, sizeof *s->word)) ||
        !(s->common = base_alloc(s->n_common + 1, sizeof *s->common)) ||
        !(s->near = base_alloc(o->n_words * o->near + 1, sizeof *s->near)) ||
        !(s->n_near = base_alloc_zero(o->n_words + 1, sizeof *s->n_near)))
        return BASE_E_MEMORY;
    for (size_t i = 0; i < 2 * o->n_pairs; i++)
        s->pair[i] = type_of(s, o->pair[i]);
    for (size_t i = 0; i < o->n_words; i++)
        s->word[i] = type_of(s, o->word[i]);
    for (size_t i = 0; i < s->n_common; i++)
        s->common[i] = type_of(s, embed_vectors_word(full, i));
    for (size_t i = 0; i < o->n_words; i++) {
        uint32_t list[1 + EMBED_MOST_NEAR];
        int rc = neighbours(s, full, s->word[i], list);
        if (rc)
            return rc;
        s->n_near[i] = list[0];
        memcpy(s->near + i * o->near, list + 1, list[0] * sizeof *list);
    }
    s->doubles = 2 + o->n_pairs + o->n_words * o->near;
    s->integers = (o->n_words + s->n_common) * (1 + o->near);
    s->record = base_alloc_zero((o->models + 1) * s->doubles, sizeof *s->record);
    s->neighbour = base_alloc_zero((o->models + 1) * s->integers + 1, sizeof *s->neighbour);
    return s->record && s->neighbour ? 0 : BASE_E_MEMORY;
}

static double jaccard(const uint32_t *a, const uint32_t *b)
{
    uint32_t both = 0;
    for (uint32_t i = 1; i <= a[0]; i++)
        for (uint32_t j = 1; j <= b[0]; j++)
            both += a[i] == b[j];
    return (double)both / (double)(a[0] + b[0] - both);
}

/* Mean Jaccard index of list `at` over pairs of models, and against the model of all documents. */
static void overlap(const struct study *s, size_t at, double *pairs, double *full, size_t *models)
{
    const size_t step = 1 + s->o->near, n = s->o->models;
    const uint32_t *whole = s->neighbour + n * s->integers + at * step;
    double sum = 0, sum_full = 0;
    size_t count = 0;
    *models = 0;
    for (size_t a = 0; a < n; a++) {
        const uint32_t *x = s->neighbour + a * s->integers + at * step;
        if (x[0] == 0)
            continue;
        ++*models;
        if (whole[0])
            sum_full += jaccard(x, whole);
        for (size_t b = a + 1; b < n; b++) {
            const uint32_t *y = s->neighbour + b * s->integers + at * step;
            if (y[0] == 0)
                continue;
            sum += jaccard(x, y);
            count++;
        }
    }
    *pairs = count ? sum / (double)count : NAN;
    *full = *models && whole[0] ? sum_full / (double)*models : NAN;
}

/* The spread of number k of the records. */
static int collect(const struct study *s, const struct embed_stability *out, size_t k,
                   struct embed_spread *spread_out)
{
    const size_t n = s->o->models;
    if (!(spread_out->value = base_alloc(n, sizeof(double))))
        return BASE_E_MEMORY;
    for (size_t b = 0; b < n; b++)
        spread_out->value[b] = s->record[b * s->doubles + k];
    spread_out->estimate = s->record[n * s->doubles + k];
    return spread(spread_out->value, out->tau, n, out->options.level, spread_out);
}

static int collect_word(const struct study *s, struct embed_stability *out, size_t i)
{
    const struct embed_stability_options *o = s->o;
    struct embed_stability_word *w = &out->word[i];
    w->word = o->word[i];
    overlap(s, i, &w->overlap, &w->overlap_full, &w->models);
    w->missing = o->models - w->models;
    if (!(w->near = base_alloc_zero(s->n_near[i] + 1, sizeof *w->near)))
        return BASE_E_MEMORY;
    int rc = 0;
    for (size_t k = 0; k < s->n_near[i] && rc == 0; k++) {
        struct embed_stability_near *near = &w->near[w->n_near++];
        const uint32_t type = s->near[i * o->near + k];
        size_t counted = 0;
        if (!(near->word = base_strdup(embed_corpus_word(s->corpus, type))))
            return BASE_E_MEMORY;
        if ((rc = collect(s, out, 2 + o->n_pairs + i * o->near + k, &near->spread)))
            break;
        near->similarity = near->spread.estimate;
        for (size_t b = 0; b < o->models; b++) {
            const uint32_t *x = s->neighbour + b * s->integers + i * (1 + o->near);
            for (uint32_t j = 1; j <= x[0]; j++)
                counted += x[j] == type;
        }
        near->share = w->models ? (double)counted / (double)w->models : NAN;
    }
    return rc;
}

static int sum_up(const struct study *s, struct embed_stability *out)
{
    const struct embed_stability_options *o = s->o;
    int rc = 0;
    if (!(out->pair = base_alloc_zero(o->n_pairs + 1, sizeof *out->pair)) ||
        !(out->word = base_alloc_zero(o->n_words + 1, sizeof *out->word)))
        return BASE_E_MEMORY;
    out->random_cosine_low = INFINITY;
    out->random_cosine_high = -INFINITY;
    out->words_least = UINT64_MAX;
    for (size_t b = 0; b < o->models; b++) {
        const double *d = s->record + b * s->doubles;
        out->random_cosine_low = fmin(out->random_cosine_low, d[0]);
        out->random_cosine_high = fmax(out->random_cosine_high, d[0]);
        out->words_least = (uint64_t)d[1] < out->words_least ? (uint64_t)d[1] : out->words_least;
        out->words_most = (uint64_t)d[1] > out->words_most ? (uint64_t)d[1] : out->words_most;
    }
    if (out->random_cosine_low > out->random_cosine_high) /* no model has two words */
        out->random_cosine_low = out->random_cosine_high = NAN;
    out->random_cosine = s->record[o->models * s->doubles];
    out->undertrained = out->random_cosine > EMBED_UNDERTRAINED;
    for (size_t i = 0; i < o->n_pairs && rc == 0; i++) {
        out->pair[i].a = o->pair[2 * i];
        out->pair[i].b = o->pair[2 * i + 1];
        rc = collect(s, out, 2 + i, &out->pair[i].similarity);
    }
    for (size_t i = 0; i < o->n_words && rc == 0; i++)
        rc = collect_word(s, out, i);
    double sum = 0;
    for (size_t i = 0; i < s->n_common && rc == 0; i++) {
        double pairs, full;
        size_t models;
        overlap(s, o->n_words + i, &pairs, &full, &models);
        if (isnan(pairs))
            continue;
        sum += pairs;
        out->common_words++;
    }
    out->common_overlap = out->common_words ? sum / (double)out->common_words : NAN;
    return rc;
}

int embed_stability_run(struct embed_stability **out, const struct embed_corpus *corpus,
                        const struct embed_stability_options *options)
{
    struct embed_stability *r = base_alloc_zero(1, sizeof *r);
    struct embed_vectors *full = NULL;
    struct embed_train_options train = options->train;
    struct study s = { .corpus = corpus };
    *out = NULL;
    if (!r)
        return BASE_E_MEMORY;
    r->options = *options;
    if (options->level == 0)
        r->options.level = options->models < 40 ? 0.90 : 0.95;
    s.o = &r->options;
    train.threads = 1;
    train.hogwild = false;
    train.on_progress = NULL;
    struct embed_train_report report = { 0 };
    int rc = check(corpus, &r->options);
    if (rc == 0)
        rc = embed_train(&full, corpus, NULL, 0, &train, &report);
    if (rc == 0 && options->resampling == EMBED_SUBSAMPLE)
        rc = deal_out(&s);
    if (rc == 0)
        rc = number_words(&s, full);
    if (rc == 0)
        rc = keep(&s, full, s.record + options->models * s.doubles,
                  s.neighbour + options->models * s.integers);
    if ((rc = dist_agree(rc)) || (rc = all_models(&s)))
        goto out;
    r->documents = corpus->documents;
    r->tokens = report.tokens;
    r->words = report.words;
    if (options->resampling == EMBED_SUBSAMPLE) {
        if (!(r->tau = base_alloc(options->models, sizeof *r->tau))) {
            rc = BASE_E_MEMORY;
            goto out;
        }
        for (size_t b = 0; b < options->models; b++)
            r->tau[b] = (double)(corpus->documents * (b + 1) / options->models -
                                 corpus->documents * b / options->models);
    }
    if (dist_rank() == 0)
        rc = sum_up(&s, r);
out:
    embed_vectors_free(full);
    base_free(s.deal);
    base_free(s.pair);
    base_free(s.word);
    base_free(s.common);
    base_free(s.near);
    base_free(s.n_near);
    base_free(s.record);
    base_free(s.neighbour);
    if (rc)
        embed_stability_free(r);
    else
        *out = r;
    return rc;
}

void embed_stability_free(struct embed_stability *s)
{
    if (!s)
        return;
    for (size_t i = 0; s->pair && i < s->options.n_pairs; i++)
        base_free(s->pair[i].similarity.value);
    for (size_t i = 0; s->word && i < s->options.n_words; i++) {
        struct embed_stability_word *w = &s->word[i];
        for (size_t k = 0; k < w->n_near; k++) {
            base_free(w->near[k].word);
            base_free(w->near[k].spread.value);
        }
        base_free(w->near);
    }
    base_free(s->pair);
    base_free(s->word);
    base_free(s->tau);
    base_free(s);
}
