/* assay runs: what is in the store. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/display.h"
#include "eval/store.h"
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_runs = {
    .name = "runs",
    .synopsis = "[options] [list | show RUN | delete ID... | import RUN...]",
    .summary = "List, show, import and delete the runs of the store",
    .details =
        "The store keeps every run of `assay eval`: configuration, hashes, metrics with intervals, "
        "the score of every item, and the samples. It is an SQLite file, or a PostgreSQL database "
        "for a team (--store postgresql://...); the default is $ASSAY_STORE, else "
        "$XDG_DATA_HOME/assay/store.sqlite, else ~/.local/share/assay/store.sqlite. A directory of "
        "results holds all of it too: the store can be deleted and filled again by import, which "
        "takes lm-eval's directories and files as well.\n\n"
        "  assay runs\n"
        "  assay runs show 3fa2\n"
        "  assay runs import results/gpt2 lm-eval-out/pythia\n"
        "  assay runs delete 3fa2c1d08b77",
    .run = run,
};

static json_t *get(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(get(object, key));
    return text ? text : "";
}

/* ---- list ---- */

/* A line per task: name, items, its first metric with interval; 78 columns. */
static int lay_out_task(struct base_buffer *b, const char *name, const json_t *task)
{
    enum { NAME = 24 };
    const json_t *value = get(task, "value"), *ci = get(task, "ci");
    const json_t *low = json_array_get(ci, 0), *high = json_array_get(ci, 1);
    size_t before = b->length;
    int rc = base_buffer_puts(b, "    ");
    if (rc == 0)
        rc = cli_append_visible(b, name, strlen(name), NAME);
    int used = rc ? 0 : base_utf8_columns(b->data + before, b->length - before);
    if (rc == 0)
        rc = base_buffer_printf(b, "%*s%8lld  %-12s", NAME + 4 - used, "",
                                (long long)json_integer_value(get(task, "n")),
                                text_of(task, "metric"));
    if (rc == 0 && json_is_number(value))
        rc = base_buffer_printf(b, "%7.4f", json_number_value(value));
    if (rc == 0 && json_is_number(low) && json_is_number(high))
        rc = base_buffer_printf(b, "  (%.4f .. %.4f)", json_number_value(low),
                                json_number_value(high));
    return rc ? rc : base_buffer_puts(b, "\n");
}

static int lay_out_list(struct base_buffer *b, const char *store, const json_t *runs)
{
    enum { MOST = 6 }; /* tasks of a run that are listed */
    const json_t *one;
    size_t i, n = json_array_size(runs);
    int rc = 0;
    json_array_foreach(runs, i, one)
    {
        json_t *tasks = get(one, "tasks"), *task;
        const char *name, *time = text_of(one, "time"), *model = text_of(one, "model");
        size_t k = 0, count = json_object_size(tasks);
        rc = base_buffer_printf(b, "  %s  %.10s %.5s  ", text_of(one, "id"), time,
                                strlen(time) < 16 ? "" : time + 11);
        if (rc == 0)
            rc = cli_append_visible(b, model, strlen(model), cli_columns() - 35);
        if (rc == 0)
            rc = base_buffer_puts(b, "\n");
        json_object_foreach(tasks, name, task)
        {
            if (rc || (k == MOST && count > MOST + 1))
                break;
            rc = lay_out_task(b, name, task);
            k++;
        }
        if (rc == 0 && k < count)
            rc = base_buffer_printf(b, "    and %zu more (assay runs show %.6s)\n", count - k,
                                    text_of(one, "id"));
        if (rc)
            return rc;
    }
    return base_buffer_printf(b, "%s  %zu run%s in %s\n", n ? "\n" : "", n, n == 1 ? "" : "s",
                              store);
}

/* A store that nobody made yet has no runs. */
static bool is_absent(const char *store)
{
    char *path = store ? base_strdup(store) : eval_store_default();
    bool absent = path && !strstr(path, "://") && !strchr(path, '=') && !base_file_exists(path);
    base_free(path);
    return absent;
}

