/* hooks: looking at and changing activations while a model runs. A plan is made before the run;
 * where nothing is planned, nothing is spent.
 *
 * Sites carry TransformerLens's names:
 *   hook_embed                          token embeddings                       [width]
 *   blocks.{i}.hook_resid_pre           residual stream entering the block     [width]
 *   blocks.{i}.attn.hook_q|k|v          before rotation                        [heads * head_dim]
 * or [kv_heads * head_dim] blocks.{i}.attn.hook_attn_scores    before the softmax, one head, keys
 * 0..position  [position + 1] blocks.{i}.attn.hook_pattern        after the softmax, one head
 * [position + 1] blocks.{i}.attn.hook_z              heads' outputs before the projection   [heads
 * * head_dim] blocks.{i}.attn.hook_result         each head's part of attn_out           [heads *
 * width] blocks.{i}.hook_attn_out            what attention adds                    [width]
 *   blocks.{i}.hook_resid_mid           between attention and MLP (not where they are parallel)
 * [width] blocks.{i}.mlp.hook_pre             before the activation (the gate, where gated)   [ff]
 *   blocks.{i}.mlp.hook_post            what enters the down projection        [ff]
 *   blocks.{i}.hook_mlp_out             what the MLP adds                      [width]
 *   blocks.{i}.hook_resid_post          residual stream leaving the block      [width]
 *   ln_final.hook_normalized            after the final norm (rows that get logits only) [width]
 *
 * A hook that leaves a row's bytes as they are leaves the run's bits as they are. */
#ifndef MODEL_HOOKS_H
#define MODEL_HOOKS_H
#include <assay/model.h>

enum model_site {
    MODEL_SITE_EMBED,
    MODEL_SITE_RESID_PRE,
    MODEL_SITE_Q,
    MODEL_SITE_K,
    MODEL_SITE_V,
    MODEL_SITE_SCORES,
    MODEL_SITE_PATTERN,
    MODEL_SITE_Z,
    MODEL_SITE_RESULT,
    MODEL_SITE_ATTN_OUT,
    MODEL_SITE_RESID_MID,
    MODEL_SITE_PRE,
    MODEL_SITE_POST,
    MODEL_SITE_MLP_OUT,
    MODEL_SITE_RESID_POST,
    MODEL_SITE_FINAL,
    MODEL_SITES
};
#define MODEL_ANY SIZE_MAX
struct model_point {
    enum model_site site;
    size_t layer;    /* 0 for sites outside blocks */
    size_t item;     /* index in the batch */
    size_t position; /* in the sequence */
    size_t head;     /* scores and pattern; else 0 */
    real *row;       /* [width], may be changed */
    size_t width;
};
/* Returns 0 to go on; anything else stops the forward with it. Called on one thread at a time, in
 * order of rows within a site. */
typedef int model_hook_fn(void *context, const struct model_point *point);

int model_hooks_new(struct model_hooks **out, const struct model *m);
void model_hooks_free(struct model_hooks *h);
/* Plans a call at a site by name ("blocks.*.hook_resid_post" = every layer). item, position and
 * head may be MODEL_ANY. BASE_E_ARGUMENT for a site this model does not have, naming what it has.
 * The hook's index goes to *index (may be NULL). */
int model_hooks_add(struct model_hooks *h, const char *site, size_t item, size_t position,
                    size_t head, model_hook_fn *fn, void *context, size_t *index);
/* How often hook `index` was called, over all runs. */
size_t model_hooks_fired(const struct model_hooks *h, size_t index);
/* 0, or BASE_E_ARGUMENT naming the first hook that never fired. */
int model_hooks_check(const struct model_hooks *h);
/* Width of a site's row (scores, pattern: 0, it varies). */
size_t model_site_width(const struct model *m, enum model_site site);
const char *model_site_name(enum model_site site); /* "hook_resid_pre", "attn.hook_q", ... */

/* For forward.c: is anything planned at this site and layer? */
bool model_hooks_at(const struct model_hooks *h, enum model_site site, size_t layer);
/* Calls what is planned for one row. */
int model_hooks_row(const struct model_hooks *h, const struct model_point *point);
#endif
