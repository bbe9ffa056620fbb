/* Perplexity of a model on documents, by up to three conventions at once, with intervals.
 *
 *   ppl = exp(sum of nats / number of scored tokens), sums over all documents.
 *
 * Work. Each document's windows under all conventions are merged: an input that two of them share
 * runs once and each takes its own rows. Inputs gather over documents and run in batches of about
 * batch_tokens; sums are formed per document in a fixed order, so neither batching nor threads
 * change a bit of the result.
 *
 * Intervals. The documents were sampled, not the tokens, so the ratio's spread is that between
 * documents: y = nats, x = tokens per document, percentile bootstrap and delta method on ln ppl =
 * sum y / sum x, end points exponentiated. With a single document its windows take the place of
 * documents (of at least five), which says how much the figure varies within that text and no more.
 */
#include "base/memory.h"
#include "eval/space.h"
#include <assay/eval.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define METHODS         EVAL_PERPLEXITY_METHODS
#define FEWEST_WINDOWS  5
#define FEW_UNITS       20
#define LARGEST_DEFAULT 2048
#define LLAMA_CPP_CHUNK 512

struct series {
    double *y, *x;
    size_t count, capacity;
};

struct document {
    int32_t *ids;       /* [length + 1], ids[0] is the prefix */
    uint32_t *bytes_to; /* [length + 1]: bytes of text that ids[0..i] stand for */
    size_t length;
    double nll[METHODS];
    uint64_t tokens[METHODS], bytes[METHODS];
};

/* One input of the model and the rows that each convention takes from it. */
struct work {
    size_t document; /* among those pending */
    size_t first, count;
    int32_t front; /* replaces the first token (llama.cpp's BOS at every chunk), or -1 */
    struct {
        size_t from, to;
        double weight; /* of the window's mean in the documented strided figure */
    } use[METHODS];
};

struct eval_perplexity {
    struct model *model;
    const struct tokenizer *tokenizer;
    struct eval_perplexity_options options;
    struct eval_perplexity_report report;
    struct document *documents; /* pending */
    size_t n_documents, documents_capacity;
    struct work *work; /* pending, in order of document */
    size_t n_work, work_capacity;
    uint64_t pending_tokens;
    uint64_t bytes_done; /* of documents that are through */
    double documented_nll, documented_weight;
    struct series units[METHODS];   /* per document */
    struct series windows[METHODS]; /* per window, of the first document only */
};

