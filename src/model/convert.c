/* Converting: which tensors the destination has, where each of their rows comes from, and the files
 * around them.
 *
 * A destination tensor is a copy of a source tensor (same layout on both sides), or a part of a
 * canonical parameter whose rows are looked up one by one: destination row -> canonical row -> the
 * source's part and row. Both maps come from model_part_source_row. */
#include "model/convert.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/builtin.h"
#include "model/convert_private.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct found {
    struct model_part part;
    const struct model_tensor *tensor;
};
struct target {
    struct model_tensor_plan plan;   /* name is owned */
    const struct model_tensor *copy; /* same layout: its bytes, perhaps in another format */
    struct model_part part;          /* else */
    const float *given;              /* or values made here */
};
struct job {
    struct convert *c;
    struct found *sources;
    size_t n_sources;
    struct target *targets;
    size_t n_targets, target_room;
    struct model_config to; /* the config as the destination's layout has it (borrows) */
    float *rope_factors;
};

int convert_remark(struct convert *c, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return json_array_append_new(json_object_get(c->report, "remarks"), json_string(text))
               ? base_error_set(BASE_E_MEMORY, "out of memory")
               : 0;
}

/* ---- the source ---- */

static bool is_builtin(const char *path)
{
    return base_starts_with(path, "builtin:");
}

int convert_read_file(const struct convert *c, const char *name, char **text, size_t *bytes)
{
    const void *data;
    *text = NULL;
    *bytes = 0;
    if (is_builtin(c->src)) {
        if (model_builtin(c->src, name, &data, bytes))
            return 0;
        *text = base_strndup(data, *bytes);
        return *text ? 0 : BASE_E_MEMORY;
    }
    char *path = base_path_join(c->src, name);
    int rc = path ? 0 : BASE_E_MEMORY;
    if (!rc && base_file_exists(path))
        rc = base_file_read(path, 0, text, bytes);
    base_free(path);
    return rc;
}

static int open_source(struct convert *c)
{
    const void *data;
    size_t bytes;
    int rc;
    if (is_builtin(c->src)) {
        if (!(rc = model_builtin(c->src, "model.safetensors", &data, &bytes)))
            rc = model_archive_open_memory(&c->archive, data, bytes, c->src);
    } else {
        rc = model_archive_open(&c->archive, c->src);
    }
    if (rc)
        return rc;
    if (model_archive_format(c->archive) == MODEL_GGUF) {
        c->from = CONVERT_GGUF;
        c->has_config = !(rc = model_config_from_gguf(&c->config, c->archive, &c->config_json));
        return rc;
    }
    c->from = CONVERT_BARE;
    if (!base_file_is_directory(c->src) && !is_builtin(c->src))
        return 0;
    char *text = NULL;
    rc = convert_read_file(c, "config.json", &text, &bytes);
    if (!rc && !text)
        rc = base_error_set(BASE_E_ARGUMENT, "%s: no config.json in this directory: not a model",
                            c->src);
    if (!rc)
        rc = base_json_parse(&c->config_json, text, bytes, "config.json");
    if (!rc)
        c->has_config =
            !(rc = model_config_from_json(&c->config, c->config_json, "config.json", c->archive));
    if (rc && !base_starts_with(base_error_message(), c->src))
        base_error_prefix(rc, "%s", c->src);
    c->from = CONVERT_HF;
    base_free(text);
    return rc;
}

static bool is_head(const char *name)
{
    return !strcmp(name, "lm_head.weight") || !strcmp(name, "embed_out.weight");
}

/* The source's tensor for a part: HF names with the family's prefix, with its tail, or bare. */
static int find_tensor(const struct convert *c, const struct model_part *p,
                       const struct model_tensor **out)
{
    bool gguf = c->from == CONVERT_GGUF;
    char *bare = model_part_name(&c->config, p, gguf, false);
    const char *prefix = gguf || p->role == MODEL_HEAD ? "" : c->config.architecture->prefix;
    *out = NULL;
    if (!bare)
        return BASE_E_MEMORY;
    for (;;) {
        char *name = base_format("%s%s", prefix, bare);
        if (!name) {
            base_free(bare);
            return BASE_E_MEMORY;
        }
        *out = model_archive_find(c->archive, name);
        base_free(name);
        if (*out || !*prefix)
            break;
        prefix = strchr(prefix, '.') + 1;
    }
    base_free(bare);
    return 0;
}

/* Buffers (masks, rotary frequencies) follow from the config and stay behind, with a remark; a tied
 * model's file may repeat the head; any other tensor that no part asked for is an error. */
