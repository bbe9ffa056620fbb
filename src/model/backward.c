/* Training's pass: forward with what backward needs kept, loss by blocks of rows (never tokens x
 * vocabulary), backward. Rows of tokens are worked in groups of about GROUP tokens; gradients are
 * chains over the tokens in order, so how rows are grouped or split into calls leaves no trace in
 * them.
 *
 * Every backward step stands beside its forward step: block_forward/block_backward mirror
 * forward.c's block. With `recompute` only each block's input is kept and its forward is run again
 * before its backward (Chen et al. 2016). */
#include "base/memory.h"
#include "base/rng.h"
#include "model/internal.h"
#include <string.h>

#define GROUP     1024 /* tokens worked together (at least one row) */
#define LOSS_ROWS 252  /* rows of logits held at a time */

/* What one block keeps for its backward. Pointers into the pass's arena; NULL where not needed. */
struct saved {
    real *x;                     /* [n, width] input */
    real *h1, *mean1, *rstd1;    /* norm1's result and statistics */
    real *raw, *q_rstd, *k_rstd; /* q, k, v before their norms */
    real *qkv, *z, *lse;         /* after norms and rotation; heads' outputs; log-sum-exp */
    real *a, *a_rstd, *a_mean;   /* attention's result before post1 */
    real *mid;                   /* residual between the branches (post-LN: before norm1) */
    real *h2, *mean2, *rstd2;    /* the MLP's input */
    real *u, *f;                 /* before and after the activation */
    real *e, *e_rstd, *e_mean;   /* the MLP's result before post2 */
    real *sum;                   /* post-LN: before norm2 */
};
struct pass {
    struct model *m;
    const struct model_pass *options;
    struct tensor_workspace ws, arena;
    size_t n; /* tokens of the group */
    int32_t *ids, *targets, *positions, *table_rows;
    uint64_t
        *place; /* [n]: (row in the step) << 20 | position in the row: names a token for dropout */
    /* documents of the group, as attention's sequences */
    size_t documents;
    struct tensor_queries *queries;
    struct tensor_attention_rows *rows;
    size_t *begin; /* [documents + 1] first token of each */
    real **pages;
    real *page_data;
    struct saved *saved; /* [layers], or one when recomputing */
    real **inputs;       /* [layers + 1] residual stream at each block's entrance, and at the end */
    real *embedded, *embed_sum, *embed_mean, *embed_rstd;
    real *angles;
    real *dx, *dh, *da, *dqkv, *dz, *du, *df, *branch, *branch2;
    real *logits, *final, *final_mean, *final_rstd, *dfinal, *projected, *dprojected;
    double *losses;
};

#define TRY(expr)                                                                                  \
    do {                                                                                           \
        int rc_ = (expr);                                                                          \
        if (rc_)                                                                                   \
            return rc_;                                                                            \
    } while (0)

/* ---- memory: one description of the buffers, measured first and laid out second ---- */

static real *take(real **at, size_t *total, size_t count)
{
    count = (count + 15) / 16 * 16;
    *total += count;
    if (!*at)
        return NULL;
    real *p = *at;
    *at += count;
    return p;
}

