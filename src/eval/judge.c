/* Answers become a sample record: lm-eval's process_results and its record, and what we add.
 *
 * multiple_choice, ll_i the log-probability of choice i:
 *   acc              argmax ll_i is the right one; the first index wins ties
 *   acc_norm         argmax ll_i / characters of the choice (without delimiter)
 *   acc_bytes        argmax ll_i / bytes; acc_token: argmax ll_i / tokens
 *   acc_mutual_info  argmax ll_i - ll(choice | "")
 *   exact_match      the right one is what greedy decoding gives
 *   brier_score, ece, roc_auc, pr_auc: (right, softmax ll); f1, mcc, ...: (right, argmax)
 *   favoured         ll of the right one > ll of the best wrong one; log_odds: the difference;
 *                    _first: by the first token alone; p_correct: exp ll of the right one
 * generate_until, c of n responses right: pass@k = 1 - C(n-c,k)/C(n,k), pass^k = C(c,k)/C(n,k),
 *   maj@k: the most frequent of the first k is right. */
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/python_text.h"
#include "eval/task_private.h"
#include <math.h>
#include <string.h>

static int out_of_memory(void)
{
    return base_error_set(BASE_E_MEMORY, "out of memory while judging");
}

/* Puts a new value (NULL: memory ran out) into an object. */
static int put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) ? out_of_memory() : 0;
}

/* ---- the record's common part ---- */

