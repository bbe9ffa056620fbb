/* Scores that are said to tell texts a model was trained on from others (see memorize.h):
 * perplexity and its ratios (Carlini et al. 2021), Min-K% and Min-K%++.
 *
 * Texts are run in batches, long ones in windows that overlap by half and each score what the one
 * before had not reached. Of a row of logits x only three numbers stay, with lse = ln sum e^x:
 *
 *   ln p = x_target - lse,   mu = sum_v p_v ln p_v,   sigma^2 = sum_v p_v (ln p_v)^2 - mu^2
 *
 * so that memory does not grow with the vocabulary. */
#include "base/library.h"
#include "base/memory.h"
#include "base/text.h"
#include <assay/memorize.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>
#include <zlib.h>

enum { ZLIB_FUNCTIONS = 2, BATCH_TEXTS = 256 };

static struct zlib_functions {
    __typeof__(compressBound) *bound;
    __typeof__(compress2) *compress;
} zlib;

int eval_zlib_bytes(const char *text, size_t bytes, size_t *out)
{
    static const char *const names[ZLIB_FUNCTIONS] = { "compressBound", "compress2" };
    int rc = base_library_load("libz.so.1", "zlib1g", names, &zlib, ZLIB_FUNCTIONS);
    if (rc)
        return rc;
    uLongf size = zlib.bound((uLong)bytes);
    Bytef *room = base_alloc(size, 1);
    if (!room)
        return BASE_E_MEMORY;
    if (zlib.compress(room, &size, (const Bytef *)text, (uLong)bytes, Z_DEFAULT_COMPRESSION))
        rc = base_error_set(BASE_E_MEMORY, "zlib ran out of memory on %zu bytes", bytes);
    base_free(room);
    *out = size;
    return rc;
}

int eval_text_lower(const char *text, size_t bytes, char **out, size_t *out_bytes)
{
    size_t room, at = 0;
    /* a letter of two bytes can have a lower case of three (U+023A) */
    if (base_mul_size(bytes, 2, &room) || base_add_size(room, 1, &room))
        return base_error_set(BASE_E_LIMIT, "a text of %zu bytes is too long", bytes);
    char *lower = base_alloc(room, 1);
    if (!lower)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < bytes;) {
        uint32_t code;
        size_t n = base_utf8_decode(text + i, bytes - i, &code);
        if (n == 0) {
            lower[at++] = text[i++];
            continue;
        }
        at += base_utf8_encode((uint32_t)utf8proc_tolower((utf8proc_int32_t)code), lower + at);
        i += n;
    }
    lower[at] = 0;
    *out = lower;
    *out_bytes = at;
    return 0;
}

/* ---- running texts ---- */

struct token {
    double logp, mu, sigma; /* mu and sigma only where they are wanted */
};
/* A text in work: at[0] is BOS or nothing, at[1 .. length] its tokens. */
struct run_text {
    int32_t *at;
    size_t length, begin; /* begin: 0 with BOS, 1 without */
    struct token *token;  /* [length + 1], by place; NaN where there is no figure */
    struct eval_window *windows;
    size_t n_windows;
};
struct runner {
    struct model *m;
    const struct tokenizer *t;
    const struct eval_memorize_options *options;
    bool moments;
    struct run_text text[BATCH_TEXTS];
    size_t n;
    /* of the forward in hand: whose window each item is */
    struct run_text **owner;
    const struct eval_window **window;
};

static void texts_free(struct runner *r)
{
    for (size_t i = 0; i < r->n; i++) {
        base_free(r->text[i].at);
        base_free(r->text[i].token);
        base_free(r->text[i].windows);
    }
    r->n = 0;
}

static void row_reduce(const struct runner *r, const real *x, int32_t target, struct token *out)
{
    size_t vocabulary = model_vocabulary(r->m);
    double lse = model_log_sum_exp(x, vocabulary), mu = 0, square = 0;
    out->logp = (double)x[target] - lse;
    for (size_t v = 0; r->moments && v < vocabulary; v++) {
        double lp = (double)x[v] - lse, p = exp(lp);
        if (p > 0) { /* -inf logits carry nothing */
            mu += p * lp;
            square += p * lp * lp;
        }
    }
    out->mu = mu;
    out->sigma = sqrt(fmax(0, square - mu * mu));
}

static int on_logits(void *context, size_t item, size_t first_row, size_t rows, const real *logits)
{
    const struct runner *r = context;
    struct run_text *text = r->owner[item];
    size_t first = r->window[item]->first + first_row + 1, vocabulary = model_vocabulary(r->m);
#pragma omp parallel for num_threads(base_threads()) if (rows * vocabulary > 20000) schedule(static)
    for (size_t i = 0; i < rows; i++)
        row_reduce(r, logits + i * vocabulary, text->at[first + i], &text->token[first + i]);
    return 0;
}

