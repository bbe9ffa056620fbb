/* Tasks as callers see them: open, iterate, free. */
#include "base/json.h"
#include "base/memory.h"
#include "eval/task_private.h"
#include <string.h>

void eval_item_clear(struct eval_item *item)
{
    for (size_t i = 0; i < item->n_requests; i++) {
        base_free(item->requests[i].context);
        base_free(item->requests[i].continuation);
    }
    base_free(item->requests);
    base_free(item->cluster);
    base_free(item->category);
    json_decref(item->doc);
    json_decref(item->target);
    json_decref(item->choices);
    *item = (struct eval_item){ 0 };
}

static void form_clear(struct task_form *f)
{
    task_field_clear(&f->text);
    task_field_clear(&f->target);
    task_field_clear(&f->choice);
    task_field_clear(&f->gen_prefix);
}

void eval_task_free(struct eval_task *t)
{
    if (!t)
        return;
    form_clear(&t->form);
    form_clear(&t->shot_form);
    task_field_clear(&t->description);
    task_field_clear(&t->cluster);
    task_field_clear(&t->category);
    task_field_clear(&t->denominator);
    task_filters_free(t->filters, t->n_filters);
    for (size_t i = 0; t->shots_ready && i < json_array_size(t->shot_docs); i++)
        for (size_t j = 0; j < t->shots_ready[i].n; j++)
            base_free(t->shots_ready[i].at[j].content);
    base_free(t->shots_ready);
    for (size_t i = 0; i < t->generation.n_until; i++)
        base_free(t->generation.until[i]);
    base_free(t->generation.until);
    base_free(t->metrics);
    base_free(t->name);
    base_free(t->data_path);
    base_free(t->picked);
    task_source_clear(&t->source);
    json_decref(t->config);
    json_decref(t->generation_config);
    json_decref(t->labels);
    json_decref(t->docs);
    json_decref(t->shot_docs);
    json_decref(t->columns);
    json_decref(t->shot_labels);
    base_free(t);
}

/* What was accepted and has no effect here, by name, for the record. */
static int note_ignored(struct eval_task *t)
{
    static const char *const names[] = { "should_decontaminate", "doc_to_decontamination_query" };
    json_t *ignored = json_array();
    for (size_t i = 0; ignored && i < 2; i++)
        if (json_object_get(t->config, names[i]))
            json_array_append_new(ignored, json_string(names[i]));
    if (json_array_size(ignored) == 0) {
        json_decref(ignored);
        return 0;
    }
    return json_object_set_new(t->config, "ignored", ignored)
               ? base_error_set(BASE_E_MEMORY, "out of memory")
               : 0;
}

/* Everything but the data. */
static int open_config(struct eval_task **out, const char *name,
                       const struct eval_task_options *options)
{
    struct eval_task *t = base_alloc_zero(1, sizeof *t);
    if (!t)
        return BASE_E_MEMORY;
    t->options = *options;
    int rc = task_find(name, options, &t->config, &t->source);
    if (rc == 0 && json_object_get(t->config, "group"))
        rc = task_refuse(&t->source, BASE_E_ARGUMENT, "group", "%s is a group of tasks", name);
    rc = rc ? rc : task_keys_check(t->config, &t->source);
    rc = rc ? rc : task_strategy_apply(t->config, options, &t->source);
    if (rc == 0) {
        const char *own = json_string_value(json_object_get(t->config, "task"));
        if (!own)
            rc = task_refuse(&t->source, BASE_E_FORMAT, NULL, "task: NAME is missing");
        else if (!(t->name = base_strdup(own)))
            rc = BASE_E_MEMORY;
    }
    rc = rc ? rc : task_config_read(t);
    rc = rc ? rc : note_ignored(t);
    if (rc) {
        eval_task_free(t);
        return rc;
    }
    *out = t;
    return 0;
}

int eval_task_check(const char *name, const struct eval_task_options *options, json_t **config)
{
    struct eval_task *t = NULL;
    int rc = open_config(&t, name, options);
    if (rc == 0 && config && !(*config = eval_task_config(t)))
        rc = BASE_E_MEMORY;
    eval_task_free(t);
    return rc;
}

/* Which documents: all, the first ones, or those named. */
static int pick(struct eval_task *t)
{
    const struct eval_task_options *o = &t->options;
    size_t n = json_array_size(t->docs);
    t->n_items = o->samples ? o->n_samples : o->limit && o->limit < n ? o->limit : n;
    t->picked = base_alloc(t->n_items, sizeof *t->picked);
    if (!t->picked)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < t->n_items; i++) {
        t->picked[i] = o->samples ? o->samples[i] : i;
        if (t->picked[i] >= n)
            return base_error_set(BASE_E_ARGUMENT, "%s: there is no document %zu: it has %zu",
                                  t->name, t->picked[i], n);
    }
    return 0;
}

int eval_task_open(struct eval_task **out, const char *name,
                   const struct eval_task_options *options)
{
    struct eval_task *t = NULL;
    int rc = open_config(&t, name, options);
    rc = rc ? rc : task_data_load(t);
    rc = rc ? rc : pick(t);
    if (rc) {
        eval_task_free(t);
        return rc;
    }
    eval_task_rewind(t);
    *out = t;
    return 0;
}

size_t eval_task_documents(const struct eval_task *t)
{
    return json_array_size(t->docs);
}

const char *eval_task_name(const struct eval_task *t)
{
    return t->name;
}
enum eval_output eval_task_output(const struct eval_task *t)
{
    return t->output;
}
size_t eval_task_count(const struct eval_task *t)
{
    return t->n_items;
}

json_t *eval_task_config(const struct eval_task *t)
{
    static const char *const strategies[] = { "task", "instruction", "cloze", "icl" };
    static const char *const samplers[] = { "default", "first_n", "balanced" };
    json_t *c = json_deep_copy(t->config), *metrics = json_array();
    for (size_t i = 0; metrics && i < t->n_metrics; i++)
        json_array_append_new(metrics, json_string(t->metrics[i].name));
    json_t *used =
        json_pack("{s:s, s:s, s:s?, s:I, s:s, s:s, s:I, s:o}", "file", t->source.path, "strategy",
                  strategies[t->options.strategy], "data", t->data_path, "shots",
                  (json_int_t)t->shots, "sampler", samplers[t->sampler], "fewshot_rng",
                  t->options.fewshot_python ? "python" : "assay", "fewshot_seed",
                  (json_int_t)t->options.fewshot_seed, "metrics", metrics);
    if (!c || !used || json_object_set_new(c, "assay", used)) {
        json_decref(c);
        base_error_set(BASE_E_MEMORY, "out of memory");
        return NULL;
    }
    /* As lm-eval records it: what was used, not what the file says. */
    json_object_set_new(c, "num_fewshot", json_integer((json_int_t)t->shots));
    if (t->generation_config)
        json_object_set(c, "generation_kwargs", t->generation_config);
    return c;
}

int eval_task_rewind(struct eval_task *t)
{
    t->next = 0;
    python_random_seed(&t->random, t->options.fewshot_seed);
    return 0;
}

int eval_task_next(struct eval_task *t, struct eval_item *item)
{
    if (t->next >= t->n_items)
        return 0;
    *item = (struct eval_item){ .doc_id = t->picked[t->next++] };
    item->doc = json_incref(json_array_get(t->docs, item->doc_id));
    int rc = task_prompt_build(t, item);
    if (rc) {
        eval_item_clear(item);
        return base_error_prefix(rc, "%s", t->name);
    }
    return 1;
}