static json_t *arguments_of(const struct eval_task *t, const struct eval_item *item)
{
    json_t *all = json_object();
    for (size_t i = 0; all && i < item->n_requests; i++) {
        const struct eval_request *r = &item->requests[i];
        char name[40];
        snprintf(name, sizeof name, "gen_args_%zu", i);
        json_t *one =
            r->kind == EVAL_REQUEST_ROLLING ? json_pack("{s:s}", "arg_0", r->continuation)
            : r->kind == EVAL_REQUEST_GENERATE
                ? json_pack("{s:s, s:O}", "arg_0", r->context, "arg_1", t->generation_config)
                : json_pack("{s:s, s:s}", "arg_0", r->context, "arg_1", r->continuation);
        if (json_object_set_new(all, name, one)) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

/* ["-1.5", "False"], or "-1.5" for rolling: lm-eval writes responses as text. */
static json_t *scored_text(const struct eval_request *q, const struct eval_response *r)
{
    char number[32];
    python_float(r->logprob, number);
    if (q->kind == EVAL_REQUEST_ROLLING)
        return json_string(number);
    return json_pack("[s, s]", number, r->greedy ? "True" : "False");
}

static json_t *numbers(const double *x, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < n; i++)
        if (json_array_append_new(list, base_json_number(x[i]))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* What Assay knows beside lm-eval's record. */
static json_t *own_part(const struct eval_task *t, const struct eval_item *item,
                        const struct eval_response *responses)
{
    static const char *const strategies[] = { "task", "instruction", "cloze", "icl" };
    json_t *o =
        json_pack("{s:s, s:I, s:s?, s:s?}", "strategy", strategies[t->options.strategy], "shots",
                  (json_int_t)item->n_shots, "cluster", item->cluster, "category", item->category);
    json_t *logprobs = json_array(), *firsts = json_array(), *tokens = json_array(),
           *greedy = json_array(), *ids = json_array();
    size_t cut = 0;
    bool skipped = false, retokenized = false;
    size_t scored = 0;
    for (size_t i = 0; i < item->n_requests; i++) {
        const struct eval_response *r = &responses[i];
        if (item->requests[i].kind != EVAL_REQUEST_GENERATE) {
            json_array_append_new(logprobs, base_json_number(r->logprob));
            json_array_append_new(firsts, base_json_number(r->first_logprob));
            json_array_append_new(greedy, json_boolean(r->greedy));
            scored++;
        }
        json_array_append_new(tokens, json_integer((json_int_t)r->tokens));
        cut += r->cut;
        skipped = skipped || r->skipped;
        retokenized = retokenized || r->boundary_retokenized;
    }
    size_t n_ids = item->n_requests ? responses[0].n_ids : 0;
    for (size_t i = 0; i < n_ids; i++)
        json_array_append_new(ids, json_integer(responses[0].ids[i]));
    /* An append that failed shows in the number of elements. */
    int rc = o && json_array_size(logprobs) == scored && json_array_size(firsts) == scored &&
                     json_array_size(greedy) == scored && json_array_size(ids) == n_ids &&
                     json_array_size(tokens) == item->n_requests
                 ? 0
                 : out_of_memory();
    if (rc == 0 && scored) {
        rc = put(o, "logprobs", json_incref(logprobs));
        rc = rc ? rc : put(o, "first_logprobs", json_incref(firsts));
        rc = rc ? rc : put(o, "greedy", json_incref(greedy));
    }
    rc = rc ? rc : put(o, "tokens", json_incref(tokens));
    rc = rc ? rc : put(o, "ids", json_incref(ids));
    rc = rc ? rc : put(o, "cut", json_integer((json_int_t)cut));
    rc = rc ? rc : put(o, "skipped", json_boolean(skipped));
    rc = rc ? rc : put(o, "boundary_retokenized", json_boolean(retokenized));
    json_decref(logprobs);
    json_decref(firsts);
    json_decref(tokens);
    json_decref(greedy);
    json_decref(ids);
    if (rc) {
        json_decref(o);
        return NULL;
    }
    return o;
}

/* ---- multiple choice ---- */

/* numpy's argmax: the first of the greatest, a NaN counts as greatest. */
static size_t argmax(const double *x, size_t n)
{
    size_t best = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(x[i]))
            return i;
        if (x[i] > x[best])
            best = i;
    }
    return best;
}

struct choice_scores {
    size_t n;
    double *ll, *first, *work; /* [n] each; work is scratch */
    const struct eval_response *r;
    const json_t *choices;
    json_int_t gold;     /* the only right one; -100 when there is none (or several) */
    const json_t *golds; /* list of several, or NULL */
};

static bool right(const struct choice_scores *s, size_t prediction)
{
    const json_t *one;
    size_t i;
    if (!s->golds)
        return s->gold == (json_int_t)prediction;
    json_array_foreach((json_t *)(uintptr_t)s->golds, i,
                       one) if (json_is_integer(one) &&
                                json_integer_value(one) == (json_int_t)prediction) return true;
    return false;
}

static double length_of(const struct choice_scores *s, size_t i, const char *metric)
{
    const char *text = json_string_value(json_array_get(s->choices, i));
    if (!strcmp(metric, "acc_norm"))
        return (double)python_length(text);
    if (!strcmp(metric, "acc_bytes"))
        return (double)strlen(text);
    return (double)s->r[i].tokens;
}

/* ll of the right choice less that of the best wrong one; NaN without either. */
static double log_odds(const struct choice_scores *s, const double *ll)
{
    double best = -INFINITY;
    if (s->gold < 0 || s->golds || s->n < 2)
        return NAN;
    for (size_t i = 0; i < s->n; i++)
        if ((json_int_t)i != s->gold && ll[i] > best)
            best = ll[i];
    return ll[s->gold] - best;
}

static void softmax(const double *ll, size_t n, double *out)
{
    double top = ll[0], sum = 0;
    for (size_t i = 1; i < n; i++)
        top = ll[i] > top ? ll[i] : top;
    for (size_t i = 0; i < n; i++)
        sum += out[i] = exp(ll[i] - top);
    for (size_t i = 0; i < n; i++)
        out[i] /= sum;
}

/* The value of one metric for one item; *value NULL: the item has none (no right answer known). */
static int choice_metric(const struct eval_task *t, const struct task_metric *m,
                         struct choice_scores *s, json_t **value)
{
    const char *name = m->base;
    size_t n = s->n;
    *value = NULL;
    if (!strcmp(name, "acc")) {
        *value = json_real(right(s, argmax(s->ll, n)));
    } else if (!strcmp(name, "acc_norm") || !strcmp(name, "acc_bytes") ||
               !strcmp(name, "acc_token")) {
        for (size_t i = 0; i < n; i++)
            s->work[i] = s->ll[i] / length_of(s, i, name);
        *value = json_real(right(s, argmax(s->work, n)));
    } else if (!strcmp(name, "acc_mutual_info")) {
        for (size_t i = 0; i < n; i++)
            s->work[i] = s->ll[i] - s->r[n + i].logprob;
        *value = json_real(right(s, argmax(s->work, n)));
    } else if (!strcmp(name, "exact_match")) {
        bool any = false;
        for (size_t i = 0; i < n; i++)
            any = any || (s->r[i].greedy && right(s, i));
        *value = json_integer(any);
    } else if (s->golds) {
        return base_error_set(BASE_E_UNSUPPORTED, "%s: %s needs items with one right answer",
                              t->name, m->name);
    } else if (s->gold < 0) {
        return 0;
    } else if (m->kind == TASK_METRIC_LABELS) {
        *value = json_pack("[I, I]", s->gold, (json_int_t)argmax(s->ll, n));
    } else if (m->kind == TASK_METRIC_PROBABILITIES) {
        softmax(s->ll, n, s->work);
        *value = json_pack("[I, o]", s->gold, numbers(s->work, n));
    } else if (!strcmp(name, "p_correct")) {
        *value = json_real(exp(s->ll[s->gold]));
    } else { /* favoured, log_odds, and by the first token */
        double odds = log_odds(s, base_ends_with(name, "_first") ? s->first : s->ll);
        if (isnan(odds))
            return 0;
        *value = base_starts_with(name, "favoured") ? json_real(odds > 0) : base_json_number(odds);
    }
    return *value ? 0 : out_of_memory();
}

/* Probability of each choice, whole and by its first token, and the right one's odds against the
 * best wrong one; both with the text that was scored, blanks at the join included. */
static json_t *cloze_part(const struct choice_scores *s, const struct eval_item *item)
{
    size_t right = s->gold >= 0 ? (size_t)s->gold : s->n, wrong = s->n;
    for (size_t i = 0; i < s->n; i++)
        if (i != right && (wrong == s->n || s->ll[i] > s->ll[wrong]))
            wrong = i;
    const char *context = right < s->n ? item->requests[right].context : "";
    const char *line = strrchr(context, '\n');
    for (size_t i = 0; i < s->n; i++)
        s->work[i] = exp(s->ll[i]);
    json_t *p = numbers(s->work, s->n);
    for (size_t i = 0; i < s->n; i++)
        s->work[i] = exp(s->first[i]);
    double whole = log_odds(s, s->ll), first = log_odds(s, s->first);
    json_t *o =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "p", p, "p_first", numbers(s->work, s->n),
                  "odds", base_json_number(exp(whole)), "odds_first", base_json_number(exp(first)),
                  "favoured", isnan(whole) ? json_null() : json_boolean(whole > 0),
                  "favoured_first", isnan(first) ? json_null() : json_boolean(first > 0));
    if (!o || right >= s->n || wrong >= s->n)
        return o;
    if (put(o, "prompt", json_string(line ? line + 1 : context)) ||
        put(o, "correct", json_string(item->requests[right].continuation)) ||
        put(o, "incorrect", json_string(item->requests[wrong].continuation)) ||
        put(o, "logprob_correct", base_json_number(s->ll[right])) ||
        put(o, "logprob_incorrect", base_json_number(s->ll[wrong]))) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static bool wants_cloze(const struct eval_task *t)
{
    for (size_t i = 0; i < t->n_metrics; i++)
        if (base_starts_with(t->metrics[i].base, "favoured") ||
            base_starts_with(t->metrics[i].base, "log_odds") ||
            !strcmp(t->metrics[i].base, "p_correct"))
            return true;
    return false;
}

static int judge_choices(const struct eval_task *t, const struct eval_item *item,
                         const struct eval_response *responses, json_t *metrics, json_t *own)
{
    json_t *gold = NULL;
    int rc = 0;
    struct choice_scores s = { .n = json_array_size(item->choices),
                               .r = responses,
                               .choices = item->choices };
    double *block = base_alloc(3 * s.n, sizeof *block);
    if (!block)
        return BASE_E_MEMORY;
    s.ll = block;
    s.first = block + s.n;
    s.work = block + 2 * s.n;
    for (size_t i = 0; i < s.n; i++) {
        s.ll[i] = responses[i].logprob;
        s.first[i] = responses[i].first_logprob;
    }
    if (t->multiple_input)
        rc = task_doc_text(t, &t->form, item->doc, &gold);
    else
        gold = json_incref(item->target);
    if (rc == 0 && json_is_array(gold))
        s.golds = gold;
    s.gold = rc || s.golds ? -100 : task_gold_index(gold, item->choices);
    for (size_t i = 0; rc == 0 && i < t->n_metrics; i++) {
        json_t *value;
        rc = choice_metric(t, &t->metrics[i], &s, &value);
        if (rc == 0 && value)
            rc = put(metrics, t->metrics[i].name, value);
    }
    if (rc == 0) {
        rc = put(own, "gold",
                 s.golds       ? json_incref(gold)
                 : s.gold >= 0 ? json_integer(s.gold)
                               : json_null());
        rc = rc ? rc : put(own, "choices", json_integer((json_int_t)s.n));
        rc = rc ? rc : put(own, "prediction", json_integer((json_int_t)argmax(s.ll, s.n)));
        if (rc == 0 && wants_cloze(t))
            rc = put(own, "cloze", cloze_part(&s, item));
    }
    json_decref(gold);
    base_free(block);
    return rc;
}

/* ---- log-likelihood and rolling ---- */

/* len(re.split(r"\s+", text)). */
static json_int_t count_words(const char *s)
{
    json_int_t words = 1;
    bool space = false;
    size_t left = strlen(s);
    while (left > 0) {
        uint32_t code = 0;
        size_t n = base_utf8_decode(s, left, &code);
        bool now = n > 0 && python_isspace(code);
        words += now && !space;
        space = now;
        s += n ? n : 1;
        left -= n ? n : 1;
    }
    return words;
}

static int judge_scored(const struct eval_task *t, const struct eval_item *item,
                        const struct eval_response *r, json_t *metrics)
{
    char *counted = NULL;
    int rc = task_field_text(&t->denominator, item->doc, &counted);
    if (rc)
        return rc;
    const char *text = counted ? counted : item->requests[0].continuation;
    for (size_t i = 0; rc == 0 && i < t->n_metrics; i++) {
        const char *name = t->metrics[i].base;
        json_t *ll = base_json_number(r->logprob);
        if (!strcmp(name, "acc")) {
            rc = put(metrics, name, json_integer(r->greedy));
        } else if (!strcmp(name, "perplexity")) {
            rc = put(metrics, name, json_incref(ll));
        } else {
            json_int_t size =
                !strcmp(name, "word_perplexity") ? count_words(text) : (json_int_t)strlen(text);
            rc = put(metrics, name, json_pack("[O, I]", ll, size));
        }
        json_decref(ll);
    }
    base_free(counted);
    return rc;
}

/* ---- generation ---- */

/* Best score of one response over the references. Negative on failure. */
static double best_match(const struct task_metric *m, const json_t *response,
                         const json_t *references)
{
    const json_t *reference;
    double best = 0;
    size_t i;
    if (json_is_null(response)) /* a filter's answer to what it does not know */
        return 0;
    struct base_buffer text = { 0 };
    if (python_str(&text, response) || base_buffer_puts(&text, ""))
        best = BASE_E_MEMORY;
    json_array_foreach((json_t *)(uintptr_t)references, i, reference)
    {
        if (best < 0)
            break;
        const char *wanted = json_string_value(reference);
        double score = !strcmp(m->base, "f1") ? task_squad_f1(text.data, wanted)
                                              : (double)task_exact_match(m, text.data, wanted);
        best = score < 0 ? score : score > best ? score : best;
    }
    base_buffer_free(&text);
    return best;
}

/* C(a, k) / C(n, k) as a product of k factors, each at most 1. */
static double choose_ratio(double a, double n, size_t k)
{
    double ratio = 1;
    for (size_t i = 0; i < k; i++)
        ratio *= a > (double)i ? (a - (double)i) / (n - (double)i) : 0;
    return ratio;
}

static const json_t *most_frequent(const json_t *list, size_t k)
{
    size_t best = 0, most = 0;
    for (size_t i = 0; i < k; i++) {
        size_t count = 0;
        for (size_t j = 0; j < k; j++)
            count += (size_t)json_equal(json_array_get(list, i), json_array_get(list, j));
        if (count > most) {
            most = count;
            best = i;
        }
    }
    return json_array_get(list, best);
}

/* filtered: what the filters left (a value or a list, whose scores are averaged); all: every
 * response before one was chosen. */
static double generated_metric(const struct task_metric *m, const json_t *filtered,
                               const json_t *all, const json_t *references)
{
    size_t n = json_array_size(all);
    if (m->k) {
        if (n < m->k)
            return base_error_set(BASE_E_FORMAT, "%s needs %zu responses, there are %zu", m->name,
                                  m->k, n);
        if (!strncmp(m->base, "maj", 3))
            return best_match(m, most_frequent(all, m->k), references);
        double right = 0;
        for (size_t i = 0; i < n; i++) {
            double one = best_match(m, json_array_get(all, i), references);
            if (one < 0)
                return one;
            right += one;
        }
        return !strcmp(m->base, "pass@k") ? 1 - choose_ratio((double)n - right, (double)n, m->k)
                                          : choose_ratio(right, (double)n, m->k);
    }
    if (!json_is_array(filtered))
        return best_match(m, filtered, references);
    double sum = 0;
    const json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)filtered, i, one)
    {
        double score = best_match(m, one, references);
        if (score < 0)
            return score;
        sum += score;
    }
    return json_array_size(filtered) ? sum / (double)json_array_size(filtered) : 0;
}

