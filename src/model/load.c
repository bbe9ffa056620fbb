/* Loading: from the files' tensors to canonical parameters, every shape checked before anything is
 * copied. For running, matrices are packed into panels in their stored format and the file's pages
 * are let go one tensor at a time; trainable models hold plain reals. */
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/builtin.h"
#include "model/internal.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static size_t slot_index(enum model_role role, size_t layer, bool bias)
{
    return (layer * MODEL_ROLES + role) * 2 + bias;
}

struct model_slot *model_slot(const struct model *m, enum model_role role, size_t layer, bool bias)
{
    struct model_slot *s = &m->slots[slot_index(role, layer, bias)];
    return s->rows ? s : NULL;
}

static int slots_shape(struct model *m)
{
    const struct model_config *c = &m->config;
    m->slots = base_alloc_zero((c->layers + 1) * MODEL_ROLES * 2, sizeof *m->slots);
    if (!m->slots)
        return BASE_E_MEMORY;
    for (size_t l = 0; l < c->layers; l++)
        for (int role = 0; role < MODEL_ROLES; role++)
            for (int bias = 0; bias < 2; bias++) {
                if (l && !model_role_in_layer(role))
                    continue;
                struct model_slot *s = &m->slots[slot_index(role, l, bias)];
                if (!model_role_shape(c, role, bias, &s->rows, &s->columns))
                    continue;
                m->parameters += s->rows * s->columns;
            }
    return 0;
}

/* ---- finding the tensors ---- */

struct found {
    struct model_part part;
    const struct model_tensor *tensor;
};

/* The file's tensor for a part: with the family's prefix, with its tail ("decoder." of
 * "model.decoder."), or bare. */
static int find_part(const struct model *m, const struct model_part *p,
                     const struct model_tensor **out)
{
    *out = NULL;
    char *bare = model_part_name(&m->config, p, m->gguf, false);
    if (!bare)
        return BASE_E_MEMORY;
    const char *prefix = m->gguf || p->role == MODEL_HEAD ? "" : m->config.architecture->prefix;
    for (;;) {
        char *name = base_format("%s%s", prefix, bare);
        if (!name) {
            base_free(bare);
            return BASE_E_MEMORY;
        }
        *out = model_archive_find(m->archive, name);
        base_free(name);
        if (*out || !*prefix)
            break;
        const char *dot = strchr(prefix, '.');
        prefix = dot + 1;
    }
    base_free(bare);
    return 0;
}

static int wrong_shape(const struct model_tensor *t, int64_t rows, int64_t columns)
{
    char got[160] = "", want[64];
    size_t n = 0;
    for (int i = 0; i < t->rank; i++)
        n += (size_t)snprintf(got + n, sizeof got - n, "%s%lld", i ? ", " : "",
                              (long long)t->shape[i]);
    if (columns > 1)
        snprintf(want, sizeof want, "[%lld, %lld]", (long long)rows, (long long)columns);
    else
        snprintf(want, sizeof want, "[%lld]", (long long)rows);
    return base_error_set(BASE_E_FORMAT, "%s: %s: expected shape %s (from the config), got [%s]",
                          t->file, t->name, want, got);
}

static int check_shape(const struct found *f)
{
    const struct model_tensor *t = f->tensor;
    const struct model_part *p = &f->part;
    int64_t rows = (int64_t)p->rows, columns = (int64_t)p->columns;
    if (p->columns == 1) {
        if (t->rank != 1 || t->shape[0] != rows)
            return wrong_shape(t, rows, 1);
    } else if (p->transposed ? t->rank != 2 || t->shape[0] != columns || t->shape[1] != rows
                             : t->rank != 2 || t->shape[0] != rows || t->shape[1] != columns) {
        return wrong_shape(t, p->transposed ? columns : rows, p->transposed ? rows : columns);
    }
    if (!tensor_dtype_describe(t->dtype)->readable)
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s: %s: type %s is not a weight format Assay multiplies", t->file,
                              t->name, tensor_dtype_describe(t->dtype)->name);
    return 0;
}