static int check_unused(struct job *j)
{
    struct convert *c = j->c;
    size_t buffers = 0;
    for (size_t i = 0; i < model_archive_count(c->archive); i++) {
        const struct model_tensor *t = model_archive_at(c->archive, i);
        bool known = c->from == CONVERT_GGUF
                         ? !strcmp(t->name, "rope_freqs.weight") ||
                               (c->config.tied && !strcmp(t->name, "output.weight"))
                         : c->config.tied && is_head(t->name);
        for (size_t k = 0; k < j->n_sources && !known; k++)
            known = j->sources[k].tensor == t;
        for (const char *const *s = c->config.architecture->ignored;
             *s && !known && c->from == CONVERT_HF; s++)
            if (base_ends_with(t->name, *s)) {
                known = true;
                buffers++;
            }
        if (!known)
            return base_error_set(
                BASE_E_FORMAT,
                "%s: unexpected tensor %s: a %s model of this config has no such parameter",
                t->file, t->name, c->config.architecture->name);
    }
    return buffers ? convert_remark(
                         c, "%zu buffers that are no weights (masks and the like) were left out",
                         buffers)
                   : 0;
}

static int find_sources(struct job *j)
{
    struct convert *c = j->c;
    struct model_part *parts = NULL;
    size_t n = 0;
    int rc = model_parts(&c->config, c->from == CONVERT_GGUF, &parts, &n);
    if (!rc && !(j->sources = base_alloc(n, sizeof *j->sources)))
        rc = BASE_E_MEMORY;
    for (size_t i = 0; i < n && !rc; i++) {
        const struct model_part *p = &parts[i];
        const struct model_tensor *t = NULL;
        if ((rc = find_tensor(c, p, &t)))
            break;
        int64_t rows = (int64_t)(p->transposed ? p->columns : p->rows);
        int64_t columns = (int64_t)(p->transposed ? p->rows : p->columns);
        bool shaped =
            t && (p->columns == 1 ? t->rank == 1 && t->shape[0] == rows
                                  : t->rank == 2 && t->shape[0] == rows && t->shape[1] == columns);
        if (!shaped || !tensor_dtype_describe(t->dtype)->readable) {
            char *name = model_part_name(&c->config, p, c->from == CONVERT_GGUF, true), want[64];
            snprintf(want, sizeof want, p->columns == 1 ? "[%lld]" : "[%lld, %lld]",
                     (long long)rows, (long long)columns);
            rc = t ? base_error_set(BASE_E_FORMAT,
                                    "%s: tensor %s: expected shape %s (from the config) in a "
                                    "weight format",
                                    t->file, t->name, want)
                   : base_error_set(BASE_E_FORMAT, "%s: tensor %s is missing (a %s model needs it)",
                                    c->src, name ? name : "?", c->config.architecture->name);
            base_free(name);
        } else {
            j->sources[j->n_sources++] = (struct found){ *p, t };
        }
    }
    base_free(parts);
    return rc ? rc : check_unused(j);
}

/* ---- rows ---- */

static const struct found *source_of(const struct job *j, const struct model_part *p, size_t row)
{
    for (size_t i = 0; i < j->n_sources; i++) {
        const struct model_part *s = &j->sources[i].part;
        if (s->role == p->role && s->layer == p->layer && s->bias == p->bias &&
            row >= s->row_begin && row < s->row_begin + s->rows)
            return &j->sources[i];
    }
    return NULL;
}

static bool is_norm(enum model_role role)
{
    return role == MODEL_NORM1 || role == MODEL_NORM2 || role == MODEL_POST1 ||
           role == MODEL_POST2 || role == MODEL_FINAL_NORM;
}

/* Added to a norm's weights on the way: GGUF stores 1 + w where HF stores w. */
static float norm_shift(const struct job *j, const struct model_part *p)
{
    if (!is_norm(p->role) || p->bias || !j->c->config.architecture->gguf_norm_offset ||
        j->c->from == j->c->to)
        return 0;
    return j->c->to == CONVERT_GGUF ? 1.0f : -1.0f;
}

/* Canonical row `row` of p's parameter, columns elements, in the source's format. */
static void source_row(const struct job *j, const struct found *f, size_t row, size_t columns,
                       void *out)
{
    const struct tensor_dtype_info *info = tensor_dtype_describe(f->tensor->dtype);
    size_t from = model_part_source_row(&j->c->config, &f->part, j->c->from == CONVERT_GGUF,
                                        row - f->part.row_begin);
    const char *data = f->tensor->data;
    if (!f->part.transposed) {
        size_t bytes = columns / info->block * info->block_bytes;
        memcpy(out, data + from * bytes, bytes);
        return;
    }
    for (size_t k = 0; k < columns; k++)
        memcpy((char *)out + k * info->block_bytes,
               data + (k * f->part.rows + from) * info->block_bytes, info->block_bytes);
}

/* Canonical row in the destination's format. line has room for columns floats, raw for the stored
 * row. */
static int convert_row(const struct job *j, const struct target *t, size_t row, size_t columns,
                       float *line, void *raw, void *out, size_t *bytes)
{
    const struct found *f = source_of(j, &t->part, row);
    float shift = norm_shift(j, &t->part);
    if (!f)
        return base_error_set(BASE_E_FORMAT, "%s: nothing to make %s of", j->c->src, t->plan.name);
    if (f->tensor->dtype == t->plan.dtype && shift == 0) {
        source_row(j, f, row, columns, out);
        return tensor_dtype_bytes(t->plan.dtype, columns, bytes);
    }
    source_row(j, f, row, columns, raw);
    tensor_to_f32(f->tensor->dtype, raw, columns, line);
    for (size_t k = 0; shift != 0 && k < columns; k++)
        line[k] += shift;
    if (tensor_from_f32(t->plan.dtype, line, columns, out))
        return base_error_set(
            BASE_E_NUMERIC, "%s: tensor %s: NaN, infinity or too large a value: cannot be %s",
            j->c->src, f->tensor->name, tensor_dtype_describe(t->plan.dtype)->name);
    return tensor_dtype_bytes(t->plan.dtype, columns, bytes);
}

