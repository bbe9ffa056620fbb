/* What a model is, from its files alone: weights (archive), config, tokenizer. Nothing is loaded
 * into the engine, so it answers for models larger than memory in milliseconds. */
#include "model/describe.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/architecture.h"
#include "model/builtin.h"
#include "model/internal.h"
#include <assay/real.h>
#include <assay/tokenizer.h>
#include <string.h>
#include <sys/stat.h>

static int no_memory(void)
{
    return base_error_set(BASE_E_MEMORY, "out of memory while describing a model");
}

/* Takes the value's reference; NULL value or failure is an error. */
static int set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) ? no_memory() : 0;
}

static int set_integer(json_t *object, const char *key, size_t value)
{
    return set(object, key, json_integer((json_int_t)value));
}

static int set_text(json_t *object, const char *key, const char *text)
{
    return set(object, key, base_json_text(text, strlen(text)));
}

static bool is_builtin(const char *path)
{
    return !strncmp(path, "builtin:", 8);
}

static int describe_files(json_t *out, const struct model_archive *a, bool hash)
{
    json_t *files = json_array();
    int rc = set(out, "files", files);
    for (size_t i = 0; i < model_archive_files(a) && !rc; i++) {
        const char *path = model_archive_file(a, i);
        char hex[BASE_SHA256_HEX];
        struct stat info;
        json_t *file = json_object();
        if (json_array_append_new(files, file))
            return no_memory();
        rc = set_text(file, "path", path);
        const void *data;
        size_t bytes;
        if (!rc && is_builtin(path) && !model_builtin(path, "model.safetensors", &data, &bytes))
            rc = set_integer(file, "bytes", bytes);
        else if (!rc && !stat(path, &info))
            rc = set_integer(file, "bytes", (size_t)info.st_size);
        if (!rc && hash && base_file_exists(path) && !(rc = base_sha256_file(path, hex)))
            rc = set_text(file, "sha256", hex);
    }
    return rc;
}

static size_t elements(const struct model_tensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= (size_t)t->shape[i];
    return n;
}

static int add_to(json_t *object, const char *key, size_t more)
{
    return set_integer(object, key,
                       (size_t)json_integer_value(json_object_get(object, key)) + more);
}

/* Counts by dtype and, with table, each tensor. */
static int describe_tensors(json_t *out, const struct model_archive *a, bool with_table)
{
    json_t *dtypes = json_object(), *table = with_table ? json_array() : NULL;
    size_t all = 0, bytes = 0;
    int rc = set(out, "dtypes", dtypes);
    for (size_t i = 0; i < model_archive_count(a) && !rc; i++) {
        const struct model_tensor *t = model_archive_at(a, i);
        const char *name = tensor_dtype_describe(t->dtype)->name;
        json_t *kind = json_object_get(dtypes, name);
        if (!kind && !(rc = set(dtypes, name, json_object())))
            kind = json_object_get(dtypes, name);
        if (rc || (rc = add_to(kind, "tensors", 1)) ||
            (rc = add_to(kind, "elements", elements(t))) || (rc = add_to(kind, "bytes", t->bytes)))
            break;
        all += elements(t);
        bytes += t->bytes;
        if (!table)
            continue;
        json_t *row = json_object(), *shape = NULL;
        if (json_array_append_new(table, row) || set_text(row, "name", t->name) ||
            set_text(row, "dtype", name) || set(row, "shape", shape = json_array())) {
            rc = no_memory();
            break;
        }
        for (int d = 0; d < t->rank; d++)
            if (json_array_append_new(shape, json_integer(t->shape[d])))
                rc = no_memory();
        if (rc || (rc = set_integer(row, "bytes", t->bytes)) ||
            (rc = set_text(row, "file", base_path_name(t->file))))
            break;
    }
    if (rc || (rc = set_integer(out, "tensors", model_archive_count(a))) ||
        (rc = set_integer(out, "elements", all)) ||
        (rc = set_integer(out, "stored_bytes", bytes))) {
        json_decref(table);
        return rc;
    }
    return table ? set(out, "table", table) : 0;
}

/* Scalars of GGUF and the strings of safetensors; arrays by their type and length. */
static int describe_metadata(json_t *out, const struct model_archive *a)
{
    json_t *metadata = json_deep_copy(model_archive_metadata(a));
    int rc = set(out, "metadata", metadata);
    const struct model_array *array;
    const char *key;
    for (size_t i = 0; !rc && (key = model_archive_key(a, i, &array)); i++) {
        static const char *const types[MODEL_GGUF_TYPES] = { "u8",     "i8",    "u16", "i16",
                                                             "u32",    "i32",   "f32", "bool",
                                                             "string", "array", "u64", "i64",
                                                             "f64" };
        if (array)
            rc = set(
                metadata, key,
                json_sprintf("[%zu %s]", model_array_count(array), types[model_array_type(array)]));
    }
    return rc;
}

