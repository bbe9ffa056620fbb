/* The table of model families: names of their tensors and readers of their configs.
 *
 * To add a family: a list of names, a reader of its config keys, a row in `table`. If it needs a
 * property the config lacks, add the property (not a name test) and use it in forward.c/backward.c.
 */
#include "model/architecture.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

/* ---- tensor names ---- */

static const struct model_name gpt2_names[] = {
    { MODEL_EMBED, MODEL_WHOLE, "wte", "token_embd" },
    { MODEL_POSITIONS, MODEL_WHOLE, "wpe", "position_embd" },
    { MODEL_NORM1, MODEL_WHOLE, "h.%d.ln_1", "blk.%d.attn_norm" },
    { MODEL_QKV, MODEL_WHOLE, "h.%d.attn.c_attn", "blk.%d.attn_qkv" },
    { MODEL_OUT, MODEL_WHOLE, "h.%d.attn.c_proj", "blk.%d.attn_output" },
    { MODEL_NORM2, MODEL_WHOLE, "h.%d.ln_2", "blk.%d.ffn_norm" },
    { MODEL_UP, MODEL_WHOLE, "h.%d.mlp.c_fc", "blk.%d.ffn_up" },
    { MODEL_DOWN, MODEL_WHOLE, "h.%d.mlp.c_proj", "blk.%d.ffn_down" },
    { MODEL_FINAL_NORM, MODEL_WHOLE, "ln_f", "output_norm" },
    { MODEL_HEAD, MODEL_WHOLE, "lm_head", "output" },
    { 0 },
};
static const struct model_name gpt_neo_names[] = {
    { MODEL_EMBED, MODEL_WHOLE, "wte", NULL },
    { MODEL_POSITIONS, MODEL_WHOLE, "wpe", NULL },
    { MODEL_NORM1, MODEL_WHOLE, "h.%d.ln_1", NULL },
    { MODEL_QKV, MODEL_Q, "h.%d.attn.attention.q_proj", NULL },
    { MODEL_QKV, MODEL_K, "h.%d.attn.attention.k_proj", NULL },
    { MODEL_QKV, MODEL_V, "h.%d.attn.attention.v_proj", NULL },
    { MODEL_OUT, MODEL_WHOLE, "h.%d.attn.attention.out_proj", NULL },
    { MODEL_NORM2, MODEL_WHOLE, "h.%d.ln_2", NULL },
    { MODEL_UP, MODEL_WHOLE, "h.%d.mlp.c_fc", NULL },
    { MODEL_DOWN, MODEL_WHOLE, "h.%d.mlp.c_proj", NULL },
    { MODEL_FINAL_NORM, MODEL_WHOLE, "ln_f", NULL },
    { MODEL_HEAD, MODEL_WHOLE, "lm_head", NULL },
    { 0 },
};
static const struct model_name gpt_neox_names[] = {
    { MODEL_EMBED, MODEL_WHOLE, "embed_in", "token_embd" },
    { MODEL_NORM1, MODEL_WHOLE, "layers.%d.input_layernorm", "blk.%d.attn_norm" },
    { MODEL_QKV, MODEL_WHOLE, "layers.%d.attention.query_key_value", "blk.%d.attn_qkv" },
    { MODEL_OUT, MODEL_WHOLE, "layers.%d.attention.dense", "blk.%d.attn_output" },
    { MODEL_NORM2, MODEL_WHOLE, "layers.%d.post_attention_layernorm", "blk.%d.ffn_norm" },
    { MODEL_UP, MODEL_WHOLE, "layers.%d.mlp.dense_h_to_4h", "blk.%d.ffn_up" },
    { MODEL_DOWN, MODEL_WHOLE, "layers.%d.mlp.dense_4h_to_h", "blk.%d.ffn_down" },
    { MODEL_FINAL_NORM, MODEL_WHOLE, "final_layer_norm", "output_norm" },
    { MODEL_HEAD, MODEL_WHOLE, "embed_out", "output" },
    { 0 },
};
static const struct model_name opt_names[] = {
    { MODEL_EMBED, MODEL_WHOLE, "embed_tokens", NULL },
    { MODEL_POSITIONS, MODEL_WHOLE, "embed_positions", NULL },
    { MODEL_PROJECT_IN, MODEL_WHOLE, "project_in", NULL },
    { MODEL_PROJECT_OUT, MODEL_WHOLE, "project_out", NULL },
    { MODEL_NORM1, MODEL_WHOLE, "layers.%d.self_attn_layer_norm", NULL },
    { MODEL_QKV, MODEL_Q, "layers.%d.self_attn.q_proj", NULL },
    { MODEL_QKV, MODEL_K, "layers.%d.self_attn.k_proj", NULL },
    { MODEL_QKV, MODEL_V, "layers.%d.self_attn.v_proj", NULL },
    { MODEL_OUT, MODEL_WHOLE, "layers.%d.self_attn.out_proj", NULL },
    { MODEL_NORM2, MODEL_WHOLE, "layers.%d.final_layer_norm", NULL },
    { MODEL_UP, MODEL_WHOLE, "layers.%d.fc1", NULL },
    { MODEL_DOWN, MODEL_WHOLE, "layers.%d.fc2", NULL },
    { MODEL_FINAL_NORM, MODEL_WHOLE, "final_layer_norm", NULL },
    { MODEL_HEAD, MODEL_WHOLE, "lm_head", NULL },
    { 0 },
};
/* Llama, Mistral, Qwen2, Qwen3, Gemma 2, OLMo 2: one map; a config without the parameter (q_norm,
 * post norms) never asks for the name. Families differ in what the norms around the branches are
 * called. */