/* With base NULL only counts. n tokens, `pages` attention pages. */
static size_t lay_out(struct pass *p, real *base, size_t n, size_t pages, const struct model *m,
                      const struct model_pass *o)
{
    const struct model_config *c = &m->config;
    size_t total = 0, w = c->width, nq = c->heads * c->head_dim, nk = c->kv_heads * c->head_dim;
    size_t ld = nq + 2 * nk, up = c->ff * (c->gated ? 2 : 1);
    size_t kept = o->recompute || o->forward_only ? 1 : c->layers;
    size_t loss = n < LOSS_ROWS ? n : LOSS_ROWS;
    bool full = c->qk_norm == MODEL_QK_NORM_FULL;
#define TAKE(count) take(&base, &total, count)
    for (size_t l = 0; l < kept; l++) {
        struct saved *s = &p->saved[l];
        s->x = NULL;
        s->h1 = TAKE(n * w), s->mean1 = TAKE(n), s->rstd1 = TAKE(n);
        if (c->qk_norm != MODEL_QK_NORM_NONE) {
            s->raw = TAKE(n * ld);
            s->q_rstd = TAKE(n * (full ? 1 : c->heads)),
            s->k_rstd = TAKE(n * (full ? 1 : c->kv_heads));
        }
        s->qkv = TAKE(n * ld), s->z = TAKE(n * nq), s->lse = TAKE(n * c->heads);
        s->a = TAKE(n * w), s->a_rstd = TAKE(n), s->a_mean = TAKE(n);
        s->mid = TAKE(n * w), s->h2 = TAKE(n * w), s->mean2 = TAKE(n), s->rstd2 = TAKE(n);
        s->u = TAKE(n * up), s->f = TAKE(n * c->ff);
        s->e = TAKE(n * w), s->e_rstd = TAKE(n), s->e_mean = TAKE(n);
        if (c->norm_after_sum)
            s->sum = TAKE(n * w);
    }
    for (size_t l = 0; l <= c->layers; l++)
        p->inputs[l] = o->forward_only && l > 1 ? p->inputs[l % 2] : TAKE(n * w);
    if (c->embed_width != w)
        p->embedded = TAKE(n * c->embed_width), p->projected = TAKE(loss * c->embed_width),
        p->dprojected = TAKE(loss * c->embed_width);
    if (c->embed_norm)
        p->embed_sum = TAKE(n * w), p->embed_mean = TAKE(n), p->embed_rstd = TAKE(n);
    if (m->rope)
        p->angles = TAKE(n * c->rope.rotary);
    p->page_data = TAKE(pages * m->page_reals);
    if (!o->forward_only) {
        p->dx = TAKE(n * w), p->dh = TAKE(n * w), p->da = TAKE(n * w), p->dqkv = TAKE(n * ld),
        p->dz = TAKE(n * nq);
        p->du = TAKE(n * up), p->df = TAKE(n * c->ff), p->dfinal = TAKE(loss * w);
        p->branch2 = TAKE(n * w);
    }
    p->branch = TAKE(n * w);
    p->logits = TAKE(loss * c->vocabulary), p->final = TAKE(loss * w);
    p->final_mean = TAKE(loss), p->final_rstd = TAKE(loss);
#undef TAKE
    return total;
}

/* ---- linear and norm, backward ---- */

/* dx (+)= dy W;  dW += dy' x;  db += column sums of dy. dx may be NULL. */
static int linear_backward(struct pass *p, real *dx, bool add, const real *dy, const real *x,
                           size_t rows, enum model_role role, size_t layer)
{
    struct model_slot *w = model_slot(p->m, role, layer, false),
                      *b = model_slot(p->m, role, layer, true);
    size_t out = w->rows, in = w->columns;
    if (w->gradient)
        TRY(tensor_gemm(&p->ws, out, in, rows, dy, 1, out, x, in, 1, w->gradient, in, true));
    if (b && b->gradient)
        tensor_bias_gradient(b->gradient, dy, rows, out, out);
    return dx ? tensor_gemm(&p->ws, rows, in, out, dy, out, 1, w->value, in, 1, dx, in, add) : 0;
}

/* dx (+)= norm's backward of dy at input x. */
static void norm_backward(struct pass *p, real *dx, bool add, const real *dy, const real *x,
                          size_t rows, enum model_role role, size_t layer, const real *mean,
                          const real *rstd)
{
    const struct model_config *c = &p->m->config;
    struct model_slot *w = model_slot(p->m, role, layer, false),
                      *b = model_slot(p->m, role, layer, true);
    if (c->norm == MODEL_NORM_RMS) {
        if (w && w->gradient)
            tensor_rms_norm_gradient(w->gradient, dy, x, rstd, rows, c->width);
        tensor_rms_norm_backward(dx, dy, x, w ? w->value : NULL, c->norm_offset, rstd, rows,
                                 c->width, add);
    } else {
        if (w && (w->gradient || (b && b->gradient)))
            tensor_layer_norm_gradient(w->gradient, b ? b->gradient : NULL, dy, x, mean, rstd, rows,
                                       c->width);
        tensor_layer_norm_backward(dx, dy, x, w ? w->value : NULL, mean, rstd, rows, c->width, add);
    }
}

/* Dropout in place on [n, width] rows; site names the place in the model. Its backward is itself.
 */
