/* What a description says: its keys become the fields of struct eval_task, each checked, each fault
 * named with its line. Defaults are lm-eval's (config/task.py, api/registry.py). */
#include "base/json.h"
#include "base/memory.h"
#include "eval/python_text.h"
#include "eval/task_private.h"
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* ---- typed look-ups; null counts as missing ---- */

static json_t *get(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

static int get_string(const struct task_source *s, const json_t *object, const char *key,
                      const char **out)
{
    const json_t *value = get(object, key);
    if (!value)
        return 0;
    if (!json_is_string(value))
        return task_refuse(s, BASE_E_FORMAT, key, "expected a string");
    *out = json_string_value(value);
    return 0;
}

static int get_count(const struct task_source *s, const json_t *object, const char *key,
                     size_t *out)
{
    const json_t *value = get(object, key);
    if (!value)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return task_refuse(s, BASE_E_FORMAT, key, "expected a whole number, 0 or more");
    *out = (size_t)json_integer_value(value);
    return 0;
}

static int get_number(const struct task_source *s, const json_t *object, const char *key,
                      double *out)
{
    const json_t *value = get(object, key);
    if (!value)
        return 0;
    if (!json_is_number(value))
        return task_refuse(s, BASE_E_FORMAT, key, "expected a number");
    *out = json_number_value(value);
    return 0;
}

static int get_flag(const struct task_source *s, const json_t *object, const char *key, bool *out)
{
    const json_t *value = get(object, key);
    if (!value)
        return 0;
    if (!json_is_boolean(value))
        return task_refuse(s, BASE_E_FORMAT, key, "expected true or false");
    *out = json_is_true(value);
    return 0;
}

/* Every key of object must be one of names [n]. */
static int only_keys(const struct task_source *s, const json_t *object, const char *in,
                     const char *const *names, size_t n)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return task_refuse(s, BASE_E_FORMAT, in, "expected a mapping");
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < n && !known; i++)
            known = !strcmp(names[i], key);
        if (!known) {
            const char *near = task_nearest(key, names, n);
            return task_refuse(s, BASE_E_UNSUPPORTED, key, "not supported in %s%s%s%s", in,
                               near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
        }
    }
    return 0;
}

/* ---- strategies ---- */

static const char *const strategy_names[] = { NULL, "instruction", "cloze", "icl" };
static const char *const strategy_keys[] = {
    "description",       "doc_to_text",       "doc_to_target", "doc_to_choice",  "target_delimiter",
    "fewshot_delimiter", "num_fewshot",       "gen_prefix",    "fewshot_config", "metric_list",
    "output_type",       "generation_kwargs", "filter_list",
};

/* "Answer with one of: no, yes." for fixed choices, else a plain request to answer. New string. */
static char *derived_instruction(const json_t *config)
{
    const json_t *choice = get(config, "doc_to_choice"), *label;
    size_t i;
    struct base_buffer b = { 0 };
    int rc;
    if (!json_is_array(choice) || json_array_size(choice) == 0) {
        rc = base_buffer_puts(&b, "Give the right answer.\n\n");
    } else {
        rc = base_buffer_puts(&b, "Answer with one of: ");
        json_array_foreach((json_t *)(uintptr_t)choice, i, label)
        {
            rc = rc || i == 0 ? rc : base_buffer_puts(&b, ", ");
            rc = rc ? rc : python_str(&b, label);
        }
        rc = rc ? rc : base_buffer_puts(&b, ".\n\n");
    }
    if (rc == 0)
        return base_buffer_take(&b);
    base_buffer_free(&b);
    return NULL;
}

/* Letters or digits as choices say nothing as a continuation of a text. */
static bool choices_are_letters(const json_t *config)
{
    const json_t *choice = get(config, "doc_to_choice"), *label;
    size_t i;
    if (!json_is_array(choice))
        return false;
    json_array_foreach((json_t *)(uintptr_t)choice, i,
                       label) if (!json_is_string(label) ||
                                  json_string_length(label) != 1) return false;
    return true;
}

