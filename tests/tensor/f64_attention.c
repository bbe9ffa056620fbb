/* Attention in double: the forward against its definition to 1e-12, and the backward against
 * central finite differences to 1e-6 relative, with windows, shared heads, soft caps, ALiBi and
 * dropout. */
#include "attention_support.h"
#include <assay/base.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void forward(struct tensor_workspace *ws, const struct tensor_attention *a, const real *qkv,
                    size_t ld, size_t n, real *z, real *lse)
{
    real **pages = make_pages(a, qkv, ld, n);
    struct tensor_queries q = { .q = qkv,
                                .ldq = ld,
                                .z = z,
                                .ldz = a->heads * a->head_dim,
                                .n = n,
                                .pages = pages,
                                .lse = lse,
                                .dropout_row = 5 };
    assert_int_equal(tensor_attention_forward(ws, a, &q, 1), 0);
    free_pages(pages, n);
}

static void gradients(void **state)
{
    (void)state;
    struct tensor_workspace ws = { 0 };
    for (size_t i = 0; i < CASES; i++)
        for (int drop = 0; drop < 2; drop++) {
            const struct case_ *c = &cases[i];
            real slopes[8];
            struct tensor_attention a = attention_for(c, slopes);
            a.dropout = drop ? 0.3 : 0;
            a.dropout_key[0] = 11;
            size_t nq = c->heads * c->d, nk = c->kv * c->d, ld = nq + 2 * nk, n = c->n;
            real *qkv = random_reals(n * ld, i), *z = malloc(n * nq * sizeof *z),
                 *dz = random_reals(n * nq, 50 + i);
            real *lse = malloc(n * c->heads * sizeof *lse), *d = malloc(n * ld * sizeof *d),
                 *dir = random_reals(n * ld, 100 + i);
            forward(&ws, &a, qkv, ld, n, z, lse);
            if (!drop) {
                double *want = malloc(n * nq * sizeof *want);
                reference(&a, qkv, ld, n, want);
                for (size_t j = 0; j < n * nq; j++)
                    assert_true(fabs((double)z[j] - want[j]) < 1e-12 * (1 + fabs(want[j])));
                free(want);
            }
            struct tensor_attention_rows rows = { .q = qkv,
                                                  .k = qkv + nq,
                                                  .v = qkv + nq + nk,
                                                  .ld = ld,
                                                  .z = z,
                                                  .dz = dz,
                                                  .ldz = nq,
                                                  .lse = lse,
                                                  .dq = d,
                                                  .dk = d + nq,
                                                  .dv = d + nq + nk,
                                                  .n = n,
                                                  .dropout_row = 5 };
            assert_int_equal(tensor_attention_backward(&ws, &a, &rows, 1), 0);
            /* along a random direction for each of q, k, v */
            for (int part = 0; part < 3; part++) {
                size_t from = part == 0 ? 0 : part == 1 ? nq : nq + nk, width = part ? nk : nq;
                double dot = 0, side[2] = { 0, 0 }, h = 1e-5;
                for (size_t r = 0; r < n; r++)
                    for (size_t j = from; j < from + width; j++)
                        dot += (double)d[r * ld + j] * (double)dir[r * ld + j];
                for (int s = 0; s < 2; s++) {
                    real *moved = malloc(n * ld * sizeof *moved);
                    memcpy(moved, qkv, n * ld * sizeof *moved);
                    for (size_t r = 0; r < n; r++)
                        for (size_t j = from; j < from + width; j++)
                            moved[r * ld + j] += (real)((s ? -h : h) * (double)dir[r * ld + j]);
                    forward(&ws, &a, moved, ld, n, z, lse);
                    for (size_t j = 0; j < n * nq; j++)
                        side[s] += (double)z[j] * (double)dz[j];
                    free(moved);
                }
                double difference = (side[0] - side[1]) / (2 * h);
                if (fabs(difference - dot) > 1e-6 * (fabs(dot) + 1e-3))
                    fail_msg("case %zu part %d dropout %d: %.12g by differences, %.12g", i, part,
                             drop, difference, dot);
            }
            free(qkv), free(z), free(dz), free(lse), free(d), free(dir);
        }
    tensor_workspace_free(&ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(gradients) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
