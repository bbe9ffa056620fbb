/* The update of word2vec in double precision: its loss and its step against finite differences of
 * the loss, for negative sampling and for labels of a tree's path; then training itself. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/memory.h"
#include "base/rng.h"
#include "embed/kernels.h"

enum { SIZE = 37, BLOCKS = 3, STRIDE = 48, CONTEXT = 5, MOST = 20 };

struct example {
    real *row; /* [CONTEXT + MOST][STRIDE], contexts first */
    size_t n, m;
    uint8_t labels[MOST];
    bool use_labels;
};

static void fill(struct example *e, size_t n, size_t m, bool labels, uint64_t seed)
{
    struct base_rng r = base_rng_make(seed, BASE_RNG_USER, 0);
    memset(e, 0, sizeof *e);
    e->row = base_alloc_large((CONTEXT + MOST) * STRIDE * sizeof *e->row);
    e->n = n;
    e->m = m;
    e->use_labels = labels;
    for (size_t i = 0; i < CONTEXT + MOST; i++)
        for (size_t k = 0; k < SIZE; k++)
            e->row[i * STRIDE + k] = 0.4 * base_rng_normal(&r);
    for (size_t j = 0; j < m; j++)
        e->labels[j] = labels ? (uint8_t)base_rng_below(&r, 2) : j == 0;
}

/* L by its definition, in plain loops. */
static double loss_of(const struct example *e)
{
    double loss = 0;
    for (size_t j = 0; j < e->m; j++) {
        double f = 0;
        for (size_t k = 0; k < SIZE; k++) {
            double h = 0;
            for (size_t i = 0; i < e->n; i++)
                h += e->row[i * STRIDE + k] / (double)e->n;
            f += h * e->row[(CONTEXT + j) * STRIDE + k];
        }
        const double s = 1 / (1 + exp(-f));
        loss -= e->labels[j] ? log(s) : log(1 - s);
    }
    return loss;
}

static void check(const struct embed_kernels *kernels, size_t n, size_t m, bool labels,
                  uint64_t seed)
{
    struct example e;
    fill(&e, n, m, labels, seed);
    const size_t bytes = (CONTEXT + MOST) * STRIDE * sizeof(real);
    real *before = base_alloc_large(bytes), *scratch = base_alloc_large(2 * STRIDE * sizeof(real));
    real *context[CONTEXT], *target[MOST];
    const double alpha = 0.025, step = 1e-5;
    double loss = 0;
    memcpy(before, e.row, bytes);
    for (size_t i = 0; i < n; i++)
        context[i] = e.row + i * STRIDE;
    for (size_t j = 0; j < m; j++)
        target[j] = e.row + (CONTEXT + j) * STRIDE;
    const double expected = loss_of(&e);
    kernels->step(context, n, target, labels ? e.labels : NULL, m, BLOCKS, alpha, scratch, &loss);
    assert_true(fabs(loss - expected) < 1e-12 * (1 + expected));
    /* every coordinate: the row moved by -alpha dL/dx, contexts by n times that */
    real *after = base_alloc_large(bytes);
    memcpy(after, e.row, bytes);
    memcpy(e.row, before, bytes);
    for (size_t i = 0; i < CONTEXT + MOST; i++)
        for (size_t k = 0; k < STRIDE; k++) {
            const size_t at = i * STRIDE + k;
            const bool used = i < CONTEXT ? i < n : i - CONTEXT < m;
            if (!used || k >= SIZE) {
                assert_true(after[at] == before[at]); /* rows not named and tails stay */
                continue;
            }
            e.row[at] = before[at] + step;
            const double high = loss_of(&e);
            e.row[at] = before[at] - step;
            const double low = loss_of(&e);
            e.row[at] = before[at];
            const double gradient = (high - low) / (2 * step) * (i < CONTEXT ? (double)n : 1);
            const double moved = (after[at] - before[at]) / -alpha;
            assert_true(fabs(moved - gradient) < 1e-8 * (1 + fabs(gradient)));
        }
    base_free_large(e.row, bytes);
    base_free_large(before, bytes);
    base_free_large(after, bytes);
    base_free_large(scratch, 2 * STRIDE * sizeof(real));
}

static void test_gradient(void **state)
{
    (void)state;
    const struct embed_kernels *set[] = { &embed_kernels_v1, embed_kernels() };
    for (int k = 0; k < 2; k++) {
        check(set[k], 1, 6, false, 1);  /* skip-gram, five noise words */
        check(set[k], 5, 6, false, 2);  /* CBOW */
        check(set[k], 4, 3, false, 3);  /* a noise word was the word itself */
        check(set[k], 2, 20, false, 4); /* many noise words */
        check(set[k], 3, 17, true, 5);  /* a path of Huffman's tree */
        check(set[k], 1, 1, true, 6);
    }
}

/* Far out the sigmoid neither overflows nor stands still. */
static void test_far(void **state)
{
    (void)state;
    const struct embed_kernels *kernels = embed_kernels();
    real *row = base_alloc_large(2 * 16 * sizeof *row),
         *scratch = base_alloc_large(32 * sizeof *row);
    for (int sign = -1; sign <= 1; sign += 2) {
        double loss;
        real *context[1] = { row }, *target[1] = { row + 16 };
        memset(row, 0, 32 * sizeof *row);
        row[0] = sign * 40;
        row[16] = 20; /* f = +-800 */
        kernels->step(context, 1, target, NULL, 1, 1, 0.025, scratch, &loss);
        assert_true(fabs(loss - (sign < 0 ? 800 : 0)) < 1e-9);
        assert_true(fabs(row[16] - (sign < 0 ? 20 - 0.025 * 40 : 20)) < 1e-9);
    }
    base_free_large(row, 2 * 16 * sizeof *row);
    base_free_large(scratch, 32 * sizeof *row);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_gradient),
                                        cmocka_unit_test(test_far) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
