/* architecture: what a model family is, in one table row: where its config keys are, how its blocks
 * are built, and how its tensors are called in Hugging Face's and in GGUF's files. Nothing else in
 * the project asks "is this a Llama?": code asks the config for a property.
 *
 * Inside the engine every family has the same canonical parameters (roles). Per layer:
 *   norm1  qkv  q_norm k_norm  out  post1  norm2  up  down  post2
 * qkv is [ (heads + 2 kv_heads) * head_dim, width ]: all queries, then keys, then values,
 * rotate-half order. up is [gate; up] stacked, [2 ff, width], where the MLP is gated, else [ff,
 * width]. A canonical parameter is made of one or more parts, each a tensor in the file whose rows
 * are permuted and perhaps transposed on the way (model_part). */
#ifndef MODEL_ARCHITECTURE_H
#define MODEL_ARCHITECTURE_H
#include "base/json.h"
#include "model/archive.h"
#include "tensor/ops.h"
#include <stdbool.h>
#include <stddef.h>

enum model_norm { MODEL_NORM_LAYER, MODEL_NORM_RMS };
enum model_position {
    MODEL_POSITION_NONE,
    MODEL_POSITION_LEARNED,
    MODEL_POSITION_ROPE,
    MODEL_POSITION_ALIBI
};
enum model_qk_norm { MODEL_QK_NORM_NONE, MODEL_QK_NORM_HEAD, MODEL_QK_NORM_FULL };
/* How the rows of a fused query-key-value tensor lie. */
enum model_qkv_layout {
    MODEL_QKV_CONCAT,   /* queries, keys, values (GPT-2, Phi-3, Falcon multi-query) */
    MODEL_QKV_PER_HEAD, /* for each head q, k, v (GPT-NeoX, Bloom, Falcon-RW) */
    MODEL_QKV_GROUPED,  /* for each kv head: its queries, then k, v (Falcon's new decoder) */
};

/* Everything the engine needs to know, whatever the family. Sizes in elements. */
struct model_config {
    const struct model_architecture *architecture;
    size_t layers, width, heads, kv_heads, head_dim, ff, vocabulary;
    size_t context;     /* most positions; SIZE_MAX when nothing bounds it */
    size_t embed_width; /* width of the token embedding where it is projected (OPT-350m), else =
                           width */
    enum model_norm norm;
    double norm_epsilon;
    double norm_offset;   /* 1 for Gemma in HF files: the factor is 1 + weight */
    bool norm_affine;     /* norms have weights */
    bool norm_bias;       /* and biases */
    bool norm_before;     /* norm1, norm2 at a branch's entrance (pre-LN) */
    bool norm_branch_end; /* post1, post2 on a branch's result before it is added (Gemma 2, OLMo 2)
                           */
    bool norm_after_sum;  /* norm1, norm2 after the residual sum (post-LN, OPT-350m) */
    bool final_norm;
    bool parallel;    /* attention and MLP read the same residual (GPT-NeoX, Falcon, Phi) */
    bool shared_norm; /* with parallel: one norm feeds both */
    bool embed_norm;  /* a norm after the embedding (Bloom) */
    enum tensor_activation activation;
    bool gated; /* act(gate) * up */
    bool qkv_bias, out_bias, mlp_bias, head_bias;
    enum model_qk_norm qk_norm;
    double attention_scale; /* on q . k */
    bool scale_by_layer;    /* further divided by (layer + 1): scale_attn_by_inverse_layer_idx */
    double attention_softcap, final_softcap; /* 0 = none */
    double embed_scale;                      /* 1 = none; sqrt(width) for Gemma */
    enum model_position position;
    bool alibi_scaled;               /* ALiBi is added before the attention scale (Falcon) */
    size_t position_offset;          /* OPT: row = position + 2 */
    struct tensor_rope_options rope; /* rope.rotary: the rotated dims at a head's start */
    double *rope_divisors; /* owned; where scaling gives one per frequency (GGUF's rope_freqs) */
    size_t window;         /* sliding window, 0 = none */
    bool *window_layers;   /* [layers], owned: which layers have the window; NULL = all of them */
    bool tied;             /* logits by the embedding matrix */
    enum model_qkv_layout qkv_layout; /* of a fused tensor in HF files */
    double initializer_range;
};
/* The window of a layer, 0 = none. */
size_t model_config_window(const struct model_config *c, size_t layer);
void model_config_free(struct model_config *c); /* what it owns; c itself is the caller's */