#define LLAMA_HEAD                                                                                 \
    { MODEL_EMBED, MODEL_WHOLE, "embed_tokens", "token_embd" },                                    \
        { MODEL_QKV, MODEL_Q, "layers.%d.self_attn.q_proj", "blk.%d.attn_q" },                     \
        { MODEL_QKV, MODEL_K, "layers.%d.self_attn.k_proj", "blk.%d.attn_k" },                     \
        { MODEL_QKV, MODEL_V, "layers.%d.self_attn.v_proj", "blk.%d.attn_v" },                     \
        { MODEL_Q_NORM, MODEL_WHOLE, "layers.%d.self_attn.q_norm", "blk.%d.attn_q_norm" },         \
        { MODEL_K_NORM, MODEL_WHOLE, "layers.%d.self_attn.k_norm", "blk.%d.attn_k_norm" },         \
        { MODEL_OUT, MODEL_WHOLE, "layers.%d.self_attn.o_proj", "blk.%d.attn_output" },            \
        { MODEL_UP, MODEL_GATE, "layers.%d.mlp.gate_proj", "blk.%d.ffn_gate" },                    \
        { MODEL_UP, MODEL_UPPER, "layers.%d.mlp.up_proj", "blk.%d.ffn_up" },                       \
        { MODEL_DOWN, MODEL_WHOLE, "layers.%d.mlp.down_proj", "blk.%d.ffn_down" },                 \
        { MODEL_FINAL_NORM, MODEL_WHOLE, "norm", "output_norm" },                                  \
    {                                                                                              \
        MODEL_HEAD, MODEL_WHOLE, "lm_head", "output"                                               \
    }
static const struct model_name llama_names[] = {
    LLAMA_HEAD,
    { MODEL_NORM1, MODEL_WHOLE, "layers.%d.input_layernorm", "blk.%d.attn_norm" },
    { MODEL_NORM2, MODEL_WHOLE, "layers.%d.post_attention_layernorm", "blk.%d.ffn_norm" },
    { 0 },
};
static const struct model_name gemma2_names[] = {
    LLAMA_HEAD,
    { MODEL_NORM1, MODEL_WHOLE, "layers.%d.input_layernorm", "blk.%d.attn_norm" },
    { MODEL_POST1, MODEL_WHOLE, "layers.%d.post_attention_layernorm",
      "blk.%d.post_attention_norm" },
    { MODEL_NORM2, MODEL_WHOLE, "layers.%d.pre_feedforward_layernorm", "blk.%d.ffn_norm" },
    { MODEL_POST2, MODEL_WHOLE, "layers.%d.post_feedforward_layernorm", "blk.%d.post_ffw_norm" },
    { 0 },
};
static const struct model_name olmo2_names[] = {
    LLAMA_HEAD,
    { MODEL_POST1, MODEL_WHOLE, "layers.%d.post_attention_layernorm",
      "blk.%d.post_attention_norm" },
    { MODEL_POST2, MODEL_WHOLE, "layers.%d.post_feedforward_layernorm", "blk.%d.post_ffw_norm" },
    { 0 },
};
static const struct model_name phi_names[] = {
    { MODEL_EMBED, MODEL_WHOLE, "embed_tokens", "token_embd" },
    { MODEL_NORM1, MODEL_WHOLE, "layers.%d.input_layernorm", "blk.%d.attn_norm" },
    { MODEL_QKV, MODEL_Q, "layers.%d.self_attn.q_proj", "blk.%d.attn_q" },
    { MODEL_QKV, MODEL_K, "layers.%d.self_attn.k_proj", "blk.%d.attn_k" },
    { MODEL_QKV, MODEL_V, "layers.%d.self_attn.v_proj", "blk.%d.attn_v" },
    { MODEL_OUT, MODEL_WHOLE, "layers.%d.self_attn.dense", "blk.%d.attn_output" },
    { MODEL_UP, MODEL_WHOLE, "layers.%d.mlp.fc1", "blk.%d.ffn_up" },
    { MODEL_DOWN, MODEL_WHOLE, "layers.%d.mlp.fc2", "blk.%d.ffn_down" },
    { MODEL_FINAL_NORM, MODEL_WHOLE, "final_layernorm", "output_norm" },
    { MODEL_HEAD, MODEL_WHOLE, "lm_head", "output" },
    { 0 },
};
static const struct model_name bloom_names[] = {
    { MODEL_EMBED, MODEL_WHOLE, "word_embeddings", "token_embd" },
    { MODEL_EMBED_NORM, MODEL_WHOLE, "word_embeddings_layernorm", "token_embd_norm" },
    { MODEL_NORM1, MODEL_WHOLE, "h.%d.input_layernorm", "blk.%d.attn_norm" },
    { MODEL_QKV, MODEL_WHOLE, "h.%d.self_attention.query_key_value", "blk.%d.attn_qkv" },
    { MODEL_OUT, MODEL_WHOLE, "h.%d.self_attention.dense", "blk.%d.attn_output" },
    { MODEL_NORM2, MODEL_WHOLE, "h.%d.post_attention_layernorm", "blk.%d.ffn_norm" },
    { MODEL_UP, MODEL_WHOLE, "h.%d.mlp.dense_h_to_4h", "blk.%d.ffn_up" },
    { MODEL_DOWN, MODEL_WHOLE, "h.%d.mlp.dense_4h_to_h", "blk.%d.ffn_down" },
    { MODEL_FINAL_NORM, MODEL_WHOLE, "ln_f", "output_norm" },
    { MODEL_HEAD, MODEL_WHOLE, "lm_head", "output" },
    { 0 },
};
/* Falcon: one norm feeds both branches (7B), or ln_attn and ln_mlp (40B: names overridden below).
 */
