/* Prompts: templates that are filled from the laboratory's own data.
 *
 *   cloze            an item of a task as a text whose end is to be said
 *   few_shot         an item with k solved examples before it, as turns of a talk
 *   analyze_dataset  a data set, table or endpoint, with a plan (lab_analyze.c)
 *   explain_run      a run's record, with its figures
 *
 * Tasks are opened in a worker: their data may come from the user's directory. A name is looked up
 * among the tasks that the program has; a path is none of them. */
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "mcp/lab.h"
#include <assay/task.h>
#include <string.h>

#define SHOTS_MOST 32

struct argument {
    const char *name, *title, *description;
    bool required;
};
struct prompt {
    const char *name, *title, *description;
    struct argument argument[4];
    int (*make)(struct mcp_lab *l, const json_t *arguments, json_t **result);
    bool store;
};

static int make_cloze(struct mcp_lab *l, const json_t *arguments, json_t **result);
static int make_few_shot(struct mcp_lab *l, const json_t *arguments, json_t **result);
static int make_explain(struct mcp_lab *l, const json_t *arguments, json_t **result);

#define TASK_ARGUMENT                                                                              \
    {                                                                                              \
        "task", "Task", "A task that this program has the data of.", true                          \
    }
#define ITEM_ARGUMENT                                                                              \
    {                                                                                              \
        "item", "Item", "Which of its items, counted from 1; 1 when not given.", false             \
    }
static const struct prompt prompts[] = {
    { "analyze_dataset",
      "Analyze a data set",
      "A data set with what it holds, and a plan for its analysis that follows from its columns.",
      { { "dataset", "Data set",
          "A data set's name, or the assay:// address of a table or an endpoint.", true },
        { "column", "Column", "What is to be explained; none when not given.", false },
        { "question", "Question", "What you want to know.", false } },
      mcp_lab_analyze,
      false },
    { "cloze",
      "Cloze",
      "An item of a task as a text to be continued.",
      { TASK_ARGUMENT, ITEM_ARGUMENT },
      make_cloze,
      false },
    { "explain_run",
      "Explain a run",
      "A run of the store: its figures with their intervals, and its whole record.",
      { { "run", "Run", "The id of a run.", true } },
      make_explain,
      true },
    { "few_shot",
      "Few-shot",
      "An item of a task, with solved examples of the same task before it.",
      { TASK_ARGUMENT,
        { "k", "Examples", "How many, 0 to 32; the task's own number when not given.", false },
        { "seed", "Seed", "Draws the examples; 1234 when not given.", false },
        ITEM_ARGUMENT },
      make_few_shot,
      false },
};
#define PROMPTS (sizeof prompts / sizeof *prompts)

static const struct prompt *find(const struct mcp_lab *l, const char *name)
{
    for (size_t i = 0; i < PROMPTS; i++)
        if (strcmp(prompts[i].name, name) == 0 && (l->store || !prompts[i].store))
            return &prompts[i];
    return NULL;
}

bool mcp_lab_prompt_takes(const struct mcp_lab *l, const char *name, const char *argument)
{
    const struct prompt *p = find(l, name);
    for (size_t i = 0; p && i < 4 && p->argument[i].name; i++)
        if (strcmp(p->argument[i].name, argument) == 0)
            return true;
    return false;
}

int mcp_lab_prompts(void *context, json_t *list)
{
    const struct mcp_lab *l = context;
    for (size_t i = 0; i < PROMPTS; i++) {
        const struct prompt *p = &prompts[i];
        if (p->store && !l->store)
            continue;
        json_t *arguments = json_array();
        int failed = !arguments;
        for (size_t k = 0; k < 4 && p->argument[k].name && !failed; k++) {
            const struct argument *a = &p->argument[k];
            failed = json_array_append_new(
                arguments, json_pack("{s:s, s:s, s:s, s:b}", "name", a->name, "title", a->title,
                                     "description", a->description, "required", (int)a->required));
        }
        failed = failed ||
                 json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:O}", "name", p->name,
                                                       "title", p->title, "description",
                                                       p->description, "arguments", arguments));
        json_decref(arguments);
        if (failed)
            return BASE_E_MEMORY;
    }
    return 0;
}