/* Tensors a model's file may hold beyond its parameters. */
static bool is_ignored(const struct model *m, const struct model_tensor *t)
{
    if (m->gguf)
        return !strcmp(t->name, "rope_freqs.weight");
    for (const char *const *s = m->config.architecture->ignored; *s; s++)
        if (base_ends_with(t->name, *s))
            return true;
    return false;
}

/* Every part's tensor, shapes checked; tensors nobody asked for are an error. */
static int find_all(struct model *m, struct found **out, size_t *count)
{
    struct model_part *parts = NULL;
    struct found *list = NULL;
    bool *used = NULL;
    size_t n = 0, tensors = model_archive_count(m->archive);
    int rc = model_parts(&m->config, m->gguf, &parts, &n);
    if (rc)
        return rc;
    list = base_alloc_zero(n, sizeof *list);
    used = base_alloc_zero(tensors, sizeof *used);
    if (!list || !used)
        rc = BASE_E_MEMORY;
    for (size_t i = 0; !rc && i < n; i++) {
        list[i].part = parts[i];
        rc = find_part(m, &parts[i], &list[i].tensor);
        if (!rc && !list[i].tensor) {
            char *name = model_part_name(&m->config, &parts[i], m->gguf, true);
            rc = base_error_set(BASE_E_FORMAT, "%s: tensor %s is missing (a %s model needs it)",
                                model_archive_path(m->archive), name ? name : "?",
                                m->config.architecture->name);
            base_free(name);
        }
        if (!rc)
            rc = check_shape(&list[i]);
        if (!rc)
            for (size_t j = 0; j < tensors; j++)
                if (model_archive_at(m->archive, j) == list[i].tensor)
                    used[j] = true;
    }
    /* a tied model's file may repeat the head */
    for (size_t j = 0; !rc && j < tensors; j++) {
        const struct model_tensor *t = model_archive_at(m->archive, j);
        bool head = m->config.tied &&
                    (!strcmp(t->name, "lm_head.weight") || !strcmp(t->name, "embed_out.weight") ||
                     !strcmp(t->name, "output.weight"));
        if (!used[j] && !head && !is_ignored(m, t))
            rc = base_error_set(
                BASE_E_FORMAT,
                "%s: unexpected tensor %s: a %s model of this config has no such parameter",
                t->file, t->name, m->config.architecture->name);
    }
    base_free(parts);
    base_free(used);
    if (rc) {
        base_free(list);
        return rc;
    }
    *out = list;
    *count = n;
    return 0;
}

int model_check_tensors(const struct model_config *config, struct model_archive *archive, bool gguf)
{
    struct model m = { .config = *config, .archive = archive, .gguf = gguf };
    struct found *list = NULL;
    size_t count;
    int rc = find_all(&m, &list, &count);
    base_free(list);
    return rc;
}

/* ---- filling the slots ---- */

/* Part rows [begin, ...) of a slot as reals. */
static int read_plain(const struct model *m, const struct found *f, real *value)
{
    const struct model_part *p = &f->part;
    const struct model_tensor *t = f->tensor;
    const struct tensor_dtype_info *info = tensor_dtype_describe(t->dtype);
    size_t columns = p->columns == 1 || p->transposed ? p->rows : p->columns;
    size_t rows = p->columns == 1 ? 1 : p->transposed ? p->columns : p->rows;
    float *line = base_alloc(columns, sizeof *line);
    if (!line)
        return BASE_E_MEMORY;
    if (columns % info->block) {
        base_free(line);
        return base_error_set(BASE_E_FORMAT, "%s: %s: rows of %zu are no multiple of a %s block",
                              t->file, t->name, columns, info->name);
    }
    size_t stride = columns / info->block * info->block_bytes;
    for (size_t i = 0; i < rows; i++) {
        size_t source =
            p->columns == 1 || p->transposed ? i : model_part_source_row(&m->config, p, m->gguf, i);
        tensor_to_f32(t->dtype, (const char *)t->data + source * stride, columns, line);
        for (size_t j = 0; j < columns; j++) {
            if (p->columns == 1)
                value[p->row_begin + j] =
                    (real)line[model_part_source_row(&m->config, p, m->gguf, j)];
            else if (p->transposed)
                value[(p->row_begin + j) * p->columns + i] =
                    (real)line[model_part_source_row(&m->config, p, m->gguf, j)];
            else
                value[(p->row_begin + i) * p->columns + j] = (real)line[j];
        }
    }
    base_free(line);
    return 0;
}

