/* The forward pass. Rows (new tokens of all sequences in the batch) go through the layers together,
 * in chunks that bound the memory; each row's arithmetic depends on its own sequence only, so
 * neither the batch nor the chunks leave a trace in the bits.
 *
 * One block, with the config's properties deciding which parts exist:
 *   a = attention(norm1(x))          pre-LN: norm1 before; post1 on a's result (Gemma 2, OLMo 2)
 *   x = x + a                        post-LN (OPT-350m): x = norm1(x + a)
 *   x = x + mlp(norm2(x))            parallel: mlp reads norm2(x) or the same norm1(x), both are
 * added */
#include "base/memory.h"
#include "model/hooks.h"
#include "model/internal.h"
#include <string.h>

/* At most so many rows go through the layers together, and through the head: multiples of TILE, the
 * rows of the tallest register tile. More rows are shared out evenly: a short last part would
 * stream all weights for few rows. */
#define TILE       14
#define CHUNK      (38 * TILE)
#define LOGIT_ROWS (19 * TILE)

static size_t rows_share(size_t total, size_t most)
{
    size_t parts = (total + most - 1) / most, each = parts ? (total + parts - 1) / parts : 0;
    return (each + TILE - 1) / TILE * TILE;
}

struct model_scratch {
    struct model_scratch *next;
    struct tensor_workspace ws, arena, logits;
};

void model_scratch_free(struct model_scratch *s)
{
    while (s) {
        struct model_scratch *next = s->next;
        tensor_workspace_free(&s->ws);
        tensor_workspace_free(&s->arena);
        tensor_workspace_free(&s->logits);
        base_free(s);
        s = next;
    }
}

static struct model_scratch *scratch_take(struct model *m)
{
    pthread_mutex_lock(&m->lock);
    struct model_scratch *s = m->free_scratch;
    if (s)
        m->free_scratch = s->next;
    pthread_mutex_unlock(&m->lock);
    return s ? s : base_alloc_zero(1, sizeof *s);
}

static void scratch_give(struct model *m, struct model_scratch *s)
{
    pthread_mutex_lock(&m->lock);
    s->next = m->free_scratch;
    m->free_scratch = s;
    pthread_mutex_unlock(&m->lock);
}

/* ---- single steps, shared with backward.c ---- */

int model_apply(const struct model *m, struct tensor_workspace *ws, real *y, const real *x,
                size_t rows, enum model_role role, size_t layer)
{
    const struct model_slot *w = model_slot(m, role, layer, false);
    const struct model_slot *b = model_slot(m, role, layer, true);
    if (w->packed.outputs)
        return tensor_matmul(ws, y, w->rows, x, w->columns, rows, &w->packed, b ? b->value : NULL);
    int rc = tensor_gemm(ws, rows, w->rows, w->columns, x, w->columns, 1, w->value, 1, w->columns,
                         y, w->rows, false);
    if (!rc && b)
        tensor_bias_add(y, b->value, rows, w->rows, w->rows);
    return rc;
}

void model_apply_norm(const struct model *m, real *y, const real *x, size_t rows,
                      enum model_role role, size_t layer, real *mean, real *rstd)
{
    const struct model_config *c = &m->config;
    const struct model_slot *w = model_slot(m, role, layer, false);
    const struct model_slot *b = model_slot(m, role, layer, true);
    if (c->norm == MODEL_NORM_RMS)
        tensor_rms_norm(y, x, w ? w->value : NULL, c->norm_offset, rows, c->width, c->norm_epsilon,
                        rstd);
    else
        tensor_layer_norm(y, x, w ? w->value : NULL, b ? b->value : NULL, rows, c->width,
                          c->norm_epsilon, mean, rstd);
}

struct tensor_attention model_attention_at(const struct model *m, size_t layer)
{
    const struct model_config *c = &m->config;
    return (struct tensor_attention){
        .heads = c->heads,
        .kv_heads = c->kv_heads,
        .head_dim = c->head_dim,
        .scale = (real)(c->attention_scale / (c->scale_by_layer ? (double)(layer + 1) : 1)),
        .softcap = (real)c->attention_softcap,
        .window = model_config_window(c, layer),
        .slopes = m->slopes,
    };
}