int task_strategy_apply(json_t *config, const struct eval_task_options *options,
                        const struct task_source *source)
{
    json_t *blocks = get(config, "strategies"), *value;
    const char *name = strategy_names[options->strategy], *key;
    int rc = 0;
    if (blocks) {
        rc = only_keys(source, blocks, "strategies", strategy_names + 1, COUNT(strategy_names) - 1);
        json_object_foreach(blocks, key, value)
        {
            rc = rc ? rc : only_keys(source, value, key, strategy_keys, COUNT(strategy_keys));
        }
    }
    if (rc || !name)
        return rc;
    json_t *block = get(blocks, name);
    if (options->strategy == EVAL_STRATEGY_CLOZE && !block) {
        const char *output = json_string_value(get(config, "output_type"));
        if (!output || !strcmp(output, "generate_until") || choices_are_letters(config))
            return task_refuse(source, BASE_E_UNSUPPORTED, "strategies",
                               "the task has no cloze form (its answers are %s): give one under "
                               "strategies: cloze:",
                               output && strcmp(output, "generate_until") ? "single letters"
                                                                          : "generated");
    }
    if (options->strategy != EVAL_STRATEGY_ICL) {
        json_object_set_new(config, "num_fewshot", json_integer(0));
        if (!get(block, "description")) {
            const char *given = json_string_value(get(config, "description"));
            char *text = options->strategy == EVAL_STRATEGY_CLOZE ? base_strdup("")
                         : given && *given                        ? base_strdup(given)
                                                                  : derived_instruction(config);
            if (!text)
                return BASE_E_MEMORY;
            json_object_set_new(config, "description", json_string(text));
            base_free(text);
        }
    } else {
        const json_t *given = get(block, "num_fewshot");
        json_int_t shots = options->fewshot >= 0 ? options->fewshot
                           : given               ? json_integer_value(given)
                                                 : json_integer_value(get(config, "num_fewshot"));
        json_object_set_new(config, "num_fewshot",
                            json_integer(shots > 0 || options->fewshot == 0 ? shots : 4));
    }
    json_object_foreach(block, key, value)
    {
        bool decided = options->strategy == EVAL_STRATEGY_ICL && !strcmp(key, "num_fewshot");
        if (!decided && json_object_set(config, key, value))
            return base_error_set(BASE_E_MEMORY, "%s: out of memory", source->path);
    }
    return 0;
}

/* ---- metrics ---- */

enum { LL = 1, MC = 2, ROLL = 4, GEN = 8 };
static const struct known_metric {
    const char *name;
    unsigned outputs;
    enum task_metric_kind kind;
    bool higher_is_better, proportion;
    const char *aggregation; /* lm-eval's name for it */
} known_metrics[] = {
    { "acc", LL | MC, TASK_METRIC_MEAN, true, true, "mean" },
    { "acc_norm", MC, TASK_METRIC_MEAN, true, true, "mean" },
    { "acc_bytes", MC, TASK_METRIC_MEAN, true, true, "mean" },
    { "acc_token", MC, TASK_METRIC_MEAN, true, true, "mean" },
    { "acc_mutual_info", MC, TASK_METRIC_MEAN, true, true, "mean" },
    { "exact_match", MC | GEN, TASK_METRIC_MEAN, true, true, "mean" },
    { "f1", GEN, TASK_METRIC_MEAN, true, false, "f1" },
    { "pass@k", GEN, TASK_METRIC_MEAN, true, false, "mean" },
    { "pass^k", GEN, TASK_METRIC_MEAN, true, false, "mean" },
    { "maj@k", GEN, TASK_METRIC_MEAN, true, true, "mean" },
    { "bleu", GEN, TASK_METRIC_CORPUS, true, false, "bleu" },
    { "chrf", GEN, TASK_METRIC_CORPUS, true, false, "chrf" },
    { "chrf++", GEN, TASK_METRIC_CORPUS, true, false, "chrf++" },
    { "ter", GEN, TASK_METRIC_CORPUS, false, false, "ter" },
    { "f1", MC, TASK_METRIC_LABELS, true, false, "f1" },
    { "precision", MC, TASK_METRIC_LABELS, true, false, "precision" },
    { "recall", MC, TASK_METRIC_LABELS, true, false, "recall" },
    { "f1_macro", MC, TASK_METRIC_LABELS, true, false, "f1_macro" },
    { "f1_micro", MC, TASK_METRIC_LABELS, true, false, "f1_micro" },
    { "f1_weighted", MC, TASK_METRIC_LABELS, true, false, "f1_weighted" },
    { "precision_macro", MC, TASK_METRIC_LABELS, true, false, "precision_macro" },
    { "recall_macro", MC, TASK_METRIC_LABELS, true, false, "recall_macro" },
    { "mcc", MC, TASK_METRIC_LABELS, true, false, "matthews_corrcoef" },
    { "brier_score", MC, TASK_METRIC_PROBABILITIES, false, false, "brier_score" },
    { "ece", MC, TASK_METRIC_PROBABILITIES, false, false, "ece" },
    { "roc_auc", MC, TASK_METRIC_PROBABILITIES, true, false, "roc_auc" },
    { "pr_auc", MC, TASK_METRIC_PROBABILITIES, true, false, "pr_auc" },
    { "favoured", MC, TASK_METRIC_MEAN, true, true, "mean" },
    { "favoured_first", MC, TASK_METRIC_MEAN, true, true, "mean" },
    { "log_odds", MC, TASK_METRIC_MEAN, true, false, "mean" },
    { "log_odds_first", MC, TASK_METRIC_MEAN, true, false, "mean" },
    { "p_correct", MC, TASK_METRIC_MEAN, true, false, "mean" },
    { "perplexity", LL, TASK_METRIC_EXP_MEAN, false, false, "perplexity" },
    { "word_perplexity", ROLL, TASK_METRIC_RATIO, false, false, "weighted_perplexity" },
    { "byte_perplexity", ROLL, TASK_METRIC_RATIO, false, false, "weighted_perplexity" },
    { "bits_per_byte", ROLL, TASK_METRIC_BITS, false, false, "bits_per_byte" },
};
static const char *const cloze_metrics[] = { "favoured", "favoured_first", "log_odds",
                                             "log_odds_first", "p_correct" };