int mcp_lab_prompt(void *context, const char *name, const json_t *arguments, json_t **result)
{
    struct mcp_lab *l = context;
    const struct prompt *p = find(l, name);
    const char *key;
    json_t *value;
    *result = NULL;
    if (!p)
        return MCP_NOT_MINE;
    json_object_foreach((json_t *)(uintptr_t)arguments, key, value)
    {
        if (!mcp_lab_prompt_takes(l, name, key))
            return base_error_set(BASE_E_ARGUMENT, "%s: it takes no argument \"%.60s\"", name, key);
        if (!json_is_string(value))
            return base_error_set(BASE_E_ARGUMENT, "%s: %s: expected a string", name, key);
    }
    for (size_t i = 0; i < 4 && p->argument[i].name; i++) {
        const char *given = json_string_value(json_object_get(arguments, p->argument[i].name));
        if (p->argument[i].required && (!given || !*given))
            return base_error_set(BASE_E_ARGUMENT, "%s: the argument \"%s\" is missing", name,
                                  p->argument[i].name);
    }
    return p->make(l, arguments, result);
}

/* A number among the arguments; *out stays where it is not given. */
static int number(const json_t *arguments, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const char *text = json_string_value(json_object_get(arguments, name));
    return text && *text ? base_parse_int(text, name, min, max, out) : 0;
}

int mcp_lab_message_add(json_t *messages, const char *role, json_t *content)
{
    return json_array_append_new(messages,
                                 json_pack("{s:s, s:o}", "role", role, "content", content))
               ? BASE_E_MEMORY
               : 0;
}

json_t *mcp_lab_text_content(const char *text, size_t bytes)
{
    return json_pack("{s:s, s:o}", "type", "text", "text", base_json_text(text, bytes));
}

/* ---- tasks ---- */

struct asking {
    const struct mcp_lab *l;
    const char *task;
    enum eval_strategy_kind strategy;
    int64_t k, seed, item;
    json_t *turns; /* what the task gives a chat template, of the item's first request */
};

static int run_tasks(void *context, struct base_buffer *out)
{
    const struct asking *a = context;
    struct eval_task_options options = EVAL_TASK_OPTIONS_DEFAULT;
    options.data = a->l->data;
    json_t *all = NULL, *one, *shown = json_array();
    size_t i;
    int rc = shown ? eval_tasks_list(&options, false, &all) : BASE_E_MEMORY;
    json_array_foreach(all, i, one)
    {
        const char *kind = json_string_value(json_object_get(one, "kind"));
        if (rc || !kind || strcmp(kind, "task") != 0 ||
            json_string_value(json_object_get(one, "missing")))
            continue;
        if (json_array_append_new(shown,
                                  json_pack("{s:O, s:O, s:O}", "name", json_object_get(one, "name"),
                                            "type", json_object_get(one, "type"), "description",
                                            json_object_get(one, "description"))))
            rc = BASE_E_MEMORY;
    }
    json_decref(all);
    if (rc) {
        json_decref(shown);
        return rc;
    }
    return mcp_lab_put(out, shown);
}

/* The chat template that keeps the turns, once. */
static int keep_turns(void *context, const json_t *messages, char **text)
{
    struct asking *a = context;
    if (!a->turns && !(a->turns = json_deep_copy(messages)))
        return BASE_E_MEMORY;
    return (*text = base_strdup("")) ? 0 : BASE_E_MEMORY;
}