static int text_add(struct runner *r, const char *what, const char *text, size_t bytes)
{
    struct run_text *x = &r->text[r->n];
    struct eval_ids ids = { 0 };
    *x = (struct run_text){ 0 };
    int rc = eval_encode(r->t, what, text, bytes, r->options->bos, &ids);
    if (rc)
        return rc;
    r->n++;
    x->length = ids.count - ids.fixed;
    x->begin = ids.fixed ? 0 : 1;
    x->at = base_alloc_zero(x->length + 1, sizeof *x->at);
    x->token = base_alloc(x->length + 1, sizeof *x->token);
    if (!x->at || !x->token) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    memcpy(x->at + x->begin, ids.at, ids.count * sizeof *ids.at);
    for (size_t i = 0; i <= x->length; i++) {
        x->token[i] = (struct token){ NAN, NAN, NAN };
        if (x->at[i] < 0 || (size_t)x->at[i] >= model_vocabulary(r->m)) {
            rc = base_error_set(BASE_E_ARGUMENT, "%s: id %d is not in the model's vocabulary", what,
                                x->at[i]);
            goto out;
        }
    }
    size_t max = model_context(r->m);
    max = max > 2048 ? 2048 : max < 2 ? 2 : max;
    rc = eval_windows_strided(x->length, x->begin, max, max / 2, &x->windows, &x->n_windows);
out:
    eval_ids_free(&ids);
    return rc;
}

/* Windows `from` .. `to` - 1 of the batch, counted through all texts. */
static int windows_run(struct runner *r, struct model_item *items, size_t n)
{
    int rc = 0;
    size_t made = 0;
    for (; rc == 0 && made < n; made++) {
        struct model_sequence *s;
        if ((rc = model_sequence_new(&s, r->m)))
            break;
        items[made] = (struct model_item){ s, r->owner[made]->at + r->window[made]->first,
                                           r->window[made]->to, r->window[made]->from };
    }
    if (rc == 0 && n)
        rc = model_forward(r->m, items, n, on_logits, r, NULL);
    for (size_t i = 0; i < made; i++)
        model_sequence_free(items[i].sequence);
    return rc;
}

static int batch_run(struct runner *r)
{
    size_t budget = r->options->batch_tokens ? r->options->batch_tokens : 2048, all = 0;
    for (size_t i = 0; i < r->n; i++)
        all += r->text[i].n_windows;
    struct model_item *items = base_alloc(all, sizeof *items);
    r->owner = base_alloc(all, sizeof *r->owner);
    r->window = base_alloc(all, sizeof *r->window);
    int rc = items && r->owner && r->window ? 0 : BASE_E_MEMORY;
    size_t n = 0, tokens = 0;
    for (size_t i = 0; rc == 0 && i < r->n; i++)
        for (size_t w = 0; rc == 0 && w < r->text[i].n_windows; w++) {
            r->owner[n] = &r->text[i];
            r->window[n] = &r->text[i].windows[w];
            tokens += r->window[n++]->to;
            if (tokens >= budget) {
                rc = windows_run(r, items, n);
                n = tokens = 0;
            }
        }
    if (rc == 0)
        rc = windows_run(r, items, n);
    base_free(items);
    base_free(r->owner);
    base_free(r->window);
    r->owner = NULL;
    r->window = NULL;
    return rc;
}

/* ---- figures of one text ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Mean of the lowest max(1, floor(k n / 100)) of v, ascending. */
static double lowest_mean(const double *v, size_t n, int k)
{
    size_t take = n * (size_t)k / 100;
    return stats_mean(v, take ? take : 1);
}

/* Mean ln p of the scored tokens, negated: ln PPL. NaN when there are none. */
static int text_judge(const struct run_text *x, const struct eval_member_options *o, double *lnppl,
                      struct eval_member_record *record)
{
    double *v = base_alloc(2 * (x->length + 1), sizeof *v);
    if (!v)
        return BASE_E_MEMORY;
    double *z = v + x->length + 1;
    size_t n = 0;
    for (size_t i = x->begin + 1; i <= x->length; i++) {
        const struct token *t = &x->token[i];
        v[n] = t->logp;
        z[n++] = t->sigma > 0 ? (t->logp - t->mu) / t->sigma : 0;
    }
    int rc = 0;
    *lnppl = -stats_mean(v, n);
    if (n && isnan(*lnppl))
        rc = base_error_set(BASE_E_NUMERIC, "the model's log-probability is not a number");
    if (record) {
        record->tokens = n;
        qsort(v, n, sizeof *v, ascending);
        qsort(z, n, sizeof *z, ascending);
        for (size_t k = 0; k < o->n_k; k++) {
            record->min_k[k] = n ? lowest_mean(v, n, o->k[k]) : NAN;
            record->min_kpp[k] = n ? lowest_mean(z, n, o->k[k]) : NAN;
        }
    }
    base_free(v);
    return rc;
}

