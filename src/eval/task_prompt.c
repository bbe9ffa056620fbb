/* A document becomes prompts: lm-eval's fewshot_context, build_qa_turn and construct_requests, as
 * messages that are either joined to one text or handed to a chat template.
 *
 *   [system + description] (text, delimiter, answer, fewshot_delimiter) * k, text [, gen_prefix]
 *
 * The request's continuation begins with target_delimiter (multiple choice), or is the target as it
 * stands (loglikelihood). With a chat template the delimiter is dropped, unless a gen_prefix that
 * does not end in white space precedes it. */
#include "base/hash.h"
#include "base/memory.h"
#include "base/rng.h"
#include "eval/python_text.h"
#include "eval/task_private.h"
#include <string.h>

struct prompt {
    struct task_message *at;
    size_t n, room;
};

static void prompt_clear(struct prompt *p)
{
    for (size_t i = 0; i < p->n; i++)
        base_free(p->at[i].content);
    base_free(p->at);
    *p = (struct prompt){ 0 };
}

/* Takes content (also on failure; NULL means memory ran out). */
static int add(struct prompt *p, const char *role, char *content, const char *delimiter)
{
    if (content && p->n == p->room) {
        size_t room = p->room ? 2 * p->room : 8;
        struct task_message *more = base_realloc(p->at, room, sizeof *more);
        if (more) {
            p->at = more;
            p->room = room;
        }
    }
    if (!content || p->n == p->room) {
        base_free(content);
        return BASE_E_MEMORY;
    }
    p->at[p->n++] = (struct task_message){ role, content, delimiter };
    return 0;
}

/* lm-eval's maybe_delimit: the delimiter only where neither side has white space. */
static char *join(const char *a, const char *b, const char *delimiter)
{
    if (!a || !*a)
        return base_strdup(b ? b : "");
    if (!b || !*b)
        return base_strdup(a);
    bool space = python_ends_with_space(a) || python_begins_with_space(b);
    return base_format("%s%s%s", a, space ? "" : delimiter, b);
}

/* One question, with its answer or with what the answer begins with. */
static int add_turn(struct prompt *p, const char *question, const char *answer,
                    const char *gen_prefix, const char *target_delimiter,
                    const char *fewshot_delimiter)
{
    bool prefix = gen_prefix && *gen_prefix, answered = answer && *answer;
    bool needs = prefix && *question && !python_ends_with_space(question) &&
                 !python_begins_with_space(gen_prefix);
    const char *delimiter = answered && !prefix ? target_delimiter : needs ? target_delimiter : "";
    int rc = add(p, "user", base_strdup(question), delimiter);
    if (answered)
        rc = rc ? rc : add(p, "assistant", join(gen_prefix, answer, " "), fewshot_delimiter);
    else if (prefix)
        rc = rc ? rc : add(p, "assistant", base_strdup(gen_prefix), "");
    return rc;
}

static int join_text(const struct prompt *p, size_t from, struct base_buffer *b)
{
    int rc = base_buffer_puts(b, "");
    for (size_t i = from; rc == 0 && i < p->n; i++) {
        rc = base_buffer_puts(b, p->at[i].content);
        rc = rc ? rc : base_buffer_puts(b, p->at[i].delimiter);
    }
    return rc;
}

static int append_message(json_t *list, const char *role, const char *content)
{
    return json_array_append_new(list, json_pack("{s:s, s:s}", "role", role, "content", content))
               ? base_error_set(BASE_E_MEMORY, "out of memory")
               : 0;
}

/* The prompt's text: joined, or through the chat template. New string. */
static int render(const struct eval_task *t, struct prompt *p, char **out)
{
    struct base_buffer b = { 0 };
    int rc = 0;
    *out = NULL;
    if (!t->options.chat) {
        rc = join_text(p, 0, &b);
        if (rc == 0 && !(*out = base_buffer_take(&b)))
            rc = BASE_E_MEMORY;
        base_buffer_free(&b);
        return rc;
    }
    json_t *list = json_array();
    rc = list ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
    if (t->options
            .chat_single_turn) { /* [system,] one user message [, the assistant's beginning] */
        size_t from = p->n && !strcmp(p->at[0].role, "system"), end = p->n;
        bool begun = end > from && !strcmp(p->at[end - 1].role, "assistant");
        if (from)
            rc = append_message(list, "system", p->at[0].content);
        struct prompt user = { p->at, end - begun, 0 };
        if (user.n > from)
            user.at[user.n - 1].delimiter = "";
        rc = rc ? rc : join_text(&user, from, &b);
        rc = rc ? rc : append_message(list, "user", b.data);
        if (begun)
            rc = rc ? rc : append_message(list, "assistant", p->at[end - 1].content);
    } else {
        for (size_t i = 0; rc == 0 && i < p->n; i++)
            rc = append_message(list, p->at[i].role, p->at[i].content);
    }
    rc = rc ? rc : t->options.chat(t->options.chat_context, list, out);
    base_buffer_free(&b);
    json_decref(list);
    return rc;
}

