/* The matrix-product driver: packing, blocking and threads around the register tile of
 * kernels_gemm.h.
 *
 * Loops (after Goto and van de Geijn 2008), for c[m, n] over k:
 *   row block (ROW_BLOCK tiles of A)  >  inner block (INNER)  >  group of panels of B, held in the
 *   second-level cache  >  tile of A  >  panel  >  register tile
 * The inner index ascends, and each block continues from the c it left, so the chains are unbroken.
 */
#include "tensor/matmul.h"
#include "base/memory.h"
#include "tensor/kernels_table.h"
#include "tensor/matmul_q8.h"
#include <assay/base.h>
#include <omp.h>
#include <stdint.h>
#include <string.h>

#define PANEL     32
#define INNER     768         /* inputs per block: a tile of A (14 x 768 floats, 43 KB) */
#define GROUP     (2 * INNER) /* inputs of all panels of a group: 197 KB, and the next group's, */
#define GROUP_MAX 8           /* stay in L2; panels of a group at most */
#define ROW_BLOCK 64          /* tiles of A packed at a time */
#define ROWS_MAX  16          /* no instruction set has a taller tile */
#define SMALL     65536 /* multiply-adds below which a second thread costs more than it brings */

void *tensor_workspace_get(struct tensor_workspace *w, size_t bytes)
{
    if (bytes > w->bytes) {
        /* the new block first: on failure the old one stays, and its pages are untouched until used
         */
        void *data = base_alloc_large(bytes);
        if (!data)
            return NULL;
        tensor_workspace_free(w);
        *w = (struct tensor_workspace){ .data = data, .bytes = bytes };
    }
    return w->data;
}

void tensor_workspace_free(struct tensor_workspace *w)
{
    base_free_large(w->data, w->bytes);
    *w = (struct tensor_workspace){ 0 };
}

/* ---- packing ---- */

static bool is_packed(enum tensor_dtype t)
{
    return t == TENSOR_F32 || t == TENSOR_F16 || t == TENSOR_BF16 || t == TENSOR_Q8_0;
}

/* Bytes of one panel. */
static size_t panel_bytes(const struct tensor_matrix *w)
{
    size_t k = w->compute == TENSOR_COMPUTE_BF16 ? (w->inputs + 1) / 2 * 2 : w->inputs;
    switch (w->dtype) {
    case TENSOR_F32:
        return k * PANEL * sizeof(real);
    case TENSOR_Q8_0:
        return k / 32 * TENSOR_Q8_PANEL_BLOCK;
    default:
        return k * PANEL * 2;
    }
}

static void pack_16(uint16_t *dst, size_t k, const void *const *row, size_t n, size_t step)
{
    for (size_t r = 0; r < n; r++) {
        const uint8_t *s = row[r];
        for (size_t p = 0; p < k; p++)
            memcpy(dst + p * PANEL + r, s + 2 * p * step, 2);
    }
}

static void pack_f32(real *dst, size_t k, const void *const *row, size_t n, size_t step)
{
    /* Short runs of p: the touched destination lines stay in cache while every row passes. */
    for (size_t p0 = 0; p0 < k; p0 += 64) {
        size_t p1 = p0 + 64 < k ? p0 + 64 : k;
        for (size_t r = 0; r < n; r++) {
            const uint8_t *s = row[r];
            for (size_t p = p0; p < p1; p++) {
                float f;
                memcpy(&f, s + 4 * p * step, 4);
                dst[p * PANEL + r] = f;
            }
        }
    }
}

/* bf16 products: weights of any plain format rounded to bf16, in pairs of inputs (zero beyond the
 * last). */
static void pack_pairs(uint16_t *dst, size_t k, const struct tensor_rows *s, size_t r0, size_t n)
{
    unsigned size = tensor_dtype_describe(s->dtype)->block_bytes;
    for (size_t r = 0; r < n; r++) {
        const uint8_t *from = s->row[r0 + r];
        for (size_t p = 0; p < k; p++) {
            float f;
            tensor_to_f32(s->dtype, from + p * s->step * size, 1, &f);
            dst[(p / 2 * PANEL + r) * 2 + p % 2] = tensor_bf16_from_f32(f);
        }
    }
}