static unsigned output_bit(enum eval_output o)
{
    return o == EVAL_OUTPUT_LOGLIKELIHOOD ? LL
           : o == EVAL_OUTPUT_ROLLING     ? ROLL
           : o == EVAL_OUTPUT_GENERATE    ? GEN
                                          : MC;
}

/* "pass@5" is pass@k with k = 5; *k 0 for other names. */
static const struct known_metric *find_metric(const char *name, enum eval_output output, size_t *k)
{
    *k = 0;
    for (size_t i = 0; i < COUNT(known_metrics); i++) {
        const struct known_metric *m = &known_metrics[i];
        size_t n = strlen(m->name);
        if (!(m->outputs & output_bit(output)))
            continue;
        if (n > 2 && m->name[n - 1] == 'k' && strchr("@^", m->name[n - 2]) &&
            !strncmp(m->name, name, n - 1)) {
            char *end;
            unsigned long long value = strtoull(name + n - 1, &end, 10);
            if (*end == 0 && value > 0 && value < 1000000) {
                *k = (size_t)value;
                return m;
            }
        }
        if (!strcmp(m->name, name) && !strpbrk(name, "@^"))
            return m;
    }
    return NULL;
}

static int add_metric(struct eval_task *t, const char *name, const json_t *entry)
{
    const struct task_source *s = &t->source;
    size_t k;
    const struct known_metric *known = find_metric(name, t->output, &k);
    if (!known) {
        const char *elsewhere = NULL;
        for (size_t i = 0; i < COUNT(known_metrics); i++)
            elsewhere = strcmp(known_metrics[i].name, name) ? elsewhere : name;
        return task_refuse(s, BASE_E_UNSUPPORTED, "metric",
                           elsewhere ? "%s is not defined for this output_type"
                                     : "%s is not a metric that Assay computes",
                           name);
    }
    for (size_t i = 0; i < t->n_metrics; i++)
        if (!strcmp(t->metrics[i].name, name))
            return entry ? task_refuse(s, BASE_E_FORMAT, "metric_list", "%s is given twice", name)
                         : 0;
    struct task_metric m = { .name = name,
                             .base = known->name,
                             .kind = known->kind,
                             .higher_is_better = known->higher_is_better,
                             .proportion = known->proportion,
                             .k = k };
    static const char *const entry_keys[] = { "metric",           "aggregation",
                                              "higher_is_better", "hf_evaluate",
                                              "ignore_case",      "ignore_punctuation",
                                              "ignore_numbers",   "regexes_to_ignore",
                                              "weight_by_size" };
    const char *aggregation = NULL;
    bool hf = false;
    int rc = entry ? only_keys(s, entry, "metric_list", entry_keys, COUNT(entry_keys)) : 0;
    rc = rc ? rc : get_string(s, entry, "aggregation", &aggregation);
    rc = rc ? rc : get_flag(s, entry, "higher_is_better", &m.higher_is_better);
    rc = rc ? rc : get_flag(s, entry, "hf_evaluate", &hf);
    rc = rc ? rc : get_flag(s, entry, "ignore_case", &m.ignore_case);
    rc = rc ? rc : get_flag(s, entry, "ignore_punctuation", &m.ignore_punctuation);
    rc = rc ? rc : get_flag(s, entry, "ignore_numbers", &m.ignore_numbers);
    m.regexes_to_ignore = get(entry, "regexes_to_ignore");
    /* weight_by_size belongs to a group's list; many of lm-eval's tasks carry it along. */
    if (rc)
        return rc;
    if (hf && strcmp(name, "exact_match") != 0)
        return task_refuse(s, BASE_E_UNSUPPORTED, "hf_evaluate",
                           "only exact_match has the same definition here");
    bool matches = t->output == EVAL_OUTPUT_GENERATE && strcmp(known->name, "f1") != 0 &&
                   m.kind != TASK_METRIC_CORPUS;
    if (!matches &&
        (m.ignore_case || m.ignore_punctuation || m.ignore_numbers || m.regexes_to_ignore))
        return task_refuse(s, BASE_E_UNSUPPORTED, "metric_list",
                           "%s takes no options (ignore_case and its like are exact_match's)",
                           name);
    if (m.regexes_to_ignore) {
        const json_t *regex;
        size_t i;
        if (!json_is_array(m.regexes_to_ignore))
            return task_refuse(s, BASE_E_FORMAT, "regexes_to_ignore", "expected a list");
        json_array_foreach((json_t *)(uintptr_t)m.regexes_to_ignore, i, regex)
        {
            char *text = NULL;
            if (!json_is_string(regex))
                return task_refuse(s, BASE_E_FORMAT, "regexes_to_ignore", "expected strings");
            rc = task_regex_remove(json_string_value(regex), "", &text);
            base_free(text);
            if (rc)
                return task_refuse(s, rc, "regexes_to_ignore", "%s", base_error_message());
        }
    }
    if (aggregation && strcmp(aggregation, known->aggregation) != 0) {
        bool mean = m.kind == TASK_METRIC_MEAN &&
                    (!strcmp(aggregation, "mean") || !strcmp(aggregation, "nanmean"));
        if (m.kind == TASK_METRIC_MEAN && !strcmp(aggregation, "median"))
            m.kind = TASK_METRIC_MEDIAN;
        else if (!mean)
            return task_refuse(s, BASE_E_UNSUPPORTED, "aggregation", "%s cannot be taken of %s",
                               aggregation, name);
    }
    struct task_metric *more = base_realloc(t->metrics, t->n_metrics + 1, sizeof *more);
    if (!more)
        return BASE_E_MEMORY;
    t->metrics = more;
    t->metrics[t->n_metrics++] = m;
    return 0;
}