static int list(const char *store)
{
    struct eval_store *s = NULL;
    json_t *runs = NULL;
    int rc = 0;
    bool absent = is_absent(store);
    char *name = absent && !store ? eval_store_default() : base_strdup(store ? store : "");
    if (!name)
        rc = BASE_E_MEMORY;
    else if (absent)
        runs = json_array();
    else if ((rc = eval_store_open(&s, store, EVAL_STORE_READ)) == 0)
        rc = eval_store_list(s, &runs);
    if (rc) {
        rc = cli_fail(&cli_command_runs);
    } else if (cli_common.json) {
        rc = cli_print_json(
            &cli_command_runs,
            json_pack("{s:s, s:O}", "store", s ? eval_store_name(s) : name, "runs", runs));
    } else {
        struct base_buffer b = { 0 };
        rc = lay_out_list(&b, s ? eval_store_name(s) : name, runs);
        rc = cli_print_text(&cli_command_runs, &b, rc);
    }
    json_decref(runs);
    base_free(name);
    eval_store_close(s);
    return rc;
}

/* ---- show ---- */

static int add_line(struct base_buffer *b, const char *name, const json_t *value)
{
    char *text = NULL;
    const char *shown = json_string_value(value);
    if (!value || json_is_null(value) || (shown && !*shown))
        return 0;
    if (!shown && !(shown = text = base_json_dump(value, false)))
        return BASE_E_MEMORY;
    int rc = base_buffer_printf(b, "  %-12s", name);
    if (rc == 0)
        rc = cli_append_visible(b, shown, strlen(shown), cli_columns() - 15);
    base_free(text);
    return rc ? rc : base_buffer_puts(b, "\n");
}

static int lay_out_run(struct base_buffer *b, const struct eval_run *r)
{
    static const char *const lines[] = { "id", "time", "source", "parent", "directory" };
    const json_t *record = eval_run_record(r), *model = get(eval_run_config(r), "model");
    int rc = add_line(b, "model", get(record, "model"));
    for (size_t i = 0; i < sizeof lines / sizeof *lines && rc == 0; i++)
        rc = add_line(b, lines[i], get(record, lines[i]));
    if (rc == 0)
        rc = add_line(b, "weights", get(model, "hash"));
    if (rc == 0)
        rc = add_line(b, "tokenizer", get(model, "tokenizer_hash"));
    if (rc == 0)
        rc = add_line(b, "command", get(eval_run_config(r), "command"));
    if (rc || (rc = base_buffer_puts(b, "\n")))
        return rc;
    const struct cli_column columns[] = {
        { "task", false, true },    { "metric", false, false }, { "filter", false, false },
        { "n", true, false },       { "value", true, false },   { "95 % interval", false, false },
        { "method", false, false },
    };
    struct cli_table t = { .columns = columns, .n_columns = 7 };
    const char *const *names, *key;
    json_t *m;
    size_t n = eval_run_tasks(r, &names);
    for (size_t i = 0; i < n; i++)
        json_object_foreach(get(eval_run_results(r), names[i]), key, m)
        {
            if (!get(m, "value"))
                continue;
            const char *comma = strchr(key, ',');
            const json_t *ci = get(m, "ci"), *count = get(m, "n");
            cli_table_add(&t, "%s", names[i]);
            cli_table_add(&t, "%.*s", comma ? (int)(comma - key) : (int)strlen(key), key);
            cli_table_add(&t, "%s", comma ? comma + 1 : text_of(m, "filter"));
            if (count)
                cli_table_add(&t, "%lld", (long long)json_integer_value(count));
            else
                cli_table_add(&t, "%s", "");
            if (json_is_number(get(m, "value")))
                cli_table_add(&t, "%.4f", json_number_value(get(m, "value")));
            else
                cli_table_add(&t, "-");
            if (json_is_number(json_array_get(ci, 0)) && json_is_number(json_array_get(ci, 1)))
                cli_table_add(&t, "%.4f .. %.4f", json_number_value(json_array_get(ci, 0)),
                              json_number_value(json_array_get(ci, 1)));
            else
                cli_table_add(&t, "none");
            cli_table_add(&t, "%s", text_of(m, "method"));
        }
    return cli_table_append(b, &t);
}

