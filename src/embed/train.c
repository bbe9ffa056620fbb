/* word2vec: the course of training. The arithmetic of an example is in kernels.c, what is drawn
 * from is in vocabulary.c.
 *
 * The picked documents are divided into blocks of about BLOCK tokens, once and for all. What chance
 * decides in a block (which tokens stay, how far each window reaches, which noise words an example
 * gets) is a function of (seed, epoch, block) alone: a block can be prepared by any thread.
 *
 * The default is the sequential algorithm: examples are trained one after the other, in the order
 * of the text, each on the matrices as the one before left them, on one thread. So the bits depend
 * on the seed alone. (Training side by side on copies of the rows, joined in a fixed order, would
 * be as reproducible; it was built and measured on WikiText-2: with 2 copies 3 times the CPU time,
 * with 4 half the analogies were lost. It is not here.) What runs in parallel are models:
 * stability.c trains one on every thread.
 *
 * Hogwild (Recht et al. 2011): every thread takes the next block and writes into the shared
 * matrices without asking; what gensim and word2vec.c do.
 *
 * The rate of learning falls linearly with the tokens before a document, in both. */
#include "embed/vocabulary.h"
#include "base/memory.h"
#include "base/rng.h"
#include "embed/kernels.h"
#include "embed/words.h"
#include <math.h>
#include <omp.h>
#include <string.h>

#define BLOCK       2048  /* tokens; a block ends with a document */
#define MOST_PIECE  10000 /* a longer document is divided: a window does not reach across */
#define MOST_WINDOW 500
#define LOSS_EVERY  16
#define LOOK_AHEAD  (3 * EMBED_MOST_TARGETS) /* that may be fetched past the last noise word */

/* A run of tokens of the corpus that is one sentence; and which of them make a block. */
struct piece {
    uint64_t from;
    uint32_t n;
};
struct block {
    uint64_t piece, n; /* pieces */
    uint64_t before;   /* tokens before it in an epoch */
};
struct plan {
    struct piece *piece;
    struct block *block;
    uint64_t pieces, blocks, tokens;
    size_t most; /* tokens of the largest block */
};

/* A block whose draws have been made. */
struct prepared {
    uint32_t *id;   /* tokens that stay, as places in the vocabulary */
    uint32_t *end;  /* [sentences] where each ends in id */
    real *alpha;    /* [sentences] */
    uint16_t *span; /* [tokens] how far the window reaches */
    uint32_t *noise;
    uint32_t *random;
    size_t sentences, noise_room, random_room;
    uint64_t tokens; /* of the corpus, also those that do not stay */
};

struct trainer {
    const struct embed_train_options *o;
    const struct embed_corpus *corpus;
    struct embed_vocabulary vocabulary;
    const struct embed_kernels *kernels;
    struct plan plan;
    real *in, *out; /* [n][stride] */
    size_t stride, blocks16, in_bytes, out_bytes;
    uint32_t key[2]; /* of the random stream */
};

/* ---- plan ---- */

static int make_plan(struct plan *p, const struct embed_corpus *c, const uint64_t *pick,
                     uint64_t n_pick)
{
    if (!pick)
        n_pick = c->documents;
    for (uint64_t i = 0; i < n_pick; i++) {
        const uint64_t d = pick ? pick[i] : i, n = c->start[d + 1] - c->start[d];
        p->pieces += (n + MOST_PIECE - 1) / MOST_PIECE;
    }
    if (!(p->piece = base_alloc(p->pieces, sizeof *p->piece)) ||
        !(p->block = base_alloc(p->pieces, sizeof *p->block)))
        return BASE_E_MEMORY;
    uint64_t k = 0, full = 0;
    for (uint64_t i = 0; i < n_pick; i++) {
        const uint64_t d = pick ? pick[i] : i;
        for (uint64_t from = c->start[d]; from < c->start[d + 1];) {
            const uint64_t left = c->start[d + 1] - from;
            const uint32_t n = (uint32_t)(left < MOST_PIECE ? left : MOST_PIECE);
            if (full == 0)
                p->block[p->blocks++] = (struct block){ k, 0, p->tokens };
            p->piece[k++] = (struct piece){ from, n };
            p->block[p->blocks - 1].n++;
            p->tokens += n;
            full += n;
            from += n;
            p->most = full > p->most ? full : p->most;
            full = full >= BLOCK ? 0 : full;
        }
    }
    return 0;
}