static const struct model_name falcon_names[] = {
    { MODEL_EMBED, MODEL_WHOLE, "word_embeddings", "token_embd" },
    { MODEL_NORM1, MODEL_WHOLE, "h.%d.input_layernorm|h.%d.ln_attn",
      "blk.%d.attn_norm|blk.%d.attn_norm_2" },
    { MODEL_NORM2, MODEL_WHOLE, "h.%d.post_attention_layernorm|h.%d.ln_mlp",
      "blk.%d.ffn_norm|blk.%d.attn_norm" },
    { MODEL_QKV, MODEL_WHOLE, "h.%d.self_attention.query_key_value", "blk.%d.attn_qkv" },
    { MODEL_OUT, MODEL_WHOLE, "h.%d.self_attention.dense", "blk.%d.attn_output" },
    { MODEL_UP, MODEL_WHOLE, "h.%d.mlp.dense_h_to_4h", "blk.%d.ffn_up" },
    { MODEL_DOWN, MODEL_WHOLE, "h.%d.mlp.dense_4h_to_h", "blk.%d.ffn_down" },
    { MODEL_FINAL_NORM, MODEL_WHOLE, "ln_f", "output_norm" },
    { MODEL_HEAD, MODEL_WHOLE, "lm_head", "output" },
    { 0 },
};
static const char *const no_buffers[] = { NULL };
static const char *const gpt_buffers[] = { ".attn.bias", ".attn.masked_bias", NULL };
static const char *const gpt_neo_buffers[] = { ".attn.attention.bias",
                                               ".attn.attention.masked_bias", NULL };
static const char *const neox_buffers[] = { ".attention.bias", ".attention.masked_bias",
                                            ".attention.rotary_emb.inv_freq", NULL };
static const char *const rotary_buffers[] = { ".rotary_emb.inv_freq", NULL };

/* ---- config readers: one per family; *c holds the common defaults ---- */

#define GET(expr)                                                                                  \
    do {                                                                                           \
        int rc_ = (expr);                                                                          \
        if (rc_)                                                                                   \
            return rc_;                                                                            \
    } while (0)

/* A size: a non-negative integer below 2^31. */
static int get_size(const json_t *o, const char *key, const char *where, bool required, size_t *out)
{
    int64_t v = (int64_t)*out;
    bool unbounded = *out == SIZE_MAX;
    if (unbounded)
        v = -1;
    GET(base_json_get_int(o, key, where, required, &v));
    if (unbounded && v == -1)
        return 0;
    if (v < 0 || v > INT32_MAX)
        return base_error_set(BASE_E_FORMAT, "%s: %s: expected 0 to %d, got %lld", where, key,
                              INT32_MAX, (long long)v);
    *out = (size_t)v;
    return 0;
}

static int get_activation(const json_t *o, const char *key, const char *where,
                          enum tensor_activation *out)
{
    const char *name = NULL;
    GET(base_json_get_string(o, key, where, false, &name));
    if (!name)
        return 0;
    int rc = tensor_activation_parse(name, out);
    return rc ? base_error_prefix(rc, "%s: %s", where, key) : 0;
}

/* What most Hugging Face configs agree on. */
static int read_common(struct model_config *c, const json_t *o, const char *where)
{
    GET(get_size(o, "vocab_size", where, false, &c->vocabulary));
    GET(get_size(o, "hidden_size", where, true, &c->width));
    GET(get_size(o, "num_hidden_layers", where, true, &c->layers));
    GET(get_size(o, "num_attention_heads", where, true, &c->heads));
    GET(get_size(o, "max_position_embeddings", where, false, &c->context));
    return base_json_get_bool(o, "tie_word_embeddings", where, false, &c->tied);
}

static int read_gpt2(struct model_config *c, const json_t *o, const char *where)
{
    bool scale = true;
    c->tied = true;
    c->context = 1024;
    c->activation = TENSOR_GELU_TANH;
    GET(get_size(o, "vocab_size", where, false, &c->vocabulary));
    GET(get_size(o, "n_embd", where, true, &c->width));
    GET(get_size(o, "n_layer", where, true, &c->layers));
    GET(get_size(o, "n_head", where, true, &c->heads));
    GET(get_size(o, "n_ctx", where, false, &c->context));
    GET(get_size(o, "n_positions", where, false, &c->context));
    GET(get_size(o, "n_inner", where, false, &c->ff));
    GET(get_activation(o, "activation_function", where, &c->activation));
    GET(base_json_get_double(o, "layer_norm_epsilon", where, false, &c->norm_epsilon));
    GET(base_json_get_bool(o, "tie_word_embeddings", where, false, &c->tied));
    GET(base_json_get_bool(o, "scale_attn_weights", where, false, &scale));
    GET(base_json_get_bool(o, "scale_attn_by_inverse_layer_idx", where, false, &c->scale_by_layer));
    if (!scale)
        c->attention_scale = 1;
    c->position = MODEL_POSITION_LEARNED;
    c->qkv_bias = c->out_bias = c->mlp_bias = true;
    return 0;
}