void model_embed(const struct model *m, real *y, const int32_t *ids, size_t rows)
{
    const struct model_config *c = &m->config;
    if (m->embed_tensor)
        tensor_embed(y, m->embed_tensor->dtype, m->embed_tensor->data, ids, rows, c->embed_width,
                     c->embed_scale);
    else
        tensor_embed_real(y, model_slot(m, MODEL_EMBED, 0, false)->value, ids, rows, c->embed_width,
                          c->embed_scale, false);
}

void model_add_positions(const struct model *m, real *x, const int32_t *positions, size_t rows)
{
    const struct model_config *c = &m->config;
    const struct model_slot *s = model_slot(m, MODEL_POSITIONS, 0, false);
    if (!s)
        return;
    for (size_t r = 0; r < rows; r++) {
        int32_t p = positions[r] + (int32_t)c->position_offset;
        real *row = x + r * c->width;
        if (s->value) {
            tensor_add(row, row, s->value + (size_t)p * c->width, c->width);
        } else {
            real table[256];
            size_t bytes = 0;
            (void)tensor_dtype_bytes(m->position_tensor->dtype, c->width, &bytes);
            const char *at = (const char *)m->position_tensor->data + (size_t)p * bytes;
            const struct tensor_dtype_info *info = tensor_dtype_describe(m->position_tensor->dtype);
            for (size_t i = 0; i < c->width; i += 256) { /* 256 is a multiple of every block */
                size_t n = c->width - i < 256 ? c->width - i : 256;
                float f[256];
                tensor_to_f32(m->position_tensor->dtype, at + i / info->block * info->block_bytes,
                              n, f);
                for (size_t j = 0; j < n; j++)
                    table[j] = (real)f[j];
                tensor_add(row + i, row + i, table, n);
            }
        }
    }
}

int model_check_ids(const struct model *m, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= m->config.vocabulary)
            return base_error_set(BASE_E_ARGUMENT,
                                  "token id %d (number %zu) is out of range: %s has ids 0 to %zu",
                                  ids[i], i, m->path, m->config.vocabulary - 1);
    return 0;
}

/* ---- one chunk of rows ---- */

/* Consecutive rows of the chunk that belong to one item. */
struct piece {
    size_t item;
    size_t row; /* first row in the chunk */
    size_t n;
    size_t position; /* of the first row in its sequence */
};
struct run {
    struct model *m;
    const struct model_item *items;
    const struct model_hooks *hooks;
    struct model_scratch *scratch;
    struct piece *pieces;
    size_t n_pieces, rows;
    int32_t *ids, *positions;
    struct tensor_queries *queries;
    real *x, *h, *h2, *qkv, *z, *a, *u, *f, *e, *angles;
    model_logits_fn *on_logits;
    void *context;
};

/* Calls the hooks of a site for every row of the chunk; data is [rows, ld], `width` wide. */
static int fire(const struct run *r, enum model_site site, size_t layer, real *data, size_t ld,
                size_t width)
{
    if (!model_hooks_at(r->hooks, site, layer))
        return 0;
    for (size_t p = 0; p < r->n_pieces; p++)
        for (size_t i = 0; i < r->pieces[p].n; i++) {
            struct model_point point = { site,
                                         layer,
                                         r->pieces[p].item,
                                         r->pieces[p].position + i,
                                         0,
                                         data + (r->pieces[p].row + i) * ld,
                                         width };
            int rc = model_hooks_row(r->hooks, &point);
            if (rc)
                return rc;
        }
    return 0;
}

/* Hooks on attention's inside need whole rows of scores. Runs one query row of one head: scores by
 * the same tiles as attention itself, hooks, softmax; z is recomputed only where a hook changed
 * something. */
struct looked {
    real *scores; /* [heads, n, keys] of the piece */
    size_t n, keys;
};
static void copy_scores(void *context, size_t head, size_t row, size_t rows, size_t key,
                        real *scores)
{
    struct looked *l = context;
    for (size_t i = 0; i < rows; i++)
        memcpy(l->scores + (head * l->n + row + i) * l->keys + key, scores + i * TENSOR_PAGE,
               TENSOR_PAGE * sizeof *scores);
}
static void paste_scores(void *context, size_t head, size_t row, size_t rows, size_t key,
                         real *scores)
{
    struct looked *l = context;
    for (size_t i = 0; i < rows; i++)
        memcpy(scores + i * TENSOR_PAGE, l->scores + (head * l->n + row + i) * l->keys + key,
               TENSOR_PAGE * sizeof *scores);
}