/* Parameters that the config's shapes add up to; a tied head is the embedding and counts once. */
static size_t count_parameters(const struct model_config *c)
{
    size_t sum = 0, rows, columns;
    for (int role = 0; role < MODEL_ROLES; role++)
        for (int bias = 0; bias < 2; bias++)
            if (model_role_shape(c, (enum model_role)role, bias, &rows, &columns))
                sum +=
                    rows * columns * (role >= MODEL_NORM1 && role <= MODEL_POST2 ? c->layers : 1);
    return sum;
}

static int describe_config(json_t *out, const struct model_config *c)
{
    json_t *config = json_object(), *memory = json_object();
    int rc;
    if ((rc = set(out, "config", config)) || (rc = set(out, "memory", memory)))
        return rc;
    size_t parameters = count_parameters(c);
    size_t kv = 2 * c->layers * c->kv_heads * c->head_dim * sizeof(real);
    if ((rc = set_text(out, "architecture", c->architecture->name)) ||
        (rc = set_integer(out, "parameters", parameters)) ||
        (rc = set_integer(config, "layers", c->layers)) ||
        (rc = set_integer(config, "width", c->width)) ||
        (rc = set_integer(config, "heads", c->heads)) ||
        (rc = set_integer(config, "kv_heads", c->kv_heads)) ||
        (rc = set_integer(config, "head_dim", c->head_dim)) ||
        (rc = set_integer(config, "ff", c->ff)) ||
        (rc = set_integer(config, "vocabulary", c->vocabulary)) ||
        (rc = set(config, "context",
                  c->context == SIZE_MAX ? json_null() : json_integer((json_int_t)c->context))) ||
        (rc = set_text(config, "norm", c->norm == MODEL_NORM_RMS ? "rms" : "layer")) ||
        (rc = set(config, "norm_epsilon", base_json_number(c->norm_epsilon))))
        return rc;
    static const char *const positions[] = { "none", "learned", "rope", "alibi" };
    if ((rc = set_text(config, "position", positions[c->position])) ||
        (rc = set_text(config, "activation", tensor_activation_name(c->activation))) ||
        (rc = set(config, "gated", json_boolean(c->gated))) ||
        (rc = set(config, "tied", json_boolean(c->tied))) ||
        (rc = set(config, "parallel", json_boolean(c->parallel))) ||
        (rc = set_integer(config, "window", c->window)))
        return rc;
    if (c->position == MODEL_POSITION_ROPE &&
        ((rc = set(config, "rope_theta", base_json_number(c->rope.base))) ||
         (rc = set_integer(config, "rope_dims", c->rope.rotary))))
        return rc;
    if ((rc = set_integer(memory, "stored_bytes",
                          (size_t)json_integer_value(json_object_get(out, "stored_bytes")))) ||
        (rc = set_integer(memory, "f32_bytes", parameters * 4)) ||
        (rc = set_integer(memory, "kv_bytes_per_1k_tokens", kv * 1000)))
        return rc;
    return c->context == SIZE_MAX
               ? 0
               : set_integer(memory, "kv_bytes_at_full_context", kv * c->context);
}

static int set_id(json_t *object, const char *key, int32_t id)
{
    return set(object, key, id < 0 ? json_null() : json_integer(id));
}

static int describe_tokenizer(json_t *out, const char *path)
{
    struct tokenizer *t = NULL;
    int rc = tokenizer_load(&t, path);
    if (rc == BASE_E_MEMORY)
        return rc;
    if (rc) /* the weights are what is judged here: say it and go on */
        return (rc = set(out, "tokenizer", json_null()))
                   ? rc
                   : set_text(out, "tokenizer_error", base_error_message());
    json_t *v = json_object();
    if (!(rc = set(out, "tokenizer", v)) && !(rc = set_text(v, "kind", tokenizer_kind(t))) &&
        !(rc = set_integer(v, "vocabulary", tokenizer_vocabulary(t))) &&
        !(rc = set_id(v, "bos", tokenizer_bos(t))) && !(rc = set_id(v, "eos", tokenizer_eos(t))) &&
        !(rc = set_id(v, "pad", tokenizer_pad(t))) && !(rc = set_id(v, "unk", tokenizer_unk(t))) &&
        !(rc = set_text(v, "hash", tokenizer_hash(t))))
        rc = set(v, "chat_template", json_boolean(tokenizer_chat_template(t) != NULL));
    tokenizer_free(t);
    return rc;
}