/* A part, row after row in the order of the destination's file. */
static int write_part(const struct job *j, struct model_archive_writer *w, size_t i)
{
    const struct target *t = &j->targets[i];
    const struct model_part *p = &t->part;
    size_t columns = p->columns, width = tensor_dtype_describe(t->plan.dtype)->block_bytes,
           bytes = 0;
    bool whole = p->transposed || columns == 1; /* needs all rows at once */
    size_t *canonical = base_alloc(p->rows, sizeof *canonical);
    float *line = base_alloc(columns, sizeof *line);
    char *raw = base_alloc(columns, 8), *row = base_alloc(columns, 8);
    char *all = whole ? base_alloc(p->rows, columns * width) : NULL;
    int rc = canonical && line && raw && row && (all || !whole) ? 0 : BASE_E_MEMORY;
    for (size_t r = 0; r < p->rows && !rc; r++)
        canonical[model_part_source_row(&j->to, p, j->c->to == CONVERT_GGUF, r)] = r;
    for (size_t r = 0; r < p->rows && !rc; r++) {
        rc = convert_row(j, t, p->row_begin + canonical[r], columns, line, raw, row, &bytes);
        if (!rc && !whole)
            rc = model_archive_write(w, i, row, bytes);
        for (size_t k = 0; k < columns && whole && !rc; k++)
            memcpy(all + (k * p->rows + r) * width, row + k * width, width);
    }
    if (!rc && whole)
        rc = model_archive_write(w, i, all, p->rows * columns * width);
    base_free(canonical);
    base_free(line);
    base_free(raw);
    base_free(row);
    base_free(all);
    return rc;
}

/* A tensor of the same layout: as it is, or through float in blocks of whole rows. */
static int write_copy(const struct job *j, struct model_archive_writer *w, size_t i)
{
    const struct target *t = &j->targets[i];
    const struct tensor_dtype_info *from = tensor_dtype_describe(t->copy->dtype);
    if (t->copy->dtype == t->plan.dtype)
        return model_archive_write(w, i, t->copy->data, t->copy->bytes);
    enum { BLOCK = 8192 }; /* a multiple of every format's block */
    float *line = base_alloc(BLOCK, sizeof *line);
    char *out = base_alloc(BLOCK, 8);
    size_t n = t->copy->bytes / from->block_bytes * from->block, bytes = 0;
    int rc = line && out ? 0 : BASE_E_MEMORY;
    for (size_t at = 0; at < n && !rc; at += BLOCK) {
        size_t count = n - at < BLOCK ? n - at : BLOCK;
        tensor_to_f32(t->copy->dtype,
                      (const char *)t->copy->data + at / from->block * from->block_bytes, count,
                      line);
        if (tensor_from_f32(t->plan.dtype, line, count, out))
            rc = base_error_set(
                BASE_E_NUMERIC, "%s: tensor %s: NaN, infinity or too large a value: cannot be %s",
                t->copy->file, t->copy->name, tensor_dtype_describe(t->plan.dtype)->name);
        else if (!(rc = tensor_dtype_bytes(t->plan.dtype, count, &bytes)))
            rc = model_archive_write(w, i, out, bytes);
    }
    base_free(line);
    base_free(out);
    return rc;
}

/* ---- the destination's tensors ---- */

static struct target *add_target(struct job *j, char *name)
{
    if (j->n_targets == j->target_room && name) {
        size_t room = j->target_room ? 2 * j->target_room : 256;
        struct target *grown = base_realloc(j->targets, room, sizeof *grown);
        if (!grown) {
            base_free(name);
            return NULL;
        }
        j->targets = grown;
        j->target_room = room;
    }
    if (!name)
        return NULL;
    struct target *t = &j->targets[j->n_targets++];
    *t = (struct target){ .plan = { .name = name } };
    return t;
}

/* The format a tensor gets in a GGUF file. */
static enum tensor_dtype gguf_dtype(const struct job *j, const struct model_part *p,
                                    enum tensor_dtype stored)
{
    if (p->columns == 1 || p->role == MODEL_POSITIONS)
        return TENSOR_F32;
    enum tensor_dtype d = j->c->has_dtype ? j->c->dtype : stored;
    if (d == TENSOR_Q8_0 && p->columns % 32)
        return TENSOR_F16;
    return d == TENSOR_F32 || d == TENSOR_F16 || d == TENSOR_BF16 || d == TENSOR_Q8_0 ? d
                                                                                      : TENSOR_F32;
}

