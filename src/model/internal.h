/* The model's inside, shared by the files of this room that run it: load.c (parameters), sequence.c
 * (cache pages), forward.c, backward.c, hooks.c. */
#ifndef MODEL_INTERNAL_H
#define MODEL_INTERNAL_H
#include "model/architecture.h"
#include "model/gradient.h"
#include "tensor/attention.h"
#include "tensor/matmul.h"
#include "tensor/ops.h"
#include <assay/model.h>
#include <pthread.h>

/* One canonical parameter: a matrix [rows, columns] (packed for running, or plain reals when
 * trainable) or a vector (columns == 1, always plain reals). */
struct model_slot {
    size_t rows, columns; /* 0 rows: the model has no such parameter */
    struct tensor_matrix packed;
    real *value;
    real *gradient;
};

/* Keys and values of TENSOR_PAGE positions, all layers: layer l at l * page_reals. */
struct model_page {
    real *data;
    size_t filled;           /* slots ever written; those beyond are zero */
    int shared;              /* sequences that hold it */
    struct model_page *next; /* in the free list */
};

/* What tied.c keeps of an embedding that is also the head: for the ids looked up since the
 * gradients were zeroed, both parts of their gradient. */
struct model_tied {
    int32_t *place; /* [vocabulary]: row in what follows, or -1; NULL until the first use */
    int32_t *ids;   /* [count] */
    real *head;     /* [count, columns] from the head's product */
    real *lookup;   /* [count, columns] from the look-ups */
    size_t count, capacity;
};

/* Buffers of one forward call; kept by the model for the next call. */
struct model_scratch;

struct model {
    char *path;
    struct model_config config;
    struct model_options options;
    struct model_archive *archive; /* NULL for a created model */
    bool gguf;
    json_t *config_json;      /* HF-style */
    struct model_slot *slots; /* [slot index] */
    const struct model_tensor *embed_tensor,
        *position_tensor; /* look-up tables as stored; NULL when trainable */
    struct tensor_rope *rope;
    real *slopes;      /* ALiBi, [heads] */
    size_t page_reals; /* of one layer */
    size_t parameters, stored_bytes;
    char hash[65];

    /* trainable only: the slots with rows > 0, in canonical order */
    struct model_parameter *list;
    size_t list_count;
    struct tensor_workspace train_ws, train_arena; /* of model_backward, kept between calls */
    struct model_tied tied;

    pthread_mutex_t lock; /* guards what follows */
    struct model_page *free_pages;
    struct model_scratch *free_scratch;
    struct tokenizer *tokenizer;
};

/* Whether an archive's tensors are those of the config: names, shapes, formats, none too many. What
 * model_load checks, without loading. */
int model_check_tensors(const struct model_config *config, struct model_archive *archive,
                        bool gguf);
static inline bool model_role_in_layer(enum model_role role)
{
    return role >= MODEL_NORM1 && role <= MODEL_POST2;
}
/* The parameter, or NULL where the model has none. */
struct model_slot *model_slot(const struct model *m, enum model_role role, size_t layer, bool bias);

/* y[rows, slot->rows] = x W^T + bias; y and x contiguous unless ld is given. */
int model_apply(const struct model *m, struct tensor_workspace *ws, real *y, const real *x,
                size_t rows, enum model_role role, size_t layer);
/* The norm of a role on rows of x. mean, rstd (may be NULL) are kept for backward. */
void model_apply_norm(const struct model *m, real *y, const real *x, size_t rows,
                      enum model_role role, size_t layer, real *mean, real *rstd);
/* Q and K norms in place on rows of [q, k, v]; rstds (may be NULL) are kept for backward. */
void model_norm_qk(const struct model *m, real *qkv, size_t rows, size_t layer, real *q_rstd,
                   real *k_rstd);
/* logits[rows, vocabulary] of final hidden rows, before the soft cap. */
int model_head(const struct model *m, struct tensor_workspace *ws, real *logits, const real *h,
               size_t rows);
/* Attention's parameters at a layer. */
struct tensor_attention model_attention_at(const struct model *m, size_t layer);
/* y[rows, embed_width] = token embeddings (scaled). */
void model_embed(const struct model *m, real *y, const int32_t *ids, size_t rows);
/* x[r] += positions[position[r] + offset] where the model has learned positions. */
void model_add_positions(const struct model *m, real *x, const int32_t *positions, size_t rows);
int model_check_ids(const struct model *m, const int32_t *ids, size_t n);

/* load.c: what does not depend on the weights; needs config. */
int model_prepare(struct model *m);
/* parameters.c: fills list from the slots of a trainable model. */
int model_list_parameters(struct model *m);
const struct model_config *model_get_config(const struct model *m);
const struct model_archive *model_get_archive(const struct model *m);

/* tied.c: around all of a model_backward call, begin and end; lookup instead of
 * tensor_embed_gradient (places: scratch [n]); forget with the zeroing of gradients. */
void model_tied_begin(struct model *m);
int model_tied_lookup(struct model *m, const real *dy, const int32_t *ids, int32_t *places,
                      size_t n, double scale);
void model_tied_end(struct model *m);
void model_tied_forget(struct model *m);
void model_tied_free(struct model *m);

/* sequence.c */
struct model_sequence {
    struct model *model;
    int32_t *ids;
    size_t length, capacity;
    struct model_page **pages;
    size_t n_pages, page_capacity;
};
/* Makes room for n more positions: pages exist and are this sequence's own where they will be
 * written. */
int model_sequence_reserve(struct model_sequence *s, size_t n);
void model_pages_free(struct model *m);

/* forward.c */
void model_scratch_free(struct model_scratch *s);
#endif