/* Whether a directory has any file a tokenizer can be read from. */
static int has_tokenizer(const char *directory, bool *has)
{
    static const char *const names[] = { "tokenizer.json", "tokenizer.model", "vocab.json" };
    *has = false;
    for (size_t i = 0; i < sizeof names / sizeof *names && !*has; i++) {
        char *p = base_path_join(directory, names[i]);
        if (!p)
            return BASE_E_MEMORY;
        *has = base_file_exists(p);
        base_free(p);
    }
    return 0;
}

/* Config and tokenizer of a directory or GGUF file; a bare weights file has neither. */
static int describe_model(json_t *out, const char *path, struct model_archive *a)
{
    struct model_config config = { 0 };
    json_t *object = NULL;
    char *config_path = NULL;
    bool tokenizer = false, known = false;
    int rc = 0;
    if (is_builtin(path)) {
        const void *text;
        size_t bytes;
        if ((rc = model_builtin(path, "config.json", &text, &bytes)) ||
            (rc = base_json_parse(&object, text, bytes, path)) ||
            (rc = model_config_from_json(&config, object, path, a)))
            goto out;
        known = tokenizer = true;
    } else if (base_file_is_directory(path)) {
        if (!(config_path = base_path_join(path, "config.json")))
            return BASE_E_MEMORY;
        if (base_file_exists(config_path)) {
            if ((rc = base_json_load(&object, config_path)) ||
                (rc = model_config_from_json(&config, object, config_path, a)) ||
                (rc = has_tokenizer(path, &tokenizer)))
                goto out;
            known = true;
        } else if (model_archive_format(a) != MODEL_GGUF) {
            rc = base_error_set(
                BASE_E_ARGUMENT,
                "%s: no config.json in this directory: not a model (to judge a bare weights file, "
                "name the file: assay info %s)",
                path, model_archive_file(a, 0));
            goto out;
        }
    }
    if (model_archive_format(a) == MODEL_GGUF && !known) {
        const json_t *metadata = model_archive_metadata(a);
        const char *name = json_string_value(json_object_get(metadata, "general.architecture"));
        tokenizer = json_object_get(metadata, "tokenizer.ggml.model") != NULL;
        if (name && (rc = set_text(out, "architecture", name)))
            goto out;
        /* a vocabulary-only file or a family that is not run here is still a sound file */
        if (name && model_architecture_find_gguf(name) && model_archive_count(a)) {
            rc = model_config_from_gguf(&config, a, NULL);
            known = !rc;
            if (rc &&
                (rc == BASE_E_MEMORY || (rc = set_text(out, "problem", base_error_message()))))
                goto out;
        }
    }
    if (known && (rc = describe_config(out, &config)))
        goto out;
    if (known && (rc = model_check_tensors(&config, a, model_archive_format(a) == MODEL_GGUF)) &&
        (rc == BASE_E_MEMORY || (rc = set_text(out, "problem", base_error_message()))))
        goto out;
    rc = tokenizer ? describe_tokenizer(out, path) : set(out, "tokenizer", json_null());
out:
    if (known)
        model_config_free(&config);
    json_decref(object);
    base_free(config_path);
    return rc;
}

int model_describe(json_t **out, const char *path, const struct model_describe_options *options)
{
    static const char *const formats[] = { "safetensors", "gguf", "torch" };
    struct model_archive *a = NULL;
    json_t *d = NULL;
    char hex[65];
    const void *data;
    size_t bytes;
    int rc;
    if (is_builtin(path)) {
        if (!(rc = model_builtin(path, "model.safetensors", &data, &bytes)))
            rc = model_archive_open_memory(&a, data, bytes, path);
    } else {
        rc = model_archive_open(&a, path);
    }
    if (rc)
        return rc;
    if (!(d = json_object())) {
        rc = no_memory();
        goto out;
    }
    if ((rc = set_text(d, "path", path)) ||
        (rc = set_text(d, "format", formats[model_archive_format(a)])) ||
        (rc = describe_files(d, a, options->hash)) ||
        (rc = describe_tensors(d, a, options->tensors)) || (rc = describe_metadata(d, a)) ||
        (rc = describe_model(d, path, a)))
        goto out;
    if (options->hash && !(rc = model_archive_hash(a, hex)))
        rc = set_text(d, "model_hash", hex);
out:
    model_archive_close(a);
    if (rc)
        json_decref(d);
    else
        *out = d;
    return rc;
}