static int series_add(struct series *s, double y, double x)
{
    if (s->count == s->capacity) {
        size_t capacity = s->capacity * 2 + 64;
        double *more = base_realloc(s->y, capacity, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        s->y = more;
        more = base_realloc(s->x, capacity, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        s->x = more;
        s->capacity = capacity;
    }
    s->y[s->count] = y;
    s->x[s->count++] = x;
    return 0;
}

static void series_free(struct series *s)
{
    base_free(s->y);
    base_free(s->x);
}

static int settle_sizes(struct eval_perplexity *p)
{
    struct eval_perplexity_report *r = &p->report;
    size_t limit = model_context(p->model);
    size_t usual = limit < LARGEST_DEFAULT ? limit : LARGEST_DEFAULT;
    r->window = p->options.window ? p->options.window : usual;
    r->stride = p->options.stride ? p->options.stride : (r->window + 1) / 2;
    r->chunk = p->options.chunk              ? p->options.chunk
               : r->window < LLAMA_CPP_CHUNK ? r->window
                                             : LLAMA_CPP_CHUNK;
    if (r->window < 4 || r->window > limit || r->chunk < 4 || r->chunk > limit)
        return base_error_set(BASE_E_LIMIT,
                              "perplexity: window %zu and chunk %zu must lie within 4 and the "
                              "model's context of %zu tokens",
                              r->window, r->chunk, limit);
    if (r->stride > r->window)
        return base_error_set(BASE_E_ARGUMENT,
                              "perplexity: a stride of %zu leaves gaps between windows of %zu",
                              r->stride, r->window);
    return 0;
}

int eval_perplexity_new(struct eval_perplexity **out, struct model *m,
                        const struct eval_perplexity_options *options)
{
    *out = NULL;
    struct eval_perplexity *p = base_alloc_zero(1, sizeof *p);
    if (!p)
        return BASE_E_MEMORY;
    p->model = m;
    p->options = *options;
    int rc = model_tokenizer(m, &p->tokenizer);
    if (rc || (rc = settle_sizes(p)) ||
        (rc = eval_bos_id(p->tokenizer, options->bos, &p->report.bos)))
        goto fail;
    p->report.prefix = eval_prefix_id(p->tokenizer);
    if (options->methods[EVAL_ROLLING] && p->report.prefix < 0) {
        rc = base_error_set(BASE_E_UNSUPPORTED,
                            "rolling perplexity puts BOS or EOS before the first token, and the "
                            "tokenizer of %s has neither",
                            model_path(m));
        goto fail;
    }
    *out = p;
    return 0;
fail:
    base_free(p);
    return rc;
}

static void document_free(struct document *d)
{
    base_free(d->ids);
    base_free(d->bytes_to);
}

void eval_perplexity_free(struct eval_perplexity *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_documents; i++)
        document_free(&p->documents[i]);
    for (int k = 0; k < METHODS; k++) {
        series_free(&p->units[k]);
        series_free(&p->windows[k]);
    }
    base_free(p->documents);
    base_free(p->work);
    base_free(p);
}

/* Same beginning together, the longest of them first. */
static int by_input(const void *a, const void *b)
{
    const struct work *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    if (x->front != y->front)
        return x->front < y->front ? -1 : 1;
    return x->count > y->count ? -1 : x->count < y->count;
}

static int reserve_work(struct eval_perplexity *p, size_t more)
{
    if (p->work_capacity - p->n_work >= more)
        return 0;
    size_t capacity = p->n_work + more + p->work_capacity;
    struct work *grown = base_realloc(p->work, capacity, sizeof *grown);
    if (!grown)
        return BASE_E_MEMORY;
    p->work = grown;
    p->work_capacity = capacity;
    return 0;
}

/* Appends one convention's windows of the newest document. */
static int plan_method(struct eval_perplexity *p, enum eval_perplexity_method k)
{
    const struct eval_perplexity_report *r = &p->report;
    const struct document *d = &p->documents[p->n_documents - 1];
    size_t begin = r->bos >= 0 ? 0 : 1, n = 0;
    struct eval_window *windows = NULL;
    int rc = k == EVAL_ROLLING ? eval_windows_rolling(d->length, r->window, 1, &windows, &n)
             : k == EVAL_STRIDED
                 ? eval_windows_strided(d->length, begin, r->window, r->stride, &windows, &n)
                 : eval_windows_chunked(d->length, begin, r->chunk, &windows, &n);
    if (rc == 0)
        rc = reserve_work(p, n);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct work w = { .document = p->n_documents - 1,
                          .first = windows[i].first,
                          .count = windows[i].to, /* nothing is asked of later tokens */
                          .front = k == EVAL_CHUNKED && i > 0 ? r->bos : -1 };
        w.use[k].from = windows[i].from;
        w.use[k].to = windows[i].to;
        double scored = (double)(windows[i].to - windows[i].from);
        w.use[k].weight = i == 0 || r->stride == r->window ? scored : scored - 1;
        p->work[p->n_work++] = w;
    }
    base_free(windows);
    return rc;
}

/* Inputs that begin alike become one, from work[start] on: a causal model's rows do not depend on
 * what follows them, so the longest input holds the rows of all. */
