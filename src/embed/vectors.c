/* Vectors and what is asked of them: cosines, nearest words, analogies. */
#include "base/memory.h"
#include "base/rng.h"
#include "base/text.h"
#include "embed/kernels.h"
#include "embed/near.h"
#include "embed/words.h"
#include <math.h>
#include <string.h>

int embed_vectors_new(struct embed_vectors **out, size_t n, size_t size)
{
    struct embed_vectors *v = base_alloc_zero(1, sizeof *v);
    size_t bytes;
    *out = NULL;
    if (!v)
        return BASE_E_MEMORY;
    v->n = n;
    v->room = n + (n == 0);
    v->size = size;
    v->stride = (size + 15) / 16 * 16;
    if (base_mul_size(v->room, v->stride * sizeof *v->vector, &bytes)) {
        base_free(v);
        return base_error_set(BASE_E_LIMIT, "%zu vectors of %zu numbers", n, size);
    }
    v->vector = base_alloc_large(bytes);
    v->norm = base_alloc_zero(n + 1, sizeof *v->norm);
    if (!v->vector || !v->norm || embed_words_new(&v->words)) {
        embed_vectors_free(v);
        return BASE_E_MEMORY;
    }
    *out = v;
    return 0;
}

void embed_vectors_free(struct embed_vectors *v)
{
    if (!v)
        return;
    base_free_large(v->vector, v->room * v->stride * sizeof *v->vector);
    base_free(v->norm);
    base_free(v->count);
    embed_words_free(v->words);
    base_free(v);
}

void embed_vectors_measure(struct embed_vectors *v)
{
    for (size_t i = 0; i < v->n; i++) {
        const real *x = v->vector + i * v->stride;
        double sum = 0;
        for (size_t k = 0; k < v->size; k++)
            sum += (double)x[k] * (double)x[k];
        v->norm[i] = (real)sqrt(sum);
    }
}

const char *embed_vectors_word(const struct embed_vectors *v, size_t i)
{
    return embed_words_text(v->words, i);
}

int64_t embed_vectors_find(const struct embed_vectors *v, const char *word)
{
    return embed_words_find(v->words, word, strlen(word));
}