static int look_inside(struct run *r, size_t layer, const struct piece *p, struct tensor_queries *q)
{
    struct model *m = r->m;
    const struct model_config *c = &m->config;
    struct tensor_attention a = model_attention_at(m, layer);
    size_t total = p->position + p->n, keys = (total + TENSOR_PAGE - 1) / TENSOR_PAGE * TENSOR_PAGE;
    size_t count = c->heads * p->n * keys;
    real *scores = base_alloc_zero(count, sizeof *scores),
         *before = base_alloc(keys, sizeof *before);
    real *value = base_alloc(c->kv_heads * c->head_dim * 2, sizeof *value);
    int rc = scores && before && value ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; !rc && i < count; i++)
        scores[i] = REAL(-3e38);
    struct looked l = { scores, p->n, keys };
    q->on_scores = copy_scores;
    q->context = &l;
    if (!rc)
        rc = tensor_attention_forward(&r->scratch->ws, &a, q, 1);
    bool changed = false;
    if (!rc && model_hooks_at(r->hooks, MODEL_SITE_SCORES, layer)) {
        for (size_t i = 0; !rc && i < p->n; i++)
            for (size_t h = 0; !rc && h < c->heads; h++) {
                real *row = scores + (h * p->n + i) * keys;
                size_t width = p->position + i + 1;
                struct model_point point = {
                    MODEL_SITE_SCORES, layer, p->item, p->position + i, h, row, width
                };
                memcpy(before, row, width * sizeof *row);
                rc = model_hooks_row(r->hooks, &point);
                changed |= memcmp(before, row, width * sizeof *row) != 0;
            }
        if (!rc && changed) {
            q->on_scores = paste_scores;
            rc = tensor_attention_forward(&r->scratch->ws, &a, q, 1);
        }
    }
    if (!rc && model_hooks_at(r->hooks, MODEL_SITE_PATTERN, layer))
        for (size_t i = 0; !rc && i < p->n; i++)
            for (size_t h = 0; !rc && h < c->heads; h++) {
                real *row = scores + (h * p->n + i) * keys;
                size_t width = p->position + i + 1, kv = h / (c->heads / c->kv_heads);
                double lse = tensor_log_sum_exp(row, width);
                for (size_t j = 0; j < width; j++)
                    row[j] = row[j] <= REAL(-3e38) ? 0 : (real)__builtin_exp((double)row[j] - lse);
                struct model_point point = {
                    MODEL_SITE_PATTERN, layer, p->item, p->position + i, h, row, width
                };
                memcpy(before, row, width * sizeof *row);
                rc = model_hooks_row(r->hooks, &point);
                if (rc || !memcmp(before, row, width * sizeof *row))
                    continue;
                real *z = q->z + i * q->ldz + h * c->head_dim;
                memset(z, 0, c->head_dim * sizeof *z);
                for (size_t j = 0; j < width; j++) {
                    tensor_attention_read(&a, q->pages[j / TENSOR_PAGE] + q->page_offset,
                                          j % TENSOR_PAGE, value,
                                          value + c->kv_heads * c->head_dim);
                    const real *v = value + c->kv_heads * c->head_dim + kv * c->head_dim;
                    for (size_t d = 0; d < c->head_dim; d++)
                        z[d] += row[j] * v[d];
                }
            }
    q->on_scores = NULL;
    base_free(scores);
    base_free(before);
    base_free(value);
    return rc;
}