int tensor_matrix_pack(struct tensor_matrix *w, size_t outputs, size_t inputs,
                       struct tensor_rows source, enum tensor_compute compute)
{
    *w = (struct tensor_matrix){
        .outputs = outputs, .inputs = inputs, .dtype = source.dtype, .compute = compute
    };
    const struct tensor_dtype_info *info = tensor_dtype_describe(source.dtype);
    if (!info->readable)
        return base_error_set(BASE_E_UNSUPPORTED, "weights of type %s cannot be multiplied",
                              info->name);
    if (!is_packed(source.dtype) && info->block > 1) {
        w->rows = base_alloc(outputs, sizeof *w->rows);
        if (!w->rows)
            return BASE_E_MEMORY;
        memcpy(w->rows, source.row, outputs * sizeof *w->rows);
        return 0;
    }
    if (info->block > 1)
        w->compute = TENSOR_COMPUTE_REAL;
    if (w->compute == TENSOR_COMPUTE_BF16)
        w->dtype = TENSOR_BF16;
    else if (!is_packed(source.dtype))
        return base_error_set(BASE_E_UNSUPPORTED, "weights of type %s cannot be multiplied",
                              info->name);
    size_t count = (outputs + PANEL - 1) / PANEL, each = panel_bytes(w);
    if (base_mul_size(count, each, &w->bytes))
        return base_error_set(BASE_E_MEMORY, "a %zu x %zu matrix is too large", outputs, inputs);
    w->panels = base_alloc_streamed(w->bytes);
    if (!w->panels)
        return BASE_E_MEMORY;
#pragma omp parallel for schedule(static) num_threads(base_threads()) if (w->bytes > 1 << 20)
    for (size_t p = 0; p < count; p++) {
        size_t r0 = p * PANEL, n = outputs - r0 < PANEL ? outputs - r0 : PANEL;
        uint8_t *dst = (uint8_t *)w->panels + p * each;
        if (w->compute == TENSOR_COMPUTE_BF16)
            pack_pairs((uint16_t *)(void *)dst, inputs, &source, r0, n);
        else if (w->dtype == TENSOR_F32)
            pack_f32((real *)(void *)dst, inputs, source.row + r0, n, source.step);
        else if (w->dtype == TENSOR_Q8_0)
            tensor_q8_pack(dst, inputs, source.row + r0, n);
        else
            pack_16((uint16_t *)(void *)dst, inputs, source.row + r0, n, source.step);
    }
    return 0;
}

bool tensor_matrix_view(struct tensor_matrix *w, size_t outputs, size_t inputs,
                        struct tensor_rows source, enum tensor_compute compute)
{
    const char *first = source.row[0];
    if (sizeof(real) != sizeof(float) || source.dtype != TENSOR_F32 ||
        compute != TENSOR_COMPUTE_REAL || (uintptr_t)first % sizeof(real))
        return false;
    ptrdiff_t apart = outputs > 1 ? (const char *)source.row[1] - first : (ptrdiff_t)sizeof(real);
    if (apart <= 0 || apart % (ptrdiff_t)sizeof(real))
        return false;
    for (size_t i = 1; i < outputs; i++)
        if ((const char *)source.row[i] - (const char *)source.row[i - 1] != apart)
            return false;
    *w = (struct tensor_matrix){ .outputs = outputs,
                                 .inputs = inputs,
                                 .dtype = TENSOR_F32,
                                 .plain = (const real *)(const void *)first,
                                 .plain_row = source.step,
                                 .plain_step = (size_t)apart / sizeof(real) };
    return true;
}

void tensor_matrix_free(struct tensor_matrix *w)
{
    base_free_streamed(w->panels, w->bytes);
    base_free(w->rows);
    *w = (struct tensor_matrix){ 0 };
}

/* ---- the right-hand side: panels of 32 columns, from packed weights or from a strided array ----
 */

struct right {
    const struct tensor_matrix *w;
    const real *b; /* else B(p, j) = b[p*row + j*step] */
    size_t row, step, n, k;
};