static void dropout(const struct pass *p, real *x, size_t site)
{
    const struct model_pass *o = p->options;
    size_t w = p->m->config.width;
    if (o->dropout <= 0)
        return;
    struct base_rng stream = base_rng_make(o->seed, BASE_RNG_DROPOUT, o->step << 16 | site);
#pragma omp parallel for schedule(static) num_threads(base_threads())
    for (size_t r = 0; r < p->n; r++)
        tensor_dropout(x + r * w, x + r * w, w, &stream, p->place[r] * w, o->dropout);
}

static struct tensor_attention attention_of(const struct pass *p, size_t layer)
{
    struct tensor_attention a = model_attention_at(p->m, layer);
    if (p->options->dropout > 0) {
        struct base_rng names =
            base_rng_make(p->options->seed, BASE_RNG_DROPOUT, p->options->step << 16 | 0xffff);
        a.dropout = p->options->dropout;
        a.dropout_key[0] = base_rng_u32(&names);
        a.dropout_key[1] = base_rng_u32(&names);
        a.dropout_site = (uint32_t)layer;
    }
    return a;
}

/* ---- one block ---- */

/* branch = attention of s->h1, before the residual sum. */
static int attention_forward(struct pass *p, size_t layer, struct saved *s)
{
    const struct model *m = p->m;
    const struct model_config *c = &m->config;
    size_t nq = c->heads * c->head_dim, nk = c->kv_heads * c->head_dim, ld = nq + 2 * nk;
    struct tensor_attention a = attention_of(p, layer);
    TRY(model_apply(m, &p->ws, s->qkv, s->h1, p->n, MODEL_QKV, layer));
    if (s->raw)
        memcpy(s->raw, s->qkv, p->n * ld * sizeof *s->raw);
    model_norm_qk(m, s->qkv, p->n, layer, s->q_rstd, s->k_rstd);
    if (m->rope)
        tensor_rope_apply(m->rope, s->qkv, p->angles, p->n, ld, c->heads + c->kv_heads,
                          c->head_dim);
    for (size_t d = 0; d < p->documents; d++) {
        struct tensor_queries *q = &p->queries[d];
        for (size_t i = 0; i < q->n; i++) {
            const real *row = s->qkv + (p->begin[d] + i) * ld;
            tensor_attention_write(&a, q->pages[i / TENSOR_PAGE], i % TENSOR_PAGE, row + nq,
                                   row + nq + nk);
        }
        q->q = s->qkv + p->begin[d] * ld;
        q->z = s->z + p->begin[d] * nq;
        q->lse = s->lse + p->begin[d] * c->heads;
    }
    TRY(tensor_attention_forward(&p->ws, &a, p->queries, p->documents));
    if (!c->norm_branch_end) {
        TRY(model_apply(m, &p->ws, p->branch, s->z, p->n, MODEL_OUT, layer));
    } else {
        TRY(model_apply(m, &p->ws, s->a, s->z, p->n, MODEL_OUT, layer));
        model_apply_norm(m, p->branch, s->a, p->n, MODEL_POST1, layer, s->a_mean, s->a_rstd);
    }
    dropout(p, p->branch, 2 * layer + 2);
    return 0;
}