/* hook_result: each head's part of attn_out, [heads * width] per row. */
static int fire_result(struct run *r, size_t layer)
{
    const struct model_config *c = &r->m->config;
    const struct model_slot *w = model_slot(r->m, MODEL_OUT, layer, false);
    const struct model_slot *b = model_slot(r->m, MODEL_OUT, layer, true);
    size_t all = c->heads * c->width;
    if (!model_hooks_at(r->hooks, MODEL_SITE_RESULT, layer))
        return 0;
    real *parts = base_alloc(all, sizeof *parts), *before = base_alloc(all, sizeof *before),
         *row = base_alloc(w->columns, sizeof *row);
    int rc = parts && before && row ? 0 : BASE_E_MEMORY;
    for (size_t p = 0; !rc && p < r->n_pieces; p++)
        for (size_t i = 0; !rc && i < r->pieces[p].n; i++) {
            size_t at = r->pieces[p].row + i;
            const real *z = r->z + at * w->columns;
            for (size_t o = 0; o < c->width; o++) {
                if (w->packed.outputs)
                    tensor_matrix_row(&w->packed, o, row);
                else
                    memcpy(row, w->value + o * w->columns, w->columns * sizeof *row);
                for (size_t h = 0; h < c->heads; h++) {
                    real sum = 0;
                    for (size_t d = 0; d < c->head_dim; d++)
                        sum += row[h * c->head_dim + d] * z[h * c->head_dim + d];
                    parts[h * c->width + o] = sum;
                }
            }
            memcpy(before, parts, all * sizeof *parts);
            struct model_point point = { MODEL_SITE_RESULT,
                                         layer,
                                         r->pieces[p].item,
                                         r->pieces[p].position + i,
                                         0,
                                         parts,
                                         all };
            rc = model_hooks_row(r->hooks, &point);
            if (rc || !memcmp(before, parts, all * sizeof *parts))
                continue;
            for (size_t o = 0; o < c->width; o++) {
                real sum = b ? b->value[o] : 0;
                for (size_t h = 0; h < c->heads; h++)
                    sum += parts[h * c->width + o];
                r->a[at * c->width + o] = sum;
            }
        }
    base_free(parts);
    base_free(before);
    base_free(row);
    return rc;
}

#define TRY(expr)                                                                                  \
    do {                                                                                           \
        int rc_ = (expr);                                                                          \
        if (rc_)                                                                                   \
            return rc_;                                                                            \
    } while (0)

/* r->a = attention of r->h at a layer; keys and values go to the pages. */
static int attention(struct run *r, size_t layer)
{
    struct model *m = r->m;
    const struct model_config *c = &m->config;
    size_t nq = c->heads * c->head_dim, nk = c->kv_heads * c->head_dim, ld = nq + 2 * nk;
    struct tensor_attention a = model_attention_at(m, layer);
    TRY(model_apply(m, &r->scratch->ws, r->qkv, r->h, r->rows, MODEL_QKV, layer));
    model_norm_qk(m, r->qkv, r->rows, layer, NULL, NULL);
    TRY(fire(r, MODEL_SITE_Q, layer, r->qkv, ld, nq));
    TRY(fire(r, MODEL_SITE_K, layer, r->qkv + nq, ld, nk));
    TRY(fire(r, MODEL_SITE_V, layer, r->qkv + nq + nk, ld, nk));
    if (m->rope)
        tensor_rope_apply(m->rope, r->qkv, r->angles, r->rows, ld, c->heads + c->kv_heads,
                          c->head_dim);
    for (size_t p = 0; p < r->n_pieces; p++) {
        const struct piece *piece = &r->pieces[p];
        struct model_sequence *s = r->items[piece->item].sequence;
        for (size_t i = 0; i < piece->n; i++) {
            size_t position = piece->position + i;
            struct model_page *page = s->pages[position / TENSOR_PAGE];
            const real *row = r->qkv + (piece->row + i) * ld;
            tensor_attention_write(&a, page->data + layer * m->page_reals, position % TENSOR_PAGE,
                                   row + nq, row + nq + nk);
            if (page->filled <= position % TENSOR_PAGE)
                page->filled = position % TENSOR_PAGE + 1;
        }
        r->queries[p].q = r->qkv + piece->row * ld;
        r->queries[p].ldq = ld;
        r->queries[p].z = r->z + piece->row * nq;
        r->queries[p].ldz = nq;
        r->queries[p].n = piece->n;
        r->queries[p].start = piece->position;
        r->queries[p].page_offset = layer * m->page_reals;
    }
    TRY(tensor_attention_forward(&r->scratch->ws, &a, r->queries, r->n_pieces));
    if (model_hooks_at(r->hooks, MODEL_SITE_SCORES, layer) ||
        model_hooks_at(r->hooks, MODEL_SITE_PATTERN, layer))
        for (size_t p = 0; p < r->n_pieces; p++)
            TRY(look_inside(r, layer, &r->pieces[p], &r->queries[p]));
    TRY(fire(r, MODEL_SITE_Z, layer, r->z, nq, nq));
    TRY(model_apply(m, &r->scratch->ws, r->a, r->z, r->rows, MODEL_OUT, layer));
    TRY(fire_result(r, layer));
    if (c->norm_branch_end)
        model_apply_norm(m, r->a, r->a, r->rows, MODEL_POST1, layer, NULL, NULL);
    return fire(r, MODEL_SITE_ATTN_OUT, layer, r->a, c->width, c->width);
}

