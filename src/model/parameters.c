/* Trainable models: the list of parameters, new models with random weights, saving in Hugging Face
 * layout. */
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "model/internal.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const role_names[MODEL_ROLES] = {
    [MODEL_EMBED] = "embed",
    [MODEL_POSITIONS] = "positions",
    [MODEL_EMBED_NORM] = "embed_norm",
    [MODEL_PROJECT_IN] = "project_in",
    [MODEL_PROJECT_OUT] = "project_out",
    [MODEL_NORM1] = "norm1",
    [MODEL_QKV] = "attn.qkv",
    [MODEL_Q_NORM] = "attn.q_norm",
    [MODEL_K_NORM] = "attn.k_norm",
    [MODEL_OUT] = "attn.out",
    [MODEL_POST1] = "post1",
    [MODEL_NORM2] = "norm2",
    [MODEL_UP] = "mlp.up",
    [MODEL_DOWN] = "mlp.down",
    [MODEL_POST2] = "post2",
    [MODEL_FINAL_NORM] = "ln_final",
    [MODEL_HEAD] = "head",
};

/* Walks the slots in canonical order: what comes before the layers, the layers, what comes after.
 */
typedef int slot_fn(void *context, struct model *m, enum model_role role, size_t layer, bool bias,
                    struct model_slot *s);
static int each_slot(struct model *m, slot_fn *fn, void *context)
{
    for (int stage = 0; stage < 3; stage++)
        for (size_t layer = 0; layer < (stage == 1 ? m->config.layers : 1); layer++)
            for (int role = 0; role < MODEL_ROLES; role++) {
                int belongs = model_role_in_layer(role)                         ? 1
                              : role < MODEL_NORM1 && role != MODEL_PROJECT_OUT ? 0
                                                                                : 2;
                for (int bias = 0; belongs == stage && bias < 2; bias++) {
                    struct model_slot *s = model_slot(m, role, layer, bias);
                    int rc = s ? fn(context, m, role, layer, bias, s) : 0;
                    if (rc)
                        return rc;
                }
            }
    return 0;
}

static int count_slot(void *context, struct model *m, enum model_role role, size_t layer, bool bias,
                      struct model_slot *s)
{
    (void)m, (void)role, (void)layer, (void)bias, (void)s;
    ++*(size_t *)context;
    return 0;
}

static int list_slot(void *context, struct model *m, enum model_role role, size_t layer, bool bias,
                     struct model_slot *s)
{
    (void)context;
    char *name = model_role_in_layer(role)
                     ? base_format("blocks.%zu.%s%s", layer, role_names[role], bias ? ".bias" : "")
                     : base_format("%s%s", role_names[role], bias ? ".bias" : "");
    if (!name)
        return BASE_E_MEMORY;
    m->list[m->list_count++] = (struct model_parameter){
        .name = name,
        .value = s->value,
        .rows = s->columns == 1 ? 1 : s->rows,
        .columns = s->columns == 1 ? s->rows : s->columns,
        .decay = s->columns > 1,
    };
    return 0;
}

int model_list_parameters(struct model *m)
{
    size_t n = 0;
    int rc = each_slot(m, count_slot, &n);
    m->list = base_alloc_zero(n, sizeof *m->list);
    if (!m->list)
        return BASE_E_MEMORY;
    return rc ? rc : each_slot(m, list_slot, NULL);
}

size_t model_parameter_count(const struct model *m)
{
    return m->list_count;
}

struct model_parameter *model_parameter_at(struct model *m, size_t i)
{
    return i < m->list_count ? &m->list[i] : NULL;
}

static int allocate_gradient(void *context, struct model *m, enum model_role role, size_t layer,
                             bool bias, struct model_slot *s)
{
    size_t *i = context;
    (void)layer, (void)bias;
    struct model_parameter *p = &m->list[(*i)++];
    if (p->frozen) {
        base_free_large(s->gradient, s->rows * s->columns * sizeof(real));
        s->gradient = NULL;
        if (role == MODEL_EMBED)
            model_tied_forget(m);
    } else if (!s->gradient)
        s->gradient = base_alloc_large(s->rows * s->columns * sizeof(real));
    p->gradient = s->gradient;
    return s->gradient || p->frozen ? 0 : BASE_E_MEMORY;
}