static int read_metrics(struct eval_task *t)
{
    static const char *const defaults[][9] = {
        [EVAL_OUTPUT_LOGLIKELIHOOD] = { "perplexity", "acc" },
        [EVAL_OUTPUT_MULTIPLE_CHOICE] = { "acc", "acc_norm" },
        [EVAL_OUTPUT_ROLLING] = { "word_perplexity", "byte_perplexity", "bits_per_byte" },
        [EVAL_OUTPUT_GENERATE] = { "exact_match" },
        [EVAL_OUTPUT_CLASSIFICATION] = { "acc", "f1_macro", "precision_macro", "recall_macro",
                                         "mcc", "brier_score", "ece" },
    };
    const json_t *list = get(t->config, "metric_list"), *entry;
    size_t i;
    int rc = 0;
    if (list && !json_is_array(list))
        return task_refuse(&t->source, BASE_E_FORMAT, "metric_list", "expected a list");
    json_array_foreach((json_t *)(uintptr_t)list, i, entry)
    {
        const char *name = json_string_value(get(entry, "metric"));
        if (!name)
            return task_refuse(&t->source, BASE_E_FORMAT, "metric_list",
                               "every entry needs metric: NAME");
        if (strcmp(name, "bypass") != 0)
            rc = rc ? rc : add_metric(t, name, entry);
    }
    for (i = 0; !list && rc == 0 && i < 9 && defaults[t->output][i]; i++)
        rc = add_metric(t, defaults[t->output][i], NULL);
    if (!list && t->output == EVAL_OUTPUT_CLASSIFICATION && json_array_size(t->labels) == 2) {
        rc = rc ? rc : add_metric(t, "roc_auc", NULL);
        rc = rc ? rc : add_metric(t, "pr_auc", NULL);
    }
    if (t->options.strategy == EVAL_STRATEGY_CLOZE && output_bit(t->output) == MC)
        for (i = 0; rc == 0 && i < COUNT(cloze_metrics); i++)
            rc = add_metric(t, cloze_metrics[i], NULL);
    return rc;
}