static bool plain(enum tensor_dtype d)
{
    return tensor_dtype_describe(d)->block == 1 && d != TENSOR_F8_E4M3 && d != TENSOR_F8_E5M2;
}

/* The format in an HF directory: asked for, recorded by the file, or the embedding's. */
static enum tensor_dtype hf_dtype(const struct job *j, const char *name)
{
    if (j->c->has_dtype)
        return j->c->dtype;
    const char *records = json_string_value(
        json_object_get(model_archive_metadata(j->c->archive), "assay.hf.tensors"));
    size_t n = strlen(name);
    for (const char *p = records; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
        enum tensor_dtype d;
        char dtype[16];
        if (!strncmp(p, name, n) && p[n] == ' ' && sscanf(p + n, " %15s", dtype) == 1 &&
            !tensor_dtype_parse(dtype, &d) && plain(d))
            return d;
    }
    for (size_t i = 0; i < j->n_sources; i++)
        if (j->sources[i].part.role == MODEL_EMBED)
            return plain(j->sources[i].tensor->dtype) ? j->sources[i].tensor->dtype : TENSOR_F32;
    return TENSOR_F32;
}

/* An HF name as the original file had it (with the prefix, its tail, or bare), when the GGUF
 * remembers. */
static char *hf_name(const struct job *j, const struct model_part *p)
{
    const char *records = json_string_value(
        json_object_get(model_archive_metadata(j->c->archive), "assay.hf.tensors"));
    char *bare = model_part_name(&j->to, p, false, false),
         *full = model_part_name(&j->to, p, false, true);
    const char *prefix = p->role == MODEL_HEAD ? "" : j->to.architecture->prefix;
    char *name = NULL;
    while (bare && records && *prefix && !name) {
        char *tried = base_format("\n%s%s ", prefix = strchr(prefix, '.') + 1, bare);
        if (tried && (strstr(records, tried) || !strncmp(records, tried + 1, strlen(tried) - 1)))
            name = base_format("%s%s", prefix, bare);
        base_free(tried);
    }
    base_free(bare);
    if (!name)
        return full;
    base_free(full);
    return name;
}

static bool recorded(const char *records, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = records; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
        if (!strncmp(p, name, n) && p[n] == ' ')
            return true;
    return false;
}

/* A tied model's directory that stored the head as well gets it again: the embedding's rows. One
 * that stored only the head (the embedding being an alias in its metadata) gets only that. */
static int plan_repeated_head(struct job *j)
{
    static const char *const heads[] = { "lm_head.weight", "embed_out.weight" };
    const char *records = json_string_value(
        json_object_get(model_archive_metadata(j->c->archive), "assay.hf.tensors"));
    for (size_t h = 0; h < 2 && records && j->to.tied; h++) {
        if (!recorded(records, heads[h]))
            continue;
        for (size_t i = 0; i < j->n_targets; i++) {
            if (j->targets[i].part.role != MODEL_EMBED)
                continue;
            char *name = base_strdup(heads[h]);
            if (!name)
                return BASE_E_MEMORY;
            if (!recorded(records, j->targets[i].plan.name)) {
                base_free((char *)j->targets[i].plan.name);
                j->targets[i].plan.name = name;
                return 0;
            }
            struct target *t = add_target(j, name);
            if (!t)
                return BASE_E_MEMORY;
            t->part = j->targets[i].part;
            t->plan.rank = 2;
            t->plan.dtype = hf_dtype(j, heads[h]);
            memcpy(t->plan.shape, j->targets[i].plan.shape, sizeof t->plan.shape);
            return 0;
        }
    }
    return 0;
}

static int plan_parts(struct job *j)
{
    struct convert *c = j->c;
    struct model_part *parts = NULL;
    size_t n = 0, smaller = 0;
    bool gguf = c->to == CONVERT_GGUF;
    int rc = model_parts(&j->to, gguf, &parts, &n);
    for (size_t i = 0; i < n && !rc; i++) {
        const struct model_part *p = &parts[i];
        const struct found *f = source_of(j, p, p->row_begin);
        struct target *t =
            add_target(j, gguf ? model_part_name(&j->to, p, true, true) : hf_name(j, p));
        if (!t || !f) {
            rc =
                t ? base_error_set(BASE_E_FORMAT, "%s: nothing to make %s of", c->src, t->plan.name)
                  : BASE_E_MEMORY;
            break;
        }
        t->part = *p;
        t->plan.dtype = gguf ? gguf_dtype(j, p, f->tensor->dtype) : hf_dtype(j, t->plan.name);
        t->plan.rank = p->columns == 1 ? 1 : 2;
        t->plan.shape[0] = (int64_t)(p->transposed ? p->columns : p->rows);
        t->plan.shape[1] = (int64_t)(p->transposed ? p->rows : p->columns);
        smaller += gguf && c->has_dtype && c->dtype == TENSOR_Q8_0 && t->plan.dtype == TENSOR_F16;
    }
    base_free(parts);
    if (!rc && !gguf)
        rc = plan_repeated_head(j);
    if (!rc && smaller)
        rc = convert_remark(
            c, "%zu matrices have rows that are no multiple of 32 and became f16 instead of q8_0",
            smaller);
    return rc;
}

