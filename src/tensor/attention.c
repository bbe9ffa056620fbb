/* Attention, forward and backward, on the register tile of matmul. One task is one sequence, one
 * kv head (with all query heads that share it) and, forward, one tile of queries; each task's
 * arithmetic is fixed, so threads only decide who does it. */
#include "tensor/attention.h"
#include "base/memory.h"
#include "base/rng.h"
#include "tensor/kernels_table.h"
#include <assay/base.h>
#include <omp.h>
#include <string.h>

#define TILES    4 /* register tiles per query tile: K and V blocks are reused from L1 */
#define ROWS_MAX (16 * TILES)
#define MASKED   REAL(-3e38)

size_t tensor_attention_width(const struct tensor_attention *a)
{
    return (a->head_dim + 31) / 32 * 32;
}

size_t tensor_attention_page(const struct tensor_attention *a)
{
    return a->kv_heads * TENSOR_PAGE * (a->head_dim + tensor_attention_width(a));
}

static real *page_keys(const struct tensor_attention *a, real *page, size_t h)
{
    return page + h * a->head_dim * TENSOR_PAGE;
}

static real *page_values(const struct tensor_attention *a, real *page, size_t h)
{
    return page + a->kv_heads * a->head_dim * TENSOR_PAGE +
           h * TENSOR_PAGE * tensor_attention_width(a);
}

void tensor_attention_write(const struct tensor_attention *a, real *page, size_t slot,
                            const real *k, const real *v)
{
    size_t d = a->head_dim, width = tensor_attention_width(a);
    for (size_t h = 0; h < a->kv_heads; h++) {
        real *keys = page_keys(a, page, h), *values = page_values(a, page, h);
        for (size_t i = 0; i < d; i++)
            keys[i * TENSOR_PAGE + slot] = k[h * d + i];
        memcpy(values + slot * width, v + h * d, d * sizeof *v);
    }
}

void tensor_attention_read(const struct tensor_attention *a, const real *page, size_t slot, real *k,
                           real *v)
{
    size_t d = a->head_dim, width = tensor_attention_width(a);
    for (size_t h = 0; h < a->kv_heads; h++) {
        const real *keys = page_keys(a, (real *)page, h), *values = page_values(a, (real *)page, h);
        for (size_t i = 0; i < d; i++)
            k[h * d + i] = keys[i * TENSOR_PAGE + slot];
        memcpy(v + h * d, values + slot * width, d * sizeof *v);
    }
}

/* c[rows, columns] (+)= a b by register tiles; columns a multiple of 32, b [k][ldb]. */
static void small_gemm(size_t rows, size_t columns, size_t k, const real *a, size_t a_row,
                       size_t a_step, const real *b, size_t ldb, real *c, size_t ldc, bool first)
{
    const struct tensor_kernels *kernels = tensor_kernels();
    for (size_t r = 0; r < rows; r += kernels->gemm_rows) {
        size_t m = rows - r < kernels->gemm_rows ? rows - r : kernels->gemm_rows;
        for (size_t j = 0; j < columns; j += 32)
            kernels->gemm(m, k, a + r * a_row, a_row, a_step, b + j, ldb, c + r * ldc + j, ldc,
                          first);
    }
}

/* The keys [low, high) of the block at `key` that a query at position i sees. */
static void visible(const struct tensor_attention *a, size_t i, size_t key, int *low, int *high)
{
    size_t end = i + 1 > key ? i + 1 - key : 0;
    size_t begin = a->window && i + 1 > a->window + key ? i + 1 - a->window - key : 0;
    *high = end > TENSOR_PAGE ? TENSOR_PAGE : (int)end;
    *low = begin > (size_t)*high ? *high : (int)begin;
}