/* dh (+)= attention's backward of dy (destroyed). */
static int attention_backward(struct pass *p, size_t layer, struct saved *s, real *dy, real *dh)
{
    struct model *m = p->m;
    const struct model_config *c = &m->config;
    size_t nq = c->heads * c->head_dim, nk = c->kv_heads * c->head_dim, ld = nq + 2 * nk;
    struct tensor_attention a = attention_of(p, layer);
    dropout(p, dy, 2 * layer + 2);
    if (c->norm_branch_end)
        norm_backward(p, dy, false, dy, s->a, p->n, MODEL_POST1, layer, s->a_mean, s->a_rstd);
    TRY(linear_backward(p, p->dz, false, dy, s->z, p->n, MODEL_OUT, layer));
    for (size_t d = 0; d < p->documents; d++) {
        struct tensor_attention_rows *r = &p->rows[d];
        size_t at = p->begin[d];
        *r = (struct tensor_attention_rows){
            .q = s->qkv + at * ld,
            .k = s->qkv + at * ld + nq,
            .v = s->qkv + at * ld + nq + nk,
            .ld = ld,
            .z = s->z + at * nq,
            .dz = p->dz + at * nq,
            .ldz = nq,
            .lse = s->lse + at * c->heads,
            .dq = p->dqkv + at * ld,
            .dk = p->dqkv + at * ld + nq,
            .dv = p->dqkv + at * ld + nq + nk,
            .n = p->begin[d + 1] - at,
            .dropout_row = p->queries[d].dropout_row,
        };
    }
    TRY(tensor_attention_backward(&p->ws, &a, p->rows, p->documents));
    if (m->rope)
        tensor_rope_backward(m->rope, p->dqkv, p->angles, p->n, ld, c->heads + c->kv_heads,
                             c->head_dim);
    if (c->qk_norm != MODEL_QK_NORM_NONE) {
        struct model_slot *qw = model_slot(m, MODEL_Q_NORM, layer, false),
                          *kw = model_slot(m, MODEL_K_NORM, layer, false);
        bool full = c->qk_norm == MODEL_QK_NORM_FULL;
        size_t qn = full ? 1 : c->heads, kn = full ? 1 : c->kv_heads;
        for (size_t r = 0; r < p->n; r++) {
            real *dq = p->dqkv + r * ld, *dk = dq + nq;
            const real *q = s->raw + r * ld, *k = q + nq;
            if (qw->gradient)
                tensor_rms_norm_gradient(qw->gradient, dq, q, s->q_rstd + r * qn, qn, nq / qn);
            if (kw->gradient)
                tensor_rms_norm_gradient(kw->gradient, dk, k, s->k_rstd + r * kn, kn, nk / kn);
            tensor_rms_norm_backward(dq, dq, q, qw->value, c->norm_offset, s->q_rstd + r * qn, qn,
                                     nq / qn, false);
            tensor_rms_norm_backward(dk, dk, k, kw->value, c->norm_offset, s->k_rstd + r * kn, kn,
                                     nk / kn, false);
        }
    }
    return linear_backward(p, dh, false, p->dqkv, s->h1, p->n, MODEL_QKV, layer);
}

/* branch = MLP of in. */
static int mlp_forward(struct pass *p, size_t layer, struct saved *s, const real *in)
{
    const struct model *m = p->m;
    const struct model_config *c = &m->config;
    TRY(model_apply(m, &p->ws, s->u, in, p->n, MODEL_UP, layer));
    if (c->gated)
        tensor_gate(c->activation, s->f, s->u, p->n, c->ff);
    else
        tensor_activate(c->activation, s->f, s->u, p->n * c->ff);
    if (!c->norm_branch_end) {
        TRY(model_apply(m, &p->ws, p->branch, s->f, p->n, MODEL_DOWN, layer));
    } else {
        TRY(model_apply(m, &p->ws, s->e, s->f, p->n, MODEL_DOWN, layer));
        model_apply_norm(m, p->branch, s->e, p->n, MODEL_POST2, layer, s->e_mean, s->e_rstd);
    }
    dropout(p, p->branch, 2 * layer + 3);
    return 0;
}

/* dh (+)= MLP's backward of dy (destroyed). */
static int mlp_backward(struct pass *p, size_t layer, struct saved *s, real *dy, const real *in,
                        real *dh, bool add)
{
    const struct model_config *c = &p->m->config;
    dropout(p, dy, 2 * layer + 3);
    if (c->norm_branch_end)
        norm_backward(p, dy, false, dy, s->e, p->n, MODEL_POST2, layer, s->e_mean, s->e_rstd);
    TRY(linear_backward(p, p->df, false, dy, s->f, p->n, MODEL_DOWN, layer));
    if (c->gated)
        tensor_gate_backward(c->activation, p->du, p->df, s->u, p->n, c->ff);
    else
        tensor_activate_backward(c->activation, p->du, p->df, s->u, p->n * c->ff);
    return linear_backward(p, dh, add, p->du, in, p->n, MODEL_UP, layer);
}