static int read_gpt_neo(struct model_config *c, const json_t *o, const char *where)
{
    c->tied = true;
    c->context = 2048;
    c->window = 256;
    c->activation = TENSOR_GELU_TANH;
    GET(get_size(o, "vocab_size", where, false, &c->vocabulary));
    GET(get_size(o, "hidden_size", where, true, &c->width));
    GET(get_size(o, "num_layers", where, true, &c->layers));
    GET(get_size(o, "num_heads", where, true, &c->heads));
    GET(get_size(o, "max_position_embeddings", where, false, &c->context));
    GET(get_size(o, "intermediate_size", where, false, &c->ff));
    GET(get_size(o, "window_size", where, false, &c->window));
    GET(get_activation(o, "activation_function", where, &c->activation));
    GET(base_json_get_double(o, "layer_norm_epsilon", where, false, &c->norm_epsilon));
    GET(base_json_get_bool(o, "tie_word_embeddings", where, false, &c->tied));
    c->position = MODEL_POSITION_LEARNED;
    c->attention_scale = 1; /* GPT-Neo does not divide by sqrt(d) */
    c->out_bias = c->mlp_bias = true;
    /* attention_layers: ["global","local",...], or attention_types: [[["global","local"], 12]] */
    if (c->layers > 100000)
        return base_error_set(BASE_E_FORMAT, "%s: num_layers: %zu is out of range", where,
                              c->layers);
    c->window_layers = base_alloc_zero(c->layers, sizeof *c->window_layers);
    if (!c->window_layers)
        return BASE_E_MEMORY;
    const json_t *list = json_object_get(o, "attention_layers"),
                 *types = json_object_get(o, "attention_types");
    size_t at = 0;
    for (size_t i = 0; json_is_array(types) && !json_is_array(list) && i < json_array_size(types);
         i++) {
        const json_t *kinds = json_array_get(json_array_get(types, i), 0);
        const json_t *times = json_array_get(json_array_get(types, i), 1);
        for (json_int_t k = 0;
             k < json_integer_value(times) && at < c->layers && json_array_size(kinds); k++)
            for (size_t j = 0; j < json_array_size(kinds) && at < c->layers; j++) {
                const char *kind = json_string_value(json_array_get(kinds, j));
                c->window_layers[at++] = kind && !strcmp(kind, "local");
            }
    }
    for (size_t i = 0; json_is_array(list) && i < json_array_size(list) && at < c->layers; i++) {
        const char *kind = json_string_value(json_array_get(list, i));
        c->window_layers[at++] = kind && !strcmp(kind, "local");
    }
    if (!list && !types)
        for (; at < c->layers; at++)
            c->window_layers[at] = at % 2;
    if (at < c->layers)
        return base_error_set(BASE_E_FORMAT, "%s: attention_types: expected %zu layers, got %zu",
                              where, c->layers, at);
    return 0;
}

static int read_rope_scaling(struct model_config *c, const json_t *o, const char *where)
{
    struct tensor_rope_options *r = &c->rope;
    const json_t *s = json_object_get(o, "rope_scaling");
    if (!json_is_object(s))
        s = json_object_get(o, "rope_parameters"); /* transformers 5 */
    if (!json_is_object(s))
        return 0;
    GET(base_json_get_double(s, "rope_theta", where, false, &r->base));
    const char *type = NULL;
    GET(base_json_get_string(s, "type", where, false, &type));
    GET(base_json_get_string(s, "rope_type", where, false, &type));
    if (!type || !strcmp(type, "default"))
        return 0;
    double original = (double)c->context;
    GET(base_json_get_double(s, "factor", where, false, &r->factor));
    GET(base_json_get_double(s, "original_max_position_embeddings", where, false, &original));
    r->original_context = original;
    if (!strcmp(type, "linear")) {
        r->scaling = TENSOR_ROPE_LINEAR;
    } else if (!strcmp(type, "llama3")) {
        r->scaling = TENSOR_ROPE_LLAMA3;
        r->low_frequency_factor = 1;
        r->high_frequency_factor = 4;
        GET(base_json_get_double(s, "low_freq_factor", where, false, &r->low_frequency_factor));
        GET(base_json_get_double(s, "high_freq_factor", where, false, &r->high_frequency_factor));
    } else if (!strcmp(type, "yarn")) {
        bool truncate = true;
        r->scaling = TENSOR_ROPE_YARN;
        r->beta_fast = 32;
        r->beta_slow = 1;
        GET(base_json_get_double(s, "beta_fast", where, false, &r->beta_fast));
        GET(base_json_get_double(s, "beta_slow", where, false, &r->beta_slow));
        GET(base_json_get_double(s, "attention_factor", where, false, &r->attention_factor));
        GET(base_json_get_double(s, "mscale", where, false, &r->mscale));
        GET(base_json_get_double(s, "mscale_all_dim", where, false, &r->mscale_all_dim));
        GET(base_json_get_bool(s, "truncate", where, false, &truncate));
        r->no_truncate = !truncate;
    } else {
        return base_error_set(
            BASE_E_UNSUPPORTED,
            "%s: rope_scaling type \"%s\" is not supported (default, linear, llama3, yarn are)",
            where, type);
    }
    return 0;
}