/* ---- generation ---- */

static int read_until(struct eval_task *t, const json_t *until)
{
    const json_t *list = until, *one;
    size_t i, n = json_is_string(until) ? 1 : json_array_size(list);
    if (!json_is_string(until) && !json_is_array(until))
        return task_refuse(&t->source, BASE_E_FORMAT, "until", "expected a string or a list");
    t->generation.until = base_alloc_zero(n ? n : 1, sizeof *t->generation.until);
    if (!t->generation.until)
        return BASE_E_MEMORY;
    for (i = 0; i < n; i++) {
        one = json_is_string(until) ? until : json_array_get(list, i);
        if (!json_is_string(one))
            return task_refuse(&t->source, BASE_E_FORMAT, "until", "expected strings");
        t->generation.until[i] = base_strdup(json_string_value(one));
        if (!t->generation.until[i])
            return BASE_E_MEMORY;
        t->generation.n_until = i + 1;
    }
    return 0;
}

static int read_generation(struct eval_task *t)
{
    static const char *const names[] = { "until",      "max_gen_toks", "max_new_tokens",
                                         "max_tokens", "temperature",  "do_sample",
                                         "num_beams",  "top_p",        "top_k" };
    const struct task_source *s = &t->source;
    const json_t *given = get(t->config, "generation_kwargs");
    struct eval_generation *g = &t->generation;
    size_t k = 0, beams = 1;
    *g = (struct eval_generation){ .max_tokens = 256, .top_p = 1, .repeats = 1 };
    int rc = given ? only_keys(s, given, "generation_kwargs", names, COUNT(names)) : 0;
    rc = rc ? rc : get_count(s, t->config, "repeats", &g->repeats);
    rc = rc ? rc : get_count(s, given, "max_tokens", &g->max_tokens);
    rc = rc ? rc : get_count(s, given, "max_new_tokens", &g->max_tokens);
    rc = rc ? rc : get_count(s, given, "max_gen_toks", &g->max_tokens);
    rc = rc ? rc : get_number(s, given, "temperature", &g->temperature);
    g->sample = g->temperature > 0;
    rc = rc ? rc : get_flag(s, given, "do_sample", &g->sample);
    if (g->sample && !get(given, "temperature"))
        g->temperature = 1;
    rc = rc ? rc : get_number(s, given, "top_p", &g->top_p);
    rc = rc ? rc : get_count(s, given, "top_k", &k);
    rc = rc ? rc : get_count(s, given, "num_beams", &beams);
    g->top_k = (int64_t)k;
    if (rc)
        return rc;
    if (g->repeats == 0 || g->max_tokens == 0)
        return task_refuse(s, BASE_E_FORMAT, g->repeats ? "max_gen_toks" : "repeats",
                           "must be at least 1");
    if (beams != 1)
        return task_refuse(s, BASE_E_UNSUPPORTED, "num_beams", "beam search is not there");
    if (g->temperature < 0 || g->top_p <= 0 || g->top_p > 1)
        return task_refuse(s, BASE_E_FORMAT, g->temperature < 0 ? "temperature" : "top_p",
                           "out of range");
    if (g->temperature == 0)
        g->sample = false;
    if (t->output != EVAL_OUTPUT_GENERATE) {
        if (g->repeats != 1)
            return task_refuse(s, BASE_E_UNSUPPORTED, "repeats",
                               "a log-likelihood is the same each time");
        return 0;
    }
    t->generation_config = given ? json_deep_copy(given)
                                 : json_pack("{s:f, s:b, s:i}", "temperature", 0.0, "do_sample", 0,
                                             "max_gen_toks", 256);
    if (t->generation_config && !get(given, "until"))
        json_object_set_new(t->generation_config, "until",
                            json_pack("[s]", t->form.fewshot_delimiter));
    if (!t->generation_config)
        return base_error_set(BASE_E_MEMORY, "%s: out of memory", s->path);
    return read_until(t, json_object_get(t->generation_config, "until"));
}