/* {"turns", "choices", "shots", "items"} of one item. */
static int run_item(void *context, struct base_buffer *out)
{
    struct asking *a = context;
    size_t wanted = (size_t)a->item - 1;
    struct eval_task_options options = EVAL_TASK_OPTIONS_DEFAULT;
    options.data = a->l->data;
    options.strategy = a->strategy;
    options.fewshot = a->k;
    options.fewshot_seed = (uint64_t)a->seed;
    options.chat = keep_turns;
    options.chat_context = a;
    struct eval_task *t;
    struct eval_item item = { 0 };
    int rc = eval_task_open(&t, a->task, &options);
    if (rc)
        return rc;
    size_t items = eval_task_documents(t);
    if (wanted >= items)
        rc = base_error_set(BASE_E_ARGUMENT, "item %lld: %s has %zu", (long long)a->item, a->task,
                            items);
    for (size_t i = 0; !rc && i <= wanted; i++) {
        eval_item_clear(&item);
        json_decref(a->turns);
        a->turns = NULL;
        rc = eval_task_next(t, &item);
        rc = rc == 1 ? 0 : rc ? rc : base_error_set(BASE_E_ARGUMENT, "%s: no such item", a->task);
    }
    if (!rc && !a->turns)
        rc = base_error_set(BASE_E_UNSUPPORTED,
                            "%s: its items are texts to be scored, not questions", a->task);
    if (!rc)
        rc = mcp_lab_put(out, json_pack("{s:O, s:O?, s:I, s:I}", "turns", a->turns, "choices",
                                        item.choices, "shots", (json_int_t)item.n_shots, "items",
                                        (json_int_t)items));
    eval_item_clear(&item);
    eval_task_free(t);
    json_decref(a->turns);
    a->turns = NULL;
    return rc;
}

static const struct lab_op ops[] = { { "tasks", run_tasks }, { "item", run_item } };
#define OPS (sizeof ops / sizeof *ops)

int mcp_lab_task_tool(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    struct asking a = {
        .l = tool->context,
        .task = json_string_value(json_object_get(arguments, "task")),
        .strategy = json_is_true(json_object_get(arguments, "cloze")) ? EVAL_STRATEGY_CLOZE
                                                                      : EVAL_STRATEGY_ICL,
        .k = json_integer_value(json_object_get(arguments, "k")),
        .seed = json_integer_value(json_object_get(arguments, "seed")),
        .item = json_integer_value(json_object_get(arguments, "item")),
    };
    return mcp_lab_answer(ops, OPS, arguments, &a, out);
}

static int work(struct mcp_lab *l, const struct asking *a,
                int (*run)(void *context, struct base_buffer *out), json_t **out)
{
    struct base_buffer text = { 0 };
    const char *name = a->task ? a->task : "tasks";
    int rc = mcp_lab_work(
        l, "task", name,
        json_pack("{s:s, s:s?, s:b, s:I, s:I, s:I}", "op", mcp_lab_op_name(ops, OPS, run), "task",
                  a->task, "cloze", (int)(a->strategy == EVAL_STRATEGY_CLOZE), "k",
                  (json_int_t)a->k, "seed", (json_int_t)a->seed, "item", (json_int_t)a->item),
        &text);
    if (!rc)
        rc = base_json_parse_wire(out, text.data ? text.data : "", text.length, 0, name);
    base_buffer_free(&text);
    return rc;
}

int mcp_lab_tasks(struct mcp_lab *l, const json_t **tasks)
{
    int rc = 0;
    pthread_mutex_lock(&l->tasks_lock);
    if (!l->tasks)
        rc = work(l, &(struct asking){ 0 }, run_tasks, &l->tasks);
    *tasks = l->tasks;
    pthread_mutex_unlock(&l->tasks_lock);
    return rc;
}

static int task_check(struct mcp_lab *l, const char *name)
{
    const json_t *tasks, *one;
    size_t i;
    int rc = mcp_lab_tasks(l, &tasks);
    if (rc)
        return rc;
    struct base_buffer names = { 0 };
    json_array_foreach(tasks, i, one)
    {
        const char *known = json_string_value(json_object_get(one, "name"));
        if (strcmp(known, name) == 0) {
            base_buffer_free(&names);
            return 0;
        }
        base_buffer_printf(&names, "%s%s", i ? ", " : "", known);
    }
    rc = base_error_set(BASE_E_ARGUMENT,
                        "%.60s: there is no such task, or not its data; there are: %s", name,
                        names.data ? names.data : "none");
    base_buffer_free(&names);
    return rc;
}

/* The turns as messages. MCP knows the user and the assistant: what stands above them all is put
 * before the first. */
