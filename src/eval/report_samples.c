/* The samples of a report: lm-eval's records turned into what page.js shows. What differs between
 * the choices of a question is the answer, so a prompt that several share is stored once:
 *
 * {"tasks": [{"label", "samples": [{"id", "ok": true | false | null, "category", "hash", "target",
 *   "prompts": [text], "answers": [{"prompt": index, "text", "logprob", "greedy", "picked",
 *   "right"}], "texts": [generated], "metrics": {name: number}}]}]} */
#include "base/json.h"
#include "base/memory.h"
#include "eval/report_private.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number that lm-eval may have written as text ("-12.5"). */
static double number_of(const json_t *v)
{
    if (json_is_number(v))
        return json_number_value(v);
    const char *text = json_string_value(v);
    char *end = NULL;
    double x = text ? strtod(text, &end) : NAN;
    return text && end != text && !*end ? x : NAN;
}

static bool truth_of(const json_t *v)
{
    const char *text = json_string_value(v);
    return json_is_true(v) || (text && !strcmp(text, "True"));
}

/* The log-likelihood and whether it was greedy of request i: ours, or the first element of resps[i]
 * in any of lm-eval's forms: [["-1.5", "True"]], [[-1.5, true]]. */
static double logprob_of(const json_t *sample, size_t i, bool *greedy)
{
    const json_t *ours = json_object_get(sample, "assay");
    const json_t *mine = json_array_get(json_object_get(ours, "logprobs"), i);
    if (json_is_number(mine)) {
        *greedy = json_is_true(json_array_get(json_object_get(ours, "greedy"), i));
        return json_number_value(mine);
    }
    const json_t *pair = json_array_get(json_array_get(json_object_get(sample, "resps"), i), 0);
    *greedy = truth_of(json_array_get(pair, 1));
    return number_of(json_array_get(pair, 0));
}

/* Index of the right choice, or -1. */
static long gold_of(const json_t *sample)
{
    const json_t *gold = json_object_get(json_object_get(sample, "assay"), "gold");
    if (!gold)
        gold = json_object_get(sample, "target");
    double index = number_of(gold);
    return index >= 0 && index == floor(index) && index < 1e6 ? (long)index : -1;
}

/* The verdict: the first metric of the record that is 0 or 1 for this sample. */
static json_t *verdict_of(const json_t *sample, const json_t *metrics)
{
    static const char *const first[] = { "acc", "exact_match" };
    for (size_t i = 0; i < 2; i++) {
        const json_t *v = json_object_get(sample, first[i]);
        if (json_is_number(v))
            return json_boolean(json_number_value(v) >= 0.5);
    }
    size_t i;
    json_t *name;
    json_array_foreach((json_t *)(uintptr_t)metrics, i, name)
    {
        const json_t *v =
            json_is_string(name) ? json_object_get(sample, json_string_value(name)) : NULL;
        double x = json_is_number(v) ? json_number_value(v) : NAN;
        if (x == 0 || x == 1)
            return json_boolean(x == 1);
    }
    return json_null();
}

static json_t *text_copy(const json_t *v)
{
    if (json_is_string(v))
        return json_copy((json_t *)(uintptr_t)v);
    char *text = v ? base_json_dump(v, false) : NULL;
    json_t *out = json_string(text ? text : "");
    base_free(text);
    return out;
}

/* Index of a prompt in the list, added where it is new. */
static size_t prompt_index(json_t *prompts, const char *text)
{
    size_t n = json_array_size(prompts);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(json_string_value(json_array_get(prompts, i)), text))
            return i;
    json_array_append_new(prompts, json_string(text));
    return n;
}

/* Context and continuation (NULL for none) of request i: {"gen_args_0": {"arg_0", "arg_1"}}, or the
 * older [[context, continuation]]. */
static const char *arguments_of(const json_t *sample, size_t i, const char **continuation)
{
    const json_t *all = json_object_get(sample, "arguments"), *one, *a, *b;
    char key[40];
    snprintf(key, sizeof key, "gen_args_%zu", i);
    if (json_is_array(all)) {
        one = json_array_get(all, i);
        a = json_array_get(one, 0);
        b = json_array_get(one, 1);
    } else {
        one = json_object_get(all, key);
        a = json_object_get(one, "arg_0");
        b = json_object_get(one, "arg_1");
    }
    *continuation = json_string_value(b);
    return json_string_value(a);
}