/* A matrix whose parts are all stored alike is packed as it is stored. */
static int pack_slot(struct model *m, struct model_slot *s, const struct found *parts, size_t n)
{
    enum tensor_compute compute =
        m->options.compute == MODEL_COMPUTE_BF16 ? TENSOR_COMPUTE_BF16 : TENSOR_COMPUTE_REAL;
    bool alike = true;
    for (size_t i = 1; i < n; i++)
        alike &= parts[i].tensor->dtype == parts[0].tensor->dtype &&
                 parts[i].part.transposed == parts[0].part.transposed;
    const void **row = base_alloc(s->rows, sizeof *row);
    float *wide = NULL;
    if (!row)
        return BASE_E_MEMORY;
    struct tensor_rows source = { .row = row,
                                  .step = parts[0].part.transposed ? parts[0].part.rows : 1,
                                  .dtype = parts[0].tensor->dtype };
    alike &= source.dtype != TENSOR_F64;
    int rc = 0;
    if (alike) {
        const struct tensor_dtype_info *info = tensor_dtype_describe(source.dtype);
        if (s->columns % info->block || (info->block > 1 && source.step != 1))
            rc = base_error_set(BASE_E_FORMAT, "%s: %s: rows of %zu are no multiple of a %s block",
                                parts[0].tensor->file, parts[0].tensor->name, s->columns,
                                info->name);
        for (size_t i = 0; !rc && i < n; i++)
            for (size_t r = 0; r < parts[i].part.rows; r++) {
                size_t from = model_part_source_row(&m->config, &parts[i].part, m->gguf, r);
                size_t offset = parts[i].part.transposed
                                    ? from * info->block_bytes
                                    : from * (s->columns / info->block * info->block_bytes);
                row[parts[i].part.row_begin + r] = (const char *)parts[i].tensor->data + offset;
            }
        if (!rc && !(m->options.in_place &&
                     tensor_matrix_view(&s->packed, s->rows, s->columns, source, compute)))
            rc = tensor_matrix_pack(&s->packed, s->rows, s->columns, source, compute);
    } else { /* mixed formats: widened first */
        real *value = base_alloc(s->rows * s->columns, sizeof *value);
        wide = base_alloc(s->rows * s->columns, sizeof *wide);
        if (!value || !wide)
            rc = BASE_E_MEMORY;
        for (size_t i = 0; !rc && i < n; i++)
            rc = read_plain(m, &parts[i], value);
        for (size_t i = 0; !rc && i < s->rows * s->columns; i++)
            wide[i] = (float)value[i];
        for (size_t r = 0; !rc && r < s->rows; r++)
            row[r] = wide + r * s->columns;
        source = (struct tensor_rows){ .row = row, .step = 1, .dtype = TENSOR_F32 };
        if (!rc)
            rc = tensor_matrix_pack(&s->packed, s->rows, s->columns, source, compute);
        base_free(value);
    }
    base_free(row);
    base_free(wide);
    if (rc)
        return rc;
    if (s->packed.panels)
        for (size_t i = 0; i < n; i++)
            model_archive_drop(m->archive, parts[i].tensor);
    return 0;
}

