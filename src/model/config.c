/* From config.json or GGUF metadata to a checked model_config, and from a config to the list of
 * tensors a file of that model holds. */
#include "base/memory.h"
#include "base/text.h"
#include "model/architecture.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LAYERS_MAX 4096

size_t model_config_window(const struct model_config *c, size_t layer)
{
    return c->window && (!c->window_layers || c->window_layers[layer]) ? c->window : 0;
}

void model_config_free(struct model_config *c)
{
    base_free(c->window_layers);
    base_free(c->rope_divisors);
    c->window_layers = NULL;
    c->rope_divisors = NULL;
}

/* What holds unless a family says otherwise: GPT-2's building plan. */
static void defaults(struct model_config *c)
{
    *c = (struct model_config){
        .context = 2048,
        .norm = MODEL_NORM_LAYER,
        .norm_epsilon = 1e-5,
        .norm_affine = true,
        .norm_bias = true,
        .norm_before = true,
        .final_norm = true,
        .activation = TENSOR_GELU,
        .embed_scale = 1,
        .rope = { .base = 10000, .factor = 1 },
        .initializer_range = 0.02,
    };
}

static int bad(const char *where, const char *what, size_t value)
{
    return base_error_set(BASE_E_FORMAT, "%s: %s is %zu, which cannot be", where, what, value);
}

/* Derives what follows from the rest, and refuses what makes no model. */
static int finish(struct model_config *c, const char *where)
{
    if (!c->layers || c->layers > LAYERS_MAX)
        return bad(where, "the number of layers", c->layers);
    if (!c->width || c->width > 1 << 20)
        return bad(where, "the hidden size", c->width);
    if (!c->heads || c->heads > c->width)
        return bad(where, "the number of attention heads", c->heads);
    if (!c->kv_heads)
        c->kv_heads = c->heads;
    if (c->heads % c->kv_heads)
        return base_error_set(BASE_E_FORMAT,
                              "%s: %zu attention heads cannot share %zu key-value heads", where,
                              c->heads, c->kv_heads);
    if (!c->head_dim) {
        if (c->width % c->heads)
            return base_error_set(BASE_E_FORMAT,
                                  "%s: a hidden size of %zu cannot be split into %zu heads", where,
                                  c->width, c->heads);
        c->head_dim = c->width / c->heads;
    }
    if (c->head_dim > 1 << 16)
        return bad(where, "the head dimension", c->head_dim);
    if (!c->ff)
        c->ff = 4 * c->width;
    if (!c->embed_width)
        c->embed_width = c->width;
    if (c->ff > 1 << 24 || c->embed_width > 1 << 20)
        return bad(where, "the MLP or embedding width", c->ff > 1 << 24 ? c->ff : c->embed_width);
    if (!c->vocabulary || c->vocabulary > 1 << 24)
        return bad(where, "the vocabulary", c->vocabulary);
    if (!c->context)
        return bad(where, "the context length", c->context);
    if (!(c->norm_epsilon >= 0) || !isfinite(c->norm_epsilon))
        return base_error_set(BASE_E_FORMAT, "%s: the norm's epsilon is %g, which cannot be", where,
                              c->norm_epsilon);
    if (c->attention_scale == 0)
        c->attention_scale = 1 / sqrt((double)c->head_dim);
    if (!isfinite(c->attention_scale))
        return base_error_set(BASE_E_FORMAT, "%s: the attention scale is not a number", where);
    if (c->position == MODEL_POSITION_ROPE) {
        if (!c->rope.rotary)
            c->rope.rotary = c->head_dim;
        if (c->rope.rotary % 2 || c->rope.rotary > c->head_dim)
            return base_error_set(BASE_E_FORMAT,
                                  "%s: %zu rotary dimensions do not fit a head of %zu", where,
                                  c->rope.rotary, c->head_dim);
    }
    return 0;
}

/* Configs of the earliest days have no model_type: the class name, or the keys, tell. */
static const struct model_architecture *recognise(const json_t *config)
{
    const char *class =
        json_string_value(json_array_get(json_object_get(config, "architectures"), 0));
    for (size_t i = 0; class && model_architecture_at(i); i++)
        if (!strcmp(model_architecture_at(i)->hf_class, class))
            return model_architecture_at(i);
    if (json_object_get(config, "n_embd") && json_object_get(config, "n_layer") &&
        json_object_get(config, "n_head"))
        return model_architecture_find("gpt2");
    return NULL;
}