static int block_forward(struct pass *p, size_t layer, struct saved *s, const real *x, real *out)
{
    const struct model *m = p->m;
    const struct model_config *c = &m->config;
    size_t n = p->n * c->width;
    s->x = (real *)x;
    if (c->norm_before)
        model_apply_norm(m, s->h1, x, p->n, MODEL_NORM1, layer, s->mean1, s->rstd1);
    else
        memcpy(s->h1, x, n * sizeof *x);
    TRY(attention_forward(p, layer, s));
    if (c->parallel) {
        const real *in = s->h1;
        memcpy(s->mid, p->branch, n * sizeof *x); /* attention's part, for a moment */
        if (!c->shared_norm) {
            model_apply_norm(m, s->h2, x, p->n, MODEL_NORM2, layer, s->mean2, s->rstd2);
            in = s->h2;
        }
        TRY(mlp_forward(p, layer, s, in));
        tensor_add(p->branch, s->mid, p->branch, n);
        tensor_add(out, x, p->branch, n);
        return 0;
    }
    tensor_add(s->mid, x, p->branch, n);
    if (c->norm_after_sum) {
        model_apply_norm(m, s->h2, s->mid, p->n, MODEL_NORM1, layer, s->mean1, s->rstd1);
        TRY(mlp_forward(p, layer, s, s->h2));
        tensor_add(s->sum, s->h2, p->branch, n);
        model_apply_norm(m, out, s->sum, p->n, MODEL_NORM2, layer, s->mean2, s->rstd2);
        return 0;
    }
    if (c->norm_before)
        model_apply_norm(m, s->h2, s->mid, p->n, MODEL_NORM2, layer, s->mean2, s->rstd2);
    TRY(mlp_forward(p, layer, s, c->norm_before ? s->h2 : s->mid));
    tensor_add(out, s->mid, p->branch, n);
    return 0;
}

/* p->dx: gradient of the block's output in, of its input out. */
static int block_backward(struct pass *p, size_t layer, struct saved *s)
{
    const struct model_config *c = &p->m->config;
    size_t n = p->n * c->width;
    if (c->parallel) {
        memcpy(p->da, p->dx, n * sizeof *p->da);
        memcpy(p->branch2, p->dx, n * sizeof *p->da);
        TRY(attention_backward(p, layer, s, p->da, p->dh));
        if (c->shared_norm) {
            TRY(mlp_backward(p, layer, s, p->branch2, s->h1, p->dh, true));
        } else {
            TRY(mlp_backward(p, layer, s, p->branch2, s->h2, p->da, false));
            norm_backward(p, p->dx, true, p->da, s->x, p->n, MODEL_NORM2, layer, s->mean2,
                          s->rstd2);
        }
        norm_backward(p, p->dx, true, p->dh, s->x, p->n, MODEL_NORM1, layer, s->mean1, s->rstd1);
        return 0;
    }
    if (c->norm_after_sum) {
        norm_backward(p, p->dx, false, p->dx, s->sum, p->n, MODEL_NORM2, layer, s->mean2, s->rstd2);
        memcpy(p->da, p->dx, n * sizeof *p->da);
        TRY(mlp_backward(p, layer, s, p->da, s->h2, p->dh, false));
        tensor_add(p->dx, p->dx, p->dh, n);
        norm_backward(p, p->dx, false, p->dx, s->mid, p->n, MODEL_NORM1, layer, s->mean1, s->rstd1);
    } else {
        memcpy(p->da, p->dx, n * sizeof *p->da);
        TRY(mlp_backward(p, layer, s, p->da, c->norm_before ? s->h2 : s->mid, p->dh, false));
        if (c->norm_before)
            norm_backward(p, p->dx, true, p->dh, s->mid, p->n, MODEL_NORM2, layer, s->mean2,
                          s->rstd2);
        else
            tensor_add(p->dx, p->dx, p->dh, n);
    }
    memcpy(p->da, p->dx, n * sizeof *p->da);
    TRY(attention_backward(p, layer, s, p->da, p->dh));
    if (c->norm_before)
        norm_backward(p, p->dx, true, p->dh, s->x, p->n, MODEL_NORM1, layer, s->mean1, s->rstd1);
    else
        tensor_add(p->dx, p->dx, p->dh, n);
    return 0;
}

/* ---- embedding and loss ---- */

static int embed_forward(struct pass *p, real *x)
{
    const struct model *m = p->m;
    const struct model_config *c = &m->config;
    real *sum = c->embed_norm ? p->embed_sum : x;
    model_embed(m, p->embedded ? p->embedded : sum, p->ids, p->n);
    if (p->embedded)
        TRY(model_apply(m, &p->ws, sum, p->embedded, p->n, MODEL_PROJECT_IN, 0));
    model_add_positions(m, sum, p->positions, p->n);
    if (c->embed_norm)
        model_apply_norm(m, x, sum, p->n, MODEL_EMBED_NORM, 0, p->embed_mean, p->embed_rstd);
    dropout(p, x, 0);
    return 0;
}