static int read_gpt_neox(struct model_config *c, const json_t *o, const char *where)
{
    double fraction = 0.25;
    bool parallel = true, bias = true;
    c->context = 2048;
    GET(read_common(c, o, where));
    GET(get_size(o, "intermediate_size", where, false, &c->ff));
    GET(get_activation(o, "hidden_act", where, &c->activation));
    GET(base_json_get_double(o, "layer_norm_eps", where, false, &c->norm_epsilon));
    GET(base_json_get_double(o, "rotary_pct", where, false, &fraction));
    GET(base_json_get_double(o, "rotary_emb_base", where, false, &c->rope.base));
    GET(base_json_get_double(o, "rope_theta", where, false, &c->rope.base));
    const json_t *rp = json_object_get(o, "rope_parameters");
    if (json_is_object(rp))
        GET(base_json_get_double(rp, "partial_rotary_factor", where, false, &fraction));
    GET(read_rope_scaling(c, o, where));
    GET(base_json_get_bool(o, "use_parallel_residual", where, false, &parallel));
    GET(base_json_get_bool(o, "attention_bias", where, false, &bias));
    c->position = MODEL_POSITION_ROPE;
    c->head_dim = c->heads ? c->width / c->heads : 0;
    c->rope.rotary = (size_t)((double)c->head_dim * fraction);
    c->parallel = parallel;
    c->qkv_layout = MODEL_QKV_PER_HEAD;
    c->qkv_bias = c->out_bias = bias;
    c->mlp_bias = true;
    return 0;
}

static int read_opt(struct model_config *c, const json_t *o, const char *where)
{
    bool bias = true, affine = true, before = true, no_final = false;
    c->tied = true;
    c->context = 2048;
    c->activation = TENSOR_RELU;
    GET(read_common(c, o, where));
    GET(get_size(o, "ffn_dim", where, false, &c->ff));
    GET(get_size(o, "word_embed_proj_dim", where, false, &c->embed_width));
    GET(get_activation(o, "activation_function", where, &c->activation));
    GET(base_json_get_bool(o, "enable_bias", where, false, &bias));
    GET(base_json_get_bool(o, "layer_norm_elementwise_affine", where, false, &affine));
    GET(base_json_get_bool(o, "do_layer_norm_before", where, false, &before));
    GET(base_json_get_bool(o, "_remove_final_layer_norm", where, false, &no_final));
    c->position = MODEL_POSITION_LEARNED;
    c->position_offset = 2;
    c->qkv_bias = c->out_bias = c->mlp_bias = bias;
    c->norm_affine = c->norm_bias = affine;
    c->norm_before = before;
    c->norm_after_sum = !before;
    c->final_norm = before && !no_final;
    return 0;
}

static int read_llama(struct model_config *c, const json_t *o, const char *where)
{
    bool bias = false, mlp = false;
    c->norm = MODEL_NORM_RMS;
    c->norm_bias = false;
    c->norm_epsilon = 1e-6;
    c->context = 2048;
    c->gated = true;
    c->activation = TENSOR_SILU;
    c->position = MODEL_POSITION_ROPE;
    GET(read_common(c, o, where));
    c->kv_heads = c->heads;
    GET(get_size(o, "num_key_value_heads", where, false, &c->kv_heads));
    GET(get_size(o, "head_dim", where, false, &c->head_dim));
    GET(get_size(o, "intermediate_size", where, true, &c->ff));
    GET(get_activation(o, "hidden_act", where, &c->activation));
    GET(get_activation(o, "hidden_activation", where, &c->activation));
    GET(base_json_get_double(o, "rms_norm_eps", where, false, &c->norm_epsilon));
    GET(base_json_get_double(o, "rope_theta", where, false, &c->rope.base));
    GET(base_json_get_bool(o, "attention_bias", where, false, &bias));
    GET(base_json_get_bool(o, "mlp_bias", where, false, &mlp));
    GET(read_rope_scaling(c, o, where));
    c->qkv_bias = c->out_bias = bias;
    c->mlp_bias = mlp;
    return 0;
}

static int read_mistral(struct model_config *c, const json_t *o, const char *where)
{
    c->kv_heads = 8;
    GET(read_llama(c, o, where));
    return get_size(o, "sliding_window", where, false, &c->window);
}

/* layer_types: ["sliding_attention", "full_attention", ...], as newer configs spell it out. */
static int read_layer_types(struct model_config *c, const json_t *o, const char *where)
{
    const json_t *types = json_object_get(o, "layer_types");
    if (!json_is_array(types))
        return 0;
    if (json_array_size(types) != c->layers)
        return base_error_set(BASE_E_FORMAT, "%s: layer_types: expected %zu entries, got %zu",
                              where, c->layers, json_array_size(types));
    if (!c->window_layers)
        c->window_layers = base_alloc_zero(c->layers, sizeof *c->window_layers);
    if (!c->window_layers)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < c->layers; i++) {
        const char *kind = json_string_value(json_array_get(types, i));
        c->window_layers[i] = kind && !strcmp(kind, "sliding_attention");
    }
    return 0;
}