/* ---- prompts ---- */

static int read_form(struct eval_task *t, struct task_form *f, const json_t *first)
{
    const json_t *c = t->config;
    const struct task_source *s = &t->source;
#define EITHER(key) (get(first, key) ? get(first, key) : get(c, key))
    int rc = task_field_init(&f->text, EITHER("doc_to_text"), "doc_to_text", s);
    rc = rc ? rc : task_field_init(&f->target, EITHER("doc_to_target"), "doc_to_target", s);
    rc = rc ? rc : task_field_init(&f->choice, EITHER("doc_to_choice"), "doc_to_choice", s);
    rc = rc ? rc : task_field_init(&f->gen_prefix, EITHER("gen_prefix"), "gen_prefix", s);
#undef EITHER
    f->target_delimiter = " ";
    f->fewshot_delimiter = "\n\n";
    rc = rc ? rc : get_string(s, c, "target_delimiter", &f->target_delimiter);
    rc = rc ? rc : get_string(s, c, "fewshot_delimiter", &f->fewshot_delimiter);
    rc = rc ? rc : get_string(s, first, "target_delimiter", &f->target_delimiter);
    rc = rc ? rc : get_string(s, first, "fewshot_delimiter", &f->fewshot_delimiter);
    return rc;
}

static int read_fewshot(struct eval_task *t)
{
    static const char *const names[] = {
        "sampler",       "split",      "samples",           "doc_to_text",      "doc_to_choice",
        "doc_to_target", "gen_prefix", "fewshot_delimiter", "target_delimiter", "fewshot_indices"
    };
    static const char *const samplers[] = { "default", "first_n", "balanced" };
    const struct task_source *s = &t->source;
    const json_t *fewshot = get(t->config, "fewshot_config");
    const char *sampler = "default";
    int rc = fewshot ? only_keys(s, fewshot, "fewshot_config", names, COUNT(names)) : 0;
    rc = rc ? rc : get_string(s, fewshot, "sampler", &sampler);
    if (rc)
        return rc;
    size_t i = 0;
    while (i < COUNT(samplers) && strcmp(samplers[i], sampler) != 0)
        i++;
    if (i == COUNT(samplers))
        return task_refuse(s, BASE_E_UNSUPPORTED, "sampler",
                           "%s is none of default, first_n, balanced", sampler);
    t->sampler = (enum task_sampler)i;
    if (t->options.fewshot_balanced && t->sampler == TASK_SAMPLER_DEFAULT)
        t->sampler = TASK_SAMPLER_BALANCED;
    const json_t *samples = get(fewshot, "samples");
    if (samples && !json_is_array(samples))
        return task_refuse(s, BASE_E_FORMAT, "samples", "expected a list of documents");
    const json_t *indices = get(fewshot, "fewshot_indices"), *one;
    bool numbers = !indices || json_is_array(indices);
    json_array_foreach((json_t *)(uintptr_t)indices, i, one) numbers =
        numbers && json_is_integer(one);
    if (!numbers)
        return task_refuse(s, BASE_E_FORMAT, "fewshot_indices", "expected a list of whole numbers");
    rc = get_count(s, t->config, "num_fewshot", &t->shots);
    /* lm-eval: a task that says 0 keeps 0 */
    bool fixed = get(t->config, "num_fewshot") && t->shots == 0;
    if (rc == 0 && t->options.strategy == EVAL_STRATEGY_TASK && t->options.fewshot >= 0 && !fixed)
        t->shots = (size_t)t->options.fewshot;
    if (rc == 0 && t->shots > 0 && t->output == EVAL_OUTPUT_ROLLING)
        rc = task_refuse(s, BASE_E_UNSUPPORTED, "num_fewshot",
                         "loglikelihood_rolling takes no examples");
    return rc ? rc : read_form(t, &t->shot_form, fewshot);
}