/* Inputs [k0, k0 + kc) of panel p, as reals [kc][32]: in place, or widened into scratch. */
static const real *right_panel(const struct right *s, size_t p, size_t k0, size_t kc, real *scratch)
{
    const struct tensor_kernels *kernels = tensor_kernels();
    size_t n = s->n - p * PANEL < PANEL ? s->n - p * PANEL : PANEL;
    if (s->w) {
        const uint8_t *panel = (const uint8_t *)s->w->panels + p * panel_bytes(s->w);
        if (s->w->compute == TENSOR_COMPUTE_BF16) {
            const uint32_t *words = (const uint32_t *)(const void *)panel + k0 / 2 * PANEL;
            if (tensor_kernels_bf16())
                return (const real *)(const void *)words;
            kernels->widen_pairs(kc / 2, words, scratch);
            return scratch;
        }
        switch (s->w->rows ? TENSOR_DTYPES : s->w->dtype) {
        case TENSOR_F32:
            return (const real *)(const void *)panel + k0 * PANEL;
        case TENSOR_BF16:
            kernels->widen_bf16(kc, (const uint16_t *)(const void *)panel + k0 * PANEL, scratch);
            return scratch;
        case TENSOR_F16:
            kernels->widen_f16(kc, (const uint16_t *)(const void *)panel + k0 * PANEL, scratch);
            return scratch;
        case TENSOR_Q8_0:
            tensor_q8_widen(panel, k0, kc, scratch); /* float64 only: see tensor_matmul */
            return scratch;
        default:
            break;
        }
        /* stored rows of a block format; blocks may straddle k0 when a row is no multiple of INNER
         */
        const struct tensor_dtype_info *info = tensor_dtype_describe(s->w->dtype);
        float row[256];
        memset(scratch, 0, kc * PANEL * sizeof *scratch);
        for (size_t r = 0; r < n; r++) {
            const uint8_t *from = s->w->rows[p * PANEL + r];
            for (size_t at = k0 / info->block * info->block; at < k0 + kc; at += info->block) {
                tensor_to_f32(s->w->dtype, from + at / info->block * info->block_bytes, info->block,
                              row);
                for (size_t i = 0; i < info->block; i++)
                    if (at + i >= k0 && at + i < k0 + kc)
                        scratch[(at + i - k0) * PANEL + r] = row[i];
            }
        }
        return scratch;
    }
    const real *b = s->b + k0 * s->row + p * PANEL * s->step;
    if (s->step == 1 && n == PANEL) {
        for (size_t i = 0; i < kc; i++)
            memcpy(scratch + i * PANEL, b + i * s->row, PANEL * sizeof *b);
        return scratch;
    }
    if (n < PANEL)
        memset(scratch, 0, kc * PANEL * sizeof *scratch);
    if (s->row == 1) { /* stored rows of a matrix: transposed 16 at a time */
        for (size_t j = 0; j < n; j += 16)
            tensor_kernels()->gemm_transpose(n - j < 16 ? n - j : 16, kc, b + j * s->step, s->step,
                                             scratch + j, PANEL, 16);
        return scratch;
    }
    for (size_t i0 = 0; i0 < kc; i0 += 32) { /* a transposition, in squares that stay in cache */
        size_t i1 = i0 + 32 < kc ? i0 + 32 : kc;
        for (size_t j = 0; j < n; j++)
            for (size_t i = i0; i < i1; i++)
                scratch[i * PANEL + j] = b[i * s->row + j * s->step];
    }
    return scratch;
}