static int unknown(const char *where, const char *name)
{
    char list[512];
    size_t n = 0;
    for (size_t i = 0; model_architecture_at(i) && n < sizeof list - 32; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "",
                              model_architecture_at(i)->name);
    return base_error_set(BASE_E_UNSUPPORTED, "%s: unknown architecture \"%s\"; Assay runs %s",
                          where, name, list);
}

/* Rows of the token embedding, whatever its name in the file. */
static size_t vocabulary_of(const struct model_config *c, const struct model_archive *a)
{
    for (const struct model_name *n = c->architecture->names; n->hf || n->gguf; n++) {
        if (n->role != MODEL_EMBED)
            continue;
        char name[256];
        const struct model_tensor *t = NULL;
        if (n->hf) {
            snprintf(name, sizeof name, "%s%s.weight", c->architecture->prefix, n->hf);
            t = model_archive_find(a, name);
            snprintf(name, sizeof name, "%s.weight", n->hf);
            t = t ? t : model_archive_find(a, name);
        }
        if (!t && n->gguf) {
            snprintf(name, sizeof name, "%s.weight", n->gguf);
            t = model_archive_find(a, name);
        }
        if (t && t->rank == 2 && t->shape[0] > 0)
            return (size_t)t->shape[0];
    }
    return 0;
}

int model_config_from_json(struct model_config *c, const json_t *config, const char *where,
                           const struct model_archive *a)
{
    defaults(c);
    if (!json_is_object(config))
        return base_error_set(BASE_E_FORMAT, "%s: expected a JSON object", where);
    const char *type = NULL;
    int rc = base_json_get_string(config, "model_type", where, false, &type);
    if (rc)
        return rc;
    c->architecture = type ? model_architecture_find(type) : recognise(config);
    if (!c->architecture) {
        const char *class =
            json_string_value(json_array_get(json_object_get(config, "architectures"), 0));
        return type || class ? unknown(where, type ? type : class)
                             : base_error_set(BASE_E_FORMAT,
                                              "%s: no \"model_type\": is this a model's config?",
                                              where);
    }
    rc = c->architecture->read_config(c, config, where);
    if (!rc)
        rc = base_json_get_double(config, "initializer_range", where, false, &c->initializer_range);
    if (!rc && !c->vocabulary && a)
        c->vocabulary = vocabulary_of(c, a);
    if (!rc)
        rc = finish(c, where);
    if (rc)
        model_config_free(c);
    return rc;
}

/* ---- GGUF ---- */

/* Copies one scalar; GGUF may give head counts per layer as arrays, which only equal entries can
 * pass. */
static int copy_key(json_t *config, const char *hf, const json_t *value, const char *where,
                    const char *gguf)
{
    if (json_is_array(value)) {
        for (size_t i = 1; i < json_array_size(value); i++)
            if (!json_equal(json_array_get(value, i), json_array_get(value, 0)))
                return base_error_set(BASE_E_UNSUPPORTED, "%s: %s differs between layers", where,
                                      gguf);
        value = json_array_get(value, 0);
    }
    if (!value)
        return 0;
    return json_object_set(config, hf, (json_t *)value)
               ? base_error_set(BASE_E_MEMORY, "out of memory")
               : 0;
}

static const json_t *gguf_get(const json_t *metadata, const char *arch, const char *key)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", arch, key);
    return json_object_get(metadata, name);
}

/* rope.scaling.* to HF's rope_scaling object. */
static int gguf_rope(json_t *config, const json_t *metadata, const char *arch)
{
    const char *type = json_string_value(gguf_get(metadata, arch, "rope.scaling.type"));
    const json_t *factor = gguf_get(metadata, arch, "rope.scaling.factor");
    if (!type || !strcmp(type, "none"))
        return 0;
    json_t *s = json_object();
    int failed = !s || json_object_set_new(s, "rope_type", json_string(type)) ||
                 (factor && json_object_set(s, "factor", (json_t *)factor));
    const json_t *original = gguf_get(metadata, arch, "rope.scaling.original_context_length");
    if (original)
        failed |= json_object_set(s, "original_max_position_embeddings", (json_t *)original);
    failed |= json_object_set_new(config, "rope_scaling", s);
    return failed ? base_error_set(BASE_E_MEMORY, "out of memory") : 0;
}

