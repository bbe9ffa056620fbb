/* assay tasks: which tasks there are, whether a task file is right, and what a task asks. */
#include "base/json.h"
#include "base/memory.h"
#include "cli/display.h"
#include <assay/task.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_tasks = {
    .name = "tasks",
    .synopsis = "[validate FILE... | show NAME] [options]",
    .summary = "List evaluation tasks, validate task files, show exact prompts",
    .details =
        "Without more words, lists the tasks `assay eval` knows: name, type, items, what it is, "
        "and where its data is or what is missing. Some tasks have their data built in; for others "
        "--data names the directory (or several, divided by ':') that holds the files. --include "
        "adds a directory of lm-eval task files.\n\n"
        "validate reads task files: every key is checked and every template compiled; with "
        "--data the data is read and every item is built, too. A file that Assay cannot run is "
        "refused with the line and the reason.\n\n"
        "show prints the requests of a task's first items as a model gets them. The join between "
        "context and continuation is marked, blanks at it are made visible.\n\n"
        "  assay tasks --data sets\n"
        "  assay tasks validate my_task.yaml\n"
        "  assay tasks show sentiment --strategy icl --items 1",
    .run = run,
};

struct arguments {
    const char *data, *include, *strategy, *rng;
    int64_t items, shots, seed;
    bool balanced, count;
};

static int options_of(const struct arguments *a, struct eval_task_options *o)
{
    static const char *const strategies[] = { "task", "instruction", "cloze", "icl" };
    size_t i = 0;
    *o = (struct eval_task_options)EVAL_TASK_OPTIONS_DEFAULT;
    o->data = a->data;
    o->include = a->include;
    o->fewshot = a->shots;
    o->fewshot_seed = (uint64_t)a->seed;
    o->fewshot_balanced = a->balanced;
    while (i < 4 && strcmp(strategies[i], a->strategy) != 0)
        i++;
    if (i == 4)
        return cli_usage(&cli_command_tasks,
                         "--strategy %s: choose task, instruction, cloze or icl", a->strategy);
    o->strategy = (enum eval_strategy_kind)i;
    o->fewshot_python = !strcmp(a->rng, "python");
    if (!o->fewshot_python && strcmp(a->rng, "assay") != 0)
        return cli_usage(&cli_command_tasks, "--fewshot-rng %s: choose assay or python", a->rng);
    if (a->shots < -1 || a->items < 0 || a->seed < 0)
        return cli_usage(&cli_command_tasks,
                         "--num-fewshot, --items and --fewshot-seed must not be negative");
    return 0;
}

/* ---- list ---- */

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* "a, b, c" of a list of strings. New string. */
static char *joined(const json_t *list)
{
    struct base_buffer b = { 0 };
    const json_t *one;
    size_t i;
    int rc = base_buffer_puts(&b, "");
    json_array_foreach((json_t *)(uintptr_t)list, i, one) rc =
        rc ? rc : base_buffer_printf(&b, "%s%s", i ? ", " : "", json_string_value(one));
    if (rc == 0)
        return base_buffer_take(&b);
    base_buffer_free(&b);
    return NULL;
}

static int list_tasks(const struct arguments *a)
{
    struct eval_task_options o;
    json_t *list = NULL, *one;
    size_t i;
    int rc = options_of(a, &o);
    if (rc)
        return rc;
    if (eval_tasks_list(&o, a->count, &list))
        return cli_fail(&cli_command_tasks);
    if (cli_common.json)
        return cli_print_json(&cli_command_tasks, json_pack("{s:o}", "tasks", list));
    static const struct cli_column columns[] = { { "task", false, false },
                                                 { "type", false, false },
                                                 { "items", true, false },
                                                 { "what", false, true } };
    struct cli_table ready = { .columns = columns, .n_columns = 4 };
    struct base_buffer b = { 0 }, rest = { 0 };
    json_array_foreach(list, i, one)
    {
        const char *kind = text_at(one, "kind"), *missing = text_at(one, "missing");
        if (strcmp(kind, "task") != 0) {
            char *members = joined(json_object_get(one, "members"));
            cli_table_add(&ready, "%s", text_at(one, "name"));
            cli_table_add(&ready, "%s", kind);
            cli_table_add(&ready, "%s", "");
            cli_table_add(&ready, "%s", members ? members : "");
            base_free(members);
        } else if (*missing) {
            rc = rc ? rc : base_buffer_printf(&rest, "  %s: %s\n", text_at(one, "name"), missing);
        } else {
            const json_t *items = json_object_get(one, "items");
            cli_table_add(&ready, "%s", text_at(one, "name"));
            cli_table_add(&ready, "%s", text_at(one, "type"));
            if (json_is_integer(items))
                cli_table_add(&ready, "%lld", (long long)json_integer_value(items));
            else
                cli_table_add(&ready, "%s", "");
            cli_table_add(&ready, "%s", text_at(one, "description"));
        }
    }
    rc = rc ? rc : cli_table_append(&b, &ready);
    if (rest.length)
        rc = rc ? rc : base_buffer_printf(&b, "\n  Not ready:\n%s", rest.data);
    base_buffer_free(&rest);
    json_decref(list);
    return cli_print_text(&cli_command_tasks, &b, rc);
}