void tensor_matrix_row(const struct tensor_matrix *w, size_t r, real *out)
{
    const struct tensor_dtype_info *info = tensor_dtype_describe(w->dtype);
    float one[256];
    if (w->plain) {
        for (size_t p = 0; p < w->inputs; p++)
            out[p] = w->plain[p * w->plain_row + r * w->plain_step];
        return;
    }
    if (w->rows) {
        for (size_t at = 0; at < w->inputs; at += info->block) {
            tensor_to_f32(w->dtype,
                          (const uint8_t *)w->rows[r] + at / info->block * info->block_bytes,
                          info->block, one);
            for (size_t i = 0; i < info->block; i++)
                out[at + i] = one[i];
        }
        return;
    }
    const uint8_t *panel = (const uint8_t *)w->panels + r / PANEL * panel_bytes(w);
    size_t c = r % PANEL;
    for (size_t p = 0; p < w->inputs; p++) {
        if (w->dtype == TENSOR_F32) {
            out[p] = ((const real *)(const void *)panel)[p * PANEL + c];
        } else if (w->dtype == TENSOR_Q8_0) {
            out[p] = tensor_q8_weight(panel, c, p);
        } else {
            bool pairs = w->compute == TENSOR_COMPUTE_BF16;
            uint16_t h = ((const uint16_t *)(const void *)
                              panel)[pairs ? (p / 2 * PANEL + c) * 2 + p % 2 : p * PANEL + c];
            out[p] = w->dtype == TENSOR_BF16 ? tensor_bf16_to_f32(h) : tensor_f16_to_f32(h);
        }
    }
}

/* ---- the driver ---- */

struct product {
    size_t m, n, k;
    const real *a;
    size_t a_row, a_step;
    struct right right;
    real *c;
    size_t ldc;
    bool accumulate;
    const real *bias;
    bool pairs;             /* products of bf16: k is even, activations are rounded on the way */
    tensor_gemm_bf16 *unit; /* the CPU's own, or NULL: the same sums by float multiply-adds */
};

/* Activations of a bf16 product, inputs [k0, k0 + kc) of `rows` rows: as words for the unit,
 * [kc/2][tile], else as rounded reals [kc][tile] in the order of its sums (odd, even). */
static void pack_pairs_tile(const struct product *g, size_t row0, size_t rows, size_t k0, size_t kc,
                            size_t tile, real *dst)
{
    uint16_t *words = (uint16_t *)(void *)dst;
    memset(dst, 0, kc * tile * (g->unit ? sizeof *words : sizeof *dst));
    for (size_t r = 0; r < rows; r++) {
        const real *a = g->a + (row0 + r) * g->a_row;
        for (size_t p = 0; p < kc && k0 + p < g->right.k; p++) {
            uint16_t h = tensor_bf16_from_f32((float)a[(k0 + p) * g->a_step]);
            if (g->unit)
                words[(p / 2 * tile + r) * 2 + p % 2] = h;
            else
                dst[(p ^ 1) * tile + r] = (real)tensor_bf16_to_f32(h);
        }
    }
}

/* A's rows of one tile, inputs [k0, k0 + kc), as [kc][tile] with missing rows zero. */
static void pack_tile(const struct product *g, size_t row0, size_t k0, size_t kc, size_t tile,
                      real *dst)
{
    size_t rows = g->m - row0 < tile ? g->m - row0 : tile;
    if (g->pairs) {
        pack_pairs_tile(g, row0, rows, k0, kc, tile, dst);
        return;
    }
    if (g->a_step == 1 && tile == tensor_kernels()->gemm_rows) {
        tensor_kernels()->gemm_transpose(rows, kc, g->a + row0 * g->a_row + k0, g->a_row, dst, tile,
                                         tile);
        return;
    }
    if (rows < tile)
        memset(dst, 0, kc * tile * sizeof *dst);
    if (g->a_row == 1) { /* transposed operand: its rows lie side by side */
        for (size_t p = 0; p < kc; p++)
            memcpy(dst + p * tile, g->a + row0 + (k0 + p) * g->a_step, rows * sizeof *dst);
        return;
    }
    for (size_t r = 0; r < rows; r++) {
        const real *a = g->a + (row0 + r) * g->a_row + k0 * g->a_step;
        for (size_t p = 0; p < kc; p++)
            dst[p * tile + r] = a[p * g->a_step];
    }
}

/* The register tile that this product uses. */
static void multiply(const struct product *g, size_t rows, size_t kc, const real *a, size_t a_row,
                     size_t a_step, const real *b, real *c, size_t ldc, bool first)
{
#ifndef ASSAY_FLOAT64
    if (g->unit) {
        g->unit(rows, kc / 2, (const uint32_t *)(const void *)a, a_row, a_step,
                (const uint32_t *)(const void *)b, c, ldc, first);
        return;
    }
#else
    (void)g;
#endif
    tensor_kernels()->gemm(rows, kc, a, a_row, a_step, b, PANEL, c, ldc, first);
}