static int fill(struct model *m, const struct found *list, size_t count)
{
    for (size_t i = 0; i < count;) {
        const struct model_part *p = &list[i].part;
        size_t n = 1;
        while (i + n < count && list[i + n].part.role == p->role &&
               list[i + n].part.layer == p->layer && list[i + n].part.bias == p->bias)
            n++;
        struct model_slot *s = model_slot(m, p->role, p->layer, p->bias);
        bool table = p->role == MODEL_EMBED || p->role == MODEL_POSITIONS;
        int rc = 0;
        for (size_t j = 0; j < n; j++)
            m->stored_bytes += list[i + j].tensor->bytes;
        if (m->options.trainable || s->columns == 1) {
            s->value = base_alloc_large(s->rows * s->columns * sizeof(real));
            if (!s->value)
                return BASE_E_MEMORY;
            for (size_t j = 0; !rc && j < n; j++)
                rc = read_plain(m, &list[i + j], s->value);
        } else if (!table || (p->role == MODEL_EMBED && m->config.tied)) {
            rc = pack_slot(m, s, list + i, n);
        }
        if (rc)
            return rc;
        if (p->role == MODEL_EMBED && !m->options.trainable)
            m->embed_tensor = list[i].tensor;
        if (p->role == MODEL_POSITIONS && !m->options.trainable)
            m->position_tensor = list[i].tensor;
        i += n;
    }
    return 0;
}

/* ---- opening ---- */

/* What does not depend on the weights. */
int model_prepare(struct model *m)
{
    const struct model_config *c = &m->config;
    struct tensor_attention a = { .heads = c->heads,
                                  .kv_heads = c->kv_heads,
                                  .head_dim = c->head_dim };
    m->page_reals = tensor_attention_page(&a);
    int rc = slots_shape(m);
    if (!rc && c->position == MODEL_POSITION_ROPE) {
        struct tensor_rope_options o = c->rope;
        o.divisors = c->rope_divisors;
        rc = tensor_rope_new(&m->rope, &o);
    }
    if (!rc && c->position == MODEL_POSITION_ALIBI) {
        m->slopes = base_alloc(c->heads, sizeof *m->slopes);
        if (!m->slopes)
            return BASE_E_MEMORY;
        /* Press et al. 2022: 2^(-8 i / n) for n a power of two; else the first n of the nearest
         * powers, interleaved */
        size_t n = 1;
        while (2 * n <= c->heads)
            n *= 2;
        for (size_t h = 0; h < c->heads; h++)
            m->slopes[h] =
                (real)(h < n ? pow(2, -8.0 * (double)(h + 1) / (double)n)
                             : pow(2, -8.0 * (double)(2 * (h - n) + 1) / (double)(2 * n)));
        for (size_t h = 0; c->alibi_scaled && h < c->heads; h++)
            m->slopes[h] *= (real)c->attention_scale;
    }
    return rc;
}

static int open_builtin(struct model *m)
{
    const void *weights, *config;
    size_t weight_bytes, config_bytes;
    int rc = model_builtin(m->path, "model.safetensors", &weights, &weight_bytes);
    if (!rc)
        rc = model_builtin(m->path, "config.json", &config, &config_bytes);
    if (!rc)
        rc = base_json_parse(&m->config_json, config, config_bytes, "config.json");
    if (!rc)
        rc = model_archive_open_memory(&m->archive, weights, weight_bytes, m->path);
    return rc ? rc : model_config_from_json(&m->config, m->config_json, "config.json", m->archive);
}

static int open_directory(struct model *m)
{
    char *path = base_path_join(m->path, "config.json");
    if (!path)
        return BASE_E_MEMORY;
    int rc = 0;
    if (!base_file_exists(path))
        rc = base_error_set(
            BASE_E_IO, "%s: no config.json in this directory: not a model in Hugging Face layout",
            m->path);
    if (!rc)
        rc = base_json_load(&m->config_json, path);
    if (!rc)
        rc = model_archive_open(&m->archive, m->path);
    if (!rc)
        rc = model_config_from_json(&m->config, m->config_json, path, m->archive);
    base_free(path);
    return rc;
}