/* ---- validate ---- */

struct verdict {
    bool valid;
    int64_t items;    /* built, or -1 when there was no data */
    const char *note; /* the fault, or why there was no data; valid until the next */
};

/* Keys and templates; where the data is found, every item too. */
static struct verdict validate_one(const char *name, const struct eval_task_options *o)
{
    struct verdict v = { .items = -1 };
    struct eval_task *t = NULL;
    struct eval_item item;
    int more = 0;
    if (eval_task_check(name, o, NULL)) {
        v.note = base_error_message();
        return v;
    }
    int rc = eval_task_open(&t, name, o);
    while (rc == 0 && (more = eval_task_next(t, &item)) > 0)
        eval_item_clear(&item);
    /* A file that is not there is no fault of the description, unless --data says where it is. */
    v.valid = rc == 0 ? more == 0 : rc == BASE_E_IO && !o->data;
    v.note = rc || more ? base_error_message() : NULL;
    if (v.valid && rc == 0)
        v.items = (int64_t)eval_task_count(t);
    eval_task_free(t);
    return v;
}

static int validate(const struct arguments *a, char **files, int n)
{
    struct eval_task_options o;
    struct base_buffer b = { 0 };
    json_t *list = json_array();
    int rc = options_of(a, &o), bad = 0, failed = 0;
    if (rc == 0 && n == 0)
        rc = cli_usage(&cli_command_tasks, "validate: give at least one FILE or task name");
    for (int i = 0; rc == 0 && failed == 0 && i < n; i++) {
        char **names = NULL;
        size_t count = 0;
        if (eval_tasks_expand(files[i], &o, &names, &count)) {
            bad++;
            json_array_append_new(list, json_pack("{s:s, s:b, s:n, s:s}", "task", files[i], "valid",
                                                  0, "items", "note", base_error_message()));
            failed = base_buffer_printf(&b, "refused  %s\n", base_error_message());
            continue;
        }
        for (size_t k = 0; failed == 0 && k < count; k++) {
            struct verdict v = validate_one(names[k], &o);
            bad += !v.valid;
            json_array_append_new(list, json_pack("{s:s, s:b, s:o, s:s?}", "task", names[k],
                                                  "valid", v.valid, "items",
                                                  v.items < 0 ? json_null() : json_integer(v.items),
                                                  "note", v.note));
            if (!v.valid)
                failed = base_buffer_printf(&b, "refused  %s\n", v.note);
            else if (v.items >= 0)
                failed = base_buffer_printf(&b, "valid    %s: %lld items\n", names[k],
                                            (long long)v.items);
            else
                failed =
                    base_buffer_printf(&b, "valid    %s; data not read: %s\n", names[k], v.note);
        }
        eval_names_free(names, count);
    }
    if (rc) {
        json_decref(list);
        base_buffer_free(&b);
        return rc;
    }
    if (cli_common.json) {
        base_buffer_free(&b);
        rc = cli_print_json(&cli_command_tasks, json_pack("{s:o}", "files", list));
    } else {
        json_decref(list);
        rc = cli_print_text(&cli_command_tasks, &b, failed);
    }
    return rc ? rc : bad ? 1 : 0;
}

/* ---- show ---- */