enum model_role {
    MODEL_EMBED,
    MODEL_POSITIONS,
    MODEL_EMBED_NORM,
    MODEL_PROJECT_IN,
    MODEL_PROJECT_OUT,
    MODEL_NORM1,
    MODEL_QKV,
    MODEL_Q_NORM,
    MODEL_K_NORM,
    MODEL_OUT,
    MODEL_POST1,
    MODEL_NORM2,
    MODEL_UP,
    MODEL_DOWN,
    MODEL_POST2,
    MODEL_FINAL_NORM,
    MODEL_HEAD,
    MODEL_ROLES
};
/* Which part of the canonical parameter a file's tensor holds. */
enum model_share { MODEL_WHOLE, MODEL_Q, MODEL_K, MODEL_V, MODEL_GATE, MODEL_UPPER };

/* One line of a family's name map. "%d" is the layer; ".weight" / ".bias" are added. Names of HF
 * files are without the family's prefix. NULL: not in that kind of file. */
struct model_name {
    enum model_role role;
    enum model_share share;
    const char *hf;
    const char *gguf;
};
/* A config value: its GGUF key after "{arch}.", and its key in the family's HF config. */
struct model_key {
    const char *gguf;
    const char *hf;
    char type; /* 'u' u32, 'f' f32, 'b' bool */
};
struct model_architecture {
    const char *name;     /* HF's model_type: "gpt2", "llama", ... */
    const char *hf_class; /* "GPT2LMHeadModel": written to new configs */
    const char *gguf;     /* general.architecture, or NULL where llama.cpp has none */
    const char *prefix;   /* of HF names of the bare model: "transformer." may be there or not */
    bool transposed;      /* HF keeps matrices as [in, out] (GPT-2's Conv1D) */
    bool gguf_permuted;   /* GGUF has Q and K rows permuted for interleaved RoPE (Llama, Mistral) */
    bool gguf_norm_offset;          /* GGUF stores 1 + w (Gemma) */
    const struct model_name *names; /* ends with hf == NULL && gguf == NULL */
    const struct model_key *keys;   /* ends with gguf == NULL */
    const char *const *ignored;     /* suffixes of buffers that may be in files; NULL-terminated */
    /* Reads the family's config.json keys into *c, which holds defaults; 0 or error with `where`.
     */
    int (*read_config)(struct model_config *c, const json_t *config, const char *where);
};
/* By HF model_type; NULL when unknown. */
const struct model_architecture *model_architecture_find(const char *model_type);
/* By GGUF general.architecture; NULL when unknown. */
const struct model_architecture *model_architecture_find_gguf(const char *name);
/* i-th row of the table, NULL past the end: for messages and for tests. */
const struct model_architecture *model_architecture_at(size_t i);

/* From an HF config object (where = file name for messages). The archive (may be NULL) helps
 * configs without model_type, and gives vocabulary where only the tensors know it. */
int model_config_from_json(struct model_config *c, const json_t *config, const char *where,
                           const struct model_archive *a);
/* From GGUF metadata: builds the HF config object a converted model would have (also given out when
 * `config` is not NULL; new reference), then reads it as model_config_from_json does. */
int model_config_from_gguf(struct model_config *c, const struct model_archive *a, json_t **config);

/* One tensor of a file as a part of a canonical parameter. */
struct model_part {
    enum model_role role;
    size_t layer; /* 0 for roles outside layers */
    bool bias;
    enum model_share share;
    const struct model_name *names;
    /* Rows of the canonical [rows, columns] parameter that this tensor holds, in canonical order;
     * vectors have columns == 1 ("row" = element). */
    size_t row_begin, rows, columns;
    bool transposed; /* the file has [columns, rows] */
    bool required;
};
/* Lists every tensor that a model of this config has in a file of the given kind, in a fixed order
 * (canonical order, shares within). New array (base_free). */
int model_parts(const struct model_config *c, bool gguf, struct model_part **out, size_t *count);
/* Its name in such a file: HF with (or without) the family's prefix. New string (base_free). */
char *model_part_name(const struct model_config *c, const struct model_part *p, bool gguf,
                      bool with_prefix);
/* Row of the file's tensor (0 .. p->rows - 1) that becomes row i (0 .. p->rows - 1) of the part. */
size_t model_part_source_row(const struct model_config *c, const struct model_part *p, bool gguf,
                             size_t i);
/* Canonical shape of a role's matrix; columns 1 for vectors (biases: bias = true). False when the
 * config has no such parameter. */
bool model_role_shape(const struct model_config *c, enum model_role role, bool bias, size_t *rows,
                      size_t *columns);
#endif
