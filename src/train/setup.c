/* Building a run: model, tokenizer, data, optimiser, and where it continues. The order is: what can
 * be wrong cheaply first (configuration, model, tokenizer), the long work (tokenising) after it. */
#include "train/run.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- model and tokenizer ---- */

static int tokenizer_open(struct train_run *r)
{
    const struct train_config *c = r->config;
    const char *path = c->tokenizer ? c->tokenizer : c->model_base;
    if (!path || (c->format == TRAIN_IDS && !c->tokenizer))
        return 0; /* ids need none; model_save then has none to copy */
    int rc = tokenizer_load(&r->tokenizer, path);
    if (rc)
        return rc;
    char *file =
        base_file_is_directory(path) ? base_path_join(path, "tokenizer.json") : base_strdup(path);
    if (!file)
        return BASE_E_MEMORY;
    if (base_ends_with(file, ".json") && base_file_exists(file))
        r->tokenizer_source = file;
    else
        base_free(file);
    return 0;
}
static int default_id(json_t *config, const char *key, int64_t value)
{
    if (value < 0 || json_object_get(config, key))
        return 0;
    return json_object_set_new(config, key, json_integer(value))
               ? base_error_set(BASE_E_MEMORY, "model.init: out of memory")
               : 0;
}
/* A new model's vocabulary and special ids are the tokenizer's unless the configuration names them.
 */
static int model_new(struct train_run *r)
{
    const struct train_config *c = r->config;
    json_t *config = NULL;
    int rc = 0;
    if (c->model_config)
        rc = base_json_load(&config, c->model_config);
    else if (!(config = json_deep_copy(c->model_init)))
        rc = base_error_set(BASE_E_MEMORY, "%s: out of memory", c->name);
    if (!rc && !json_is_object(config))
        rc = base_error_set(BASE_E_FORMAT, "%s: expected an object", c->model_config);
    if (!rc && r->tokenizer) {
        rc = default_id(config, "vocab_size", (int64_t)tokenizer_vocabulary(r->tokenizer));
        if (!rc)
            rc = default_id(config, "bos_token_id", tokenizer_bos(r->tokenizer));
        if (!rc)
            rc = default_id(config, "eos_token_id", tokenizer_eos(r->tokenizer));
    }
    if (!rc)
        rc = model_create(&r->model, config, (uint64_t)c->seed);
    if (rc && !c->model_config)
        base_error_prefix(rc, "%s: model.init", c->name);
    json_decref(config);
    return rc;
}
static int model_open(struct train_run *r)
{
    const struct train_config *c = r->config;
    struct model_options options = MODEL_OPTIONS_DEFAULT;
    options.trainable = true;
    int rc = c->model_base ? model_load(&r->model, c->model_base, &options) : model_new(r);
    if (!rc)
        rc = model_gradients_allocate(r->model);
    if (rc)
        return rc;
    r->n_parameters = model_parameter_count(r->model);
    r->parameters = base_alloc(r->n_parameters, sizeof *r->parameters);
    if (!r->parameters)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < r->n_parameters; i++)
        r->parameters[i] = model_parameter_at(r->model, i);
    return train_optimiser_new(&r->optimiser, r->parameters, r->n_parameters, c->betas[0],
                               c->betas[1], c->eps, c->weight_decay);
}

/* ---- data ---- */