static int read_output(struct eval_task *t)
{
    static const char *const names[] = {
        [EVAL_OUTPUT_LOGLIKELIHOOD] = "loglikelihood",
        [EVAL_OUTPUT_MULTIPLE_CHOICE] = "multiple_choice",
        [EVAL_OUTPUT_ROLLING] = "loglikelihood_rolling",
        [EVAL_OUTPUT_GENERATE] = "generate_until",
        [EVAL_OUTPUT_CLASSIFICATION] = "classification",
    };
    const char *name = "generate_until";
    int rc = get_string(&t->source, t->config, "output_type", &name);
    if (rc)
        return rc;
    for (size_t i = 0; i < COUNT(names); i++)
        if (!strcmp(names[i], name)) {
            t->output = (enum eval_output)i;
            return 0;
        }
    const char *near = task_nearest(name, names, COUNT(names));
    return task_refuse(&t->source, BASE_E_UNSUPPORTED, "output_type", "%s is not known%s%s%s", name,
                       near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

/* classification: the labels are the same for all documents. */
static int read_labels(struct eval_task *t)
{
    const json_t *choice = get(t->config, "doc_to_choice"), *label;
    if (t->output != EVAL_OUTPUT_CLASSIFICATION)
        return 0;
    t->labels = json_array();
    if (!t->labels)
        return base_error_set(BASE_E_MEMORY, "%s: out of memory", t->source.path);
    const char *key;
    size_t i;
    if (json_is_object(choice)) {
        json_object_foreach((json_t *)(uintptr_t)choice, key, label)
            json_array_append(t->labels, (json_t *)(uintptr_t)label);
    } else {
        json_array_foreach((json_t *)(uintptr_t)choice, i, label)
            json_array_append(t->labels, (json_t *)(uintptr_t)label);
    }
    json_array_foreach(t->labels, i, label) if (!json_is_string(label)) return task_refuse(
        &t->source, BASE_E_FORMAT, "doc_to_choice",
        "the labels must be strings (put them in quotes)");
    if (json_array_size(t->labels) < 2)
        return task_refuse(&t->source, BASE_E_FORMAT, "doc_to_choice",
                           "classification needs a list of at least two labels");
    return 0;
}

int task_config_read(struct eval_task *t)
{
    const struct task_source *s = &t->source;
    const json_t *c = t->config;
    int rc = read_output(t);
    rc = rc ? rc : read_labels(t);
    rc = rc ? rc : read_form(t, &t->form, NULL);
    rc = rc ? rc : read_fewshot(t);
    rc = rc ? rc : task_field_init(&t->description, get(c, "description"), "description", s);
    rc = rc ? rc : task_field_init(&t->cluster, get(c, "cluster"), "cluster", s);
    rc = rc ? rc : task_field_init(&t->category, get(c, "category"), "category", s);
    rc = rc ? rc : task_field_init(&t->denominator, get(c, "denominator"), "denominator", s);
    if (rc)
        return rc;
    bool choices = output_bit(t->output) == MC;
    if (choices && !task_field_set(&t->form.choice))
        return task_refuse(s, BASE_E_FORMAT, "output_type", "needs doc_to_choice");
    if (!task_field_set(&t->form.target))
        return task_refuse(s, BASE_E_FORMAT, NULL, "doc_to_target is missing");
    if (!task_field_set(&t->form.text) && t->output != EVAL_OUTPUT_ROLLING)
        return task_refuse(s, BASE_E_FORMAT, NULL, "doc_to_text is missing");
    if (task_field_set(&t->denominator) && t->output != EVAL_OUTPUT_ROLLING)
        return task_refuse(s, BASE_E_FORMAT, "denominator", "is for loglikelihood_rolling");
    rc = read_generation(t);
    rc = rc ? rc : read_metrics(t);
    rc = rc ? rc
            : task_filters_init(&t->filters, &t->n_filters, get(c, "filter_list"), s, t->output);
    for (size_t i = 0; rc == 0 && i < t->n_metrics; i++)
        if (t->metrics[i].k > t->generation.repeats)
            rc = task_refuse(s, BASE_E_FORMAT, "repeats",
                             "%s needs at least %zu responses an item, repeats is %zu",
                             t->metrics[i].name, t->metrics[i].k, t->generation.repeats);
    return rc;
}