/* r->e[rows, width] = MLP of in. */
static int mlp(struct run *r, size_t layer, const real *in)
{
    struct model *m = r->m;
    const struct model_config *c = &m->config;
    size_t up = c->ff * (c->gated ? 2 : 1);
    TRY(model_apply(m, &r->scratch->ws, r->u, in, r->rows, MODEL_UP, layer));
    TRY(fire(r, MODEL_SITE_PRE, layer, r->u, up, c->ff));
    if (c->gated)
        tensor_gate(c->activation, r->f, r->u, r->rows, c->ff);
    else
        tensor_activate(c->activation, r->f, r->u, r->rows * c->ff);
    TRY(fire(r, MODEL_SITE_POST, layer, r->f, c->ff, c->ff));
    TRY(model_apply(m, &r->scratch->ws, r->e, r->f, r->rows, MODEL_DOWN, layer));
    if (c->norm_branch_end)
        model_apply_norm(m, r->e, r->e, r->rows, MODEL_POST2, layer, NULL, NULL);
    return fire(r, MODEL_SITE_MLP_OUT, layer, r->e, c->width, c->width);
}

static int block(struct run *r, size_t layer)
{
    struct model *m = r->m;
    const struct model_config *c = &m->config;
    size_t n = r->rows * c->width;
    TRY(fire(r, MODEL_SITE_RESID_PRE, layer, r->x, c->width, c->width));
    if (c->norm_before)
        model_apply_norm(m, r->h, r->x, r->rows, MODEL_NORM1, layer, NULL, NULL);
    else
        memcpy(r->h, r->x, n * sizeof *r->x);
    if (c->parallel) {
        TRY(attention(r, layer));
        if (!c->shared_norm)
            model_apply_norm(m, r->h, r->x, r->rows, MODEL_NORM2, layer, NULL, NULL);
        TRY(mlp(r, layer, r->h));
        tensor_add(r->a, r->a, r->e, n);
        tensor_add(r->x, r->x, r->a, n);
        return fire(r, MODEL_SITE_RESID_POST, layer, r->x, c->width, c->width);
    }
    TRY(attention(r, layer));
    tensor_add(r->x, r->x, r->a, n);
    if (c->norm_after_sum)
        model_apply_norm(m, r->x, r->x, r->rows, MODEL_NORM1, layer, NULL, NULL);
    TRY(fire(r, MODEL_SITE_RESID_MID, layer, r->x, c->width, c->width));
    const real *in = r->x;
    if (c->norm_before) {
        model_apply_norm(m, r->h, r->x, r->rows, MODEL_NORM2, layer, NULL, NULL);
        in = r->h;
    }
    TRY(mlp(r, layer, in));
    tensor_add(r->x, r->x, r->e, n);
    if (c->norm_after_sum)
        model_apply_norm(m, r->x, r->x, r->rows, MODEL_NORM2, layer, NULL, NULL);
    return fire(r, MODEL_SITE_RESID_POST, layer, r->x, c->width, c->width);
}