/* Same layout on both sides: every tensor of the archive under its own name. Names that share a
 * storage become one tensor where the model is tied. */
static int plan_copies(struct job *j)
{
    struct convert *c = j->c;
    for (size_t i = 0; i < model_archive_count(c->archive); i++) {
        const struct model_tensor *s = model_archive_at(c->archive, i);
        const struct tensor_dtype_info *info = tensor_dtype_describe(s->dtype);
        struct target *t = add_target(j, base_strdup(s->name));
        if (!t)
            return BASE_E_MEMORY;
        t->copy = s;
        t->plan.rank = s->rank;
        memcpy(t->plan.shape, s->shape, sizeof s->shape);
        t->plan.dtype = s->dtype;
        if (!info->readable)
            continue; /* masks and counters */
        size_t row = s->rank ? (size_t)s->shape[s->rank - 1] : 1;
        if (c->to == CONVERT_GGUF) {
            if (c->has_dtype && s->rank >= 2 && s->bytes && strcmp(s->name, "position_embd.weight"))
                t->plan.dtype = c->dtype == TENSOR_Q8_0 && row % 32 ? TENSOR_F16 : c->dtype;
        } else if (c->has_dtype) {
            t->plan.dtype = c->dtype;
        } else if (!plain(s->dtype)) {
            t->plan.dtype = TENSOR_F32;
        }
    }
    return 0;
}

/* In a tied model from PyTorch, the head is the embedding's storage: leave it out, name it as an
 * alias. */
static int drop_tied(struct job *j, json_t *metadata)
{
    for (size_t i = 0; i < j->n_targets; i++)
        for (size_t k = 0; k < j->n_targets; k++) {
            const struct model_tensor *a = j->targets[i].copy, *b = j->targets[k].copy;
            bool head =
                b && (!strcmp(b->name, "lm_head.weight") || !strcmp(b->name, "embed_out.weight"));
            if (i == k || !a || !head || a->data != b->data || a->bytes != b->bytes || !a->bytes)
                continue;
            if (json_object_set_new(metadata, b->name, json_string(a->name)))
                return base_error_set(BASE_E_MEMORY, "out of memory");
            base_free((char *)j->targets[k].plan.name);
            memmove(&j->targets[k], &j->targets[k + 1],
                    (j->n_targets - k - 1) * sizeof *j->targets);
            j->n_targets--;
            return 0;
        }
    return 0;
}

/* ---- files around the weights ---- */

static const char *dtype_torch(enum tensor_dtype d)
{
    return d == TENSOR_F16    ? "float16"
           : d == TENSOR_BF16 ? "bfloat16"
           : d == TENSOR_F64  ? "float64"
                              : "float32";
}

/* config.json: as it was (bytes from the source or from assay.config), unless the format changed.
 */
static int write_config(struct convert *c)
{
    char *path = base_path_join(c->dst, "config.json"), *text = NULL;
    size_t bytes = 0;
    const char *kept =
        json_string_value(json_object_get(model_archive_metadata(c->archive), "assay.config"));
    json_t *config = json_deep_copy(c->config_json);
    const char *key = json_object_get(config, "dtype") ? "dtype" : "torch_dtype";
    int rc = path && config ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
    if (!rc && c->has_dtype)
        rc = json_object_set_new(config, key, json_string(dtype_torch(c->dtype)))
                 ? base_error_set(BASE_E_MEMORY, "out of memory")
                 : 0;
    if (!rc && c->from == CONVERT_GGUF && kept && !c->has_dtype) {
        rc = base_file_write(path, kept, strlen(kept));
    } else if (!rc && c->from == CONVERT_HF && json_equal(config, c->config_json)) {
        rc = convert_read_file(c, "config.json", &text, &bytes);
        if (!rc)
            rc = base_file_write(path, text, bytes);
    } else if (!rc) {
        text = base_json_dump(config, true);
        rc = text ? base_file_write(path, text, strlen(text)) : BASE_E_MEMORY;
    }
    base_free(path);
    base_free(text);
    json_decref(config);
    return rc;
}

static const char *const SIDE_FILES[] = { "tokenizer.json",
                                          "tokenizer_config.json",
                                          "special_tokens_map.json",
                                          "vocab.json",
                                          "merges.txt",
                                          "tokenizer.model",
                                          "added_tokens.json",
                                          "generation_config.json",
                                          "chat_template.jinja" };