/* Levenshtein's distance of two short words, or 99 when it is above 2 for certain. */
static int distance(const char *a, const char *b)
{
    const size_t n = strlen(a), m = strlen(b);
    int row[64];
    if (n > 60 || m > 60 || n > m + 2 || m > n + 2)
        return 99;
    for (size_t j = 0; j <= m; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            const int above = row[j];
            int best = diagonal + (a[i - 1] != b[j - 1]);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[m];
}

int embed_vectors_need(const struct embed_vectors *v, const char *word, size_t *out)
{
    const int64_t at = embed_vectors_find(v, word);
    if (at >= 0) {
        *out = (size_t)at;
        return 0;
    }
    const char *near[3] = { NULL };
    size_t n = 0;
    for (int d = 1; d <= 2 && n < 3; d++)
        for (size_t i = 0; i < v->n && n < 3; i++)
            if (distance(word, embed_vectors_word(v, i)) == d)
                near[n++] = embed_vectors_word(v, i);
    if (n == 0)
        return base_error_set(BASE_E_ARGUMENT, "\"%s\" has no vector", word);
    return base_error_set(BASE_E_ARGUMENT, "\"%s\" has no vector (near it: %s%s%s%s%s)", word,
                          near[0], n > 1 ? ", " : "", n > 1 ? near[1] : "", n > 2 ? ", " : "",
                          n > 2 ? near[2] : "");
}

double embed_similarity(const struct embed_vectors *v, size_t i, size_t j)
{
    const real *x = v->vector + i * v->stride, *y = v->vector + j * v->stride;
    double sum = 0;
    for (size_t k = 0; k < v->size; k++)
        sum += (double)x[k] * (double)y[k];
    const double length = (double)v->norm[i] * (double)v->norm[j];
    return length > 0 ? fmax(-1, fmin(1, sum / length)) : 0;
}

/* The unit vector of the question: mean of unit vectors, positive less negative. */
void embed_question(const struct embed_vectors *v, const uint32_t *positive, size_t n_positive,
                    const uint32_t *negative, size_t n_negative, real *query)
{
    double sum = 0;
    for (size_t k = 0; k < v->stride; k++) {
        double x = 0;
        for (size_t i = 0; i < n_positive + n_negative; i++) {
            const uint32_t id = i < n_positive ? positive[i] : negative[i - n_positive];
            const double u =
                v->norm[id] > 0 ? (double)v->vector[id * v->stride + k] / (double)v->norm[id] : 0;
            x += i < n_positive ? u : -u;
        }
        query[k] = (real)x;
        sum += x * x;
    }
    const double length = sqrt(sum);
    for (size_t k = 0; k < v->stride && length > 0; k++)
        query[k] = (real)((double)query[k] / length);
}

/* Puts a candidate among the best: by falling similarity, equal ones by number. */
void embed_near_put(struct embed_near *out, size_t top, size_t *n, uint32_t word, double similarity)
{
    if (*n == top && !(similarity > out[top - 1].similarity))
        return;
    size_t i = *n < top ? (*n)++ : top - 1;
    for (; i > 0 && out[i - 1].similarity < similarity; i--)
        out[i] = out[i - 1];
    out[i] = (struct embed_near){ word, similarity };
}

int embed_near_rows(const struct embed_vectors *v, const real *query, size_t queries, size_t limit,
                    embed_near_fn *keep, void *context)
{
    const struct embed_kernels *kernels = embed_kernels();
    enum { ROWS = 256 };
    real *f = base_alloc(8 * ROWS, sizeof *f);
    if (!f)
        return BASE_E_MEMORY;
    for (size_t from = 0; from < limit; from += ROWS) {
        const size_t rows = limit - from < ROWS ? limit - from : ROWS;
        kernels->products(v->vector + from * v->stride, rows, v->stride / 16, query, queries, f);
        for (size_t q = 0; q < queries; q++)
            for (size_t r = 0; r < rows; r++) {
                const double length = (double)v->norm[from + r];
                keep(context, q, (uint32_t)(from + r),
                     length > 0 ? (double)f[q * rows + r] / length : 0);
            }
    }
    base_free(f);
    return 0;
}

struct search {
    const uint32_t *leave_out;
    size_t n_leave_out, top, *n;
    struct embed_near *out;
};
static void keep_best(void *context, size_t query, uint32_t word, double similarity)
{
    struct search *s = context;
    (void)query;
    if (*s->n == s->top && !(similarity > s->out[s->top - 1].similarity))
        return;
    for (size_t i = 0; i < s->n_leave_out; i++)
        if (s->leave_out[i] == word)
            return;
    embed_near_put(s->out, s->top, s->n, word, similarity);
}

int embed_similar(const struct embed_vectors *v, const uint32_t *positive, size_t n_positive,
                  const uint32_t *negative, size_t n_negative, size_t restrict_to, size_t top,
                  struct embed_near *out, size_t *n)
{
    const size_t asked = n_positive + n_negative;
    *n = 0;
    if (asked == 0)
        return base_error_set(BASE_E_ARGUMENT, "a question needs at least one word");
    if (top == 0)
        return 0;
    real *query = base_alloc_large(v->stride * sizeof *query);
    uint32_t *words = base_alloc(asked, sizeof *words);
    int rc = query && words ? 0 : BASE_E_MEMORY;
    if (rc == 0) {
        if (n_positive)
            memcpy(words, positive, n_positive * sizeof *words);
        if (n_negative)
            memcpy(words + n_positive, negative, n_negative * sizeof *words);
        embed_question(v, positive, n_positive, negative, n_negative, query);
        struct search s = { words, asked, top, n, out };
        rc = embed_near_rows(v, query, 1, restrict_to && restrict_to < v->n ? restrict_to : v->n,
                             keep_best, &s);
    }
    base_free_large(query, v->stride * sizeof *query);
    base_free(words);
    return rc;
}

double embed_random_cosine(const struct embed_vectors *v, size_t pairs, uint64_t seed)
{
    const size_t n = v->n < 10000 ? v->n : 10000;
    struct base_rng r = base_rng_make(seed, BASE_RNG_EMBED, (uint64_t)1 << 62);
    double sum = 0;
    if (n < 2 || pairs == 0)
        return NAN;
    for (size_t i = 0; i < pairs; i++) {
        const size_t a = base_rng_below(&r, n), b = base_rng_below(&r, n - 1);
        sum += embed_similarity(v, a, b + (b >= a));
    }
    return sum / (double)pairs;
}