static int turns_add(json_t *messages, const json_t *turns)
{
    const char *system = NULL;
    size_t i;
    const json_t *turn;
    int rc = 0;
    json_array_foreach(turns, i, turn)
    {
        const char *role = json_string_value(json_object_get(turn, "role"));
        const char *text = json_string_value(json_object_get(turn, "content"));
        if (rc || !role || !text)
            continue;
        if (strcmp(role, "system") == 0) {
            system = text;
            continue;
        }
        char *whole =
            system && *system
                ? base_format("%s%s%s", system, base_ends_with(system, "\n") ? "\n" : "\n\n", text)
                : base_strdup(text);
        rc = whole ? mcp_lab_message_add(messages, strcmp(role, "assistant") ? "user" : "assistant",
                                         mcp_lab_text_content(whole, strlen(whole)))
                   : BASE_E_MEMORY;
        base_free(whole);
        system = NULL;
    }
    return rc;
}

static int ask(struct mcp_lab *l, const json_t *arguments, struct asking *a, json_t **item)
{
    *a = (struct asking){ .l = l,
                          .task = json_string_value(json_object_get(arguments, "task")),
                          .strategy = a->strategy,
                          .k = -1,
                          .seed = 1234,
                          .item = 1 };
    int rc = number(arguments, "item", 1, INT32_MAX, &a->item);
    if (!rc)
        rc = number(arguments, "k", 0, SHOTS_MOST, &a->k);
    if (!rc)
        rc = number(arguments, "seed", 0, INT64_MAX, &a->seed);
    if (!rc)
        rc = task_check(l, a->task);
    return rc ? rc : work(l, a, run_item, item);
}

static int make_few_shot(struct mcp_lab *l, const json_t *arguments, json_t **result)
{
    struct asking a = { .strategy = EVAL_STRATEGY_ICL };
    json_t *item = NULL, *messages = json_array();
    int rc = messages ? ask(l, arguments, &a, &item) : BASE_E_MEMORY;
    if (!rc)
        rc = turns_add(messages, json_object_get(item, "turns"));
    if (!rc) {
        json_int_t shots = json_integer_value(json_object_get(item, "shots"));
        char *what = base_format("%s, item %lld of %lld after %lld solved example%s (seed %lld)",
                                 a.task, (long long)a.item,
                                 (long long)json_integer_value(json_object_get(item, "items")),
                                 (long long)shots, shots == 1 ? "" : "s", (long long)a.seed);
        *result = what ? json_pack("{s:s, s:O}", "description", what, "messages", messages) : NULL;
        base_free(what);
        rc = *result ? 0 : BASE_E_MEMORY;
    }
    json_decref(item);
    json_decref(messages);
    return rc;
}

static int make_cloze(struct mcp_lab *l, const json_t *arguments, json_t **result)
{
    struct asking a = { .strategy = EVAL_STRATEGY_CLOZE };
    json_t *item = NULL, *messages = json_array();
    struct base_buffer text = { 0 };
    size_t i;
    const json_t *turn, *choice;
    int rc = messages ? ask(l, arguments, &a, &item) : BASE_E_MEMORY;
    if (!rc)
        rc = base_buffer_puts(&text, "Say what the text below goes on with. Answer with the "
                                     "continuation alone, nothing before or after it.\n");
    const json_t *choices = json_object_get(item, "choices");
    json_array_foreach(choices, i, choice)
    {
        const char *one = json_string_value(choice);
        rc = rc ? rc
                : base_buffer_printf(&text, "%s%s", i ? " | " : "It is one of: ", one ? one : "?");
    }
    if (!rc)
        rc = base_buffer_puts(&text, json_array_size(choices) ? "\n\n" : "\n");
    json_array_foreach(json_object_get(item, "turns"), i, turn)
    {
        const char *part = json_string_value(json_object_get(turn, "content"));
        rc = rc ? rc : base_buffer_puts(&text, part ? part : "");
    }
    if (!rc)
        rc = mcp_lab_message_add(messages, "user", mcp_lab_text_content(text.data, text.length));
    if (!rc) {
        char *what = base_format("%s, item %lld of %lld as a text to be continued", a.task,
                                 (long long)a.item,
                                 (long long)json_integer_value(json_object_get(item, "items")));
        *result = what ? json_pack("{s:s, s:O}", "description", what, "messages", messages) : NULL;
        base_free(what);
        rc = *result ? 0 : BASE_E_MEMORY;
    }
    base_buffer_free(&text);
    json_decref(item);
    json_decref(messages);
    return rc;
}