static int embed_backward(struct pass *p)
{
    struct model *m = p->m;
    const struct model_config *c = &m->config;
    struct model_slot *table = model_slot(m, MODEL_EMBED, 0, false),
                      *positions = model_slot(m, MODEL_POSITIONS, 0, false);
    dropout(p, p->dx, 0);
    if (c->embed_norm)
        norm_backward(p, p->dx, false, p->dx, p->embed_sum, p->n, MODEL_EMBED_NORM, 0,
                      p->embed_mean, p->embed_rstd);
    if (positions && positions->gradient) {
        for (size_t r = 0; r < p->n; r++)
            p->table_rows[r] = p->positions[r] + (int32_t)c->position_offset;
        tensor_embed_gradient(positions->gradient, p->dx, p->table_rows, p->n, c->width, 1);
    }
    const real *de = p->dx;
    if (p->embedded) { /* the embeddings themselves are not needed any more: their place takes the
                          gradient */
        struct model_slot *w = model_slot(m, MODEL_PROJECT_IN, 0, false);
        if (w->gradient)
            TRY(tensor_gemm(&p->ws, w->rows, w->columns, p->n, p->dx, 1, w->rows, p->embedded,
                            w->columns, 1, w->gradient, w->columns, true));
        TRY(tensor_gemm(&p->ws, p->n, w->columns, w->rows, p->dx, w->rows, 1, w->value, w->columns,
                        1, p->embedded, w->columns, false));
        de = p->embedded;
    }
    if (table->gradient && c->tied)
        return model_tied_lookup(m, de, p->ids, p->table_rows, p->n, c->embed_scale);
    if (table->gradient)
        tensor_embed_gradient(table->gradient, de, p->ids, p->n, c->embed_width, c->embed_scale);
    return 0;
}

/* Final norm, head and cross-entropy, block by block; dx gets the gradient of the residual stream.
 */
static int loss(struct pass *p, const real *x, double *loss_sum, size_t *labels)
{
    struct model *m = p->m;
    const struct model_config *c = &m->config;
    const struct model_pass *o = p->options;
    struct model_slot *w = model_slot(m, c->tied ? MODEL_EMBED : MODEL_HEAD, 0, false),
                      *b = model_slot(m, MODEL_HEAD, 0, true);
    size_t v = c->vocabulary;
    for (size_t r = 0; r < p->n; r += LOSS_ROWS) {
        size_t n = p->n - r < LOSS_ROWS ? p->n - r : LOSS_ROWS;
        const real *in = x + r * c->width;
        const real *h = in;
        if (c->final_norm) {
            model_apply_norm(m, p->final, in, n, MODEL_FINAL_NORM, 0, p->final_mean, p->final_rstd);
            h = p->final;
        }
        const real *hidden = h;
        if (p->projected) {
            TRY(model_apply(m, &p->ws, p->projected, h, n, MODEL_PROJECT_OUT, 0));
            h = p->projected;
        }
        TRY(model_head(m, &p->ws, p->logits, h, n));
        tensor_cross_entropy(p->logits, p->targets + r, n, v, v, o->scale, c->final_softcap,
                             p->losses, !o->forward_only);
        for (size_t i = 0; i < n; i++) {
            *loss_sum += p->losses[i];
            *labels += p->targets[r + i] >= 0;
        }
        if (o->forward_only)
            continue;
        if (w->gradient)
            TRY(tensor_gemm(&p->ws, v, w->columns, n, p->logits, 1, v, h, w->columns, 1,
                            w->gradient, w->columns, true));
        if (b && b->gradient)
            tensor_bias_gradient(b->gradient, p->logits, n, v, v);
        real *dh = p->projected ? p->dprojected : p->dfinal;
        TRY(tensor_gemm(&p->ws, n, w->columns, v, p->logits, v, 1, w->value, w->columns, 1, dh,
                        w->columns, false));
        if (p->projected)
            TRY(linear_backward(p, p->dfinal, false, p->dprojected, hidden, n, MODEL_PROJECT_OUT,
                                0));
        if (c->final_norm)
            norm_backward(p, p->dx + r * c->width, false, p->dfinal, in, n, MODEL_FINAL_NORM, 0,
                          p->final_mean, p->final_rstd);
        else
            memcpy(p->dx + r * c->width, p->dfinal, n * c->width * sizeof *p->dx);
    }
    return 0;
}

