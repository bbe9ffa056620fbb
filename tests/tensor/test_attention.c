/* Attention in float: against its definition in double; the same bits whole, row by row, with other
 * rows beside it, and for any number of threads. */
#include "attention_support.h"
#include <assay/base.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void matches_definition(void **state)
{
    (void)state;
    struct tensor_workspace ws = { 0 };
    for (size_t i = 0; i < CASES; i++) {
        const struct case_ *c = &cases[i];
        real slopes[8];
        struct tensor_attention a = attention_for(c, slopes);
        size_t nq = c->heads * c->d, ld = nq + 2 * c->kv * c->d;
        real *qkv = random_reals(c->n * ld, i), *z = malloc(c->n * nq * sizeof *z),
             *one = malloc(c->n * nq * sizeof *z);
        double *want = malloc(c->n * nq * sizeof *want);
        real **pages = make_pages(&a, qkv, ld, c->n);
        struct tensor_queries q = {
            .q = qkv, .ldq = ld, .z = z, .ldz = nq, .n = c->n, .pages = pages
        };
        assert_int_equal(tensor_attention_forward(&ws, &a, &q, 1), 0);
        reference(&a, qkv, ld, c->n, want);
        for (size_t j = 0; j < c->n * nq; j++)
            if (fabs((double)z[j] - want[j]) > 2e-6)
                fail_msg("case %zu at %zu: %.9g, expected %.9g", i, j, (double)z[j], want[j]);
        /* row by row, when only the keys so far exist */
        real **grown = make_pages(&a, qkv, ld, 0);
        free(grown);
        grown = malloc(((c->n + 31) / 32) * sizeof *grown);
        for (size_t r = 0; r < c->n; r++) {
            if (r % 32 == 0)
                grown[r / 32] = calloc(tensor_attention_page(&a), sizeof **grown);
            tensor_attention_write(&a, grown[r / 32], r % 32, qkv + r * ld + nq,
                                   qkv + r * ld + nq + c->kv * c->d);
            struct tensor_queries single = { .q = qkv + r * ld,
                                             .ldq = ld,
                                             .z = one + r * nq,
                                             .ldz = nq,
                                             .n = 1,
                                             .start = r,
                                             .pages = grown };
            assert_int_equal(tensor_attention_forward(&ws, &a, &single, 1), 0);
        }
        assert_memory_equal(z, one, c->n * nq * sizeof *z);
        /* two items at once, threads 1 to 3 */
        for (int t = 1; t <= 3; t++) {
            base_threads_set(t);
            memset(one, 0, c->n * nq * sizeof *one);
            size_t cut = c->n / 3;
            struct tensor_queries two[2] = { q, q };
            two[0].n = cut;
            two[0].z = one;
            two[1].q = qkv + cut * ld;
            two[1].z = one + cut * nq;
            two[1].n = c->n - cut;
            two[1].start = cut;
            assert_int_equal(tensor_attention_forward(&ws, &a, cut ? two : two + 1, cut ? 2 : 1),
                             0);
            assert_memory_equal(z, one, c->n * nq * sizeof *z);
        }
        base_threads_set(0);
        real k[512], v[512];
        tensor_attention_read(&a, pages[(c->n - 1) / 32], (c->n - 1) % 32, k, v);
        assert_memory_equal(k, qkv + (c->n - 1) * ld + nq, c->kv * c->d * sizeof *k);
        assert_memory_equal(v, qkv + (c->n - 1) * ld + nq + c->kv * c->d, c->kv * c->d * sizeof *v);
        free_pages(pages, c->n);
        free_pages(grown, c->n);
        free(qkv), free(z), free(one), free(want);
    }
    tensor_workspace_free(&ws);
}

/* A model that was trained without dropout sees the mean: E[dropout(z)] = z; and a mask is a
 * function of its names only. */
static void dropout_is_named_and_unbiased(void **state)
{
    (void)state;
    struct tensor_workspace ws = { 0 };
    struct tensor_attention a = { .heads = 2,
                                  .kv_heads = 2,
                                  .head_dim = 8,
                                  .scale = 1,
                                  .dropout = 0.25,
                                  .dropout_key = { 3, 4 } };
    size_t n = 40, ld = 48;
    real *qkv = random_reals(n * ld, 99), z[40 * 16], again[40 * 16];
    double mean[40 * 16] = { 0 }, clean[40 * 16];
    real **pages = make_pages(&a, qkv, ld, n);
    struct tensor_queries q = { .q = qkv, .ldq = ld, .z = z, .ldz = 16, .n = n, .pages = pages };
    for (uint32_t s = 0; s < 4000; s++) {
        q.dropout_row = s;
        assert_int_equal(tensor_attention_forward(&ws, &a, &q, 1), 0);
        for (size_t i = 0; i < n * 16; i++)
            mean[i] += (double)z[i] / 4000;
    }
    q.z = again;
    assert_int_equal(tensor_attention_forward(&ws, &a, &q, 1), 0);
    assert_memory_equal(z, again, sizeof z);
    a.dropout = 0;
    reference(&a, qkv, ld, n, clean);
    for (size_t i = 0; i < n * 16; i++)
        assert_true(fabs(mean[i] - clean[i]) < 0.12);
    free_pages(pages, n);
    free(qkv);
    tensor_workspace_free(&ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(matches_definition),
                                        cmocka_unit_test(dropout_is_named_and_unbiased) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