void model_norm_qk(const struct model *m, real *qkv, size_t rows, size_t layer, real *q_rstd,
                   real *k_rstd)
{
    const struct model_config *c = &m->config;
    size_t nq = c->heads * c->head_dim, nk = c->kv_heads * c->head_dim, ld = nq + 2 * nk;
    if (c->qk_norm == MODEL_QK_NORM_NONE)
        return;
    const real *qw = model_slot(m, MODEL_Q_NORM, layer, false)->value;
    const real *kw = model_slot(m, MODEL_K_NORM, layer, false)->value;
    bool full = c->qk_norm == MODEL_QK_NORM_FULL;
    size_t qn = full ? 1 : c->heads, kn = full ? 1 : c->kv_heads;
    for (size_t r = 0; r < rows; r++) {
        real *row = qkv + r * ld;
        tensor_rms_norm(row, row, qw, c->norm_offset, qn, nq / qn, c->norm_epsilon,
                        q_rstd ? q_rstd + r * qn : NULL);
        tensor_rms_norm(row + nq, row + nq, kw, c->norm_offset, kn, nk / kn, c->norm_epsilon,
                        k_rstd ? k_rstd + r * kn : NULL);
    }
}

/* x = the residual stream's start. */
static int embed(struct run *r)
{
    struct model *m = r->m;
    const struct model_config *c = &m->config;
    bool projected = c->embed_width != c->width;
    real *e = projected ? r->e : r->x;
    model_embed(m, e, r->ids, r->rows);
    /* looking rows up maps the file's pages around them: many rows would bring in the whole table
     */
    if (m->embed_tensor && m->archive && r->rows >= 64)
        model_archive_drop(m->archive, m->embed_tensor);
    TRY(fire(r, MODEL_SITE_EMBED, 0, e, c->embed_width, c->embed_width));
    if (projected)
        TRY(model_apply(m, &r->scratch->ws, r->x, r->e, r->rows, MODEL_PROJECT_IN, 0));
    model_add_positions(m, r->x, r->positions, r->rows);
    if (c->embed_norm)
        model_apply_norm(m, r->x, r->x, r->rows, MODEL_EMBED_NORM, 0, NULL, NULL);
    return 0;
}

int model_head(const struct model *m, struct tensor_workspace *ws, real *logits, const real *h,
               size_t rows)
{
    const struct model_config *c = &m->config;
    const struct model_slot *w = model_slot(m, c->tied ? MODEL_EMBED : MODEL_HEAD, 0, false);
    const struct model_slot *b = model_slot(m, MODEL_HEAD, 0, true);
    if (w->packed.outputs)
        return tensor_matmul(ws, logits, w->rows, h, w->columns, rows, &w->packed,
                             b ? b->value : NULL);
    int rc = tensor_gemm(ws, rows, w->rows, w->columns, h, w->columns, 1, w->value, 1, w->columns,
                         logits, w->rows, false);
    if (!rc && b)
        tensor_bias_add(logits, b->value, rows, w->rows, w->rows);
    return rc;
}

/* Rows of logits that belong together: of one item, one after the other. */
struct span {
    size_t item, first_row, rows;
};
struct spans {
    struct span at[LOGIT_ROWS];
    size_t count;
    size_t rows; /* of all, final hidden states of which stand in r->h */
};

/* One product with the head for all rows gathered, then each item's rows to the caller. */
static int logits_flush(struct run *r, struct spans *s)
{
    struct model *m = r->m;
    const struct model_config *c = &m->config;
    const real *h = r->h;
    if (!s->rows)
        return 0;
    if (c->embed_width != c->width) {
        TRY(model_apply(m, &r->scratch->ws, r->e, h, s->rows, MODEL_PROJECT_OUT, 0));
        h = r->e;
    }
    real *out = tensor_workspace_get(&r->scratch->logits, s->rows * c->vocabulary * sizeof *out);
    if (!out)
        return BASE_E_MEMORY;
    TRY(model_head(m, &r->scratch->ws, out, h, s->rows));
    if (c->final_softcap > 0)
        tensor_softcap(out, out, c->final_softcap, s->rows * c->vocabulary);
    for (size_t i = 0; i < s->count; i++) {
        const struct span *p = &s->at[i];
        TRY(r->on_logits(r->context, p->item, p->first_row, p->rows, out));
        out += p->rows * c->vocabulary;
    }
    s->count = s->rows = 0;
    return 0;
}

/* The first row of a piece that wants logits; piece->n or more when none does. */
static size_t logits_begin(const struct run *r, const struct piece *piece)
{
    const struct model_item *item = &r->items[piece->item];
    size_t first = piece->position - item->sequence->length; /* row number within the item */
    return item->logits_from > first ? item->logits_from - first : 0;
}