/* ---- draws ---- */

static void prepared_free(struct prepared *p)
{
    base_free(p->id);
    base_free(p->end);
    base_free(p->alpha);
    base_free(p->span);
    base_free(p->noise);
    base_free(p->random);
    *p = (struct prepared){ 0 };
}

static int prepared_make(struct prepared *p, const struct trainer *t)
{
    const size_t most = t->plan.most;
    *p = (struct prepared){ 0 };
    p->id = base_alloc(most + 1, sizeof *p->id);
    p->end = base_alloc(most + 1, sizeof *p->end);
    p->alpha = base_alloc(most + 1, sizeof *p->alpha);
    p->span = base_alloc(most + 1, sizeof *p->span);
    return p->id && p->end && p->alpha && p->span ? 0 : BASE_E_MEMORY;
}

static int reserve(uint32_t **array, size_t *room, size_t n)
{
    if (*room >= n)
        return 0;
    uint32_t *wide = base_realloc(*array, n + n / 4, sizeof *wide);
    if (!wide)
        return BASE_E_MEMORY;
    *array = wide;
    *room = n + n / 4;
    return 0;
}

/* n random words of stream `item`, part 0 (thinning), 1 (windows), 2 (noise) of it. */
static int draw(struct prepared *p, const struct trainer *t, uint64_t item, int part, size_t n)
{
    const uint32_t halves[2] = { (uint32_t)item, (uint32_t)(item >> 32) };
    const size_t groups = (n + 63) / 64;
    int rc = reserve(&p->random, &p->random_room, groups * 64);
    if (rc == 0)
        t->kernels->random(p->random, groups, (uint64_t)part << 40, t->key, halves);
    return rc;
}

static int prepare(struct prepared *p, const struct trainer *t, unsigned epoch, uint64_t b)
{
    const struct embed_train_options *o = t->o;
    const struct block *block = &t->plan.block[b];
    const struct embed_vocabulary *v = &t->vocabulary;
    const uint64_t item = (uint64_t)epoch << 40 | b;
    const double total = (double)t->plan.tokens * o->epochs;
    size_t n = 0;
    p->tokens = 0;
    p->sentences = 0;
    for (uint64_t i = 0; i < block->n; i++)
        p->tokens += t->plan.piece[block->piece + i].n;
    int rc = draw(p, t, item, 0, p->tokens);
    if (rc)
        return rc;
    size_t k = 0;
    for (uint64_t i = 0; i < block->n; i++) {
        const struct piece *piece = &t->plan.piece[block->piece + i];
        const uint32_t *token = t->corpus->token + piece->from;
        const double done = (double)t->plan.tokens * epoch + (double)(block->before + k);
        const double alpha = o->alpha - (o->alpha - o->alpha_end) * (done / total);
        for (uint32_t j = 0; j < piece->n; j++, k++) {
            const uint32_t id = v->index[token[j]];
            if (id != EMBED_NONE && p->random[k] <= v->keep[id])
                p->id[n++] = id;
        }
        p->alpha[p->sentences] = (real)alpha;
        p->end[p->sentences++] = (uint32_t)n;
    }
    if ((rc = draw(p, t, item, 1, n)))
        return rc;
    uint64_t pairs = 0;
    for (size_t i = 0; i < n; i++) {
        p->span[i] = (uint16_t)(1 + ((uint64_t)p->random[i] * o->window >> 32));
        pairs += 2u * p->span[i];
    }
    if (o->hierarchical)
        return 0;
    const size_t noise = (o->method == EMBED_CBOW ? n : pairs) * o->negative;
    if ((rc = draw(p, t, item, 2, noise)) ||
        (rc = reserve(&p->noise, &p->noise_room, noise + LOOK_AHEAD)))
        return rc;
    for (size_t i = 0; i < noise; i++)
        p->noise[i] = embed_vocabulary_noise(v, p->random[i]);
    memset(p->noise + noise, 0, LOOK_AHEAD * sizeof *p->noise);
    return 0;
}