/* Tokenizer and generation files: copied from a directory, or what the GGUF keeps of them. */
static int write_side_files(struct convert *c)
{
    int rc = 0;
    size_t written = 0;
    for (size_t i = 0; i < sizeof SIDE_FILES / sizeof *SIDE_FILES && !rc; i++) {
        char *to = base_path_join(c->dst, SIDE_FILES[i]), *text = NULL;
        size_t bytes = 0;
        char key[64];
        snprintf(key, sizeof key, "assay.file.%s", SIDE_FILES[i]);
        const json_t *kept = json_object_get(model_archive_metadata(c->archive),
                                             i ? key : "tokenizer.huggingface.json");
        if (!to)
            rc = BASE_E_MEMORY;
        else if (c->from == CONVERT_GGUF && json_is_string(kept))
            rc = base_file_write(to, json_string_value(kept), json_string_length(kept));
        else if (c->from == CONVERT_HF &&
                 !(rc = convert_read_file(c, SIDE_FILES[i], &text, &bytes)) && text)
            rc = base_file_write(to, text, bytes);
        bool vocabulary = !strcmp(SIDE_FILES[i], "tokenizer.json") ||
                          !strcmp(SIDE_FILES[i], "vocab.json") ||
                          !strcmp(SIDE_FILES[i], "tokenizer.model");
        written += !rc && vocabulary && base_file_exists(to);
        base_free(to);
        base_free(text);
    }
    bool made = false;
    if (!rc && c->from == CONVERT_GGUF &&
        !json_object_get(model_archive_metadata(c->archive), "tokenizer.huggingface.json"))
        rc = convert_write_tokenizer(c, &made);
    if (!rc && json_object_set_new(c->report, "tokenizer",
                                   json_string(made      ? "written"
                                               : written ? "copied"
                                                         : "none")))
        rc = base_error_set(BASE_E_MEMORY, "out of memory");
    return rc;
}

/* ---- all together ---- */

static enum tensor_dtype most_common(const struct job *j)
{
    size_t bytes[TENSOR_DTYPES] = { 0 };
    int best = TENSOR_F32;
    for (size_t i = 0; i < j->n_targets; i++)
        if (j->targets[i].plan.rank >= 2)
            bytes[j->targets[i].plan.dtype] +=
                (size_t)(j->targets[i].plan.shape[0] * j->targets[i].plan.shape[1]);
    for (int d = 0; d < TENSOR_DTYPES; d++)
        best = bytes[d] > bytes[best] ? d : best;
    return (enum tensor_dtype)best;
}

/* Norm weights whose 1 + w loses bits on the way back are kept as they were. */
static int keep_exact_norms(struct job *j, json_t *metadata)
{
    for (size_t i = 0; i < j->n_sources; i++) {
        const struct found *f = &j->sources[i];
        if (j->c->to != CONVERT_GGUF || norm_shift(j, &f->part) == 0)
            continue;
        float *v = base_alloc(f->part.rows, sizeof *v);
        json_t *list = json_array();
        bool exact = true;
        int rc = v && list ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
        if (!rc)
            tensor_to_f32(f->tensor->dtype, f->tensor->data, f->part.rows, v);
        for (size_t k = 0; k < f->part.rows && !rc; k++) {
            volatile float there = v[k] + 1.0f;
            exact = exact && there - 1.0f == v[k];
            if (json_array_append_new(list, base_json_number((double)v[k])))
                rc = base_error_set(BASE_E_MEMORY, "out of memory");
        }
        if (!rc && !exact) {
            char *gguf = model_part_name(&j->c->config, &f->part, true, false), *key = NULL;
            json_t *item =
                json_pack("{s:s, s:s, s:O}", "type", "array", "of", "f32", "value", list);
            if (!gguf || !item || !(key = base_format("assay.exact.%s", gguf)) ||
                json_object_set(metadata, key, item))
                rc = base_error_set(BASE_E_MEMORY, "out of memory");
            json_decref(item);
            base_free(gguf);
            base_free(key);
        }
        base_free(v);
        json_decref(list);
        if (rc)
            return rc;
    }
    return 0;
}

/* On the way back such a norm is taken from the key. Writes the tensor when there is one: *done. */
static int write_exact(const struct job *j, struct model_archive_writer *w, size_t i, bool *done)
{
    const struct target *t = &j->targets[i];
    *done = false;
    if (j->c->from != CONVERT_GGUF || norm_shift(j, &t->part) == 0)
        return 0;
    char *gguf = model_part_name(&j->to, &t->part, true, false);
    char *key = gguf ? base_format("assay.exact.%s", gguf) : NULL;
    const struct model_array *v = key ? model_archive_array(j->c->archive, key) : NULL;
    int rc = key ? 0 : BASE_E_MEMORY;
    if (v && model_array_count(v) == t->part.rows && model_array_type(v) == MODEL_GGUF_F32) {
        char out[8];
        size_t bytes = tensor_dtype_describe(t->plan.dtype)->block_bytes;
        for (size_t k = 0; k < t->part.rows && !rc; k++) {
            float f = (float)model_array_double(v, k);
            tensor_from_f32(t->plan.dtype, &f, 1, out);
            rc = model_archive_write(w, i, out, bytes);
        }
        *done = true;
    }
    base_free(gguf);
    base_free(key);
    return rc;
}