/* One tile against one panel; columns beyond n go to a side buffer. far: lines that are wanted soon
 * (gemm_packed). */
static void tile_panel(const struct product *g, size_t row0, size_t rows, size_t p, size_t kc,
                       const real *a, size_t a_row, size_t a_step, const real *b, bool first,
                       const real *bias, const void *far)
{
    const struct tensor_kernels *kernels = tensor_kernels();
    real *c = g->c + row0 * g->ldc + p * PANEL;
    size_t n = g->n - p * PANEL < PANEL ? g->n - p * PANEL : PANEL;
    if (n == PANEL && rows == kernels->gemm_rows && a_row == 1 && !g->unit) {
        kernels->gemm_packed(kc, a, b, c, g->ldc, first, bias ? bias + p * PANEL : NULL,
                             first ? c : c + PANEL, far);
        return;
    }
    if (n == PANEL) {
        multiply(g, rows, kc, a, a_row, a_step, b, c, g->ldc, first);
    } else {
        real side[ROWS_MAX * PANEL];
        if (!first)
            for (size_t r = 0; r < rows; r++) {
                memcpy(side + r * PANEL, c + r * g->ldc, n * sizeof *c);
                memset(side + r * PANEL + n, 0, (PANEL - n) * sizeof *c);
            }
        multiply(g, rows, kc, a, a_row, a_step, b, side, PANEL, first);
        for (size_t r = 0; r < rows; r++)
            memcpy(c + r * g->ldc, side + r * PANEL, n * sizeof *c);
    }
    if (bias)
        for (size_t r = 0; r < rows; r++)
            tensor_kernels()->add(c + r * g->ldc, c + r * g->ldc, bias + p * PANEL, n);
}

/* One row (decoding): weights widened in registers where their format allows. */
static void one_row(const struct product *g, const real *x, size_t p, real *scratch)
{
    const struct tensor_kernels *kernels = tensor_kernels();
    const struct tensor_matrix *w = g->right.w;
    if (w && !w->rows && !g->pairs && !g->accumulate &&
        (w->dtype == TENSOR_BF16 || w->dtype == TENSOR_F16)) {
        const uint8_t *panel = (const uint8_t *)w->panels + p * panel_bytes(w);
        real c[PANEL];
        if (w->dtype == TENSOR_BF16)
            kernels->dot_bf16(g->k, x, (const uint16_t *)(const void *)panel, c);
        else
            kernels->dot_f16(g->k, x, (const uint16_t *)(const void *)panel, c);
        size_t n = g->n - p * PANEL < PANEL ? g->n - p * PANEL : PANEL;
        for (size_t j = 0; j < n; j++)
            g->c[p * PANEL + j] = g->bias ? c[j] + g->bias[p * PANEL + j] : c[j];
        return;
    }
    for (size_t k0 = 0; k0 < g->k; k0 += INNER) {
        size_t kc = g->k - k0 < INNER ? g->k - k0 : INNER;
        const real *b = right_panel(&g->right, p, k0, kc, scratch);
        tile_panel(g, 0, 1, p, kc, x + (g->unit ? k0 / 2 : k0), 0, 1, b, k0 == 0 && !g->accumulate,
                   k0 + kc == g->k ? g->bias : NULL, b);
    }
}

/* A later group of panels, brought near while one is multiplied: each tile and panel asks for one
 * part of it. */
struct ahead {
    const char *panel; /* the first `each` bytes of every `stride` are wanted */
    size_t each, stride, left /* panels */, at, part;
};

/* The address of the next part, or `none` when all is here. */
static const void *ahead_take(struct ahead *a, const void *none)
{
    if (!a->left)
        return none;
    const char *p = a->panel + a->at;
    a->at += a->part;
    if (!a->part || a->at >= a->each) {
        a->at = 0;
        a->panel += a->stride;
        a->left--;
    }
    return p;
}