/* str(value), refusing what cannot be a text. New string. */
static int text_of(const struct eval_task *t, const json_t *value, const char *what, char **out)
{
    struct base_buffer b = { 0 };
    *out = NULL;
    if (json_is_null(value))
        return base_error_set(BASE_E_FORMAT, "%s: %s is null", t->name, what);
    int rc = python_str(&b, value);
    rc = rc ? rc : base_buffer_puts(&b, "");
    if (rc == 0 && strlen(b.data) != b.length)
        rc = base_error_set(BASE_E_FORMAT, "%s: %s holds a NUL character", t->name, what);
    if (rc == 0 && !(*out = base_buffer_take(&b)))
        rc = BASE_E_MEMORY;
    base_buffer_free(&b);
    return rc;
}

/* choices[index], index counted from the end when negative, as Python does; NULL beyond. */
static const json_t *choice_at(const json_t *choices, json_int_t index)
{
    json_int_t n = (json_int_t)json_array_size(choices);
    index += index < 0 ? n : 0;
    return index >= 0 && index < n ? json_array_get(choices, (size_t)index) : NULL;
}

/* A solved example, rendered. */
static int render_example(const struct eval_task *t, struct prompt *p, const json_t *doc)
{
    const struct task_form *f = &t->shot_form;
    json_t *text = NULL, *choices = NULL, *target = NULL;
    char *question = NULL, *answer = NULL, *prefix = NULL;
    int rc = task_doc_text(t, f, doc, &text);
    rc = rc ? rc : task_doc_choices(t, f, doc, &choices);
    rc = rc ? rc : task_doc_target(t, f, doc, &target);
    rc = rc ? rc : task_field_text(&f->gen_prefix, doc, &prefix);
    const json_t *asked = text, *given = target;
    if (rc == 0 && t->multiple_input) {
        asked = json_is_integer(text) ? choice_at(choices, json_integer_value(text)) : NULL;
    } else if (rc == 0 && json_is_integer(target) && choices) {
        given = choice_at(choices, json_integer_value(target));
    } else if (rc == 0 && json_is_array(target)) {
        given = json_array_get(target, 0);
    }
    if (rc == 0 && (!asked || !given))
        rc = base_error_set(BASE_E_FORMAT, "%s: an example's label is not one of its choices",
                            t->name);
    rc = rc ? rc : text_of(t, asked, "doc_to_text", &question);
    rc = rc ? rc : text_of(t, given, "doc_to_target", &answer);
    rc = rc ? rc : add_turn(p, question, answer, prefix, f->target_delimiter, f->fewshot_delimiter);
    base_free(question);
    base_free(answer);
    base_free(prefix);
    json_decref(text);
    json_decref(choices);
    json_decref(target);
    return rc;
}

/* A solved example: rendered when it is first drawn, then copied. */
static int add_example(struct eval_task *t, struct prompt *p, size_t index)
{
    int rc = 0;
    if (!t->shots_ready) {
        t->shots_ready = base_alloc_zero(json_array_size(t->shot_docs), sizeof *t->shots_ready);
        if (!t->shots_ready)
            return BASE_E_MEMORY;
    }
    struct task_shot *shot = &t->shots_ready[index];
    if (shot->n == 0) {
        struct prompt one = { 0 };
        rc = render_example(t, &one, json_array_get(t->shot_docs, index));
        if (rc == 0) { /* one.n is 1 or 2 */
            memcpy(shot->at, one.at, one.n * sizeof *one.at);
            shot->n = one.n;
            one.n = 0; /* its texts are the shot's now */
        }
        prompt_clear(&one);
    }
    for (size_t i = 0; rc == 0 && i < shot->n; i++)
        rc = add(p, shot->at[i].role, base_strdup(shot->at[i].content), shot->at[i].delimiter);
    return rc;
}