int model_config_from_gguf(struct model_config *c, const struct model_archive *a, json_t **out)
{
    const json_t *metadata = model_archive_metadata(a);
    const char *where = model_archive_path(a);
    const char *name = json_string_value(json_object_get(metadata, "general.architecture"));
    *c = (struct model_config){ 0 };
    if (!name)
        return base_error_set(BASE_E_FORMAT, "%s: no general.architecture: not a model", where);
    const struct model_architecture *arch = model_architecture_find_gguf(name);
    if (!arch)
        return unknown(where, name);
    json_t *config = NULL, *class = NULL;
    int rc = 0;
    /* a file written by `assay convert` carries the config it came from, which says it all */
    const char *own = json_string_value(json_object_get(metadata, "assay.config"));
    if (own) {
        rc = base_json_parse(&config, own, strlen(own), "assay.config");
        if (!rc)
            rc = model_config_from_json(c, config, where, a);
        if (!rc && c->architecture->gguf_norm_offset)
            c->norm_offset = 0;
        if (!rc)
            c->qkv_layout = MODEL_QKV_CONCAT;
        if (out && !rc)
            *out = config;
        else
            json_decref(config);
        return rc;
    }
    config = json_object();
    class = json_array();
    if (!config || !class || json_array_append_new(class, json_string(arch->hf_class)) ||
        json_object_set(config, "architectures", class) ||
        json_object_set_new(config, "model_type", json_string(arch->name)))
        rc = base_error_set(BASE_E_MEMORY, "out of memory");
    for (const struct model_key *k = arch->keys; !rc && k->gguf; k++)
        rc = copy_key(config, k->hf, gguf_get(metadata, name, k->gguf), where, k->gguf);
    if (!rc)
        rc = gguf_rope(config, metadata, name);

    const struct model_tensor *embed = model_archive_find(a, "token_embd.weight");
    const json_t *heads = gguf_get(metadata, name, "attention.head_count");
    const json_t *width = gguf_get(metadata, name, "embedding_length");
    const json_t *rotary = gguf_get(metadata, name, "rope.dimension_count");
    json_int_t head =
        json_integer_value(heads) > 0 ? json_integer_value(width) / json_integer_value(heads) : 0;
    int failed = 0;
    if (!rc && embed && embed->rank == 2)
        failed |= json_object_set_new(config, "vocab_size", json_integer(embed->shape[0]));
    if (!rc)
        failed |= json_object_set_new(config, "tie_word_embeddings",
                                      json_boolean(!model_archive_find(a, "output.weight")));
    /* what GGUF says by presence of tensors or by other keys */
    if (!rc && json_is_integer(rotary) && head &&
        (!strcmp(arch->name, "gpt_neox") || !strcmp(arch->name, "phi")))
        failed |= json_object_set_new(
            config, strcmp(arch->name, "phi") ? "rotary_pct" : "partial_rotary_factor",
            json_real((double)json_integer_value(rotary) / (double)head));
    if (!rc && !strcmp(arch->name, "falcon")) {
        bool two = model_archive_find(a, "blk.0.attn_norm_2.weight") != NULL;
        json_int_t kv = json_integer_value(gguf_get(metadata, name, "attention.head_count_kv"));
        failed |=
            json_object_set_new(config, "new_decoder_architecture", json_boolean(two || kv > 1));
        failed |= json_object_set_new(config, "num_ln_in_parallel_attn", json_integer(two ? 2 : 1));
    }
    if (!rc && !strcmp(arch->name, "gemma2"))
        failed |= json_object_set_new(
            config, "query_pre_attn_scalar",
            json_integer(json_is_integer(json_object_get(config, "head_dim"))
                             ? json_integer_value(json_object_get(config, "head_dim"))
                             : head));
    if (!rc && arch->names && model_archive_find(a, "blk.0.attn_q.bias") &&
        !strcmp(arch->name, "llama"))
        failed |= json_object_set_new(config, "attention_bias", json_true());
    if (!rc && failed)
        rc = base_error_set(BASE_E_MEMORY, "out of memory");
    if (!rc)
        rc = model_config_from_json(c, config, where, a);
    if (!rc && arch->gguf_norm_offset)
        c->norm_offset = 0; /* the file's norms hold 1 + w already */
    if (!rc) {
        c->qkv_layout = MODEL_QKV_CONCAT;
        const struct model_tensor *freqs = model_archive_find(a, "rope_freqs.weight");
        if (freqs && freqs->dtype == TENSOR_F32 && freqs->rank == 1 &&
            (size_t)freqs->shape[0] == c->rope.rotary / 2) {
            c->rope_divisors = base_alloc(c->rope.rotary / 2, sizeof *c->rope_divisors);
            for (size_t i = 0; c->rope_divisors && i < c->rope.rotary / 2; i++) {
                float f;
                memcpy(&f, (const char *)freqs->data + 4 * i, 4);
                c->rope_divisors[i] = (double)f;
            }
            if (!c->rope_divisors) {
                rc = BASE_E_MEMORY;
                model_config_free(c);
            }
            c->rope.scaling = TENSOR_ROPE_LONGROPE;
            c->rope.attention_factor = 1;
        }
    }
    json_decref(class);
    if (out && !rc)
        *out = config;
    else
        json_decref(config);
    return rc;
}