/* ---- a group of rows ---- */

static size_t row_documents(const struct model_row *row)
{
    size_t n = 1;
    for (size_t i = 1; i < row->n; i++)
        n += row->document_start && row->document_start[i];
    return n;
}

static size_t pages_of(const struct model_row *row)
{
    size_t pages = 0, start = 0;
    for (size_t i = 1; i <= row->n; i++)
        if (i == row->n || (row->document_start && row->document_start[i])) {
            pages += (i - start + TENSOR_PAGE - 1) / TENSOR_PAGE;
            start = i;
        }
    return pages;
}

static int group(struct pass *p, const struct model_row *rows, size_t n_rows, size_t first_row,
                 double *loss_sum, size_t *labels)
{
    struct model *m = p->m;
    const struct model_config *c = &m->config;
    const struct model_pass *o = p->options;
    size_t documents = 0, pages = 0, page = 0;
    p->n = 0;
    for (size_t i = 0; i < n_rows; i++) {
        p->n += rows[i].n;
        documents += row_documents(&rows[i]);
        pages += pages_of(&rows[i]);
    }
    size_t reals = lay_out(p, NULL, p->n, pages, m, o);
    real *base = tensor_workspace_get(&p->arena, reals * sizeof *base);
    size_t integers = p->n * (4 * sizeof(int32_t) + sizeof *p->place);
    char *small = base_alloc_zero(1, integers + documents * (sizeof *p->queries + sizeof *p->rows) +
                                         (documents + 1) * sizeof *p->begin +
                                         pages * sizeof *p->pages + LOSS_ROWS * sizeof *p->losses);
    if (!base || !small) {
        base_free(small);
        return BASE_E_MEMORY;
    }
    lay_out(p, base, p->n, pages, m, o);
    p->losses = (double *)(void *)small;
    p->place = (uint64_t *)(p->losses + LOSS_ROWS);
    p->begin = (size_t *)(p->place + p->n);
    p->queries = (struct tensor_queries *)(p->begin + documents + 1);
    p->rows = (struct tensor_attention_rows *)(p->queries + documents);
    p->pages = (real **)(p->rows + documents);
    p->ids = (int32_t *)(p->pages + pages);
    p->targets = p->ids + p->n;
    p->positions = p->targets + p->n;
    p->table_rows = p->positions + p->n;
    memset(p->page_data, 0, pages * m->page_reals * sizeof *p->page_data);

    size_t t = 0, d = 0, nq = c->heads * c->head_dim;
    for (size_t i = 0; i < n_rows; i++)
        for (size_t j = 0, start = 0; j < rows[i].n; j++, t++) {
            if (j == 0 || (rows[i].document_start && rows[i].document_start[j])) {
                start = j;
                p->begin[d] = t;
                p->queries[d].pages = p->pages + page;
                p->queries[d].ldq = nq + 2 * c->kv_heads * c->head_dim;
                p->queries[d].ldz = nq;
                /* (row, place) hashed to 32 bits: two documents of a step share masks with odds of
                 * 2^-32 */
                p->queries[d].dropout_row =
                    (uint32_t)(((o->row_offset + first_row + i) << 20 | j) * 0x9e3779b97f4a7c15u >>
                               32);
                d++;
            }
            if ((j - start) % TENSOR_PAGE == 0) {
                p->pages[page] = p->page_data + page * m->page_reals;
                page++;
            }
            p->queries[d - 1].n = j - start + 1;
            p->ids[t] = rows[i].ids[j];
            p->targets[t] = rows[i].targets[j];
            p->positions[t] = (int32_t)(j - start);
            p->place[t] = (o->row_offset + first_row + i) << 20 | j;
        }
    p->begin[d] = t;
    p->documents = d;
    if (m->rope)
        tensor_rope_angles(m->rope, p->angles, p->positions, p->n);

    bool one = o->recompute || o->forward_only;
    int rc = embed_forward(p, p->inputs[0]);
    for (size_t l = 0; !rc && l < c->layers; l++)
        rc = block_forward(p, l, &p->saved[one ? 0 : l], p->inputs[l], p->inputs[l + 1]);
    if (!rc)
        rc = loss(p, p->inputs[c->layers], loss_sum, labels);
    for (size_t l = c->layers; !rc && !o->forward_only && l-- > 0;) {
        if (o->recompute)
            rc = block_forward(p, l, &p->saved[0], p->inputs[l], p->inputs[l + 1]);
        if (!rc)
            rc = block_backward(p, l, &p->saved[one ? 0 : l]);
    }
    if (!rc && !o->forward_only)
        rc = embed_backward(p);
    base_free(small);
    return rc;
}