/* Logits of the rows that want them, to the caller. A batch may hold hundreds of items that want a
 * row each: their rows are gathered, so that the head's matrix is read once for all. */
static int logits(struct run *r)
{
    struct model *m = r->m;
    const struct model_config *c = &m->config;
    struct spans s = { .count = 0 };
    size_t total = 0;
    for (size_t p = 0; p < r->n_pieces; p++) {
        size_t begin = logits_begin(r, &r->pieces[p]);
        total += begin < r->pieces[p].n ? r->pieces[p].n - begin : 0;
    }
    const size_t share = rows_share(total, LOGIT_ROWS);
    for (size_t p = 0; p < r->n_pieces; p++) {
        const struct piece *piece = &r->pieces[p];
        size_t first = piece->position - r->items[piece->item].sequence->length;
        size_t i = logits_begin(r, piece);
        while (i < piece->n) {
            size_t n = piece->n - i < share - s.rows ? piece->n - i : share - s.rows;
            const real *x = r->x + (piece->row + i) * c->width;
            real *h = r->h + s.rows * c->width;
            if (c->final_norm)
                model_apply_norm(m, h, x, n, MODEL_FINAL_NORM, 0, NULL, NULL);
            else
                memcpy(h, x, n * c->width * sizeof *h);
            if (model_hooks_at(r->hooks, MODEL_SITE_FINAL, 0))
                for (size_t j = 0; j < n; j++) {
                    struct model_point point = {
                        MODEL_SITE_FINAL, 0,       piece->item, piece->position + i + j, 0,
                        h + j * c->width, c->width
                    };
                    TRY(model_hooks_row(r->hooks, &point));
                }
            s.at[s.count++] = (struct span){ piece->item, first + i, n };
            s.rows += n;
            i += n;
            if (s.rows == share)
                TRY(logits_flush(r, &s));
        }
    }
    return logits_flush(r, &s);
}

static int chunk(struct run *r)
{
    struct model *m = r->m;
    const struct model_config *c = &m->config;
    size_t n = r->rows, qkv = (c->heads + 2 * c->kv_heads) * c->head_dim,
           up = c->ff * (c->gated ? 2 : 1);
    size_t e = c->embed_width > c->width ? c->embed_width : c->width;
    size_t sizes[] = { c->width, c->width, qkv, c->heads * c->head_dim,      c->width,
                       up,       c->ff,    e,   m->rope ? c->rope.rotary : 0 };
    real **buffers[] = { &r->x, &r->h, &r->qkv, &r->z, &r->a, &r->u, &r->f, &r->e, &r->angles };
    size_t total = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        total += (n * sizes[i] + 15) / 16 * 16;
    real *arena = tensor_workspace_get(&r->scratch->arena, total * sizeof *arena);
    if (!arena)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        *buffers[i] = arena;
        arena += (n * sizes[i] + 15) / 16 * 16;
    }
    if (m->rope)
        tensor_rope_angles(m->rope, r->angles, r->positions, n);
    TRY(embed(r));
    for (size_t l = 0; l < c->layers; l++)
        TRY(block(r, l));
    return r->on_logits ? logits(r) : 0;
}