static void merge(struct eval_perplexity *p, size_t start)
{
    size_t kept = start;
    if (p->n_work > start)
        qsort(p->work + start, p->n_work - start, sizeof *p->work, by_input);
    for (size_t i = start; i < p->n_work; i++) {
        struct work *w = &p->work[i], *last = &p->work[kept ? kept - 1 : 0];
        if (kept > start && w->first == last->first && w->front == last->front) {
            for (int k = 0; k < METHODS; k++)
                if (w->use[k].to > w->use[k].from)
                    last->use[k] = w->use[k];
            p->report.shared_tokens += w->count;
        } else {
            p->work[kept++] = *w;
            p->pending_tokens += w->count;
        }
    }
    p->n_work = kept;
}

/* The document's ids with the prefix in front, and how far each reaches in the text. */
static int encode(struct eval_perplexity *p, const char *text, size_t bytes, struct document *d)
{
    const struct tokenizer_options plain = { .add_special = false, .parse_special = true };
    struct tokenizer_encoding e = { 0 };
    *d = (struct document){ 0 };
    int rc = tokenizer_encode(p->tokenizer, text, bytes, &plain, &e);
    if (rc)
        return rc;
    d->length = e.count;
    d->ids = base_alloc(e.count + 1, sizeof *d->ids);
    d->bytes_to = base_alloc(e.count + 1, sizeof *d->bytes_to);
    if (d->ids && d->bytes_to) {
        d->ids[0] = p->report.bos >= 0 ? p->report.bos : p->report.prefix;
        d->bytes_to[0] = 0;
        for (size_t i = 0; i < e.count; i++) {
            d->ids[i + 1] = e.ids[i];
            d->bytes_to[i + 1] = e.end[i] > d->bytes_to[i] ? e.end[i] : d->bytes_to[i];
        }
        if (e.count)
            d->bytes_to[e.count] = (uint32_t)bytes; /* what the last tokens left out is theirs */
    } else {
        rc = BASE_E_MEMORY;
        document_free(d);
    }
    tokenizer_encoding_free(&e);
    return rc;
}

/* A batch on its way through the model. */
struct batch {
    struct model_item *items;
    int32_t *ids; /* inputs whose first token is replaced, and all targets */
    int32_t **targets;
    double *logprobs, **rows;
    struct model_sequence **sequences;
};

static void batch_free(struct batch *b, size_t n)
{
    for (size_t i = 0; b->sequences && i < n; i++)
        model_sequence_free(b->sequences[i]);
    base_free(b->items);
    base_free(b->ids);
    base_free(b->targets);
    base_free(b->logprobs);
    base_free(b->rows);
    base_free(b->sequences);
}

static size_t first_row(const struct work *w)
{
    size_t from = w->count;
    for (int k = 0; k < METHODS; k++)
        if (w->use[k].to > w->use[k].from && w->use[k].from < from)
            from = w->use[k].from;
    return from;
}