static int check_row(const struct model *m, const struct model_row *row, size_t index)
{
    if (!row->n)
        return base_error_set(BASE_E_ARGUMENT, "training row %zu is empty", index);
    TRY(model_check_ids(m, row->ids, row->n));
    size_t length = 0;
    for (size_t i = 0; i < row->n; i++) {
        length = row->document_start && row->document_start[i] ? 1 : length + 1;
        if (length > m->config.context)
            return base_error_set(BASE_E_LIMIT,
                                  "training row %zu: a document of more than %zu tokens does not "
                                  "fit the model's context",
                                  index, m->config.context);
        if (row->targets[i] != -1)
            TRY(model_check_ids(m, &row->targets[i], 1));
    }
    return 0;
}

/* Rows [i, ...) that form the next group. */
static size_t next_group(const struct model_row *rows, size_t i, size_t n_rows)
{
    size_t tokens = rows[i].n, count = 1;
    while (i + count < n_rows && tokens + rows[i + count].n <= GROUP)
        tokens += rows[i + count++].n;
    return count;
}

int model_backward(struct model *m, const struct model_row *rows, size_t n_rows,
                   const struct model_pass *pass, double *loss_sum, size_t *labels)
{
    if (!m->list_count)
        return base_error_set(BASE_E_ARGUMENT, "%s was not loaded as trainable", m->path);
    if (!(pass->dropout >= 0 && pass->dropout < 1))
        return base_error_set(BASE_E_ARGUMENT, "dropout is %g: expected 0 <= p < 1", pass->dropout);
    for (size_t i = 0; i < n_rows; i++)
        TRY(check_row(m, &rows[i], i));
    if (!pass->forward_only)
        TRY(model_gradients_allocate(m));
    struct pass p = { .m = m, .options = pass, .ws = m->train_ws, .arena = m->train_arena };
    p.saved = base_alloc_zero(m->config.layers, sizeof *p.saved);
    p.inputs = base_alloc_zero(m->config.layers + 1, sizeof *p.inputs);
    int rc = p.saved && p.inputs ? 0 : BASE_E_MEMORY;
    const bool tied = !rc && !pass->forward_only && m->config.tied &&
                      model_slot(m, MODEL_EMBED, 0, false)->gradient;
    if (tied)
        model_tied_begin(m);
    for (size_t i = 0, count; !rc && i < n_rows; i += count) {
        count = next_group(rows, i, n_rows);
        rc = group(&p, rows + i, count, i, loss_sum, labels);
    }
    if (tied)
        model_tied_end(m);
    m->train_ws = p.ws;
    m->train_arena = p.arena;
    base_free(p.saved);
    base_free(p.inputs);
    return rc;
}

size_t model_backward_bytes(const struct model *m, size_t n_rows, size_t row_length,
                            const struct model_pass *pass)
{
    struct pass p = { .m = (struct model *)m };
    size_t rows = row_length ? GROUP / row_length : 1;
    rows = rows < 1 ? 1 : rows;
    rows = rows > n_rows ? n_rows : rows;
    p.saved = base_alloc_zero(m->config.layers, sizeof *p.saved);
    p.inputs = base_alloc_zero(m->config.layers + 1, sizeof *p.inputs);
    size_t n = rows * row_length, bytes = 0;
    if (p.saved && p.inputs)
        bytes = lay_out(&p, NULL, n, (n + TENSOR_PAGE - 1) / TENSOR_PAGE + rows, m, pass) *
                sizeof(real);
    base_free(p.saved);
    base_free(p.inputs);
    if (m->config.tied && !pass->forward_only) { /* tied.c's rows: at most one per token */
        size_t ids = n_rows * row_length;
        ids = ids < m->config.vocabulary ? ids : m->config.vocabulary;
        bytes += m->config.vocabulary * sizeof(int32_t) +
                 ids * (2 * m->config.embed_width * sizeof(real) + sizeof(int32_t));
    }
    return bytes;
}