/* ---- training a block ---- */

struct tally {
    uint64_t examples, measured;
    double loss;
};

static inline void fetch(const real *row, size_t stride)
{
    for (size_t i = 0; i < stride; i += 64 / sizeof *row)
        __builtin_prefetch(row + i, 1, 3);
}

/* The output rows of an example that predicts `word`: the word and its noise, or its path. */
static inline size_t targets_of(const struct trainer *t, uint32_t word, const uint32_t *noise,
                                real **target, uint8_t *label)
{
    const struct embed_vocabulary *v = &t->vocabulary;
    size_t m = 0;
    if (t->o->hierarchical) {
        for (uint64_t k = v->path[word]; k < v->path[word + 1]; k++) {
            label[m] = (uint8_t)(1 - v->code[k]);
            target[m++] = t->out + (size_t)v->point[k] * t->stride;
        }
        return m;
    }
    target[m++] = t->out + (size_t)word * t->stride;
    for (unsigned k = 0; k < t->o->negative; k++)
        if (noise[k] != word)
            target[m++] = t->out + (size_t)noise[k] * t->stride;
    return m;
}

static void train_block(const struct trainer *t, const struct prepared *p, real *scratch,
                        bool measure, struct tally *tally)
{
    const struct embed_train_options *o = t->o;
    const uint32_t *noise = p->noise;
    const unsigned negative = o->hierarchical ? 0 : o->negative;
    real *context[2 * MOST_WINDOW], *target[EMBED_MOST_TARGETS];
    uint8_t label[EMBED_MOST_TARGETS];
    double loss;
    for (size_t s = 0, from = 0; s < p->sentences; from = p->end[s++]) {
        const size_t to = p->end[s];
        for (size_t i = from; i < to; i++) {
            const size_t low = i - from < p->span[i] ? from : i - p->span[i];
            const size_t high = to - i <= p->span[i] ? to : i + p->span[i] + 1;
            if (i + 2 < to) {
                fetch(t->in + (size_t)p->id[i + 2] * t->stride, t->stride);
                fetch(t->out + (size_t)p->id[i + 2] * t->stride, t->stride);
                if (o->method == EMBED_CBOW)
                    for (unsigned k = 0; k < negative; k++)
                        fetch(t->out + (size_t)noise[2 * negative + k] * t->stride, t->stride);
            }
            size_t n = 0;
            for (size_t j = low; j < high; j++)
                if (j != i)
                    context[n++] = t->in + (size_t)p->id[j] * t->stride;
            if (o->method == EMBED_CBOW) {
                if (n > 0) {
                    const size_t m = targets_of(t, p->id[i], noise, target, label);
                    const bool look = measure && tally->examples % LOSS_EVERY == 0;
                    t->kernels->step(context, n, target, o->hierarchical ? label : NULL, m,
                                     t->blocks16, p->alpha[s], scratch, look ? &loss : NULL);
                    if (look) {
                        tally->loss += loss;
                        tally->measured++;
                    }
                    tally->examples++;
                }
                noise += negative;
                continue;
            }
            /* skip-gram: every context word predicts word i */
            for (size_t j = 0; j < n; j++, noise += negative) {
                for (unsigned k = 0; k < negative; k++)
                    fetch(t->out + (size_t)noise[negative + k] * t->stride, t->stride);
                const size_t m = targets_of(t, p->id[i], noise, target, label);
                const bool look = measure && tally->examples % LOSS_EVERY == 0;
                t->kernels->step(context + j, 1, target, o->hierarchical ? label : NULL, m,
                                 t->blocks16, p->alpha[s], scratch, look ? &loss : NULL);
                if (look) {
                    tally->loss += loss;
                    tally->measured++;
                }
                tally->examples++;
            }
        }
    }
}

/* ---- the blocks ---- */

static int report(const struct trainer *t, unsigned epoch, uint64_t done)
{
    const struct embed_train_options *o = t->o;
    const uint64_t total = t->plan.tokens * o->epochs, at = t->plan.tokens * epoch + done;
    const double share = (double)at / (double)total;
    if (base_interrupted() ||
        (o->on_progress &&
         o->on_progress(o->context, at, total, o->alpha - (o->alpha - o->alpha_end) * share)))
        return base_error_set(BASE_E_INTERRUPTED, "interrupted");
    return 0;
}