/* System prompt and examples: what comes before the document itself. */
static int begin(struct eval_task *t, const json_t *doc, size_t doc_id, struct prompt *p)
{
    char *description = NULL, *system = NULL;
    int rc = task_field_text(&t->description, doc, &description);
    if (rc)
        return base_error_prefix(rc, "%s: description", t->name);
    system = join(t->options.system, description, t->form.fewshot_delimiter);
    base_free(description);
    if (!system)
        return BASE_E_MEMORY;
    if (*system)
        rc = add(p, "system", system, "");
    else
        base_free(system);
    size_t *shots = rc || t->shots == 0 ? NULL : base_alloc(t->shots, sizeof *shots);
    if (rc == 0 && t->shots > 0)
        rc = shots ? task_fewshot_draw(t, doc, doc_id, shots) : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < t->shots; i++)
        rc = add_example(t, p, shots[i]);
    base_free(shots);
    return rc;
}

/* The context for one question: new string; p is as before afterwards. */
static int finish(const struct eval_task *t, struct prompt *p, const char *question,
                  const char *gen_prefix, const char *delimiter, char **out)
{
    size_t n = p->n;
    int rc = add_turn(p, question, NULL, gen_prefix, delimiter, "");
    rc = rc ? rc : render(t, p, out);
    while (p->n > n)
        base_free(p->at[--p->n].content);
    return rc;
}

/* ---- requests ---- */

static struct eval_request *add_request(struct eval_item *item, enum eval_request_kind kind,
                                        char *context, char *continuation)
{
    struct eval_request *r = &item->requests[item->n_requests++];
    *r = (struct eval_request){ .kind = kind, .context = context, .continuation = continuation };
    return r;
}

static bool wants(const struct eval_task *t, const char *metric)
{
    for (size_t i = 0; i < t->n_metrics; i++)
        if (!strcmp(t->metrics[i].base, metric))
            return true;
    return false;
}

/* One request per choice, and for mutual information one more with an empty context. */
static int build_choices(struct eval_task *t, struct eval_item *item, struct prompt *p,
                         const json_t *text, const char *gen_prefix)
{
    size_t n = json_array_size(item->choices);
    bool mutual = wants(t, "acc_mutual_info");
    const char *delimiter = t->form.target_delimiter;
    char *context = NULL, *question = NULL, *target = NULL;
    int rc = 0;
    if (t->options.chat) {
        bool begun = gen_prefix && *gen_prefix && !python_ends_with_space(gen_prefix);
        delimiter = begun ? delimiter : "";
    }
    item->requests = base_alloc_zero(2 * n, sizeof *item->requests);
    if (!item->requests)
        return BASE_E_MEMORY;
    if (t->multiple_input) {
        rc = text_of(t, item->target, "doc_to_target", &target);
    } else {
        rc = text_of(t, text, "doc_to_text", &question);
        rc = rc ? rc : finish(t, p, question, gen_prefix, t->form.target_delimiter, &context);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const char *choice = json_string_value(json_array_get(item->choices, i));
        char *own = NULL;
        if (t->multiple_input)
            rc = finish(t, p, choice, gen_prefix, "", &own);
        else if (!(own = base_strdup(context)))
            rc = BASE_E_MEMORY;
        if (rc == 0 && strlen(choice) != json_string_length(json_array_get(item->choices, i)))
            rc = base_error_set(BASE_E_FORMAT, "%s: a choice holds a NUL character", t->name);
        char *rest = rc ? NULL : base_format("%s%s", delimiter, target ? target : choice);
        struct eval_request *r = add_request(item, EVAL_REQUEST_LOGLIKELIHOOD, own, rest);
        rc = rc || r->continuation ? rc : BASE_E_MEMORY;
    }
    for (size_t i = 0; mutual && rc == 0 && i < n; i++) {
        const char *choice = json_string_value(json_array_get(item->choices, i));
        struct eval_request *r = add_request(item, EVAL_REQUEST_LOGLIKELIHOOD, base_strdup(""),
                                             base_format("%s%s", delimiter, choice));
        rc = r->context && r->continuation ? 0 : BASE_E_MEMORY;
    }
    base_free(context);
    base_free(question);
    base_free(target);
    return rc;
}