/* A text on lines of its own after a bar, as it is; its last line is left open. */
static int append_context(struct base_buffer *b, const char *s)
{
    int rc = base_buffer_puts(b, "    | ");
    for (; rc == 0 && *s; s++)
        rc = *s == '\n' ? base_buffer_puts(b, "\n    | ") : base_buffer_append(b, s, 1);
    return rc;
}

/* The end of the context, the join, and the continuation with its blanks made visible. */
static int append_join(struct base_buffer *b, const char *context, const char *continuation)
{
    size_t shown = 0;
    const char *line = strrchr(context, '\n');
    const char *tail = line ? line + 1 : context;
    int rc = 0;
    if (strlen(tail) > 24)
        shown = strlen(tail) - 24;
    while (((unsigned char)tail[shown] & 0xc0) == 0x80)
        shown++;
    rc = base_buffer_printf(b, "%s%s\u25ba", shown ? "\u2026" : "", tail + shown);
    for (const char *s = continuation; rc == 0 && *s; s++) {
        bool edge = s == continuation || s[-1] == ' ' || s[1] == 0;
        rc = *s == ' ' && edge ? base_buffer_puts(b, "\u2423")
             : *s == '\n'      ? base_buffer_puts(b, "\\n")
             : *s == '\t'      ? base_buffer_puts(b, "\\t")
                               : base_buffer_append(b, s, 1);
    }
    return rc;
}

static int append_item(struct base_buffer *b, const struct eval_item *item)
{
    int rc = base_buffer_printf(b, "\n  item %zu, %zu request%s, %zu example%s, hash %.12s\n",
                                item->doc_id, item->n_requests, item->n_requests == 1 ? "" : "s",
                                item->n_shots, item->n_shots == 1 ? "" : "s", item->doc_hash);
    const char *last = NULL;
    for (size_t i = 0; rc == 0 && i < item->n_requests; i++) {
        const struct eval_request *r = &item->requests[i];
        if (r->kind == EVAL_REQUEST_ROLLING)
            return append_context(b, r->continuation) || base_buffer_puts(b, "\n") ? BASE_E_MEMORY
                                                                                   : 0;
        if (!last || strcmp(last, r->context) != 0) {
            rc = append_context(b, r->context);
            rc = rc ? rc : base_buffer_puts(b, "\u25ba\n");
        }
        last = r->context;
        if (r->kind == EVAL_REQUEST_GENERATE) {
            for (size_t k = 0; rc == 0 && k < r->generation->n_until; k++) {
                rc = base_buffer_puts(b, k ? ", " : "    generates up to ");
                rc = rc ? rc
                        : cli_append_visible(b, r->generation->until[k],
                                             strlen(r->generation->until[k]), 0);
            }
            rc = rc ? rc
                    : base_buffer_printf(
                          b, "%s%zu tokens, %s, %zu response%s\n",
                          r->generation->n_until ? " or " : "    generates up to ",
                          r->generation->max_tokens, r->generation->sample ? "sampled" : "greedy",
                          r->generation->repeats, r->generation->repeats == 1 ? "" : "s");
            continue;
        }
        rc = rc ? rc
                : base_buffer_printf(b, "    %2zu %s ", i, item->gold == (int64_t)i ? "*" : " ");
        rc = rc ? rc : append_join(b, r->context, r->continuation);
        rc = rc ? rc : base_buffer_puts(b, "\n");
    }
    return rc;
}

static json_t *item_json(const struct eval_item *item)
{
    static const char *const kinds[] = { "loglikelihood", "loglikelihood_rolling",
                                         "generate_until" };
    json_t *requests = json_array();
    for (size_t i = 0; i < item->n_requests; i++) {
        const struct eval_request *r = &item->requests[i];
        json_array_append_new(requests,
                              json_pack("{s:s, s:s, s:s?}", "kind", kinds[r->kind], "context",
                                        r->context, "continuation", r->continuation));
    }
    return json_pack("{s:I, s:O, s:O, s:O?, s:o, s:I, s:s, s:s, s:s, s:s?, s:s?, s:o}", "doc_id",
                     (json_int_t)item->doc_id, "doc", item->doc, "target", item->target, "choices",
                     item->choices, "gold", item->gold < 0 ? json_null() : json_integer(item->gold),
                     "shots", (json_int_t)item->n_shots, "doc_hash", item->doc_hash, "prompt_hash",
                     item->prompt_hash, "target_hash", item->target_hash, "cluster", item->cluster,
                     "category", item->category, "requests", requests);
}