static int run_in_order(const struct trainer *t, struct tally *tally)
{
    struct prepared p = { 0 };
    const size_t bytes = 2 * t->stride * sizeof(real);
    real *scratch = base_alloc_large(bytes);
    int rc = scratch ? prepared_make(&p, t) : BASE_E_MEMORY;
    for (unsigned epoch = 0; epoch < t->o->epochs && rc == 0; epoch++)
        for (uint64_t b = 0; b < t->plan.blocks && rc == 0; b++)
            if ((rc = prepare(&p, t, epoch, b)) == 0) {
                train_block(t, &p, scratch, epoch + 1 == t->o->epochs, tally);
                if (b % 16 == 0)
                    rc = report(t, epoch, t->plan.block[b].before);
            }
    prepared_free(&p);
    base_free_large(scratch, bytes);
    return rc;
}

/* Every thread takes the next block and writes into the shared matrices without asking. */
static int run_hogwild(const struct trainer *t, int threads, struct tally *tally)
{
    const uint64_t steps = t->plan.blocks * t->o->epochs;
    uint64_t next = 0;
    int rc = 0;
#pragma omp parallel num_threads(threads)
    {
        struct prepared p = { 0 };
        struct tally own = { 0 };
        real *scratch = base_alloc_large(2 * t->stride * sizeof *scratch);
        int mine = scratch ? prepared_make(&p, t) : BASE_E_MEMORY, stop = mine;
        while (!stop) {
            const uint64_t k = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
            if (k >= steps)
                break;
            const unsigned epoch = (unsigned)(k / t->plan.blocks);
            const uint64_t b = k % t->plan.blocks;
            if ((mine = prepare(&p, t, epoch, b)) == 0)
                train_block(t, &p, scratch, epoch + 1 == t->o->epochs, &own);
            if (mine == 0 && omp_get_thread_num() == 0 && k % 16 < (uint64_t)threads)
                mine = report(t, epoch, t->plan.block[b].before);
            if (mine)
                __atomic_store_n(&next, steps, __ATOMIC_RELAXED);
            stop = mine;
        }
        prepared_free(&p);
        base_free_large(scratch, 2 * t->stride * sizeof *scratch);
#pragma omp critical(embed_hogwild)
        {
            rc = rc ? rc : mine;
            tally->examples += own.examples;
            tally->measured += own.measured;
            tally->loss += own.loss;
        }
    }
    return rc;
}

/* ---- the whole ---- */

static int check(const struct embed_train_options *o)
{
    if (o->size < 1 || o->size > 10000)
        return base_error_set(BASE_E_ARGUMENT, "vectors of %u numbers: choose 1 to 10000", o->size);
    if (o->window < 1 || o->window > MOST_WINDOW)
        return base_error_set(BASE_E_ARGUMENT, "a window of %u: choose 1 to %d", o->window,
                              MOST_WINDOW);
    if (o->epochs < 1 || o->epochs > 1000000)
        return base_error_set(BASE_E_ARGUMENT, "%u epochs: choose 1 to 1000000", o->epochs);
    if (!o->hierarchical && (o->negative < 1 || o->negative >= EMBED_MOST_TARGETS))
        return base_error_set(BASE_E_ARGUMENT, "%u noise words: choose 1 to %d", o->negative,
                              EMBED_MOST_TARGETS - 1);
    if (!(o->sample >= 0 && o->sample <= 1) || !isfinite(o->exponent) || !(o->alpha > 0) ||
        !(o->alpha_end >= 0) || !isfinite(o->alpha) || !isfinite(o->alpha_end))
        return base_error_set(BASE_E_ARGUMENT, "sample must be 0 to 1, the rates not negative, and "
                                               "all of them finite");
    return 0;
}