static int build_single(struct eval_task *t, struct eval_item *item, struct prompt *p,
                        const json_t *text, const char *gen_prefix)
{
    char *question = NULL;
    int rc;
    item->requests = base_alloc_zero(1, sizeof *item->requests);
    if (!item->requests)
        return BASE_E_MEMORY;
    if (t->output == EVAL_OUTPUT_ROLLING) {
        struct eval_request *r = add_request(item, EVAL_REQUEST_ROLLING, base_strdup(""), NULL);
        rc = r->context ? text_of(t, item->target, "doc_to_target", &r->continuation)
                        : BASE_E_MEMORY;
        return rc;
    }
    bool generate = t->output == EVAL_OUTPUT_GENERATE;
    struct eval_request *r = add_request(
        item, generate ? EVAL_REQUEST_GENERATE : EVAL_REQUEST_LOGLIKELIHOOD, NULL, NULL);
    rc = text_of(t, text, "doc_to_text", &question);
    rc = rc ? rc : finish(t, p, question, gen_prefix, t->form.target_delimiter, &r->context);
    base_free(question);
    if (rc == 0 && generate) {
        struct base_rng rng = base_rng_make(t->options.seed, BASE_RNG_USER + 2, item->doc_id);
        r->generation = &t->generation;
        r->seed = base_rng_u64(&rng);
    } else if (rc == 0) {
        const json_t *target = item->target;
        if (json_is_integer(target) && item->choices)
            target = choice_at(item->choices, json_integer_value(target));
        rc = target ? text_of(t, target, "doc_to_target", &r->continuation)
                    : base_error_set(BASE_E_FORMAT, "%s: the label is not one of the choices",
                                     t->name);
    }
    return rc;
}

static int hash(struct eval_item *item)
{
    struct base_buffer b = { 0 };
    const struct eval_request *first = &item->requests[0];
    const char *prompt = first->kind == EVAL_REQUEST_ROLLING ? first->continuation : first->context;
    int rc = python_json(&b, item->doc);
    rc = rc ? rc : base_sha256(b.data, b.length, item->doc_hash);
    rc = rc ? rc : base_sha256(prompt, strlen(prompt), item->prompt_hash);
    base_buffer_clear(&b);
    rc = rc ? rc : python_str(&b, item->target);
    rc = rc ? rc : base_sha256(b.data ? b.data : "", b.length, item->target_hash);
    base_buffer_free(&b);
    return rc;
}

/* A cluster's name may be a whole passage: a long one is replaced by its hash, which tells clusters
 * apart as well. */
static int shorten(char **name)
{
    char hex[BASE_SHA256_HEX];
    if (!*name || strlen(*name) <= 64)
        return 0;
    int rc = base_sha256(*name, strlen(*name), hex);
    if (rc)
        return rc;
    hex[16] = 0;
    strcpy(*name, hex);
    return 0;
}

int task_prompt_build(struct eval_task *t, struct eval_item *item)
{
    struct prompt p = { 0 };
    json_t *text = NULL;
    char *gen_prefix = NULL;
    int rc = 0;
    item->n_shots = t->shots;
    if (t->output != EVAL_OUTPUT_ROLLING) {
        rc = begin(t, item->doc, item->doc_id, &p);
        rc = rc ? rc : task_doc_text(t, &t->form, item->doc, &text);
        rc = rc ? rc : task_field_text(&t->form.gen_prefix, item->doc, &gen_prefix);
    }
    rc = rc ? rc : task_doc_choices(t, &t->form, item->doc, &item->choices);
    rc = rc ? rc : task_doc_target(t, &t->form, item->doc, &item->target);
    rc = rc ? rc : task_field_text(&t->cluster, item->doc, &item->cluster);
    rc = rc ? rc : shorten(&item->cluster);
    rc = rc ? rc : task_field_text(&t->category, item->doc, &item->category);
    bool choices =
        t->output == EVAL_OUTPUT_MULTIPLE_CHOICE || t->output == EVAL_OUTPUT_CLASSIFICATION;
    const json_t *gold = t->multiple_input ? text : item->target;
    item->gold = rc == 0 && item->choices ? task_gold_index(gold, item->choices) : -1;
    item->gold = item->gold < 0 ? -1 : item->gold;
    if (rc == 0)
        rc = choices ? build_choices(t, item, &p, text, gen_prefix)
                     : build_single(t, item, &p, text, gen_prefix);
    rc = rc ? rc : hash(item);
    prompt_clear(&p);
    json_decref(text);
    base_free(gen_prefix);
    return rc ? base_error_prefix(rc, "document %zu", item->doc_id) : 0;
}