static int show(const char *where, const char *store)
{
    struct eval_run *r;
    int rc = eval_run_open(&r, where, store);
    if (rc)
        return cli_fail(&cli_command_runs);
    if (cli_common.json) {
        json_t *o = json_copy((json_t *)(uintptr_t)eval_run_record(r));
        if (o && (json_object_set(o, "config", (json_t *)(uintptr_t)eval_run_config(r)) ||
                  json_object_set(o, "results", (json_t *)(uintptr_t)eval_run_results(r)))) {
            json_decref(o);
            o = NULL;
        }
        rc = cli_print_json(&cli_command_runs, o);
    } else {
        struct base_buffer b = { 0 };
        rc = lay_out_run(&b, r);
        rc = cli_print_text(&cli_command_runs, &b, rc);
    }
    eval_run_close(r);
    return rc;
}

/* ---- import, delete ---- */

static int print_done(const char *verb, json_t *list, const struct base_buffer *text)
{
    if (cli_common.json)
        return cli_print_json(&cli_command_runs, json_pack("{s:O}", verb, list));
    struct base_buffer b = { 0 };
    int rc = base_buffer_append(&b, text->data ? text->data : "", text->length);
    return cli_print_text(&cli_command_runs, &b, rc);
}

static int import(const char *const *where, size_t n, const char *store)
{
    json_t *list = json_array();
    struct base_buffer text = { 0 };
    int rc = 0, failed = 0;
    for (size_t i = 0; i < n && rc >= 0; i++) {
        char *id;
        if ((rc = eval_store_import(store, where[i], &id)) < 0)
            break;
        failed |= json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "run", id, "from",
                                                        where[i], "new", rc == 0)) ||
                  base_buffer_printf(&text, "  %s  %s%s\n", id, where[i],
                                     rc ? "  (was there already)" : "");
        base_free(id);
    }
    if (rc < 0)
        rc = cli_fail(&cli_command_runs); /* what came before it is in the store */
    else
        rc = print_done("imported", failed ? NULL : list, &text);
    json_decref(list);
    base_buffer_free(&text);
    return rc;
}

static int delete (const char *const *ids, size_t n, const char *store)
{
    struct eval_store *s = NULL;
    json_t *list = json_array();
    struct base_buffer text = { 0 };
    int rc = eval_store_open(&s, store, EVAL_STORE_READ), failed = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        char *id = NULL;
        if ((rc = eval_store_find(s, ids[i], &id)) == 0)
            rc = eval_store_delete(s, id);
        if (rc == 0)
            failed |= json_array_append_new(list, json_string(id)) ||
                      base_buffer_printf(&text, "  deleted %s from %s\n", id, eval_store_name(s));
        base_free(id);
    }
    rc = rc ? cli_fail(&cli_command_runs) : print_done("deleted", failed ? NULL : list, &text);
    json_decref(list);
    base_buffer_free(&text);
    eval_store_close(s);
    return rc;
}

static int run(int argc, char **argv)
{
    const char *store = NULL;
    int n;
    const struct cli_option options[] = {
        { "store", 0, CLI_STRING, &store, "FILE|URL",
          "An SQLite file or postgresql://..., instead of the default store." },
        { 0 }
    };
    int rc = cli_parse(&cli_command_runs, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    const char *action = n ? argv[1] : "list";
    const char *const *rest = (const char *const *)(argv + 2);
    size_t count = n ? (size_t)n - 1 : 0;
    if (strcmp(action, "list") == 0 && count == 0)
        return list(store);
    if (strcmp(action, "show") == 0 && count == 1)
        return show(rest[0], store);
    if (strcmp(action, "import") == 0 && count)
        return import(rest, count, store);
    if (strcmp(action, "delete") == 0 && count)
        return delete (rest, count, store);
    return cli_usage(&cli_command_runs,
                     "expected list, show RUN, delete ID..., or import RUN..., got \"%s\" with %zu "
                     "argument%s",
                     action, count, count == 1 ? "" : "s");
}