static int show(const struct arguments *a, const char *name)
{
    struct eval_task_options o;
    struct eval_task *t = NULL;
    struct eval_item item;
    struct base_buffer b = { 0 };
    json_t *items = json_array(), *config = NULL;
    int more = 0, rc = options_of(a, &o);
    if (rc)
        return rc;
    rc = eval_task_open(&t, name, &o);
    config = rc ? NULL : eval_task_config(t);
    if (rc == 0) {
        const json_t *used = json_object_get(config, "assay");
        char *metrics = joined(json_object_get(used, "metrics"));
        rc = base_buffer_printf(&b, "%s: %s, %zu items\n  metrics %s\n  data    %s\n  file    %s\n",
                                eval_task_name(t), text_at(config, "output_type"),
                                eval_task_count(t), metrics ? metrics : "", text_at(used, "data"),
                                text_at(used, "file"));
        base_free(metrics);
    }
    for (int64_t i = 0; rc == 0 && (a->items == 0 || i < a->items); i++) {
        if ((more = eval_task_next(t, &item)) <= 0)
            break;
        if (cli_common.json)
            rc = json_array_append_new(items, item_json(&item)) ? BASE_E_MEMORY : 0;
        else
            rc = append_item(&b, &item);
        eval_item_clear(&item);
    }
    rc = rc ? rc : more < 0 ? more : 0;
    if (rc == 0 && !cli_common.json)
        rc = base_buffer_puts(&b,
                              "\n  \u25ba is where the context ends, \u2423 a blank at the join; "
                              "* marks the right choice.\n");
    size_t count = rc ? 0 : eval_task_count(t);
    char *own = rc ? NULL : base_strdup(eval_task_name(t));
    eval_task_free(t);
    if (cli_common.json && rc == 0) {
        base_buffer_free(&b);
        rc = cli_print_json(&cli_command_tasks,
                            json_pack("{s:s, s:I, s:o, s:o}", "task", own ? own : name, "count",
                                      (json_int_t)count, "config", config, "items", items));
        base_free(own);
        return rc;
    }
    base_free(own);
    json_decref(config);
    json_decref(items);
    return cli_print_text(&cli_command_tasks, &b, rc);
}

static int run(int argc, char **argv)
{
    struct arguments a = {
        .strategy = "task", .rng = "assay", .items = 2, .shots = -1, .seed = 1234, .count = true
    };
    const struct cli_option options[] = {
        { "data", 0, CLI_STRING, &a.data, "DIR", "where tasks' data files are (several: A:B)" },
        { "include", 0, CLI_STRING, &a.include, "DIR", "more task files (lm-eval's YAML)" },
        { "items", 0, CLI_INT, &a.items, "N", "show: how many items; 0 is all (2)" },
        { "strategy", 0, CLI_STRING, &a.strategy, "NAME",
          "show: as task (default), instruction, cloze or icl" },
        { "num-fewshot", 0, CLI_INT, &a.shots, "K", "show: examples; as the task says by default" },
        { "fewshot-seed", 0, CLI_INT, &a.seed, "N", "seed of the draw of examples (1234)" },
        { "fewshot-rng", 0, CLI_STRING, &a.rng, "NAME",
          "assay (default), or python: the examples that lm-eval draws" },
        { "balanced", 0, CLI_FLAG, &a.balanced, NULL, "draw as many examples of every label" },
        { "count", 0, CLI_FLAG, &a.count, NULL, "list: count items (default; reads the data)" },
        { 0 },
    };
    int n = 0, rc = cli_parse(&cli_command_tasks, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n == 0)
        return list_tasks(&a);
    if (!strcmp(argv[1], "validate"))
        return validate(&a, argv + 2, n - 1);
    if (!strcmp(argv[1], "show") && n == 2)
        return show(&a, argv[2]);
    if (!strcmp(argv[1], "show"))
        return cli_usage(&cli_command_tasks, "show: give one task's NAME or FILE");
    if (!strcmp(argv[1], "list") && n == 1)
        return list_tasks(&a);
    return cli_usage(&cli_command_tasks, "%s: choose list, validate or show", argv[1]);
}