/* Checks, room for the new tokens, then chunk after chunk. */
int model_forward(struct model *m, const struct model_item *items, size_t n_items,
                  model_logits_fn *on_logits, void *context, const struct model_hooks *hooks)
{
    size_t total = 0;
    for (size_t i = 0; i < n_items; i++) {
        const struct model_item *it = &items[i];
        if (it->sequence->model != m)
            return base_error_set(BASE_E_ARGUMENT,
                                  "sequence %zu of the batch belongs to another model", i);
        if (!it->n)
            return base_error_set(BASE_E_ARGUMENT, "sequence %zu of the batch has no new tokens",
                                  i);
        for (size_t j = 0; j < i; j++)
            if (items[j].sequence == it->sequence)
                return base_error_set(BASE_E_ARGUMENT, "sequence %zu is in the batch twice", i);
        if (it->sequence->length + it->n > m->config.context)
            return base_error_set(BASE_E_LIMIT, "%zu tokens do not fit the context of %s: %zu",
                                  it->sequence->length + it->n, m->path, m->config.context);
        int rc = model_check_ids(m, it->ids, it->n);
        if (rc)
            return rc;
        total += it->n;
    }
    if (!total)
        return 0;
    const size_t rows_max = rows_share(total, CHUNK);
    struct run r = {
        .m = m, .items = items, .hooks = hooks, .on_logits = on_logits, .context = context
    };
    real **tables = NULL;
    size_t n_tables = 0;
    int rc = 0;
    for (size_t i = 0; !rc && i < n_items; i++)
        rc = model_sequence_reserve(items[i].sequence, items[i].n);
    for (size_t i = 0; i < n_items; i++)
        n_tables += items[i].sequence->n_pages;
    r.scratch = rc ? NULL : scratch_take(m);
    r.pieces = base_alloc(n_items, sizeof *r.pieces);
    r.queries = base_alloc_zero(n_items, sizeof *r.queries);
    r.ids = base_alloc(rows_max, sizeof *r.ids);
    r.positions = base_alloc(rows_max, sizeof *r.positions);
    tables = base_alloc(n_tables, sizeof *tables);
    if (!rc && (!r.scratch || !r.pieces || !r.queries || !r.ids || !r.positions || !tables))
        rc = BASE_E_MEMORY;
    size_t item = 0, done = 0; /* within the item */
    while (!rc && item < n_items) {
        r.rows = r.n_pieces = 0;
        size_t table = 0;
        while (item < n_items && r.rows < rows_max) {
            const struct model_item *it = &items[item];
            size_t n = it->n - done < rows_max - r.rows ? it->n - done : rows_max - r.rows;
            struct piece *p = &r.pieces[r.n_pieces];
            *p = (struct piece){ item, r.rows, n, it->sequence->length + done };
            for (size_t i = 0; i < n; i++) {
                r.ids[r.rows + i] = it->ids[done + i];
                r.positions[r.rows + i] = (int32_t)(p->position + i);
            }
            r.queries[r.n_pieces].pages = tables + table;
            for (size_t i = 0; i < it->sequence->n_pages; i++)
                tables[table++] = it->sequence->pages[i]->data;
            r.n_pieces++;
            r.rows += n;
            done += n;
            if (done == it->n) {
                item++;
                done = 0;
            }
        }
        rc = chunk(&r);
    }
    for (size_t i = 0; i < n_items; i++) {
        struct model_sequence *s = items[i].sequence;
        if (rc) {
            (void)model_sequence_truncate(s, s->length);
        } else {
            memcpy(s->ids + s->length, items[i].ids, items[i].n * sizeof *s->ids);
            s->length += items[i].n;
        }
    }
    if (r.scratch)
        scratch_give(m, r.scratch);
    base_free(r.pieces);
    base_free(r.queries);
    base_free(r.ids);
    base_free(r.positions);
    base_free(tables);
    return rc;
}

/* ---- scoring ---- */

struct score {
    const struct model *m;
    const struct model_item *items;
    const int32_t *const *targets;
    double *const *logprobs;
    bool *const *greedy;
};

static int score_rows(void *context, size_t item, size_t first_row, size_t rows, const real *logits)
{
    struct score *s = context;
    size_t at = first_row - s->items[item].logits_from, v = s->m->config.vocabulary;
    tensor_log_softmax(logits, s->targets[item] + at, rows, v, v, s->logprobs[item] + at,
                       s->greedy ? s->greedy[item] + at : NULL);
    return 0;
}

int model_score(struct model *m, const struct model_item *items, size_t n_items,
                const int32_t *const *targets, double *const *logprobs, bool *const *greedy,
                const struct model_hooks *hooks)
{
    struct score s = { m, items, targets, logprobs, greedy };
    for (size_t i = 0; i < n_items; i++)
        for (size_t j = 0; j + items[i].logits_from < items[i].n; j++)
            if (targets[i][j] != -1) {
                int rc = model_check_ids(m, &targets[i][j], 1);
                if (rc)
                    return rc;
            }
    return model_forward(m, items, n_items, score_rows, &s, hooks);
}

double model_log_sum_exp(const real *logits, size_t vocabulary)
{
    return tensor_log_sum_exp(logits, vocabulary);
}

double model_log_softmax_at(const real *logits, size_t vocabulary, int32_t id)
{
    return (double)logits[id] - tensor_log_sum_exp(logits, vocabulary);
}