/* Dropout's multipliers for one row and block: 0 or 1/(1-p), a pure function of the names. */
static void dropout_block(const struct tensor_attention *a, uint32_t sequence, size_t head,
                          size_t query, size_t key, real *keep)
{
    real kept = (real)(1 / (1 - a->dropout));
    uint32_t limit = (uint32_t)(a->dropout * 4294967296.0);
    for (size_t j = 0; j < TENSOR_PAGE; j += 4) {
        uint32_t counter[4] = { (uint32_t)(key + j), (uint32_t)query, sequence,
                                a->dropout_site << 16 | (uint32_t)head };
        uint32_t u[4];
        base_philox(counter, a->dropout_key, u);
        for (size_t i = 0; i < 4; i++)
            keep[j + i] = u[i] < limit ? 0 : kept;
    }
}

static void forward_tile(const struct tensor_attention *a, const struct tensor_queries *it,
                         size_t kv, size_t row0, size_t rows, real *scratch)
{
    const struct tensor_kernels *kernels = tensor_kernels();
    size_t d = a->head_dim, width = tensor_attention_width(a), share = a->heads / a->kv_heads;
    const size_t tile = kernels->gemm_rows, queries = rows * share, whole = queries / tile * tile;
    real *q = scratch, *packed = q + queries * d, *s = packed + queries * d, *o = s + queries * 32,
         *m = o + queries * width, *l = m + queries, *keep = l + queries * 16, offset[ROWS_MAX];
    int low[ROWS_MAX], high[ROWS_MAX];
    memset(o, 0, queries * width * sizeof *o);
    memset(l, 0, queries * 16 * sizeof *l);
    for (size_t g = 0; g < share; g++)
        for (size_t r = 0; r < rows; r++) {
            memcpy(q + (g * rows + r) * d, it->q + (row0 + r) * it->ldq + (kv * share + g) * d,
                   d * sizeof *q);
            m[g * rows + r] = MASKED;
        }
    for (size_t r = 0; r < whole; r += tile)
        kernels->gemm_transpose(tile, d, q + r * d, d, packed + r * d, tile, tile);
    size_t first = it->start + row0, last = first + rows - 1;
    size_t from = a->window && first + 1 > a->window ? (first + 1 - a->window) / 32 * 32 : 0;
    for (size_t key = from; key <= last; key += TENSOR_PAGE) {
        real *page = it->pages[key / TENSOR_PAGE] + it->page_offset;
        for (size_t r = 0; r < rows; r++) {
            visible(a, first + r, key, &low[r], &high[r]);
            offset[r] = (real)key - (real)(first + r);
        }
        const real *keys = page_keys(a, page, kv), *values = page_values(a, page, kv);
        for (size_t r = 0; r < whole; r += tile)
            kernels->gemm_packed(d, packed + r * d, keys, s + r * 32, 32, true, NULL, s + r * 32,
                                 values);
        small_gemm(queries - whole, 32, d, q + whole * d, d, 1, keys, 32, s + whole * 32, 32, true);
        for (size_t g = 0; g < share; g++) {
            size_t head = kv * share + g;
            real *sg = s + g * rows * 32;
            kernels->attention_scores(rows, sg, low, high, a->scale, a->softcap,
                                      a->slopes ? a->slopes[head] : 0, offset);
            if (it->on_scores)
                it->on_scores(it->context, head, row0, rows, key, sg);
            kernels->attention_softmax(rows, sg, low, high, m + g * rows, l + g * rows * 16,
                                       o + g * rows * width, width, width);
            if (a->dropout > 0)
                for (size_t r = 0; r < rows; r++) {
                    dropout_block(a, it->dropout_row, head, first + r, key, keep);
                    for (size_t j = 0; j < 32; j++)
                        sg[r * 32 + j] *= keep[j];
                }
        }
        for (size_t r = 0; r < whole; r += tile)
            kernels->gemm_short(width, s + r * 32, values, width, o + r * width, width);
        small_gemm(queries - whole, width, 32, s + whole * 32, 32, 1, values, width,
                   o + whole * width, width, false);
    }
    for (size_t g = 0; g < share; g++) {
        size_t head = kv * share + g;
        kernels->attention_finish(rows, m + g * rows, l + g * rows * 16, o + g * rows * width,
                                  width, width, it->lse ? it->lse + row0 * a->heads + head : NULL,
                                  a->heads);
        for (size_t r = 0; r < rows; r++)
            memcpy(it->z + (row0 + r) * it->ldz + head * d, o + (g * rows + r) * width,
                   d * sizeof *o);
    }
}