static void requests_put(const json_t *sample, json_t *prompts, json_t *answers, json_t *texts)
{
    const json_t *resps = json_object_get(sample, "resps");
    long gold = gold_of(sample), picked = -1;
    double best = -INFINITY;
    const char *context, *continuation;
    size_t n = 0;
    for (; (context = arguments_of(sample, n, &continuation)) != NULL; n++) {
        size_t p = prompt_index(prompts, context);
        if (!continuation) {
            size_t k;
            json_t *text;
            json_array_foreach(json_array_get(resps, n), k,
                               text) if (json_is_string(text) && isnan(number_of(text)))
                json_array_append(texts, text);
            continue;
        }
        bool greedy;
        double logprob = logprob_of(sample, n, &greedy);
        json_array_append_new(answers, json_pack("{s:i, s:s, s:o, s:b}", "prompt", (int)p, "text",
                                                 continuation, "logprob", base_json_number(logprob),
                                                 "greedy", (int)greedy));
        if (logprob > best) {
            best = logprob;
            picked = (long)json_array_size(answers) - 1;
        }
    }
    if (json_array_size(answers) < 2)
        return;
    for (size_t i = 0; i < json_array_size(answers); i++) {
        json_t *a = json_array_get(answers, i);
        json_object_set_new(a, "picked", json_boolean((long)i == picked));
        json_object_set_new(a, "right", json_boolean((long)i == gold));
    }
}

static json_t *sample_view(const json_t *sample)
{
    json_t *prompts = json_array(), *answers = json_array(), *texts = json_array(),
           *metrics = json_object();
    const json_t *names = json_object_get(sample, "metrics"),
                 *ours = json_object_get(sample, "assay");
    requests_put(sample, prompts, answers, texts);
    size_t i;
    json_t *name;
    json_array_foreach((json_t *)(uintptr_t)names, i, name)
    {
        const json_t *v =
            json_is_string(name) ? json_object_get(sample, json_string_value(name)) : NULL;
        if (json_is_number(v))
            json_object_set(metrics, json_string_value(name), (json_t *)(uintptr_t)v);
    }
    const char *category = json_string_value(json_object_get(ours, "category"));
    const char *hash = json_string_value(json_object_get(sample, "doc_hash"));
    long gold = gold_of(sample);
    const json_t *right = gold >= 0 ? json_array_get(answers, (size_t)gold) : NULL;
    json_t *target = right ? json_copy(json_object_get(right, "text"))
                           : text_copy(json_object_get(sample, "target"));
    return json_pack("{s:O*, s:o, s:s*, s:s*, s:o, s:o, s:o, s:o, s:o}", "id",
                     json_object_get(sample, "doc_id"), "ok", verdict_of(sample, names), "category",
                     category, "hash", hash, "target", target, "prompts", prompts, "answers",
                     answers, "texts", texts, "metrics", metrics);
}

int eval_report_samples(struct eval_report *r)
{
    json_t *tasks = json_array();
    size_t left_out = 0;
    int rc = tasks ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < r->n_runs && !rc; i++) {
        const char *const *names;
        size_t n = eval_run_tasks(r->runs[i], &names);
        for (size_t t = 0; t < n && !rc; t++) {
            if (!eval_run_has_samples(r->runs[i], names[t]))
                continue;
            struct eval_samples *samples;
            if ((rc = eval_samples_open(&samples, r->runs[i], names[t])))
                break;
            json_t *list = json_array(), *sample;
            size_t seen = 0;
            while ((rc = eval_samples_next(samples, &sample)) > 0) {
                if (seen++ < r->options->samples)
                    json_array_append_new(list, sample_view(sample));
                json_decref(sample);
            }
            eval_samples_close(samples);
            left_out += seen > r->options->samples ? seen - r->options->samples : 0;
            char label[400];
            snprintf(label, sizeof label, "%s%s%s", names[t], r->n_runs > 1 ? ", " : "",
                     r->n_runs > 1 ? eval_report_run_name(r, i) : "");
            json_array_append_new(tasks, json_pack("{s:s, s:o}", "label", label, "samples", list));
        }
    }
    if (!rc && json_array_size(tasks)) {
        json_t *all = json_pack("{s:O}", "tasks", tasks);
        char *text = all ? base_json_dump(all, false) : NULL;
        report_page_section(&r->page, "samples", "Samples");
        report_page_paragraph(
            &r->page,
            "Open one to see exactly what was asked: the end of the prompt is marked, "
            "what follows it was scored or written. A blank is \u00b7, a line end \u21b5.");
        if (left_out) {
            char note[200];
            snprintf(note, sizeof note,
                     "Of each task the first %zu samples are here; %zu more stand in the samples "
                     "files of the runs.",
                     r->options->samples, left_out);
            report_page_paragraph(&r->page, note);
        }
        report_page_browser(&r->page);
        if (text)
            report_page_data(&r->page, "samples-data", text, strlen(text));
        else
            rc = BASE_E_MEMORY;
        base_free(text);
        json_decref(all);
    }
    json_decref(tasks);
    return rc;
}