static int open_file(struct model *m)
{
    int rc = model_archive_open(&m->archive, m->path);
    if (rc)
        return rc;
    if (model_archive_format(m->archive) != MODEL_GGUF)
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: weights alone are not a model: give the directory that holds "
                              "config.json beside them",
                              m->path);
    m->gguf = true;
    return model_config_from_gguf(&m->config, m->archive, &m->config_json);
}

int model_load(struct model **out, const char *path, const struct model_options *options)
{
    *out = NULL;
    struct model *m = base_alloc_zero(1, sizeof *m);
    if (!m)
        return BASE_E_MEMORY;
    pthread_mutex_init(&m->lock, NULL);
    if (options)
        m->options = *options;
    struct found *list = NULL;
    size_t count = 0;
    int rc = (m->path = base_strdup(path)) ? 0 : BASE_E_MEMORY;
    if (!rc)
        rc = !strncmp(path, "builtin:", 8)  ? open_builtin(m)
             : base_file_is_directory(path) ? open_directory(m)
                                            : open_file(m);
    if (!rc)
        rc = model_prepare(m);
    if (!rc)
        rc = find_all(m, &list, &count);
    if (!rc)
        rc = fill(m, list, count);
    if (!rc && m->options.trainable)
        rc = model_list_parameters(m);
    base_free(list);
    if (rc) {
        model_free(m);
        return rc;
    }
    *out = m;
    return 0;
}

void model_free(struct model *m)
{
    if (!m)
        return;
    for (size_t i = 0; m->slots && i < (m->config.layers + 1) * MODEL_ROLES * 2; i++) {
        struct model_slot *s = &m->slots[i];
        tensor_matrix_free(&s->packed);
        base_free_large(s->value, s->rows * s->columns * sizeof(real));
        base_free_large(s->gradient, s->rows * s->columns * sizeof(real));
    }
    for (size_t i = 0; i < m->list_count; i++)
        base_free((char *)m->list[i].name);
    base_free(m->list);
    tensor_workspace_free(&m->train_ws);
    model_tied_free(m);
    tensor_workspace_free(&m->train_arena);
    model_pages_free(m);
    model_scratch_free(m->free_scratch);
    base_free(m->slots);
    tensor_rope_free(m->rope);
    base_free(m->slopes);
    model_config_free(&m->config);
    json_decref(m->config_json);
    model_archive_close(m->archive);
    tokenizer_free(m->tokenizer);
    base_free(m->path);
    pthread_mutex_destroy(&m->lock);
    base_free(m);
}

/* ---- facts ---- */

int model_tokenizer(struct model *m, const struct tokenizer **out)
{
    pthread_mutex_lock(&m->lock);
    int rc = m->tokenizer ? 0 : tokenizer_load(&m->tokenizer, m->path);
    pthread_mutex_unlock(&m->lock);
    *out = m->tokenizer;
    return rc;
}

size_t model_vocabulary(const struct model *m)
{
    return m->config.vocabulary;
}
size_t model_context(const struct model *m)
{
    return m->config.context;
}
size_t model_layers(const struct model *m)
{
    return m->config.layers;
}
size_t model_width(const struct model *m)
{
    return m->config.width;
}
size_t model_parameters(const struct model *m)
{
    return m->parameters;
}
size_t model_stored_bytes(const struct model *m)
{
    return m->stored_bytes;
}
const char *model_architecture(const struct model *m)
{
    return m->config.architecture->name;
}
const char *model_path(const struct model *m)
{
    return m->path;
}
const struct model_config *model_get_config(const struct model *m)
{
    return &m->config;
}
const struct model_archive *model_get_archive(const struct model *m)
{
    return m->archive;
}

enum model_compute model_compute_type(const struct model *m)
{
    return m->options.compute;
}

const char *model_hash(struct model *m)
{
    pthread_mutex_lock(&m->lock);
    if (!m->hash[0] && m->archive && model_archive_hash(m->archive, m->hash))
        m->hash[0] = 0;
    pthread_mutex_unlock(&m->lock);
    return m->hash;
}