int model_gradients_allocate(struct model *m)
{
    size_t i = 0;
    if (!m->list_count)
        return base_error_set(BASE_E_ARGUMENT, "%s was not loaded as trainable", m->path);
    return each_slot(m, allocate_gradient, &i);
}

void model_gradients_zero(struct model *m)
{
    for (size_t i = 0; i < m->list_count; i++)
        if (m->list[i].gradient)
            memset(m->list[i].gradient, 0, m->list[i].rows * m->list[i].columns * sizeof(real));
    model_tied_forget(m);
}

/* ---- new models ---- */

struct initialise {
    uint64_t seed;
    size_t index;
};

static int init_slot(void *context, struct model *m, enum model_role role, size_t layer, bool bias,
                     struct model_slot *s)
{
    struct initialise *in = context;
    const struct model_config *c = &m->config;
    struct base_rng rng = base_rng_make(in->seed, BASE_RNG_INIT, in->index++);
    size_t n = s->rows * s->columns;
    (void)layer;
    s->value = base_alloc_large(n * sizeof(real));
    if (!s->value)
        return BASE_E_MEMORY;
    if (bias)
        return 0; /* zero */
    if (s->columns == 1) {
        for (size_t i = 0; i < n; i++)
            s->value[i] = (real)(1 - c->norm_offset);
        return 0;
    }
    double sigma = c->initializer_range;
    if (role == MODEL_OUT || role == MODEL_DOWN)
        sigma /= sqrt(2.0 * (double)c->layers);
    for (size_t i = 0; i < n; i++)
        s->value[i] = (real)(sigma * base_rng_normal(&rng));
    return 0;
}

int model_create(struct model **out, const json_t *config, uint64_t seed)
{
    *out = NULL;
    struct model *m = base_alloc_zero(1, sizeof *m);
    if (!m)
        return BASE_E_MEMORY;
    pthread_mutex_init(&m->lock, NULL);
    m->options.trainable = true;
    m->path = base_strdup("new model");
    m->config_json = json_deep_copy(config);
    int rc = m->path && m->config_json ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
    struct initialise in = { .seed = seed };
    if (!rc)
        rc = model_config_from_json(&m->config, m->config_json, "model config", NULL);
    if (!rc)
        rc = model_prepare(m);
    if (!rc)
        rc = each_slot(m, init_slot, &in);
    if (!rc)
        rc = model_list_parameters(m);
    m->stored_bytes = m->parameters * sizeof(float);
    if (rc) {
        model_free(m);
        return rc;
    }
    *out = m;
    return 0;
}

/* ---- saving ---- */

/* The file's tensor of a part, as floats: [rows, columns] or [columns, rows] where HF transposes.
 */
static void gather(const struct model *m, const struct model_part *p, float *out)
{
    const struct model_slot *s = model_slot(m, p->role, p->layer, p->bias);
    for (size_t i = 0; i < p->rows; i++) {
        size_t to = model_part_source_row(&m->config, p, false, i);
        for (size_t j = 0; j < p->columns; j++) {
            float f = (float)s->value[(p->row_begin + i) * p->columns + j];
            out[p->transposed ? j * p->rows + to : to * p->columns + j] = f;
        }
    }
}