static int documents_check(const struct train_run *r, const struct train_documents *d,
                           const char *what)
{
    base_log("%s data: %zu documents, %zu tokens%s", what, d->count, d->tokens,
             d->cached ? " (from the cache)" : "");
    if (d->dropped)
        base_log("%s data: %zu documents of fewer than two tokens left out", what, d->dropped);
    if ((size_t)d->largest >= model_vocabulary(r->model))
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: data.%s: id %d is beyond the model's vocabulary of %zu",
                              r->config->name, what, d->largest, model_vocabulary(r->model));
    return 0;
}
static int batch_new(struct train_batch *b, size_t rows, size_t length)
{
    *b = (struct train_batch){ .capacity = rows, .length = length };
    size_t n;
    if (base_mul_size(rows, length, &n))
        return base_error_set(BASE_E_LIMIT, "batch_rows * sequence_length overflows");
    b->rows = base_alloc(rows, sizeof *b->rows);
    b->ids = base_alloc(n, sizeof *b->ids);
    b->targets = base_alloc(n, sizeof *b->targets);
    b->starts = base_alloc(n, sizeof *b->starts);
    return b->rows && b->ids && b->targets && b->starts ? 0 : BASE_E_MEMORY;
}
static void batch_free(struct train_batch *b)
{
    base_free(b->rows);
    base_free(b->ids);
    base_free(b->targets);
    base_free(b->starts);
}
int train_batch_fill(struct train_batch *b, struct train_rows *rows, size_t n, uint64_t *epoch,
                     uint64_t *row)
{
    b->count = 0;
    b->labels = 0;
    for (size_t i = 0; i < n; i++) {
        int rc = train_rows_plan(rows, *epoch);
        if (rc)
            return rc;
        size_t at = i * b->length;
        size_t places =
            train_rows_fill(rows, (size_t)*row, b->ids + at, b->targets + at, b->starts + at);
        b->rows[i] = (struct model_row){ .ids = b->ids + at,
                                         .targets = b->targets + at,
                                         .document_start = b->starts + at,
                                         .n = places };
        for (size_t k = 0; k < places; k++)
            b->labels += b->targets[at + k] >= 0;
        b->count++;
        if (++*row == rows->count) {
            *row = 0;
            ++*epoch;
        }
    }
    return 0;
}
static int data_open(struct train_run *r)
{
    const struct train_config *c = r->config;
    size_t context = model_context(r->model),
           length = c->sequence_length ? (size_t)c->sequence_length : context;
    if (length > context || length == SIZE_MAX)
        return base_error_set(
            BASE_E_LIMIT, "%s: sequence_length: expected 1 to %zu (the model's context), got %zu",
            c->name, context == SIZE_MAX ? (size_t)1 << 24 : context, length);
    char *cache = base_path_join(c->output, "cache");
    int rc = cache ? 0 : BASE_E_MEMORY;
    if (!rc)
        rc = train_documents_open(&r->train, c, &c->train, r->tokenizer, cache);
    if (!rc)
        rc = documents_check(r, &r->train, "train");
    if (!rc)
        rc = train_rows_new(&r->rows, &r->train, length, (enum train_packing)c->packing,
                            c->mask_documents, c->shuffle, (uint64_t)c->seed);
    if (!rc)
        rc = batch_new(&r->batch, (size_t)c->batch_rows, length);
    if (!rc && c->validation.count) {
        rc = train_documents_open(&r->validation, c, &c->validation, r->tokenizer, cache);
        if (!rc)
            rc = documents_check(r, &r->validation, "validation");
        if (!rc)
            rc = train_rows_new(&r->validation_rows, &r->validation, length,
                                (enum train_packing)c->packing, c->mask_documents, false, 0);
        if (!rc)
            rc = batch_new(&r->evaluation, r->micro_rows, length);
    }
    base_free(cache);
    if (rc)
        return rc;
    r->steps = (uint64_t)c->steps;
    r->total_rows = UINT64_MAX;
    if (c->epochs) {
        r->total_rows = 0;
        for (uint64_t e = 0; e < (uint64_t)c->epochs; e++) {
            rc = train_rows_plan(r->rows, e);
            if (rc)
                return rc;
            r->total_rows += r->rows->count;
            /* only whole packing of shuffled documents makes epochs of different lengths */
            if (!c->shuffle || c->packing != TRAIN_PACK_WHOLE) {
                r->total_rows *= (uint64_t)c->epochs;
                break;
            }
        }
        r->steps = (r->total_rows + (uint64_t)c->batch_rows - 1) / (uint64_t)c->batch_rows;
    }
    return 0;
}

/* ---- resuming ---- */