static int read_qwen2(struct model_config *c, const json_t *o, const char *where)
{
    bool sliding = false;
    size_t from = 28;
    GET(read_llama(c, o, where));
    GET(base_json_get_bool(o, "use_sliding_window", where, false, &sliding));
    if (sliding) {
        GET(get_size(o, "sliding_window", where, false, &c->window));
        GET(get_size(o, "max_window_layers", where, false, &from));
        if (c->window && c->layers < 100000) {
            c->window_layers = base_alloc_zero(c->layers, sizeof *c->window_layers);
            if (!c->window_layers)
                return BASE_E_MEMORY;
            for (size_t i = from; i < c->layers; i++)
                c->window_layers[i] = true;
        }
        GET(read_layer_types(c, o, where));
    }
    return 0;
}

static int read_qwen2_bias(struct model_config *c, const json_t *o, const char *where)
{
    GET(read_qwen2(c, o, where));
    c->qkv_bias = true; /* q, k, v have biases, o has none */
    c->out_bias = false;
    return 0;
}

static int read_qwen3(struct model_config *c, const json_t *o, const char *where)
{
    c->head_dim = 128;
    GET(read_qwen2(c, o, where));
    c->qk_norm = MODEL_QK_NORM_HEAD;
    return 0;
}

static int read_gemma2(struct model_config *c, const json_t *o, const char *where)
{
    double scalar = 256;
    c->tied = true;
    c->head_dim = 256;
    c->window = 4096;
    GET(read_llama(c, o, where));
    if (!json_object_get(o, "hidden_activation") && !json_object_get(o, "hidden_act"))
        c->activation = TENSOR_GELU_TANH;
    else if (json_object_get(o, "hidden_activation"))
        GET(get_activation(o, "hidden_activation", where, &c->activation));
    c->attention_softcap = 50;
    c->final_softcap = 30;
    GET(base_json_get_double(o, "query_pre_attn_scalar", where, false, &scalar));
    GET(base_json_get_double(o, "attn_logit_softcapping", where, false, &c->attention_softcap));
    GET(base_json_get_double(o, "final_logit_softcapping", where, false, &c->final_softcap));
    GET(get_size(o, "sliding_window", where, false, &c->window));
    if (json_is_null(json_object_get(o, "attn_logit_softcapping")))
        c->attention_softcap = 0;
    if (json_is_null(json_object_get(o, "final_logit_softcapping")))
        c->final_softcap = 0;
    c->attention_scale = 1 / sqrt(scalar);
    c->norm_offset = 1;
    c->norm_branch_end = true;
    c->embed_scale = sqrt((double)c->width);
    if (c->layers > 100000)
        return base_error_set(BASE_E_FORMAT, "%s: num_hidden_layers: %zu is out of range", where,
                              c->layers);
    c->window_layers = base_alloc_zero(c->layers, sizeof *c->window_layers);
    if (!c->window_layers)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < c->layers; i++)
        c->window_layers[i] = i % 2 == 0; /* every other layer, the first one too */
    return read_layer_types(c, o, where);
}

static int read_olmo2(struct model_config *c, const json_t *o, const char *where)
{
    GET(read_llama(c, o, where));
    c->qk_norm = MODEL_QK_NORM_FULL;
    c->norm_before = false;
    c->norm_branch_end = true;
    return 0;
}

static int read_phi(struct model_config *c, const json_t *o, const char *where)
{
    double fraction = 0.5;
    bool qk = false;
    c->context = 2048;
    c->activation = TENSOR_GELU_TANH;
    c->position = MODEL_POSITION_ROPE;
    GET(read_common(c, o, where));
    c->kv_heads = c->heads;
    GET(get_size(o, "num_key_value_heads", where, false, &c->kv_heads));
    GET(get_size(o, "intermediate_size", where, false, &c->ff));
    GET(get_activation(o, "hidden_act", where, &c->activation));
    GET(base_json_get_double(o, "layer_norm_eps", where, false, &c->norm_epsilon));
    GET(base_json_get_double(o, "partial_rotary_factor", where, false, &fraction));
    GET(base_json_get_double(o, "rope_theta", where, false, &c->rope.base));
    GET(base_json_get_bool(o, "qk_layernorm", where, false, &qk));
    const json_t *rp = json_object_get(o, "rope_parameters");
    if (json_is_object(rp))
        GET(base_json_get_double(rp, "partial_rotary_factor", where, false, &fraction));
    GET(read_rope_scaling(c, o, where));
    if (qk)
        return base_error_set(BASE_E_UNSUPPORTED, "%s: qk_layernorm: true is not supported for phi",
                              where);
    c->head_dim = c->heads ? c->width / c->heads : 0;
    c->rope.rotary = (size_t)((double)c->head_dim * fraction);
    c->parallel = c->shared_norm = true;
    c->qkv_bias = c->out_bias = c->mlp_bias = c->head_bias = true;
    return 0;
}