enum pass { PASS_TEXT, PASS_LOWER, PASS_REFERENCE, PASSES };

struct job {
    const struct eval_member_options *options;
    struct eval_member_record *records;
    size_t done, total; /* over all passes */
};

static double *figure(struct eval_member_record *r, enum pass pass)
{
    return pass == PASS_TEXT    ? &r->lnppl
           : pass == PASS_LOWER ? &r->lnppl_lower
                                : &r->lnppl_reference;
}

static int batch_finish(struct job *job, struct runner *r, enum pass pass, size_t first)
{
    int rc = batch_run(r);
    for (size_t i = 0; rc == 0 && i < r->n; i++) {
        struct eval_member_record *record = &job->records[first + i];
        rc = text_judge(&r->text[i], job->options, figure(record, pass),
                        pass == PASS_TEXT ? record : NULL);
        if (rc)
            rc = base_error_prefix(rc, "text %zu", first + i);
    }
    job->done += r->n;
    texts_free(r);
    if (rc == 0 && job->options->ask.on_progress)
        job->options->ask.on_progress(job->options->ask.context, job->done);
    if (rc == 0 && base_interrupted())
        rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
    return rc;
}

static int pass_run(struct job *job, struct model *m, enum pass pass, const char *const *texts,
                    const size_t *bytes, size_t n)
{
    struct runner *r = base_alloc_zero(1, sizeof *r);
    if (!r)
        return BASE_E_MEMORY;
    r->m = m;
    r->options = &job->options->ask;
    r->moments = pass == PASS_TEXT && job->options->n_k > 0;
    size_t budget = r->options->batch_tokens ? r->options->batch_tokens : 2048, tokens = 0,
           first = 0;
    int rc = model_tokenizer(m, &r->t);
    if (rc)
        rc = base_error_prefix(rc, "text needs a tokenizer");
    for (size_t i = 0; rc == 0 && i < n; i++) {
        char what[40], *lower = NULL;
        size_t lower_bytes = 0;
        snprintf(what, sizeof what, "text %zu", i);
        if (pass == PASS_LOWER)
            rc = eval_text_lower(texts[i], bytes[i], &lower, &lower_bytes);
        if (rc == 0)
            rc = lower ? text_add(r, what, lower, lower_bytes)
                       : text_add(r, what, texts[i], bytes[i]);
        base_free(lower);
        if (rc)
            break;
        tokens += r->text[r->n - 1].length;
        if (r->n == BATCH_TEXTS || tokens >= budget) {
            rc = batch_finish(job, r, pass, first);
            first = i + 1;
            tokens = 0;
        }
    }
    if (rc == 0)
        rc = batch_finish(job, r, pass, first);
    texts_free(r);
    base_free(r);
    return rc;
}

int eval_members_score(struct model *m, const char *const *texts, const size_t *bytes, size_t n,
                       const struct eval_member_options *options,
                       struct eval_member_record *records)
{
    struct job job = { .options = options, .records = records };
    if (options->n_k > EVAL_MEMBER_K_MAX)
        return base_error_set(BASE_E_ARGUMENT, "at most %d values of K, not %zu", EVAL_MEMBER_K_MAX,
                              options->n_k);
    for (size_t k = 0; k < options->n_k; k++)
        if (options->k[k] < 1 || options->k[k] > 100)
            return base_error_set(BASE_E_ARGUMENT, "Min-K%%: K is 1 to 100, not %d", options->k[k]);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        records[i] = (struct eval_member_record){ .lnppl_reference = NAN };
        rc = eval_zlib_bytes(texts[i], bytes[i], &records[i].zlib);
    }
    if (rc == 0)
        rc = pass_run(&job, m, PASS_TEXT, texts, bytes, n);
    if (rc == 0)
        rc = pass_run(&job, m, PASS_LOWER, texts, bytes, n);
    if (rc == 0 && options->reference) {
        rc = pass_run(&job, options->reference, PASS_REFERENCE, texts, bytes, n);
        if (rc)
            rc = base_error_prefix(rc, "reference model");
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct eval_member_record *r = &records[i];
        r->score[EVAL_MEMBER_LOSS] = -r->lnppl;
        r->score[EVAL_MEMBER_REFERENCE] = r->lnppl_reference / r->lnppl;
        r->score[EVAL_MEMBER_LOWER] = r->lnppl_lower / r->lnppl;
        r->score[EVAL_MEMBER_ZLIB] = (double)r->zlib / r->lnppl;
        if (r->tokens == 0) /* zlib / NaN is NaN by itself; said here for all */
            for (int k = 0; k < EVAL_MEMBER_FIXED; k++)
                r->score[k] = NAN;
    }
    return rc;
}