static int write_weights(struct job *j, const char *path)
{
    struct convert *c = j->c;
    struct model_archive_writer *w = NULL;
    struct model_tensor_plan *plan = base_alloc(j->n_targets, sizeof *plan);
    json_t *metadata = NULL;
    const char *kept =
        json_string_value(json_object_get(model_archive_metadata(c->archive), "assay.hf.metadata"));
    int rc = plan ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    if (c->to == CONVERT_GGUF) {
        static const int types[TENSOR_DTYPES] = {
            [TENSOR_F32] = 0,  [TENSOR_F16] = 1,   [TENSOR_BF16] = 32, [TENSOR_Q8_0] = 7,
            [TENSOR_Q4_0] = 2, [TENSOR_Q4_K] = 15, [TENSOR_Q5_K] = 17, [TENSOR_Q6_K] = 18
        };
        if (c->from == CONVERT_GGUF)
            metadata = c->has_dtype ? json_pack("{s:{s:s,s:i}}", "general.file_type", "type", "u32",
                                                "value", types[most_common(j)])
                                    : json_object();
        else
            rc = convert_gguf_metadata(c, most_common(j), &metadata);
        if (!rc && c->from == CONVERT_HF)
            rc = keep_exact_norms(j, metadata);
    } else if (model_archive_format(c->archive) == MODEL_SAFETENSORS) {
        metadata = json_deep_copy(model_archive_metadata(c->archive));
    } else if (kept) {
        rc = base_json_parse(&metadata, kept, strlen(kept), "assay.hf.metadata");
    } else {
        metadata = json_pack("{s:s}", "format", "pt");
    }
    if (!rc && !metadata)
        rc = base_error_set(BASE_E_MEMORY, "out of memory");
    if (!rc && c->to != CONVERT_GGUF && model_archive_format(c->archive) == MODEL_TORCH &&
        (!c->has_config || c->config.tied))
        rc = drop_tied(j, metadata);
    for (size_t i = 0; i < j->n_targets; i++)
        plan[i] = j->targets[i].plan;
    if (!rc)
        rc = c->to == CONVERT_GGUF
                 ? model_gguf_create(&w, path, plan, j->n_targets, metadata,
                                     c->from == CONVERT_GGUF ? c->archive : NULL)
                 : model_safetensors_create(&w, path, plan, j->n_targets,
                                            json_is_object(metadata) ? metadata : NULL);
    for (size_t i = 0; i < j->n_targets && !rc; i++) {
        const struct target *t = &j->targets[i];
        bool done = false;
        if (t->given)
            rc = model_archive_write(w, i, t->given, (size_t)t->plan.shape[0] * sizeof *t->given);
        else if (t->copy)
            rc = write_copy(j, w, i);
        else if (!(rc = write_exact(j, w, i, &done)) && !done)
            rc = write_part(j, w, i);
        /* what has been written need not stay in memory */
        const struct found *f =
            t->copy || t->given ? NULL : source_of(j, &t->part, t->part.row_begin);
        if (t->copy || f)
            model_archive_drop(c->archive, t->copy ? t->copy : f->tensor);
        if (!rc && base_interrupted())
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted: nothing was written");
    }
    if (!rc)
        rc = model_archive_commit(w);
out:
    model_archive_writer_close(w);
    base_free(plan);
    json_decref(metadata);
    return rc;
}

static int report_tensors(struct job *j)
{
    json_t *dtypes = json_object();
    size_t total = 0;
    if (json_object_set_new(j->c->report, "dtypes", dtypes))
        return base_error_set(BASE_E_MEMORY, "out of memory");
    for (size_t i = 0; i < j->n_targets; i++) {
        const struct model_tensor_plan *p = &j->targets[i].plan;
        const char *name = tensor_dtype_describe(p->dtype)->name;
        size_t n = 1, bytes = 0;
        for (int d = 0; d < p->rank; d++)
            n *= (size_t)p->shape[d];
        (void)tensor_dtype_bytes(p->dtype, n, &bytes);
        total += bytes;
        if (json_object_set_new(
                dtypes, name, json_integer(1 + json_integer_value(json_object_get(dtypes, name)))))
            return base_error_set(BASE_E_MEMORY, "out of memory");
    }
    return json_object_set_new(j->c->report, "tensors", json_integer((json_int_t)j->n_targets)) ||
                   json_object_set_new(j->c->report, "bytes", json_integer((json_int_t)total))
               ? base_error_set(BASE_E_MEMORY, "out of memory")
               : 0;
}

static int plan_all(struct job *j)
{
    struct convert *c = j->c;
    int rc;
    size_t n = 0;
    if (c->from == c->to || c->from == CONVERT_BARE || c->to == CONVERT_BARE)
        return plan_copies(j);
    j->to = c->config;
    if (c->to == CONVERT_GGUF) {
        if (!convert_gguf_name(&c->config))
            return base_error_set(BASE_E_UNSUPPORTED,
                                  "%s: GGUF (llama.cpp) has no form of %s models", c->src,
                                  c->config.architecture->name);
        j->to.qkv_layout = MODEL_QKV_CONCAT;
    } else {
        /* the layout of a fused tensor in HF files follows from the config as HF reads it */
        struct model_config hf = { 0 };
        if ((rc = model_config_from_json(&hf, c->config_json, c->src, c->archive)))
            return rc;
        j->to.qkv_layout = hf.qkv_layout;
        model_config_free(&hf);
    }
    if ((rc = find_sources(j)) || (rc = plan_parts(j)))
        return rc;
    if (c->to != CONVERT_GGUF)
        return 0;
    if ((rc = convert_rope_factors(&c->config, &j->rope_factors, &n)) || !n)
        return rc;
    struct target *t = add_target(j, base_strdup("rope_freqs.weight"));
    if (!t)
        return BASE_E_MEMORY;
    t->given = j->rope_factors;
    t->plan.dtype = TENSOR_F32;
    t->plan.rank = 1;
    t->plan.shape[0] = (int64_t)n;
    return 0;
}