int tensor_attention_forward(struct tensor_workspace *ws, const struct tensor_attention *a,
                             const struct tensor_queries *items, size_t n_items)
{
    const size_t tile = tensor_kernels()->gemm_rows * TILES;
    size_t share = a->heads / a->kv_heads, width = tensor_attention_width(a), tasks = 0;
    double work = 0;
    for (size_t i = 0; i < n_items; i++) {
        tasks += (items[i].n + tile - 1) / tile * a->kv_heads;
        work += (double)items[i].n * (double)(items[i].start + items[i].n) * (double)a->heads *
                (double)a->head_dim;
    }
    size_t each = tile * share * (2 * a->head_dim + 32 + width + 1 + 16) + 32;
    each = (each + 15) / 16 * 16;
    int threads = work < 32768 ? 1 : base_threads();
    real *scratch = tensor_workspace_get(ws, (size_t)threads * each * sizeof(real));
    if (!scratch)
        return BASE_E_MEMORY;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
    for (size_t t = 0; t < tasks; t++) {
        size_t i = 0, left = tasks - 1 - t; /* long rows come last in a sequence: begin with them */
        size_t tiles;
        for (;; i++) {
            tiles = (items[i].n + tile - 1) / tile;
            if (left < tiles * a->kv_heads)
                break;
            left -= tiles * a->kv_heads;
        }
        /* one head after the other: its keys and values stay in the second-level cache */
        size_t row0 = left % tiles * tile;
        size_t rows = items[i].n - row0 < tile ? items[i].n - row0 : tile;
        forward_tile(a, &items[i], left / tiles, row0, rows,
                     scratch + (size_t)omp_get_thread_num() * each);
    }
    return 0;
}

/* ---- backward ---- */

/* One sequence, one kv head. Notation per query i and key j: s score, p = exp(s - lse),
 *   dv_j = sum_i p_ij dz_i            dp_ij = dz_i . v_j         d_i = dz_i . z_i
 *   ds_ij = p_ij (dp_ij - d_i)        dq_i = scale sum_j ds_ij k_j     dk_j = scale sum_i ds_ij q_i
 * Queries and keys are visited in ascending order (heads of the group outermost), so every sum is
 * one chain. */