/* ---- parameters and their parts ---- */

bool model_role_shape(const struct model_config *c, enum model_role role, bool bias, size_t *rows,
                      size_t *columns)
{
    bool norm_bias = c->norm_affine && c->norm_bias;
    size_t r = 0, k = 0;
    switch (role) {
    case MODEL_EMBED:
        r = bias ? 0 : c->vocabulary, k = c->embed_width;
        break;
    case MODEL_POSITIONS:
        if (!bias && c->position == MODEL_POSITION_LEARNED)
            r = c->context + c->position_offset, k = c->width;
        break;
    case MODEL_EMBED_NORM:
        if (c->embed_norm && (bias ? norm_bias : c->norm_affine))
            r = c->width, k = 1;
        break;
    case MODEL_PROJECT_IN:
        if (!bias && c->embed_width != c->width)
            r = c->width, k = c->embed_width;
        break;
    case MODEL_PROJECT_OUT:
        if (!bias && c->embed_width != c->width)
            r = c->embed_width, k = c->width;
        break;
    case MODEL_NORM1:
    case MODEL_NORM2:
        if ((c->norm_before || c->norm_after_sum) && (bias ? norm_bias : c->norm_affine) &&
            !(role == MODEL_NORM2 && c->shared_norm))
            r = c->width, k = 1;
        break;
    case MODEL_POST1:
    case MODEL_POST2:
        if (c->norm_branch_end && (bias ? norm_bias : c->norm_affine))
            r = c->width, k = 1;
        break;
    case MODEL_QKV:
        r = bias && !c->qkv_bias ? 0 : (c->heads + 2 * c->kv_heads) * c->head_dim;
        k = bias ? 1 : c->width;
        break;
    case MODEL_Q_NORM:
    case MODEL_K_NORM:
        if (!bias && c->qk_norm != MODEL_QK_NORM_NONE) {
            r = c->head_dim, k = 1;
            if (c->qk_norm == MODEL_QK_NORM_FULL)
                r *= role == MODEL_Q_NORM ? c->heads : c->kv_heads;
        }
        break;
    case MODEL_OUT:
        r = bias && !c->out_bias ? 0 : c->width;
        k = bias ? 1 : c->heads * c->head_dim;
        break;
    case MODEL_UP:
        r = bias && !c->mlp_bias ? 0 : c->ff * (c->gated ? 2 : 1);
        k = bias ? 1 : c->width;
        break;
    case MODEL_DOWN:
        r = bias && !c->mlp_bias ? 0 : c->width;
        k = bias ? 1 : c->ff;
        break;
    case MODEL_FINAL_NORM:
        if (c->final_norm && (bias ? norm_bias : c->norm_affine))
            r = c->width, k = 1;
        break;
    case MODEL_HEAD:
        if (bias ? c->head_bias : !c->tied)
            r = c->vocabulary, k = bias ? 1 : c->embed_width;
        break;
    case MODEL_ROLES:
        break;
    }
    *rows = r;
    *columns = k;
    return r > 0;
}

static bool in_layer(enum model_role role)
{
    return role >= MODEL_NORM1 && role <= MODEL_POST2;
}

/* Rows [begin, begin + rows) of the canonical parameter that a share holds. */
static void share_rows(const struct model_config *c, enum model_share share, size_t all,
                       size_t *begin, size_t *rows)
{
    size_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
    switch (share) {
    case MODEL_Q:
        *begin = 0, *rows = q;
        break;
    case MODEL_K:
        *begin = q, *rows = kv;
        break;
    case MODEL_V:
        *begin = q + kv, *rows = kv;
        break;
    case MODEL_GATE:
        *begin = 0, *rows = c->ff;
        break;
    case MODEL_UPPER:
        *begin = c->ff, *rows = c->ff;
        break;
    case MODEL_WHOLE:
        *begin = 0, *rows = all;
        break;
    }
}