static int same_file(const char *a, const char *b)
{
    char *x = realpath(a, NULL), *y = realpath(b, NULL);
    int same = x && y && !strcmp(x, y);
    free(x);
    free(y);
    return same;
}

int model_convert(const char *src, const char *dst, const char *dtype, json_t **report)
{
    static const char *const layouts[] = { "weights", "directory", "gguf" };
    struct convert c = { .src = src, .dst = dst };
    struct job j = { .c = &c };
    char *weights = NULL;
    int rc = 0;
    c.to = base_ends_with(dst, ".gguf")          ? CONVERT_GGUF
           : base_ends_with(dst, ".safetensors") ? CONVERT_BARE
                                                 : CONVERT_HF;
    if (base_ends_with(dst, ".bin") || base_ends_with(dst, ".pt") || base_ends_with(dst, ".pth"))
        return base_error_set(
            BASE_E_ARGUMENT,
            "%s: PyTorch files are read, not written: name a .gguf, a .safetensors "
            "or a directory",
            dst);
    if (same_file(src, dst))
        return base_error_set(BASE_E_ARGUMENT, "%s: source and destination are the same", dst);
    if (dtype) {
        c.has_dtype = true;
        if ((rc = tensor_dtype_parse(dtype, &c.dtype)))
            return rc;
        if (!(c.dtype == TENSOR_F32 || c.dtype == TENSOR_F16 || c.dtype == TENSOR_BF16 ||
              (c.dtype == TENSOR_Q8_0 && c.to == CONVERT_GGUF)))
            return base_error_set(BASE_E_ARGUMENT, "--dtype %s: choose f32, f16 or bf16%s", dtype,
                                  c.to == CONVERT_GGUF ? ", or q8_0" : " (q8_0 only in a .gguf)");
    }
    c.report = json_pack("{s:s, s:s, s:[]}", "source", src, "destination", dst, "remarks");
    if (!c.report)
        return base_error_set(BASE_E_MEMORY, "out of memory");
    if ((rc = open_source(&c)))
        goto out;
    if ((c.from == CONVERT_BARE && c.to != CONVERT_BARE)) {
        rc = base_error_set(
            BASE_E_ARGUMENT,
            "%s: weights alone are not a model: give the directory that holds config.json, or a "
            "destination that ends in .safetensors",
            src);
        goto out;
    }
    if (c.to == CONVERT_BARE && c.from == CONVERT_GGUF) {
        rc = base_error_set(BASE_E_ARGUMENT, "%s: from GGUF, give a directory as destination", dst);
        goto out;
    }
    if (json_object_set_new(c.report, "from", json_string(layouts[c.from])) ||
        json_object_set_new(c.report, "to", json_string(layouts[c.to])) ||
        (c.has_config &&
         json_object_set_new(c.report, "architecture", json_string(c.config.architecture->name)))) {
        rc = base_error_set(BASE_E_MEMORY, "out of memory");
        goto out;
    }
    if ((rc = plan_all(&j)))
        goto out;
    if (c.to == CONVERT_HF) {
        if ((rc = base_file_make_directories(dst)))
            goto out;
        weights = base_path_join(dst, "model.safetensors");
    } else {
        weights = base_strdup(dst);
    }
    rc = weights ? write_weights(&j, weights) : BASE_E_MEMORY;
    if (!rc && c.to == CONVERT_HF && !(rc = write_config(&c)))
        rc = write_side_files(&c);
    if (!rc && c.from != c.to)
        rc = convert_check_tokenizer(&c);
    if (!rc && c.from == CONVERT_GGUF && c.to == CONVERT_GGUF &&
        model_archive_array(c.archive, "tokenizer.ggml.tokens") &&
        json_object_set_new(c.report, "tokenizer", json_string("copied")))
        rc = base_error_set(BASE_E_MEMORY, "out of memory");
    if (!rc)
        rc = report_tensors(&j);
out:
    for (size_t i = 0; i < j.n_targets; i++)
        base_free((char *)j.targets[i].plan.name);
    base_free(j.targets);
    base_free(j.sources);
    base_free(j.rope_factors);
    base_free(weights);
    if (c.has_config)
        model_config_free(&c.config);
    json_decref(c.config_json);
    model_archive_close(c.archive);
    if (!rc && report)
        *report = json_incref(c.report);
    json_decref(c.report);
    return rc;
}