/* What a corpus metric needs of an item, as lm-eval passes it on: [reference, response]; several
 * references as a list. */
static int corpus_pair(const struct task_metric *m, const json_t *filtered,
                       const json_t *references, json_t **out)
{
    struct base_buffer text = { 0 };
    if (json_is_array(filtered) && json_array_size(filtered) == 1)
        filtered = json_array_get(filtered, 0);
    if (json_is_array(filtered))
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s needs one response for an item, not %zu: take one with a filter "
                              "(take_first)",
                              m->name, json_array_size(filtered));
    json_t *one = json_array_size(references) == 1 ? json_array_get(references, 0)
                                                   : (json_t *)(uintptr_t)references;
    int rc = json_is_null(filtered) ? 0 : python_str(&text, filtered);
    *out =
        rc ? NULL : json_pack("[O, o]", one, json_stringn(text.data ? text.data : "", text.length));
    base_buffer_free(&text);
    return *out ? 0 : out_of_memory();
}

/* The right answers as a list of texts. */
static int references_of(const struct eval_task *t, const struct eval_item *item, json_t **out)
{
    const json_t *target = item->target, *one;
    json_t *list = json_array();
    size_t i, n;
    if (item->choices && !json_is_array(target)) {
        json_int_t gold = task_gold_index(target, item->choices);
        target = gold >= 0 ? json_array_get(item->choices, (size_t)gold) : NULL;
    }
    int rc = !list    ? out_of_memory()
             : target ? 0
                      : base_error_set(BASE_E_FORMAT,
                                       "%s: document %zu: the label is not one of the choices",
                                       t->name, item->doc_id);
    n = json_is_array(target) ? json_array_size(target) : 1;
    for (i = 0; rc == 0 && i < n; i++) {
        struct base_buffer b = { 0 };
        one = json_is_array(target) ? json_array_get(target, i) : target;
        rc = python_str(&b, one);
        if (rc == 0 && json_array_append_new(list, json_stringn(b.data ? b.data : "", b.length)))
            rc = out_of_memory();
        base_buffer_free(&b);
    }
    if (rc)
        json_decref(list);
    else
        *out = list;
    return rc;
}