int model_parts(const struct model_config *c, bool gguf, struct model_part **out, size_t *count)
{
    size_t names = 0, n = 0;
    while (c->architecture->names[names].hf || c->architecture->names[names].gguf)
        names++;
    struct model_part *parts = base_alloc(2 * names * (c->layers + 1), sizeof *parts);
    if (!parts)
        return BASE_E_MEMORY;
    /* canonical order: what comes before the layers, the layers, what comes after */
    for (int stage = 0; stage < 3; stage++)
        for (size_t layer = 0; layer < (stage == 1 ? c->layers : 1); layer++)
            for (int role = 0; role < MODEL_ROLES; role++) {
                int belongs = in_layer(role)                                    ? 1
                              : role < MODEL_NORM1 && role != MODEL_PROJECT_OUT ? 0
                                                                                : 2;
                if (belongs != stage)
                    continue;
                for (int bias = 0; bias < 2; bias++)
                    for (size_t i = 0; i < names; i++) {
                        const struct model_name *name = &c->architecture->names[i];
                        size_t rows, columns;
                        if (name->role != (enum model_role)role ||
                            !(gguf ? name->gguf : name->hf) ||
                            !model_role_shape(c, role, bias, &rows, &columns))
                            continue;
                        struct model_part *p = &parts[n++];
                        *p = (struct model_part){ .role = role,
                                                  .layer = layer,
                                                  .bias = bias,
                                                  .share = name->share,
                                                  .names = name,
                                                  .columns = columns,
                                                  .required = true };
                        share_rows(c, name->share, rows, &p->row_begin, &p->rows);
                        p->transposed = !gguf && c->architecture->transposed && columns > 1 &&
                                        (role == MODEL_QKV || role == MODEL_OUT ||
                                         role == MODEL_UP || role == MODEL_DOWN);
                    }
            }
    *out = parts;
    *count = n;
    return 0;
}

char *model_part_name(const struct model_config *c, const struct model_part *p, bool gguf,
                      bool with_prefix)
{
    const char *pattern = gguf ? p->names->gguf : p->names->hf;
    const char *bar = strchr(pattern, '|');
    char chosen[128];
    /* "a|b": b where both branches read the residual through norms of their own */
    bool second = bar && c->parallel && !c->shared_norm;
    snprintf(chosen, sizeof chosen, "%.*s",
             bar && !second ? (int)(bar - pattern) : (int)strlen(pattern),
             second ? bar + 1 : pattern);
    const char *d = strstr(chosen, "%d");
    const char *prefix =
        !gguf && with_prefix && p->role != MODEL_HEAD ? c->architecture->prefix : "";
    const char *suffix = p->bias ? ".bias" : ".weight";
    if (!d)
        return base_format("%s%s%s", prefix, chosen, suffix);
    return base_format("%s%.*s%zu%s%s", prefix, (int)(d - chosen), chosen, p->layer, d + 2, suffix);
}

size_t model_part_source_row(const struct model_config *c, const struct model_part *p, bool gguf,
                             size_t i)
{
    size_t d = c->head_dim, share = c->heads / c->kv_heads;
    if (p->role != MODEL_QKV)
        return i;
    if (gguf && c->architecture->gguf_permuted && (p->share == MODEL_Q || p->share == MODEL_K)) {
        /* rotate-half row (half h, pair j) of a head lies at 2j + h */
        size_t head = i / d, r = i % d;
        return head * d + (r < d / 2 ? 2 * r : 2 * (r - d / 2) + 1);
    }
    if (gguf || p->share != MODEL_WHOLE || c->qkv_layout == MODEL_QKV_CONCAT)
        return i;
    /* fused, HF: canonical row i is of q, k or v (kind), head `head`, row r */
    size_t q = c->heads * d, kv = c->kv_heads * d;
    size_t kind = i < q        ? 0
                  : i < q + kv ? 1
                               : 2,
           at = kind == 0   ? i
                : kind == 1 ? i - q
                            : i - q - kv;
    size_t head = at / d, r = at % d;
    if (c->qkv_layout == MODEL_QKV_PER_HEAD)
        return (head * 3 + kind) * d + r;
    if (kind == 0)
        return (head / share * (share + 2) + head % share) * d + r;
    return (head * (share + 2) + share + kind - 1) * d + r;
}