static int read_bloom(struct model_config *c, const json_t *o, const char *where)
{
    bool post = false;
    c->tied = true;
    c->activation = TENSOR_GELU_TANH;
    GET(get_size(o, "vocab_size", where, false, &c->vocabulary));
    c->width = 64;
    GET(get_size(o, "n_embed", where, false, &c->width));
    GET(get_size(o, "hidden_size", where, false, &c->width));
    GET(get_size(o, "num_hidden_layers", where, false, &c->layers));
    GET(get_size(o, "n_layer", where, false, &c->layers));
    GET(get_size(o, "num_attention_heads", where, false, &c->heads));
    GET(get_size(o, "n_head", where, false, &c->heads));
    GET(get_size(o, "n_inner", where, false, &c->ff));
    GET(base_json_get_double(o, "layer_norm_epsilon", where, false, &c->norm_epsilon));
    GET(base_json_get_bool(o, "tie_word_embeddings", where, false, &c->tied));
    GET(base_json_get_bool(o, "apply_residual_connection_post_layernorm", where, false, &post));
    if (post)
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s: apply_residual_connection_post_layernorm: true is not supported",
                              where);
    c->context = SIZE_MAX; /* ALiBi has no table of positions */
    c->position = MODEL_POSITION_ALIBI;
    c->embed_norm = true;
    c->qkv_layout = MODEL_QKV_PER_HEAD;
    c->qkv_bias = c->out_bias = c->mlp_bias = true;
    return 0;
}

static int read_falcon(struct model_config *c, const json_t *o, const char *where)
{
    bool alibi = false, modern = false, multi = true, parallel = true, bias = false;
    int64_t norms = -1;
    c->tied = true;
    c->context = 2048;
    GET(read_common(c, o, where));
    GET(get_size(o, "ffn_hidden_size", where, false, &c->ff));
    GET(get_activation(o, "activation", where, &c->activation));
    GET(base_json_get_double(o, "layer_norm_epsilon", where, false, &c->norm_epsilon));
    GET(base_json_get_double(o, "rope_theta", where, false, &c->rope.base));
    GET(base_json_get_bool(o, "alibi", where, false, &alibi));
    GET(base_json_get_bool(o, "new_decoder_architecture", where, false, &modern));
    GET(base_json_get_bool(o, "multi_query", where, false, &multi));
    GET(base_json_get_bool(o, "parallel_attn", where, false, &parallel));
    GET(base_json_get_bool(o, "bias", where, false, &bias));
    GET(base_json_get_int(o, "num_ln_in_parallel_attn", where, false, &norms));
    GET(read_rope_scaling(c, o, where));
    c->kv_heads = multi ? 1 : c->heads;
    if (modern) {
        c->kv_heads = c->heads;
        GET(get_size(o, "num_kv_heads", where, false, &c->kv_heads));
    }
    c->qkv_layout = modern ? MODEL_QKV_GROUPED : multi ? MODEL_QKV_CONCAT : MODEL_QKV_PER_HEAD;
    c->parallel = parallel || modern;
    c->shared_norm = c->parallel && !(modern && norms != 1);
    c->position = alibi ? MODEL_POSITION_ALIBI : MODEL_POSITION_ROPE;
    c->alibi_scaled = true;
    if (alibi)
        c->context = SIZE_MAX;
    c->qkv_bias = c->out_bias = c->mlp_bias = bias;
    return 0;
}

/* ---- config keys in GGUF and HF ---- */

static const struct model_key gpt2_keys[] = {
    { "block_count", "n_layer", 'u' },
    { "embedding_length", "n_embd", 'u' },
    { "attention.head_count", "n_head", 'u' },
    { "feed_forward_length", "n_inner", 'u' },
    { "context_length", "n_positions", 'u' },
    { "attention.layer_norm_epsilon", "layer_norm_epsilon", 'f' },
    { 0 },
};
static const struct model_key neox_keys[] = {
    { "block_count", "num_hidden_layers", 'u' },
    { "embedding_length", "hidden_size", 'u' },
    { "attention.head_count", "num_attention_heads", 'u' },
    { "feed_forward_length", "intermediate_size", 'u' },
    { "context_length", "max_position_embeddings", 'u' },
    { "attention.layer_norm_epsilon", "layer_norm_eps", 'f' },
    { "rope.freq_base", "rotary_emb_base", 'f' },
    { "use_parallel_residual", "use_parallel_residual", 'b' },
    { 0 },
};
static const struct model_key llama_keys[] = {
    { "block_count", "num_hidden_layers", 'u' },
    { "embedding_length", "hidden_size", 'u' },
    { "attention.head_count", "num_attention_heads", 'u' },
    { "attention.head_count_kv", "num_key_value_heads", 'u' },
    { "attention.key_length", "head_dim", 'u' },
    { "feed_forward_length", "intermediate_size", 'u' },
    { "context_length", "max_position_embeddings", 'u' },
    { "attention.layer_norm_rms_epsilon", "rms_norm_eps", 'f' },
    { "rope.freq_base", "rope_theta", 'f' },
    { "attention.sliding_window", "sliding_window", 'u' },
    { "attn_logit_softcapping", "attn_logit_softcapping", 'f' },
    { "final_logit_softcapping", "final_logit_softcapping", 'f' },
    { 0 },
};
static const struct model_key phi_keys[] = {
    { "block_count", "num_hidden_layers", 'u' },
    { "embedding_length", "hidden_size", 'u' },
    { "attention.head_count", "num_attention_heads", 'u' },
    { "attention.head_count_kv", "num_key_value_heads", 'u' },
    { "feed_forward_length", "intermediate_size", 'u' },
    { "context_length", "max_position_embeddings", 'u' },
    { "attention.layer_norm_epsilon", "layer_norm_eps", 'f' },
    { "rope.freq_base", "rope_theta", 'f' },
    { 0 },
};
static const struct model_key bloom_keys[] = {
    { "block_count", "n_layer", 'u' },
    { "embedding_length", "hidden_size", 'u' },
    { "attention.head_count", "n_head", 'u' },
    { "feed_forward_length", "n_inner", 'u' },
    { "context_length", "seq_length", 'u' },
    { "attention.layer_norm_epsilon", "layer_norm_epsilon", 'f' },
    { 0 },
};
static const struct model_key falcon_keys[] = {
    { "block_count", "num_hidden_layers", 'u' },
    { "embedding_length", "hidden_size", 'u' },
    { "attention.head_count", "num_attention_heads", 'u' },
    { "attention.head_count_kv", "num_kv_heads", 'u' },
    { "feed_forward_length", "ffn_hidden_size", 'u' },
    { "context_length", "max_position_embeddings", 'u' },
    { "attention.layer_norm_epsilon", "layer_norm_epsilon", 'f' },
    { "rope.freq_base", "rope_theta", 'f' },
    { 0 },
};
static const struct model_key no_keys[] = { { 0 } };