static int judge_generated(const struct eval_task *t, const struct eval_item *item,
                           const struct task_filter *filter, const json_t *texts, json_t *metrics,
                           json_t **filtered)
{
    json_t *all = NULL, *references = NULL;
    int rc = task_filter_apply(filter, texts, item->doc, filtered, &all);
    rc = rc ? rc : references_of(t, item, &references);
    for (size_t i = 0; rc == 0 && i < t->n_metrics; i++) {
        if (t->metrics[i].kind == TASK_METRIC_CORPUS) {
            json_t *pair = NULL;
            rc = corpus_pair(&t->metrics[i], *filtered, references, &pair);
            rc = rc ? rc : put(metrics, t->metrics[i].name, pair);
            continue;
        }
        double score = generated_metric(&t->metrics[i], *filtered, all, references);
        if (score < 0)
            rc = (int)score;
        else
            rc = put(metrics, t->metrics[i].name, json_real(score));
    }
    json_decref(all);
    json_decref(references);
    return rc;
}

/* ---- the record ---- */

/* Texts of a generation, as a list of strings. */
static json_t *texts_of(const struct eval_response *r)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < r->n_texts; i++)
        if (json_array_append_new(list, base_json_text(r->texts[i], strlen(r->texts[i])))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* str() of every element, lists kept: lm-eval's sanitize_list. */
static json_t *sanitized(const json_t *value)
{
    if (json_is_array(value)) {
        json_t *list = json_array();
        for (size_t i = 0; list && i < json_array_size(value); i++)
            if (json_array_append_new(list, sanitized(json_array_get(value, i)))) {
                json_decref(list);
                return NULL;
            }
        return list;
    }
    struct base_buffer b = { 0 };
    json_t *text = python_str(&b, value) ? NULL : json_stringn(b.data ? b.data : "", b.length);
    base_buffer_free(&b);
    return text;
}

static int judge_filter(const struct eval_task *t, const struct eval_item *item,
                        const struct eval_response *responses, const struct task_filter *filter,
                        json_t **out)
{
    json_t *metrics = json_object(), *names = json_array(), *resps = json_array(),
           *filtered = json_array(), *own = own_part(t, item, responses), *target = NULL;
    json_t *value = NULL;
    const char *key;
    int rc = metrics && names && resps && filtered && own ? 0 : out_of_memory();
    bool skipped = json_is_true(json_object_get(own, "skipped"));
    for (size_t i = 0; rc == 0 && i < item->n_requests; i++) {
        const struct eval_request *q = &item->requests[i];
        if (q->kind != EVAL_REQUEST_GENERATE) {
            json_t *one = scored_text(q, &responses[i]);
            if (json_array_append(filtered, one) ||
                json_array_append_new(resps, json_pack("[O]", one)))
                rc = out_of_memory();
            json_decref(one);
            continue;
        }
        json_t *texts = texts_of(&responses[i]), *left = NULL;
        rc = texts ? 0 : out_of_memory();
        if (rc == 0 && !skipped)
            rc = judge_generated(t, item, filter, texts, metrics, &left);
        if (rc == 0 && (json_array_append_new(filtered, left ? sanitized(left) : json_null()) ||
                        json_array_append(resps, texts)))
            rc = out_of_memory();
        json_decref(texts);
        json_decref(left);
    }
    bool choices =
        t->output == EVAL_OUTPUT_MULTIPLE_CHOICE || t->output == EVAL_OUTPUT_CLASSIFICATION;
    if (rc == 0 && !skipped && choices)
        rc = judge_choices(t, item, responses, metrics, own);
    else if (rc == 0 && !skipped && t->output != EVAL_OUTPUT_GENERATE)
        rc = judge_scored(t, item, responses, metrics);
    json_object_foreach(metrics, key, value)
    {
        if (json_array_append_new(names, json_string(key)))
            rc = out_of_memory();
    }
    target = rc ? NULL : sanitized(item->target);
    if (rc == 0 && json_is_array(target)) { /* str(list) */
        struct base_buffer b = { 0 };
        json_decref(target);
        target = python_repr(&b, item->target) ? NULL : json_stringn(b.data, b.length);
        base_buffer_free(&b);
    }
    if (rc == 0) {
        *out = json_pack("{s:I, s:O, s:O, s:o, s:O, s:O, s:s, s:O, s:s, s:s, s:s}", "doc_id",
                         (json_int_t)item->doc_id, "doc", item->doc, "target", target, "arguments",
                         arguments_of(t, item), "resps", resps, "filtered_resps", filtered,
                         "filter", filter->name, "metrics", names, "doc_hash", item->doc_hash,
                         "prompt_hash", item->prompt_hash, "target_hash", item->target_hash);
        if (!*out || json_object_update(*out, metrics) || json_object_set(*out, "assay", own)) {
            json_decref(*out);
            *out = NULL;
            rc = out_of_memory();
        }
    }
    json_decref(metrics);
    json_decref(names);
    json_decref(resps);
    json_decref(filtered);
    json_decref(own);
    json_decref(target);
    return rc;
}

int eval_task_judge(const struct eval_task *t, const struct eval_item *item,
                    const struct eval_response *responses, json_t **samples)
{
    json_t *list = json_array();
    int rc = list ? 0 : out_of_memory();
    for (size_t i = 0; rc == 0 && i < t->n_filters; i++) {
        json_t *record = NULL;
        rc = judge_filter(t, item, responses, &t->filters[i], &record);
        if (rc == 0 && json_array_append_new(list, record))
            rc = out_of_memory();
    }
    if (rc) {
        json_decref(list);
        return rc;
    }
    *samples = list;
    return 0;
}