static void backward_head(const struct tensor_attention *a, const struct tensor_attention_rows *it,
                          size_t kv, real *scratch)
{
    const struct tensor_kernels *kernels = tensor_kernels();
    const size_t tile = kernels->gemm_rows * TILES;
    size_t d = a->head_dim, width = tensor_attention_width(a), share = a->heads / a->kv_heads;
    size_t blocks = (it->n + 31) / 32, n = blocks * 32;
    real *kt = scratch, *vt = kt + n * d, *kn = vt + n * d, *dk = kn + n * width,
         *dv = dk + n * width, *q = dv + n * width, *dz = q + tile * width, *dq = dz + tile * width,
         *s = dq + tile * width, *dp = s + tile * 32, *keep = dp + tile * 32,
         *dots = keep + tile * 32, offset[ROWS_MAX];
    int low[ROWS_MAX], high[ROWS_MAX];
    memset(kt, 0, (size_t)(q - kt) * sizeof *kt);
    for (size_t j = 0; j < it->n; j++) {
        const real *k = it->k + j * it->ld + kv * d, *v = it->v + j * it->ld + kv * d;
        real *ktb = kt + j / 32 * d * 32 + j % 32, *vtb = vt + j / 32 * d * 32 + j % 32;
        for (size_t i = 0; i < d; i++) {
            ktb[i * 32] = k[i];
            vtb[i * 32] = v[i];
        }
        memcpy(kn + j * width, k, d * sizeof *k);
    }
    for (size_t head = kv * share; head < (kv + 1) * share; head++) {
        real slope = a->slopes ? a->slopes[head] : 0;
        for (size_t row0 = 0; row0 < it->n; row0 += tile) {
            size_t rows = it->n - row0 < tile ? it->n - row0 : tile, last = row0 + rows - 1;
            memset(q, 0, (size_t)(s - q) * sizeof *q);
            for (size_t r = 0; r < rows; r++) {
                memcpy(q + r * width, it->q + (row0 + r) * it->ld + head * d, d * sizeof *q);
                memcpy(dz + r * width, it->dz + (row0 + r) * it->ldz + head * d, d * sizeof *q);
                const real *z = it->z + (row0 + r) * it->ldz + head * d;
                double dot = 0;
                for (size_t i = 0; i < d; i++)
                    dot += (double)z[i] * (double)dz[r * width + i];
                dots[r] = (real)dot;
            }
            size_t from = a->window && row0 + 1 > a->window ? (row0 + 1 - a->window) / 32 * 32 : 0;
            for (size_t key = from; key <= last; key += 32) {
                for (size_t r = 0; r < rows; r++) {
                    visible(a, row0 + r, key, &low[r], &high[r]);
                    offset[r] = (real)key - (real)(row0 + r);
                    if (a->dropout > 0)
                        dropout_block(a, it->dropout_row, head, row0 + r, key, keep + r * 32);
                }
                small_gemm(rows, 32, d, q, width, 1, kt + key * d, 32, s, 32, true);
                small_gemm(rows, 32, d, dz, width, 1, vt + key * d, 32, dp, 32, true);
                kernels->attention_scores(rows, s, low, high, a->scale, a->softcap, slope, offset);
                kernels->attention_gradient(
                    rows, s, dp, low, high, it->lse + row0 * a->heads + head, a->heads, dots, 1,
                    a->scale, a->softcap, slope, offset, a->dropout > 0 ? keep : NULL);
                small_gemm(rows, width, 32, dp, 32, 1, kn + key * width, width, dq, width, false);
                small_gemm(32, width, rows, dp, 1, 32, q, width, dk + key * width, width, false);
                small_gemm(32, width, rows, s, 1, 32, dz, width, dv + key * width, width, false);
            }
            for (size_t r = 0; r < rows; r++)
                memcpy(it->dq + (row0 + r) * it->ld + head * d, dq + r * width, d * sizeof *dq);
        }
    }
    for (size_t j = 0; j < it->n; j++) {
        memcpy(it->dk + j * it->ld + kv * d, dk + j * width, d * sizeof *dk);
        memcpy(it->dv + j * it->ld + kv * d, dv + j * width, d * sizeof *dv);
    }
}

int tensor_attention_backward(struct tensor_workspace *ws, const struct tensor_attention *a,
                              const struct tensor_attention_rows *items, size_t n_items)
{
    const size_t tile = tensor_kernels()->gemm_rows * TILES;
    size_t width = tensor_attention_width(a), longest = 0;
    for (size_t i = 0; i < n_items; i++)
        longest = items[i].n > longest ? items[i].n : longest;
    longest = (longest + 31) / 32 * 32;
    size_t each = longest * (2 * a->head_dim + 3 * width) + tile * (3 * width + 3 * 32 + 1);
    each = (each + 15) / 16 * 16;
    int threads = base_threads();
    real *scratch = tensor_workspace_get(ws, (size_t)threads * each * sizeof(real));
    if (!scratch)
        return BASE_E_MEMORY;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t t = 0; t < n_items * a->kv_heads; t++)
        backward_head(a, &items[t / a->kv_heads], t % a->kv_heads,
                      scratch + (size_t)omp_get_thread_num() * each);
    return 0;
}