/* Uniform in [-1, 1) / size for every word, from the word's own stream. */
static void initialise(const struct trainer *t)
{
    const size_t groups = (t->o->size + 63) / 64;
    uint32_t random[64];
    for (size_t i = 0; i < t->vocabulary.n; i++) {
        const uint32_t item[2] = { (uint32_t)i, 0x80000000u };
        real *row = t->in + i * t->stride;
        for (size_t g = 0; g < groups; g++) {
            t->kernels->random(random, 1, g, t->key, item);
            for (size_t k = 0; k < 64 && g * 64 + k < t->o->size; k++)
                row[g * 64 + k] = (real)(((double)(random[k] >> 8) / 8388608.0 - 1) / t->o->size);
        }
    }
}

static int make_vectors(struct embed_vectors **out, const struct trainer *t)
{
    int rc = embed_vectors_new(out, t->vocabulary.n, t->o->size);
    if (rc)
        return rc;
    struct embed_vectors *v = *out;
    memcpy(v->vector, t->in, t->vocabulary.n * t->stride * sizeof *v->vector);
    if (!(v->count = base_alloc(v->n, sizeof *v->count)))
        return BASE_E_MEMORY;
    memcpy(v->count, t->vocabulary.count, v->n * sizeof *v->count);
    for (size_t i = 0; i < v->n && rc == 0; i++) {
        const char *word = embed_corpus_word(t->corpus, t->vocabulary.type[i]);
        uint32_t number;
        rc = embed_words_add(v->words, word, strlen(word), &number, NULL);
    }
    embed_vectors_measure(v);
    for (size_t i = 0; i < v->n && rc == 0; i++)
        if (!isfinite((double)v->norm[i]))
            rc = base_error_set(BASE_E_NUMERIC,
                                "training diverged (the vector of \"%s\" is not finite): choose a "
                                "smaller --alpha",
                                embed_vectors_word(v, i));
    return rc;
}

int embed_train(struct embed_vectors **out, const struct embed_corpus *corpus, const uint64_t *pick,
                uint64_t n_pick, const struct embed_train_options *options,
                struct embed_train_report *rep)
{
    struct trainer t = { .o = options, .corpus = corpus, .kernels = embed_kernels() };
    struct tally tally = { 0 };
    const int threads = options->threads > 0 ? options->threads : base_threads();
    *out = NULL;
    int rc = check(options);
    if (rc || (rc = embed_vocabulary_make(&t.vocabulary, corpus, pick, n_pick, options)) ||
        (rc = make_plan(&t.plan, corpus, pick, n_pick)))
        goto out;
    const struct base_rng stream = base_rng_make(options->seed, BASE_RNG_EMBED, 0);
    t.key[0] = stream.key[0];
    t.key[1] = stream.key[1];
    t.blocks16 = (options->size + 15) / 16;
    t.stride = t.blocks16 * 16;
    size_t bytes;
    if (base_mul_size(t.vocabulary.n, t.stride * sizeof(real), &bytes)) {
        rc = base_error_set(BASE_E_LIMIT, "%zu words of %u numbers do not fit into memory",
                            t.vocabulary.n, options->size);
        goto out;
    }
    t.in_bytes = t.out_bytes = bytes;
    if (!(t.in = base_alloc_large(t.in_bytes)) || !(t.out = base_alloc_large(t.out_bytes))) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    initialise(&t);
    rc = options->hogwild ? run_hogwild(&t, threads, &tally) : run_in_order(&t, &tally);
    if (rc == 0)
        rc = make_vectors(out, &t);
    if (rep)
        *rep = (struct embed_train_report){
            .words = t.vocabulary.n,
            .dropped = t.vocabulary.dropped,
            .tokens = t.vocabulary.tokens,
            .trained = tally.examples,
            .loss = tally.measured ? tally.loss / (double)tally.measured : NAN,
        };
out:
    if (rc == BASE_E_MEMORY) /* the message may be another thread's */
        base_error_set(rc, "out of memory while training");
    if (rc) {
        embed_vectors_free(*out);
        *out = NULL;
    }
    base_free_large(t.in, t.in_bytes);
    base_free_large(t.out, t.out_bytes);
    base_free(t.plan.piece);
    base_free(t.plan.block);
    embed_vocabulary_free(&t.vocabulary);
    return rc;
}