/* ---- resources in messages ---- */

int mcp_lab_embed(struct mcp_lab *l, const char *uri, const char *what, json_t **content,
                  json_t **value)
{
    json_t *contents;
    *content = *value = NULL;
    int rc = mcp_lab_read(l, uri, &contents);
    if (rc == MCP_NOT_MINE)
        return base_error_set(BASE_E_ARGUMENT, "%.200s: there is no such %s", uri, what);
    if (rc)
        return rc;
    json_t *first = json_array_get(contents, 0);
    const json_t *text = json_object_get(first, "text");
    rc = base_json_parse_wire(value, json_string_value(text), json_string_length(text), 0, uri);
    if (!rc && !(*content = json_pack("{s:s, s:O}", "type", "resource", "resource", first)))
        rc = BASE_E_MEMORY;
    json_decref(contents);
    return rc;
}

/* ---- runs ---- */

static int say_results(struct base_buffer *b, const json_t *results)
{
    const char *task, *metric;
    json_t *metrics, *one;
    int rc = 0;
    json_object_foreach((json_t *)(uintptr_t)results, task, metrics)
        json_object_foreach(metrics, metric, one)
    {
        const json_t *value = json_object_get(one, "value"), *ci = json_object_get(one, "ci");
        if (rc || !json_is_number(value) || b->length > 8000)
            continue;
        rc = base_buffer_printf(b, "- %s, %s: %.4g", task, metric, json_number_value(value));
        if (!rc && json_is_number(json_array_get(ci, 0)) && json_is_number(json_array_get(ci, 1)))
            rc = base_buffer_printf(b, " [%.4g, %.4g]", json_number_value(json_array_get(ci, 0)),
                                    json_number_value(json_array_get(ci, 1)));
        if (!rc && json_is_integer(json_object_get(one, "n")))
            rc = base_buffer_printf(b, ", n = %lld",
                                    (long long)json_integer_value(json_object_get(one, "n")));
        rc = rc ? rc : base_buffer_puts(b, "\n");
    }
    return rc;
}

static int make_explain(struct mcp_lab *l, const json_t *arguments, json_t **result)
{
    const char *id = json_string_value(json_object_get(arguments, "run"));
    struct base_buffer text = { 0 };
    json_t *content = NULL, *value = NULL, *messages = json_array();
    char *uri = mcp_lab_uri("assay://runs/{id}", id, NULL), *what = NULL;
    int rc = messages && uri ? mcp_lab_embed(l, uri, "run", &content, &value) : BASE_E_MEMORY;
    if (!rc) {
        const json_t *model = json_object_get(value, "model");
        const char *name = json_is_object(model)
                               ? json_string_value(json_object_get(model, "model"))
                               : json_string_value(model);
        what = base_format("Run %s of %s", id, name ? name : "a model");
        rc = what ? base_buffer_printf(&text,
                                       "Explain run %s of %s to somebody who has to decide by it.\n"
                                       "\nWhat it measured, with intervals:\n",
                                       id, name ? name : "a model")
                  : BASE_E_MEMORY;
    }
    if (!rc)
        rc = say_results(&text, json_object_get(value, "results"));
    if (!rc)
        rc = base_buffer_puts(&text, "\nSay what each figure means, how sure it is, against which "
                                     "baseline (chance, an earlier run) it has to be held, and "
                                     "what the run's settings (below) let it say and what not. Its "
                                     "samples are read as assay://runs/ID/samples/TASK/FROM-TO: "
                                     "look at some that were judged wrong.\n");
    if (!rc)
        rc = mcp_lab_message_add(messages, "user", mcp_lab_text_content(text.data, text.length));
    if (!rc) {
        rc = mcp_lab_message_add(messages, "user", content);
        content = NULL;
    }
    if (!rc) {
        *result = json_pack("{s:s, s:O}", "description", what, "messages", messages);
        rc = *result ? 0 : BASE_E_MEMORY;
    }
    base_buffer_free(&text);
    base_free(uri);
    base_free(what);
    json_decref(content);
    json_decref(value);
    json_decref(messages);
    return rc;
}