static int recipe_compare(const struct train_run *r, const json_t *before, const char *checkpoint)
{
    int rc = 0;
    for (size_t i = 0; i < train_key_count() && !rc; i++) {
        if (train_key_class(i) == TRAIN_KEY_FREE)
            continue;
        const char *key = train_key_name(i);
        json_t *now = train_key_value(r->config, i);
        const json_t *then = json_object_get(before, key);
        if (now && then && !json_equal(now, then)) {
            char *a = json_dumps(then, JSON_ENCODE_ANY), *b = json_dumps(now, JSON_ENCODE_ANY);
            if (train_key_class(i) == TRAIN_KEY_FIXED)
                rc = base_error_set(
                    BASE_E_ARGUMENT,
                    "%s: %s: the run in %s has %s, the configuration says %s; this "
                    "cannot change when resuming: put it back, or choose another output",
                    r->config->name, key, checkpoint, a ? a : "?", b ? b : "?");
            else
                base_log("resuming with another %s: %s, before it was %s", key, b ? b : "?",
                         a ? a : "?");
            free(a);
            free(b);
        }
        json_decref(now);
    }
    return rc;
}
static int resume(struct train_run *r)
{
    const struct train_config *c = r->config;
    struct train_state s;
    int rc = train_checkpoint_find(r->checkpoints, r->checkpoint);
    if (rc)
        return rc;
    if (!r->checkpoint[0])
        return c->resume != TRAIN_RESUME_ALWAYS
                   ? 0
                   : base_error_set(BASE_E_ARGUMENT, "%s: no checkpoint to resume from",
                                    r->checkpoints);
    if (c->resume == TRAIN_RESUME_NEVER)
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: there is a run already, and checkpoint.resume is never; choose "
                              "another output or move this one away",
                              r->checkpoint);
    rc = train_checkpoint_state(r->checkpoint, &s);
    if (rc)
        return rc;
    rc = recipe_compare(r, s.recipe, r->checkpoint);
    if (!rc && strcmp(s.data_key, r->train.key) != 0)
        rc = base_error_set(
            BASE_E_ARGUMENT,
            "%s: was trained on other data (or tokenizer): expected %.16s, got %.16s; "
            "choose another output",
            r->checkpoint, s.data_key, r->train.key);
    if (!rc)
        rc = train_checkpoint_load(r->checkpoint, r->optimiser);
    if (!rc && s.step > r->steps)
        rc = base_error_set(BASE_E_ARGUMENT,
                            "%s: is at step %" PRIu64 ", beyond the %" PRIu64 " steps asked for",
                            r->checkpoint, s.step, r->steps);
    if (!rc) {
        r->state.step = r->checkpoint_step = s.step;
        r->state.epoch = s.epoch;
        r->state.row = s.row;
        r->state.tokens = s.tokens;
        r->state.loss = s.loss;
        rc = train_rows_plan(r->rows, s.epoch);
        if (!rc && s.row >= r->rows->count)
            rc = base_error_set(BASE_E_FORMAT, "%s: data cursor at row %" PRIu64 " of %zu",
                                r->checkpoint, s.row, r->rows->count);
    }
    if (!rc)
        base_log("resuming from %s (step %" PRIu64 " of %" PRIu64 ")", r->checkpoint, s.step,
                 r->steps);
    train_state_free(&s);
    return rc;
}
static int config_write(const struct train_run *r)
{
    json_t *o = train_config_json(r->config);
    char *text = o ? base_json_dump(o, true) : NULL;
    char *path = base_path_join(r->config->output, "train.json");
    int rc = text && path ? base_file_write(path, text, strlen(text))
                          : base_error_set(BASE_E_MEMORY, "%s: out of memory", r->config->name);
    base_free(path);
    base_free(text);
    json_decref(o);
    return rc;
}
int train_run_open(struct train_run *r, const struct train_config *c)
{
    *r = (struct train_run){ .config = c };
    r->micro_rows = (size_t)(c->micro_batch_rows ? c->micro_batch_rows : c->batch_rows);
    r->state.loss = NAN;
    if (c->threads)
        base_threads_set((int)c->threads);
    if (snprintf(r->checkpoints, TRAIN_PATH, "%s/checkpoints", c->output) >= TRAIN_PATH - 64)
        return base_error_set(BASE_E_LIMIT, "%s: output: path longer than %d bytes", c->name,
                              TRAIN_PATH - 64);
    int rc = base_file_make_directories(c->output);
    if (!rc)
        rc = tokenizer_open(r);
    if (!rc)
        rc = model_open(r);
    if (!rc)
        rc = data_open(r);
    if (!rc && !(r->state.recipe = train_config_recipe(c)))
        rc = BASE_E_MEMORY;
    if (!rc) {
        memcpy(r->state.data_key, r->train.key, sizeof r->state.data_key);
        train_checkpoint_sweep(r->checkpoints);
        rc = resume(r);
    }
    if (!rc)
        rc = config_write(r);
    if (!rc) {
        char *path = base_path_join(c->output, "log.jsonl");
        rc = path ? train_log_open(&r->log, path, r->state.step) : BASE_E_MEMORY;
        base_free(path);
    }
    return rc;
}
void train_run_close(struct train_run *r)
{
    train_log_close(&r->log);
    train_state_free(&r->state);
    batch_free(&r->batch);
    batch_free(&r->evaluation);
    train_rows_free(r->rows);
    train_rows_free(r->validation_rows);
    train_documents_close(&r->train);
    train_documents_close(&r->validation);
    train_optimiser_free(r->optimiser);
    base_free(r->parameters);
    if (r->model)
        model_free(r->model);
    if (r->tokenizer)
        tokenizer_free(r->tokenizer);
    base_free(r->tokenizer_source);
}