/* Adds a finished input's rows to its document. logprobs[0] is row `from`. */
static int account(struct eval_perplexity *p, const struct work *w, size_t from,
                   const double *logprobs)
{
    struct document *d = &p->documents[w->document];
    bool only = p->report.documents == 0 && w->document == 0;
    for (int k = 0; k < METHODS; k++) {
        size_t n = w->use[k].to - w->use[k].from;
        if (n == 0)
            continue;
        double nll = 0;
        for (size_t r = w->use[k].from; r < w->use[k].to; r++)
            nll -= logprobs[r - from];
        if (!isfinite(nll))
            return base_error_set(BASE_E_NUMERIC,
                                  "the model gives a log-probability that is no finite number");
        d->nll[k] += nll;
        d->tokens[k] += n;
        d->bytes[k] +=
            d->bytes_to[w->first + w->use[k].to] - d->bytes_to[w->first + w->use[k].from];
        p->report.result[k].windows++;
        if (k == EVAL_STRIDED) {
            p->documented_nll += nll / (double)n * w->use[k].weight;
            p->documented_weight += w->use[k].weight;
        }
        int rc = only ? series_add(&p->windows[k], nll, (double)n) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

/* work[start .. start + n) through the model. */
static int run_batch(struct eval_perplexity *p, size_t start, size_t n)
{
    size_t tokens = 0;
    for (size_t i = 0; i < n; i++)
        tokens += p->work[start + i].count;
    struct batch b = { .items = base_alloc(n, sizeof *b.items),
                       .ids = base_alloc(tokens * 2, sizeof *b.ids),
                       .targets = base_alloc(n, sizeof *b.targets),
                       .logprobs = base_alloc(tokens, sizeof *b.logprobs),
                       .rows = base_alloc(n, sizeof *b.rows),
                       .sequences = base_alloc_zero(n, sizeof *b.sequences) };
    int rc = BASE_E_MEMORY;
    if (!b.items || !b.ids || !b.targets || !b.logprobs || !b.rows || !b.sequences)
        goto out;
    int32_t *next = b.ids;
    double *row = b.logprobs;
    for (size_t i = 0; i < n; i++) {
        const struct work *w = &p->work[start + i];
        const struct document *d = &p->documents[w->document];
        if ((rc = model_sequence_new(&b.sequences[i], p->model)))
            goto out;
        memcpy(next, d->ids + w->first, w->count * sizeof *next);
        if (w->front >= 0)
            next[0] = w->front;
        size_t from = first_row(w);
        b.items[i] = (struct model_item){ b.sequences[i], next, w->count, from };
        next += w->count;
        b.targets[i] = next;
        b.rows[i] = row;
        for (size_t r = from; r < w->count; r++) {
            size_t target = w->first + r + 1;
            *next++ = target <= d->length ? d->ids[target] : -1;
            row++;
        }
    }
    rc = model_score(p->model, b.items, n, (const int32_t *const *)b.targets, b.rows, NULL, NULL);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = account(p, &p->work[start + i], b.items[i].logits_from, b.rows[i]);
    p->report.forward_tokens += tokens;
out:
    batch_free(&b, n);
    return rc;
}

/* Runs everything pending and closes the pending documents. */
static int flush(struct eval_perplexity *p)
{
    uint64_t through = 0;
    for (size_t start = 0, n; start < p->n_work; start += n) {
        if (base_interrupted())
            return base_error_set(BASE_E_INTERRUPTED, "interrupted");
        uint64_t tokens = 0;
        for (n = 0; start + n < p->n_work; n++) {
            if (n > 0 && tokens + p->work[start + n].count > p->options.batch_tokens)
                break;
            tokens += p->work[start + n].count;
        }
        int rc = run_batch(p, start, n);
        if (rc)
            return rc;
        through += tokens;
        if (p->options.on_progress) {
            uint64_t bytes = 0;
            for (size_t i = 0; i < p->n_documents; i++)
                bytes += p->documents[i].bytes_to[p->documents[i].length];
            double share = (double)through / (double)p->pending_tokens;
            p->options.on_progress(p->options.context,
                                   p->bytes_done + (uint64_t)(share * (double)bytes));
        }
    }
    for (size_t i = 0; i < p->n_documents; i++) {
        struct document *d = &p->documents[i];
        for (int k = 0; k < METHODS; k++) {
            int rc = d->tokens[k] ? series_add(&p->units[k], d->nll[k], (double)d->tokens[k]) : 0;
            if (rc)
                return rc;
            p->report.result[k].bytes += d->bytes[k];
            p->report.result[k].tokens += d->tokens[k];
        }
        p->bytes_done += d->bytes_to[d->length];
        p->report.documents++;
        document_free(d);
    }
    p->n_documents = p->n_work = 0;
    p->pending_tokens = 0;
    return 0;
}

int eval_perplexity_add(struct eval_perplexity *p, const char *name, const char *text, size_t bytes)
{
    if (bytes > UINT32_MAX)
        return base_error_set(BASE_E_LIMIT, "%s: a document of %zu bytes is beyond 4 GiB: split it",
                              name, bytes);
    if (p->n_documents == p->documents_capacity) {
        size_t capacity = p->documents_capacity * 2 + 16;
        struct document *more = base_realloc(p->documents, capacity, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        p->documents = more;
        p->documents_capacity = capacity;
    }
    struct document *d = &p->documents[p->n_documents];
    int rc = encode(p, text, bytes, d);
    if (rc)
        return base_error_prefix(rc, "%s", name);
    if (d->length == 0) {
        document_free(d);
        p->report.empty++;
        return 0;
    }
    p->n_documents++;
    p->report.tokens += d->length;
    p->report.bytes += bytes;
    p->report.words += eval_word_count(text, bytes);
    size_t start = p->n_work;
    for (int k = 0; rc == 0 && k < METHODS; k++)
        if (p->options.methods[k])
            rc = plan_method(p, (enum eval_perplexity_method)k);
    if (rc)
        return rc;
    merge(p, start);
    return p->pending_tokens >= 8 * p->options.batch_tokens ? flush(p) : 0;
}

/* exp of an interval of ln ppl. */
static struct stats_interval exponentiated(struct stats_interval i)
{
    return (struct stats_interval){ exp(i.low), exp(i.high) };
}

static int find_interval(struct eval_perplexity *p, int k)
{
    struct eval_perplexity_result *r = &p->report.result[k];
    const struct series *s = &p->units[k];
    r->unit = "document";
    r->units = s->count;
    if (p->report.documents == 1) {
        s = &p->windows[k];
        r->unit = "window";
        r->units = s->count;
        r->interval_note = "one document only: the interval is over its windows, which tells how "
                           "much the figure varies within this text";
        if (s->count < FEWEST_WINDOWS) {
            r->interval_note = "one document of fewer than 5 windows: give more documents (several "
                               "files, --split) for an interval";
            return 0;
        }
    } else if (s->count < 2) {
        r->interval_note = "fewer than 2 documents are long enough for an interval";
        return 0;
    } else if (s->count < FEW_UNITS) {
        r->interval_note = "fewer than 20 documents: the bootstrap interval is too narrow, prefer "
                           "the delta method's";
    }
    struct stats_ratio ratio;
    int rc = stats_ratio(s->y, s->x, s->count, &ratio);
    if (rc == 0)
        rc = stats_interval_t(ratio.ratio, ratio.se, ratio.df, p->options.level, &r->delta);
    if (rc == 0)
        rc = stats_bootstrap_ratio(s->y, s->x, s->count, p->options.resamples, p->options.seed,
                                   p->options.level, &r->bootstrap);
    if (rc)
        return rc;
    r->delta = exponentiated(r->delta);
    r->bootstrap = exponentiated(r->bootstrap);
    r->has_interval = true;
    return 0;
}

static const char *why_missing(const struct eval_perplexity *p, int k)
{
    if (!p->options.methods[k])
        return "not asked for";
    if (p->report.documents == 0)
        return "there is no document with a token in it";
    return k == EVAL_CHUNKED ? "no document is as long as one chunk (--chunk)"
                             : "no document has two tokens";
}

int eval_perplexity_finish(struct eval_perplexity *p, struct eval_perplexity_report *out)
{
    int rc = flush(p);
    if (rc)
        return rc;
    for (int k = 0; k < METHODS; k++) {
        struct eval_perplexity_result *r = &p->report.result[k];
        r->ppl = r->bits_per_byte = r->word_ppl = r->ppl_documented = NAN;
        if (r->tokens == 0) {
            r->missing = why_missing(p, k);
            continue;
        }
        r->nll = stats_sum(p->units[k].y, p->units[k].count);
        r->ppl = exp(r->nll / (double)r->tokens);
        r->bits_per_byte = r->bytes ? r->nll / log(2) / (double)r->bytes : NAN;
        if (k == EVAL_ROLLING) {
            r->words = p->report.words;
            r->word_ppl = exp(r->nll / (double)r->words);
        }
        if (k == EVAL_STRIDED && p->documented_weight > 0)
            r->ppl_documented = exp(p->documented_nll / p->documented_weight);
        if ((rc = find_interval(p, k)))
            return rc;
    }
    *out = p->report;
    return 0;
}
