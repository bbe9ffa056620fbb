/* attention: causal multi-head attention, softmax(scale q k^T + bias) v, in blocks of 32 keys with
 * an online softmax: memory grows with the sequence, not with its square.
 *
 * Keys and values lie in pages of 32 positions. One page of one layer is
 *   keys   [kv_heads][head_dim][32]     (transposed: 32 scores advance together)
 *   values [kv_heads][32][width]        width = head_dim rounded up to 32, padding zero
 * A page must be zero where nothing has been written. Key blocks begin at multiples of 32 of the
 * position, so a query's result is the same whether the keys before it were cached or computed now.
 */
#ifndef TENSOR_ATTENTION_H
#define TENSOR_ATTENTION_H
#include "tensor/matmul.h"

#define TENSOR_PAGE 32
struct tensor_attention {
    size_t heads, kv_heads, head_dim; /* query head h reads kv head h * kv_heads / heads */
    real scale;                       /* on q . k */
    real softcap;                     /* cap * tanh(score / cap); 0 = none (Gemma 2) */
    size_t window;                    /* key j is seen from i when i - j < window; 0 = all */
    const real *slopes; /* ALiBi (Press et al. 2022): + slope[h] * (j - i); NULL = none */
    /* training only */
    double dropout;          /* probability that an attention weight is dropped */
    uint32_t dropout_key[2]; /* Philox key */
    uint32_t dropout_site;   /* e.g. the layer: a counter word */
};
size_t tensor_attention_width(const struct tensor_attention *a); /* of a value row */
size_t tensor_attention_page(const struct tensor_attention *a);  /* reals in a page */
/* Writes one position's key and value ([kv_heads * head_dim] each) into slot 0..31 of a page. */
void tensor_attention_write(const struct tensor_attention *a, real *page, size_t slot,
                            const real *k, const real *v);
/* Reads them back. */
void tensor_attention_read(const struct tensor_attention *a, const real *page, size_t slot, real *k,
                           real *v);

/* New queries of one sequence: rows r = 0..n-1 at positions start + r, whose keys are in the pages
 * already. */
struct tensor_queries {
    const real *q; /* [n, ldq], head h at h * head_dim */
    size_t ldq;
    real *z; /* [n, ldz], head h at h * head_dim */
    size_t ldz;
    size_t n, start;
    real *const *pages; /* page of position p: pages[p / 32] + page_offset */
    size_t page_offset;
    real *lse;            /* [n, heads] log-sum-exp of each row's scores for backward, or NULL */
    uint32_t dropout_row; /* a counter word that names the sequence */
    /* For looking inside: when set, called with each finished block of scores [rows, 32] before the
     * softmax (they may be changed), rows of head `head` from row `row`, keys from `key`; masked
     * entries hold a large negative number. */
    void (*on_scores)(void *context, size_t head, size_t row, size_t rows, size_t key,
                      real *scores);
    void *context;
};
int tensor_attention_forward(struct tensor_workspace *ws, const struct tensor_attention *a,
                             const struct tensor_queries *items, size_t n_items);

/* Backward for whole sequences (start = 0) with keys and values as rows.
 * Given z and lse of forward and dz, adds nothing and writes dq, dk, dv (same layouts as q, k, v).
 */
struct tensor_attention_rows {
    const real *q, *k, *v; /* [n, ld] */
    size_t ld;
    const real *z, *dz; /* [n, ldz] */
    size_t ldz;
    const real *lse;    /* [n, heads] */
    real *dq, *dk, *dv; /* [n, ld] */
    size_t n;
    uint32_t dropout_row;
};
int tensor_attention_backward(struct tensor_workspace *ws, const struct tensor_attention *a,
                              const struct tensor_attention_rows *items, size_t n_items);
#endif