static int save_weights(struct model *m, const char *path, enum tensor_dtype dtype)
{
    struct model_part *parts = NULL;
    struct model_tensor_plan *plan = NULL;
    struct model_archive_writer *w = NULL;
    json_t *metadata = json_pack("{s:s}", "format", "pt");
    size_t n = 0, largest = 0;
    int rc = metadata ? model_parts(&m->config, false, &parts, &n)
                      : base_error_set(BASE_E_MEMORY, "out of memory");
    if (!rc && !(plan = base_alloc_zero(n, sizeof *plan)))
        rc = BASE_E_MEMORY;
    for (size_t i = 0; !rc && i < n; i++) {
        const struct model_part *p = &parts[i];
        plan[i].name = model_part_name(&m->config, p, false, true);
        plan[i].dtype = dtype;
        plan[i].rank = p->columns == 1 ? 1 : 2;
        plan[i].shape[0] = (int64_t)(p->transposed ? p->columns : p->rows);
        plan[i].shape[1] = (int64_t)(p->transposed ? p->rows : p->columns);
        if (!plan[i].name)
            rc = BASE_E_MEMORY;
        largest = p->rows * p->columns > largest ? p->rows * p->columns : largest;
    }
    float *wide = rc ? NULL : base_alloc(largest, sizeof *wide);
    void *narrow = rc ? NULL : base_alloc(largest, sizeof(float));
    if (!rc && (!wide || !narrow))
        rc = BASE_E_MEMORY;
    if (!rc)
        rc = model_safetensors_create(&w, path, plan, n, metadata);
    for (size_t i = 0; !rc && i < n; i++) {
        size_t count = parts[i].rows * parts[i].columns, bytes = 0;
        gather(m, &parts[i], wide);
        tensor_from_f32(dtype, wide, count, narrow);
        (void)tensor_dtype_bytes(dtype, count, &bytes);
        rc = model_archive_write(w, i, narrow, bytes);
    }
    if (!rc)
        rc = model_archive_commit(w);
    model_archive_writer_close(w);
    for (size_t i = 0; plan && i < n; i++)
        base_free((char *)plan[i].name);
    base_free(plan);
    base_free(parts);
    base_free(wide);
    base_free(narrow);
    json_decref(metadata);
    return rc;
}

int model_save(struct model *m, const char *directory, const char *dtype,
               const char *tokenizer_source)
{
    enum tensor_dtype type;
    int rc = tensor_dtype_parse(dtype, &type);
    if (!rc && (type != TENSOR_F32 && type != TENSOR_F16 && type != TENSOR_BF16))
        rc = base_error_set(BASE_E_ARGUMENT,
                            "a model directory holds f32, f16 or bf16 weights, not %s", dtype);
    if (!rc && !m->list_count)
        rc = base_error_set(BASE_E_ARGUMENT, "%s was not loaded as trainable", m->path);
    if (rc)
        return rc;
    char *config_path = base_path_join(directory, "config.json"),
         *weights = base_path_join(directory, "model.safetensors");
    char *tokenizer = base_path_join(directory, "tokenizer.json"), *text = NULL, *copy = NULL;
    size_t bytes = 0;
    json_t *config = json_deep_copy(m->config_json), *class = json_array();
    if (!config_path || !weights || !tokenizer || !config || !class)
        rc = base_error_set(BASE_E_MEMORY, "out of memory");
    if (!rc &&
        (json_array_append_new(class, json_string(m->config.architecture->hf_class)) ||
         json_object_set(config, "architectures", class) ||
         json_object_set_new(config, "model_type", json_string(m->config.architecture->name)) ||
         json_object_set_new(config, "vocab_size",
                             json_integer((json_int_t)m->config.vocabulary)) ||
         json_object_set_new(config, "tie_word_embeddings", json_boolean(m->config.tied)) ||
         json_object_set_new(config, "torch_dtype",
                             json_string(type == TENSOR_F32   ? "float32"
                                         : type == TENSOR_F16 ? "float16"
                                                              : "bfloat16"))))
        rc = base_error_set(BASE_E_MEMORY, "out of memory");
    if (!rc)
        rc = base_file_make_directories(directory);
    if (!rc)
        rc = (text = base_json_dump(config, true)) ? 0 : BASE_E_MEMORY;
    if (!rc)
        rc = save_weights(m, weights, type);
    if (!rc && tokenizer_source)
        rc = base_file_read(tokenizer_source, 0, &copy, &bytes);
    if (!rc && tokenizer_source)
        rc = base_file_write(tokenizer, copy, bytes);
    if (!rc)
        rc = base_file_write(config_path, text, strlen(text));
    base_free(config_path);
    base_free(weights);
    base_free(tokenizer);
    base_free(text);
    base_free(copy);
    json_decref(config);
    json_decref(class);
    return rc;
}