/* The panels of a group. From an array whose rows run along the columns they are cut out together:
 * each of its rows, often alone on its page, is visited once. */
static void right_group(const struct right *s, size_t q, size_t n, size_t k0, size_t kc,
                        real *scratch, const real **out)
{
    if (s->w || s->step != 1 || (q + n) * PANEL > s->n) {
        for (size_t j = 0; j < n; j++)
            out[j] = right_panel(s, q + j, k0, kc, scratch + j * kc * PANEL);
        return;
    }
    for (size_t i = 0; i < kc; i++)
        for (size_t j = 0; j < n; j++)
            memcpy(scratch + (j * kc + i) * PANEL, s->b + (k0 + i) * s->row + (q + j) * PANEL,
                   PANEL * sizeof *scratch);
    for (size_t j = 0; j < n; j++)
        out[j] = scratch + j * kc * PANEL;
}

/* One row block and inner block: `count` packed tiles (the first is number t0) times inputs [k0,
 * k0 + kc). The threads take tasks, one group of panels times one span of the tiles each, as they
 * become free: on a busy machine a thread that is held up must not keep the others waiting. */
struct block {
    size_t t0, count, k0, kc;
    size_t group /* panels */, groups, spans;
    const real *a; /* [count][INNER * tile] */
};

static struct block block_make(const struct product *g, size_t panels, size_t threads, size_t t0,
                               size_t count, size_t k0, const real *a)
{
    struct block b = { .t0 = t0, .count = count, .k0 = k0, .a = a, .spans = 1 };
    b.kc = g->k - k0 < INNER ? g->k - k0 : INNER;
    b.group = GROUP / b.kc < GROUP_MAX ? GROUP / b.kc : GROUP_MAX;
    while (b.group > 1 && panels < 4 * threads * b.group)
        b.group--;
    b.groups = (panels + b.group - 1) / b.group;
    if (threads > 1 && b.groups < 4 * threads) { /* few panels: split the rows as well */
        size_t wanted = (4 * threads + b.groups - 1) / b.groups, most = (count + 3) / 4;
        b.spans = wanted < most ? wanted : most;
    }
    return b;
}

/* Task number `task` of a block; `mine` holds the group's panels if they must be widened. */
static void block_task(const struct product *g, const struct block *s, size_t task, size_t threads,
                       real *mine)
{
    const size_t tile = tensor_kernels()->gemm_rows, panels = (g->n + PANEL - 1) / PANEL;
    size_t q = task / s->spans * s->group, span = task % s->spans, kc = s->kc;
    size_t n = panels - q < s->group ? panels - q : s->group;
    const real *b[GROUP_MAX];
    right_group(&g->right, q, n, s->k0, kc, mine, b);
    struct ahead next = { .each = kc * PANEL * sizeof(real), .part = kc / 8 * 64 };
    size_t later = q + threads * s->group; /* probably this thread's next group */
    if (b[0] != mine && !g->unit && s->spans == 1 && later < panels) {
        next.left = panels - later < s->group ? panels - later : s->group;
        next.stride = panel_bytes(g->right.w);
        next.panel = (const char *)b[0] + (later - q) * next.stride;
    }
    for (size_t i = s->count * span / s->spans; i < s->count * (span + 1) / s->spans; i++) {
        size_t row0 = (s->t0 + i) * tile;
        size_t rows = g->m - row0 < tile ? g->m - row0 : tile;
        for (size_t j = 0; j < n; j++)
            tile_panel(g, row0, rows, q + j, kc, s->a + i * tile * INNER, 1, tile, b[j],
                       s->k0 == 0 && !g->accumulate, s->k0 + kc == g->k ? g->bias : NULL,
                       ahead_take(&next, b[j]));
    }
}