/* ---- the table ---- */

static const struct model_architecture table[] = {
    { .name = "gpt2",
      .hf_class = "GPT2LMHeadModel",
      .gguf = "gpt2",
      .prefix = "transformer.",
      .transposed = true,
      .names = gpt2_names,
      .ignored = gpt_buffers,
      .keys = gpt2_keys,
      .read_config = read_gpt2 },
    { .name = "gpt_neo",
      .hf_class = "GPTNeoForCausalLM",
      .prefix = "transformer.",
      .names = gpt_neo_names,
      .ignored = gpt_neo_buffers,
      .keys = no_keys,
      .read_config = read_gpt_neo },
    { .name = "gpt_neox",
      .hf_class = "GPTNeoXForCausalLM",
      .gguf = "gptneox",
      .prefix = "gpt_neox.",
      .names = gpt_neox_names,
      .ignored = neox_buffers,
      .keys = neox_keys,
      .read_config = read_gpt_neox },
    { .name = "opt",
      .hf_class = "OPTForCausalLM",
      .prefix = "model.decoder.",
      .names = opt_names,
      .ignored = no_buffers,
      .keys = no_keys,
      .read_config = read_opt },
    { .name = "llama",
      .hf_class = "LlamaForCausalLM",
      .gguf = "llama",
      .prefix = "model.",
      .gguf_permuted = true,
      .names = llama_names,
      .ignored = rotary_buffers,
      .keys = llama_keys,
      .read_config = read_llama },
    { .name = "mistral",
      .hf_class = "MistralForCausalLM",
      .prefix = "model.",
      .gguf_permuted = true,
      .names = llama_names,
      .ignored = rotary_buffers,
      .keys = llama_keys,
      .read_config = read_mistral },
    { .name = "qwen2",
      .hf_class = "Qwen2ForCausalLM",
      .gguf = "qwen2",
      .prefix = "model.",
      .names = llama_names,
      .ignored = rotary_buffers,
      .keys = llama_keys,
      .read_config = read_qwen2_bias },
    { .name = "qwen3",
      .hf_class = "Qwen3ForCausalLM",
      .gguf = "qwen3",
      .prefix = "model.",
      .names = llama_names,
      .ignored = rotary_buffers,
      .keys = llama_keys,
      .read_config = read_qwen3 },
    { .name = "gemma2",
      .hf_class = "Gemma2ForCausalLM",
      .gguf = "gemma2",
      .prefix = "model.",
      .gguf_norm_offset = true,
      .names = gemma2_names,
      .ignored = rotary_buffers,
      .keys = llama_keys,
      .read_config = read_gemma2 },
    { .name = "olmo2",
      .hf_class = "Olmo2ForCausalLM",
      .gguf = "olmo2",
      .prefix = "model.",
      .names = olmo2_names,
      .ignored = rotary_buffers,
      .keys = llama_keys,
      .read_config = read_olmo2 },
    { .name = "phi",
      .hf_class = "PhiForCausalLM",
      .gguf = "phi2",
      .prefix = "model.",
      .names = phi_names,
      .ignored = rotary_buffers,
      .keys = phi_keys,
      .read_config = read_phi },
    { .name = "falcon",
      .hf_class = "FalconForCausalLM",
      .gguf = "falcon",
      .prefix = "transformer.",
      .names = falcon_names,
      .ignored = no_buffers,
      .keys = falcon_keys,
      .read_config = read_falcon },
    { .name = "bloom",
      .hf_class = "BloomForCausalLM",
      .gguf = "bloom",
      .prefix = "transformer.",
      .names = bloom_names,
      .ignored = no_buffers,
      .keys = bloom_keys,
      .read_config = read_bloom },
};

const struct model_architecture *model_architecture_at(size_t i)
{
    return i < sizeof table / sizeof *table ? &table[i] : NULL;
}

const struct model_architecture *model_architecture_find(const char *model_type)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, model_type))
            return &table[i];
    return NULL;
}

const struct model_architecture *model_architecture_find_gguf(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].gguf && !strcmp(table[i].gguf, name))
            return &table[i];
    return NULL;
}