static int product_run(struct tensor_workspace *ws, const struct product *g)
{
    const size_t tile = tensor_kernels()->gemm_rows;
    size_t panels = (g->n + PANEL - 1) / PANEL, tiles = (g->m + tile - 1) / tile;
    if (!g->m || !g->n)
        return 0;
    if (!g->k) { /* empty sums */
        for (size_t i = 0; i < g->m; i++)
            for (size_t j = 0; j < g->n; j++)
                g->c[i * g->ldc + j] =
                    (g->accumulate ? g->c[i * g->ldc + j] : 0) + (g->bias ? g->bias[j] : 0);
        return 0;
    }
    int threads = (double)g->m * (double)g->n * (double)g->k < SMALL ? 1 : base_threads();
    size_t blocks = (tiles + ROW_BLOCK - 1) / ROW_BLOCK,
           block_tiles = (tiles + blocks - 1) / blocks;
    size_t a_count = g->m == 1 ? g->k : block_tiles * tile * INNER;
    size_t b_count = (size_t)GROUP * PANEL;
    real *scratch = tensor_workspace_get(ws, (a_count + (size_t)threads * b_count) * sizeof(real));
    if (!scratch)
        return BASE_E_MEMORY;

    if (g->m == 1) {
        const real *x = g->a;
        if (g->a_step != 1 || g->pairs) {
            pack_tile(g, 0, 0, g->k, 1, scratch);
            x = scratch;
        }
#pragma omp parallel num_threads(threads) if (threads > 1)
        {
            real *mine = scratch + a_count + (size_t)omp_get_thread_num() * b_count;
#pragma omp for schedule(static)
            for (size_t p = 0; p < panels; p++)
                one_row(g, x, p, mine);
        }
        return 0;
    }

#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        size_t nt = (size_t)omp_get_num_threads();
        real *mine = scratch + a_count + (size_t)omp_get_thread_num() * b_count;
        for (size_t t0 = 0; t0 < tiles; t0 += block_tiles)
            for (size_t k0 = 0; k0 < g->k; k0 += INNER) {
                size_t count = tiles - t0 < block_tiles ? tiles - t0 : block_tiles;
                struct block s = block_make(g, panels, nt, t0, count, k0, scratch);
#pragma omp for schedule(dynamic, 4)
                for (size_t i = 0; i < count; i++)
                    pack_tile(g, (t0 + i) * tile, k0, s.kc, tile, scratch + i * tile * INNER);
#pragma omp for schedule(dynamic, 1)
                for (size_t i = 0; i < s.groups * s.spans; i++)
                    block_task(g, &s, i, nt, mine);
            }
    }
    return 0;
}

int tensor_matmul(struct tensor_workspace *ws, real *y, size_t ldy, const real *x, size_t ldx,
                  size_t m, const struct tensor_matrix *w, const real *bias)
{
#ifndef ASSAY_FLOAT64
    if (w->dtype == TENSOR_Q8_0 && !w->rows && m && w->outputs && w->inputs)
        return tensor_q8_multiply(ws, y, ldy, x, ldx, m, w, bias);
#endif
    struct product g = { .m = m,
                         .n = w->outputs,
                         .k = w->inputs,
                         .a = x,
                         .a_row = ldx,
                         .a_step = 1,
                         .right = { .w = w, .n = w->outputs, .k = w->inputs },
                         .c = y,
                         .ldc = ldy,
                         .bias = bias,
                         .pairs = w->compute == TENSOR_COMPUTE_BF16 };
    if (w->plain)
        g.right = (struct right){
            .b = w->plain, .row = w->plain_row, .step = w->plain_step, .n = g.n, .k = g.k
        };
    if (g.pairs) {
        g.k = (g.k + 1) / 2 * 2; /* inputs beyond right.k count as zero */
        g.unit = tensor_kernels_bf16();
    }
    return product_run(ws, &g);
}

int tensor_gemm(struct tensor_workspace *ws, size_t m, size_t n, size_t k, const real *a,
                size_t a_row, size_t a_step, const real *b, size_t b_row, size_t b_step, real *c,
                size_t ldc, bool accumulate)
{
    struct product g = { .m = m,
                         .n = n,
                         .k = k,
                         .a = a,
                         .a_row = a_row,
                         .a_step = a_step,
                         .right = { .b = b, .row = b_row, .step = b_step, .n = n, .k = k },
                         .c = c,
                         .ldc = ldc,
                         .accumulate = accumulate };
    return product_run(ws, &g);
}
